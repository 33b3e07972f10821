"""What is simulated, and what came of it for those who wait."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from django.apps import apps

from django_smsverify.enums import Carrier, MessageStatus, ReviewStatus
from django_smsverify.models import Message, Provider, Signature, Template
from django_smsverify.sending import later

from .vendors import VENDORS, Behaviour, SimulatedGateway, fails_at, is_dead, is_silent, is_slow, swallows_at, works
from .world import Person, World, seconds_of

SOON = 15.0
"""Seconds within which a person should have a code."""
TELECOM = Carrier.TELECOM
HEALED = 1800.0
"""When a vendor that failed at one carrier works again."""


@dataclass(frozen=True)
class Scenario:
    """How the first vendor behaves; the second one works."""

    name: str
    first: Behaviour
    settings: Mapping[str, Any] = field(default_factory=dict)
    is_large: bool = False
    """Whether it needs all the people."""


BLIND = fails_at(TELECOM, "SIGNERR", until=HEALED)
NO_FAILOVER = {"REPORT_FAILOVER": False}
SCENARIOS = (
    Scenario("works", works),
    Scenario("fails at Telecom for half an hour", BLIND, is_large=True),
    Scenario("the same, with ``REPORT_FAILOVER`` off", BLIND, NO_FAILOVER, is_large=True),
    Scenario("fails at Telecom, by a code of uncertain meaning", fails_at(TELECOM, "DB:0151")),
    Scenario("fails at Telecom, as if the numbers were not in use", fails_at(TELECOM, "MK:0001")),
    Scenario("swallows SMS to Telecom, without a report", swallows_at(TELECOM)),
    Scenario("cannot be reached", is_dead),
    Scenario("never answers", is_silent),
    Scenario("answers after eight seconds", is_slow),
)


@dataclass(frozen=True)
class Result:
    """What came of a scenario."""

    affected: Sequence[Person]
    """The people of the carrier Telecom."""
    others: Sequence[Person]
    lost_at_first: int
    """SMS to Telecom's numbers whose failure was reported until the circuit opened."""
    under_way: int
    """Further ones that had been handed over by then, and failed."""
    lost_later: int
    """Further ones, which tried the way again."""
    back_after: float | None
    """Seconds from the end of the fault until the circuit was closed."""
    sms: int

    @staticmethod
    def soon(people: Sequence[Person]) -> float:
        """The share of people who had a code soon, and verified by it."""
        return sum(person.waited <= SOON and person.is_verified for person in people) / len(people)


def simulate(scenario: Scenario, people: int, pause: float) -> Result:
    """Runs a scenario, with so many people of each carrier, on empty tables, which are empty again afterwards."""
    world = SimulatedGateway.world = World()
    SimulatedGateway.behaviours = {"first": scenario.first, "second": works}
    gateways = {name: f"{kind.__module__}.{kind.__name__}" for name, kind in VENDORS.items()}
    with _rows(), patch.object(later, "_threads", _AtOnce()):
        world.run(people, pause, {"GATEWAYS": gateways, "PREFIX_LIMITS": (), **scenario.settings})
        return _result(world)


def _result(world: World) -> Result:
    turns = [turn for turn in world.turns if turn.provider == "first" and turn.carrier == TELECOM]
    opened = next((turn.at for turn in turns if turn.is_open), float("inf"))
    failed = Message.objects.filter(status=MessageStatus.UNDELIVERED, provider__slug="first", carrier=TELECOM)
    begun = [message for message in failed if seconds_of(message.created_at) <= opened]
    reported = [message for message in begun if message.settled_at and seconds_of(message.settled_at) <= opened]
    return Result(
        affected=[person for person in world.people.values() if person.carrier == TELECOM],
        others=[person for person in world.people.values() if person.carrier != TELECOM],
        lost_at_first=len(reported),
        under_way=len(begun) - len(reported),
        lost_later=len(failed) - len(begun),
        back_after=next((turn.at - HEALED for turn in turns if not turn.is_open and turn.at >= HEALED), None),
        sms=Message.objects.exclude(status=MessageStatus.NOT_SENT).count(),
    )


@contextmanager
def _rows() -> Iterator[None]:
    """An account at each vendor, with a template; afterwards all rows are removed."""
    for priority, slug in enumerate(VENDORS):
        provider = Provider.objects.create(name=slug, slug=slug, gateway=slug, priority=priority)
        approved = {"provider": provider, "status": ReviewStatus.APPROVED}
        signature = Signature.objects.create(text="示例站", **approved)
        content = "您的验证码是{code}，5分钟内有效。"
        Template.objects.create(signature=signature, purpose="login", name="login", content=content, **approved)
    try:
        yield
    finally:
        for model in reversed(list(apps.get_app_config("smsverify").get_models())):
            model._default_manager.all().delete()


class _AtOnce(ThreadPoolExecutor):
    """A thread that has run as soon as it is given something."""

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)
