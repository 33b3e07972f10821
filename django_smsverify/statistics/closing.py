"""Closing days whose sums are exact: from then on the messages of a day can be deleted, and its sums stay for good."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Exists, OuterRef
from django.utils import timezone

from django_smsverify.models import LateChange, SummedDay

from .questions import VERSION

Span = tuple[datetime, datetime]
"""The first moment of a time, and the first after it."""


def close_days(until: datetime, *, is_trial: bool = False) -> list[Span]:
    """Closes the days that ended before a moment, and returns all that are closed; those in a row are one span.

    A day that lacks sums, or whose messages were changed since, stays open: the poll sums it first. A trial only
    returns what would be closed.
    """
    marks = LateChange.objects.using(SummedDay.objects.db)
    own = marks.filter(moment__gte=OuterRef("starts_at"), moment__lt=OuterRef("ends_at"))
    days = SummedDay.objects.filter(is_hour=False, ends_at__lte=until)
    exact = days.filter(~Exists(own), closed_at=None, version=VERSION)
    found = list(exact.values_list("pk", "summed_at", "starts_at", "ends_at"))
    closed = set(days.exclude(closed_at=None).values_list("starts_at", "ends_at"))
    for pk, summed_at, *ends in found:
        if is_trial or exact.filter(pk=pk, summed_at=summed_at).update(closed_at=timezone.now()):
            closed.add((ends[0], ends[1]))
    return _joined(sorted(closed))


def _joined(days: Iterable[Span]) -> list[Span]:
    spans: list[Span] = []
    for starts_at, ends_at in days:
        if spans and spans[-1][1] == starts_at:
            spans[-1] = spans[-1][0], ends_at
        else:
            spans.append((starts_at, ends_at))
    return spans


def forget_marks(span: Span) -> None:
    """Deletes the marks of late changes within closed days, which are not summed again."""
    marks = LateChange.objects.using(SummedDay.objects.db)
    marks.filter(moment__gte=span[0], moment__lt=span[1]).delete()
