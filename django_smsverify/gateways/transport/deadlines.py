"""The deadlines of all calls under way, which one thread watches: it would cost more to start one for each call."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from time import monotonic

from django_smsverify.exceptions import describe

logger = logging.getLogger("django_smsverify")

LONGEST_SLEEP = 1.0
"""Seconds after which the thread looks again. A deadline later than that need not wake it."""
IDLE = 60.0
"""Seconds without a call after which the thread ends."""


class Deadlines:
    """Calls functions when their time is over, in a thread that runs while there are any."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets everything, as a forked process must: it has the state of its parent, but not its threads."""
        self._ends: dict[object, tuple[float, Callable[[], None]]] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._wakes_at = 0.0
        self._used_at = 0.0

    def add(self, key: object, end: float, on_end: Callable[[], None]) -> None:
        """Calls `on_end` at `end`, by the clock `monotonic`, unless `remove` is called first.

        Raises RuntimeError when no thread can be started.
        """
        with self._changed:
            if self._thread is None or not self._thread.is_alive():
                self._start()
            self._ends[key] = end, on_end
            if end < self._wakes_at:
                self._changed.notify()

    def remove(self, key: object) -> None:
        """Forgets a function; it may be running at this moment."""
        with self._changed:
            self._ends.pop(key, None)
            self._used_at = monotonic()

    def _start(self) -> None:
        self._used_at = monotonic()
        thread = threading.Thread(target=self._watch, name="django_smsverify deadlines", daemon=True)
        thread.start()
        self._thread = thread

    def _watch(self) -> None:
        while (over := self._wait()) is not None:
            for on_end in over:
                try:
                    on_end()
                except Exception as error:  # it must not end the thread that other calls rely on
                    logger.error("A call could not be ended at its deadline: %s", describe(error))

    def _wait(self) -> list[Callable[[], None]] | None:
        """The functions whose time is over, as soon as there are any; None when there was no call for long."""
        with self._changed:
            while True:
                now = monotonic()
                if over := [key for key, (end, _) in self._ends.items() if end <= now]:
                    return [self._ends.pop(key)[1] for key in over]
                if not self._ends and now - self._used_at > IDLE:
                    self._thread = None
                    return None
                self._wakes_at = min([now + LONGEST_SLEEP, *(end for end, _ in self._ends.values())])
                self._changed.wait(self._wakes_at - now)


deadlines = Deadlines()

if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=deadlines.reset)
