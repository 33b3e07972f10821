"""What long commands share: a bar on a terminal, and an end that loses nothing when they are told to stop."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, current_thread, main_thread
from types import FrameType

from tqdm import tqdm

SIGNALS = (signal.SIGINT, signal.SIGTERM)


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
