"""The site whose processes are killed, as the tests control it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import datetime
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]


class Site:
    """Runs each act in a process of its own, at any given time."""

    def __init__(self, database: dict[str, Any]) -> None:
        env = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.crash.child", json.dumps(database)],
            cwd=ROOT,
            env=env | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "example_project")))},
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.__exit__(kind, error, trace)  # closes its input, so that it ends

    def do(self, act: str, *args: Any, at: datetime) -> Any:
        """The result of the process."""
        code, result = self._order(act, *args, at=at, kill_at=None)
        assert code == 0, result
        return result

    def run_and_kill(self, act: str, *args: Any, at: datetime, kill_at: str) -> None:
        """Runs an act, whose process must be killed at the point."""
        code, result = self._order(act, *args, at=at, kill_at=kill_at)
        assert code == -signal.SIGKILL, f"{kill_at} was not reached: {result}"

    def run_and_kill_everywhere(self, act: str, *args: Any, at: datetime) -> int:
        """Kills process after process, each one event later, until one completes; returns how many were killed."""
        for died in count():
            if self.survives(act, *args, at=at, event=died + 1):
                return died
        raise AssertionError

    def survives(self, act: str, *args: Any, at: datetime, event: int) -> bool:
        """Whether the act is complete before the given event; else its process is killed there."""
        code, result = self._order(act, *args, at=at, kill_at=event)
        assert code in (0, -signal.SIGKILL), result
        return code == 0

    def _order(self, act: str, *args: Any, at: datetime, kill_at: str | int | None) -> tuple[int, Any]:
        assert self._process.stdin
        assert self._process.stdout
        order = {"act": act, "args": args, "at": at.isoformat(), "kill_at": kill_at}
        print(json.dumps(order), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        assert line, "the site did not start: see its standard error"
        code, result = json.loads(line)
        return code, result
