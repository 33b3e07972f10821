"""Processes that run at the same time and share only a database and a cache."""

from __future__ import annotations

import multiprocessing
from collections import Counter, deque
from collections.abc import Callable, Sequence
from itertools import cycle
from types import TracebackType
from typing import Any, Self

from django.db import connection

from .worker import PROCESSES, TIMEOUT, Act, Outcome, Settings, set_up, work

SPAWN = multiprocessing.get_context("spawn")


class WorkerPool:
    """A pool of processes. A process runs functions of a module that it can import.

    With several settings, such as before and after a deploy, the processes get them in turn.
    """

    def __init__(self, *site_settings: Settings) -> None:
        self._start = SPAWN.Barrier(PROCESSES)  # kept here, or it would be deleted before a process has it
        pipes = [SPAWN.Pipe() for _ in range(PROCESSES)]
        self._pipes = [near for near, _ in pipes]
        self._processes = [
            SPAWN.Process(target=work, args=(own, far, self._start), daemon=True)
            for own, (_, far) in zip(cycle(site_settings), pipes, strict=False)
        ]
        for process, (_, far) in zip(self._processes, pipes, strict=True):
            process.start()
            far.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(TIMEOUT if error is None else 0)
            process.kill()
            process.join()

    def run_at_once(self, act: Act, requests: Sequence[Sequence[Any]]) -> list[Outcome]:
        """Calls `act` with the arguments of each request, divided evenly; all threads start together."""
        return self._run(act, [deque(requests[index::PROCESSES]) for index in range(PROCESSES)])

    def call(self, act: Act, *arguments: Any, process: int = 0) -> Any:
        """Returns the result of one call in one of the processes."""
        (outcome,) = self._run(act, [deque([arguments] if index == process else []) for index in range(PROCESSES)])
        assert outcome.code == "done", outcome.code
        return outcome.value

    def _run(self, act: Act, requests: Sequence[deque[Sequence[Any]]]) -> list[Outcome]:
        for pipe, own in zip(self._pipes, requests, strict=True):
            pipe.send((act, own))
        return [outcome for pipe in self._pipes for outcome in pipe.recv()]


def count_codes(outcomes: Sequence[Outcome]) -> Counter[str]:
    return Counter(outcome.code for outcome in outcomes)


def in_own_process(act: Callable[[Settings], None], site_settings: Settings) -> bool:
    """Runs a function in a new process; returns whether it succeeded."""
    process = SPAWN.Process(target=act, args=(site_settings,), daemon=True)
    process.start()
    process.join(TIMEOUT)
    process.kill()
    process.join()
    return process.exitcode == 0


def create_database(site_settings: Settings) -> None:
    set_up(site_settings)
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)


def drop_database(site_settings: Settings) -> None:
    set_up(site_settings)
    connection.creation.destroy_test_db(site_settings["DATABASES"]["default"]["NAME"], verbosity=0)
