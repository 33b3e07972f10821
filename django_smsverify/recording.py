"""What is known of one message, written down; news only ever raises a status."""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from . import phones
from .enums import MessageStatus
from .exceptions import GatewayError, GatewayRejected, GatewayUncertain
from .gateways.base import Outcome
from .models import DeliveryReport, Message
from .querysets import FIRST_PAUSE
from .signals import delivery_reported, message_settled

logger = logging.getLogger("django_smsverify")


def claim(message: Message) -> bool:
    """Whether this caller, and no other, may now hand the message to its vendor."""
    queued = Message.objects.primary().filter(pk=message.pk, status=MessageStatus.QUEUED)
    # What it costs may be told days later, when the provider has another price.
    price = message.price = message.provider.price
    return queued.update(status=MessageStatus.SENDING, claimed_at=timezone.now(), price=price) == 1


def withdraw(message: Message, why: str) -> bool:
    """Whether this caller, and no other, has seen to it that a queued message is never sent."""
    rows, now = Message.objects.primary().filter(pk=message.pk), timezone.now()
    news = {"status": MessageStatus.NOT_SENT, "error_message": why, "values": {}, "settled_at": now}
    withdrawn = rows.filter(status=MessageStatus.QUEUED).update(**news)
    message.refresh_from_db(using=rows.db)
    if withdrawn:
        logger.warning("SMS to %s by %s is withdrawn: %s", phones.mask(message.phone), message.provider.slug, why)
        transaction.on_commit(lambda: message_settled.send_robust(Message, message=message), using=rows.db, robust=True)
    return bool(withdrawn)


def record(message: Message, outcome: Outcome) -> None:
    """Stores what became of a message that was claimed, on the row and on `message`.

    What is a fact of the handing over is kept whatever the status: a delivery report may have been faster.
    """
    rows = Message.objects.primary().filter(pk=message.pk)
    status, news = _news(outcome)
    rows.update(values={}, **_facts(outcome))
    raised = _raise(message, status, **news)
    message.refresh_from_db(using=rows.db)
    logger.log(
        logging.WARNING if message.status == MessageStatus.NOT_SENT else logging.INFO,
        "SMS to %s by %s: %s %s",
        phones.mask(message.phone),
        message.provider.slug,
        message.status,
        message.error_code,
    )

    def follow_up() -> None:
        if raised and status == MessageStatus.NOT_SENT:
            message_settled.send_robust(Message, message=message)
        adopt(message)

    transaction.on_commit(follow_up, using=rows.db, robust=True)


def adopt(message: Message) -> None:
    """Gives a message the reports about it that have none yet, and the status that they tell.

    Report and acceptance are each committed before the other is looked for, outside a transaction, so that
    one of the two finds it. The status comes first: a crash in between leaves a report that is adopted again.
    """
    if not message.remote_id:
        return
    reports = DeliveryReport.objects.primary().filter(message__isnull=True)
    for report in reports.filter(provider=message.provider_id, remote_id=message.remote_id, phone=message.phone):
        settled = _settle(message, MessageStatus(report.outcome))
        if reports.filter(pk=report.pk).update(message=message):
            report.message = message
            delivery_reported.send_robust(DeliveryReport, report=report)
        if settled:
            message_settled.send_robust(Message, message=message)


def settle_as_it_is(message: Message) -> None:
    """No more news is expected of a message that its vendor left as it is."""
    rows = Message.objects.primary().silent().filter(pk=message.pk, status=message.status)
    now = timezone.now()
    if rows.update(settled_at=now):
        message.settled_at = now
        message_settled.send_robust(Message, message=message)


def _settle(message: Message, status: MessageStatus) -> bool:
    raised = _raise(message, status, settled_at=timezone.now())
    message.refresh_from_db(using=Message.objects.primary().db)
    return raised


def _raise(message: Message, status: MessageStatus, **news: Any) -> bool:
    """Whether a status was news; the cost goes with it in one statement, so that neither is ever without the other."""
    lower = Message.objects.primary().filter(pk=message.pk, status__in=status.below())
    return lower.update(status=status, cost=_cost(message, status), **news) == 1


def _cost(message: Message, status: MessageStatus) -> Decimal | None:
    """What the vendor charges for a message with this status, in yuan.

    None without a price, and until the vendor certainly took it: what was not sent costs nothing, and what may have
    been is counted apart.
    """
    if message.price is None or not status.is_taken:
        return None
    charged = message.provider.billing.charges(status)
    return Decimal(message.price) * message.segments if charged else Decimal(0)


def _facts(outcome: Outcome) -> dict[str, Any]:
    """The vendor's id, when it took the message, and when to ask what became of it."""
    facts: dict[str, Any] = {"remote_id": outcome.remote_id} if outcome.remote_id else {}
    if isinstance(outcome, GatewayError):
        return facts
    now = timezone.now()
    return {**facts, "sent_at": now, "poll_at": now + FIRST_PAUSE, "error_message": ""}


def _news(outcome: Outcome) -> tuple[MessageStatus, dict[str, Any]]:
    if not isinstance(outcome, GatewayError):
        return MessageStatus.ACCEPTED, {}
    words = {"error_code": outcome.error_code, "error_message": str(outcome.detail)}
    if isinstance(outcome, GatewayUncertain):
        return MessageStatus.UNKNOWN, words
    reason = outcome.reason if isinstance(outcome, GatewayRejected) else ""
    return MessageStatus.NOT_SENT, {**words, "error_reason": reason, "settled_at": timezone.now()}
