"""A Redis that a test may pause and stop."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


class Redis:
    """A separate Redis, which may be emptied, paused and stopped; always at the same port."""

    def __init__(self, *options: str) -> None:
        self._options = options
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        where = ["--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no", *self._options]
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

    def pause(self) -> None:
        """Stops the process: it accepts connections and requests, and does not answer."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    @contextmanager
    def silent(self) -> Iterator[None]:
        self.pause()
        try:
            yield
        finally:
            self.resume()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)
