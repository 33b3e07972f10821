"""When something is closed to new numbers, and for how long: pure arithmetic over figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from django_smsverify.enums import Guarded

JUDGED_AFTER = timedelta(seconds=90)
"""People need so long to enter a code: a younger SMS says nothing yet."""
WINDOW = timedelta(hours=1)
"""For a block and a network."""
DAY = timedelta(days=1)
"""For a signature and the site."""
DAILY = frozenset((Guarded.SIGNATURE, Guarded.SITE))
ENOUGH, ENOUGH_JUDGED = 20, 10
"""Numbers of one block or network from which it is judged, and how many of them must be old enough."""
NETWORKS = 3
"""A block is judged by requests from so many networks: one alone could close it to others."""
LEAST, LEAST_OF_SITE = 20, 40
"""Percent of what was sent that must be verified."""
FEW = 200
"""SMS to new numbers in a day that may stay unverified whatever the days before were."""
TIMES_USUAL = 3
TIMES_FEW = 5
"""How many times as many may stay unverified where people solve captchas."""
DURATIONS = (timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4), timedelta(hours=12))
"""How long something is closed: first, and then again."""
FORGIVEN_AFTER = timedelta(days=1)
"""After so long without a closure the next one is a first one."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What became of sends to numbers that were new here."""

    sent: int
    """Numbers of a block or network; SMS of a signature and the site."""
    judged: int
    """Those that are old enough."""
    verified: int
    networks: int = 0
    """Networks from which they were asked for."""
    usual: int = 0
    """SMS that stay unverified on a usual day; only of a signature and the site."""
    since: datetime | None = None
    """From when on they were sent."""
    newest: datetime | None = None
    """When the last was sent."""


def is_abused(kind: Guarded, figures: Figures) -> bool:
    """Whether it is closed."""
    return room(kind, figures) <= 0


def is_hopeless(kind: Guarded, figures: Figures) -> bool:
    """Whether it is closed to those as well who solved a captcha, because whoever solves them enters no codes."""
    if kind not in DAILY or not is_abused(kind, figures):
        return False
    return figures.sent - figures.verified >= TIMES_FEW * _allowed(figures)


def _allowed(figures: Figures) -> int:
    """How many SMS of a signature or the site may stay unverified."""
    return max(FEW, TIMES_USUAL * figures.usual)


def room(kind: Guarded, figures: Figures) -> int:
    """Returns how many more sends without a success there are until it may be closed; 0 or less: it is."""
    if kind in DAILY:
        left_by_count = _allowed(figures) - (figures.sent - figures.verified)
        return max(left_by_count, figures.verified * 100 // LEAST_OF_SITE + 1 - figures.sent)
    by_networks = NETWORKS - figures.networks if kind == Guarded.BLOCK else 0
    by_rate = figures.verified * 100 // LEAST + 1 - figures.judged
    return max(ENOUGH - figures.sent, ENOUGH_JUDGED - figures.judged, by_networks, by_rate)


def duration(level: int) -> timedelta:
    """Returns for how long something is closed that was closed so often in a row before."""
    return DURATIONS[min(level, len(DURATIONS) - 1)]


def usual(unverified: Sequence[int]) -> int:
    """Returns how many SMS stay unverified on a usual day, given those of the last days."""
    return int(median(unverified)) if unverified else 0
