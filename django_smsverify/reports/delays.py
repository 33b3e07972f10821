"""How long an SMS took, as the report of its delivery tells."""

from __future__ import annotations

from datetime import datetime

from django_smsverify.enums import DeliveryOutcome
from django_smsverify.models import DeliveryReport, Message
from django_smsverify.models.history import MAX_CLOCK_SKEW

MOST_SECONDS = 2_000_000_000
"""What the column holds on every database."""


def delivered_at(message: Message, report: DeliveryReport) -> datetime | None:
    """Returns when an SMS reached the phone, as its vendor says in this report.

    None for any other report, and where the vendor says nothing that can be true: a report may come long afterwards.
    """
    at = report.occurred_at
    if report.outcome != DeliveryOutcome.DELIVERED or at is None:
        return None
    if not message.created_at - MAX_CLOCK_SKEW <= at <= report.received_at:
        return None
    return max(at, message.created_at)


def delivery_seconds(message: Message, report: DeliveryReport) -> int | None:
    """Returns the whole seconds from the acceptance of an SMS until it reached the phone; None where not known.

    Vendors' clocks tell whole seconds and may be behind ours: then it took none.
    """
    at = delivered_at(message, report)
    if at is None:
        return None
    return min(max(0, round((at - (message.sent_at or message.created_at)).total_seconds())), MOST_SECONDS)
