"""Which of several routes is taken now: the first one whose circuits are closed, or may be tried."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import NamedTuple, TypeVar

from django_smsverify.conf import conf
from django_smsverify.exceptions import OverBudget
from django_smsverify.limits import budget
from django_smsverify.limits.budget_alarms import log_refusal
from django_smsverify.limits.cache import time_limit
from django_smsverify.models import Template
from django_smsverify.models.history import PastSMS

from . import circuits, route_cache, routing
from .circuits import Circuit, Way, ways_of
from .earlier_tries import in_order, rank, ranks_of

T = TypeVar("T")
CLOSED = Circuit(0, 0, "")


class Chosen(NamedTuple):
    """The template by which one SMS is sent."""

    template: Template
    trial: tuple[Way, ...] = ()
    """The ways with an open circuit that this SMS tries: it must be sent, or the trial released."""
    is_trial: bool = False
    """Whether the report of this SMS decides on the open circuit of its carrier."""


def choose(
    templates: Sequence[Template], phone: str = "", without_failures: Container[int] = (), *, is_sender: bool = True
) -> Chosen | None:
    """Returns the first template whose circuits are closed or may now be tried by this caller; None without one.

    Providers that are known to be `without_failures` are not asked about. A caller that only queues a message leaves
    trials to its sender.
    """
    if templates and templates[0].provider_id in without_failures:
        return Chosen(templates[0])
    with time_limit():
        found = circuits.find_open(way for template in templates for way in ways_of(template.provider_id, phone))
        for template in templates:
            opened = [way for way in ways_of(template.provider_id, phone) if way in found]
            if any(found[way].is_resting for way in opened):
                continue
            if not opened or not is_sender:
                return Chosen(template)
            if circuits.may_try(opened):
                return Chosen(template, tuple(opened), any(found[way].cause for way in opened))
    return None


def whatever_is_open(template: Template, phone: str) -> Chosen:
    """Returns this template whatever its circuits are; its report decides on that of the carrier."""
    return _in_spite_of(template, phone, circuits.find_open(ways_of(template.provider_id, phone)))


def _in_spite_of(template: Template, phone: str, found: Mapping[Way, Circuit]) -> Chosen:
    is_trial = any(found.get(way, CLOSED).cause for way in ways_of(template.provider_id, phone))
    return Chosen(template, is_trial=is_trial)


def least_bad(templates: Sequence[Template], phone: str) -> Chosen:
    """Returns the template whose ways failed the fewest times and may be tried soonest; `templates` must not be
    empty."""
    found = circuits.find_open(way for template in templates for way in ways_of(template.provider_id, phone))

    def badness(template: Template) -> tuple[int, float]:
        own = [found.get(way, CLOSED) for way in ways_of(template.provider_id, phone)]
        return max(circuit.trips for circuit in own), max(circuit.until for circuit in own)

    return _in_spite_of(min(templates, key=badness), phone, found)


class RouteChoice:
    """What one request learns of routes and circuits, by its one trip to the cache."""

    def __init__(self, purpose: str, phone: str) -> None:
        self.purpose, self._phone = purpose, phone
        self._asked = route_cache.kept_providers(purpose)
        self.keys = [route_cache.VERSION_KEY, *circuits.marks_of(self._asked)]
        """What the trip must read."""
        self.found: Mapping[str, int] = {}
        self._templates: list[Template] = []
        self._over_budget: dict[int, OverBudget] = {}
        self._trial: tuple[Way, ...] = ()

    def signatures(self) -> frozenset[str]:
        """Returns the signatures that the SMS may have, blank for none, as far as this process knows."""
        routes = route_cache.kept_templates(self.purpose)
        own = [route.signature for route in routes if route.provider.serves(self._phone)]
        return frozenset(signature.text if signature else "" for signature in own)

    @property
    def without_failures(self) -> frozenset[int]:
        """The providers that are known to have no failure lately."""
        return circuits.without_failures(self._asked, self.found)

    def choose(self, order: Callable[[list[Template]], list[Template]] = lambda templates: templates) -> Chosen:
        """Returns the route to try first.

        Raises UnknownPurpose, NoRoute, OverBudget, PhoneNotSupported, ThrottleUnavailable.
        """
        version = self.found.get(route_cache.VERSION_KEY)
        routes = self._within_budget(routing.kept_routes(self.purpose, self._phone, version))
        templates = self._templates = order(budget.affordable(routes, self.purpose))
        is_sender = conf.DISPATCH == "inline"
        chosen = choose(templates, self._phone, self.without_failures, is_sender=is_sender)
        if chosen is None:
            return least_bad(templates, self._phone)
        self._trial = chosen.trial
        return chosen

    def first_affordable(
        self,
        create: Callable[[Chosen], T],
        order: Callable[[list[Template]], list[Template]] = lambda templates: templates,
    ) -> T:
        """Calls `create` with the chosen route and returns its result; with another one where a provider's budget has
        no room. Raises what both raise."""
        while True:
            try:
                return create(self.choose(order))
            except OverBudget as error:
                self.withdraw()
                if error.provider in self._over_budget:
                    raise
                self._over_budget[error.provider] = error

    def _within_budget(self, routes: list[Template]) -> list[Template]:
        """Those whose provider had room; raises OverBudget where none had."""
        left = [template for template in routes if template.provider_id not in self._over_budget]
        if routes and not left:
            error = next(reversed(self._over_budget.values()))
            log_refusal(error)
            raise error
        return left

    def another_way(self, chosen: Chosen, earlier: Sequence[PastSMS]) -> Chosen:
        """Returns a better route than the chosen one for a code that these SMS have, if one is known to be open.

        The cache is not asked: this may be inside a transaction. So a trial that is not made ends after TRY_SECONDS.
        """
        ranks, is_open = ranks_of(earlier), self.without_failures
        best = next((one for one in in_order(self._templates, ranks) if one.provider_id in is_open), chosen.template)
        return Chosen(best) if rank(best, ranks) < rank(chosen.template, ranks) else chosen

    def withdraw(self) -> None:
        """Lets another request make the trial of the chosen route, because this one does not."""
        circuits.release_trial(self._trial)
