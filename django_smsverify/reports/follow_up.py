"""What follows from a report beyond its row and that of its message; `sending` sets it when the app is ready."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django_smsverify.enums import DeliveryOutcome
from django_smsverify.exceptions import describe
from django_smsverify.models import DeliveryReport, Message

logger = logging.getLogger("django_smsverify")

Note = Callable[[DeliveryReport, Message], None]
_notes: list[Note] = []


def use(note: Note) -> None:
    """Calls `note`, from now on, after the commit of each report that tells something of the way that its SMS took."""
    _notes[:] = [note]


def note_report(report: DeliveryReport, message: Message) -> None:
    """Tells what sends of a failure, or of what became of a trial; its bugs are logged and lose no report."""
    if report.outcome == DeliveryOutcome.DELIVERED and not message.is_trial:
        return
    for note in _notes:
        try:
            note(report, message)
        except Exception as error:
            logger.error("A report of %s could not be followed up: %s", report.provider.slug, describe(error))
