"""Starts and kills worker processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from .brokers import TIMEOUT, eventually

ROOT = Path(__file__).resolve().parents[2]
QUIET = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
CELERY = ["celery", "-A", "tests.queues.app", "worker", "-l", "INFO", *QUIET]
SOLO, PREFORK = ("-P", "solo"), ("-P", "prefork", "-c", "1")


class Worker:
    """One process and its output; killed at the end if it still runs."""

    def __init__(self, log: Path, env: Mapping[str, str], *module: str, ready: str = "") -> None:
        own = {"DJANGO_SETTINGS_MODULE": "tests.queues.settings", "PYTHONPATH": f"{ROOT}:{ROOT / 'example_project'}"}
        self._log = log
        with log.open("w") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *module],
                cwd=ROOT,
                env={**os.environ, **own, **env, "PYTHONUNBUFFERED": "1"},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if ready:
            self.wait_for(ready)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def output(self) -> str:
        return self._log.read_text()

    def wait_for(self, words: str, times: int = 1) -> None:
        eventually(lambda: self.output.count(words) >= times or self._process.poll() is not None, lambda: self.output)
        assert self.output.count(words) >= times, self.output

    def wait(self) -> None:
        """Waits until it ends by itself."""
        assert self._process.wait(TIMEOUT) == 0, self.output

    def kill(self) -> None:
        """Kills it and its children; nothing is sent to its broker."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(TIMEOUT)

    def kill_child(self) -> None:
        """Kills its child, as the kernel does when memory is short; the parent notices."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
