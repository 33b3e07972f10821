"""Threads for calls that may hang: each runs one after another, because to start a thread costs more than a call."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread

IDLE = 60.0
"""Seconds without a call after which a thread ends."""


class Threads:
    """As many threads as there are calls at once; they do not keep the process from ending."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.reset()

    def reset(self) -> None:
        """Forgets the threads, as a forked process must: it has none of its parent's."""
        self._jobs: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._idle: deque[None] = deque()
        """One entry for each free thread; a semaphore is the same, but takes ten times as long."""

    def run(self, job: Callable[[], object]) -> None:
        """Runs a function, which must not raise, in a thread; raises RuntimeError when none can be started."""
        try:
            self._idle.pop()
        except IndexError:
            Thread(target=self._work, name=self._name, daemon=True).start()
        self._jobs.put(job)

    def _work(self) -> None:
        jobs, idle = self._jobs, self._idle
        while True:
            try:
                job = jobs.get(timeout=IDLE)
            except Empty:
                try:
                    idle.pop()
                except IndexError:
                    continue  # a job is on its way to this thread
                return
            job()
            del job  # what it holds must not live until the next one
            idle.append(None)


cache_threads = Threads("smsverify-cache")

if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=cache_threads.reset)
