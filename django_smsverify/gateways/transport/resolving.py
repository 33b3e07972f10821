"""Looking up a host's addresses within a deadline, which no system's resolver takes."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import Future
from contextlib import suppress
from time import monotonic
from typing import Any

MAX_LOOKUPS = 32
"""Names that are looked up at once; a resolver that never answers keeps that many threads and no more."""

Addresses = list[tuple[Any, ...]]
"""As socket.getaddrinfo returns them."""

_places = threading.BoundedSemaphore(MAX_LOOKUPS)


def addresses_of(host: str, port: int, seconds: float) -> Addresses:
    """The addresses of a host, in the order in which the system wants them tried.

    Raises TimeoutError after `seconds`, and otherwise what socket.getaddrinfo does (OSError, UnicodeError).
    """
    with suppress(OSError, UnicodeError):  # an address needs no looking up
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    until = monotonic() + seconds
    if not _places.acquire(timeout=max(0.0, seconds)):
        raise TimeoutError("too many names are being looked up")
    lookup = _Lookup(host, port, _places)
    lookup.start()
    return lookup.found.result(max(0.0, until - monotonic()))


def forget_lookups() -> None:
    """In a forked process: the threads that looked names up have stayed behind."""
    global _places
    _places = threading.BoundedSemaphore(MAX_LOOKUPS)


class _Lookup(threading.Thread):
    """One name being looked up; it ends when the resolver does, whoever still waits for it."""

    def __init__(self, host: str, port: int, places: threading.BoundedSemaphore) -> None:
        super().__init__(name="smsverify-lookup", daemon=True)
        self.found: Future[Addresses] = Future()
        self._asked = host, port
        self._places = places

    def start(self) -> None:
        try:
            super().start()
        except RuntimeError:
            self._places.release()
            raise OSError("no thread could be started that looks the name up") from None

    def run(self) -> None:
        try:
            self.found.set_result(socket.getaddrinfo(*self._asked, type=socket.SOCK_STREAM))
        except Exception as error:
            self.found.set_exception(error)
        finally:
            self._places.release()
