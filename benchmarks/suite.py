"""Everything that `make bench` measures: instructions of this app, the floor and other apps, and this app under load.

Writes results.txt, results.json and two plots.
"""

from __future__ import annotations

import json
import platform
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from . import instructions, load
from .actions import ACTIONS
from .callgrind import missing
from .configurations import Configuration, reachable
from .plot import bars
from .subjects import SUBJECTS

RESULTS = Path(__file__).parent / "results"


def arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=RESULTS, help="a folder")
    parser.add_argument("--rounds", type=int, default=5, help="under load")
    parser.add_argument("--requests", type=int, default=150, help="in each round")
    return parser.parse_args()


def measure(configurations: Sequence[Configuration], given: Namespace) -> dict[str, Any]:
    """All results; without valgrind, no instructions."""
    found: dict[str, Any] = {"versions": versions()}
    if why := missing():
        print(why, file=sys.stderr)
    else:
        found["instructions"] = instructions.count_all([*SUBJECTS], configurations, instructions.Sample())
    found["load"] = load.load_all(configurations, given.rounds, given.requests)
    return found


def versions() -> dict[str, str]:
    names = ("django", "djangorestframework", "requests")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def text(found: dict[str, Any]) -> Iterator[str]:
    yield ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    for configuration, counts in found.get("instructions", {}).items():
        yield f"\nInstructions, {configuration}"
        yield from instructions.table(counts, ACTIONS)
    for configuration, one in found["load"].items():
        yield f"\nLoad, {configuration}"
        yield from load.table(one)


def plots(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The name and the content of each plot, both of the last configuration: a server if one was reachable."""
    for name, counts in [*found.get("instructions", {}).items()][-1:]:
        groups = {
            action: {one: own[action]["instructions"] / 1e6 for one, own in counts.items() if action in own}
            for action in ACTIONS
        }
        yield "instructions.svg", bars(f"Million instructions of a call, {name}", "M", groups)
    for name, one in [*found["load"].items()][-1:]:
        groups = {scenario: {who: figures["cpu_ms"] for who, figures in own.items()} for scenario, own in one.items()}
        yield "cpu.svg", bars(f"CPU of a request, {name}", "ms", groups)


def main(given: Namespace) -> None:
    found = measure(reachable(), given)
    lines = "\n".join([*text(found), ""])
    print(lines)
    given.output.mkdir(parents=True, exist_ok=True)
    files = {"results.txt": lines, "results.json": json.dumps(found, indent=2) + "\n", **dict(plots(found))}
    for name, content in files.items():
        (given.output / name).write_text(content)


if __name__ == "__main__":
    main(arguments())
