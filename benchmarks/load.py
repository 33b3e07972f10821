"""Requests per second, and milliseconds of CPU for each, of a site under gunicorn with one worker.

    python -m benchmarks.load

The floor and this app take turns, round by round, so that what else the machine does slows both. The spread between
the rounds says how noisy the run was. The CPU is that of the worker alone.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from .actions import REPORT, SEND, VERIFY, Visitors
from .client import CPU_PATH, SITE_VARIABLE, Client
from .configurations import Configuration, reachable
from .environments import ROOT
from .installing import site
from .subjects import OWN, subject
from .vendor import running_vendor, set_delay


@dataclass(frozen=True, slots=True)
class Scenario:
    """An action under load."""

    name: str
    action: str
    delay: float
    """Seconds that the vendor takes."""
    at_once: int
    """Calls at the same time; the worker has a thread for each of the most."""


SCENARIOS = (
    Scenario("send", SEND, 0, 4),
    Scenario("verify", VERIFY, 0, 4),
    Scenario("delivery report", REPORT, 0, 4),
    Scenario("send, vendor 200 ms", SEND, 0.2, 32),
)
Figures = dict[str, float]
"""Requests per second, CPU milliseconds, and the spread of both between the rounds, in percent."""
Load = dict[str, dict[str, Figures]]
"""By scenario and subject."""


def arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--configuration", action="append", help="the first word, such as SQLite; may be repeated; all")
    parser.add_argument("--rounds", type=int, default=5, help="of each subject in each scenario")
    parser.add_argument("--requests", type=int, default=150, help="in each round")
    parser.add_argument("--json", type=Path, help="a file for the results")
    return parser.parse_args()


def served(name: str, configuration: Configuration, stack: ExitStack) -> tuple[Visitors, Client]:
    """A site under gunicorn, which runs until the stack is closed."""
    vendor = stack.enter_context(running_vendor())
    place = stack.enter_context(site(name, configuration, vendor))
    listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=256))
    descriptor = listening.fileno()
    threads = max(scenario.at_once for scenario in SCENARIOS)
    options = ["--workers=1", "--worker-class=gthread", f"--threads={threads}", "--keep-alive=75"]
    command = [sys.executable, "-m", "gunicorn", "benchmarks.served", f"--bind=fd://{descriptor}", *options]
    environment = {**os.environ, SITE_VARIABLE: json.dumps(asdict(place))}
    server = subprocess.Popen(  # noqa: S603 - this interpreter
        command, env=environment, cwd=ROOT, pass_fds=[descriptor], stderr=subprocess.DEVNULL
    )
    stack.callback(server.wait)
    stack.callback(server.terminate)
    client = Client(listening.getsockname()[1])
    return Visitors(subject(name), client.make, vendor), client


class Contestant:
    """One subject in one scenario."""

    def __init__(self, visitors: Visitors, client: Client, scenario: Scenario) -> None:
        self._visitors, self._client, self._scenario = visitors, client, scenario
        self._rounds: list[tuple[float, float]] = []
        set_delay(visitors.vendor, scenario.delay)

    def run(self, requests: int, *, counts: bool) -> None:
        """One round; one that does not count warms the site up."""
        calls = self._visitors.calls(self._scenario.action, requests)
        before = float(self._client.get(CPU_PATH))
        seconds = self._client.make_all(calls, self._scenario.at_once)
        cpu = float(self._client.get(CPU_PATH)) - before
        if counts:
            self._rounds.append((requests / seconds, cpu / requests * 1000))

    def figures(self) -> Figures:
        per_second, cpu = zip(*self._rounds, strict=True)
        return {
            "per_second": median(per_second),
            "cpu_ms": median(cpu),
            "spread_per_second": _spread(per_second),
            "spread_cpu": _spread(cpu),
        }


def _spread(values: Sequence[float]) -> float:
    return (max(values) - min(values)) / median(values) * 100


def contest(configuration: Configuration, rounds: int, requests: int) -> Load:
    """The figures of each scenario and subject; the subjects take turns."""
    with ExitStack() as stack:
        sites = {name: served(name, configuration, stack) for name in OWN}
        load: Load = {}
        for scenario in SCENARIOS:
            contestants = {name: Contestant(*one, scenario) for name, one in sites.items()}
            for counts in [False] + [True] * rounds:
                for contestant in contestants.values():
                    contestant.run(requests, counts=counts)
            load[scenario.name] = {name: contestant.figures() for name, contestant in contestants.items()}
        return load


def load_all(configurations: Sequence[Configuration], rounds: int, requests: int) -> dict[str, Load]:
    """The figures by configuration, scenario and subject."""
    return {one.name: contest(one, rounds, requests) for one in configurations}


def table(load: Load) -> Iterator[str]:
    """Requests per second and CPU milliseconds, each with the spread of its rounds."""
    yield f"{'':<22}{'requests/s':>24}{'CPU ms':>24}{'ours : floor':>20}"
    yield f"{'':<22}" + f"{'floor':>12}{'ours':>12}" * 2 + f"{'requests':>12}{'CPU':>8}"
    for name, figures in load.items():
        floor, ours = figures["floor"], figures["ours"]
        cells = [_cell(one[what], one[spread]) for what, spread in COLUMNS for one in (floor, ours)]
        ratios = [ours[what] / floor[what] for what, _ in COLUMNS]
        yield f"{name:<22}" + "".join(cells) + f"{ratios[0]:12.2f}{ratios[1]:8.2f}"


COLUMNS = (("per_second", "spread_per_second"), ("cpu_ms", "spread_cpu"))


def _cell(value: float, spread: float) -> str:
    return f"{value:.1f} ±{spread / 2:.0f}%".rjust(12)


def main(given: Any) -> int:
    wanted = [name.lower() for name in given.configuration or ()]
    configurations = [one for one in reachable() if not wanted or one.first_word in wanted]
    found = load_all(configurations, given.rounds, given.requests)
    for configuration, load in found.items():
        print(f"\n{configuration}", *table(load), sep="\n")
    if given.json:
        given.json.write_text(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(arguments()))
