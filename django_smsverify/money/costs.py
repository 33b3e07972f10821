"""What the SMS of a period cost by provider, purpose and day, added up exactly."""

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
from django.db.models import Count, Sum
from django.utils import timezone

from django_smsverify.enums import MessageStatus
from django_smsverify.models import Message, Provider

BY = ("provider", "purpose", "day")
COLUMNS = {"provider": ("provider", "name"), "purpose": ("purpose",), "day": ("day",)}
"""What each of these stands in; two providers may have one name."""
FIGURES = ("messages", "segments", "cost", "provisional", "unknown", "unpriced")
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2999, 12, 31)
LONGEST = timedelta(days=3660)
"""By day, each day of a period is a question to the database."""
BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRow:
    """One line of a report; what it is not by is None."""

    provider: str | None = None
    """The slug."""
    name: str | None = None
    purpose: str | None = None
    day: date | None = None
    messages: int = 0
    """Those that a vendor certainly took."""
    segments: int = 0
    """Of these messages, whether charged or not."""
    cost: Decimal = Decimal("0.0000")
    """In yuan, to four decimals."""
    provisional: Decimal = Decimal("0.0000")
    """The part of the cost that the vendor waives if the messages turn out not to have arrived."""
    unknown: int = 0
    """Messages beside those, under way or with an outcome that nobody knows: they may have cost."""
    unpriced: int = 0
    """Those of the messages whose provider had no price: what they cost is not known."""

    def figures(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in FIGURES}


def costs(start: date, end: date, by: Sequence[str] = ("provider",)) -> list[CostRow]:
    """The costs of the messages of these days, both included, in the order of `by`: any of BY, or nothing.

    A message belongs to the day, in TIME_ZONE, on which it was asked for (`created_at`; one that waited for a worker,
    on which the worker took it). That is known of every message, also of one whose vendor's answer was lost.
    One that was asked for in the last seconds of a day may stand on the vendor's bill of the next.

    Raises ValueError for other words, and for a period that ends before it starts or cannot be asked for.
    """
    _require(start, end, by)
    # Neither the database's sums nor its days: SQLite adds floats, and MySQL may not know time zones.
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
    """The sum of what stands in each column."""
    figures = [row.figures() for row in [CostRow(), *rows]]
    return CostRow(**{name: sum(one[name] for one in figures) for name in FIGURES})


def in_fen(amount: Decimal) -> Decimal:
    """An amount as it is paid: rounded to the fen, a half upwards. Only for what is not added up any more."""
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def today() -> date:
    """The day that it is in TIME_ZONE."""
    now = timezone.now()
    return timezone.localtime(now, timezone.get_default_timezone()).date() if settings.USE_TZ else now.date()


def columns(by: Iterable[str]) -> list[str]:
    return [*(column for word in dict.fromkeys(by) for column in COLUMNS[word]), *FIGURES]


def record_of(row: CostRow, names: Iterable[str]) -> dict[str, str | int]:
    """A row for JSON and CSV: counts as numbers, money and days as text."""
    values = {name: getattr(row, name) for name in names}
    return {name: value if isinstance(value, int) else str(value) for name, value in values.items()}


def as_csv(rows: Iterable[CostRow], by: Sequence[str]) -> str:
    """A table without totals, for a spreadsheet: with a byte order mark, without which Excel reads it as GBK in
    China, and with no cell that it would take for a formula."""
    names, text = columns(by), io.StringIO()
    text.write(BYTE_ORDER_MARK)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow(_inert(value) for value in record_of(row, names).values())
    return text.getvalue()


def _inert(value: str | int) -> str | int:
    if isinstance(value, int):
        return value
    line = " ".join(value.split())
    # NFKC: Chinese and Japanese editions take full-width signs for signs.
    return f"'{line}" if unicodedata.normalize("NFKC", line[:1]) in {"=", "+", "-", "@"} else line


def _require(start: date, end: date, by: Iterable[str]) -> None:
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
    """When a day begins; where clocks are put forward at midnight, the moment that they are."""
    moment = datetime.combine(day, time.min)
    return timezone.make_aware(moment, timezone.get_default_timezone()) if settings.USE_TZ else moment


def _groups(first: date, last: date, by: Sequence[str]) -> list[dict[str, Any]]:
    """Messages that differ in nothing that counts, counted."""
    since, until = _midnight(first), _midnight(last + timedelta(days=1))
    names = ["provider", "status", "cost", *(["purpose"] if "purpose" in by else [])]
    messages = Message.objects.filter(created_at__gte=since, created_at__lt=until).order_by()
    return list(messages.values(*names).annotate(count=Count("pk"), parts=Sum("segments")))


def _line(provider: Provider, *, status: str, cost: Decimal | None, count: int, parts: int) -> CostRow:
    known = MessageStatus(status)
    if not known.is_taken:
        return CostRow(unknown=count if known in (MessageStatus.SENDING, MessageStatus.UNKNOWN) else 0)
    whole = (cost or Decimal("0.0000")) * count
    return CostRow(
        messages=count,
        segments=int(parts),  # MySQL adds whole numbers up to a Decimal
        cost=whole,
        provisional=whole if provider.billing.may_still_waive(known) else Decimal("0.0000"),
        unpriced=count if cost is None else 0,
    )


def _merged(lines: list[CostRow], by: Sequence[str]) -> list[CostRow]:
    """One row for each that differs in what the report is by."""

    def key(line: CostRow) -> tuple[Any, ...]:
        return tuple(getattr(line, word) for word in by)

    groups = (list(group) for _, group in groupby(sorted(lines, key=key), key))
    return [replace(group[0], **total(group).figures()) for group in groups]
