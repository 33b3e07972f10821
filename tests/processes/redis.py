"""A Redis that a test may empty and stop."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


class Redis:
    """A Redis of our own, that may be emptied and stopped; always at the same port."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        where = ["--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(["redis-server", *where], text=True, stdout=subprocess.PIPE)
        assert self._process.stdout
        assert any("Ready to accept" in line for line in self._process.stdout)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with process:
                process.terminate()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        self.stop()
        try:
            yield
        finally:
            self.start()
