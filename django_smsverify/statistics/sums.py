"""Summing the messages and requests of hours and days that are over, by the poll; the answers stay exact whatever
changes meanwhile.

* An hour is summed forty minutes after its end, a day when its reports have come: then the rows of its hours go.
* A message that is younger than LATE_AFTER changes without a mark. Its hour is not summed before `sum_after()`, when
  every transaction that found it young is over, and every code of that hour has ended.
* Any other change stores a mark in its own transaction (`MessageQuerySet.update`). As long as a mark lies in an hour or
  a day, the sums of this one answer nothing.
* The marks of an hour or a day are read before its messages, and only those that were read are deleted, together with
  storing the sums. What was committed before is in the sums; what is committed later keeps its own mark.
* Two runs cannot sum the same at once: the first statement locks its row, or inserts it, which the other cannot. A run
  that sums a day deletes the rows of its hours next, which waits for one that sums such an hour.
* Under REPEATABLE READ the snapshot of MySQL begins after that lock; PostgreSQL refuses the lock where another run has
  had it meanwhile, and it is tried again.

Clocks of a site's servers must differ by less than CLOCKS_DIFFER. When they were set back, days that were summed in the
future are forgotten.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, islice
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from django_smsverify.models import DailySum, LateChange, RequestSum, SummedDay
from django_smsverify.models.days import Day, date_of, day_of, days_between, hours_of
from django_smsverify.models.late_changes import HOURS_KEPT, LATE_AFTER
from django_smsverify.transactions import run_committed

from .counting import (
    CLOCKS_DIFFER,
    DETAILS,
    Span,
    count_messages,
    count_requests,
    first_message,
    is_empty,
    longest_life,
)
from .questions import VERSION

OPEN_FOR = timedelta(minutes=15)
"""Within which time every transaction has ended that changes a message."""
AT_ONCE = 200
"""Days and hours that one run of the poll sums."""
MARKS_AT_ONCE = 1000
"""Marks from which a run learns what was changed."""
CHUNK_SIZE = 500
"""Ids in one statement."""
Moments = tuple[datetime, datetime]
"""The first moment of a day or an hour, and that of the next."""
PAUSE = timedelta(minutes=5)
"""How long sums stay before a late change has them summed again; until then its marks keep answers exact."""
FORGOTTEN_AFTER = timedelta(days=2)
"""How long the hours of a day stay that is not summed although its reports have come."""
LONGEST_GAP = timedelta(days=50)
"""Days without messages are stored as days without sums, but not the days of a longer gap, such as between a message
whose clock was wrong and the next."""


def sum_after() -> timedelta:
    """How long after its end an hour is summed: no change without a mark can be open, and all of its codes have
    ended."""
    return max(LATE_AFTER + CLOCKS_DIFFER, longest_life()) + OPEN_FOR


def sum_days() -> Iterator[Day]:
    """Sums hours and days that are over and not summed, or were changed, and yields each. The next run goes on."""
    now = timezone.now()
    end = day_of(now - HOURS_KEPT).starts_at
    marks = LateChange.objects.using(SummedDay.objects.db)
    changed = list(marks.filter(moment__lt=end).order_by("moment").values_list("moment", flat=True)[:MARKS_AT_ONCE])
    in_row = marks.filter(moment__gte=OuterRef("starts_at"), moment__lt=OuterRef("ends_at"))
    rows = list(SummedDay.objects.annotate(is_marked=Exists(in_row)).order_by("starts_at", "pk"))
    first = rows[0].starts_at if rows else first_message(None, now - sum_after(), SummedDay.objects.db)
    if first is None:
        return
    days = _without_wrong([row for row in rows if not row.is_hour], now)
    hours = _without_wrong([row for row in rows if row.is_hour and row.starts_at >= end - FORGOTTEN_AFTER], now)
    _forget_hours([row for row in rows if row.is_hour and row.starts_at < end - FORGOTTEN_AFTER])
    summed_until = max((moments[1] for moments in days), default=None)
    missing = (day_of(moment) for moment in changed if summed_until and moment < summed_until)
    again = [Day(date_of(row.starts_at), *moments) for moments, row in (days | hours).items() if _is_due(row, now)]
    new = chain(_new_hours(days, hours, first, now), _new_days(summed_until, end))
    found = chain((day for day in dict.fromkeys(missing) if day.moments not in days), again, new)
    for day in islice(found, AT_ONCE):
        run_committed(SummedDay, partial(_sum, day, (days | hours).get(day.moments), now))
        yield day


def _is_due(row: Any, now: datetime) -> bool:
    """Whether a row of sums must be made again: something was changed since, or it lacks what is summed today."""
    is_open = row.closed_at is None and row.summed_at <= now - PAUSE
    return is_open and bool(row.is_marked or row.version < VERSION)


def _new_hours(days: Collection[Moments], hours: Collection[Moments], first: datetime, now: datetime) -> Iterator[Day]:
    """The hours that are over and not summed, of the days that are told by their hours, from that of the first message.

    Hours without messages are stored, too: then nobody looks for messages in them again.
    """
    until = now - sum_after()
    recent = [
        day for day in days_between(date_of(max(first, now - HOURS_KEPT)), date_of(now)) if day.moments not in days
    ]
    for hour in (hour for day in recent for hour in hours_of(day)):
        if hour.ends_at <= until and hour.moments not in hours:
            yield hour


def _new_days(after: datetime | None, end: datetime) -> Iterator[Day]:
    """The days from one moment, or the first message, to the last message before another, without long gaps."""
    while (after is None or after < end) and (first := first_message(after, end, SummedDay.objects.db)):
        day = day_of(first if after is None or first - after > LONGEST_GAP else after)
        yield day
        after = day.ends_at


def _without_wrong(rows: Sequence[SummedDay], now: datetime) -> dict[Moments, SummedDay]:
    """Forgets rows of another time zone, whose marks nobody would keep, and those that were summed in the future.

    Those after the first of them are forgotten too, because they are summed one after the other.
    """
    is_right = [row.summed_at <= now and _is_of_zone(row) for row in rows]
    count = is_right.index(False) if False in is_right else len(rows)
    if wrong := rows[count:]:
        run_committed(SummedDay, partial(_forget, wrong))
    return {(row.starts_at, row.ends_at): row for row in rows[:count]}


def _is_of_zone(row: SummedDay) -> bool:
    day = day_of(row.starts_at)
    return (row.starts_at, row.ends_at) in [part.moments for part in (hours_of(day) if row.is_hour else [day])]


def _forget_hours(rows: Sequence[SummedDay]) -> None:
    """Deletes the hours that no day has replaced, as nothing was sent for long."""
    if rows:
        run_committed(SummedDay, partial(_forget, rows))


def _forget(rows: Iterable[SummedDay]) -> None:
    """Deletes rows, but for those that another run has changed: it may be storing their sums."""
    locked = [row.pk for row in rows if _as_read(row).update(summed_at=row.summed_at)]
    SummedDay.objects.filter(pk__in=locked).delete()


def _sum(day: Day, row: SummedDay | None, now: datetime) -> None:
    """Replaces the sums of a day or an hour, unless another run does it."""
    is_new = row is None
    if row is None:
        row = _insert(day, now)
    elif not _as_read(row).update(summed_at=now, version=VERSION):
        return
    if row is None:
        return
    if not row.is_hour:
        _delete_hours(row, now)
    rows = LateChange.objects.using(SummedDay.objects.db)
    marks = list(rows.filter(moment__gte=day.starts_at, moment__lt=day.ends_at).values_list("pk", flat=True))
    if not is_new:
        DailySum.objects.filter(day=row).delete()
        RequestSum.objects.filter(day=row).delete()
    _store_sums(row, day)
    for start in range(0, len(marks), CHUNK_SIZE):
        rows.filter(pk__in=marks[start : start + CHUNK_SIZE]).delete()


def _insert(day: Day, now: datetime) -> SummedDay | None:
    """The new row of a day or an hour; None when another run has inserted it, for which this waits."""
    is_hour = day.moments != day_of(day.starts_at).moments
    fields = {"starts_at": day.starts_at, "ends_at": day.ends_at, "is_hour": is_hour}
    try:
        with transaction.atomic(using=SummedDay.objects.db):
            return SummedDay.objects.create(**fields, summed_at=now, version=VERSION)
    except IntegrityError:
        return None


def _delete_hours(row: SummedDay, now: datetime) -> None:
    """Deletes the hours of a day that is summed as a whole, after waiting for runs that sum one of them."""
    hours = SummedDay.objects.filter(is_hour=True, starts_at__gte=row.starts_at, ends_at__lte=row.ends_at)
    if hours.update(summed_at=now):
        hours.delete()


def _as_read(row: SummedDay) -> Any:
    """The row, unless another run has changed it, or it was closed: its messages may be gone."""
    return SummedDay.objects.filter(pk=row.pk, summed_at=row.summed_at, closed_at=None)


def _store_sums(row: SummedDay, day: Day) -> None:
    using, span = SummedDay.objects.db, Span(day, *day.moments)
    if row.is_hour and is_empty(span, using):
        return
    counted = count_messages([span], using, DETAILS, detailed=True)
    DailySum.objects.bulk_create(
        DailySum(
            day=row,
            provider_id=kind.provider,
            status=kind.status,
            is_probe=kind.is_probe,
            **{name: getattr(kind, name) for name in DETAILS},
            **{**sums._asdict(), "delays": sorted(sums.delays.items()) or None},
        )
        for kind, sums in counted.items()
    )
    requests = count_requests([span], using)
    RequestSum.objects.bulk_create(
        RequestSum(day=row, purpose=purpose, result=result, requests=count)
        for (_part, purpose, result), count in requests.items()
    )
