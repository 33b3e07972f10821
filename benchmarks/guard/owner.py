"""A stranger with 10,000 addresses against the owner of one number: to guess the code, or to lock the owner out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .attackers import Guesser
from .people import Habit, Person, Visit
from .world import ALTCHA, DAY, HOUR, World

PHONE, ADDRESS = "+8613912345678", "35.1.1.7"
COMES_AT = (0.5 * HOUR, 3 * HOUR, 8 * HOUR, 13 * HOUR, 20 * HOUR)
EVERY = 20
"""Seconds between two requests of the stranger."""


@dataclass(frozen=True)
class Siege:
    """What came of it."""

    guesses: Sequence[float]
    """When a guess of the stranger was judged."""
    sent: Sequence[float]
    """When an SMS was sent for the stranger."""
    visits: Sequence[Visit]
    """Those of the owner during it."""

    @property
    def refused(self) -> int:
        """Visits that ended in a refusal other than the number's own pause."""
        return sum(bool(visit.refusal) for visit in self.visits)

    @property
    def entered(self) -> int:
        """Visits on which the owner entered a code."""
        return sum(visit.is_verified for visit in self.visits)

    @property
    def captchas(self) -> int:
        """The most captchas of a visit."""
        return max((visit.captchas for visit in self.visits), default=0)


@dataclass(frozen=True)
class Case:
    """Whose number it is."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    is_known: bool = True
    """Whether the owner was verified here before, and comes."""
    keeps_device: bool = False
    """Whether he comes in the browser of the last time; else in another one each time."""


CASES = (
    Case("a number that is new here", is_known=False),
    Case("the owner, in the old browser", keeps_device=True),
    Case("the owner, in another browser"),
    Case("the owner, in the old browser, ``CAPTCHA``", ALTCHA, keeps_device=True),
    Case("the owner, in another browser, ``CAPTCHA``", ALTCHA),
)


def besiege(case: Case, part: float = 1) -> Siege:
    """Runs it for a day, on which the owner comes five times, or for a part of one."""
    world = World()
    with world.open(**case.settings):
        owner = Person(world, PHONE, ADDRESS, Habit(1, True, 20), keeps_device=case.keeps_device)
        for moment in (-2 * DAY, *COMES_AT):
            if case.is_known and moment < DAY * part:
                owner.come_at(moment)
        stranger = Guesser(world, PHONE, EVERY, DAY * part)
        world.run()
        return Siege(stranger.judged, stranger.sent, owner.visits[1:])
