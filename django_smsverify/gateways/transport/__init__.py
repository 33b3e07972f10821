"""HTTP to a vendor: pooled, verified, bounded in time and size, and honest about whether a byte left."""

from __future__ import annotations

import http.cookiejar
import logging
import os
import ssl
from typing import Protocol
from urllib.parse import urlsplit

import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.exceptions import HTTPError
from urllib3.util.ssl_ import create_urllib3_context

from django_smsverify.exceptions import GatewayError, GatewayUncertain, describe
from django_smsverify.types import Account, Answer

from .connections import Adapter
from .exchange import Exchange, is_under_way
from .resolving import forget_lookups

MAX_ANSWER = 1024 * 1024
logger = logging.getLogger("django_smsverify")


class Transport(Protocol):
    """Carries one request to a vendor and brings the answer, whatever its HTTP status."""

    def send(self, request: requests.Request, account: Account) -> Answer:
        """Raises GatewayUnavailable when nothing left, GatewayUncertain when no answer was read."""


class HTTPTransport:
    """The real network."""

    def send(self, request: requests.Request, account: Account) -> Answer:
        connect, read, _total = account.timeout
        session = _session(account)
        exchange, bug = Exchange(account), ""
        try:
            return self._fly(session, request, exchange, (connect, read))
        except GatewayError:
            raise
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            failure = exchange.failure(_host(request.url), type(error).__name__)
        except Exception as error:
            failure, bug = exchange.failure(_host(request.url), type(error).__name__), describe(error)
        finally:
            exchange.close()
        if bug:
            logger.error("The call of a vendor broke off with %s", bug)
        # Raised out here, so that it carries no context: requests puts whole URLs into its exceptions.
        raise failure

    def _fly(
        self,
        session: requests.Session,
        request: requests.Request,
        exchange: Exchange,
        timeout: tuple[float, float],
    ) -> Answer:
        prepared = session.prepare_request(request)
        exchange.board(prepared, proxied=bool(session.proxies))
        with session.send(prepared, stream=True, timeout=timeout, allow_redirects=False) as response:
            return _read(response)


def _read(response: requests.Response) -> Answer:
    """The answer as it came: 1 MB that is compressed can be a gigabyte, so that nothing is unpacked.

    Raises GatewayUncertain for an answer that may say yes and is compressed or too large; a refusal is one by its
    status, whatever comes with it.
    """
    coding, may_say_yes = response.headers.get("Content-Encoding", "").strip().lower(), response.status_code < 300
    if may_say_yes and coding not in ("", "identity"):
        raise GatewayUncertain("the answer is compressed, which was not asked for")
    content = b""
    # Until there is no more: only then does urllib3 say that the connection broke off.
    while len(content) <= MAX_ANSWER and (part := response.raw.read(MAX_ANSWER + 1, decode_content=False)):
        content += part
    if may_say_yes and len(content) > MAX_ANSWER:
        raise GatewayUncertain(f"the answer is larger than {MAX_ANSWER // 1024} KiB")
    return Answer(response.status_code, content[:MAX_ANSWER], response.headers.get("Content-Type", ""))


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


class _Session(requests.Session):
    """Knows of no redirects: one that is not followed would still be read and unpacked whole, to name the next."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


_sessions: dict[tuple[object, ...], requests.Session] = {}


def _session(account: Account) -> requests.Session:
    """The pooled session of one base URL; two threads that race for it only open one connection more."""
    proxy = account.options.get("proxy", "")
    # A connection that the site's rules allowed is not used under other rules.
    key = (account.base_url, proxy, account.ca_bundle, account.private_hosts)
    if key not in _sessions:
        session = _Session()
        session.trust_env = False  # .netrc would replace our Authorization header
        session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        session.headers["User-Agent"] = "django-smsverify"
        session.headers["Accept-Encoding"] = "identity"
        session.proxies = {"http": proxy, "https": proxy} if proxy else {}
        adapter = Adapter(_trusting(account.ca_bundle))
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return _sessions.setdefault(key, session)
    return _sessions[key]


def _trusting(ca_bundle: str | None) -> ssl.SSLContext | None:
    """What verifies servers by the usual authorities and by those in a file; None where there is none to read."""
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


def _start_afresh() -> None:
    """In a forked process, which must not share connections with its parent."""
    _sessions.clear()
    forget_lookups()


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=_start_afresh)


class _QuietInFlight(logging.Filter):
    """urllib3 logs whole URLs at DEBUG; some vendors' hold the key, the number and the code."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not is_under_way()


for _name in ("urllib3.connectionpool", "urllib3.util.retry", "urllib3.connection"):
    logging.getLogger(_name).addFilter(_QuietInFlight())
