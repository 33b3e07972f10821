"""One accepted connection: regular replies, and hanging, resetting or dripping."""

from __future__ import annotations

import socket
import struct
from threading import Event, Lock

from sandbox.wire import Reply

_PEER_CHECK_SECONDS = 0.1
_DRIP_SECONDS = 0.2
# Below the size limit of a careful client, so that only its time limit ends the read.
_DRIP_BODY_BYTES = 60_000


class Gate:
    """Releases the connections that wait: those that wait now, or with `for_good` all later ones too."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._event = Event()
        self._for_good = False

    def current(self) -> Event:
        with self._lock:
            return self._event

    def open(self, for_good: bool = False) -> None:
        with self._lock:
            self._event.set()
            self._for_good = self._for_good or for_good
            if not self._for_good:
                self._event = Event()


class Connection:
    """The server's side of a connection during one exchange."""

    def __init__(self, socket_: socket.socket, released: Event) -> None:
        self._socket = socket_
        self._released = released
        self.spent = False

    def send(self, reply: Reply) -> None:
        self._socket.sendall(reply.encoded())

    def wait(self, seconds: float) -> None:
        self._released.wait(seconds)

    def hang(self) -> None:
        self.spent = True
        while not self._released.wait(_PEER_CHECK_SECONDS) and not self._peer_is_gone():
            pass

    def reset(self) -> None:
        """The close that follows sends a TCP reset."""
        self.spent = True
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def drip(self, reply: Reply) -> None:
        self.spent = True
        for byte in reply.encoded(pad_to=_DRIP_BODY_BYTES):
            self._socket.sendall(bytes((byte,)))
            if self._released.wait(_DRIP_SECONDS):
                return

    def _peer_is_gone(self) -> bool:
        self._socket.setblocking(False)
        try:
            return not self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            self._socket.setblocking(True)
