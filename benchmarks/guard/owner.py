"""A stranger with 10,000 addresses against the owner of one number: to guess the code, or to lock the owner out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .attackers import Guesser
from .people import Habit, Person, Visit
from .world import DAY, HOUR, World

PHONE, ADDRESS = "+8613912345678", "35.1.1.7"
COMES_AT = (8 * HOUR, 10.5 * HOUR, 13 * HOUR, 18 * HOUR, 22 * HOUR)
EVERY = 8.64
"""Seconds between two requests of the stranger: each address asks once a day."""


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


def besiege(settings: Mapping[str, Any], *, keeps_device: bool | None, lasts: float = DAY) -> Siege:
    """Runs it for a day; the owner comes five times, in the browser of the last time or always in another one.

    With None as `keeps_device` the number was never verified here, and nobody comes.
    """
    world = World()
    with world.open(**settings):
        owner = Person(world, PHONE, ADDRESS, Habit(1, True, 20), keeps_device=bool(keeps_device))
        if keeps_device is not None:
            owner.come_at(-2 * DAY)
            for moment in COMES_AT:
                owner.come_at(moment * lasts / DAY)
        stranger = Guesser(world, PHONE, EVERY, lasts)
        world.run()
        return Siege(stranger.judged, stranger.sent, owner.visits[1:])
