"""Circuit breakers: a way that fails repeatedly is not used for a while, then tried again at growing intervals.

A way is a provider, or a provider for the numbers of one carrier. Their state is in the throttle's cache, for all
processes. A cache failure neither opens nor closes a circuit: the limits were already checked before.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from django.core.cache import BaseCache

from django_smsverify import events
from django_smsverify.carriers.blocks import carrier_of
from django_smsverify.enums import Carrier, Reason
from django_smsverify.exceptions import GatewayRejected, GatewayUnavailable, GatewayUncertain
from django_smsverify.gateways.base import Outcome
from django_smsverify.limits.cache import call_cache, increment
from django_smsverify.models import Provider
from django_smsverify.models.history import MAX_CLOCK_SKEW
from django_smsverify.signals import circuit_changed

T = TypeVar("T")
logger = logging.getLogger("django_smsverify")

FAILURES = 5
"""This many failures in a row open a circuit."""
FAILURES_COUNT_FOR = 600
"""Seconds after the first failure until the count starts again."""
FIRST_PAUSE, LONGEST_PAUSE = 30, 600
"""Seconds until an open circuit is tried again; the pause doubles with each failed try, up to the longest."""
TRY_SECONDS = 60
"""Seconds that one try may take before another request may try."""
CLOSED_AFTER = 3600
"""Seconds without any try after which a circuit is closed again."""
MARKED_FOR = LONGEST_PAUSE + CLOSED_AFTER
"""Seconds after the last failure until the mark of a provider is gone: as long as anything of its circuits is kept."""


class Way(NamedTuple):
    """What has a circuit: a provider, or a provider for the numbers of one carrier."""

    provider: int
    carrier: str = ""

    def key(self, what: str = "state") -> str:
        """The cache key of the open circuit's state, of its `try`, or of the `failures` before it opens."""
        carrier = f":{self.carrier}" if self.carrier else ""
        return f"smsverify:circuit:{what}:{self.provider}{carrier}"

    @property
    def keys(self) -> list[str]:
        """All its cache keys."""
        return [self.key(what) for what in ("state", "try", "failures")]


class Circuit(NamedTuple):
    """The state of an open circuit."""

    until: float
    """The UNIX time from which the way is tried again."""
    trips: int
    """Failures since it was opened, including the one that opened it."""
    why: str
    """The last error; the last code where reports opened it."""
    cause: str = ""
    """The Cause, where reports opened it, which only the report of a delivery closes; `unknown` where it is guessed by
    count. Blank where the vendor's answers opened it, which its acceptance closes."""

    @property
    def is_resting(self) -> bool:
        """Whether the pause is not over yet."""
        left = self.until - time.time()
        # If more than the longest pause is left, the clock was set back.
        return 0 < left <= LONGEST_PAUSE + MAX_CLOCK_SKEW.total_seconds()


def ways_of(provider: int, phone: str) -> list[Way]:
    """Returns the ways that an SMS to this number takes at a provider."""
    carrier = carrier_of(phone)
    return [Way(provider), *([Way(provider, carrier)] if carrier else [])]


def open_circuits(providers: Iterable[int]) -> dict[int, Circuit]:
    """Returns the open circuits of these providers by primary key; an empty dict when the cache fails."""
    return {way.provider: circuit for way, circuit in find_open(map(Way, providers)).items()}


def find_open(ways: Iterable[Way]) -> dict[Way, Circuit]:
    """Returns the open circuits of these ways; an empty dict when the cache fails."""
    keys = {way.key(): way for way in ways}
    return _ask_cache(lambda cache: {keys[key]: Circuit(*state) for key, state in cache.get_many(keys).items()}, {})


def read(keys: Sequence[str]) -> Mapping[str, Any]:
    """Returns those of the keys that the cache has, by one trip; none when it fails."""
    return _ask_cache(lambda cache: cache.get_many(keys), {})


def marks_of(providers: Iterable[int]) -> list[str]:
    """Returns the cache keys that exist while a provider has an open circuit or has failed lately, on any way."""
    return [_mark_of(pk) for pk in providers]


