"""Days of the site's time zone, as moments."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from django.conf import settings
from django.utils import timezone

ONE, HOUR = timedelta(days=1), timedelta(hours=1)


class Day(NamedTuple):
    """A day, or a part of one: its date, its first moment, and that of the next day."""

    date: date
    starts_at: datetime
    ends_at: datetime

    @property
    def moments(self) -> tuple[datetime, datetime]:
        """Both, by which a summed day is found."""
        return self.starts_at, self.ends_at


def days_between(first: date, last: date) -> list[Day]:
    """Every day from the first to the last, both included."""
    midnights = [_midnight(first + ONE * number) for number in range((last - first).days + 2)]
    return [Day(first + ONE * number, *midnights[number : number + 2]) for number in range(len(midnights) - 1)]


def hours_of(day: Day) -> list[Day]:
    """The hours of a day from its first moment on, as parts of it: 24, or one more or less where clocks are changed."""
    return [
        Day(day.date, starts_at, min(starts_at + HOUR, day.ends_at))
        for starts_at in (day.starts_at + HOUR * number for number in range(-((day.starts_at - day.ends_at) // HOUR)))
    ]


def day_of(moment: datetime) -> Day:
    """The day in which a moment lies."""
    date = date_of(moment)
    return days_between(date, date)[0]


def date_of(moment: datetime) -> date:
    """The date of a moment in TIME_ZONE."""
    return timezone.localtime(moment, timezone.get_default_timezone()).date() if settings.USE_TZ else moment.date()


def _midnight(day: date) -> datetime:
    """The start of a day; where clocks are put forward at midnight, the time of that change."""
    moment = datetime.combine(day, time.min)
    if not settings.USE_TZ:
        return moment
    # In UTC, because a time that a zone has twice, or not at all, equals no moment of another zone.
    return timezone.make_aware(moment, timezone.get_default_timezone()).astimezone(UTC)
