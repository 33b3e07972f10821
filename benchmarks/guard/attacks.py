"""Attacks on a site, and what came of them: for its money, for new people, and for those who come back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django_smsverify.models import Message

from .attackers import Attacker, Target, many_blocks, most_within, one_block, one_number
from .history import usual_week
from .people import Habit, Person, habit, moment, place
from .world import ALTCHA, DAY, HOUR, PRICE, World

BOMBED = "+8613912345678"
BLOCK = "1390013"
COME_BACK = 20
"""People who were verified here before and come back, in the browser that they used then; and as many in another."""
CONVERSION = 0.7


@dataclass(frozen=True)
class Attack:
    """Who is asked for, how fast and how long."""

    name: str
    target: Callable[[int], Target]
    every: float
    lasts: float
    most: Mapping[float, int] = field(default_factory=dict)
    """How many SMS any time of so many seconds may have."""
    people: int = 0
    """New people who come on a usual day, and on this one."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    solves: bool = False
    """Whether it solves captchas."""


NIGHT = {8 * HOUR: 200}
BUDGET: Mapping[str, Any] = {"BUDGET": {"day": 60}}
ATTACKS = (
    Attack("one number", one_number(BOMBED), 8.64, DAY, {60: 1, HOUR: 5, DAY: 10}),
    Attack("one block", one_block(BLOCK), 10, DAY, {HOUR: 20}),
    Attack("one block", one_block(BLOCK), 1, 2 * HOUR, {HOUR: 60}),
    Attack("one block", one_block(BLOCK), 0.1, HOUR / 4, {HOUR: 60}),
    Attack("500 blocks", many_blocks(500), 1, 8 * HOUR, NIGHT),
    Attack("500 blocks", many_blocks(500), 0.1, HOUR / 4, NIGHT),
    Attack("500 blocks, 1,000 people", many_blocks(500), 4, 8 * HOUR, people=1000),
    Attack("the same, ``BUDGET`` 60", many_blocks(500), 4, 8 * HOUR, people=1000, settings=BUDGET),
    Attack("the same, ``CAPTCHA``", many_blocks(500), 4, 8 * HOUR, people=1000, settings=ALTCHA),
    Attack("the same, who solves it", many_blocks(500), 4, 2 * HOUR, people=1000, settings=ALTCHA, solves=True),
)


@dataclass(frozen=True)
class Damage:
    """What came of an attack."""

    asked: int
    sent: Sequence[float]
    """When an SMS was sent for the attacker."""
    spent: Decimal
    """Yuan of the day, with those for people."""
    usual: Decimal
    """Yuan of a usual day."""
    people: Sequence[Person]
    in_old_browser: Sequence[Person]
    in_new_browser: Sequence[Person]

    @property
    def lost(self) -> Decimal:
        """Yuan for the attacker."""
        return len(self.sent) * PRICE

    def most(self, seconds: float) -> int:
        """The most SMS that any time of so many seconds had."""
        return most_within(self.sent, seconds)


def simulate(attack: Attack, part: float = 1, come_back: int = COME_BACK) -> Damage:
    """Runs an attack, or a part of its time with a part of the people."""
    world = World()
    with world.open(**attack.settings):
        people = int(attack.people * part)
        usual = usual_week(world, people, CONVERSION)
        come = [Person(world, *place(world.rng, one), habit(world.rng, CONVERSION)) for one in range(people)]
        for person in come:
            person.come_at(moment(world.rng))
        lasts = attack.lasts * part
        old, new = (returning(world, come_back, lasts, keeps_device=keeps) for keeps in (True, False))
        attacker = Attacker(world, attack.target, attack.every, lasts, solves=attack.solves)
        world.run()
        spent = Message.objects.filter(created_at__gte=world.moment(0)).count() * PRICE
        return Damage(attacker.asked, attacker.sent, spent, usual * PRICE, come, old, new)


def returning(world: World, people: int, lasts: float, *, keeps_device: bool) -> list[Person]:
    """People of an attacked block who were verified here two days before, and come back during the attack."""
    found = []
    for one in range(people):
        phone, ip = f"+86{BLOCK if one % 2 else '1990001'}9{keeps_device:d}{one:02}", f"60.{keeps_device:d}.{one}.7"
        person = Person(world, phone, ip, Habit(1, True, 20), keeps_device=keeps_device)
        person.come_at(-2 * DAY + one * 60)
        person.come_at(world.rng.random() * lasts)
        found.append(person)
    return found


def refused(people: Iterable[Person]) -> int:
    """How many were refused, not counting the pause of their own number."""
    return sum(any(visit.refusal for visit in person.visits) for person in people)


def challenged(people: Iterable[Person]) -> int:
    """How many were asked for a captcha."""
    return sum(any(visit.captchas for visit in person.visits) for person in people)
