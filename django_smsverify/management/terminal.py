"""What commands share: an output that any console can take, a bar on a terminal, and an end that loses nothing when
they are told to stop."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, current_thread, main_thread
from types import FrameType
from typing import Any, TextIO

from django.core.management.base import BaseCommand, OutputWrapper
from tqdm import tqdm

from django_smsverify.characters import as_shown

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class TerminalOutput(OutputWrapper):
    """Writes what the stream can take."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self._stream, "encoding", None) or "utf-8"

    def write(  # type: ignore[override]
        self, msg: str = "", style_func: Callable[[str], str] | None = None, ending: str | None = None
    ) -> None:
        super().write(as_shown(msg, self), style_func, ending)


class TerminalCommand(BaseCommand):
    """A command whose output no console refuses, whatever stands in the names and texts of a site.

    Standard error escapes by itself what it lacks.
    """

    def execute(self, *args: Any, **options: Any) -> str | None:
        self.stdout = TerminalOutput(options.get("stdout") or sys.stdout)
        return super().execute(*args, **{**options, "stdout": None})


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Yields what says whether SIGTERM or Ctrl-C has come; what is under way is ended first."""
    asked = Event()

    def stop(number: int, frame: FrameType | None) -> None:
        asked.set()

    if current_thread() is not main_thread():  # a scheduler's: signals go elsewhere
        yield asked.is_set
        return
    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def progress_bar(unit: str) -> Iterator[Callable[[int, int], None]]:
    """Yields what is told how many are done, of how many; draws on stderr, and only where a person looks."""
    with tqdm(unit=unit, disable=None, leave=False) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show
