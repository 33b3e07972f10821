"""The site whose processes are killed, as the tests hold it."""

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
    """Does each thing in a process of its own, at whatever time it is told to be."""

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
        self._process.__exit__(kind, error, trace)  # closes its input, which ends it

    def do(self, act: str, *args: Any, at: datetime) -> Any:
        """What the process says that does it."""
        code, said = self._told(act, *args, at=at, death=None)
        assert code == 0, said
        return said

    def die(self, act: str, *args: Any, at: datetime, death: str) -> None:
        """The process is killed at it."""
        code, said = self._told(act, *args, at=at, death=death)
        assert code == -signal.SIGKILL, f"{death} was not reached: {said}"

    def die_everywhere(self, act: str, *args: Any, at: datetime) -> int:
        """One process after the other is killed at it, each an event later, until one gets through; how many were."""
        for died in count():
            if self.survives(act, *args, at=at, event=died + 1):
                return died
        raise AssertionError

    def survives(self, act: str, *args: Any, at: datetime, event: int) -> bool:
        """Whether it is done before so many events have happened; else the process is killed at the last."""
        code, said = self._told(act, *args, at=at, death=event)
        assert code in (0, -signal.SIGKILL), said
        return code == 0

    def _told(self, act: str, *args: Any, at: datetime, death: str | int | None) -> tuple[int, Any]:
        assert self._process.stdin
        assert self._process.stdout
        order = {"act": act, "args": args, "at": at.isoformat(), "death": death}
        print(json.dumps(order), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        assert line, "the site did not start: see its standard error"
        code, said = json.loads(line)
        return code, said
