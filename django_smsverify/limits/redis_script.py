"""Counting in one trip, where the cache is a Redis that runs scripts.

Neither Django nor django-redis has a public way to run a script: this is the only module that uses a cache's client.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from django.core.cache import BaseCache
from django.core.cache.backends.redis import RedisCache

logger = logging.getLogger("django_smsverify")

Limited = tuple[Sequence[str], int, int]
"""The bucket keys of a window, its limit, and the lifetime of a bucket in seconds."""

COUNT = """
local size, current, windows = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local found, fits = {}, true
for i = 1, size * windows do found[i] = tonumber(redis.call('GET', KEYS[i])) or 0 end
for window = 1, windows do
  local sum = 0
  for i = (window - 1) * size + 1, window * size do sum = sum + found[i] end
  if sum >= tonumber(ARGV[2 + 2 * window]) then fits = false end
end
if fits then
  for window = 1, windows do
    local key = KEYS[(window - 1) * size + current]
    redis.call('INCR', key)
    redis.call('EXPIRE', key, ARGV[3 + 2 * window])
  end
end
local beside = {}
for i = size * windows + 1, #KEYS do
  local value = redis.call('GET', KEYS[i])
  beside[i - size * windows] = value and (tonumber(value) or 1)
end
return {fits and {} or found, beside}
"""
GIVE_BACK = """
for _, key in ipairs(KEYS) do
  if (tonumber(redis.call('GET', key)) or 0) > 0 then redis.call('DECR', key) end
end
return 1
"""

REFUSALS = ("unknown command", "unknown redis command", "crossslot", "noperm", "no permissions")
"""What a cluster, a proxy or a user without the permission answers to a script, in lower case."""

_clients: WeakKeyDictionary[BaseCache, Any] = WeakKeyDictionary()
"""The client of each cache object: Django makes a new one, which is expensive, for each call."""
_without_scripts: set[str] = set()
"""The cache classes whose server refused to run a script: a cluster, or a proxy."""


def count(
    cache: BaseCache, windows: Sequence[Limited], current: int, beside: Sequence[str]
) -> tuple[list[list[int]], dict[str, int]] | None:
    """Adds one to the current bucket of each window if one more fits into all windows.

    Returns what the buckets of each window held where it does not fit, and those of the keys `beside` that exist: their
    number, or 1 for what is none. None where scripts do not run.
    """
    keys = [key for own, _, _ in windows for key in own]
    size = len(windows[0][0]) if windows else 0
    bounds = [bound for _, times, lifetime in windows for bound in (times, lifetime)]
    answer = _run(cache, COUNT, [*keys, *beside], [size, current + 1, len(windows), *bounds])
    if answer is None:
        return None
    found, values = answer
    rest = {key: value for key, value in zip(beside, values, strict=True) if value is not None}
    return [found[start : start + size] for start in range(0, len(found), size or 1)], rest


def give_back(cache: BaseCache, keys: Sequence[str]) -> bool:
    """Takes one off each bucket; returns False where scripts do not run."""
    return _run(cache, GIVE_BACK, keys, []) is not None


def _run(cache: BaseCache, script: str, keys: Sequence[str], values: Sequence[int]) -> Any:
    client = _client(cache)
    if client is None:
        return None
    from redis.exceptions import ResponseError

    try:
        return client.register_script(script)(keys=[cache.make_key(key) for key in keys], args=values)
    except ResponseError as error:
        why = str(error)
        if not any(refusal in why.lower() for refusal in REFUSALS):
            raise  # a server that cannot write now may run scripts again later
    _without_scripts.add(_name(cache))
    logger.warning("This Redis runs no scripts (%s): the limits are counted one by one.", why)
    return None


def _client(cache: BaseCache) -> Any:
    """The Redis client of a Django or django-redis cache; None for any other cache, and where scripts do not run."""
    if _name(cache) in _without_scripts:
        return None
    client = _clients.get(cache)
    if client is None and (client := _new_client(cache)) is not None:
        _clients[cache] = client
    return client


def _new_client(cache: BaseCache) -> Any:
    if isinstance(cache, RedisCache):
        return cache._cache.get_client(None, write=True)
    return _of_django_redis(cache)


def _of_django_redis(cache: BaseCache) -> Any:
    if not type(cache).__module__.startswith("django_redis."):
        return None
    from django_redis.client import DefaultClient

    # A script would bypass what its other clients do, such as sharding.
    return cache.client.get_client(write=True) if type(cache.client) is DefaultClient else None  # type: ignore[attr-defined]


def _name(cache: BaseCache) -> str:
    kind = type(cache)
    return f"{kind.__module__}.{kind.__qualname__}"
