"""What the database knows of sends to numbers that were new here: how many, and how many were verified."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.utils import timezone

from django_smsverify.enums import Guarded
from django_smsverify.models import Closure
from django_smsverify.models.statements import find_of_block, find_of_network, sum_new_numbers

from . import closures, rules
from .closures import Subject
from .rules import DAY, FEW, JUDGED_AFTER, WINDOW, Figures

DAYS = 7
"""The days of which a usual one is found."""
FIND: Mapping[Guarded, Callable[..., Any]] = {Guarded.BLOCK: find_of_block, Guarded.NETWORK: find_of_network}
SITE: Subject = (Guarded.SITE, "")

_usual: dict[tuple[str, str], tuple[int, Mapping[Subject, int]]] = {}
"""By database and schema: on which day since 1970 a usual one was found, and what stays unverified on a usual day."""


def read(subject: Subject, stored: str) -> Mapping[Subject, Figures]:
    """Returns the figures of the last hour, of a signature and the site those of the last day; not of what an operator
    has lifted. Beside those of the site are those of its signatures, if it has several.

    `stored` is how the verifications name the subject: of a network they have a digest only.
    """
    now, (kind, _) = timezone.now(), subject
    if kind == Guarded.SITE:
        return dict(_of_site(now))
    found = _of_signature(subject, now) if kind == Guarded.SIGNATURE else _of_numbers(subject, stored, now)
    return {subject: found}


def _since(subject: Subject, now: datetime) -> datetime:
    since = now - (DAY if subject[0] in rules.DAILY else WINDOW)
    lifted_at = closures.lifted_at(*subject)
    return max(since, lifted_at) if lifted_at else since


def _of_numbers(subject: Subject, stored: str, now: datetime) -> Figures:
    kind, since = subject[0], _since(subject, now)
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


class Sums(NamedTuple):
    """SMS to numbers that were new here."""

    sent: int
    verified: int
    newest: datetime | None


def _of_site(now: datetime) -> Iterator[tuple[Subject, Figures]]:
    since = _since(SITE, now)
    found = _sums(since, now)
    has_several = len(found) > 2
    for subject, sums in found.items() if has_several else [(SITE, found[SITE])]:
        was_lifted = subject != SITE and _since(subject, now) > since
        yield subject, _of_signature(subject, now) if was_lifted else _figures(subject, sums, since, now)


def _of_signature(subject: Subject, now: datetime) -> Figures:
    since = _since(subject, now)
    return _figures(subject, _sums(since, now).get(subject, Sums(0, 0, None)), since, now)


def _figures(subject: Subject, sums: Sums, since: datetime, now: datetime) -> Figures:
    sent, verified, newest = sums
    # Below FEW the days before do not matter.
    usual = _usual_unverified(now).get(subject, 0) if sent - verified >= FEW else 0
    return Figures(sent, sent, verified, usual=usual, since=since, newest=newest)


def _sums(since: datetime, until: datetime) -> dict[Subject, Sums]:
    """Those of the site, and of each signature."""
    rows = {text: Sums(*sums) for text, *sums in sum_new_numbers(since=since, until=until)}
    sent, verified, newest = zip(*rows.values(), strict=True) if rows else ((), (), ())
    of_signatures = {(Guarded.SIGNATURE, text): sums for text, sums in rows.items() if text}
    return {SITE: Sums(sum(sent), sum(verified), max(newest, default=None)), **of_signatures}


def _usual_unverified(now: datetime) -> Mapping[Subject, int]:
    """What stays unverified on a usual day of the last week, which is found once a day in each process."""
    today = int(time.time() // DAY.total_seconds())
    place = Closure.objects.place
    day, found = _usual.get(place, (0, {}))
    if day != today:
        days = [_sums(until - DAY, until) for until in (now - timedelta(days=back) for back in range(1, DAYS + 1))]
        subjects = set().union(*days)
        none = Sums(0, 0, None)
        found = {
            one: rules.usual([sums.sent - sums.verified for sums in (day.get(one, none) for day in days)])
            for one in subjects
        }
        _usual[place] = today, found
    return found


def forget() -> None:
    """Has the usual day be found again."""
    _usual.clear()
