"""Runs the suite on every database, isolation level and cache that can be reached, beyond SQLite with LocMem.

`make coverage` runs the whole suite on these. Elsewhere only what meets a database is run again, and with Redis only
what counts, locks or races. tests/servers.py says where the servers are; every test empties that database of Redis.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.servers import ASK, WHERE

OWN_SERVICES = [
    *(f"tests/{name}" for name in ("crash", "demo", "http_servers", "processes", "queues")),
    "tests/test_plans.py",
    "tests/test_rolling_windows.py",
]
"""What chooses its databases, caches, brokers, web servers and browser itself is run once."""
READ_ALONE = [
    f"tests/test_{name}.py"
    for name in (
        *("admin", "admin_destinations", "admin_submissions", "admin_masking", "admin_sending", "billing", "checks"),
        *("commands", "costs", "fields", "linting_stored", "lost_keys", "models", "send_file", "webhooks_command"),
    )
]
"""What no other transaction is in the way of is not run again for another isolation level alone."""
MEET_THE_CACHE = [
    f"tests/test_{name}.py" for name in ("services", "limits", "floods", "races", "http", "journey", "leaks")
]


@dataclass(frozen=True)
class Combination:
    database: str
    isolation: str
    cache: str

    def __str__(self) -> str:
        return f"{self.database:<15} {self.isolation:<16} {self.cache:<7}"

    def needs(self) -> set[str]:
        """The servers that must be there."""
        return {self.database.partition(" ")[0], self.cache}

    def where(self) -> str:
        server, _, charset = self.database.partition(" ")
        url = WHERE.get(server, "")
        return f"{url}{'&' if '?' in url else '?'}charset={charset}" if charset else url

    def command(self) -> list[str]:
        # Not at once where there is one Redis, which each test empties.
        left_out = [*OWN_SERVICES, *(READ_ALONE if self in REPEATED else [])]
        at_once = ["-n", "auto", *(f"--ignore={path}" for path in left_out)]
        return [sys.executable, "-m", "pytest", "-q", *(MEET_THE_CACHE if self.cache == "Redis" else at_once)]

    def environment(self) -> dict[str, str]:
        """Only what is not the default is told."""
        told = {"DATABASE": self.where(), "ISOLATION": self.isolation, "CACHE": WHERE.get(self.cache)}
        return untold() | {f"TEST_{name}": value for name, value in told.items() if value}


class OwnServices:
    """The tests that choose their services themselves."""

    def __str__(self) -> str:
        return f"{'what chooses its services itself':<40}"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "pytest", "-q", *OWN_SERVICES]

    def environment(self) -> dict[str, str]:
        return untold()


def untold() -> dict[str, str]:
    """The environment of a run on the defaults."""
    told = {"TEST_DATABASE", "TEST_ISOLATION", "TEST_CACHE"}
    return {name: value for name, value in os.environ.items() if name not in told}


DATABASES = [
    ("SQLite", ""),
    ("PostgreSQL", "read committed"),
    ("PostgreSQL", "repeatable read"),
    ("MariaDB", "read committed"),
    ("MariaDB utf8mb3", "repeatable read"),  # what keeps no emoji has nothing to do with what isolates
]
REPEATED = [Combination("PostgreSQL", "repeatable read", "LocMem")]
COMBINATIONS = [
    *(Combination(*database, "LocMem") for database in DATABASES[1:]),
    *(Combination(*database, "Redis") for database in (DATABASES[0], DATABASES[2], DATABASES[3])),
]


def unreachable() -> Iterator[str]:
    """The servers that cannot be used, of which each is said why."""
    for name, (ask, _) in ASK.items():
        try:
            ask(WHERE[name])
        except Exception as error:
            print(f"Without {name} (TEST_{name.upper()} says where it is): {error!r}")
            yield name


def run(combination: Combination | OwnServices) -> tuple[int, str]:
    """The exit status and a line for the summary; what the run says is shown as it comes."""
    print(f"\n== {combination}", flush=True)
    start, counts = time.monotonic(), "broken off"
    with subprocess.Popen(
        combination.command(), env=combination.environment(), text=True, stdout=subprocess.PIPE
    ) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            if found := re.match(r"=* ?(\d+ .*) in [\d.]+s", line):
                counts = found[1]
    return process.returncode, f"{combination} {time.monotonic() - start:5.0f} s  {counts}"


def main() -> int:
    missing = list(unreachable())
    chosen: list[Combination | OwnServices] = [one for one in COMBINATIONS if not one.needs() & set(missing)]
    results = [*(run(one) for one in chosen), run(OwnServices())]
    skipped = [f"{one}         skipped" for one in COMBINATIONS if one not in chosen]
    print("", *(line for _, line in results), *skipped, sep="\n")
    required = bool(missing) and os.environ.get("REQUIRE_SERVICES") == "1"
    return int(required or any(status for status, _ in results))


if __name__ == "__main__":
    sys.exit(main())
