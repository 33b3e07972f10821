"""Kills a process at a given point, by wrapping a function that is called there; the package is not changed."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable
from functools import wraps
from itertools import count
from pkgutil import resolve_name
from typing import Any

Kill = Callable[[], None]
"""Prepares the process in which it is called."""
EVENTS = (
    "django.db.backends.utils.CursorWrapper.execute",
    "django.db.backends.utils.CursorWrapper.executemany",
    "django.db.backends.base.base.BaseDatabaseWrapper.commit",
    "django_smsverify.gateways.transport.HTTPTransport.send",
)
"""Between two of these events a process changes nothing that remains after its end."""


def before(path: str, nth: int = 1, first: Callable[..., None] = lambda *args: None) -> Kill:
    """Kills the process instead of the nth call of a dotted path, after `first` has returned."""

    def kill_call(call: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        first(*args)
        _kill_self()

    return lambda: _wrap(path, _only(nth), kill_call)


def after(path: str, nth: int = 1) -> Kill:
    """Kills the process when the nth call has returned."""

    def kill_call(call: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        call(*args, **kwargs)
        _kill_self()

    return lambda: _wrap(path, _only(nth), kill_call)


def before_event(nth: int) -> None:
    """Prepares the process to be killed before the nth event of any kind."""
    due = _only(nth)
    for path in EVENTS:
        _wrap(path, due, lambda *args, **kwargs: _kill_self())


def until_answered(connection: Any) -> None:
    """Waits until the vendor's answer has arrived at this machine, without reading it."""
    select.select([connection.sock], [], [])


def _wrap(path: str, due: Callable[[], bool], kill_call: Callable[..., None]) -> None:
    owner, _, name = path.rpartition(".")
    holder = resolve_name(owner)
    call = getattr(holder, name)

    @wraps(call)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return kill_call(call, *args, **kwargs) if due() else call(*args, **kwargs)

    setattr(holder, name, wrapper)


def _only(nth: int) -> Callable[[], bool]:
    calls = count(1)
    return lambda: next(calls) == nth


def _kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
