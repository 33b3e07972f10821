"""One process of a pool: a site whose threads start together with those of all other processes."""

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
"""Per process, each with a connection: 80 in all, as PostgreSQL's default maximum is 100. Further requests wait, as on
a real site."""
TIMEOUT = 60

Act = Callable[..., Any]
Settings = Mapping[str, Any]


class Outcome(NamedTuple):
    """The code `done` and the result, or the code of a refusal."""

    code: str
    value: Any = None


def work(site_settings: Settings, pipe: Connection, start: Barrier) -> None:
    """Runs the requests that come through the pipe until it is closed."""
    set_up(site_settings)
    pool = ThreadPoolExecutor(THREADS, initializer=lambda: connection.ensure_connection())
    with pool, suppress(EOFError):
        while True:
            act, requests = pipe.recv()
            gate = _gate(start)
            futures = [pool.submit(_serve, act, requests, gate) for _ in range(THREADS)]
            pipe.send([outcome for future in futures for outcome in future.result()])


def set_up(site_settings: Settings) -> None:
    """Sets up the suite's settings with `site_settings` on top; called once in a new process."""
    from tests import services
    from tests import settings as suite

    warnings.simplefilter("error")
    warnings.simplefilter("ignore", ResourceWarning)  # what a process leaves open is closed when it ends
    if site_settings["DATABASES"]["default"]["ENGINE"].endswith("mysql"):
        services.pose_as_mysqlclient()
    settings.configure(**{name: getattr(suite, name) for name in dir(suite) if name.isupper()} | dict(site_settings))
    django.setup()


def _gate(start: Barrier) -> threading.Barrier:
    """A barrier for the threads of all processes."""

    def wait_for_other_processes() -> None:
        start.wait(TIMEOUT)

    return threading.Barrier(THREADS, action=wait_for_other_processes)


def _serve(act: Act, requests: deque[Sequence[Any]], gate: threading.Barrier) -> list[Outcome]:
    """The work of one thread: takes requests until none is left."""
    gate.wait(TIMEOUT)
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
        return Outcome(_unexpected(error))
    finally:
        close_old_connections()  # as after each request of a site


def _unexpected(error: Exception) -> str:
    """An unexpected error, and its path of functions through the package."""
    path = [frame.name for frame in traceback.extract_tb(error.__traceback__) if "django_smsverify" in frame.filename]
    return f"{type(error).__name__} in {' > '.join(path) or 'the test'}: {error}"
