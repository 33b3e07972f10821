"""Shared by the commands: output for any console encoding, a progress bar, and a safe stop on a signal."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, current_thread, main_thread
from types import FrameType
from typing import Any, TextIO

from django.core.management.base import BaseCommand, OutputWrapper

from django_smsverify.characters import as_shown

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class TerminalOutput(OutputWrapper):
    """Writes characters that the stream cannot encode as escapes."""

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
    """A command whose output never fails on a console's encoding, whatever the names and texts of a site contain.

    Standard error already escapes such characters.
    """

    def execute(self, *args: Any, **options: Any) -> str | None:
        self.stdout = TerminalOutput(options.get("stdout") or sys.stdout)
        return super().execute(*args, **{**options, "stdout": None})


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Yields a function: whether SIGTERM or Ctrl-C was received. The current step is completed first."""
    asked = Event()

    def stop(number: int, frame: FrameType | None) -> None:
        asked.set()

    if current_thread() is not main_thread():  # a scheduler's thread, which gets no signals
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
    """Yields a function that takes the done and the total count; shows them on stderr if it is a terminal.

    As a bar of tqdm, or, where that is not installed, as a line for each tenth.
    """
    try:
        from tqdm import tqdm
    except ImportError:
        yield _progress_lines(unit)
        return
    with tqdm(unit=unit, disable=None, leave=False) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


def _progress_lines(unit: str) -> Callable[[int, int], None]:
    shown = 0

    def show(done: int, total: int) -> None:
        nonlocal shown
        tenth = 10 * done // max(total, 1)
        if tenth > shown and sys.stderr.isatty():
            shown = tenth
            sys.stderr.write(f"{done} of {total} {unit}s\n")

    return show