def without_failures(providers: Iterable[int], found: Container[str]) -> frozenset[int]:
    """Returns the providers without a failure lately: their mark was not found."""
    return frozenset(pk for pk in providers if _mark_of(pk) not in found)


def note(provider: Provider, outcomes: Iterable[Outcome], *, phone: str = "", has_no_failures: bool = False) -> None:
    """Updates the circuits of a provider from the outcomes of one call; `phone` is its number if it had only one.

    A success changes nothing where the provider is known to have no failures lately.
    """
    by_health = {is_healthy(outcome): outcome for outcome in outcomes}
    ways = ways_of(provider.pk, phone)
    if True in by_health:
        if not has_no_failures:
            _close(provider, ways)
    elif False in by_health:
        _fail(provider, ways, str(by_health[False]))
    else:
        release_trial(ways)


def release_trial(ways: Sequence[Way]) -> None:
    """Lets another request try ways whose pause is over, after one that told nothing or never began."""
    if ways:
        _ask_cache(lambda cache: cache.delete_many([way.key("try") for way in ways]), None)


def close(provider: Provider) -> None:
    """Closes all circuits of a provider, by an operator."""
    _close(provider, _all_ways(provider.pk), even_by_reports=True)


def close_by_report(provider: Provider, way: Way) -> None:
    """Closes the circuit of a way by which an SMS was delivered."""
    _close(provider, [way], even_by_reports=True)


def open_by_reports(provider: Provider, way: Way, cause: str, why: str) -> None:
    """Opens the circuit of a way by which SMS are not delivered, unless it is open."""
    _tell(provider, way, _change(way, lambda cache: _open(cache, way, why, cause), None))


def extend_by_report(provider: Provider, way: Way, why: str) -> None:
    """Extends the pause of a way that was tried: that SMS was not delivered either."""

    def extend(cache: BaseCache) -> Circuit | None:
        state = cache.get(way.key())
        return None if state is None else _extend(cache, way, Circuit(*state), why)

    _tell(provider, way, _change(way, extend, None))


def _all_ways(provider: int) -> list[Way]:
    return [Way(provider, carrier) for carrier in ("", *Carrier.values)]


def _mark_of(provider: int) -> str:
    return Way(provider).key("mark")


def _change(way: Way, change: Callable[[BaseCache], T], fallback: T) -> T:
    """Calls the cache, and marks the provider, so that requests ask for its circuits: before, because the process may
    die in between, and after, because another may just delete the mark."""

    def change_and_mark(cache: BaseCache) -> T:
        cache.set(_mark_of(way.provider), 1, MARKED_FOR)
        result = change(cache)
        cache.set(_mark_of(way.provider), 1, MARKED_FOR)
        return result

    return _ask_cache(change_and_mark, fallback)


def _close(provider: Provider, ways: Sequence[Way], *, even_by_reports: bool = False) -> None:
    none: list[Way] = []
    for way in _ask_cache(lambda cache: _forget(cache, provider.pk, ways, even_by_reports), none):
        logger.warning("The circuit of %s is closed.", _name(provider, way))
        events.emit("circuit.changed", state="closed", provider=provider.slug, carrier=way.carrier or None)
        circuit_changed.send_robust(Provider, provider=provider, circuit=None, carrier=way.carrier)


def _forget(cache: BaseCache, provider: int, ways: Sequence[Way], even_by_reports: bool) -> list[Way]:
    """Deletes the circuits' state; returns the ways whose circuit was open."""
    mark, every = _mark_of(provider), [key for way in _all_ways(provider) for key in way.keys]
    found = cache.get_many([mark, *every])
    states = {way: Circuit(*found[way.key()]) for way in ways if way.key() in found}
    closed = [way for way in ways if even_by_reports or way not in states or not states[way].cause]
    if stored := [key for way in closed for key in way.keys if key in found]:
        cache.delete_many(stored)
    if mark in found and found.keys() <= {mark, *stored}:
        cache.delete(mark)
        if cache.get_many(every):  # stored meanwhile, perhaps before its mark was deleted here
            cache.set(mark, 1, MARKED_FOR)
    return [way for way in closed if way in states]


