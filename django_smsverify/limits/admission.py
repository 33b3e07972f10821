"""Who may cause an SMS now.

One number's own limits are exact: they are read from the messages in the database, while the number's
Recipient row is held. Address, number block and site are counted in the cache in django-ratelimit's windows.
"""

from __future__ import annotations

import ipaddress
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import uuid4

from django.core.cache import BaseCache
from django.utils import timezone
from django.utils.crypto import salted_hmac

# Not get_usage(): it cannot give back what it took, and RATELIMIT_ENABLE or RATELIMIT_FAIL_OPEN would open it.
from django_ratelimit.core import EXPIRATION_FUDGE, _get_window, _make_cache_key

from django_smsverify import phones
from django_smsverify.conf import Limit, conf
from django_smsverify.enums import Scope
from django_smsverify.exceptions import Throttled, ThrottleUnavailable
from django_smsverify.gateways.transport.hosts import unwrapped
from django_smsverify.models import Message, Recipient, Verification
from django_smsverify.models.querysets import MAX_CLOCK_SKEW, MessageQuerySet

from .cache import cache_alias, call_cache

R = TypeVar("R")
logger = logging.getLogger("django_smsverify")

LOCK_SECONDS = 10
"""A claim takes milliseconds; after this a lock that a dead process left is void."""
LOCK_WAIT, LOCK_PAUSE = 2.0, 0.02
"""Seconds that a request waits for a lock, and between two looks at it."""
SHARED = (Scope.PREFIX, Scope.GLOBAL)
"""What an SMS that nobody took gives back. Not the address: it would call the vendors without end."""
COUNT_ATTEMPTS = 5
"""A counter may be flushed between the question whether it is there and the counting."""


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
        for scope, subject, limits in _shared(phone):
            value = digest(scope, subject)
            windows = [(_get_window(value, limit.seconds), limit) for limit in limits]
            current = [(window, limit) for window, limit in windows if since > window - limit.seconds]
            toll._taken += [(scope, _counter(scope, window, limit, value)) for window, limit in current]
        return toll

    def _count(self, scope: Scope, value: str, limit: Limit) -> int:
        window = _get_window(value, limit.seconds)
        key = _counter(scope, window, limit, value)
        count = _cached(lambda cache: increment(cache, key, limit.seconds), lambda cache: _give_back(cache, [key]))
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


def _shared(phone: str) -> list[tuple[Scope, str, Sequence[Limit]]]:
    """The limits that many numbers share: of whom, and how many."""
    return [(Scope.PREFIX, phones.block(phone), conf.PREFIX_LIMITS), (Scope.GLOBAL, "site", conf.GLOBAL_LIMITS)]


def _counter(scope: Scope, window: int, limit: Limit, value: str) -> str:
    return str(_make_cache_key(f"smsverify.{scope}", window, limit, value, None))


@contextmanager
def admission(phone: str, ip: str | None) -> Iterator[Toll]:
    """Passes the limits in their order, address, number, block, site, and holds the number for the body.

    When one of them or the body refuses, what was taken before is given back.

    Raises Throttled or ThrottleUnavailable.
    """
    toll = Toll()
    try:
        if ip is not None:
            toll.take(Scope.IP, network(ip), conf.IP_LIMITS)
        with number_lock(phone):
            check_number(phone, timezone.now())
            for scope, subject, limits in _shared(phone):
                toll.take(scope, subject, limits)
            yield toll
    except BaseException:
        toll.refund(*Scope)
        raise


@contextmanager
def number_lock(phone: str) -> Iterator[None]:
    """Lets one request at a time ask the database about a number; what is exact is decided there.

    The others wait for the moment that this takes, to be told the truth. Raises Throttled when it takes much
    longer, as after a crash.
    """
    key, token = f"smsverify:number:{digest(Scope.PHONE, phone)}", uuid4().hex
    until = time.monotonic() + LOCK_WAIT
    while not _cached(
        lambda cache: _acquire(cache, key, token), lambda cache: _release(cache, key, token), is_poll=True
    ):
        if time.monotonic() > until:
            raise Throttled(Scope.RESEND, LOCK_SECONDS)
        time.sleep(LOCK_PAUSE)
    try:
        yield
    finally:
        with suppress(Exception):
            call_cache(lambda cache: _release(cache, key, token))


def _acquire(cache: BaseCache, key: str, token: str) -> bool:
    """Whether the lock is ours. Some backends answer a dead server with False and None, as they do a lock that was
    let go in between: whether a key that nobody else has can be kept tells the two apart."""
    if cache.add(key, token, LOCK_SECONDS):
        return True
    if cache.get(key) is None and not cache.add(f"{key}:{uuid4().hex}", 1, 1):
        raise ConnectionError("the cache keeps no lock")
    return False


