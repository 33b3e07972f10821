"""Costs of the SMS of a period by provider, purpose and day, added exactly."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby
from typing import Any

from django.conf import settings
from django.db import router
from django.db.models import Count, Sum
from django.utils import timezone

from django_smsverify.enums import MessageStatus
from django_smsverify.models import Message, Provider

BY = ("provider", "purpose", "day")
COLUMNS = {"provider": ("provider", "name"), "purpose": ("purpose",), "day": ("day",)}
"""The columns of each grouping; provider has the slug too, because two providers may have one name."""
FIGURES = ("messages", "segments", "cost", "provisional", "unknown", "unpriced")
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2999, 12, 31)
LONGEST = timedelta(days=3660)
"""The longest period; by day, each day is one database query."""
BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRow:
    """One row of a report; a column that the report is not grouped by is None."""

    provider: str | None = None
    """The slug."""
    name: str | None = None
    purpose: str | None = None
    day: date | None = None
    messages: int = 0
    """Messages that a vendor certainly accepted."""
    segments: int = 0
    """Segments of these messages, charged or not."""
    cost: Decimal = Decimal("0.0000")
    """In yuan, to four decimals."""
    provisional: Decimal = Decimal("0.0000")
    """The part of the cost that the vendor waives if the messages turn out to be undelivered."""
    unknown: int = 0
    """Other messages, under way or with an unknown outcome: they may be charged."""
    unpriced: int = 0
    """Accepted messages whose provider had no price: their cost is unknown."""

    def figures(self) -> dict[str, Any]:
        """The numeric columns by name."""
        return {name: getattr(self, name) for name in FIGURES}


def costs(start: date, end: date, by: Sequence[str] = ("provider",)) -> list[CostRow]:
    """The costs of the messages of these days, both included, in the order of `by`: any of BY, or nothing.

    A message belongs to the day of `created_at` in TIME_ZONE: when it was requested or, if it waited in a queue, when
    the worker took it. Every message has that time, even if the vendor's answer was lost. A message of the last seconds
    of a day may be on the vendor's bill for the next day.

    Raises ValueError for any other `by`, and for a period that ends before it starts or is out of range.
    """
    _require_valid(start, end, by)
    # Add money and group days in Python: SQLite adds floats, and MySQL may have no time zones.
    groups = [(first, group) for first, last in _periods(start, end, by) for group in _groups(first, last, by)]
    providers = {provider.pk: provider for provider in Provider.objects.only("slug", "name", "gateway")}
    lines: list[CostRow] = []
    for day, group in groups:
        provider = providers[group.pop("provider")]
        own = {"purpose": group.pop("purpose", None), "day": day if "day" in by else None}
        if "provider" in by:
            own |= {"provider": provider.slug, "name": provider.name}
        lines.append(replace(_line(provider, **group), **own))
    return _merged([line for line in lines if line.messages or line.unknown], by)


def total(rows: Iterable[CostRow]) -> CostRow:
    """The sum of each numeric column."""
    figures = [row.figures() for row in [CostRow(), *rows]]
    return CostRow(**{name: sum(one[name] for one in figures) for name in FIGURES})


def in_fen(amount: Decimal) -> Decimal:
    """An amount as it is paid: rounded half up to the fen. Only for amounts that are not added further."""
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def today() -> date:
    """The current day in TIME_ZONE."""
    now = timezone.now()
    return timezone.localtime(now, timezone.get_default_timezone()).date() if settings.USE_TZ else now.date()


def columns(by: Iterable[str]) -> list[str]:
    """The names of a report's columns."""
    return [*(column for word in dict.fromkeys(by) for column in COLUMNS[word]), *FIGURES]


def record_of(row: CostRow, names: Iterable[str]) -> dict[str, str | int]:
    """A row for JSON and CSV: counts as numbers, money and days as text."""
    values = {name: getattr(row, name) for name in names}
    return {name: value if isinstance(value, int) else str(value) for name, value in values.items()}


def as_csv(rows: Iterable[CostRow], by: Sequence[str]) -> str:
    """The rows as CSV for a spreadsheet, without totals.

    Starts with a byte order mark, because Excel in China reads the file as GBK without it; no cell can be read as a
    formula.
    """
    names, text = columns(by), io.StringIO()
    text.write(BYTE_ORDER_MARK)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow(_without_formula(value) for value in record_of(row, names).values())
    return text.getvalue()


def _without_formula(value: str | int) -> str | int:
    if isinstance(value, int):
        return value
    line = " ".join(value.split())
    # NFKC: Chinese and Japanese editions of Excel accept full-width signs.
    return f"'{line}" if unicodedata.normalize("NFKC", line[:1]) in {"=", "+", "-", "@"} else line


def _require_valid(start: date, end: date, by: Iterable[str]) -> None:
    for word in by:
        if word not in BY:
            raise ValueError(f"Costs are told by {', '.join(BY)}; {word!r} is none of them.")
    if start > end:
        raise ValueError(f"The first day, {start}, comes after the last, {end}: exchange them.")
    if start < FIRST_DAY or end > LAST_DAY or end - start >= LONGEST:
        raise ValueError(
            f"From {start} to {end} cannot be told: ask for {LONGEST.days} days at most, "
            f"between {FIRST_DAY} and {LAST_DAY}."
        )


def _periods(start: date, end: date, by: Sequence[str]) -> Iterator[tuple[date, date]]:
    if "day" not in by:
        yield start, end
        return
    for number in range((end - start).days + 1):
        day = start + timedelta(days=number)
        yield day, day


def _midnight(day: date) -> datetime:
    """The start of a day; where clocks are put forward at midnight, the time of that change."""
    moment = datetime.combine(day, time.min)
    return timezone.make_aware(moment, timezone.get_default_timezone()) if settings.USE_TZ else moment


def _groups(first: date, last: date, by: Sequence[str]) -> list[dict[str, Any]]:
    """Counts messages with the same provider, status, cost and, if needed, purpose."""
    since, until = _midnight(first), _midnight(last + timedelta(days=1))
    names = ["provider", "status", "cost", *(["purpose"] if "purpose" in by else [])]
    # A replica will do for sums of days.
    rows = Message.objects.using(router.db_for_read(Message))
    messages = rows.filter(created_at__gte=since, created_at__lt=until).order_by()
    return list(messages.values(*names).annotate(count=Count("pk"), parts=Sum("segments")))


def _line(provider: Provider, *, status: str, cost: Decimal | None, count: int, parts: int) -> CostRow:
    known = MessageStatus(status)
    if not known.is_taken:
        return CostRow(unknown=count if known in (MessageStatus.SENDING, MessageStatus.UNKNOWN) else 0)
    whole = (cost or Decimal("0.0000")) * count
    return CostRow(
        messages=count,
        segments=int(parts),  # MySQL returns the sum of integers as a Decimal
        cost=whole,
        provisional=whole if provider.billing.may_still_waive(known) else Decimal("0.0000"),
        unpriced=count if cost is None else 0,
    )


def _merged(lines: list[CostRow], by: Sequence[str]) -> list[CostRow]:
    """Merges lines into one row for each value of `by`."""

    def key(line: CostRow) -> tuple[Any, ...]:
        return tuple(getattr(line, word) for word in by)

    groups = (list(group) for _, group in groupby(sorted(lines, key=key), key))
    return [replace(group[0], **total(group).figures()) for group in groups]
