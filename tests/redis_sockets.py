"""Sockets of Redis that close with their cache.

A pool of redis-py refers to itself: it outlives its cache until the garbage collector runs, which closes sockets and
their owners in no order of use, so that now and then a run ends with a ResourceWarning.
"""

from __future__ import annotations

from typing import Any
from weakref import finalize

from django.core.cache.backends import redis


class ClosingClient(redis.RedisCacheClient):
    """Django's client of Redis, whose sockets close when nobody refers to it any more."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        finalize(self, disconnect, vars(self)["_pools"]).atexit = False


def disconnect(pools: dict[int, Any]) -> None:
    for pool in pools.values():
        pool.disconnect()


def close_with_their_cache() -> None:
    """Makes all caches that are created from now on close their sockets."""
    redis.RedisCacheClient = ClosingClient  # type: ignore[misc]
