"""Instructions of chosen parts of a Python process, counted by valgrind's callgrind."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from .environments import ROOT

TOTALS = re.compile(r"^totals: (\d+)", re.MULTILINE)


def missing() -> str:
    """What must be installed; empty if nothing is missing."""
    found = all(map(shutil.which, ("valgrind", "callgrind_control")))
    return "" if found else "valgrind is not installed: no instructions can be counted"


class Counted:
    """A Python process under callgrind, which counts only between a line that it prints and the next."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._files = folder / "callgrind.out"
        valgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={self._files}"]
        self._log = (folder / "log.txt").open("w+")
        self._process = subprocess.Popen(  # noqa: S603
            [*valgrind, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "PYTHONHASHSEED": "0"},
            cwd=ROOT,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind:
            self._process.kill()
        self._process.communicate()
        self._log.close()

    def count(self, names: Sequence[str]) -> Iterator[tuple[str, int]]:
        """Yields each name with the instructions of the part, in the order in which the process runs them."""
        for place, name in enumerate(names, 1):
            self._expect("prepared")
            self._control("-i", "on")
            self._continue()
            self._expect("done")
            self._control("-d", name.replace(" ", "_"))
            self._control("-i", "off")
            self._continue()
            yield name, int(TOTALS.findall(Path(f"{self._files}.{place}").read_text())[0])

    def _expect(self, word: str) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        line = self._process.stdout.readline()
        if line.strip() != word:
            self._log.seek(0)
            raise RuntimeError(f"expected {word!r}, not {line!r}: {self._log.read()[-3000:]}")

    def _continue(self) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def _control(self, *arguments: str) -> None:
        command = ["callgrind_control", *arguments, str(self._process.pid)]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603
