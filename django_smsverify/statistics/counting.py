"""Counts and sums of messages, read from the messages themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Count, Min, Sum

from django_smsverify.models import Message


class Kind(NamedTuple):
    """What the messages of a sum have in common; a day or purpose that is not asked for is None."""

    provider: int
    status: str
    is_probe: bool = False
    purpose: str | None = None
    day: date | None = None


class Sums(NamedTuple):
    """The sums of messages of one kind."""

    messages: int
    segments: int
    cost: Decimal
    unpriced: int
    """Messages whose cost is not known."""


Counted = dict[Kind, Sums]


def count_messages(since: datetime, until: datetime, using: str, *, by_purpose: bool) -> Counted:
    """The messages created between two moments, of which the first is included."""
    names = ["provider", "status", "is_probe", "cost", *(["purpose"] if by_purpose else [])]
    messages = Message.objects.using(using).filter(created_at__gte=since, created_at__lt=until).order_by()
    groups = messages.values(*names).annotate(count=Count("pk"), parts=Sum("segments"))
    # Amounts are multiplied and added in Python: SQLite would add floats.
    return added(
        (
            Kind(group["provider"], group["status"], group["is_probe"], group.get("purpose")),
            # MySQL returns the sum of integers as a Decimal.
            _sums(group["count"], int(group["parts"]), group["cost"]),
        )
        for group in groups
    )


def first_message(since: datetime | None, until: datetime, using: str) -> datetime | None:
    """When the first message was created between two moments, or before the second."""
    messages = Message.objects.using(using).filter(created_at__lt=until)
    messages = messages if since is None else messages.filter(created_at__gte=since)
    first: datetime | None = messages.aggregate(first=Min("created_at"))["first"]
    return first


def added(counted: Iterable[tuple[Kind, Sums]]) -> Counted:
    """Adds the sums of the same kind."""
    lists: dict[Kind, list[Sums]] = defaultdict(list)
    for kind, sums in counted:
        lists[kind].append(sums)
    return {kind: found[0] if len(found) == 1 else _total(found) for kind, found in lists.items()}


def _total(found: list[Sums]) -> Sums:
    messages, segments, cost, unpriced = map(sum, zip(*found, strict=True))
    return Sums(int(messages), int(segments), Decimal(cost), int(unpriced))


def _sums(count: int, segments: int, cost: Decimal | None) -> Sums:
    if cost is None:
        return Sums(count, segments, Decimal("0.0000"), count)
    return Sums(count, segments, cost * count, 0)
