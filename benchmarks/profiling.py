"""What Python does in a call: how often each function is called, and through how many modules the call goes."""

from __future__ import annotations

import re
import sys
import threading
from collections import Counter
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

MOST_LINES = 60
LIBRARY = re.compile(rf".*/(?:site-packages|python3\.\d+)/|{re.escape(str(Path(__file__).parent.parent))}/")


class Profile:
    """Counts the calls of all threads."""

    def __init__(self) -> None:
        self._python: Counter[tuple[str, str]] = Counter()
        self._builtin: Counter[str] = Counter()

    def __enter__(self) -> Self:
        threading.setprofile(self._count)
        sys.setprofile(self._count)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def _count(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            code = frame.f_code
            self._python[code.co_filename, code.co_qualname] += 1
        elif event == "c_call":
            self._builtin[getattr(argument, "__qualname__", repr(argument))] += 1

    def report(self) -> str:
        """The sums, the modules and the functions, those with the most calls first."""
        modules: Counter[str] = Counter()
        for (file, _), calls in self._python.items():
            modules[_module(file)] += calls
        functions = Counter({f"{_module(file)}  {name}": calls for (file, name), calls in self._python.items()})
        sums = (
            f"{self._python.total():,} calls of {len(self._python):,} Python functions in {len(modules)} modules, "
            f"{self._builtin.total():,} calls of {len(self._builtin):,} built-in functions"
        )
        parts = {"modules": modules, "Python functions": functions, "built-in functions": self._builtin}
        return "\n".join([sums, *(_part(title, counts) for title, counts in parts.items())])


def _part(title: str, counts: Counter[str]) -> str:
    lines = [f"{calls:8,}  {name}" for name, calls in counts.most_common(MOST_LINES)]
    return "\n".join(["", f"   calls  {title}", *lines])


def _module(file: str) -> str:
    """The path of a module below where it is installed."""
    return LIBRARY.sub("", file)
