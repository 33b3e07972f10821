"""The processes that work off a queue, from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from .brokers import PATIENCE, eventually

ROOT = Path(__file__).resolve().parents[2]
QUIET = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
CELERY = ["celery", "-A", "tests.queues.app", "worker", "-l", "INFO", *QUIET]
SOLO, PREFORK = ("-P", "solo"), ("-P", "prefork", "-c", "1")


class Worker:
    """One process and what it says; killed at the end, when it is still there."""

    def __init__(self, log: Path, env: Mapping[str, str], *module: str, ready: str = "") -> None:
        own = {"DJANGO_SETTINGS_MODULE": "tests.queues.settings", "PYTHONPATH": f"{ROOT}:{ROOT / 'example_project'}"}
        self._log = log
        with log.open("w") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *module],
                cwd=ROOT,
                env={**os.environ, **own, **env, "PYTHONUNBUFFERED": "1"},
                stdout=said,
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
    def said(self) -> str:
        return self._log.read_text()

    def wait_for(self, words: str, times: int = 1) -> None:
        eventually(lambda: self.said.count(words) >= times or self._process.poll() is not None, lambda: self.said)
        assert self.said.count(words) >= times, self.said

    def wait(self) -> None:
        """Until it ends of itself."""
        assert self._process.wait(PATIENCE) == 0, self.said

    def kill(self) -> None:
        """Without a chance to say so to its broker, its children included."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(PATIENCE)

    def kill_child(self) -> None:
        """As the kernel does when memory is short: the parent sees it."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
