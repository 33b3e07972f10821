"""A site that is warm and idle, and forks a process for each thing that it is told to do.

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
    """The suite's settings, but for the database and the patience with a vendor: this machine may be busy."""
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
    """How the process ended, as subprocess puts it, and what it said."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        _obey(order, writing)
    os.close(writing)
    with open(reading) as pipe:
        said = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), json.loads(said or "null")


def _obey(order: dict[str, Any], writing: int) -> NoReturn:
    try:
        code, said = 0, _act(order["act"], order["args"], order["at"], order["death"])
    except BaseException:
        code, said = 1, traceback.format_exc()
    with open(writing, "w") as pipe:
        json.dump(said, pipe)
    os._exit(code)


def _act(act: str, args: list[Any], at: str, death: str | int | None) -> Any:
    from . import acts
    from .deaths import before_event
    from .points import POINTS

    if isinstance(death, int):
        before_event(death)
    elif death:
        POINTS[death].death()
    with time_machine.travel(datetime.fromisoformat(at)):
        return getattr(acts, act)(*args)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
