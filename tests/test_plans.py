"""Every query uses an index: benchmarks/plans.py on a small scale, and its finding for a query without an index."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from benchmarks.plan_reader import Statement, Watch, accesses_of
from django_smsverify.models import Message

from .servers import require

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
ROWS = 150_000
MESSAGE = "smsverify_message"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("server", ["PostgreSQL", "MariaDB"])
def test_no_query_scans_a_big_table(server: str) -> None:
    command = [sys.executable, str(ROOT / "benchmarks/plans.py"), "--database", require(server), "--rows", str(ROWS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=580)

    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert done.stdout.endswith("0 findings\n")


def statement_of(**wanted: object) -> Statement:
    watch = Watch(connection)
    with connection.execute_wrapper(watch):
        Message.objects.filter(**wanted).count()
    (statement,) = watch.seen.values()
    return statement


@pytest.mark.django_db
def test_a_query_without_an_index_is_a_finding() -> None:
    assert statement_of(segments=7).faults({MESSAGE}, most=10)
    assert not statement_of(segments=7).faults({"another table"}, most=10)
    assert not statement_of(phone="+8613800138000").faults({MESSAGE}, most=10)


def scan(kind: str, rows: int, removed: int, loops: int = 1) -> object:
    node = {"Node Type": kind, "Relation Name": MESSAGE, "Index Name": "i", "Plan Rows": 1, "Actual Rows": rows}
    return [{"Plan": {"Plans": [{**node, "Rows Removed by Filter": removed, "Actual Loops": loops}]}}]


def table(kind: str, rows: int, loops: int = 1) -> object:
    node = {"table_name": "U0", "access_type": kind, "rows": 1, "r_rows": rows, "r_loops": loops}
    return {"query_block": {"nested_loop": [{"table": node}]}}


@pytest.mark.parametrize(
    ("vendor", "plan", "found"),
    [
        ("postgresql", scan("Seq Scan", 1, 0), True),
        ("postgresql", scan("Index Scan", 1, 9), False),
        ("postgresql", scan("Index Scan", 1, 10), True),
        ("postgresql", scan("Index Only Scan", 2, 2, loops=3), True),
        ("mysql", table("ALL", 1), True),
        ("mysql", table("ref", 10), False),
        ("mysql", table("index", 11), True),
        ("mysql", table("ref", 2, loops=6), True),
        ("sqlite", ["SCAN U0"], True),
        ("sqlite", ["SCAN U0 USING COVERING INDEX i"], True),
        ("sqlite", ["SEARCH U0 USING INDEX i (phone=?)"], False),
        ("sqlite", ["SEARCH other USING INDEX i (phone=?)", "USE TEMP B-TREE FOR ORDER BY"], False),
    ],
)
def test_a_plan_is_read_correctly(vendor: str, plan: object, found: bool) -> None:
    sql = f'SELECT COUNT(*) FROM "{MESSAGE}" U0'
    statement = Statement(sql, tuple(accesses_of(vendor, plan, sql)), 0.0, "")

    assert bool(statement.faults({MESSAGE}, most=10)) is found


def test_a_limit_ends_an_index_scan_but_not_a_table_scan() -> None:
    sql = f"SELECT * FROM `{MESSAGE}` ORDER BY `created_at` LIMIT 50"

    index_scan, table_scan = (
        next(accesses_of("sqlite", [f"SCAN {MESSAGE}{access}"], sql)) for access in (" USING INDEX i", "")
    )

    assert (index_scan.whole, table_scan.whole) == (False, True)
