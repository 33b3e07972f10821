"""What is known of one message, written down; news only ever raises a status."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Case, F, Value, When
from django.utils import timezone

from . import phones
from .enums import MessageStatus
from .exceptions import GatewayError, GatewayRejected, GatewayUncertain
from .gateways.base import Outcome
from .models import Message
from .models.querysets import FIRST_PAUSE
from .signals import message_settled
from .transactions import run_committed

logger = logging.getLogger("django_smsverify")

Named = tuple[Message, str]
"""A message with the id that its vendor gave it."""
Change = tuple[MessageStatus, tuple[tuple[str, Any], ...], tuple[tuple[str, Any], ...]]
"""The status that rows are raised to, the facts that are written whatever their status, and what goes with it."""


def claim(message: Message) -> bool:
    """Whether this caller, and no other, may now hand the message to its vendor."""
    queued = Message.objects.primary().filter(pk=message.pk, status=MessageStatus.QUEUED)
    # What it costs may be told days later, when the provider has another price.
    price = message.price = message.provider.price
    return queued.update(status=MessageStatus.SENDING, claimed_at=timezone.now(), price=price) == 1


def claim_all(messages: Sequence[Message]) -> bool:
    """Whether this caller, and no other, may now hand all of these over; else it has claimed none of them."""
    queued = Message.objects.primary().filter(pk__in=[message.pk for message in messages], status=MessageStatus.QUEUED)
    price = messages[0].provider.price

    def claim_or_undo() -> None:
        if queued.update(status=MessageStatus.SENDING, claimed_at=timezone.now(), price=price) != len(messages):
            raise _ClaimedByOthersError

    try:
        run_committed(Message, claim_or_undo)
    except _ClaimedByOthersError:
        return False
    for message in messages:
        message.price = price
    return True


class _ClaimedByOthersError(Exception):
    """Undoes a claim that did not get all."""


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


def record_all(outcomes: Sequence[tuple[Message, Outcome]]) -> None:
    """Stores what became of the messages of one call, on the rows and on the messages, in few statements.

    What is a fact of the handing over is kept whatever the status: a delivery report may have been faster.
    """
    rows, now, refused = Message.objects.primary(), timezone.now(), []
    for (status, facts, news), alike in _group_identical(outcomes, now):
        own = rows.filter(pk__in=[message.pk for message, _ in alike])
        own.update(values={}, **_remote_ids(alike), **dict(facts))
        raised = own.filter(status__in=status.below()).update(status=status, **dict(news))
        refused += [message for message, _ in alike] if raised and status == MessageStatus.NOT_SENT else []
    messages = [message for message, _ in outcomes]
    refresh(messages)
    for message in messages:
        message.values = {}
        _log(message)

    def tell() -> None:
        for message in refused:
            message_settled.send_robust(Message, message=message)

    transaction.on_commit(tell, using=rows.db, robust=True)


def _group_identical(outcomes: Sequence[tuple[Message, Outcome]], now: datetime) -> list[tuple[Change, list[Named]]]:
    """The messages by what is to be written of them; a refused one by itself, as it must be known who was."""
    alike: dict[Any, list[Named]] = {}
    for message, outcome in outcomes:
        status, news = _status_and_errors(outcome, now)
        # The cost goes with the status, in one statement, so that neither is ever without the other.
        news["cost"] = cost_of(message, status)
        change = status, tuple(_timestamps(outcome, now).items()), tuple(news.items())
        alone = message.pk if status == MessageStatus.NOT_SENT else None
        alike.setdefault((change, alone), []).append((message, outcome.remote_id))
    return [(change, messages) for (change, _), messages in alike.items()]


def _remote_ids(alike: list[Named]) -> dict[str, Any]:
    """The vendor's id of each message, where it gave one; of all in one statement."""
    if len({remote_id for _, remote_id in alike}) == 1:
        return {"remote_id": alike[0][1]} if alike[0][1] else {}
    column = Message._meta.get_field("remote_id")
    given = [When(pk=message.pk, then=Value(remote_id, column)) for message, remote_id in alike if remote_id]
    return {"remote_id": Case(*given, default=F("remote_id"))}


def _log(message: Message) -> None:
    logger.log(
        logging.WARNING if message.status == MessageStatus.NOT_SENT else logging.INFO,
        "SMS to %s by %s: %s %s",
        phones.mask(message.phone),
        message.provider.slug,
        message.status,
        message.error_code,
    )


def settle_as_it_is(message: Message) -> None:
    """No more news is expected of a message that its vendor left as it is."""
    rows = Message.objects.primary().silent().filter(pk=message.pk, status=message.status)
    now = timezone.now()
    if rows.update(settled_at=now):
        message.settled_at = now
        message_settled.send_robust(Message, message=message)


def _timestamps(outcome: Outcome, now: datetime) -> dict[str, Any]:
    """When the vendor took the message, and when to ask what became of it."""
    if isinstance(outcome, GatewayError):
        return {}
    return {"sent_at": now, "poll_at": now + FIRST_PAUSE, "error_message": ""}


def _status_and_errors(outcome: Outcome, now: datetime) -> tuple[MessageStatus, dict[str, Any]]:
    if not isinstance(outcome, GatewayError):
        return MessageStatus.ACCEPTED, {}
    words = {"error_code": outcome.error_code, "error_message": str(outcome.detail)}
    if isinstance(outcome, GatewayUncertain):
        return MessageStatus.UNKNOWN, words
    reason = outcome.reason if isinstance(outcome, GatewayRejected) else ""
    return MessageStatus.NOT_SENT, {**words, "error_reason": reason, "settled_at": now}


RECORDED = (
    "status",
    "remote_id",
    "cost",
    "error_reason",
    "error_code",
    "error_message",
    "claimed_at",
    "sent_at",
    "settled_at",
    "poll_at",
)


def cost_of(message: Message, status: MessageStatus) -> Decimal | None:
    """What the vendor charges for a message with this status, in yuan.

    None without a price, and until the vendor certainly took it: what was not sent costs nothing, and what may have
    been is counted apart.
    """
    if message.price is None or not status.is_taken:
        return None
    charged = message.provider.billing.charges(status)
    return Decimal(message.price) * message.segments if charged else Decimal(0)


def refresh(messages: Sequence[Message]) -> None:
    """Reads again all that changes when they are handed over; what is gone stays as it was."""
    rows = Message.objects.primary()
    now = rows.only(*RECORDED).in_bulk([message.pk for message in messages])
    for message in messages:
        for name in RECORDED if message.pk in now else ():
            setattr(message, name, getattr(now[message.pk], name))
