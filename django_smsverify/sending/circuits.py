"""Circuit breakers: a provider that fails repeatedly is not used for a while, then tried again at growing intervals.

Their state is in the throttle's cache, for all processes. A cache failure neither opens nor closes a circuit: the
limits were already checked before.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from django.core.cache import BaseCache

from django_smsverify.enums import Reason
from django_smsverify.exceptions import GatewayRejected, GatewayUnavailable, GatewayUncertain
from django_smsverify.gateways.base import Outcome
from django_smsverify.limits.cache import call_cache, increment, time_limit
from django_smsverify.models import Provider, Template
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


class Circuit(NamedTuple):
    """The state of an open circuit."""

    until: float
    """The UNIX time from which the provider is tried again."""
    trips: int
    """Failures since it was opened, including the one that opened it."""
    why: str
    """The provider's last error."""

    @property
    def is_resting(self) -> bool:
        """Whether the pause is not over yet."""
        left = self.until - time.time()
        # If more than the longest pause is left, the clock was set back.
        return 0 < left <= LONGEST_PAUSE + MAX_CLOCK_SKEW.total_seconds()


def open_circuits(providers: Iterable[int]) -> dict[int, Circuit]:
    """Returns the open circuits of these providers by primary key; an empty dict when the cache fails."""
    keys = {_key(pk): pk for pk in providers}
    return _ask_cache(lambda cache: {keys[key]: Circuit(*state) for key, state in cache.get_many(keys).items()}, {})


def read(keys: Sequence[str]) -> Mapping[str, Any]:
    """Returns those of the keys that the cache has, by one trip; none when it fails."""
    return _ask_cache(lambda cache: cache.get_many(keys), {})


def keys_of(providers: Iterable[int]) -> list[str]:
    """Returns the cache keys that exist while a provider's circuit is open or it has failed lately."""
    return [_key(pk, what) for pk in providers for what in ("open", "failures")]


def without_failures(providers: Iterable[int], found: Container[str]) -> frozenset[int]:
    """Returns the providers without a failure lately: none of their keys was found."""
    return frozenset(pk for pk in providers if not any(key in found for key in keys_of([pk])))


def choose(templates: Sequence[Template]) -> Template | None:
    """Returns the first template whose provider's circuit is closed or may now be tried by this caller; None without
    one."""
    return choose_or_try(templates)[0]


def choose_or_try(
    templates: Sequence[Template], without_failures: Container[int] = (), *, is_sender: bool = True
) -> tuple[Template | None, bool]:
    """Does what `choose` does; also returns whether this is the trial of the provider, which must be made or released.

    Providers that are known to be `without_failures` are not asked about. A caller that only queues a message leaves
    trials to its sender.
    """
    if templates and templates[0].provider_id in without_failures:
        return templates[0], False
    with time_limit():
        circuits = open_circuits({template.provider_id for template in templates})
        for template in templates:
            circuit = circuits.get(template.provider_id)
            if circuit is None or (not circuit.is_resting and not is_sender):
                return template, False
            if not circuit.is_resting and _may_try(template.provider_id):
                return template, True
    return None, False


def least_bad(templates: Sequence[Template]) -> Template:
    """Returns the template whose provider failed the fewest times and may be tried soonest; `templates` must not be
    empty."""
    circuits = open_circuits({template.provider_id for template in templates})
    closed = Circuit(0, 0, "")

    def badness(template: Template) -> tuple[int, float]:
        circuit = circuits.get(template.provider_id, closed)
        return circuit.trips, circuit.until

    return min(templates, key=badness)


def note(provider: Provider, outcomes: Iterable[Outcome], *, has_no_failures: bool = False) -> None:
    """Updates the circuit of a provider from the outcomes of one call.

    A success changes nothing where the provider is known to have no failures lately.
    """
    by_health = {is_healthy(outcome): outcome for outcome in outcomes}
    if True in by_health:
        if not has_no_failures:
            close(provider)
    elif False in by_health:
        _fail(provider, str(by_health[False]))
    else:
        release_trial(provider.pk)


def release_trial(provider: int) -> None:
    """Lets another request try a provider whose pause is over, after one that told nothing or never began."""
    _ask_cache(lambda cache: cache.delete(_key(provider, "try")), False)


def close(provider: Provider) -> None:
    """Closes the circuit of a provider, after a success or by an operator."""
    if _ask_cache(lambda cache: _forget(cache, provider.pk), False):
        logger.warning("The circuit of %s is closed.", provider.slug)
        circuit_changed.send_robust(Provider, provider=provider, circuit=None)


def _forget(cache: BaseCache, provider: int) -> bool:
    """Deletes the circuit's state; returns whether it was open."""
    keys = [_key(provider, what) for what in ("open", "try", "failures")]
    was_open = cache.get(keys[0]) is not None
    cache.delete_many(keys)
    return was_open


def _fail(provider: Provider, why: str) -> None:
    circuit = _ask_cache(lambda cache: _count_failure(cache, provider.pk, why), None)
    if circuit is None:
        return
    if circuit.trips > 1:
        logger.error("The circuit of %s stays open for %d s: %s", provider.slug, _pause(circuit.trips), why)
        return
    logger.error("The circuit of %s is open for %d s: %s", provider.slug, FIRST_PAUSE, why)
    circuit_changed.send_robust(Provider, provider=provider, circuit=circuit)


def _count_failure(cache: BaseCache, provider: int, why: str) -> Circuit | None:
    """The circuit, if this failure opened or extended it."""
    state = cache.get(_key(provider))
    if state is not None:
        return _extend(cache, provider, Circuit(*state), why)
    if increment(cache, _key(provider, "failures"), FAILURES_COUNT_FOR) < FAILURES:
        return None
    circuit = Circuit(time.time() + FIRST_PAUSE, 1, why)
    if not cache.add(_key(provider), tuple(circuit), FIRST_PAUSE + CLOSED_AFTER):
        return None
    cache.delete(_key(provider, "failures"))
    return circuit


def _extend(cache: BaseCache, provider: int, circuit: Circuit, why: str) -> Circuit | None:
    """Extends an open circuit. A failure during the pause does not: its call began before, or had no other route."""
    if circuit.is_resting:
        return None
    trips = circuit.trips + 1
    longer = Circuit(time.time() + _pause(trips), trips, why)
    cache.set(_key(provider), tuple(longer), _pause(trips) + CLOSED_AFTER)
    cache.delete(_key(provider, "try"))
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


def _may_try(provider: int) -> bool:
    """Whether this caller, and no other, may now try a provider whose pause is over."""
    return _ask_cache(lambda cache: cache.add(_key(provider, "try"), 1, TRY_SECONDS), False)


def _key(provider: int, what: str = "open") -> str:
    return f"smsverify:circuit:{what}:{provider}"


def _ask_cache(ask: Callable[[BaseCache], T], fallback: T) -> T:
    """Calls the throttle's cache; returns `fallback` when it fails, because sending must go on."""
    try:
        return call_cache(ask)
    except Exception as error:
        logger.error("The throttle's cache failed (%s): circuit breakers are left as they are.", type(error).__name__)
    return fallback
