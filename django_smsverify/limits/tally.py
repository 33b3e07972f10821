"""How often a number was refused within the hour, counted by the trip to the cache that is made anyway.

The count tells which refusals are stored: the first of a number and reason, and of the others some.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from django_smsverify.enums import Scope

from .cache import digest

HOUR = 3600
LIFETIME = 2 * HOUR
"""Seconds for which the counts of an hour are kept."""


class Tallied(NamedTuple):
    """One refusal, counted."""

    reason: str
    times: int
    """How often the number was refused for this reason in this hour."""
    subjects: int
    """If it is the first time: how many numbers and reasons were refused in this hour; else 0."""


class Tally:
    """The keys that count the refusals of a number in one hour."""

    def __init__(self, phone: str, now: float) -> None:
        self._hour = hour_of(now)
        self._number = digest(Scope.PHONE, f"{phone}:{self._hour}")

    def keys(self, reasons: Iterable[str]) -> list[str]:
        """A key for each reason, and the last for the first refusals of all numbers."""
        own = [f"smsverify:refused:{self._number}:{reason}" for reason in reasons]
        return [*own, f"smsverify:refused:all:{self._hour}"]


def hour_of(now: float) -> int:
    """Returns the number of the hour at a UNIX time."""
    return int(now // HOUR)
