"""One request under way: how much of it has left, where it may go, and when it must be over."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from contextvars import ContextVar
from time import monotonic
from typing import NoReturn
from urllib.parse import urlsplit

import requests

from django_smsverify.exceptions import GatewayError, GatewayUnavailable, GatewayUncertain
from django_smsverify.types import Account

from .hosts import may_connect, objection


class Exchange:
    """One request under way: whether it has begun to leave, and when it must be over.

    urllib3 bounds only the time between two bytes, so a vendor that drips would hold us for ever; at the
    deadline the socket is shut down under it.
    """

    def __init__(self, account: Account) -> None:
        self.total = account.timeout[2]
        self.left = False
        self.why = ""
        """What failed before anything left, where we know more than the name of an error."""
        self._private_hosts = account.private_hosts
        self._scheme = ""
        self._query = ""
        self._over = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._deadline = monotonic() + self.total
        self._timer = threading.Timer(self.total, self._cut)
        self._timer.daemon = True
        try:
            self._timer.start()
        except RuntimeError:
            raise GatewayUnavailable("no thread could be started that watches the time") from None
        self._token = _current.set(self)

    def board(self, prepared: requests.PreparedRequest, *, proxied: bool) -> None:
        """Takes the query off the request, and raises PermissionError when the request may not go to its host.

        A query may hold a key, a number and a code. Whatever looks at requests on their way (logs and errors of
        requests and urllib3, and what monitoring tools patch into them and into http.client) is shown none.
        """
        prepared.url, _, self._query = (prepared.url or "").partition("#")[0].partition("?")
        parts = urlsplit(prepared.url)
        self._scheme = parts.scheme.lower()
        why = objection(self._scheme, parts.hostname or "", private_hosts=self._private_hosts, proxied=proxied)
        if why is not None:
            self.refuse(why.value)

    def may_connect(self, address: str) -> bool:
        """Whether the site's rules allow a connection to this address, which a name was found to lead to."""
        return may_connect(address, self._scheme, private_hosts=self._private_hosts)

    def refuse(self, why: str) -> NoReturn:
        """Raises PermissionError; `why` is what the operator reads."""
        self.why = why
        raise PermissionError(why)

    def with_query(self, target: str) -> str:
        """The target of the request line as it goes over the wire, the once that it is written."""
        query, self._query = self._query, ""
        return f"{target}?{query}" if query else target

    def time_left(self) -> float:
        """Seconds until the deadline; raises TimeoutError when it is past."""
        left = self._deadline - monotonic()
        if left <= 0:
            self._end()
        return left

    def watch(self, connected: socket.socket) -> None:
        """From here on this socket is shut down at the deadline; raises TimeoutError when that is past."""
        with self._lock:
            self._socket = connected
            if self._over:
                self._end()

    def mark_sent(self, connected: socket.socket) -> None:
        """Called when the connection stands and before the first byte of the request is written."""
        if self._query:
            self.refuse("this version of Python writes requests in a way that is not known here")
        self.watch(connected)
        self.left = True

    def close(self) -> None:
        self._timer.cancel()
        with self._lock:
            self._socket = None
        _current.reset(self._token)

    def failure(self, host: str, what: str) -> GatewayError:
        if self.left:
            return GatewayUncertain(f"the request left for {host}, but no answer could be read ({what})")
        return GatewayUnavailable(f"{host} could not be reached ({self.why or what})")

    def _end(self) -> NoReturn:
        self.why = self.why or "the total time was over before the connection stood"
        raise TimeoutError(self.why)

    def _cut(self) -> None:
        with self._lock:
            self._over = True
            if self._socket is not None:
                with suppress(OSError):  # the vendor was faster
                    # Of the plain socket, also under TLS: only the kernel's end may be touched from here.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


_current: ContextVar[Exchange | None] = ContextVar("django_smsverify_flight", default=None)


def is_under_way() -> bool:
    """Whether a request to a vendor is being made here and now."""
    return _current.get() is not None


def current_exchange() -> Exchange:
    exchange = _current.get()
    if exchange is None:
        raise RuntimeError("these connections are opened by HTTPTransport only")
    return exchange
