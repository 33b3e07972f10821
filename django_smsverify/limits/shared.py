"""The limits of an address, a number block and the site, counted in the cache in django-ratelimit's windows."""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from django.core.cache import BaseCache

# Not get_usage(): it cannot give back what it took, and RATELIMIT_ENABLE or RATELIMIT_FAIL_OPEN would open it.
from django_ratelimit.core import _get_window, _make_cache_key

from django_smsverify import phones
from django_smsverify.addresses import unwrapped
from django_smsverify.conf import Limit, conf
from django_smsverify.enums import Scope
from django_smsverify.exceptions import Throttled

from .cache import ask_or_refuse, call_cache, digest, increment

SHARED = (Scope.PREFIX, Scope.GLOBAL)
"""What an SMS that nobody took gives back. Not the address: it would call the vendors without end."""


class Toll:
    """What one send has taken from the cached limits, to be given back when it is refused after all."""

    def __init__(self) -> None:
        self._taken: list[tuple[Scope, str]] = []

    def take(self, scope: Scope, subject: str, limits: Sequence[Limit]) -> None:
        """Counts one send against each limit of a scope; raises Throttled with the longest wait."""
        value = digest(scope, subject)
        waits = [self._count(scope, value, limit) for limit in limits]
        if any(waits):
            raise Throttled(scope, max(waits))

    @classmethod
    def of(cls, phone: str, taken_at: datetime) -> Toll:
        """What a send to a number took of the shared limits some time ago, as far as their windows are not over."""
        toll, since = cls(), taken_at.timestamp()
        for scope, subject, limits in shared_limits(phone):
            value = digest(scope, subject)
            windows = [(_get_window(value, limit.seconds), limit) for limit in limits]
            current = [(window, limit) for window, limit in windows if since > window - limit.seconds]
            toll._taken += [(scope, _counter(scope, window, limit, value)) for window, limit in current]
        return toll

    def _count(self, scope: Scope, value: str, limit: Limit) -> int:
        window = _get_window(value, limit.seconds)
        key = _counter(scope, window, limit, value)
        count = ask_or_refuse(
            lambda cache: increment(cache, key, limit.seconds), lambda cache: _give_back(cache, [key])
        )
        self._taken.append((scope, key))
        # A window's last second is `window` itself.
        return max(1, math.ceil(window + 1 - time.time())) if count > limit.times else 0

    def refund(self, *scopes: Scope) -> None:
        """Gives back what was taken for these scopes; a window that is over or a cache that is gone needs nothing."""
        keys = [key for scope, key in self._taken if scope in scopes]
        if keys:
            with suppress(Exception):
                call_cache(lambda cache: _give_back(cache, keys))
        self._taken = [taken for taken in self._taken if taken[0] not in scopes]


def _give_back(cache: BaseCache, keys: Sequence[str]) -> None:
    for key in keys:
        with suppress(Exception):
            if cache.decr(key) < 0:  # flushed since it was taken
                cache.incr(key)


def shared_limits(phone: str) -> list[tuple[Scope, str, Sequence[Limit]]]:
    """The limits that many numbers share: of whom, and how many."""
    return [(Scope.PREFIX, phones.block(phone), conf.PREFIX_LIMITS), (Scope.GLOBAL, "site", conf.GLOBAL_LIMITS)]


def _counter(scope: Scope, window: int, limit: Limit, value: str) -> str:
    return str(_make_cache_key(f"smsverify.{scope}", window, limit, value, None))


def network(ip: str) -> str:
    """The address that is counted: IPv4 whole, IPv6 by /64, and IPv6 that stands for an IPv4 by that IPv4.

    One IPv4 owns 65,536 networks of 6to4, and behind NAT64 all of them stand in one.
    """
    address = unwrapped(ipaddress.ip_address(ip))
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.IPv6Network((int(address), 64), strict=False))
