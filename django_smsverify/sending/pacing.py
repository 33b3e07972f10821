"""Parallel calls at a limited rate: a pace, and threads that keep to it."""

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
"""The longest interval between two calls, in seconds, however often the vendor asks for a slower pace."""


class Pace:
    """Limits calls to `rate` per second, at even intervals, over all threads of this process that share it."""

    def __init__(
        self, rate: float, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._pause, self._clock, self._sleep = 1 / rate, clock, sleep
        self._next = clock()
        self._lock = Lock()

    def wait(self) -> None:
        """Blocks until this caller may make its call."""
        with self._lock:
            now = self._clock()
            turn = max(self._next, now)
            self._next = turn + self._pause
        if turn > now:
            self._sleep(turn - now)

    def halve(self) -> None:
        """Halves the rate; the interval between calls grows to at most LONGEST_PAUSE."""
        with self._lock:
            self._pause = min(2 * self._pause, LONGEST_PAUSE)


class WorkerPool(Generic[T]):
    """Threads that run one job after another, each with its own database connections.

    When a job fails, the remaining jobs are skipped and the error is raised to the user of the pool. An executor of
    concurrent.futures would not tell its threads that they end, when they close their connections.
    """

    def __init__(self, size: int, work: Callable[[T], object]) -> None:
        self._work = work
        # One job waits at most: what is queued here can no longer be stopped, and its caller holds it in memory.
        self._jobs: Queue[T | None] = Queue(1)
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
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        if error is None and self._failure is not None:
            raise self._failure

    def submit(self, job: T) -> None:
        """Queues a job for the next free thread, and blocks while the queue is full; raises the error of a failed
        job."""
        if self._failure is not None:
            raise self._failure
        self._jobs.put(job)

    def _run(self) -> None:
        try:
            while (job := self._jobs.get()) is not None:
                self._run_job(job)
        finally:
            connections.close_all()

    def _run_job(self, job: T) -> None:
        if self._failure is None:
            try:
                self._work(job)
            except BaseException as error:
                self._failure = error
