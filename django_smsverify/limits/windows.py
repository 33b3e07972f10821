"""Rolling windows in any Django cache: a window is twelve buckets, and every bucket that overlaps it is counted.

So no rolling window ever exceeds its limit, and at least eleven twelfths of a limit are usable. A request counts first
and reads afterwards: of two concurrent requests at least one sees the other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from django.core.cache import BaseCache

from django_smsverify.enums import Scope

from . import redis_script, tally
from .cache import COUNT_ATTEMPTS, increment
from .redis_script import Limited
from .tally import Tallied, Tally

BUCKETS = 12
CURRENT = BUCKETS
"""The index of the current bucket in a window: the first one is only partly inside the window, and the last one is for
processes whose clock is ahead."""


@dataclass(frozen=True, slots=True)
class Window:
    """How often one subject may cause an SMS within so many seconds."""

    scope: Scope
    subject: str
    """A keyed digest of what is counted."""
    times: int
    """That of the settings, by which the window is named."""
    seconds: int
    bound: int | None = None
    """How often this request finds room: more than others, or less; None: as the settings say."""
    refusal: str = ""
    """Why a request is refused when the window is full; blank: the scope."""

    @property
    def room(self) -> int:
        """How many requests the window may hold with this one."""
        return self.times if self.bound is None else self.bound

    @property
    def because(self) -> str:
        """Why a request is refused when the window is full."""
        return self.refusal or self.scope

    def bucket(self, now: float) -> int:
        """Returns the number of the bucket at a UNIX time."""
        return math.floor(now * BUCKETS / self.seconds)

    def keys(self, now: float) -> list[str]:
        """Returns the keys of the buckets that count at a UNIX time, the oldest first."""
        present, key = self.bucket(now), self.key
        return [f"{key}:{bucket}" for bucket in range(present - CURRENT, present + 2)]

    def current_key(self, now: float) -> str:
        """Returns the key of the bucket in which a request at a UNIX time is counted."""
        return f"{self.key}:{self.bucket(now)}"

    @property
    def lifetime(self) -> int:
        """Seconds for which a bucket may still count."""
        return math.ceil(self.seconds * (BUCKETS + 2) / BUCKETS) + 1

    def wait(self, counts: Sequence[int], now: float) -> int:
        """Returns the whole seconds until one more fits, given the buckets' counts; 0 when it fits now."""
        too_many = sum(counts) - self.room + 1
        if too_many <= 0:
            return 0
        last = next(place for place, left in enumerate(accumulate(counts)) if left >= too_many)
        free_from = (self.bucket(now) + 1 + last) * self.seconds / BUCKETS
        return max(1, math.ceil(free_from - now))

    @property
    def key(self) -> str:
        """The key of the window, and what the keys of its buckets begin with."""
        return f"smsverify:{self.scope}:{self.subject}:{self.times}:{self.seconds}"


