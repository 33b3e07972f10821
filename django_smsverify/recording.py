"""What a gateway said about a message, written down; news only ever raises a status."""

from __future__ import annotations

import logging
from typing import Any

from django.utils import timezone

from . import phones
from .enums import MessageStatus
from .exceptions import GatewayError, GatewayRejected, GatewayUncertain
from .gateways.base import Outcome
from .models import Message

logger = logging.getLogger("django_smsverify")


def claim(message: Message) -> bool:
    """Whether this caller, and no other, may now hand the message to its vendor."""
    queued = Message.objects.primary().filter(pk=message.pk, status=MessageStatus.QUEUED)
    return queued.update(status=MessageStatus.SENDING) == 1


def record(message: Message, outcome: Outcome) -> None:
    """Stores what became of a message that was claimed, on the row and on `message`.

    The vendor's id is kept whatever the status: a delivery report may have been faster.
    """
    status, found = _news(message, outcome)
    rows = Message.objects.primary().filter(pk=message.pk)
    if outcome.remote_id:
        rows.update(remote_id=outcome.remote_id)
    rows.filter(status__in=status.below()).update(status=status, values={}, **found)
    message.refresh_from_db(using=rows.db)
    logger.log(
        logging.WARNING if message.status == MessageStatus.NOT_SENT else logging.INFO,
        "SMS to %s by %s: %s %s",
        phones.mask(message.phone),
        message.provider.slug,
        message.status,
        message.error_code,
    )


def _news(message: Message, outcome: Outcome) -> tuple[MessageStatus, dict[str, Any]]:
    now = timezone.now()
    if not isinstance(outcome, GatewayError):
        price = message.provider.price
        cost = None if price is None else price * message.segments
        return MessageStatus.ACCEPTED, {"sent_at": now, "cost": cost}
    words = {"error_code": outcome.error_code, "error_message": str(outcome.detail)}
    if isinstance(outcome, GatewayUncertain):
        return MessageStatus.UNKNOWN, words
    reason = outcome.reason if isinstance(outcome, GatewayRejected) else ""
    return MessageStatus.NOT_SENT, {**words, "error_reason": reason, "settled_at": now}
