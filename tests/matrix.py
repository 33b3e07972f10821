"""Runs the suite on every database, isolation level and cache that can be reached, beyond SQLite with LocMem.

With TEST_OTHER_VERSIONS=1, the lower bounds of the dependencies and the newest Python and Django are tried with it.

`make coverage` and `make slow` run the whole suite on SQLite with LocMem. On the others only the tests that use a
database are run, and with Redis only those of counters, locks and races. tests/servers.py has the addresses of the
servers; every test empties a database of Redis, of which each worker of pytest-xdist has its own.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import TextIO

from tests.selection import OF_CHARSETS, OF_NO_DATABASE, WITHOUT_CONCURRENCY
from tests.servers import ASK, WHERE

OPTIONS = ["-q", "-n", "auto", "--dist", "worksteal", "--durations=15"]
KILLS = ["tests/crash"]
"""Much of their time is that of starting processes: they run beside the next ones."""
SERVERS = [
    *(f"tests/{name}" for name in ("admin_browser", "demo", "http_servers", "processes", "queues", "widget")),
    "tests/test_instructions.py",
    "tests/test_plans.py",
    "tests/test_rolling_windows.py",
]
OWN_SERVICES = [*KILLS, *SERVERS]
"""Tests that choose their databases, caches, brokers, web servers and browser themselves; they are run once."""
CACHE_TESTS = [
    f"tests/test_{name}.py"
    for name in (
        "services",
        "limits",
        "floods",
        "races",
        "http",
        "journey",
        "leaks",
        "refusals",
        "tickets",
        "captchas",
        "client_keys",
    )
]


@dataclass(frozen=True)
class Combination:
    database: str
    isolation: str
    cache: str

    def __str__(self) -> str:
        return f"{self.database:<15} {self.isolation:<16} {self.cache:<7}"

    def needs(self) -> set[str]:
        """The servers that must be reachable."""
        return {self.database.partition(" ")[0], self.cache}

    def where(self) -> str:
        server, _, charset = self.database.partition(" ")
        url = WHERE.get(server, "")
        return f"{url}{'&' if '?' in url else '?'}charset={charset}" if charset else url

    def versions(self) -> str:
        """The environment of tox that runs it; without one, that of this process does."""
        return OTHER_VERSIONS.get(self, "") if os.environ.get("TEST_OTHER_VERSIONS") == "1" else ""

    def command(self) -> list[str]:
        own = ["tox", "run", "-e", self.versions(), "--"] if self.versions() else ["pytest"]
        return [sys.executable, "-m", *own, *OPTIONS, *self.selection()]

    def selection(self) -> list[str]:
        if self.cache == "Redis":
            return CACHE_TESTS if self.database == "SQLite" else ["-m", "concurrent", *CACHE_TESTS]
        ignored = [*OWN_SERVICES, *([] if self.versions() else OF_NO_DATABASE), *REPEATED.get(self, [])]
        return ["-m", self.cases(), *(f"--ignore={path}" for path in ignored)]

    def cases(self) -> str:
        """Scale and further cases say something new of a database only where transactions meet, further cases on the
        first combination alone. MariaDB runs all about characters."""
        if self in REPEATED:
            kinds = ["not further_case"]
        else:
            kinds = ["not slow", "concurrent" if self == COMBINATIONS[0] else "concurrent and not further_case"]
        kinds += ["charset"] if self.database.startswith("MariaDB") else []
        return " or ".join(f"({kind})" for kind in kinds)

    def environment(self) -> dict[str, str]:
        """Sets only the values that are not the default."""
        values = {"DATABASE": self.where(), "ISOLATION": self.isolation, "CACHE": WHERE.get(self.cache)}
        values["QUICK_ONES"] = "1" if self.versions() else None
        return default_environment() | {f"TEST_{name}": value for name, value in values.items() if value}


@dataclass(frozen=True)
class OwnServices:
    """Tests that choose their services themselves."""

    name: str
    paths: list[str]

    def __str__(self) -> str:
        return f"{self.name:<40}"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "pytest", "-q", "--durations=15", *self.paths]

    def environment(self) -> dict[str, str]:
        return default_environment()


def default_environment() -> dict[str, str]:
    """The environment of a run on the defaults."""
    chosen = {"TEST_DATABASE", "TEST_ISOLATION", "TEST_CACHE"}
    return {name: value for name, value in os.environ.items() if name not in chosen}


DATABASES = [
    ("SQLite", ""),
    ("PostgreSQL", "read committed"),
    ("PostgreSQL", "repeatable read"),
    ("MariaDB", "read committed"),
    ("MariaDB utf8mb3", "repeatable read"),  # the charset does not depend on the isolation level
]
REPEATED = {
    Combination("PostgreSQL", "repeatable read", "LocMem"): WITHOUT_CONCURRENCY,
    Combination("MariaDB utf8mb3", "repeatable read", "LocMem"): [
        path for path in WITHOUT_CONCURRENCY if path not in OF_CHARSETS
    ],
}
"""What a combination does not run again, as another one has the same server."""
OTHER_VERSIONS = {
    Combination("PostgreSQL", "read committed", "LocMem"): "py313-django61",
    Combination("MariaDB", "read committed", "LocMem"): "lowest",
}
"""Where these are to be tried, too, another database and other versions share a run, which has the quick tests of no
database as well. A fault that only one pair of them has is not looked for."""
COMBINATIONS = [
    *(Combination(*database, "LocMem") for database in DATABASES[1:]),
    *(Combination(*database, "Redis") for database in (DATABASES[0], DATABASES[2], DATABASES[3])),
]


def unreachable() -> Iterator[str]:
    """The servers that cannot be used; prints the reason for each."""
    for name, (ask, _) in ASK.items():
        try:
            ask(WHERE[name])
        except Exception as error:
            print(f"Without {name} (TEST_{name.upper()} sets its address): {error!r}")
            yield name


def run(combination: Combination | OwnServices, *, output: TextIO = sys.stdout) -> tuple[int, str]:
    """The exit status and a line for the summary."""
    print(f"\n== {combination}", file=output, flush=True)
    start, counts = time.monotonic(), "interrupted"
    with subprocess.Popen(
        combination.command(), env=combination.environment(), text=True, stdout=subprocess.PIPE, stderr=output
    ) as process:
        for line in process.stdout or ():
            print(line, end="", file=output, flush=True)
            if found := re.match(r"=* ?(\d+ .*) in [\d.]+s", line):
                counts = found[1]
    return process.returncode, f"{combination} {time.monotonic() - start:5.0f} s  {counts}"


def run_side_by_side(one: OwnServices, other: OwnServices) -> list[tuple[int, str]]:
    """Runs both at the same time; prints the output of the first at once, and then that of the other."""
    with ThreadPoolExecutor(1) as pool, TemporaryFile("w+") as output:
        beside = pool.submit(run, other, output=output)
        results = [run(one), beside.result()]
        output.seek(0)
        print(output.read(), flush=True)
    return results


def main() -> int:
    missing = list(unreachable())
    chosen = [one for one in COMBINATIONS if not one.needs() & set(missing)]
    kills, servers = OwnServices("tests that kill processes", KILLS), OwnServices("tests with servers", SERVERS)
    results = [*(run(one) for one in chosen), *run_side_by_side(servers, kills)]
    skipped = [f"{one}         skipped" for one in COMBINATIONS if one not in chosen]
    print("", *(line for _, line in results), *skipped, sep="\n")
    required = bool(missing) and os.environ.get("REQUIRE_SERVICES") == "1"
    return int(required or any(status for status, _ in results))


if __name__ == "__main__":
    sys.exit(main())
