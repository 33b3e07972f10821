"""Brokers that can be stopped: a separate Redis, and any other behind a proxy that can be stopped."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Protocol
from urllib.parse import urlsplit

from tests.servers import require_own_redis

OWN_REDIS = "redis-server"
TIMEOUT = 60
PORTS = {"amqp": 5672, "redis": 6379}


def eventually(holds: Callable[[], object], what: Callable[[], str] = str) -> None:
    """Waits until a condition holds that another process causes."""
    deadline = time.monotonic() + TIMEOUT
    while not holds():
        assert time.monotonic() < deadline, what()
        time.sleep(0.02)


class Broker(Protocol):
    url: str

    def up(self) -> None: ...

    def down(self) -> None: ...


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
        return True
    return False


class OwnRedis:
    """A Redis at one port, with or without persistence."""

    def __init__(self, where: Path, durable: bool) -> None:
        require_own_redis()
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        memory = ["--appendonly", "yes", "--appendfsync", "always"] if durable else ["--appendonly", "no"]
        own = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(where), "--save", "", *memory]
        self._command = [OWN_REDIS, *own]
        self._process: subprocess.Popen[bytes] | None = None

    def up(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        eventually(lambda: answers(self.port))

    def down(self) -> None:
        """Kills it: nothing is sent to its clients, and nothing is cleaned up."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(TIMEOUT)


class TCPProxy:
    """A TCP proxy to a broker that others use too."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._behind = (parts.hostname or "127.0.0.1", parts.port or PORTS[parts.scheme])
        self._port = free_port()
        user, at, _ = parts.netloc.rpartition("@")
        self.url = parts._replace(netloc=f"{user}{at}127.0.0.1:{self._port}").geturl()
        if parts.scheme == "amqp":  # whose vhost "/" a URL parser drops
            self.url = url.replace(parts.netloc, f"{user}{at}127.0.0.1:{self._port}")
        self._listener: socket.socket | None = None
        self._ends: list[socket.socket] = []
        self._threads: list[Thread] = []

    def up(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._run(self._accept_clients, self._listener)

    def down(self) -> None:
        """Accepts no connections any more, and closes those that exist."""
        listener, self._listener = self._listener, None
        for end in (listener, *self._ends):
            if end is not None:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(TIMEOUT)
        for end in (listener, *self._ends):
            if end is not None:
                end.close()
        self._ends, self._threads = [], []

    def _run(self, work: Callable[..., None], *ends: socket.socket) -> None:
        thread = Thread(target=work, args=ends, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept_clients(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, far = listener.accept()[0], socket.create_connection(self._behind, 5)
                far.settimeout(None)
                self._ends += [near, far]
                self._run(_forward, near, far)
                self._run(_forward, far, near)


def _forward(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while some := source.recv(65536):
            sink.sendall(some)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
