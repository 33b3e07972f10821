"""What the database knows of sends to numbers that were new here: how many, and how many were verified."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils import timezone

from django_smsverify.enums import Guarded
from django_smsverify.models import Closure
from django_smsverify.models.statements import find_of_block, find_of_network, sum_new_numbers

from . import closures, rules
from .rules import DAY, FEW, JUDGED_AFTER, WINDOW, Figures

DAYS = 7
"""The days of which a usual one is found."""
FIND = {Guarded.BLOCK: find_of_block, Guarded.NETWORK: find_of_network}

_usual: dict[tuple[str, str], tuple[int, int]] = {}
"""By database and schema: on which day since 1970 a usual one was found, and what stays unverified on a usual day."""


def read(kind: Guarded, subject: str, stored: str) -> Figures:
    """Returns the figures of the last hour, of the site those of the last day; not of what an operator has lifted.

    `stored` is how the verifications name the subject: of a network they have a digest only.
    """
    now = timezone.now()
    since = now - (DAY if kind == Guarded.SITE else WINDOW)
    lifted_at = closures.lifted_at(kind, subject)
    since = max(since, lifted_at) if lifted_at else since
    return _of_site(since, now) if kind == Guarded.SITE else _of_numbers(kind, stored, since, now)


def _of_numbers(kind: Guarded, stored: str, since: datetime, now: datetime) -> Figures:
    first: dict[str, datetime] = {}
    verified, networks = set(), set()
    newest = FIND[kind](**{kind.value: stored}, since=since)
    for phone, network, created_at, *verified_at in newest:
        first[phone] = created_at
        if any(verified_at):
            verified.add(phone)
        if network:
            networks.add(network)
    judged = _judged(first.values(), now) + sum(now - first[phone] < JUDGED_AFTER for phone in verified)
    return Figures(
        len(first), judged, len(verified), len(networks), since=since, newest=newest[0][2] if newest else None
    )


def _judged(moments: Iterable[datetime], now: datetime) -> int:
    return sum(now - moment >= JUDGED_AFTER for moment in moments)


def _of_site(since: datetime, now: datetime) -> Figures:
    sent, verified, newest = sum_new_numbers(since=since, until=now)[0]
    # Below FEW the days before do not matter.
    usual = _usual_unverified(now) if sent - verified >= FEW else 0
    return Figures(sent, sent, verified, usual=usual, since=since, newest=newest)


def _usual_unverified(now: datetime) -> int:
    """What stays unverified on a usual day of the last week, which is found once a day in each process."""
    today = int(time.time() // DAY.total_seconds())
    place = Closure.objects.place
    day, found = _usual.get(place, (0, 0))
    if day != today:
        days = [now - timedelta(days=back) for back in range(1, DAYS + 1)]
        sums = (sum_new_numbers(since=until - DAY, until=until)[0] for until in days)
        found = rules.usual([sent - verified for sent, verified, _ in sums])
        _usual[place] = today, found
    return found


def forget() -> None:
    """Has the usual day be found again."""
    _usual.clear()
