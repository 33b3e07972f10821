"""Checks that an index serves every query: the plans and reads of the database on each path, over millions of rows.

    python benchmarks/plans.py --database postgresql://postgres@127.0.0.1:5432 --rows 5000000

Creates its own database, fills it, runs every path (send, verify, webhook, poll, the lists of the admin) by the
public functions, explains each statement just before it runs, and drops the database. Fails when a statement reads
all or much of a big table. SQLite: --database sqlite
"""

from __future__ import annotations

import logging
import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import django
from django.conf import settings

if TYPE_CHECKING:
    from benchmarks.plan_reader import Statement

MAX_ROWS_READ = 75_000
"""The most rows of one table that one statement may read."""
MIN_ROWS = 150_000
"""With fewer rows a good planner may read a whole table."""


def arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--database", required=True, metavar="URL", help="of a server where one may be created")
    parser.add_argument("--rows", type=int, default=5_000_000, help=f"messages, at least {MIN_ROWS}")
    parser.add_argument("--name", default=f"smsverify_plans_{os.getpid()}", help="of the database")
    parser.add_argument("--keep", action="store_true", help="do not drop it, and use it as it is if it is there")
    given = parser.parse_args()
    if given.rows < MIN_ROWS:
        parser.error(f"--rows must be at least {MIN_ROWS}, not {given.rows}")
    return given


def configure(url: str, name: str) -> None:
    """Uses the settings of the tests on this database, with vendors that answer at once."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from tests import services

    database = services.database(url)
    settings.DATABASES = {"default": {**database, "NAME": name, "TEST": {**database["TEST"], "NAME": name}}}
    gateways = {kind: f"benchmarks.plan_paths.{kind.title()}Gateway" for kind in ("asked", "fetched")}
    settings.SMSVERIFY = {"GATEWAYS": gateways, "RESEND_INTERVAL": 0, "PHONE_LIMITS": ["1000/d"]}
    django.setup()
    logging.disable(logging.WARNING)


def run_paths() -> Iterator[tuple[str, list[Statement]]]:
    """Runs each path, and yields its name and its statements."""
    from django.db import connection

    from benchmarks.plan_paths import paths
    from benchmarks.plan_reader import Watch

    for name, path in paths():
        watch = Watch(connection)
        with connection.execute_wrapper(watch), redirect_stdout(StringIO()):
            path()
        yield name, list(watch.seen.values())


def judge(rows: int) -> list[str]:
    """Prints each path with its worst statement, and returns the findings."""
    from benchmarks.plan_paths import CONTROL
    from benchmarks.plan_rows import BIG

    # A smaller table may be read as a whole.
    big = {model._meta.db_table for model in BIG if model._default_manager.count() > MAX_ROWS_READ}
    print(f"{rows:,} messages; watched: {', '.join(sorted(big))}")
    print(f"{'':<60}{'read':>11}{'estimate':>11}{'ms':>9}  plan")
    findings = []
    for name, statements in run_paths():
        worst = max(statements, key=lambda each: (each.read, each.seconds), default=None)
        if worst is not None:
            ways = "; ".join(map(str, worst.accesses))
            print(f"{name[:59]:<60}{worst.read:>11,}{worst.estimate:>11,}{worst.seconds * 1000:>9.1f}  {ways[:150]}")
        faults = [
            f"{name}: {fault}\n    {s.sql}\n    {s.plan}" for s in statements for fault in s.faults(big, MAX_ROWS_READ)
        ]
        if name == CONTROL:
            faults = [] if faults else [f"{CONTROL} was not found: the plans are not read correctly"]
        findings += faults
    return findings


def run(given: Namespace) -> int:
    from django.db import connection
    from django.test.utils import setup_databases, setup_test_environment, teardown_databases

    from benchmarks.plan_rows import Filling

    setup_test_environment(debug=False)
    databases = setup_databases(verbosity=0, interactive=False, keepdb=given.keep, serialized_aliases=[])
    try:
        fill(Filling(connection, given.rows))
        findings = judge(given.rows)
    finally:
        teardown_databases(databases, verbosity=0, keepdb=given.keep)
    print("\n".join(["", *findings, f"{len(findings)} findings"]))
    return int(bool(findings))


def fill(filling: Any) -> None:
    from django_smsverify.models import Message

    begun = perf_counter()
    if not Message.objects.exists():
        filling.run(lambda table: print(f"{perf_counter() - begun:8.1f} s  filling {table}", flush=True))
        print(f"{perf_counter() - begun:8.1f} s  filled and analyzed", flush=True)


if __name__ == "__main__":
    given = arguments()
    configure(given.database, given.name)
    sys.exit(run(given))
