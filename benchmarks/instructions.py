"""How many instructions a call takes, by valgrind's callgrind: of this app, and of the least that a site must do.

    python -m benchmarks.instructions
    python -m benchmarks.instructions --profile send        # the Python functions that one send calls

Each site runs in a process of its own, the vendor in another. No sockets but those to the vendor, the database and the
cache: the WSGI application is called directly.
"""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from .actions import ACTIONS
from .callgrind import Counted, missing
from .configurations import Configuration, reachable
from .environments import peers_python
from .installing import run_task, site, task_command
from .subjects import PEERS, SUBJECTS, subject
from .vendor import running_vendor

FLOOR = "floor"
Measures = dict[str, float]
"""Of a call: instructions, statements, and calls of the cache or trips to it."""
Counts = dict[str, dict[str, Measures]]
"""By subject and action."""
OTHERS = 100_000
"""Visitors from here on are others than those whose calls were counted before."""
COLUMN = 26


def arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--subject", action="append", choices=[*SUBJECTS], help="may be repeated; all")
    parser.add_argument("--configuration", action="append", help="the first word, such as SQLite; may be repeated; all")
    parser.add_argument("--action", action="append", choices=ACTIONS, help="may be repeated; all")
    parser.add_argument("--calls", type=int, default=10, help="counted calls of each action")
    parser.add_argument("--json", type=Path, help="a file for the results")
    parser.add_argument("--keep", type=Path, help="a folder for callgrind's files, which callgrind_annotate reads")
    parser.add_argument("--profile", choices=ACTIONS, metavar="ACTION", help="list the functions that one call calls")
    return parser.parse_args()


@dataclass(frozen=True, slots=True)
class Sample:
    """What is counted."""

    actions: Sequence[str] = ACTIONS
    calls: int = 10
    """Of each action."""
    warm_up: int = 20
    """Calls before: an interpreter adapts its code to the types that it sees."""
    trips: bool = True
    """Whether statements and calls of the cache are counted, too."""


def count(name: str, configuration: Configuration, sample: Sample, folder: Path) -> dict[str, Measures]:
    """The measures of a call of each action that the subject has."""
    own = [action for action in sample.actions if action in subject(name).actions]
    folder.mkdir(parents=True, exist_ok=True)
    chosen = [f"--action={action}" for action in own]
    with running_vendor() as vendor, site(name, configuration, vendor) as place:
        command = task_command(place, "measure", f"--calls={sample.calls}", f"--warm-up={sample.warm_up}", *chosen)
        with Counted(command, folder) as counted:
            found = {action: {"instructions": total / sample.calls} for action, total in counted.count(own)}
        if sample.trips:
            printed = run_task(place, "trips", "--warm-up=2", f"--first={OTHERS}", *chosen)
            for action, line in zip(own, printed.splitlines(), strict=True):
                found[action] |= json.loads(line)
    return found


def count_all(
    names: Sequence[str],
    configurations: Sequence[Configuration],
    sample: Sample,
    folder: Path | None = None,
) -> dict[str, Counts]:
    """The measures by configuration, subject and action."""
    if not PEERS.keys().isdisjoint(names):
        peers_python()  # installed once, before the threads
    with TemporaryDirectory() as temporary, ThreadPoolExecutor(os.cpu_count()) as threads:
        jobs = {
            (place.name, name): threads.submit(
                count, name, place, sample, (folder or Path(temporary)) / place.name / name
            )
            for place, name in product(configurations, names)
        }
        found: dict[str, Counts] = {place.name: {} for place in configurations}
        for (place, name), job in jobs.items():
            found[place][name] = job.result()
    return found


def table(counts: Counts, actions: Sequence[str]) -> Iterator[str]:
    """Thousand instructions, how many times the floor's, statements, and calls of the cache or trips to it."""
    yield f"{'k instructions':<20}" + "".join(f"{name:>{COLUMN}}" for name in counts)
    for action in actions:
        yield f"{action:<20}" + "".join(_cell(own.get(action), counts[FLOOR][action]) for own in counts.values())


def _cell(found: Measures | None, floor: Measures) -> str:
    if found is None:
        return f"{'–':>{COLUMN}}"
    ratio = found["instructions"] / floor["instructions"]
    trips = f"{found['statements']} + {found['cache']}"
    return f"{found['instructions'] / 1000:,.0f} {ratio:6.2f} × {trips:>7}".rjust(COLUMN)


def main(given: Namespace) -> int:
    if why := missing():
        print(why, file=sys.stderr)
        return 2
    actions = [action for action in ACTIONS if not given.action or action in given.action]
    names = [name for name in SUBJECTS if not given.subject or name in {FLOOR, *given.subject}]
    configurations = chosen_configurations(given)
    found = count_all(names, configurations, Sample(actions, given.calls), given.keep)
    for configuration, counts in found.items():
        print(f"\n{configuration}", *table(counts, actions), sep="\n")
    if given.json:
        given.json.write_text(json.dumps(found, indent=2))
    return 0


def chosen_configurations(given: Namespace) -> list[Configuration]:
    wanted = [name.lower() for name in given.configuration or ()]
    return [one for one in reachable() if not wanted or one.first_word in wanted]


def profile(given: Namespace) -> int:
    """Lists the functions that one call of an action calls, on each configuration."""
    for configuration in chosen_configurations(given):
        for name in given.subject or ["ours"]:
            print(f"\n{name}, {given.profile}, {configuration.name}", flush=True)
            with running_vendor() as vendor, site(name, configuration, vendor) as place:
                print(run_task(place, "profile", f"--action={given.profile}"))
    return 0


if __name__ == "__main__":
    parsed = arguments()
    sys.exit(profile(parsed) if parsed.profile else main(parsed))
