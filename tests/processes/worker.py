"""One process of a crew: a site with its own settings, whose threads act when those of all the others do."""

from __future__ import annotations

import os
import threading
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from typing import Any, NamedTuple

import django
from django.conf import settings
from django.db import close_old_connections, connection

PROCESSES = 4
THREADS = int(os.environ.get("THREADS", "20"))
"""In each process, with a connection each: 80 are what PostgreSQL's default of 100 leaves room for. Of more requests
the others wait in line, as they do before the workers of a site."""
PATIENCE = 60

Act = Callable[..., Any]
Settings = Mapping[str, Any]


class Outcome(NamedTuple):
    """`done` and what was returned, or the word of a refusal."""

    word: str
    value: Any = None


def work(own: Settings, pipe: Connection, start: Barrier) -> None:
    """Serves what comes through the pipe until it is closed."""
    set_up(own)
    pool = ThreadPoolExecutor(THREADS, initializer=lambda: connection.ensure_connection())
    with pool, suppress(EOFError):
        while True:
            act, requests = pipe.recv()
            gate = _gate(start)
            lanes = [pool.submit(_serve, act, requests, gate) for _ in range(THREADS)]
            pipe.send([outcome for lane in lanes for outcome in lane.result()])


def set_up(own: Settings) -> None:
    """The suite's settings but for `own`; called once in a fresh process."""
    from tests import services
    from tests import settings as suite

    warnings.simplefilter("error")
    warnings.simplefilter("ignore", ResourceWarning)  # what a process keeps open is closed by its end
    if own["DATABASES"]["default"]["ENGINE"].endswith("mysql"):
        services.pose_as_mysqlclient()
    settings.configure(**{name: getattr(suite, name) for name in dir(suite) if name.isupper()} | dict(own))
    django.setup()


def _gate(start: Barrier) -> threading.Barrier:
    """Opens when the threads of all processes stand before it."""

    def wait_for_the_others() -> None:
        start.wait(PATIENCE)

    return threading.Barrier(THREADS, action=wait_for_the_others)


def _serve(act: Act, requests: deque[Sequence[Any]], gate: threading.Barrier) -> list[Outcome]:
    """One thread's part of the requests: as many as it can get."""
    gate.wait(PATIENCE)
    outcomes: list[Outcome] = []
    with suppress(IndexError):
        while True:
            outcomes.append(_outcome(act, requests.popleft()))
    return outcomes


def _outcome(act: Act, request: Sequence[Any]) -> Outcome:
    from django_smsverify.exceptions import SMSVerifyError

    try:
        return Outcome("done", act(*request))
    except SMSVerifyError as error:
        return Outcome(error.code)
    except Exception as error:
        return Outcome(_mishap(error))
    finally:
        close_old_connections()  # as after each request of a site


def _mishap(error: Exception) -> str:
    """An error that no caller expects, and the way through the package to where it came up."""
    way = [frame.name for frame in traceback.extract_tb(error.__traceback__) if "django_smsverify" in frame.filename]
    return f"{type(error).__name__} in {' > '.join(way) or 'the test'}: {error}"