class Counting:
    """Counts one request in all of its windows, or in none, and reads other keys in the same trip.

    A request that its address may not make is tallied: what refuses another is decided later.
    """

    def __init__(
        self, windows: Sequence[Window], now: float, beside: Sequence[str] = (), tally: Tally | None = None
    ) -> None:
        self._windows, self._now, self._beside, self._tally = windows, now, beside, tally
        self.counted: list[tuple[Scope, str]] = []
        """The buckets that counted the request, with their scopes."""
        self.beside: dict[str, int] = {}
        """Those of the other keys that exist: their number, or 1 for what is none."""
        self.tallied: Tallied | None = None

    def count(self, cache: BaseCache) -> list[int]:
        """Returns the seconds to wait in each window; all 0 when the request was counted.

        Raises ConnectionError when the cache keeps nothing.
        """
        waits = self._count_by_script(cache)
        return self._count_each(cache) if waits is None else waits

    def undo(self, cache: BaseCache) -> None:
        """Takes the request off the buckets that counted it."""
        give_back(cache, [key for _, key in self.counted])
        self.counted = []

    def _count_by_script(self, cache: BaseCache) -> list[int] | None:
        """Counts in all windows in one trip; None where the cache runs no scripts."""
        now = self._now
        limits = [Limited(window.key, window.bucket(now), window.room, window.lifetime) for window in self._windows]
        of_address = [window.because for window in self._windows if window.scope == Scope.IP]
        tallies = self._tally.keys(of_address) if self._tally else []
        found = redis_script.count(cache, limits, CURRENT, self._beside, tallies)
        if found is None:
            return None
        self.beside = found.beside
        if found.tallied:
            full, *counts = found.tallied
            self.tallied = Tallied(self._windows[full - 1].because, *counts)
        if found.counts:
            return [window.wait(own, now) for window, own in zip(self._windows, found.counts, strict=True)]
        self.counted = [(window.scope, window.current_key(now)) for window in self._windows]
        return [0] * len(self._windows)

    def _count_each(self, cache: BaseCache) -> list[int]:
        keys, waits = [window.keys(self._now) for window in self._windows], [1]
        try:
            own, found = self._increment_and_read(cache, keys)
            waits = [
                window.wait(_before(buckets, own, found), self._now)
                for window, buckets in zip(self._windows, keys, strict=True)
            ]
            full = next((window for window, wait in zip(self._windows, waits, strict=True) if wait), None)
            if self._tally and full and full.scope == Scope.IP:
                with suppress(Exception):  # it is a refusal all the same
                    self.tallied = Tallied(full.because, *_count_refusal(cache, *self._tally.keys([full.because])))
            return waits
        finally:
            if any(waits):
                self.undo(cache)

    def _increment_and_read(
        self, cache: BaseCache, keys: Sequence[Sequence[str]]
    ) -> tuple[dict[str, int], dict[str, Any]]:
        """The current buckets' counts with this request, and the counts of all buckets."""
        own: dict[str, int] = {}
        found: dict[str, Any] = {}
        every = [*self._beside, *(key for buckets in keys for key in buckets)]
        for _attempt in range(COUNT_ATTEMPTS):
            for window, buckets in zip(self._windows, keys, strict=True):
                if (key := buckets[CURRENT]) not in found:  # not counted yet, or flushed since
                    own[key] = increment(cache, key, window.lifetime)
                    self.counted.append((window.scope, key))
            found = cache.get_many(every)
            self.counted = list(dict.fromkeys(self.counted))
            if own.keys() <= found.keys():
                self.beside = {key: _number(found[key]) for key in self._beside if key in found}
                return own, found
        raise ConnectionError("the cache does not keep what it counts")


def _before(buckets: Sequence[str], own: Mapping[str, int], found: Mapping[str, Any]) -> list[int]:
    """The counts before this request, without what other requests have added since."""
    counts = [int(found.get(key, 0)) for key in buckets]
    counts[CURRENT] = own[buckets[CURRENT]] - 1
    return counts


def _number(value: object) -> int:
    return value if isinstance(value, int) else 1


def give_back(cache: BaseCache, keys: Sequence[str], tallies: Sequence[str] = ()) -> list[int]:
    """Takes one off each of these buckets, if it still exists, and counts a refusal in these two keys, if they are
    given; returns the counts of `Tallied`."""
    if not keys and not tallies:
        return []
    buckets = [(window, int(bucket)) for window, _, bucket in (key.rpartition(":") for key in keys)]
    if (counted := redis_script.give_back(cache, buckets, tallies)) is not None:
        return counted
    for key in keys:
        with suppress(Exception):  # such as ValueError, when the bucket has expired
            if cache.decr(key) < 0:  # flushed after the request was counted
                cache.incr(key)
    return _count_refusal(cache, *tallies) if tallies else []


def _count_refusal(cache: BaseCache, key: str, all_key: str) -> list[int]:
    with suppress(ValueError):  # the first, or it is not counted by itself
        if times := cache.incr(key):
            return [times, 0]
    subjects = increment(cache, all_key, tally.LIFETIME)
    if subjects > tally.MOST_SUBJECTS:
        return [0, subjects]
    return [increment(cache, key, tally.LIFETIME), subjects]
