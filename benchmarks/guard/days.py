"""Days without an attack: who of the honest is refused, or asked for a captcha."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django_smsverify.models import Message, Verification

from .allowance import Allowance, Successes
from .history import usual_week
from .people import Habit, Person, habit, moment, place
from .world import DAY, HOUR, START, World


@dataclass(frozen=True)
class Day:
    """Who comes, and when."""

    name: str
    people: int
    usual: int
    """New people of a usual day."""
    conversion: float = 0.7
    when: Callable[[random.Random], float] = moment
    address: str = ""
    """From which all come; empty: from where people come."""
    known: float = 0
    """The share that was verified here before; half of them ask in the browser that they used then."""


def within_an_hour(rng: random.Random) -> float:
    """Some moment between eight and nine in the evening."""
    return (20 + rng.random()) * HOUR


DAYS = (
    Day("60 % enter a code", 1000, 1000, 0.6),
    Day("70 % enter a code", 1000, 1000, 0.7),
    Day("80 % enter a code", 1000, 1000, 0.8),
    Day("a launch, ten times a usual day", 2000, 200),
    Day("all behind one IPv4 address", 5000, 500, address="35.1.1.7"),
    Day("a festival, all within an hour", 2000, 1000, when=within_an_hour, known=0.5),
)


@dataclass(frozen=True)
class Outcome:
    """What people noticed."""

    people: Sequence[Person]
    refused_by_allowance: int
    """Those whom the allowance of authgear-server would have refused, had they come there."""

    def refused(self) -> int:
        """People who were refused, not counting the pause of their own number."""
        return sum(bool(person.visits[-1].refusal) for person in self.people)

    def challenged(self) -> int:
        """People who were asked for a captcha."""
        return sum(bool(person.visits[-1].captchas) for person in self.people)

    def asked_twice(self) -> int:
        """People who were asked for more than one captcha."""
        return sum(person.visits[-1].captchas > 1 for person in self.people)


def simulate(day: Day, settings: Mapping[str, Any], part: float = 1) -> Outcome:
    """Runs a day, or a part of it with a part of the people."""
    world = World()
    with world.open(**settings):
        usual_week(world, int(day.usual * part), day.conversion)
        people = [_person(world, day, one) for one in range(int(day.people * part))]
        world.run()
        return Outcome(people, _refused_by_allowance())


def _person(world: World, day: Day, number: int) -> Person:
    phone, ip = place(world.rng, number)
    own, is_known = habit(world.rng, day.conversion), world.rng.random() < day.known
    person = Person(world, phone, day.address or ip, own, keeps_device=world.rng.random() < 0.5)
    if is_known:
        person.habit = Habit(1, True, own.after)
        person.come_at(moment(world.rng) - 2 * DAY)
    return person.come_at(day.when(world.rng))


def _refused_by_allowance() -> int:
    """How many of those who got a code today the allowance would have refused; who is refused does not come again."""
    before = [event.at for event in _events() if event.at < 0 and not event.is_send]
    allowance, refused = Allowance(Successes(before)), set[str]()
    for event in _events():
        if event.at < 0 or event.phone in refused:
            continue
        if not event.is_send:
            allowance.verified(event.at, event.network)
        elif allowance.refuses(event.at, event.network) and event.is_new:
            refused.add(event.phone)
    return len(refused)


class Event(NamedTuple):
    """An SMS or a success, as the rows tell."""

    at: float
    is_send: bool
    phone: str
    network: str
    """Here, each address is in a network of its own."""
    is_new: bool


def _events() -> list[Event]:
    """All of them in order."""
    sends = Message.objects.values_list("created_at", "phone", "verification__network", "verification__block")
    successes = Verification.objects.values_list("verified_at", "phone", "network", "block")
    rows = [*((True, *row) for row in sends), *((False, *row) for row in successes)]
    return sorted(
        Event(at.timestamp() - START, is_send, phone, network, bool(block))
        for is_send, at, phone, network, block in rows
        if at
    )
