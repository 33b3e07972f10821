"""HTTP to vendors: pooled connections, verified TLS, limits of time and size, and whether a request was sent."""

from __future__ import annotations

import http.cookiejar
import logging
import os
import ssl
from typing import Any, Protocol

import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.exceptions import HTTPError
from urllib3.util.ssl_ import create_urllib3_context

from django_smsverify.exceptions import GatewayError, GatewayUncertain, describe
from django_smsverify.gateways.hosts import host_of
from django_smsverify.gateways.recording import record
from django_smsverify.tracing import span
from django_smsverify.types import Account, Answer

from .connections import Adapter
from .exchange import Exchange, is_under_way
from .resolving import forget_lookups

MAX_ANSWER = 1024 * 1024
"""The most bytes of an answer that are read."""
logger = logging.getLogger("django_smsverify")


class Transport(Protocol):
    """Sends one request to a vendor and returns the answer, whatever its HTTP status."""

    def send(self, request: requests.Request, account: Account) -> Answer:
        """Raises GatewayUnavailable when nothing was sent, GatewayUncertain when no answer could be read."""


class HTTPTransport:
    """Sends requests over the network."""

    def send(self, request: requests.Request, account: Account) -> Answer:
        """Sends the request within the account's timeout.

        Raises GatewayUnavailable when nothing was sent, GatewayUncertain when no answer could be read.
        """
        with span("vendor_request", host=host_of(request.url)) as current:
            answer = self._send(request, account)
            current.set_attribute("http.response.status_code", answer.status)
            return answer

    def _send(self, request: requests.Request, account: Account) -> Answer:
        connect, read, _total = account.timeout
        session = _session(account)
        exchange, bug = Exchange(account), ""
        try:
            return self._exchange(session, request, exchange, (connect, read))
        except GatewayError:
            raise
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            failure = exchange.failure(host_of(request.url), type(error).__name__)
        except Exception as error:
            failure, bug = exchange.failure(host_of(request.url), type(error).__name__), describe(error)
        finally:
            exchange.close()
        if bug:
            logger.error("The call of a vendor broke off with %s", bug)
        # Raised outside `except` to have no context: exceptions of requests hold whole URLs.
        raise failure

    def _exchange(
        self,
        session: requests.Session,
        request: requests.Request,
        exchange: Exchange,
        timeout: tuple[float, float],
    ) -> Answer:
        prepared = session.prepare_request(request)
        recorded = record(prepared)  # before its query is removed
        exchange.board(prepared, proxied=bool(session.proxies))
        with session.send(prepared, stream=True, timeout=timeout, allow_redirects=False) as response:
            if recorded is None:
                return _read(response)
            recorded.note_headers(response.headers)
            recorded.answer = _read(response)
            return recorded.answer


def _read(response: requests.Response) -> Answer:
    """Reads the answer without decompressing it: 1 MB of compressed data can be a gigabyte.

    Raises GatewayUncertain for a 2xx answer that is compressed or too large. Any other status means failure,
    whatever the body is.
    """
    coding, may_be_success = response.headers.get("Content-Encoding", "").strip().lower(), response.status_code < 300
    if may_be_success and coding not in ("", "identity"):
        raise GatewayUncertain("the answer is compressed, which was not asked for")
    content = b""
    # Read to the end: only then does urllib3 raise when the connection broke off.
    while len(content) <= MAX_ANSWER and (part := response.raw.read(MAX_ANSWER + 1, decode_content=False)):
        content += part
    if may_be_success and len(content) > MAX_ANSWER:
        raise GatewayUncertain(f"the answer is larger than {MAX_ANSWER // 1024} KiB")
    return Answer(response.status_code, content[:MAX_ANSWER], response.headers.get("Content-Type", ""))


class _PreparedRequest(requests.PreparedRequest):
    def prepare_cookies(self, cookies: Any) -> None:
        if cookies:
            super().prepare_cookies(cookies)


class _Session(requests.Session):
    """Ignores redirects: requests would read and decompress the whole answer to find the next URL."""

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Writes a request as requests does, without looking for cookies of the session, which has none."""
        headers = {**self.headers, **request.headers}
        prepared = _PreparedRequest()
        prepared.prepare(
            method=request.method,
            url=request.url,
            headers={name: value for name, value in headers.items() if value is not None},
            files=request.files,
            data=request.data,
            json=request.json,
            params=request.params,
            auth=request.auth,
            cookies=request.cookies,
            hooks=request.hooks,
        )
        return prepared

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


_sessions: dict[tuple[object, ...], requests.Session] = {}


def _session(account: Account) -> requests.Session:
    """The pooled session for the account's base URL, proxy and rules; two threads may both open one, one is kept."""
    proxy = account.options.get("proxy", "")
    # A connection that was opened under other rules must not be reused.
    key = (account.base_url, proxy, account.ca_bundle, account.private_hosts)
    if key not in _sessions:
        session = _Session()
        session.trust_env = False  # .netrc would replace our Authorization header
        session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        session.headers["User-Agent"] = "django-smsverify"
        session.headers["Accept-Encoding"] = "identity"
        session.proxies = {"http": proxy, "https": proxy} if proxy else {}
        adapter = Adapter(_tls_context(account.ca_bundle))
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return _sessions.setdefault(key, session)
    return _sessions[key]


def _tls_context(ca_bundle: str | None) -> ssl.SSLContext | None:
    """A TLS context for the usual authorities and those in the file; None without a file that can be read."""
    if not ca_bundle:
        return None
    context = create_urllib3_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    try:
        context.load_verify_locations(ca_bundle)
    except (OSError, ValueError) as error:
        why = type(error).__name__
        logger.error("The CA bundle %s cannot be read (%s): only the usual authorities are trusted.", ca_bundle, why)
        return None
    return context


def _drop_connections() -> None:
    """Drops all connections in a forked process, which must not share them with its parent."""
    _sessions.clear()
    forget_lookups()


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=_drop_connections)


class _SilenceDuringCalls(logging.Filter):
    """Drops urllib3's logs during a call: at DEBUG they hold whole URLs, with the key, number and code."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not is_under_way()


for _name in ("urllib3.connectionpool", "urllib3.util.retry", "urllib3.connection"):
    logging.getLogger(_name).addFilter(_SilenceDuringCalls())
