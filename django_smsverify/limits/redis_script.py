"""Counting in one trip, where the cache is a Redis that runs scripts: a window is a hash, with a field for each bucket.

Neither Django nor django-redis has a public way to run a script: this is the only module that uses a cache's client.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha1
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from django.core.cache import BaseCache
from django.core.cache.backends.redis import RedisCache

from . import tally

logger = logging.getLogger("django_smsverify")

TALLY = """
local function tally(key, all, seconds, most)
  if redis.call('EXISTS', key) == 1 then return {redis.call('INCR', key), 0} end
  local subjects = redis.call('INCR', all)
  redis.call('EXPIRE', all, seconds)
  if subjects > tonumber(most) then return {0, subjects} end
  redis.call('SET', key, 1, 'EX', seconds)
  return {1, subjects}
end
"""
COUNT = (
    TALLY
    + """
local before, windows, others = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local found, full = {}, nil
for window = 1, windows do
  local bucket, fields, sum = tonumber(ARGV[3 + 3 * window]), {}, 0
  for place = -before, 1 do fields[#fields + 1] = bucket + place end
  local counts = redis.call('HMGET', KEYS[window], unpack(fields))
  for i = 1, #fields do
    counts[i] = tonumber(counts[i]) or 0
    sum = sum + counts[i]
  end
  found[window] = counts
  if not full and sum >= tonumber(ARGV[4 + 3 * window]) then full = window end
end
for window = 1, full and 0 or windows do
  local key, bucket = KEYS[window], ARGV[3 + 3 * window]
  if redis.call('HINCRBY', key, bucket, 1) == 1 and redis.call('HLEN', key) > 4 * before then
    for _, field in ipairs(redis.call('HKEYS', key)) do
      if tonumber(field) < bucket - before - 1 then redis.call('HDEL', key, field) end
    end
  end
  redis.call('EXPIRE', key, ARGV[5 + 3 * window])
end
local beside, tallied, tallies = {}, {}, #KEYS - windows - others - 1
for i = 1, others do
  local value = redis.call('GET', KEYS[windows + i])
  beside[i] = value and (tonumber(value) or 1)
end
if full and full <= tallies then
  local counted, counts = pcall(tally, KEYS[windows + others + full], KEYS[#KEYS], ARGV[4], ARGV[5])
  if counted then tallied = {full, counts[1], counts[2]} end
end
return {full and found or {}, beside, tallied}
"""
)
GIVE_BACK = (
    TALLY
    + """
local counted = #ARGV - 2
for i = 1, counted do
  local key, bucket = KEYS[i], ARGV[2 + i]
  if (tonumber(redis.call('HGET', key, bucket)) or 0) > 0 then redis.call('HINCRBY', key, bucket, -1) end
end
return #KEYS > counted and tally(KEYS[counted + 1], KEYS[counted + 2], ARGV[1], ARGV[2]) or {}
"""
)

REFUSALS = ("unknown command", "unknown redis command", "crossslot", "noperm", "no permissions")
"""What a cluster, a proxy or a user without the permission answers to a script, in lower case."""

_clients: WeakKeyDictionary[BaseCache, Any] = WeakKeyDictionary()
"""The client of each cache object: Django makes a new one, which is expensive, for each call."""
_without_scripts: set[str] = set()
"""The cache classes whose server refused to run a script: a cluster, or a proxy."""


class Limited(NamedTuple):
    """One window, and its limit."""

    key: str
    bucket: int
    """The number of the current one."""
    times: int
    lifetime: int
    """Seconds for which a bucket may still count."""


class Found(NamedTuple):
    """What the script that counts has found."""

    counts: list[list[int]]
    """What the buckets of each window held, where the request does not fit into all; else empty."""
    beside: dict[str, int]
    """Those of the other keys that exist: their number, or 1 for what is none."""
    tallied: list[int]
    """The place of the first full window, and the counts of `Tallied`; empty where no refusal was counted."""


def count(
    cache: BaseCache, windows: Sequence[Limited], before: int, beside: Sequence[str], tallies: Sequence[str]
) -> Found | None:
    """Adds one to the current bucket of each window if one more fits into all windows.

    In a window count so many buckets before the current one, and the one after it. Else it counts the refusal, if the
    first full window has a tally: `tallies` has a key for each of the first windows, and the last for all. Returns None
    where scripts do not run.
    """
    keys = [window.key for window in windows]
    bounds = [number for window in windows for number in window[1:]]
    numbers = [before, len(windows), len(beside), tally.LIFETIME, tally.MOST_SUBJECTS, *bounds]
    answer = _run(cache, COUNT, [*keys, *beside, *tallies], numbers)
    if answer is None:
        return None
    counts, values, tallied = answer
    found = {key: value for key, value in zip(beside, values, strict=True) if value is not None}
    return Found(counts, found, tallied)


def give_back(cache: BaseCache, buckets: Sequence[tuple[str, int]], tallies: Sequence[str]) -> list[int] | None:
    """Takes one off each bucket, of a window's key, and counts a refusal in these two keys, if they are given.

    Returns the counts of `Tallied`, which are empty without a tally, and None where scripts do not run.
    """
    keys, numbers = [key for key, _ in buckets], [number for _, number in buckets]
    own = [tally.LIFETIME, tally.MOST_SUBJECTS, *numbers]
    answer: list[int] | None = _run(cache, GIVE_BACK, [*keys, *tallies], own)
    return answer


def _run(cache: BaseCache, script: str, keys: Sequence[str], values: Sequence[int]) -> Any:
    client = _client(cache)
    if client is None:
        return None
    from redis.exceptions import NoScriptError, ResponseError

    given = len(keys), *map(cache.make_key, keys), *values
    try:
        try:
            return client.evalsha(_digest(script), *given)
        except NoScriptError:
            return client.eval(script, *given)
    except ResponseError as error:
        why = str(error)
        if not any(refusal in why.lower() for refusal in REFUSALS):
            raise  # a server that cannot write now may run scripts again later
    _without_scripts.add(_name(cache))
    logger.warning("This Redis runs no scripts (%s): the limits are counted one by one.", why)
    return None


@lru_cache(maxsize=8)
def _digest(script: str) -> str:
    """The name by which the server knows a script that it has run."""
    return sha1(script.encode(), usedforsecurity=False).hexdigest()


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
