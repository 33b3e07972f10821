"""Many calls at once, but no faster than a vendor likes: a pace, and threads that keep it."""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import Queue
from threading import Lock, Thread
from types import TracebackType
from typing import Generic, Self, TypeVar

from django.db import connections

T = TypeVar("T")

LONGEST_PAUSE = 5.0
"""Seconds between two calls, however often the vendor asks for a slower pace."""


class Pace:
    """So many calls per second at most, at even intervals, over all threads of this process that share it."""

    def __init__(
        self, rate: float, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._pause, self._clock, self._sleep = 1 / rate, clock, sleep
        self._next = clock()
        self._lock = Lock()

    def wait(self) -> None:
        """Returns when it is this caller's turn."""
        with self._lock:
            now = self._clock()
            turn = max(self._next, now)
            self._next = turn + self._pause
        if turn > now:
            self._sleep(turn - now)

    def halve(self) -> None:
        with self._lock:
            self._pause = min(2 * self._pause, LONGEST_PAUSE)


class WorkerPool(Generic[T]):
    """Threads that do one piece of work after the other, each with database connections of its own.

    When one piece fails the others are left undone, and the error is raised where the crew is used.
    """

    def __init__(self, size: int, work: Callable[[T], object]) -> None:
        self._work = work
        # No longer than the crew: what waits here is not stopped any more.
        self._orders: Queue[T | None] = Queue(size)
        self._threads = [Thread(target=self._run, daemon=True) for _ in range(size)]
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _ in self._threads:
            self._orders.put(None)
        for thread in self._threads:
            thread.join()
        if error is None and self._failure is not None:
            raise self._failure

    def submit(self, job: T) -> None:
        """Has it done by the next who is free, and waits while there are enough others; raises what has failed."""
        if self._failure is not None:
            raise self._failure
        self._orders.put(job)

    def _run(self) -> None:
        try:
            while (job := self._orders.get()) is not None:
                self._do(job)
        finally:
            connections.close_all()

    def _do(self, job: T) -> None:
        if self._failure is None:
            try:
                self._work(job)
            except BaseException as error:
                self._failure = error
