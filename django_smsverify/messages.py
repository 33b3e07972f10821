"""Storing the state of messages; a new event only raises a status."""

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
from .models.statements import accept_message
from .signals import message_settled
from .transactions import run_committed
from .types import Acceptance

logger = logging.getLogger("django_smsverify")

Named = tuple[Message, str]
"""A message with the id that its vendor gave it."""
Change = tuple[MessageStatus, tuple[tuple[str, Any], ...], tuple[tuple[str, Any], ...]]
"""The status that rows are raised to, the fields stored whatever their status, and the fields stored with the
status."""


def mark_claimed(message: Message) -> None:
    """Prepares a new message to be stored as claimed by this process, which can take it once by `claim`."""
    message.status, message.claimed_at, message.is_claimed = MessageStatus.SENDING, message.created_at, True
    # The cost may be known days later, when the provider has another price.
    message.price = message.provider.price


def claim(message: Message) -> bool:
    """Claims a queued message; returns whether this caller, and no other, may now send it to its vendor.

    A message that was stored as claimed can be taken once.
    """
    if message.is_claimed:
        message.is_claimed = False
        return True
    queued = Message.objects.filter(pk=message.pk, status=MessageStatus.QUEUED)
    price, now = message.provider.price, timezone.now()
    if not queued.update(status=MessageStatus.SENDING, claimed_at=now, price=price):
        return False
    message.price, message.claimed_at = price, now
    return True


def claim_all(messages: Sequence[Message]) -> bool:
    """Claims all of these messages or none; returns whether this caller, and no other, may now send them."""
    queued = Message.objects.filter(pk__in=[message.pk for message in messages], status=MessageStatus.QUEUED)
    price, now = messages[0].provider.price, timezone.now()

    def claim_or_undo() -> None:
        if queued.update(status=MessageStatus.SENDING, claimed_at=now, price=price) != len(messages):
            raise _ClaimedByOthersError

    try:
        run_committed(Message, claim_or_undo)
    except _ClaimedByOthersError:
        return False
    for message in messages:
        message.price, message.claimed_at = price, now
    return True


class _ClaimedByOthersError(Exception):
    """Rolls back a claim that did not get all messages."""


def withdraw(message: Message, why: str) -> bool:
    """Withdraws a queued message, so that it is never sent; returns whether this caller, and no other, did it."""
    rows, now = Message.objects.filter(pk=message.pk), timezone.now()
    changes = {"status": MessageStatus.NOT_SENT, "error_message": why, "values": {}, "settled_at": now}
    withdrawn = rows.filter(status=MessageStatus.QUEUED).update(**changes)
    message.refresh_from_db(using=rows.db)
    if withdrawn:
        logger.warning("SMS to %s by %s is withdrawn: %s", phones.mask(message.phone), message.provider.slug, why)
        transaction.on_commit(lambda: message_settled.send_robust(Message, message=message), using=rows.db, robust=True)
    return bool(withdrawn)


def record_one_acceptance(message: Message, acceptance: Acceptance) -> bool:
    """Stores the acceptance of a code in its row and object, in one statement; returns whether it could.

    `record_all` must do it where the vendor gave no id, or where its delivery report has arrived first.
    """
    now, status = timezone.now(), MessageStatus.ACCEPTED
    fields = {
        "remote_id": acceptance.remote_id,
        "cost": cost_of(message, status),
        "sent_at": now,
        "poll_at": now + FIRST_PAUSE,
    }
    if not acceptance.remote_id or not accept_message(pk=message.pk, **fields):
        return False
    message.status, message.error_message = status, ""
    for name, value in fields.items():
        setattr(message, name, value)
    _log(message)
    return True


def record_all(outcomes: Sequence[tuple[Message, Outcome]]) -> None:
    """Stores the outcomes of the messages of one call, in their rows and objects, in few statements.

    The vendor's ids and the times are stored whatever the status: a delivery report may have arrived first.
    """
    rows, now, refused = Message.objects, timezone.now(), []
    for (status, timestamps, fields), identical in _group_identical(outcomes, now):
        own = rows.filter(pk__in=[message.pk for message, _ in identical])
        own.update(values={}, **_remote_ids(identical), **dict(timestamps))
        raised = own.filter(status__in=status.below()).update(status=status, **dict(fields))
        refused += [message for message, _ in identical] if raised and status == MessageStatus.NOT_SENT else []
    messages = [message for message, _ in outcomes]
    refresh(messages)
    for message in messages:
        message.values = {}
        _log(message)

    def send_signals() -> None:
        for message in refused:
            message_settled.send_robust(Message, message=message)

    transaction.on_commit(send_signals, using=rows.db, robust=True)


def _group_identical(outcomes: Sequence[tuple[Message, Outcome]], now: datetime) -> list[tuple[Change, list[Named]]]:
    """The messages by what is stored for them; a refused one alone, to know whether its own row was changed."""
    identical: dict[Any, list[Named]] = {}
    for message, outcome in outcomes:
        status, fields = _status_and_errors(outcome, now)
        # Cost and status are stored in one statement, so that neither is stored alone.
        fields["cost"] = cost_of(message, status)
        change = status, tuple(_timestamps(outcome, now).items()), tuple(fields.items())
        alone = message.pk if status == MessageStatus.NOT_SENT else None
        identical.setdefault((change, alone), []).append((message, outcome.remote_id))
    return [(change, messages) for (change, _), messages in identical.items()]


def _remote_ids(alike: list[Named]) -> dict[str, Any]:
    """The vendor's id of each message, if it gave one; for all messages in one statement."""
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
    """Settles a message with its current status, because no more events of it are expected."""
    rows = Message.objects.silent().filter(pk=message.pk, status=message.status)
    now = timezone.now()
    if rows.update(settled_at=now):
        message.settled_at = now
        message_settled.send_robust(Message, message=message)


def _timestamps(outcome: Outcome, now: datetime) -> dict[str, Any]:
    """When the vendor accepted the message, and when to ask for its result."""
    if isinstance(outcome, GatewayError):
        return {}
    return {"sent_at": now, "poll_at": now + FIRST_PAUSE, "error_message": ""}


def _status_and_errors(outcome: Outcome, now: datetime) -> tuple[MessageStatus, dict[str, Any]]:
    if not isinstance(outcome, GatewayError):
        return MessageStatus.ACCEPTED, {}
    errors = {"error_code": outcome.error_code, "error_message": str(outcome.detail)}
    if isinstance(outcome, GatewayUncertain):
        return MessageStatus.UNKNOWN, errors
    reason = outcome.reason if isinstance(outcome, GatewayRejected) else ""
    return MessageStatus.NOT_SENT, {**errors, "error_reason": reason, "settled_at": now}


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
    """Returns what the vendor charges for a message with this status, in yuan.

    None without a price, and as long as the vendor has not certainly accepted it: a message that was not sent costs
    nothing, and one that may have been sent is counted separately.
    """
    if message.price is None or not status.is_taken:
        return None
    charged = message.provider.billing.charges(status)
    return Decimal(message.price) * message.segments if charged else Decimal(0)


def refresh(messages: Sequence[Message]) -> None:
    """Reloads the fields that change during a send; an object whose row is gone stays unchanged."""
    rows = Message.objects.all()
    stored = rows.only(*RECORDED).in_bulk([message.pk for message in messages])
    for message in messages:
        for name in RECORDED if message.pk in stored else ():
            setattr(message, name, getattr(stored[message.pk], name))
