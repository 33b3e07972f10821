"""Threads that send later, of which a test does not leave one behind: it would use the database of the next."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from django_smsverify.sending import later


class JoinedThreads(ThreadPoolExecutor):
    """Remembers what was given to its threads."""

    def __init__(self) -> None:
        super().__init__(later.THREADS)
        self._futures: deque[Future[Any]] = deque()

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        self._futures.append(super().submit(*args, **kwargs))
        return self._futures[-1]

    def join(self) -> None:
        """Waits until the threads have done what was given to them."""
        while self._futures:
            assert wait([self._futures.popleft()], 60).done


threads = JoinedThreads()
later._threads = threads
