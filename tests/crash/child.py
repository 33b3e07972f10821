"""A site that is loaded once, and forks a process for each order that it reads.

It never opens a connection itself, so that each process has its own.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import traceback
from datetime import datetime
from typing import Any, NoReturn

import django
import time_machine
from django.conf import settings


def main(database: dict[str, Any]) -> None:
    set_up(database)
    for line in sys.stdin:
        print(json.dumps(_in_a_fork(json.loads(line))), flush=True)


def set_up(database: dict[str, Any]) -> None:
    """The suite's settings, but for the database and the timeouts, which are long: this machine may be busy."""
    from tests import services
    from tests import settings as suite

    if database["ENGINE"].endswith("mysql"):
        services.pose_as_mysqlclient()
    own = {name: getattr(suite, name) for name in dir(suite) if name.isupper()}
    own["DATABASES"] = {"default": {**database, "ATOMIC_REQUESTS": True}}
    settings.configure(**own, SMSVERIFY={"TIMEOUT": (60, 60, 60)})
    django.setup()
    from . import acts

    acts.warm_up()
    gc.freeze()


def _in_a_fork(order: dict[str, Any]) -> tuple[int, Any]:
    """The exit code of the process, as in subprocess, and its result."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        _run_order(order, writing)
    os.close(writing)
    with open(reading) as pipe:
        result = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), json.loads(result or "null")


def _run_order(order: dict[str, Any], writing: int) -> NoReturn:
    try:
        code, result = 0, _run_act(order["act"], order["args"], order["at"], order["kill_at"])
    except BaseException:
        code, result = 1, traceback.format_exc()
    with open(writing, "w") as pipe:
        json.dump(result, pipe)
    os._exit(code)


def _run_act(act: str, args: list[Any], at: str, kill_at: str | int | None) -> Any:
    from . import acts
    from .deaths import before_event
    from .points import POINTS

    if isinstance(kill_at, int):
        before_event(kill_at)
    elif kill_at:
        POINTS[kill_at].kill()
    with time_machine.travel(datetime.fromisoformat(at)):
        return getattr(acts, act)(*args)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
