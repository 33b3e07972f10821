"""HTTP to a vendor: pooled, verified, bounded in time and size, and honest about whether a byte left."""

from __future__ import annotations

import http.cookiejar
import logging
import os
import socket
import threading
import time
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError

from django_smsverify.exceptions import GatewayError, GatewayUnavailable, GatewayUncertain
from django_smsverify.types import Account, Answer

MAX_ANSWER = 1024 * 1024


class Transport(Protocol):
    """Carries one request to a vendor and brings the answer, whatever its HTTP status."""

    def send(self, request: requests.Request, account: Account) -> Answer:
        """Raises GatewayUnavailable when nothing left, GatewayUncertain when no answer was read."""


class HTTPTransport:
    """The real network."""

    def send(self, request: requests.Request, account: Account) -> Answer:
        connect, read, total = account.timeout
        session = _session(account.base_url, account.options.get("proxy", ""))
        flight = _Flight(total)
        try:
            return self._fly(session, request, flight, (connect, read))
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            failure = flight.failure(_host(request.url), type(error).__name__)
        finally:
            flight.land()
        # Raised out here, so that it carries no context: requests puts whole URLs into its exceptions.
        raise failure

    def _fly(
        self,
        session: requests.Session,
        request: requests.Request,
        flight: _Flight,
        timeout: tuple[float, float],
    ) -> Answer:
        prepared = session.prepare_request(request)
        with session.send(prepared, stream=True, timeout=timeout, allow_redirects=False) as response:
            content = response.raw.read(MAX_ANSWER + 1, decode_content=True)
            if len(content) > MAX_ANSWER:
                raise GatewayUncertain(f"the answer is larger than {MAX_ANSWER // 1024} KiB")
            return Answer(response.status_code, content)


class _Flight:
    """One request under way: whether it has begun to leave, and when it must be over.

    urllib3 bounds only the time between two bytes, so a vendor that drips would hold us for ever; at the
    deadline the socket is shut down under it.
    """

    def __init__(self, total: float) -> None:
        self.left = False
        self._over = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._deadline = time.monotonic() + total
        self._timer = threading.Timer(total, self._cut)
        self._timer.daemon = True
        try:
            self._timer.start()
        except RuntimeError:
            raise GatewayUnavailable("no thread could be started that watches the time") from None
        self._token = _current.set(self)

    def time_left(self) -> float:
        """Seconds until the deadline; raises TimeoutError when it is past."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the total time was over before the connection stood")
        return left

    def watch(self, connected: socket.socket) -> None:
        """From here on this socket is shut down at the deadline; raises TimeoutError when that is past."""
        with self._lock:
            self._socket = connected
            if self._over:
                raise TimeoutError("the total time was over before the connection stood")

    def take_off(self, connected: socket.socket) -> None:
        """Called when the connection stands and before the first byte of the request is written."""
        self.watch(connected)
        self.left = True

    def land(self) -> None:
        self._timer.cancel()
        with self._lock:
            self._socket = None
        _current.reset(self._token)

    def failure(self, host: str, what: str) -> GatewayError:
        if self.left:
            return GatewayUncertain(f"the request left for {host}, but no answer could be read ({what})")
        return GatewayUnavailable(f"{host} could not be reached ({what})")

    def _cut(self) -> None:
        with self._lock:
            self._over = True
            if self._socket is not None:
                with suppress(OSError):  # the vendor was faster
                    # Of the plain socket, also under TLS: only the kernel's end may be touched from here.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


_current: ContextVar[_Flight | None] = ContextVar("django_smsverify_flight", default=None)


def _flight() -> _Flight:
    flight = _current.get()
    if flight is None:
        raise RuntimeError("these connections are opened by HTTPTransport only")
    return flight


class _Observed(HTTPConnection):
    """Tells the flight the moment from which an error no longer means "not sent"."""

    def _new_conn(self) -> socket.socket:
        """Tries the host's addresses one after the other, all of them within the total time."""
        failure: OSError = TimeoutError("the host has no address")
        found = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _name, address in found:
            fresh = socket.socket(family, kind, protocol)
            try:
                self._connect(fresh, address)
            except OSError as error:
                fresh.close()
                failure = error
            else:
                return fresh
        raise ConnectTimeoutError(self, "no address answered") if isinstance(failure, TimeoutError) else failure

    def _connect(self, fresh: socket.socket, address: Any) -> None:
        for option in self.socket_options or ():
            fresh.setsockopt(*option)
        fresh.settimeout(min(float(self.timeout or 0), _flight().time_left()))
        fresh.connect(address)
        _flight().watch(fresh)

    def _tunnel(self) -> None:
        super()._tunnel()
        # http.client takes the end of a connection that was cut for the end of the proxy's answer.
        _flight().watch(self.sock)

    def endheaders(self, *args: Any, **kwargs: Any) -> None:
        # The first byte of a request is written here, and a proxy's CONNECT is not.
        if self.sock is None:
            self.connect()
        _flight().take_off(self.sock)
        super().endheaders(*args, **kwargs)


class _ObservedHTTPS(_Observed, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _Observed


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _ObservedHTTPS


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
        return manager


_sessions: dict[tuple[str, str], requests.Session] = {}
os.register_at_fork(after_in_child=_sessions.clear)


def _session(base_url: str, proxy: str) -> requests.Session:
    """The pooled session of one base URL; two threads that race for it only open one connection more."""
    key = (base_url, proxy)
    if key not in _sessions:
        session = requests.Session()
        session.trust_env = False  # .netrc would replace our Authorization header
        session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        session.headers["User-Agent"] = "django-smsverify"
        session.headers["Accept-Encoding"] = "identity"
        session.proxies = {"http": proxy, "https": proxy} if proxy else {}
        session.mount("https://", _Adapter(pool_maxsize=32))
        session.mount("http://", _Adapter(pool_maxsize=32))
        return _sessions.setdefault(key, session)
    return _sessions[key]


class _QuietInFlight(logging.Filter):
    """urllib3 logs whole URLs at DEBUG; some vendors' hold the key, the number and the code."""

    def filter(self, record: logging.LogRecord) -> bool:
        return _current.get() is None


for _name in ("urllib3.connectionpool", "urllib3.util.retry", "urllib3.connection"):
    logging.getLogger(_name).addFilter(_QuietInFlight())