def _release(cache: BaseCache, key: str, token: str) -> None:
    if cache.get(key) == token:
        cache.delete(key)


def hold(recipient: Recipient) -> None:
    """Takes the number's row for the rest of the transaction.

    A write comes first: SQLite refuses to turn a reader into a writer under load.
    """
    Recipient.objects.primary().filter(pk=recipient.pk).update(claimed_at=timezone.now())


def check_number(phone: str, now: datetime, *, but: Message | None = None) -> None:
    """The number's own limits over every rolling window, without one message; raises Throttled with the longest
    wait."""
    limits = [
        (Scope.RESEND, Limit(1, conf.RESEND_INTERVAL)),
        *((Scope.PHONE, limit) for limit in conf.PHONE_LIMITS),
    ]
    longest = timedelta(seconds=max(limit.seconds for _, limit in limits))
    messages = Message.objects.primary().exclude(pk=but.pk) if but else Message.objects.primary()
    spent = _charged(messages, phone, now - longest, now)
    waits = [(_wait(spent, limit, now), scope) for scope, limit in limits]
    seconds, scope = max(waits, key=lambda wait: wait[0])
    if seconds > 0:
        raise Throttled(scope, seconds)


def _charged(messages: MessageQuerySet, phone: str, since: datetime, now: datetime) -> list[datetime]:
    """When the number's allowance was spent, newest first.

    Where the clock was set back, SMS lie ahead of it. Nobody can say how long ago they were sent; they are moved back
    until the newest is of this moment. Thus no wait is longer than its window, and no window holds one more.
    """
    spent = messages.charged(phone, since)
    if spent and spent[0] > now + MAX_CLOCK_SKEW:
        messages.move_back(phone, spent[0] - now, now)
        spent = messages.charged(phone, since)
    return spent


def _wait(spent: Sequence[datetime], limit: Limit, now: datetime) -> int:
    """Whole seconds until one more fits into the window, never more than it has; `spent` is newest first."""
    if len(spent) < limit.times:
        return 0
    free_at = spent[limit.times - 1] + timedelta(seconds=limit.seconds)
    return min(limit.seconds, max(0, math.ceil((free_at - now).total_seconds())))


def resend_wait(verification: Verification, now: datetime) -> int:
    """Whole seconds until the pause after a verification's own last SMS is over; 0 once it can no longer verify.

    Other SMS to the number do not count: whoever has an id, maybe of long ago, would be told of each of them.
    """
    if not verification.is_live(now):
        return 0
    pause = Limit(1, conf.RESEND_INTERVAL)
    own = Message.objects.primary().filter(verification=verification)
    return _wait(own.charged(verification.phone, now - timedelta(seconds=pause.seconds)), pause, now)


def allowed_guesses(phone: str, purpose: str, now: datetime) -> int:
    """How many guesses a new verification gets; at least one, so that no stranger locks the owner out."""
    limit = conf.GUESS_LIMIT
    since = now - timedelta(seconds=limit.seconds)
    spent = Verification.objects.primary().guesses(phone, since, now)
    return int(max(1, min(conf.of(purpose).MAX_ATTEMPTS, limit.times - spent)))


def network(ip: str) -> str:
    """The address that is counted: IPv4 whole, IPv6 by /64, and IPv6 that stands for an IPv4 by that IPv4.

    One IPv4 owns 65,536 networks of 6to4, and behind NAT64 all of them stand in one.
    """
    address = unwrapped(ipaddress.ip_address(ip))
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.IPv6Network((int(address), 64), strict=False))


def digest(scope: Scope, subject: str) -> str:
    """What stands for a number or an address in a cache key."""
    return salted_hmac(f"django_smsverify.throttling.{scope}", subject, algorithm="sha256").hexdigest()


def increment(cache: BaseCache, key: str, seconds: int) -> int:
    """Counts one more, from 1, for so many seconds after the first; raises when the cache does not count."""
    for _attempt in range(COUNT_ATTEMPTS):
        if cache.add(key, 1, seconds + EXPIRATION_FUDGE):
            return 1
        with suppress(ValueError):  # gone since, as after a flush
            count: int | None = cache.incr(key)
            if count is not None and count is not False:
                return count
    raise ConnectionError("the cache does not count")


def _cached(ask: Callable[[BaseCache], R], undo: Callable[[BaseCache], object], *, is_poll: bool = False) -> R:
    """Asks the cache; raises ThrottleUnavailable when it does not answer in time, whatever its client raises.

    `undo` takes back what an answer that comes too late has taken.
    """
    try:
        return call_cache(ask, undo, is_poll=is_poll)
    except Exception as error:
        logger.error("The throttle's cache %r failed (%s): nothing is sent.", cache_alias(), type(error).__name__)
    raise ThrottleUnavailable
