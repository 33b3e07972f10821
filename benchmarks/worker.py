"""A worker whose vendor is slow: connections to the database while it waits, CPU of a code, and codes per second.

    python -m benchmarks.worker --configuration postgresql

Threads of one process send queued codes; the same number of threads sends codes inline for comparison. Each closes its
connection after each code, as Celery does. The server must accept as many connections as there are threads.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from .configurations import Configuration, reachable
from .environments import ROOT
from .installing import site
from .sites import Place, database
from .vendor import running_vendor, set_delay, waiting

Figures = dict[str, float]
WAYS = ("inline", "queue")
COLUMNS = ("per_second", "cpu_ms", "waiting", "connections", "peak")


def arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--configuration", action="append", help="the first word; may be repeated; all servers")
    parser.add_argument("--way", action="append", choices=WAYS, help="may be repeated; both")
    parser.add_argument("--codes", type=int, default=1000, help="of each worker")
    parser.add_argument("--threads", type=int, default=50, help="of each worker")
    parser.add_argument("--rounds", type=int, default=3, help="of each way, in turns")
    parser.add_argument("--delay", type=float, default=0.5, help="seconds that the vendor takes")
    return parser.parse_args()


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen at one moment."""

    waiting: int
    """Calls that the vendor has not answered."""
    connections: int


@contextmanager
def connections_to(configuration: Configuration, name: str) -> Iterator[Callable[[], int]]:
    """A function that counts the connections of others to a database."""
    url = urlsplit(configuration.database)
    if url.scheme == "postgresql":
        import psycopg

        with psycopg.connect(configuration.database, dbname="postgres", autocommit=True) as own:
            query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
            yield lambda: int(own.execute(query, [name]).fetchall()[0][0])
    else:
        import pymysql

        options = {"user": url.username or "", **dict(parse_qsl(url.query))}
        with pymysql.connect(host=url.hostname, port=url.port or 3306, **options) as own, own.cursor() as cursor:

            def count() -> int:
                cursor.execute("SELECT count(*) FROM information_schema.processlist WHERE db = %s", [name])
                return int(cursor.fetchall()[0][0])

            yield count


def measure(place: Place, way: str, given: Namespace, first: int, count: Callable[[], int]) -> Figures:
    """Runs one worker and watches it."""
    options = [f"--codes={given.codes}", f"--threads={given.threads}", f"--first={first}"]
    command = [sys.executable, "-m", "benchmarks.working", way, *options, *place.arguments()]
    set_delay(place.vendor, given.delay)
    samples = []
    with subprocess.Popen(  # noqa: S603 - this interpreter
        command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as worker:
        assert worker.stdin is not None  # noqa: S101 - a pipe
        assert worker.stdout is not None  # noqa: S101 - a pipe
        worker.stdout.readline()
        worker.stdin.write("begin\n")
        worker.stdin.flush()
        while worker.poll() is None:
            samples.append(Sample(waiting(place.vendor), count()))
            time.sleep(0.05)
        found: Figures = json.loads(worker.stdout.readline())
    most = max(samples, key=lambda sample: sample.waiting)
    peak = max(sample.connections for sample in samples)
    return {**found, "waiting": most.waiting, "connections": most.connections, "peak": peak}


def contest(configuration: Configuration, given: Namespace) -> dict[str, Figures]:
    """The medians of each way; the ways take turns."""
    rounds: dict[str, list[Figures]] = {way: [] for way in given.way or WAYS}
    with ExitStack() as stack:
        vendor = stack.enter_context(running_vendor())
        place = stack.enter_context(site("ours", configuration, vendor))
        count = stack.enter_context(connections_to(configuration, database(place)["NAME"]))
        firsts = itertools.count(step=given.codes + given.threads)
        for _ in range(given.rounds):
            for way in rounds:
                rounds[way].append(measure(place, way, given, next(firsts), count))
    return {way: {name: median(one[name] for one in own) for name in COLUMNS} for way, own in rounds.items()}


def table(found: dict[str, Figures]) -> Iterator[str]:
    yield f"{'':<10}{'codes/s':>10}{'CPU ms':>10}{'calls waiting':>16}{'connections then':>18}{'at most':>10}"
    for way, own in found.items():
        cells = f"{own['per_second']:>10.1f}{own['cpu_ms']:>10.1f}{own['waiting']:>16.0f}"
        yield f"{way:<10}{cells}{own['connections']:>18.0f}{own['peak']:>10.0f}"
    if len(found) > 1:
        yield f"queue : inline {found['queue']['per_second'] / found['inline']['per_second']:.2f}"


def main(given: Any) -> None:
    wanted = [name.lower() for name in given.configuration or ()]
    for one in reachable():
        if one.database != "sqlite" and (not wanted or one.first_word in wanted):
            print(f"\n{one.name}", *table(contest(one, given)), sep="\n", flush=True)


if __name__ == "__main__":
    main(arguments())
