"""Measures how long the costs of half a year take, from daily sums and without them.

    python -m benchmarks.costs --database postgresql://postgres@127.0.0.1:5432 --rows 5000000

Creates its own database, fills it with messages as `plans.py` does, sums its days as the poll does, and drops the
database. Fails when an answer from the sums takes longer than MAX_SECONDS, or is another than that from the messages.
SQLite: --database sqlite
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from time import perf_counter
from typing import Any

from benchmarks.plans import arguments, configure, fill

MAX_SECONDS = 0.2
ROUNDS = 9
GROUPINGS = (("provider",), ("provider", "purpose"), ("day",), ("provider", "purpose", "day"))


def timed(act: Callable[[], list[Any]], rounds: int = ROUNDS) -> tuple[float, list[Any]]:
    """The best of some rounds in seconds, as other processes only slow one down, and the answer."""
    times, answer = [], []
    for _round in range(rounds):
        begun = perf_counter()
        answer = act()
        times.append(perf_counter() - begun)
    return min(times), answer


def sum_all() -> int:
    """Sums all days; how many these are."""
    from django_smsverify.statistics.sums import sum_days

    count = 0
    while found := sum(1 for _day in sum_days()):
        count += found
    return count


def measure() -> bool:
    """Prints the seconds of each grouping with the sums and without; whether all is right and fast."""
    from django.db import connection

    from benchmarks.plan_rows import DAYS
    from django_smsverify.models import DailySum, SummedDay
    from django_smsverify.money.costs import costs, today

    begun = perf_counter()
    days = sum_all()
    print(f"{days} days summed in {perf_counter() - begun:.1f} s: {DailySum.objects.count()} rows")
    with connection.cursor() as cursor:
        cursor.execute(f"{'ANALYZE TABLE' if connection.vendor == 'mysql' else 'ANALYZE'} {DailySum._meta.db_table}")
    start, end = today() - timedelta(days=DAYS - 1), today()
    answers = [timed(partial(costs, start, end, by)) for by in GROUPINGS]
    SummedDay.objects.all().delete()
    print(f"{'costs of 180 days by':<24}{'sums, s':>10}{'messages, s':>14}{'rows':>8}")
    is_right = True
    for by, (fast, rows) in zip(GROUPINGS, answers, strict=True):
        slow, same = timed(partial(costs, start, end, by), 1)
        is_right = is_right and same == rows and fast <= MAX_SECONDS
        print(f"{', '.join(by):<24}{fast:>10.3f}{slow:>14.2f}{len(rows):>8}{'' if same == rows else '  DIFFERENT'}")
    return is_right


def run(given: Namespace) -> int:
    from django.db import connection
    from django.test.utils import setup_databases, setup_test_environment, teardown_databases

    from benchmarks.plan_rows import Filling
    from django_smsverify.models import Message

    setup_test_environment(debug=False)
    databases = setup_databases(verbosity=0, interactive=False, keepdb=given.keep, serialized_aliases=[])
    try:
        fill(Filling(connection, given.rows, only=(Message,)))
        return int(not measure())
    finally:
        teardown_databases(databases, verbosity=0, keepdb=given.keep)


if __name__ == "__main__":
    given = arguments()
    configure(given.database, given.name)
    sys.exit(run(given))
