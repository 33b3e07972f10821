"""Reads the plan of a statement from the database, and finds what is too slow on a big table."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

EXPLAIN = {
    "postgresql": ("EXPLAIN (ANALYZE, FORMAT JSON) ", "EXPLAIN (FORMAT JSON) "),
    "mysql": ("ANALYZE FORMAT=JSON ", "EXPLAIN FORMAT=JSON "),
    "sqlite": ("EXPLAIN QUERY PLAN ", "EXPLAIN QUERY PLAN "),
}
"""The prefix of a SELECT, which is run to count what it reads, and of an UPDATE or DELETE, which is not run."""
ALIAS = re.compile(r"""["`]?(smsverify_\w+)["`]?\s+(?:AS\s+)?["`]?([A-Z]\d+)["`]?""")


@dataclass(frozen=True, slots=True)
class Access:
    """One access to a table; `read` is counted for a SELECT, estimated for others, and -1 if the plan has no number."""

    table: str
    how: str
    estimate: int
    read: int
    whole: bool
    """Whether the whole table is read, and no LIMIT stops that."""

    def __str__(self) -> str:
        return f"{self.table.removeprefix('smsverify_')}: {self.how}"


@dataclass(frozen=True, slots=True)
class Statement:
    sql: str
    accesses: tuple[Access, ...]
    seconds: float
    plan: str = field(repr=False)

    @property
    def read(self) -> int:
        return max((access.read for access in self.accesses), default=0)

    @property
    def estimate(self) -> int:
        return max((access.estimate for access in self.accesses), default=0)

    def faults(self, big: Collection[str], most: int) -> list[str]:
        """The accesses that read a whole big table, or more than `most` rows of it."""
        found = [access for access in self.accesses if access.table in big]
        return [f"{access} ({access.read:,} rows read)" for access in found if access.whole or access.read > most]


class Watch:
    """An execute wrapper that explains each statement just before it is run."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection
        self.seen: dict[str, Statement] = {}
        """The worst run of each statement."""

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        plan = self._plan(sql, params) if re.match(r"SELECT|UPDATE|DELETE", sql) and "smsverify_" in sql else None
        begun = perf_counter()
        result = execute(sql, params, many, context)
        if plan is not None:
            accesses = tuple(accesses_of(self.connection.vendor, plan, sql))
            statement = Statement(sql, accesses, perf_counter() - begun, json.dumps(plan, default=str))
            self.seen[sql] = max(statement, self.seen.get(sql, statement), key=lambda each: (each.read, each.seconds))
        return result

    def _plan(self, sql: str, params: Any) -> Any:
        prefix = EXPLAIN[self.connection.vendor][not sql.startswith("SELECT")]
        with closing(self.connection.create_cursor()) as cursor:
            cursor.execute(prefix + sql, params)
            rows = cursor.fetchall()
        if self.connection.vendor == "sqlite":
            return [row[3] for row in rows]
        return json.loads(rows[0][0]) if isinstance(rows[0][0], str) else rows[0][0]


def accesses_of(vendor: str, plan: Any, sql: str) -> Iterator[Access]:
    names = {alias: table for table, alias in ALIAS.findall(sql)}
    if vendor == "sqlite":
        return _sqlite(plan, names, bounded=" LIMIT " in sql)
    return (_postgresql if vendor == "postgresql" else _mariadb)(plan, names)


def _nodes(plan: Any) -> Iterator[Mapping[str, Any]]:
    """Every object of a plan, at every depth."""
    if isinstance(plan, list):
        for part in plan:
            yield from _nodes(part)
    elif isinstance(plan, dict):
        yield plan
        yield from _nodes(list(plan.values()))


def _postgresql(plan: Any, names: Mapping[str, str]) -> Iterator[Access]:
    for node in _nodes(plan):
        kind = node.get("Node Type", "")
        if not kind.endswith("Scan") or "Relation Name" not in node:
            continue
        removed = sum(node.get(f"Rows Removed by {step}", 0) for step in ("Filter", "Index Recheck"))
        read = (node["Actual Rows"] + removed) * node["Actual Loops"] if "Actual Rows" in node else node["Plan Rows"]
        how = " ".join(filter(None, [kind, node.get("Index Name")]))
        yield Access(node["Relation Name"], how, node["Plan Rows"], int(read), kind == "Seq Scan")


def _mariadb(plan: Any, names: Mapping[str, str]) -> Iterator[Access]:
    for node in _nodes(plan):
        if "table_name" not in node:
            continue
        kind, estimate = node.get("access_type", ""), int(node.get("rows", 0))
        read = node.get("r_rows", estimate) or 0
        how = " ".join(filter(None, [kind, node.get("key")]))
        table = names.get(node["table_name"], node["table_name"])
        yield Access(table, how, estimate, int(read * node.get("r_loops", 1)), kind == "ALL")


def _sqlite(plan: Any, names: Mapping[str, str], *, bounded: bool) -> Iterator[Access]:
    for line in plan:
        kind, _, rest = line.partition(" ")
        if kind in {"SCAN", "SEARCH"}:
            name, _, index = rest.partition(" ")
            whole = kind == "SCAN" and not (bounded and "USING" in index)
            yield Access(names.get(name, name), f"{kind} {index}".strip(), -1, -1, whole)
