"""Vendors of the simulated world: what each does with an SMS is decided when it gets it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from django_smsverify.carriers.blocks import carrier_of
from django_smsverify.enums import Carrier, DeliveryOutcome, ReportSource
from django_smsverify.exceptions import GatewayUnavailable, GatewayUncertain
from django_smsverify.gateways.base import Gateway, Outcome
from django_smsverify.models import Provider
from django_smsverify.reports.storing import store_events
from django_smsverify.types import Acceptance, DeliveryEvent, News, OutgoingSMS

from .world import World


@dataclass(frozen=True)
class Fate:
    """What becomes of one SMS; seconds count from when the vendor gets it."""

    answered_after: float = 0.2
    refusal: Outcome | None = None
    """The answer, if it is no acceptance."""
    arrives_after: float | None = None
    reported_after: float | None = None
    code: str = ""
    """That of the report of a failure."""


Behaviour = Callable[[World, Carrier | None], Fate]


def works(world: World, carrier: Carrier | None) -> Fate:
    """Delivers in one to four seconds."""
    seconds = world.rng.uniform(1, 4)
    return Fate(arrives_after=seconds, reported_after=seconds)


def is_slow(world: World, carrier: Carrier | None) -> Fate:
    """Answers after eight seconds; the SMS arrives soon after."""
    seconds = 8 + world.rng.uniform(1, 4)
    return Fate(answered_after=8, arrives_after=seconds, reported_after=seconds)


def is_dead(world: World, carrier: Carrier | None) -> Fate:
    """Cannot be reached."""
    return Fate(refusal=GatewayUnavailable("connection refused"))


def is_silent(world: World, carrier: Carrier | None) -> Fate:
    """Reads requests and never answers; nothing is sent."""
    return Fate(answered_after=10, refusal=GatewayUncertain("no answer"))


def fails_at(carrier: Carrier, code: str, until: float = float("inf")) -> Behaviour:
    """Takes all, and reports a failure for one carrier's numbers after two to eight seconds."""

    def behave(world: World, of: Carrier | None) -> Fate:
        if of != carrier or world.now >= until:
            return works(world, of)
        return Fate(reported_after=world.rng.uniform(2, 8), code=code)

    return behave


def swallows_at(carrier: Carrier) -> Behaviour:
    """Takes all, and neither delivers nor reports those of one carrier."""
    return lambda world, of: Fate() if of == carrier else works(world, of)


class SimulatedGateway(Gateway):
    """Does what the behaviour of its vendor says."""

    local = True
    world: ClassVar[World]
    behaviours: ClassVar[Mapping[str, Behaviour]] = {}

    def transmit(self, sms: OutgoingSMS) -> dict[str, Outcome]:
        return {phone: self._take(phone, values["code"]) for phone, values in sms.recipients.items()}

    def _take(self, phone: str, code: str) -> Outcome:
        name, world = type(self).__name__.lower(), self.world
        fate = self.behaviours[name](world, carrier_of(phone))
        remote_id = f"{name} {phone} {world.now}"
        if fate.arrives_after is not None:
            world.after(fate.arrives_after, lambda: world.arrive(phone, code))
        if fate.reported_after is not None:
            world.after(fate.reported_after, lambda: report(name, phone, remote_id, fate.code))
        world.wait(fate.answered_after)
        return fate.refusal or Acceptance(remote_id=remote_id)


def report(slug: str, phone: str, remote_id: str, code: str) -> None:
    """Pushes a report; without a code, of a delivery."""
    outcome = DeliveryOutcome.UNDELIVERED if code else DeliveryOutcome.DELIVERED
    event = DeliveryEvent(remote_id=remote_id, phone=phone, outcome=outcome, code=code or "DELIVRD")
    store_events(Provider.objects.get(slug=slug), News(events=(event,)), ReportSource.PUSH)


class First(SimulatedGateway):
    """The vendor that is tried first."""

    label = "First"


class Second(SimulatedGateway):
    """The vendor that is tried after the first one."""

    label = "Second"


VENDORS = {"first": First, "second": Second}