def _fail(provider: Provider, ways: Sequence[Way], why: str) -> None:
    """Counts a failure for each way, the provider first; while that one is open, carriers are not to blame."""
    unchanged: tuple[Circuit | None, bool] = (None, False)
    for way in ways:
        circuit, is_open = _change(way, partial(_count_failure, way=way, why=why), unchanged)
        _tell(provider, way, circuit)
        if is_open:
            break


def _tell(provider: Provider, way: Way, circuit: Circuit | None) -> None:
    """Logs a circuit that was opened or extended just now, if it was; sends the signal if it was opened."""
    if circuit is None:
        return
    name, why = _name(provider, way), circuit.why
    state, cause = "extended" if circuit.trips > 1 else "open", circuit.cause or None
    events.emit("circuit.changed", state=state, provider=provider.slug, carrier=way.carrier or None, cause=cause)
    if circuit.trips > 1:
        logger.error("The circuit of %s stays open for %d s: %s", name, _pause(circuit.trips), why)
        return
    logger.error("The circuit of %s is open for %d s: %s", name, FIRST_PAUSE, why)
    circuit_changed.send_robust(Provider, provider=provider, circuit=circuit, carrier=way.carrier)


def _name(provider: Provider, way: Way) -> str:
    return f"{provider.slug} for {way.carrier}" if way.carrier else provider.slug


def _count_failure(cache: BaseCache, way: Way, why: str) -> tuple[Circuit | None, bool]:
    """The circuit, if this failure opened or extended it; and whether it is open."""
    state = cache.get(way.key())
    if state is not None:
        return _extend(cache, way, Circuit(*state), why), True
    if increment(cache, way.key("failures"), FAILURES_COUNT_FOR) < FAILURES:
        return None, False
    circuit = _open(cache, way, why)
    if circuit is not None:
        cache.delete(way.key("failures"))
    return circuit, True


def _open(cache: BaseCache, way: Way, why: str, cause: str = "") -> Circuit | None:
    """The circuit that this caller, and no other, has opened."""
    circuit = Circuit(time.time() + FIRST_PAUSE, 1, why, cause)
    return circuit if cache.add(way.key(), tuple(circuit), FIRST_PAUSE + CLOSED_AFTER) else None


def _extend(cache: BaseCache, way: Way, circuit: Circuit, why: str) -> Circuit | None:
    """Extends an open circuit. A failure during the pause does not: its call began before, or had no other route."""
    if circuit.is_resting:
        return None
    trips = circuit.trips + 1
    longer = circuit._replace(until=time.time() + _pause(trips), trips=trips, why=why)
    cache.set(way.key(), tuple(longer), _pause(trips) + CLOSED_AFTER)
    cache.delete(way.key("try"))
    return longer


def _pause(trips: int) -> int:
    """Seconds of the pause after this many failures."""
    return int(min(FIRST_PAUSE * 2 ** min(trips - 1, 16), LONGEST_PAUSE))


def is_healthy(outcome: Outcome) -> bool | None:
    """Whether the provider works, as this outcome shows; None if it shows neither, as for refused content or a pace
    limit."""
    if isinstance(outcome, (GatewayUnavailable, GatewayUncertain)):
        return False
    if isinstance(outcome, GatewayRejected):
        return {Reason.ACCOUNT: False, Reason.RECIPIENT: True}.get(outcome.reason)
    return True


def may_try(ways: Sequence[Way]) -> bool:
    """Whether this caller, and no other, may now try ways whose pause is over."""
    taken: list[Way] = []
    for way in ways:
        if not _ask_cache(partial(_take_trial, way=way), False):
            if taken:
                release_trial(taken)
            return False
        taken.append(way)
    return True


def _take_trial(cache: BaseCache, way: Way) -> bool:
    return bool(cache.add(way.key("try"), 1, TRY_SECONDS))


def _ask_cache(ask: Callable[[BaseCache], T], fallback: T) -> T:
    """Calls the throttle's cache; returns `fallback` when it fails, because sending must go on."""
    try:
        return call_cache(ask)
    except Exception as error:
        logger.error("The throttle's cache failed (%s): circuit breakers are left as they are.", type(error).__name__)
    return fallback
