"""Answers from the stored sums; what they cannot answer exactly is counted now, usually the last hour."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import chain
from typing import Any

from django.db import router
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from django_smsverify.models import LateChange, Message, SummedDay
from django_smsverify.models.days import HOUR, Day, days_between

from .counting import DETAILS, Counted, Kind, Requests, Span, Sums, added, count_messages, count_requests
from .delays import Delays

OF_A_SUM = ("provider", "status", "is_probe")
FIGURES = ("messages", "segments", "cost", "unpriced", "converted")
VERSION = 2
"""That of sums which have all details; older ones have none."""


def count_days(first: date, last: date, by: Collection[str] = ()) -> Counted:
    """The sums of all messages of these days, both included, told apart by "part", which is the day, and DETAILS."""
    parts = days_between(first, last)
    using = router.db_for_read(Message)  # a replica will do for sums of days
    rows = {pk: stored for pk, stored, _version, _more in _rows(parts, using)}
    return _answer(parts, rows, using, by, detailed=False)


def count_details(first: date, last: date) -> Counted:
    """The sums of all messages of these days, both included, told apart by all of DETAILS, in three statements."""
    parts = days_between(first, last)
    using = router.db_for_read(Message)
    rows = {pk: stored for pk, stored, version, _more in _rows(parts, using) if version >= VERSION}
    return _answer(parts, rows, using, DETAILS, detailed=True)


def count_parts(parts: Sequence[Day]) -> tuple[Counted, Requests]:
    """The sums of all messages and requests of these parts of a period, which follow each other, with all details.

    Four statements; parts that are not summed yet take two for every forty.
    """
    using = router.db_for_read(Message)
    rows: dict[int, Span] = {}
    told: dict[int, list[tuple[str, str, int]]] = {}
    for pk, stored, version, request in _rows(parts, using, "purpose", "result", "requests"):
        if version >= VERSION:
            rows[pk] = stored
            told.setdefault(pk, []).append(request)
    counted = _answer(parts, rows, using, ("part", *DETAILS), detailed=True)
    chosen = _chosen(rows)
    requests: Requests = Counter(count_requests(_gaps(parts, chosen.values()), using))
    for pk, stored in chosen.items():
        for purpose, result, count in told[pk]:
            if count is not None:  # else it is the only row of a time without requests
                requests[stored.part, purpose, result] += count
    return counted, requests


def _rows(parts: Sequence[Day], using: str, *of_requests: str) -> Iterator[tuple[int, Span, int, tuple[Any, ...]]]:
    """The rows of sums that answer for these parts or for hours of them, each with its requests.

    A row that was summed in the future was summed before the clock was set back. Some rows are of another time zone.
    """
    if parts[0].ends_at - parts[0].starts_at < HOUR:
        return
    by_moments = {part.moments: part for part in parts}
    within = SummedDay.objects.using(using).filter(starts_at__gte=parts[0].starts_at, ends_at__lte=parts[-1].ends_at)
    rows = within.filter(summed_at__lte=timezone.now()).order_by("starts_at")
    number = 0
    columns = ("pk", "starts_at", "ends_at", "is_hour", "version", *(f"requests__{name}" for name in of_requests))
    for pk, starts_at, ends_at, is_hour, version, *request in rows.values_list(*columns):
        while parts[number].ends_at <= starts_at:
            number += 1
        part = by_moments.get((starts_at, ends_at))
        if part is None and is_hour and ends_at <= parts[number].ends_at:
            part = parts[number]
        if part is not None:
            yield pk, Span(part, starts_at, ends_at), version, tuple(request)


def _answer(
    parts: Sequence[Day], rows: Mapping[int, Span], using: str, by: Collection[str], *, detailed: bool
) -> Counted:
    """What is stored of these parts, and the rest counted now."""
    asked = tuple(name for name in DETAILS if name in by)
    figures = (*FIGURES, "delays") if detailed else FIGURES
    found: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for pk, *values in _stored(rows, using, (*asked, *figures)):
        found[pk].append(tuple(values))
    chosen = _chosen({pk: rows[pk] for pk in found})
    counted = count_messages(_gaps(parts, chosen.values()), using, by, detailed=detailed)
    kept = ((stored.part if "part" in by else None, found[pk]) for pk, stored in chosen.items())
    return added([*counted.items(), *_by_kind(kept, asked)])


def _by_kind(
    stored: Iterable[tuple[Day | None, Iterable[tuple[Any, ...]]]], asked: Sequence[str]
) -> Iterator[tuple[Kind, Sums]]:
    """The sums of each part and kind. There are many rows, and few kinds: only kinds are worth an object."""
    length = len(OF_A_SUM) + len(asked)
    rows: dict[tuple[Any, ...], list[tuple[Any, ...]]] = defaultdict(list)
    for part, values in stored:
        for one in values:
            rows[part, *one[:length]].append(one[length:])
    for (part, provider, status, is_probe, *details), found in rows.items():
        if provider is not None:  # else it is the only row of a time without messages
            yield Kind(provider, status, is_probe, **dict(zip(asked, details, strict=True)), part=part), _sums(found)


def _sums(rows: Iterable[tuple[Any, ...]]) -> Sums:
    messages, segments, cost, unpriced, converted, *lists = zip(*rows, strict=True)
    delays: Delays = Counter()
    for seconds, count in chain.from_iterable(filter(None, chain.from_iterable(lists))):
        delays[seconds] += count
    amount = sum(cost, Decimal("0.0000"))
    return Sums(sum(messages), sum(segments), amount, sum(unpriced), sum(converted), delays)


def _stored(ids: Collection[int], using: str, names: Iterable[str]) -> Iterable[tuple[Any, ...]]:
    """Those of these rows whose sums are exact, each with all of its sums, or with None where there was no message.

    Marks and sums are read in one statement: between two of them a day could be marked or summed again.
    """
    if not ids:
        return []
    marks = LateChange.objects.using(using).filter(moment__gte=OuterRef("starts_at"), moment__lt=OuterRef("ends_at"))
    rows = SummedDay.objects.using(using).filter(pk__in=list(ids), summed_at__lte=timezone.now())
    exact = rows.filter(Q(closed_at__isnull=False) | ~Exists(marks)).order_by()
    return exact.values_list("pk", *(f"sums__{name}" for name in (*OF_A_SUM, *names)))


def _chosen(rows: Mapping[int, Span]) -> dict[int, Span]:
    """Leaves out the hours of parts that are answered as a whole."""
    whole = {stored.part for stored in rows.values() if stored.is_whole}
    return {pk: stored for pk, stored in rows.items() if stored.is_whole or stored.part not in whole}


def _gaps(parts: Sequence[Day], answered: Iterable[Span]) -> list[Span]:
    """The times of these parts for which nothing is stored."""
    by_part: dict[Day, list[Span]] = {}
    for stored in answered:
        by_part.setdefault(stored.part, []).append(stored)
    gaps = []
    for part in parts:
        since = part.starts_at
        for stored in sorted(by_part.get(part, ()), key=lambda one: one.starts_at):
            gaps += [Span(part, since, stored.starts_at)] if since < stored.starts_at else []
            since = stored.ends_at
        gaps += [Span(part, since, part.ends_at)] if since < part.ends_at else []
    return gaps
