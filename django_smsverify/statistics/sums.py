"""Summing the messages of days that are over, by the poll; the answers stay exact whatever changes meanwhile.

* A message that is younger than LATE_AFTER changes without a mark. Its day is not summed before SUM_AFTER, when every
  transaction that found it young is over.
* Any other change stores a mark in its own transaction (`MessageQuerySet.update`). As long as a mark lies in a day, the
  sums of this day answer nothing.
* The marks of a day are read before its messages, and only those that were read are deleted, together with storing the
  sums. What was committed before is in the sums; what is committed later keeps its own mark.
* Two runs cannot sum a day at once: the first statement locks its row, or inserts it, which the other cannot.
* Under REPEATABLE READ the snapshot of MySQL begins after that lock; PostgreSQL refuses the lock where another run has
  had it meanwhile, and it is tried again.

Clocks of a site's servers must differ by less than an hour. When they were set back, days that were summed in the
future are forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, islice
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from django_smsverify.models import DailySum, LateChange, SummedDay
from django_smsverify.models.days import Day, day_of
from django_smsverify.models.late_changes import LATE_AFTER
from django_smsverify.transactions import run_committed

from .counting import count_messages, first_message

SUM_AFTER = LATE_AFTER + timedelta(hours=2)
"""How long after its end a day is summed: an hour is for open transactions, and one for clocks that differ or are put
back in autumn."""
DAYS_AT_ONCE = 50
"""Days that one run of the poll sums."""
MARKS_AT_ONCE = 1000
"""Marks from which a run learns which days were changed."""
CHUNK_SIZE = 500
"""Ids in one statement."""
Moments = tuple[datetime, datetime]
"""The first moment of a day, and that of the next day."""
PAUSE = timedelta(hours=1)
"""How long the sums of a day stay before a late change has it summed again; until then its marks keep answers exact."""
LONGEST_GAP = timedelta(days=50)
"""Days without messages are stored as days without sums, but not the days of a longer gap, such as between a message
whose clock was wrong and the next."""


def sum_days() -> Iterator[Day]:
    """Sums days that are over and not summed, or were changed since, and yields each. The next run goes on."""
    now = timezone.now()
    end = day_of(now - SUM_AFTER).starts_at
    marks = LateChange.objects.using(SummedDay.objects.db).filter(moment__lt=end)
    changed = list(marks.order_by("moment").values_list("moment", flat=True)[:MARKS_AT_ONCE])
    rows = _without_wrong(list(SummedDay.objects.order_by("starts_at", "pk")), now)
    summed_until = max((moments[1] for moments in rows), default=None)
    days = dict.fromkeys(day_of(moment) for moment in changed if summed_until and moment < summed_until)
    again = (day for day in days if day.moments not in rows or rows[day.moments].summed_at <= now - PAUSE)
    for day in islice(chain(again, _new_days(summed_until, end)), DAYS_AT_ONCE):
        run_committed(SummedDay, partial(_sum, day, rows.get(day.moments), now))
        yield day


def _new_days(after: datetime | None, end: datetime) -> Iterator[Day]:
    """The days from one moment, or the first message, to the last message before another, without long gaps."""
    while (after is None or after < end) and (first := first_message(after, end, SummedDay.objects.db)):
        day = day_of(first if after is None or first - after > LONGEST_GAP else after)
        yield day
        after = day.ends_at


def _without_wrong(rows: Sequence[SummedDay], now: datetime) -> dict[Moments, SummedDay]:
    """Forgets days of another time zone, whose marks nobody would keep, and those that were summed in the future.

    The days after the first of them are forgotten too, because days are summed one after the other.
    """
    is_right = [row.summed_at <= now and day_of(row.starts_at).moments == (row.starts_at, row.ends_at) for row in rows]
    count = is_right.index(False) if False in is_right else len(rows)
    if wrong := rows[count:]:
        run_committed(SummedDay, partial(_forget, wrong))
    return {(row.starts_at, row.ends_at): row for row in rows[:count]}


def _forget(rows: Iterable[SummedDay]) -> None:
    """Deletes days, but for those that another run has changed: it may be storing their sums."""
    locked = [row.pk for row in rows if _as_read(row).update(summed_at=row.summed_at)]
    SummedDay.objects.filter(pk__in=locked).delete()


def _sum(day: Day, row: SummedDay | None, now: datetime) -> None:
    """Replaces the sums of a day, unless another run does it."""
    if row is None:
        row = _insert(day, now)
    elif not _as_read(row).update(summed_at=now):
        return
    if row is None:
        return
    rows = LateChange.objects.using(SummedDay.objects.db)
    marks = list(rows.filter(moment__gte=day.starts_at, moment__lt=day.ends_at).values_list("pk", flat=True))
    _replace_sums(row)
    for start in range(0, len(marks), CHUNK_SIZE):
        rows.filter(pk__in=marks[start : start + CHUNK_SIZE]).delete()


def _insert(day: Day, now: datetime) -> SummedDay | None:
    """The new row of a day; None when another run has inserted it, for which this waits."""
    try:
        with transaction.atomic(using=SummedDay.objects.db):
            return SummedDay.objects.create(starts_at=day.starts_at, ends_at=day.ends_at, summed_at=now)
    except IntegrityError:
        return None


def _as_read(row: SummedDay) -> Any:
    """The row, unless another run has changed it."""
    return SummedDay.objects.filter(pk=row.pk, summed_at=row.summed_at)


def _replace_sums(row: SummedDay) -> None:
    counted = count_messages(row.starts_at, row.ends_at, SummedDay.objects.db, by_purpose=True)
    DailySum.objects.filter(day=row).delete()
    DailySum.objects.bulk_create(
        DailySum(
            day=row,
            provider_id=kind.provider,
            status=kind.status,
            is_probe=kind.is_probe,
            purpose=kind.purpose or "",
            **sums._asdict(),
        )
        for kind, sums in counted.items()
    )
