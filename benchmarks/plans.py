"""Whether an index serves every query: what the database itself plans and reads on each path, over millions of rows.

    python benchmarks/plans.py --database postgresql://postgres@127.0.0.1:5432 --rows 5000000

Creates a database of its own, fills it, goes every path (send, verify, webhook, poll, the lists of the admin) by
the real verbs, has each of their statements explained in the state that it meets, and drops the database. Fails
when a statement reads a big table from end to end, or much of it. SQLite: --database sqlite
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

MOST = 75_000
"""Rows of one table that one statement may read."""
FEWEST = 150_000
"""Below this, reading all of a table is what a good planner does."""


def arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--database", required=True, metavar="URL", help="of a server where one may be created")
    parser.add_argument("--rows", type=int, default=5_000_000, help=f"messages, at least {FEWEST}")
    parser.add_argument("--name", default=f"smsverify_plans_{os.getpid()}", help="of the database")
    parser.add_argument("--keep", action="store_true", help="do not drop it, and use it as it is if it is there")
    given = parser.parse_args()
    if given.rows < FEWEST:
        parser.error(f"--rows must be at least {FEWEST}, not {given.rows}")
    return given


def configure(url: str, name: str) -> None:
    """The settings of the tests, on this database, with vendors that answer at once."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from tests import services

    own = services.database(url)
    settings.DATABASES = {"default": {**own, "NAME": name, "TEST": {**own["TEST"], "NAME": name}}}
    gateways = {kind: f"benchmarks.plan_paths.{kind.title()}Gateway" for kind in ("asked", "fetched")}
    settings.SMSVERIFY = {"GATEWAYS": gateways, "RESEND_INTERVAL": 0, "PHONE_LIMITS": ["1000/d"]}
    django.setup()
    logging.disable(logging.WARNING)


def walk() -> Iterator[tuple[str, list[Statement]]]:
    """Each path with the statements that it took."""
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

    # A table that is smaller than that may well be read from end to end.
    big = {model._meta.db_table for model in BIG if model._default_manager.count() > MOST}
    print(f"{rows:,} messages; watched: {', '.join(sorted(big))}")
    print(f"{'':<60}{'read':>11}{'estimate':>11}{'ms':>9}  plan")
    findings = []
    for name, statements in walk():
        worst = max(statements, key=lambda each: (each.read, each.seconds), default=None)
        if worst is not None:
            ways = "; ".join(map(str, worst.accesses))
            print(f"{name[:59]:<60}{worst.read:>11,}{worst.estimate:>11,}{worst.seconds * 1000:>9.1f}  {ways[:150]}")
        faults = [f"{name}: {fault}\n    {s.sql}\n    {s.plan}" for s in statements for fault in s.faults(big, MOST)]
        if name == CONTROL:
            faults = [] if faults else [f"{CONTROL} was not found: the plans are not read right"]
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
