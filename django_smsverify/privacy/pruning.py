"""The clean-up: numbers are forgotten after NUMBER_DAYS, and records are deleted after RETENTION_DAYS.

Any number of runs may overlap, and one may be killed at any time: each transaction stands for itself, and the next run
goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache, partial
from itertools import chain

from django.db.models import Min, Q
from django.utils import timezone

from django_smsverify.conf import conf
from django_smsverify.enums import MessageStatus
from django_smsverify.limits.per_number import counts_for
from django_smsverify.models import Message, PruneMark, Recipient, ReportBatch
from django_smsverify.transactions import require_autocommit

from . import deleting, recipients
from .batches import Pace, Row, Stage, committed, delete_rows
from .hiding import RECORDS, Records
from .pseudonyms import pseudonym

UNDER_WAY = (MessageStatus.QUEUED, MessageStatus.SENDING)
"""Messages that still need their number."""
LONG_AGO = timedelta(days=36_500)
HIDDEN = "numbers forgotten"


@dataclass(frozen=True)
class Clocks:
    """Before which moments numbers are forgotten and records deleted."""

    hide_before: datetime
    delete_before: datetime

    @classmethod
    def now(cls) -> Clocks:
        """What the settings say; what the limits of a number count stays in any case."""
        now, needed = timezone.now(), counts_for()
        kept = max(timedelta(days=conf.RETENTION_DAYS), needed)
        hidden = kept if conf.NUMBER_DAYS is None else max(timedelta(days=conf.NUMBER_DAYS), needed)
        return cls(hide_before=now - min(hidden, kept), delete_before=now - kept)


def prune(
    *,
    pace: Pace | None = None,
    stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], None] | None = None,
) -> Counter[str]:
    """Forgets numbers and deletes records; returns how many of each.

    `stopped` is called after each transaction, and ends the run with True. `progress` is called with how many rows are
    done and the total, which is counted only then. May run at any time, also several times at once.

    Raises InsideTransaction: each step must be committed when it is done.
    """
    require_autocommit(Message)
    clocks, tally = Clocks.now(), Counter[str]()
    total = pending(clocks).total() if progress else 0
    for word, count in _steps(clocks, pace or Pace()):
        tally[word] += count
        if progress:
            progress(tally.total(), max(total, tally.total()))
        if stopped():
            break
    return +tally


def pending(clocks: Clocks | None = None) -> Counter[str]:
    """Returns how many rows a run would change now, and changes none."""
    clocks, found = clocks or Clocks.now(), Counter[str]()
    for stage in chain(deleting.stages(clocks.delete_before, is_trial=True), [_fetched(clocks)]):
        found[stage.word] += stage.rows.count()
    for stage in _hiding(clocks.hide_before):
        found[stage.word] += stage.rows.filter(**{f"{stage.moment}__gte": clocks.delete_before}).count()
    found[HIDDEN] += recipients.due(clocks.hide_before, clocks.delete_before).count()
    return +found


def _steps(clocks: Clocks, pace: Pace) -> Iterator[tuple[str, int]]:
    for stage in chain(deleting.stages(clocks.delete_before), [_fetched(clocks)], _hiding(clocks.hide_before)):
        for count in stage.run(pace):
            yield stage.word, count
    yield from _recipients(clocks, pace)


def _fetched(clocks: Clocks) -> Stage:
    """Reports as they were fetched, whose text names numbers: those that cannot be read go with the numbers."""
    unreadable = Q(received_at__lt=clocks.hide_before) & ~Q(problems="")
    rows = ReportBatch.objects.filter(unreadable | Q(received_at__lt=clocks.delete_before))
    return Stage("fetched reports deleted", rows, "received_at", _delete_fetched)


def _delete_fetched(rows: Sequence[Row]) -> int:
    return delete_rows(ReportBatch, [row[0] for row in rows])


def _hiding(before: datetime) -> Iterator[Stage]:
    for records in RECORDS:
        table = str(records.model._meta.model_name)
        mark, _ = PruneMark.objects.get_or_create({"until": timezone.now() - LONG_AGO}, table=table)
        rows = records.rows().filter(**{f"{records.moment}__lt": before, f"{records.moment}__gte": mark.until})
        limit = None
        if records.model is Message:
            rows, limit = rows.exclude(status__in=UNDER_WAY), _oldest_under_way(before)
        work, note = partial(_hide, records, lru_cache(pseudonym)), partial(_note, mark.pk, limit)
        yield Stage(HIDDEN, rows, records.moment, work, records.names, note)


def _hide(records: Records, names: Callable[[str], str], rows: Sequence[Row]) -> int:
    records.hide(rows, names)
    return len(rows)


def _note(mark: int, limit: datetime | None, until: datetime) -> None:
    """Stores how far the numbers of a table are forgotten; not beyond a message that still needs its own."""
    until = min(until, limit) if limit else until
    PruneMark.objects.filter(pk=mark, until__lt=until).update(until=until)


def _oldest_under_way(before: datetime) -> datetime | None:
    """When the oldest message was created that is queued or being sent."""
    rows = Message.objects.filter(created_at__lt=before).order_by()
    found = [rows.filter(status=status).aggregate(oldest=Min("created_at"))["oldest"] for status in UNDER_WAY]
    return min(filter(None, found), default=None)


def _recipients(clocks: Clocks, pace: Pace) -> Iterator[tuple[str, int]]:
    for page in recipients.pages():
        old = [one for one in page if one.claimed_at < clocks.delete_before]
        idle = [one for one in page if recipients.is_idle(one, clocks.hide_before)]
        delete = partial(recipients.delete, before=clocks.delete_before)
        hide = partial(recipients.hide, before=clocks.hide_before, names=pseudonym)
        yield from _in_batches("numbers deleted", old, delete, pace)
        yield from _in_batches(HIDDEN, idle, hide, pace)


def _in_batches(
    word: str, rest: Sequence[recipients.Number], work: Callable[[Sequence[recipients.Number]], int], pace: Pace
) -> Iterator[tuple[str, int]]:
    while rest:
        some, rest = rest[: pace.size], rest[pace.size :]
        yield word, committed(Recipient, partial(work, some), pace) or 0
