"""What follows from a report beyond its row and that of its message; `sending` sets it when the app is ready."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from django.db import DatabaseError, transaction

from django_smsverify.enums import DeliveryOutcome
from django_smsverify.exceptions import describe
from django_smsverify.models import DeliveryReport, Message

logger = logging.getLogger("django_smsverify")


class Second(Protocol):
    """A second SMS that is queued in the transaction in which its first one becomes undelivered."""

    def lock(self) -> None:
        """Called first in that transaction."""

    def queue(self) -> None:
        """Called last, if the transaction has changed the status of the first one."""


@dataclass(frozen=True, slots=True)
class FollowUp:
    """Both may be called for reports of failures; `note` also for what became of a trial, after the commit."""

    second_of: Callable[[DeliveryReport, Message], Second | None]
    note: Callable[[DeliveryReport, Message], None]


_in_use: list[FollowUp] = []


def use(follow_up: FollowUp) -> None:
    """Has reports followed up by this, from now on."""
    _in_use[:] = [follow_up]


def second_of(report: DeliveryReport, message: Message) -> Second | None:
    """Returns what is to be queued with the report of a failure; a bug in it is logged and loses no report."""
    if report.outcome == DeliveryOutcome.DELIVERED:
        return None
    for follow_up in _in_use:
        try:
            return follow_up.second_of(report, message)
        except Exception as error:
            _log(report, error)
    return None


def queue_second(second: Second, report: DeliveryReport) -> None:
    """Queues it; only an error of the database rolls the failure of the first SMS back."""
    try:
        with transaction.atomic(using=Message.objects.db):  # else any error would roll back all of it
            second.queue()
    except DatabaseError:
        raise
    except Exception as error:
        _log(report, error)


def note_report(report: DeliveryReport, message: Message) -> None:
    """Tells of a failure, or of what became of a trial; a bug in it is logged and loses no report."""
    if report.outcome == DeliveryOutcome.DELIVERED and not message.is_trial:
        return
    for follow_up in _in_use:
        try:
            follow_up.note(report, message)
        except Exception as error:
            _log(report, error)


def _log(report: DeliveryReport, error: Exception) -> None:
    logger.error("A report of %s could not be followed up: %s", report.provider.slug, describe(error))
