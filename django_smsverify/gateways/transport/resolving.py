"""Resolves host names within a deadline, which the system's resolver does not support."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import Future
from contextlib import suppress
from time import monotonic
from typing import Any

MAX_LOOKUPS = 32
"""Names that are resolved at once; a resolver that never answers blocks at most this many threads."""

Addresses = list[tuple[Any, ...]]
"""As socket.getaddrinfo returns them."""

_places = threading.BoundedSemaphore(MAX_LOOKUPS)


def addresses_of(host: str, port: int, seconds: float) -> Addresses:
    """The addresses of a host, in the order in which the system recommends to try them.

    Raises TimeoutError after `seconds`, else the errors of socket.getaddrinfo (OSError, UnicodeError).
    """
    with suppress(OSError, UnicodeError):  # a literal address needs no lookup
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    until = monotonic() + seconds
    if not _places.acquire(timeout=max(0.0, seconds)):
        raise TimeoutError("too many names are being looked up")
    lookup = _Lookup(host, port, _places)
    lookup.start()
    return lookup.found.result(max(0.0, until - monotonic()))


def forget_lookups() -> None:
    """Resets the limit in a forked process, which does not have the parent's resolver threads."""
    global _places
    _places = threading.BoundedSemaphore(MAX_LOOKUPS)


class _Lookup(threading.Thread):
    """A thread that resolves one name; it runs until the resolver returns, even if nothing waits for it any more."""

    def __init__(self, host: str, port: int, places: threading.BoundedSemaphore) -> None:
        super().__init__(name="smsverify-lookup", daemon=True)
        self.found: Future[Addresses] = Future()
        self._target = host, port
        self._places = places

    def start(self) -> None:
        try:
            super().start()
        except RuntimeError:
            self._places.release()
            raise OSError("no thread could be started that looks the name up") from None

    def run(self) -> None:
        try:
            self.found.set_result(socket.getaddrinfo(*self._target, type=socket.SOCK_STREAM))
        except Exception as error:
            self.found.set_exception(error)
        finally:
            self._places.release()
