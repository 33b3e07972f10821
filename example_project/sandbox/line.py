"""One accepted connection, and the good and bad ways of using it."""

from __future__ import annotations

import socket
import struct
from threading import Event, Lock

from sandbox.wire import Reply

_PEER_CHECK_SECONDS = 0.1
_DRIP_SECONDS = 0.2
# Below the size at which a careful client stops reading, so that only its clock can save it.
_DRIP_BODY_BYTES = 60_000


class Gate:
    """What waiting connections wait for: opened for those waiting now, or for good."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._event = Event()
        self._for_good = False

    def ahead(self) -> Event:
        with self._lock:
            return self._event

    def open(self, for_good: bool = False) -> None:
        with self._lock:
            self._event.set()
            self._for_good = self._for_good or for_good
            if not self._for_good:
                self._event = Event()


class Line:
    """The server's end of a connection during one exchange."""

    def __init__(self, connection: socket.socket, released: Event) -> None:
        self._connection = connection
        self._released = released
        self.spent = False

    def send(self, reply: Reply) -> None:
        self._connection.sendall(reply.encoded())

    def wait(self, seconds: float) -> None:
        self._released.wait(seconds)

    def hang(self) -> None:
        self.spent = True
        while not self._released.wait(_PEER_CHECK_SECONDS) and not self._peer_is_gone():
            pass

    def reset(self) -> None:
        """Make the coming close an abortive one."""
        self.spent = True
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def drip(self, reply: Reply) -> None:
        self.spent = True
        for byte in reply.encoded(pad_to=_DRIP_BODY_BYTES):
            self._connection.sendall(bytes((byte,)))
            if self._released.wait(_DRIP_SECONDS):
                return

    def _peer_is_gone(self) -> bool:
        self._connection.setblocking(False)
        try:
            return not self._connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            self._connection.setblocking(True)
