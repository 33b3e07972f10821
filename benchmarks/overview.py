"""Measures the pages that operators look at first over one month of messages, and over ten times as many.

    python -m benchmarks.overview --database postgresql://postgres@127.0.0.1:5432 --rows 5000000

Fills a database of its own with a tenth of the messages and one with all, lets the poll sum them, and drops both. A
process for each gets every page in turn, so that what else the machine does slows both. Prints the best time of each
page, its statements, and how much longer it takes over all. Fails when that is more than MAX_RATIO, when a page takes
more than MAX_STATEMENTS, or when a statement reads all or much of a big table.
"""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from time import perf_counter
from typing import Any

from benchmarks.plans import MAX_ROWS_READ, arguments, configure, fill

MAX_RATIO, MAX_STATEMENTS = 1.3, 12
DAYS, ROUNDS = 30, 30
LISTS = ("message", "verification", "refusal", "provider")
PART = "--part"


def pages() -> dict[str, str]:
    """The address of each page by its name."""
    from django.urls import reverse

    overview = reverse("admin:smsverify_overview")
    found = {f"overview, {window}": f"{overview}?time={window}" for window in ("hour", "day", "week", "month")}
    found["scorecard"] = reverse("admin:smsverify_scorecard")
    found["index"] = reverse("admin:app_list", args=["smsverify"])
    return found | {f"list of {name}s": reverse(f"admin:smsverify_{name}_changelist") for name in LISTS}


@contextmanager
def filled(given: Namespace) -> Iterator[None]:
    """A database with so many messages, which are summed."""
    from django.db import connection
    from django.test.utils import setup_databases, setup_test_environment, teardown_databases

    from benchmarks import plan_rows
    from benchmarks.costs import sum_all
    from django_smsverify.models import DailySum, DeliveryReport, Message, Recipient, Verification

    plan_rows.DAYS = DAYS
    setup_test_environment(debug=False)
    databases = setup_databases(verbosity=0, interactive=False, keepdb=given.keep, serialized_aliases=[])
    try:
        fill(plan_rows.Filling(connection, given.rows, only=(Recipient, Verification, Message, DeliveryReport)))
        sum_all()
        with connection.cursor() as cursor:
            analyze = "ANALYZE TABLE" if connection.vendor == "mysql" else "ANALYZE"
            cursor.execute(f"{analyze} {DailySum._meta.db_table}")
        yield
    finally:
        teardown_databases(databases, verbosity=0, keepdb=given.keep)


def look(client: Any, url: str) -> dict[str, Any]:
    """How many statements a page takes, and which of them read all or much of a big table."""
    from django.db import connection

    from benchmarks.plan_reader import Watch
    from benchmarks.plan_rows import BIG

    big = {model._meta.db_table for model in BIG}
    watch, count = Watch(connection), [0]

    def counted(execute: Any, *arguments: Any) -> Any:
        count[0] += 1
        return execute(*arguments)

    with connection.execute_wrapper(counted), connection.execute_wrapper(watch):
        client.get(url)
    found = [str(fault) for one in watch.seen.values() for fault in one.faults(big, MAX_ROWS_READ)]
    return {"statements": count[0], "faults": found}


def serve(given: Namespace) -> None:
    """Tells what each page takes, then how many milliseconds the page took whose name comes on standard input."""
    from django.contrib.auth.models import User
    from django.test import Client

    with ExitStack() as stack:
        with redirect_stdout(sys.stderr):
            stack.enter_context(filled(given))
        client, urls = Client(), pages()
        client.force_login(User.objects.get_or_create(username="operator", is_staff=True, is_superuser=True)[0])
        print(json.dumps({name: look(client, url) for name, url in urls.items()}), flush=True)
        for line in sys.stdin:
            begun = perf_counter()
            client.get(urls[line.strip()])
            print((perf_counter() - begun) * 1000, flush=True)


class Part:
    """A process over so many messages."""

    def __init__(self, given: Namespace, rows: int) -> None:
        own = ["--database", given.database, "--rows", str(rows), "--name", f"{given.name}_{rows}"]
        command = [sys.executable, "-m", "benchmarks.overview", PART, *own, *(["--keep"] if given.keep else [])]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)  # noqa: S603
        self.pages: dict[str, dict[str, Any]] = json.loads(self._read())

    def _read(self) -> str:
        return next(iter(self._process.stdout or ()))

    def get(self, name: str) -> float:
        """The milliseconds of one look at a page."""
        print(name, file=self._process.stdin, flush=True)
        return float(self._read())

    def end(self) -> None:
        """Has it drop its database."""
        self._process.communicate()


def run(given: Namespace) -> int:
    few, many = Part(given, given.rows // 10), Part(given, given.rows)
    print(f"{given.rows:,} messages of {DAYS} days beside a tenth of them")
    print(f"{'page':<24}{'few, ms':>10}{'many, ms':>10}{'ratio':>8}{'statements':>12}")
    is_right = True
    for name, own in many.pages.items():
        times = [(few.get(name), many.get(name)) for _round in range(ROUNDS)]
        least, most = (min(one[place] for one in times) for place in (0, 1))
        is_good = most / least <= MAX_RATIO and own["statements"] <= MAX_STATEMENTS and not own["faults"]
        is_right = is_right and is_good
        print(f"{name:<24}{least:>10.1f}{most:>10.1f}{most / least:>8.2f}{own['statements']:>12}")
        for fault in own["faults"]:
            print(f"    {fault}")
    few.end()
    many.end()
    return int(not is_right)


if __name__ == "__main__":
    is_part = PART in sys.argv
    sys.argv = [word for word in sys.argv if word != PART]
    given = arguments()
    if is_part:
        configure(given.database, given.name)
        serve(given)
    else:
        sys.exit(run(given))
