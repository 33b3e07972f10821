"""Costs of the SMS of a period by provider, purpose and day, added exactly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.utils import timezone

from django_smsverify.enums import Billing, MessageStatus
from django_smsverify.models import Provider
from django_smsverify.models.days import date_of
from django_smsverify.spreadsheets import BYTE_ORDER_MARK, csv_lines
from django_smsverify.statistics.counting import Kind, Sums
from django_smsverify.statistics.questions import count_days

BY = ("provider", "purpose", "day")
COLUMNS = {"provider": ("provider", "name"), "purpose": ("purpose",), "day": ("day",)}
"""The columns of each grouping; provider has the slug too, because two providers may have one name."""
PARTS = {"purpose": "purpose", "day": "part"}
"""How `statistics` names them."""
_SHOWN = ("messages", "segments", "cost", "provisional", "unknown", "unpriced", "probes")
SUMMED = (*_SHOWN, "codes", "verified")
"""What is added."""
FIGURES = (*_SHOWN, "per_verified")
"""The numeric columns of a report."""
Figures = tuple[int, int, Decimal, Decimal, int, int, Decimal, Decimal, int]
NOTHING = Decimal("0.0000")
CHARGED = frozenset(status for status in MessageStatus if status.is_taken)
OPEN = frozenset({MessageStatus.SENDING, MessageStatus.UNKNOWN})
"""They may have been accepted, and charged."""
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2999, 12, 31)
LONGEST = timedelta(days=3660)
"""The longest period; by day, each day that is not summed is one database query."""


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
    probes: Decimal = Decimal("0.0000")
    """The part of the cost that is of probes to the operator's own numbers."""
    codes: Decimal = Decimal("0.0000")
    """The part of the cost that is of codes: without notices, and without probes."""
    verified: int = 0
    """Messages whose code was entered; of a code with two SMS, both are."""

    @property
    def per_verified(self) -> Decimal | None:
        """What codes cost for each message whose code was entered, to four decimals; None without any."""
        return (self.codes / self.verified).quantize(NOTHING, ROUND_HALF_UP) if self.verified else None

    def figures(self) -> dict[str, Any]:
        """What is added, by name."""
        return {name: getattr(self, name) for name in SUMMED}


def costs(start: date, end: date, by: Sequence[str] = ("provider",)) -> list[CostRow]:
    """The costs of the messages of these days, both included, in the order of `by`: any of BY, or nothing.

    A message belongs to the day of `created_at` in TIME_ZONE: when it was requested or, if it waited in a queue, when
    the worker took it. Every message has that time, even if the vendor's answer was lost. A message of the last seconds
    of a day may be on the vendor's bill for the next day.

    Raises ValueError for any other `by`, and for a period that ends before it starts or is out of range.
    """
    _require_valid(start, end, by)
    counted = count_days(start, end, {"has_code", *(PARTS[word] for word in by if word in PARTS)})
    providers = {provider.pk: provider for provider in Provider.objects.only("slug", "name", "gateway")}
    billing = {pk: providers[pk].billing for pk in {kind.provider for kind in counted}}
    found: dict[tuple[Any, ...], list[Figures]] = defaultdict(list)
    for kind, sums in counted.items():
        if kind.status in CHARGED or kind.status in OPEN:
            key = kind.provider if "provider" in by else None, kind.purpose, kind.part and kind.part.date
            found[key].append(_figures(kind, sums, billing[kind.provider]))
    rows = [_row(key, figures, providers) for key, figures in found.items()]
    return sorted(rows, key=lambda row: tuple(getattr(row, word) for word in by))


def total(rows: Iterable[CostRow]) -> CostRow:
    """The sum of all rows."""
    figures = [row.figures() for row in [CostRow(), *rows]]
    return CostRow(**{name: sum(one[name] for one in figures) for name in SUMMED})


def in_fen(amount: Decimal) -> Decimal:
    """An amount as it is paid: rounded half up to the fen. Only for amounts that are not added further."""
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def today() -> date:
    """The current day in TIME_ZONE."""
    return date_of(timezone.now())


def columns(by: Iterable[str]) -> list[str]:
    """The names of a report's columns."""
    return [*(column for word in dict.fromkeys(by) for column in COLUMNS[word]), *FIGURES]


def record_of(row: CostRow, names: Iterable[str]) -> dict[str, str | int]:
    """A row for JSON and CSV: counts as numbers, money and days as text, blank for what is not known."""
    values = {name: getattr(row, name) for name in names}
    return {
        name: value if isinstance(value, int) else "" if value is None else str(value) for name, value in values.items()
    }


def as_csv(rows: Iterable[CostRow], by: Sequence[str], heads: Mapping[str, str] | None = None) -> str:
    """The rows as CSV for a spreadsheet, without totals; the first line has the names of the columns, or their `heads`.

    Starts with a byte order mark, because Excel in China reads the file as GBK without it; no cell can be read as a
    formula.
    """
    names = columns(by)
    first = names if heads is None else [heads[name] for name in names]
    return BYTE_ORDER_MARK + csv_lines([first, *(record_of(row, names).values() for row in rows)])


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


def _figures(kind: Kind, sums: Sums, billing: Billing) -> Figures:
    """What the messages of one kind add to their row, in the order of SUMMED."""
    if kind.status in OPEN:
        return 0, 0, NOTHING, NOTHING, sums.messages, 0, NOTHING, NOTHING, 0
    provisional = sums.cost if billing.may_still_waive(MessageStatus(kind.status)) else NOTHING
    probes = sums.cost if kind.is_probe else NOTHING
    codes, verified = (sums.cost, sums.converted) if kind.has_code and not kind.is_probe else (NOTHING, 0)
    return sums.messages, sums.segments, sums.cost, provisional, 0, sums.unpriced, probes, codes, verified


def _row(key: tuple[Any, ...], figures: list[Figures], providers: Mapping[int, Provider]) -> CostRow:
    pk, purpose, day = key
    name: dict[str, Any] = {"provider": providers[pk].slug, "name": providers[pk].name} if pk is not None else {}
    sums: dict[str, Any] = dict(zip(SUMMED, map(sum, zip(*figures, strict=True)), strict=True))
    return CostRow(purpose=purpose, day=day, **name, **sums)
