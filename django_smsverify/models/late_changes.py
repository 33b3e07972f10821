"""Changes of messages whose day may be summed already."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

SUMMED = frozenset(
    {
        *("created_at", "provider", "provider_id", "purpose", "carrier", "is_probe"),
        *("status", "cause", "segments", "cost", "delivery_seconds"),
    }
)
"""The columns of a message that the sums of its day depend on."""
LATE_AFTER = timedelta(minutes=20)
"""A change of a younger message is not marked, because its hour is not summed before `statistics.sums.SUM_AFTER`."""
HOURS_KEPT = timedelta(days=4)
"""How long after its end a day is told by its hours; by then its reports have come."""
STEP, SHORT_STEP = timedelta(hours=12), timedelta(minutes=30)
"""Shorter than any day, and than any hour: marks at this distance leave out none."""


class LateChange(models.Model):
    """A mark at a moment: the sums of its day, and of its hour, may be wrong.

    It is stored in the transaction that changes a message, and is deleted in the one that stores the new sums. A row of
    its own, where a flag on the day would make all late reports wait for one row.
    """

    moment = models.DateTimeField(_("moment"), db_index=True)
    """When the message was created."""

    class Meta:
        verbose_name = _("late change")
        verbose_name_plural = _("late changes")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.moment}"


def late_moments(moments: Sequence[datetime]) -> list[datetime]:
    """Those of these moments at which a change of a message must be marked."""
    cut = timezone.now() - LATE_AFTER
    return [moment for moment in moments if moment < cut]


def mark_late(moments: Sequence[datetime], using: str) -> None:
    """Marks the days from the first to the last of these moments, in the transaction of the change."""
    first, last = min(moments), max(moments)
    by_hour = max(first, min(last, timezone.now() - HOURS_KEPT - timedelta(days=2)))
    marked = [*_spread(first, by_hour, STEP), *_spread(by_hour, last, SHORT_STEP), last]
    rows = [LateChange(moment=moment) for moment in dict.fromkeys(marked)]
    LateChange.objects.using(using).bulk_create(rows)


def _spread(first: datetime, last: datetime, step: timedelta) -> list[datetime]:
    return [first + step * number for number in range((last - first) // step + 1)]
