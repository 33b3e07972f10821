"""A site whose tables have grown: the process that fills them, and that makes calls when it is told to.

`benchmarks.growth` starts it once for a full database and once for an empty one.
"""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from . import sites
from .actions import REPORT, SEND, VERIFY, Visitors

POLL = "a poll's question"
BUSY = "send to a busy number"
"""To a number that has had one message in ten thousand for half a year; in the empty database, to a new number."""
ACTIONS = (SEND, VERIFY, REPORT, POLL, BUSY)

Sample = tuple[float, float]
"""Seconds of the processor in Python, and seconds in the database, of one call."""


class Clock:
    """Tells the database's part of a call's time from the rest."""

    def __init__(self) -> None:
        from django.db import connection

        self.in_database = self.of_python_there = 0.0
        connection.execute_wrappers.append(self._execute)
        connection.commit = self._timed(connection.commit)  # type: ignore[method-assign]

    def measure(self, call: Callable[[], object]) -> Sample:
        self.in_database = self.of_python_there = 0.0
        begun = time.thread_time()
        call()
        return time.thread_time() - begun - self.of_python_there, self.in_database

    def _execute(self, execute: Callable[..., Any], *statement: Any) -> Any:
        return self._timed(execute)(*statement)

    def _timed(self, ask: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            wall, python = time.perf_counter(), time.thread_time()
            try:
                return ask(*arguments)
            finally:
                self.in_database += time.perf_counter() - wall
                self.of_python_there += time.thread_time() - python

        return timed


class Grown:
    """Makes the calls of each action."""

    def __init__(self, site: Any, vendor: str) -> None:
        from django_smsverify.models import Recipient

        self._application = sites.Application()
        self._visitors = Visitors(site, self._application.make, vendor)
        self._clock = Clock()
        self._site = site
        busy = Recipient.objects.order_by("pk")[:10].values_list("phone", flat=True)
        self._busy = [phone.removeprefix("+86") for phone in busy]

    def samples(self, action: str, calls: int) -> list[Sample]:
        if action == POLL:
            return [self._poll(calls)]
        return [self._clock.measure(call) for call in self._calls(action, calls)]

    def _calls(self, action: str, calls: int) -> Iterator[Callable[[], object]]:
        visitors = self._visitors
        if action == BUSY and self._busy:
            made = [self._site.send(phone, self._site.accepted) for phone in self._busy]
        else:
            made = visitors.calls(SEND if action == BUSY else action, calls)
        for call in made:
            yield lambda call=call: visitors.make(call)  # type: ignore[misc]

    def _poll(self, calls: int) -> Sample:
        """One run over as many due messages, divided by their number."""
        from django.utils import timezone

        from django_smsverify.models import Message
        from django_smsverify.polling.poll import poll

        for call in self._visitors.calls(SEND, calls):
            self._visitors.make(call)
        newest = Message.objects.order_by("-created_at").values_list("pk", flat=True)[:calls]
        Message.objects.filter(pk__in=list(newest)).update(poll_at=timezone.now() - timedelta(days=1))
        python, database = self._clock.measure(lambda: poll(limit=calls))
        return python / calls, database / calls


def fill(rows: int) -> None:
    """Makes the same accounts for any number of rows."""
    from django.db import connection

    from django_smsverify.models import Provider

    from .plan_rows import GATEWAYS, Filling, accounts

    if rows:
        Filling(connection, rows).run(lambda table: print(f"filling {table}", file=sys.stderr, flush=True))
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("CHECKPOINT")  # else it would run beside the calls
    else:
        accounts()
    # They are there for their rows; nothing is sent by them or asked of them.
    Provider.objects.filter(slug__in=GATEWAYS).update(is_active=False, gateway="memory")


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=["fill", "serve"])
    parser.add_argument("--rows", type=int, default=0)
    sites.Place.add_arguments(parser)
    given = parser.parse_args()
    place = sites.Place.of(given)
    site = sites.configure(place)
    if given.task == "fill":
        fill(given.rows)
        return
    grown = Grown(site, place.vendor)
    for line in sys.stdin:
        action, calls = json.loads(line)
        print(json.dumps(grown.samples(action, calls)), flush=True)


if __name__ == "__main__":
    main()
