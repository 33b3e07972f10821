"""Connections to vendors: opened before the deadline, to allowed addresses only, and closed when idle."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from time import monotonic
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError

from django_smsverify.gateways.hosts import Objection

from .exchange import current_exchange
from .resolving import Addresses, addresses_of

MAX_IDLE = 5.0
"""Seconds after which an idle connection is not used again. Firewalls forget idle connections and silently drop what
is sent on them: the request would have been sent, and its outcome would be unknown."""


class ObservedConnection(HTTPConnection):
    """Marks the current exchange as sent before the first byte of the request is written."""

    debuglevel = 0  # http.client's value may be set for the whole process and would print the request
    idle_since = 0.0

    def _new_conn(self) -> socket.socket:
        """Resolves the host and tries its addresses one by one, all within the total time."""
        until = monotonic() + float(self.timeout or 0)
        failure: OSError = TimeoutError("the host has no address")
        found = self._addresses(until)
        seconds = max(0.001, until - monotonic())
        for family, kind, protocol, _name, address in found:
            fresh = socket.socket(family, kind, protocol)
            try:
                self._connect(fresh, address, seconds)
            except OSError as error:
                fresh.close()
                failure = error
            else:
                return fresh
        raise ConnectTimeoutError(self, "no address answered") if isinstance(failure, TimeoutError) else failure

    def _addresses(self, until: float) -> Addresses:
        """The host's addresses that are allowed; all addresses of a proxy, which the site chose."""
        exchange = current_exchange()
        seconds = min(until - monotonic(), exchange.time_left())
        try:
            found = addresses_of(self._dns_host, self.port, seconds)
        except TimeoutError:
            exchange.why = "its name was not resolved in time"
            raise ConnectTimeoutError(self, exchange.why) from None
        allowed = [one for one in found if self.proxy is not None or exchange.may_connect(one[4][0])]
        if found and not allowed:
            exchange.refuse(Objection.PRIVATE.value)
        return allowed

    def _connect(self, fresh: socket.socket, address: Any, seconds: float) -> None:
        for option in self.socket_options or ():
            fresh.setsockopt(*option)
        for option in _liveness(current_exchange().total):
            with suppress(OSError):  # the kernel may be older than Python's headers
                fresh.setsockopt(*option)
        fresh.settimeout(min(seconds, current_exchange().time_left()))
        fresh.connect(address)
        current_exchange().watch(fresh)

    def _tunnel(self) -> None:
        super()._tunnel()
        # If the deadline closed the connection, http.client takes that for the end of the proxy's answer.
        current_exchange().watch(self.sock)

    def _encode_request(self, request: str) -> bytes:
        # Only here what Exchange.board hides is written. http.client.putrequest passes the request line.
        method, target, version = request.split(" ")
        line = f"{method} {current_exchange().real_target(target)} {version}"
        if not (line.isascii() and line.isprintable() and line.count(" ") == 2):
            current_exchange().refuse("the query cannot be written in a request line")
        return line.encode("ascii")

    def endheaders(self, *args: Any, **kwargs: Any) -> None:
        # The first byte of a request is written here; a proxy's CONNECT is written elsewhere.
        if self.sock is None:
            self.connect()
        current_exchange().mark_sent(self.sock)
        super().endheaders(*args, **kwargs)


class ObservedHTTPSConnection(ObservedConnection, HTTPSConnection):
    """The same over TLS."""


def _liveness(total: float) -> Iterator[tuple[int, int, int]]:
    """Socket options that detect a dead peer, as far as the system supports them.

    TCP_USER_TIMEOUT, in milliseconds, also ends the kernel's retransmissions: data that was given up is not sent
    later.
    """
    yield socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1
    # TCP_KEEPALIVE is the name of TCP_KEEPIDLE on macOS.
    seconds = {"TCP_KEEPIDLE": 5, "TCP_KEEPALIVE": 5, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
    for name, value in {**seconds, "TCP_USER_TIMEOUT": max(1, int(total * 1000))}.items():
        option = getattr(socket, name, None)
        if option is not None:
            yield socket.IPPROTO_TCP, option, value


class _FreshPool(HTTPConnectionPool):
    """Closes connections that were idle for longer than MAX_IDLE before it reuses them."""

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection: Any = super()._get_conn(timeout)
        if not connection.is_closed and monotonic() - connection.idle_since > MAX_IDLE:
            connection.close()  # urllib3 opens it again when it is used
        return connection

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.idle_since = monotonic()
        super()._put_conn(conn)


class _HTTPPool(_FreshPool):
    ConnectionCls = ObservedConnection


class _HTTPSPool(_FreshPool, HTTPSConnectionPool):
    ConnectionCls = ObservedHTTPSConnection


class Adapter(HTTPAdapter):
    """Makes requests use our connections, with or without a proxy."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        """`tls` verifies the vendor and an https proxy; None: the default of requests."""
        self._tls = tls
        super().__init__(pool_maxsize=32)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._tls, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        contexts = {"ssl_context": self._tls, "proxy_ssl_context": self._tls}
        manager = super().proxy_manager_for(proxy, **contexts, **kwargs)
        manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
        return manager
