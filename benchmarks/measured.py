"""The process that is measured: it sets a site up, and runs each action when it is told to.

`benchmarks.instructions` starts it under callgrind. It writes a line when an action is prepared, waits for one, makes
the calls, and writes a line again, so that only the calls are counted.
"""

from __future__ import annotations

import gc
import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from . import sites
from .actions import Visitors
from .profiling import Profile
from .subjects import Call
from .trips import trips

Way = Callable[[Callable[[], None]], None]
"""Has the calls made, and tells what is measured."""


def arguments() -> Any:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=["install", "drop", *WAYS])
    parser.add_argument("--action", action="append", default=[], dest="actions")
    parser.add_argument("--calls", type=int, default=1)
    parser.add_argument("--warm-up", type=int, default=20, help="calls before: an interpreter adapts to what it runs")
    parser.add_argument("--first", type=int, default=0, help="the first visitor; later ones are new on the same site")
    sites.Place.add_arguments(parser)
    return parser.parse_args()


def main(given: Any) -> None:
    place = sites.Place.of(given)
    site = sites.configure(place)
    if given.task == "install":
        sites.install(site, place.vendor)
    elif given.task == "drop":
        sites.drop()
    else:
        if given.task == "measure":
            site.under_callgrind()
        application = sites.Application()
        visitors = Visitors(site, application.make, place.vendor, given.first)
        for action in given.actions:
            for call in visitors.calls(action, given.warm_up):
                visitors.make(call)
            run(application, visitors.calls(action, given.calls), WAYS[given.task])


def run(application: sites.Application, calls: list[Call], within: Way) -> None:
    """Makes the calls; each must have the status that it should."""
    environs, answers = [sites.environ(call) for call in calls], []

    def make_all() -> None:
        for environ in environs:
            answers.append(application.respond(environ))

    # What is there by now is not searched for garbage while something else is counted.
    gc.collect()
    gc.freeze()
    within(make_all)
    for call, (status, body) in zip(calls, answers, strict=True):
        if status != call.status:
            raise RuntimeError(f"{call.path} was answered with {status} instead of {call.status}: {body[:500]!r}")


def told(make_all: Callable[[], None]) -> None:
    print("prepared", flush=True)
    sys.stdin.readline()
    make_all()
    print("done", flush=True)
    sys.stdin.readline()


def profiled(make_all: Callable[[], None]) -> None:
    profile = Profile()
    with profile:
        make_all()
    print(profile.report())


def tripped(make_all: Callable[[], None]) -> None:
    print(json.dumps(trips(make_all)))


WAYS: dict[str, Way] = {"measure": told, "profile": profiled, "trips": tripped}

if __name__ == "__main__":
    main(arguments())
