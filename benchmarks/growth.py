"""What a call costs over millions of rows, in proportion to what it costs over none.

    python -m benchmarks.growth --rows 5000000

Two sites on one server, one with half a year of rows, take turns, round by round. A call's cost is the time of the
processor in Python and the time in the database.
"""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from statistics import median
from typing import Any

from .configurations import Configuration, reachable
from .environments import ROOT
from .growing import ACTIONS, BUSY, Sample
from .installing import site
from .sites import Place
from .vendor import running_vendor

CALLS = 30
"""In a round."""


def arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000, help="messages, at least 150,000")
    parser.add_argument("--configuration", default="postgresql", help="the first word: postgresql or mariadb")
    parser.add_argument("--rounds", type=int, default=12, help="of each action on each site")
    return parser.parse_args()


class Served:
    """A site in a process of its own."""

    def __init__(self, place: Place, stack: ExitStack) -> None:
        self._process = stack.enter_context(
            subprocess.Popen(  # noqa: S603 - this interpreter
                command(place, "serve"), cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        )
        stack.callback(self._process.terminate)

    def samples(self, action: str, calls: int) -> list[Sample]:
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        print(json.dumps([action, calls]), file=self._process.stdin, flush=True)
        return [tuple(sample) for sample in json.loads(self._process.stdout.readline())]


def command(place: Place, task: str, *more: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.growing", task, *place.arguments(), *more]


def measure(configuration: Configuration, rows: int, rounds: int) -> dict[str, list[list[Sample]]]:
    """The samples of each action, of the empty site and of the full one."""
    with ExitStack() as stack:
        vendor = stack.enter_context(running_vendor())
        empty, full = (
            stack.enter_context(site("ours", replace(configuration, name=f"{size} {configuration.name}"), vendor))
            for size in ("Empty", "Full")
        )
        for place, its_rows in ((empty, 0), (full, rows)):
            subprocess.run(command(place, "fill", f"--rows={its_rows}"), check=True, cwd=ROOT)  # noqa: S603
        sites = [Served(place, stack) for place in (empty, full)]
        samples: dict[str, list[list[Sample]]] = {}
        for action in ACTIONS:
            samples[action] = [[], []]
            # A busy number gets no second SMS within a minute.
            warm_up, counted = (0, 1) if action == BUSY else (1, rounds)
            for number in range(warm_up + counted):
                for own, served in zip(samples[action], sites, strict=True):
                    found = served.samples(action, CALLS)
                    own.extend(found if number >= warm_up else [])
        return samples


def table(samples: dict[str, list[list[Sample]]]) -> Iterator[str]:
    """Medians in milliseconds: Python and database, of the empty site and of the full one."""
    yield f"{'ms':<24}{'empty: Python':>15}{'database':>10}{'full: Python':>15}{'database':>10}{'full : empty':>14}"
    for action, both in samples.items():
        empty, full = map(_medians, both)
        cells = "".join(f"{python:15.2f}{database:10.2f}" for python, database in (empty, full))
        yield f"{action:<24}{cells}{sum(full) / sum(empty):14.2f}"


def _medians(samples: Sequence[Sample]) -> tuple[float, float]:
    python, database = zip(*samples, strict=True)
    return median(python) * 1000, median(database) * 1000


def main(given: Any) -> int:
    found = [one for one in reachable() if one.first_word == given.configuration.lower()]
    if not found:
        print(f"There is no {given.configuration} here.")
        return 1
    print(*table(measure(found[0], given.rows, given.rounds)), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(arguments()))
