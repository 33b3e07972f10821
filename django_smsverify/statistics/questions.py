"""Answers from the daily sums; what they cannot answer exactly is counted now, usually the last two days."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any

from django.db import router
from django.db.models import Exists, OuterRef
from django.utils import timezone

from django_smsverify.models import LateChange, Message, SummedDay
from django_smsverify.models.days import Day, days_between

from .counting import Counted, Kind, Sums, added, count_messages, first_message

OF_A_SUM = ("provider", "status", "is_probe", "purpose", *Sums._fields)


def count_days(first: date, last: date, *, by_purpose: bool, by_day: bool) -> Counted:
    """The sums of all messages of these days, both included."""
    using = router.db_for_read(Message)  # a replica will do for sums of days
    days = days_between(first, last)
    by_id = _ids(days, using)
    summed: set[Day] = set()
    found: list[tuple[Kind, Sums]] = []
    for pk, provider, status, is_probe, purpose, *sums in _stored(by_id, using):
        day = by_id[pk]
        summed.add(day)
        if provider is not None:
            kind = Kind(provider, status, is_probe, purpose if by_purpose else None, day.date if by_day else None)
            found.append((kind, Sums(*sums)))
    for run in _runs(day for day in days if day not in summed):
        if by_day:
            found += _count_each(run, using, by_purpose=by_purpose)
        else:
            found += count_messages(run[0].starts_at, run[-1].ends_at, using, by_purpose=by_purpose).items()
    return added(found)


def _count_each(run: Sequence[Day], using: str, *, by_purpose: bool) -> Iterator[tuple[Kind, Sums]]:
    """The sums of each of these days; after one without messages, those before the next message are not asked for."""
    first: datetime | None = run[0].starts_at
    for day in run:
        if first is None or day.ends_at <= first:
            continue
        counted = count_messages(day.starts_at, day.ends_at, using, by_purpose=by_purpose)
        yield from ((kind._replace(day=day.date), sums) for kind, sums in counted.items())
        if not counted and day is not run[-1]:
            first = first_message(day.ends_at, run[-1].ends_at, using)


def _ids(days: Sequence[Day], using: str) -> dict[int, Day]:
    """These days by the ids of their rows, which are never those of other days; some rows are of another time zone."""
    by_moments = {day.moments: day for day in days}
    rows = SummedDay.objects.using(using).filter(starts_at__gte=days[0].starts_at, ends_at__lte=days[-1].ends_at)
    found = rows.order_by().values_list("pk", "starts_at", "ends_at")
    return {pk: by_moments[moments] for pk, *ends in found if (moments := (ends[0], ends[1])) in by_moments}


def _stored(ids: Collection[int], using: str) -> Iterable[tuple[Any, ...]]:
    """The ids of the days whose sums are exact, each with all of its sums, or with None for a day without messages.

    Marks and sums are read in one statement: between two of them a day could be marked or summed again. A day that was
    summed in the future was summed before the clock was set back.
    """
    if not ids:
        return []
    marks = LateChange.objects.using(using).filter(moment__gte=OuterRef("starts_at"), moment__lt=OuterRef("ends_at"))
    rows = SummedDay.objects.using(using).filter(pk__in=list(ids), summed_at__lte=timezone.now())
    exact = rows.filter(~Exists(marks)).order_by()
    return exact.values_list("pk", *(f"sums__{name}" for name in OF_A_SUM))


def _runs(days: Iterable[Day]) -> Iterator[list[Day]]:
    """The days that follow each other, together."""
    run: list[Day] = []
    for day in days:
        if run and run[-1].ends_at != day.starts_at:
            yield run
            run = []
        run.append(day)
    if run:
        yield run
