"""What this app adds to the start of a site that has DRF: CPU milliseconds, peak memory, and its heaviest imports.

    python -m benchmarks.startup

Processes with and without this app take turns. A start is Django's setup, the admin and all URLs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterator, Sequence
from statistics import median
from tempfile import TemporaryDirectory

from .environments import ROOT

SITES = ("without", "ours")
OPTIONAL = ("celery", "django_tasks", "drf_spectacular", "tqdm")
"""Libraries of our extras and tests: a site need not have them."""
Start = dict[str, float]
"""CPU milliseconds and peak megabytes of one process."""


def arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=25, help="of each site")
    parser.add_argument("--block", action="append", default=[], help="a library that is not installed; may be repeated")
    parser.add_argument("--imports", type=int, default=15, help="how many of the heaviest imports are listed")
    return parser.parse_args()


class Starter:
    """Starts processes whose bytecode is kept in a folder."""

    def __init__(self, folder: str, blocked: Sequence[str]) -> None:
        self._environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        self._blocked = blocked

    def start(self, site: str) -> Start:
        found: Start = json.loads(self._run(site).stdout)
        return found

    def imports(self, site: str) -> dict[str, int]:
        """The microseconds of each module that the process imports, without the modules that it imports itself."""
        lines = [line.split("|") for line in self._run(site, "-X", "importtime").stderr.splitlines()]
        # The first line is a heading.
        return {name.strip(): int(own.rpartition(":")[2]) for own, _, name in lines[1:]}

    def _run(self, site: str, *options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *options, "-m", "benchmarks.started", site, *OPTIONAL, *self._blocked]
        return subprocess.run(  # noqa: S603 - this interpreter
            command, env=self._environment, cwd=ROOT, check=True, capture_output=True, text=True
        )


def measure(starter: Starter, starts: int) -> dict[str, list[Start]]:
    found: dict[str, list[Start]] = {site: [] for site in SITES}
    for counts in [False] + [True] * starts:
        for site in SITES:
            one = starter.start(site)
            if counts:  # the first one writes the bytecode
                found[site].append(one)
    return found


def table(found: dict[str, list[Start]]) -> Iterator[str]:
    yield f"{'median':<12}{'CPU':>12}{'peak':>12}"
    without, ours = ([median(one[what] for one in found[site]) for what in ("cpu_ms", "peak_mb")] for site in SITES)
    added = [mine - theirs for mine, theirs in zip(ours, without, strict=True)]
    for name, (cpu, peak) in {"DRF": without, "and ours": ours, "added": added}.items():
        yield f"{name:<12}{cpu:>9.1f} ms{peak:>9.1f} MB"


def heaviest(starter: Starter, count: int) -> Iterator[str]:
    """The modules that only the site with this app imports."""
    without, ours = (starter.imports(site) for site in SITES)
    added = sorted(((ours[name], name) for name in ours.keys() - without.keys()), reverse=True)
    yield f"{len(added)} modules are added; the heaviest, without what they import:"
    for own, name in added[:count]:
        yield f"{own / 1000:>9.1f} ms  {name}"


def main(given: Namespace) -> None:
    with TemporaryDirectory() as folder:
        starter = Starter(folder, given.block)
        print(*table(measure(starter, given.starts)), *heaviest(starter, given.imports), sep="\n")


if __name__ == "__main__":
    main(arguments())
