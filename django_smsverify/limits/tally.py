"""How often a number was refused within the hour, counted in the cache, mostly by a trip that is made anyway.

The count tells which refusals are stored: the first of a number and reason, and of the others some. Only so many
numbers and reasons are counted in an hour, as an attacker can name any number; the rest is counted together.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from django_smsverify.enums import Scope

from .cache import digest

HOUR = 3600
LIFETIME = 2 * HOUR
"""Seconds for which the counts of an hour are kept."""
MOST_SUBJECTS = 1000
"""Numbers and reasons that are counted one by one in an hour, as long as the cache is not flushed."""


class Tallied(NamedTuple):
    """One refusal, counted."""

    reason: str
    times: int
    """How often the number was refused for this reason in this hour; 0 where it is not counted by itself."""
    subjects: int
    """How many numbers and reasons were refused in this hour before any more were counted together, and then how many
    refusals; 0 where the number was counted before."""


class Tally:
    """The keys that count the refusals of a number in one hour."""

    def __init__(self, phone: str, now: float) -> None:
        self.hour = int(now // HOUR)
        """Since 1970."""
        self._number = digest(Scope.PHONE, f"{phone}:{self.hour}")

    def keys(self, reasons: Iterable[str]) -> list[str]:
        """A key for each reason, and the last one for all numbers."""
        own = [f"smsverify:refused:{self._number}:{reason}" for reason in reasons]
        return [*own, f"smsverify:refused:all:{self.hour}"]
