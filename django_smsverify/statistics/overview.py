"""What happened lately, from an hour to a month: in all, by part of that time, and by what tells it apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TypeVar

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from django_smsverify.enums import Refused
from django_smsverify.models.days import Day, date_of, day_of, days_between, hours_of

from .counting import Counted, Kind
from .figures import Figures
from .questions import count_parts

K = TypeVar("K", bound=Hashable)
STEP = timedelta(minutes=5)


class Window(TextChoices):
    """The time that an overview tells of, until now."""

    HOUR = "hour", _("1 hour")
    TODAY = "today", _("today")
    DAY = "day", _("24 hours")
    WEEK = "week", _("7 days")
    MONTH = "month", _("30 days")


@dataclass(frozen=True, slots=True)
class Overview:
    """The figures of a time."""

    window: Window
    parts: Sequence[Day]
    total: Figures
    by_part: Mapping[Day, Figures]
    """Each of `parts`, in their order."""
    by_provider: Mapping[int, Figures]
    """By primary key."""
    by_carrier: Mapping[str, Figures]
    """A blank name is that of numbers without a carrier of mainland China."""
    by_purpose: Mapping[str, Figures]


def overview(window: Window, now: datetime) -> Overview:
    """Returns what happened until now, in four statements once the poll has summed what is over."""
    parts = parts_of(window, now)
    counted, requests = count_parts(parts)
    total, by_purpose = Figures(), _grouped(counted, lambda kind: kind.purpose or "")
    by_part = {part: Figures() for part in parts} | _grouped(counted, lambda kind: kind.part or parts[0])
    for kind, sums in counted.items():
        total.add(kind, sums)
    for (part, purpose, result), count in requests.items():
        groups = [total, by_part[part or parts[0]]]
        if result != Refused.UNKNOWN_PURPOSE:  # else anybody could add purposes
            groups.append(by_purpose.setdefault(purpose, Figures()))
        for figures in groups:
            figures.requests[result] += count
    by_provider = _grouped(counted, lambda kind: kind.provider)
    by_carrier = _grouped(counted, lambda kind: kind.carrier or "")
    return Overview(window, parts, total, by_part, by_provider, by_carrier, by_purpose)


def parts_of(window: Window, now: datetime) -> list[Day]:
    """Twelve times five minutes, the hours of today, 24 hours, or days; the last part is now, and is not over."""
    today = date_of(now)
    if window is Window.HOUR:
        start = now.replace(minute=now.minute // 5 * 5, second=0, microsecond=0) - 11 * STEP
        moments = [start + STEP * number for number in range(13)]
        return [Day(date_of(one), one, after) for one, after in pairwise(moments)]
    if window is Window.TODAY:
        return [hour for hour in hours_of(day_of(now)) if hour.starts_at <= now]
    if window is Window.DAY:
        hours = [hour for day in days_between(date_of(now - timedelta(days=1)), today) for hour in hours_of(day)]
        return [hour for hour in hours if hour.starts_at <= now][-24:]
    days = 7 if window is Window.WEEK else 30
    return days_between(today - timedelta(days=days - 1), today)


def _grouped(counted: Counted, key: Callable[[Kind], K]) -> dict[K, Figures]:
    found: dict[K, Figures] = defaultdict(Figures)
    for kind, sums in counted.items():
        found[key(kind)].add(kind, sums)
    return dict(found)
