"""Processes that act at one moment, with nothing in common but a database and a cache."""

from __future__ import annotations

import multiprocessing
from collections import Counter, deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from django.db import connection

from .worker import PATIENCE, PROCESSES, Act, Outcome, Settings, set_up, work

SPAWN = multiprocessing.get_context("spawn")


class Crew:
    """The processes, from outside. What they are told to do is a function of a module that they can import."""

    def __init__(self, own: Settings) -> None:
        self._start = SPAWN.Barrier(PROCESSES)  # kept, or it would be gone before a process has it
        pipes = [SPAWN.Pipe() for _ in range(PROCESSES)]
        self._pipes = [near for near, _ in pipes]
        self._processes = [SPAWN.Process(target=work, args=(own, far, self._start), daemon=True) for _, far in pipes]
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
            process.join(PATIENCE if error is None else 0)
            process.kill()
            process.join()

    def at_once(self, act: Act, requests: Sequence[Sequence[Any]]) -> list[Outcome]:
        """Calls `act` with the arguments of each request, shared out evenly; the threads of all start together."""
        for index, pipe in enumerate(self._pipes):
            pipe.send((act, deque(requests[index::PROCESSES])))
        return [outcome for pipe in self._pipes for outcome in pipe.recv()]

    def ask(self, act: Act, *arguments: Any) -> Any:
        """What one call in one of the processes returns."""
        (outcome,) = self.at_once(act, [arguments])
        assert outcome.word == "done", outcome.word
        return outcome.value


def words(outcomes: Sequence[Outcome]) -> Counter[str]:
    return Counter(outcome.word for outcome in outcomes)


def alone(act: Callable[[Settings], None], own: Settings) -> bool:
    """Runs something in a process of its own; whether it succeeded."""
    process = SPAWN.Process(target=act, args=(own,), daemon=True)
    process.start()
    process.join(PATIENCE)
    process.kill()
    process.join()
    return process.exitcode == 0


def create_database(own: Settings) -> None:
    set_up(own)
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)


def drop_database(own: Settings) -> None:
    set_up(own)
    connection.creation.destroy_test_db(own["DATABASES"]["default"]["NAME"], verbosity=0)
