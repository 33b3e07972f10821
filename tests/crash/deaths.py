"""How a process is killed at a given point: by wrapping what passes there, so that the package need not help."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable
from functools import wraps
from itertools import count
from pkgutil import resolve_name
from typing import Any

Death = Callable[[], None]
"""Arms the process it is called in."""
EVENTS = (
    "django.db.backends.utils.CursorWrapper.execute",
    "django.db.backends.utils.CursorWrapper.executemany",
    "django.db.backends.base.base.BaseDatabaseWrapper.commit",
    "django_smsverify.gateways.transport.HTTPTransport.send",
)
"""Between two of these a process changes nothing that outlives it."""


def before(path: str, nth: int = 1, first: Callable[..., None] = lambda *args: None) -> Death:
    """Death instead of the nth call of what a dotted path names, once `first` has returned."""

    def fatal(call: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        first(*args)
        _die()

    return lambda: _wrap(path, _only(nth), fatal)


def after(path: str, nth: int = 1) -> Death:
    """Death when the nth call has returned."""

    def fatal(call: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        call(*args, **kwargs)
        _die()

    return lambda: _wrap(path, _only(nth), fatal)


def before_event(nth: int) -> None:
    """Arms death before the nth event, of whatever kind."""
    due = _only(nth)
    for path in EVENTS:
        _wrap(path, due, lambda *args, **kwargs: _die())


def until_answered(connection: Any) -> None:
    """Waits until the vendor's answer has arrived at this machine, which has not read it."""
    select.select([connection.sock], [], [])


def _wrap(path: str, due: Callable[[], bool], fatal: Callable[..., None]) -> None:
    owner, _, name = path.rpartition(".")
    holder = resolve_name(owner)
    call = getattr(holder, name)

    @wraps(call)
    def doomed(*args: Any, **kwargs: Any) -> Any:
        return fatal(call, *args, **kwargs) if due() else call(*args, **kwargs)

    setattr(holder, name, doomed)


def _only(nth: int) -> Callable[[], bool]:
    calls = count(1)
    return lambda: next(calls) == nth


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
