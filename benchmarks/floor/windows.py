"""The floor's limits of addresses and number blocks: rolling windows of twelve buckets, counted in one trip."""

from __future__ import annotations

import time
from functools import cache as once
from typing import Any

from django.conf import settings
from django.core.cache import cache

BUCKETS = 12
HOUR, DAY = 3600, 86400
COUNT = """
local now, found = tonumber(ARGV[1]), {}
for i, key in ipairs(KEYS) do
  local bucket, sum = math.floor(now * 12 / ARGV[2 * i + 1]), 0
  local entries = redis.call('HGETALL', key)
  for j = 1, #entries, 2 do
    if tonumber(entries[j]) < bucket - 12 then redis.call('HDEL', key, entries[j]) else sum = sum + entries[j + 1] end
  end
  if sum >= tonumber(ARGV[2 * i]) then return i end
  found[i] = bucket
end
for i, key in ipairs(KEYS) do
  redis.call('HINCRBY', key, found[i], 1)
  redis.call('EXPIRE', key, ARGV[2 * i + 1] * 2)
end
return 0
"""
Window = tuple[str, int, int]
"""A key, how often, and within how many seconds."""


def too_many(address: str, block: str) -> int:
    """Counts a send by its address and its number's block, unless one of them has no more: returns the seconds until it
    may be sent, 0 for now."""
    windows = (f"ip:h:{address}", 30, HOUR), (f"ip:d:{address}", 200, DAY), (f"block:{block}", 60, HOUR)
    full = _by_script(windows) if "redis" in settings.CACHES["default"]["BACKEND"] else _one_by_one(windows)
    return windows[full - 1][2] // BUCKETS if full else 0


def _by_script(windows: tuple[Window, ...]) -> int:
    bounds = [bound for _, *own in windows for bound in own]
    prefix = settings.CACHES["default"]["KEY_PREFIX"]
    full: int = _script()(keys=[f"{prefix}:{key}" for key, _, _ in windows], args=[time.time(), *bounds])
    return full


@once
def _script() -> Any:
    from redis import Redis

    return Redis.from_url(settings.CACHES["default"]["LOCATION"]).register_script(COUNT)


def _one_by_one(windows: tuple[Window, ...]) -> int:
    """Local memory: which window is full, from 1; 0 when the send was counted in all of them."""
    now, currents = time.time(), []
    for place, (key, times, seconds) in enumerate(windows, 1):
        bucket = int(now * BUCKETS / seconds)
        if sum(cache.get_many([f"{key}:{one}" for one in range(bucket - BUCKETS, bucket + 1)]).values()) >= times:
            return place
        currents.append((f"{key}:{bucket}", seconds * 2))
    for key, seconds in currents:
        if not cache.add(key, 1, seconds):
            cache.incr(key)
    return 0
