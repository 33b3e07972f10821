"""A site with a database of its own, and the tasks that run in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .configurations import Configuration
from .environments import ROOT, peers_python
from .sites import Place
from .subjects import PEERS


@contextmanager
def site(name: str, configuration: Configuration, vendor: str) -> Iterator[Place]:
    """A site with a database of its own."""
    run = f"{os.getpid()}_{configuration.first_word}"
    place = Place(name, configuration.database, configuration.cache, vendor, run)
    run_task(place, "install")
    try:
        yield place
    finally:
        run_task(place, "drop")


def run_task(place: Place, task: str, *more: str) -> str:
    """Runs a task of `benchmarks.measured` and returns what it prints."""
    return subprocess.check_output(task_command(place, task, *more), text=True, cwd=ROOT)  # noqa: S603


def task_command(place: Place, task: str, *more: str) -> list[str]:
    python = peers_python() if place.subject in PEERS else sys.executable
    return [python, "-m", "benchmarks.measured", task, *place.arguments(), *more]
