"""What a call asks of the database and the cache: statements, BEGIN and COMMIT among them, and calls or round trips."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.db import connection
from django.test.utils import CaptureQueriesContext

CALLS = ("add", "get", "get_many", "set", "set_many", "incr", "decr", "delete", "delete_many", "touch")
"""What a site calls a cache by."""


def trips(make_all: Callable[[], None]) -> dict[str, int]:
    """Statements, and calls of local memory or round trips to Redis."""
    count = _count_calls if isinstance(caches["default"], LocMemCache) else _count_round_trips
    with CaptureQueriesContext(connection) as captured:
        cache = count(make_all)
    return {"statements": len(captured), "cache": cache}


def _count_round_trips(make_all: Callable[[], None]) -> int:
    """The commands that are sent to Redis; a pipeline is one."""
    from redis.connection import AbstractConnection

    sent = AbstractConnection.send_packed_command
    with mock.patch.object(AbstractConnection, "send_packed_command", autospec=True, side_effect=sent) as spy:
        make_all()
    return spy.call_count


def _count_calls(make_all: Callable[[], None]) -> int:
    """The calls from outside; local memory also calls itself."""
    depth = calls = 0

    def counting(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal depth, calls
            calls += not depth
            depth += 1
            try:
                return method(*args, **kwargs)
            finally:
                depth -= 1

        return call

    counted: dict[str, Any] = {name: counting(getattr(LocMemCache, name)) for name in CALLS}
    with mock.patch.multiple(LocMemCache, **counted):
        make_all()
    return calls
