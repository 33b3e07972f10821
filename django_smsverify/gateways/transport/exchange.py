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
from django_smsverify.gateways.hosts import may_connect, objection
from django_smsverify.types import Account

from .deadlines import deadlines

HIDDEN = "/***"
"""Stands for a path that holds a key."""
SHORT = 3
"""Characters of a key that may stand in a path by chance."""


class Exchange:
    """The state of one request: whether sending began, and when it must end.

    urllib3 limits only the time between two bytes, so a vendor that sends slowly could block us for ever. At the
    deadline another thread shuts the socket down.
    """

    def __init__(self, account: Account) -> None:
        """Begins to watch the time; raises GatewayUnavailable when no thread can be started for that."""
        self.total = account.timeout[2]
        self.left = False
        self.why = ""
        """Why the call failed before anything was sent, if more is known than the name of an error."""
        self._private_hosts = account.private_hosts
        self._scheme = ""
        self._target = ""
        """Path and query as the vendor gets them, if something of them is hidden from everything else."""
        self._keys = [secret for secret in account.credentials.values() if len(secret) > SHORT]
        self._expired = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._deadline = monotonic() + self.total
        try:
            deadlines.add(self, self._deadline, self._shut_down)
        except RuntimeError:
            raise GatewayUnavailable("no thread could be started that watches the time") from None
        self._token = _current.set(self)

    def board(self, prepared: requests.PreparedRequest, *, proxied: bool) -> None:
        """Removes the query from the request, and a path that holds a key; raises PermissionError when the request may
        not go to its host.

        A query may hold a key, a number and a code. Without it, logs and errors of requests and urllib3, and
        monitoring tools that patch them or http.client, cannot store these.
        """
        parts = urlsplit((prepared.url or "").partition("#")[0])
        is_secret = any(key in parts.path for key in self._keys)
        if is_secret or parts.query:
            self._target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        prepared.url = f"{parts.scheme}://{parts.netloc}{HIDDEN if is_secret else parts.path}"
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

    def real_target(self, target: str) -> str:
        """The target of the request line with what `board` has hidden, which is returned once only."""
        hidden, self._target = self._target, ""
        return hidden or target

    def time_left(self) -> float:
        """Seconds until the deadline; raises TimeoutError after it."""
        left = self._deadline - monotonic()
        if left <= 0:
            self._raise_timeout()
        return left

    def watch(self, connected: socket.socket) -> None:
        """Makes the deadline shut down this socket; raises TimeoutError when the deadline is past."""
        with self._lock:
            # Through a proxy that itself uses https, urllib3 has a TLS state here that is no socket, and holds one.
            self._socket = getattr(connected, "socket", connected)
            if self._expired:
                self._raise_timeout()

    def mark_sent(self, connected: socket.socket) -> None:
        """Called when the connection is open and before the first byte of the request is written."""
        if self._target:
            self.refuse("this version of Python writes requests in a way that is not known here")
        self.watch(connected)
        self.left = True

    def close(self) -> None:
        """Ends the exchange and its deadline."""
        deadlines.remove(self)
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
