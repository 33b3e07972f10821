"""The worker process that `benchmarks.worker` measures: it queues codes, waits for a line, and sends them in threads.

With `inline` the threads call `send_code` instead, as the requests of a site do.
"""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from unittest import mock

from . import sites
from .actions import phone_of


def arguments() -> Any:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=["queue", "inline"])
    parser.add_argument("--codes", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--first", type=int, default=0, help="the first number; later ones are new on the same site")
    sites.Place.add_arguments(parser)
    return parser.parse_args()


def works(way: str, numbers: Iterator[int]) -> list[Callable[[], object]]:
    """What the threads are to do: one code each."""
    from django.test import override_settings

    from django_smsverify.sending import dispatch, send_code
    from django_smsverify.sending.queues.celery import deliver

    if way == "inline":
        return [partial(send_code, phone_of(number), "login") for number in numbers]
    tasks: list[list[str]] = []
    with mock.patch.object(dispatch, "_enqueue", tasks.append), override_settings(SMSVERIFY={"DISPATCH": "celery"}):
        for number in numbers:
            send_code(phone_of(number), "login")
    return [partial(deliver, ids) for ids in tasks]


def run(work: Callable[[], object]) -> None:
    """Does the work and closes the connection, as Celery does after each task."""
    from django.db import connections

    try:
        work()
    finally:
        connections.close_all()


def main(given: Any) -> None:
    sites.configure(sites.Place.of(given))
    from django_smsverify.models import Message

    warm_up = given.threads
    prepared = works(given.way, iter(range(given.first, given.first + warm_up + given.codes)))
    with ThreadPoolExecutor(given.threads) as threads:
        list(threads.map(run, prepared[:warm_up]))
        accepted = Message.objects.filter(status="accepted")
        before = accepted.count()
        print("prepared", flush=True)
        sys.stdin.readline()
        begun, cpu = time.perf_counter(), time.process_time()
        list(threads.map(run, prepared[warm_up:]))
        seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    if accepted.count() - before != given.codes:
        raise RuntimeError(f"{accepted.count() - before} of {given.codes} codes were accepted")
    print(json.dumps({"per_second": given.codes / seconds, "cpu_ms": cpu / given.codes * 1000}))


if __name__ == "__main__":
    main(arguments())
