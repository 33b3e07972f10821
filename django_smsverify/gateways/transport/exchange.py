"""One request to a vendor: whether it was sent, where it may go, and its deadline."""

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
    """The state of one request: whether sending began, and when it must end.

    urllib3 limits only the time between two bytes, so a vendor that sends slowly could block us for ever. At the
    deadline a timer shuts the socket down.
    """

    def __init__(self, account: Account) -> None:
        """Starts the timer; raises GatewayUnavailable when no thread can be started."""
        self.total = account.timeout[2]
        self.left = False
        self.why = ""
        """Why the call failed before anything was sent, if more is known than the name of an error."""
        self._private_hosts = account.private_hosts
        self._scheme = ""
        self._query = ""
        self._expired = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._deadline = monotonic() + self.total
        self._timer = threading.Timer(self.total, self._shut_down)
        self._timer.daemon = True
        try:
            self._timer.start()
        except RuntimeError:
            raise GatewayUnavailable("no thread could be started that watches the time") from None
        self._token = _current.set(self)

    def board(self, prepared: requests.PreparedRequest, *, proxied: bool) -> None:
        """Removes the query from the request; raises PermissionError when the request may not go to its host.

        A query may hold a key, a number and a code. Without it, logs and errors of requests and urllib3, and
        monitoring tools that patch them or http.client, cannot store these.
        """
        prepared.url, _, self._query = (prepared.url or "").partition("#")[0].partition("?")
        parts = urlsplit(prepared.url)
        self._scheme = parts.scheme.lower()
        why = objection(self._scheme, parts.hostname or "", private_hosts=self._private_hosts, proxied=proxied)
        if why is not None:
            self.refuse(why.value)

    def may_connect(self, address: str) -> bool:
        """Whether the site's rules allow a connection to this address, to which a name was resolved."""
        return may_connect(address, self._scheme, private_hosts=self._private_hosts)

    def refuse(self, why: str) -> NoReturn:
        """Raises PermissionError; `why` is shown to the operator."""
        self.why = why
        raise PermissionError(why)

    def with_query(self, target: str) -> str:
        """The target of the request line with its query, which is returned once only."""
        query, self._query = self._query, ""
        return f"{target}?{query}" if query else target

    def time_left(self) -> float:
        """Seconds until the deadline; raises TimeoutError after it."""
        left = self._deadline - monotonic()
        if left <= 0:
            self._raise_timeout()
        return left

    def watch(self, connected: socket.socket) -> None:
        """Makes the deadline shut down this socket; raises TimeoutError when the deadline is past."""
        with self._lock:
            self._socket = connected
            if self._expired:
                self._raise_timeout()

    def mark_sent(self, connected: socket.socket) -> None:
        """Called when the connection is open and before the first byte of the request is written."""
        if self._query:
            self.refuse("this version of Python writes requests in a way that is not known here")
        self.watch(connected)
        self.left = True

    def close(self) -> None:
        """Stops the timer and ends the exchange."""
        self._timer.cancel()
        with self._lock:
            self._socket = None
        _current.reset(self._token)

    def failure(self, host: str, what: str) -> GatewayError:
        """The error of a failed call: GatewayUncertain if the request was sent, else GatewayUnavailable."""
        if self.left:
            return GatewayUncertain(f"the request left for {host}, but no answer could be read ({what})")
        return GatewayUnavailable(f"{host} could not be reached ({self.why or what})")

    def _raise_timeout(self) -> NoReturn:
        self.why = self.why or "the total time was over before the connection stood"
        raise TimeoutError(self.why)

    def _shut_down(self) -> None:
        with self._lock:
            self._expired = True
            if self._socket is not None:
                with suppress(OSError):  # the vendor closed it first
                    # Shut down the plain socket, also under TLS: another thread may use the TLS state.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


_current: ContextVar[Exchange | None] = ContextVar("django_smsverify_flight", default=None)


def is_under_way() -> bool:
    """Whether the current context is sending a request to a vendor."""
    return _current.get() is not None


def current_exchange() -> Exchange:
    """The exchange of the current context; raises RuntimeError when there is none."""
    exchange = _current.get()
    if exchange is None:
        raise RuntimeError("these connections are opened by HTTPTransport only")
    return exchange
