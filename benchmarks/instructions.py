"""How many instructions a call takes, by valgrind's callgrind: of this app, and of the least that a site must do.

    python -m benchmarks.instructions
    python -m benchmarks.instructions --profile send        # the Python functions that one send calls

Each site runs in a process of its own, the vendor in another. No sockets but those to the vendor, the database and the
cache: the WSGI application is called directly.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from .actions import ACTIONS
from .callgrind import Counted, missing
from .configurations import Configuration, reachable
from .sites import Place
from .subjects import SUBJECTS, subject
from .vendor import running_vendor

FLOOR = "floor"
Counts = dict[str, dict[str, float]]
"""Instructions of a call, by subject and action."""


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


@contextmanager
def site(name: str, configuration: Configuration, vendor: str) -> Iterator[Place]:
    """A site with a database of its own."""
    run = f"{os.getpid()}_{configuration.name.partition(' ')[0].lower()}"
    place = Place(name, configuration.database, configuration.cache, vendor, run)
    _run(place, "install")
    try:
        yield place
    finally:
        _run(place, "drop")


def _run(place: Place, task: str, *more: str) -> None:
    subprocess.run(_command(place, task, *more, python=sys.executable), check=True)  # noqa: S603 - this interpreter


def _command(place: Place, task: str, *more: str, python: str = "") -> list[str]:
    return [*filter(None, [python]), "-m", "benchmarks.measured", task, *place.arguments(), *more]


def count(
    name: str, configuration: Configuration, vendor: str, actions: Sequence[str], calls: int, folder: Path
) -> dict[str, float]:
    """The instructions of a call of each action that the subject has."""
    own = [action for action in actions if action in subject(name).actions]
    folder.mkdir(parents=True, exist_ok=True)
    chosen = [f"--action={action}" for action in own]
    with site(name, configuration, vendor) as place:
        command = _command(place, "measure", f"--calls={calls}", *chosen)
        with Counted(command, folder) as counted:
            return {action: instructions / calls for action, instructions in counted.count(own)}


def count_all(
    names: Sequence[str],
    configurations: Sequence[Configuration],
    actions: Sequence[str] = ACTIONS,
    calls: int = 10,
    folder: Path | None = None,
) -> dict[str, Counts]:
    """The instructions by configuration, subject and action."""
    with TemporaryDirectory() as temporary, running_vendor() as vendor, ThreadPoolExecutor(os.cpu_count()) as threads:
        jobs = {
            (place.name, name): threads.submit(
                count, name, place, vendor, actions, calls, (folder or Path(temporary)) / place.name / name
            )
            for place, name in product(configurations, names)
        }
        found: dict[str, Counts] = {place.name: {} for place in configurations}
        for (place, name), job in jobs.items():
            found[place][name] = job.result()
    return found


def table(counts: Mapping[str, Mapping[str, float]], actions: Sequence[str]) -> Iterator[str]:
    """Thousand instructions, and how many times the floor's."""
    yield f"{'thousand instructions':<24}" + "".join(f"{name:>20}" for name in counts)
    for action in actions:
        yield f"{action:<24}" + "".join(_cell(own.get(action), counts[FLOOR].get(action)) for own in counts.values())


def _cell(instructions: float | None, floor: float | None) -> str:
    if instructions is None:
        return f"{'–':>20}"
    ratio = f"{instructions / floor:7.2f} ×" if floor else ""
    return f"{instructions / 1000:11,.0f}{ratio:>9}"


def main(given: Namespace) -> int:
    if why := missing():
        print(why, file=sys.stderr)
        return 2
    actions = [action for action in ACTIONS if not given.action or action in given.action]
    names = [name for name in SUBJECTS if not given.subject or name in {FLOOR, *given.subject}]
    configurations = chosen_configurations(given)
    found = count_all(names, configurations, actions, given.calls, given.keep)
    for configuration, counts in found.items():
        print(f"\n{configuration}", *table(counts, actions), sep="\n")
    if given.json:
        given.json.write_text(json.dumps(found, indent=2))
    return 0


def chosen_configurations(given: Namespace) -> list[Configuration]:
    wanted = [name.lower() for name in given.configuration or ()]
    return [one for one in reachable() if not wanted or one.name.partition(" ")[0].lower() in wanted]


def profile(given: Namespace) -> int:
    """Lists the functions that one call of an action calls, on each configuration."""
    for configuration in chosen_configurations(given):
        for name in given.subject or ["ours"]:
            print(f"\n{name}, {given.profile}, {configuration.name}", flush=True)
            with running_vendor() as vendor, site(name, configuration, vendor) as place:
                _run(place, "profile", "--calls=1", f"--action={given.profile}")
    return 0


if __name__ == "__main__":
    parsed = arguments()
    sys.exit(profile(parsed) if parsed.profile else main(parsed))
