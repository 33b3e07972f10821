"""Storing the state of messages; a new event only raises a status."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connections, transaction
from django.utils import timezone

from . import events, phones
from .carriers.blocks import carrier_of
from .enums import MessageStatus
from .exceptions import GatewayError, GatewayRejected, GatewayUncertain
from .gateways.base import Outcome
from .limits import budget
from .models import Message
from .models.expressions import ValueOfRow
from .models.late_changes import late_moments
from .models.querysets import FIRST_PAUSE
from .models.statements import accept_message
from .signals import message_settled
from .transactions import run_committed
from .types import Acceptance

logger = logging.getLogger("django_smsverify")

Named = tuple[Message, str]
"""A message with the id that its vendor gave it."""
Change = tuple[MessageStatus, tuple[tuple[str, Any], ...], tuple[tuple[str, Any], ...]]
"""The status that rows are raised to, the fields stored whatever their status, and the fields stored if it is
raised."""


def mark_claimed(message: Message) -> None:
    """Prepares a new message to be stored as claimed by this process, which can take it once by `claim`."""
    message.status, message.claimed_at, message.is_claimed = MessageStatus.SENDING, message.created_at, True
    # The cost may be known days later, when the provider has another price.
    message.price = message.provider.price


def claim(message: Message) -> bool:
    """Claims a queued message; returns whether this caller, and no other, may now send it to its vendor.

    A message that was stored as claimed can be taken once. Raises what `claim_all` raises.
    """
    if message.is_claimed:
        message.is_claimed = False
        return True
    if budget.ceilings(message.provider, message.purpose, timezone.now()):
        return claim_all([message])
    queued = Message.objects.of(message).filter(status=MessageStatus.QUEUED)
    price, now = message.provider.price, timezone.now()
    if not queued.update(status=MessageStatus.SENDING, claimed_at=now, price=price):
        return False
    message.price, message.claimed_at = price, now
    return True


def claim_all(messages: Sequence[Message]) -> bool:
    """Claims all of these messages or none; returns whether this caller, and no other, may now send them.

    They are of one provider and purpose. Raises OverBudget, and claims none, when they do not all fit into a budget.
    """
    queued = Message.objects.of(*messages).filter(status=MessageStatus.QUEUED)
    price, now = messages[0].provider.price, timezone.now()

    def claim_or_undo() -> None:
        if queued.update(status=MessageStatus.SENDING, claimed_at=now, price=price) != len(messages):
            raise _ClaimedByOthersError
        for message in messages:
            message.price, message.claimed_at = price, now
        budget.reserve(messages)

    try:
        run_committed(Message, claim_or_undo)
    except _ClaimedByOthersError:
        return False
    return True


class _ClaimedByOthersError(Exception):
    """Rolls back a claim that did not get all messages."""


def withdraw(message: Message, why: str) -> bool:
    """Withdraws a message that is queued, or that this process has claimed and not sent; it is never sent.

    Returns whether this caller, and no other, did it. The caller must have begun a transaction.
    """
    rows, now = Message.objects.of(message), timezone.now()
    if message.is_claimed:
        # By the time, as another process may have claimed it after the COMMIT of our claim was lost.
        withdrawable = rows.filter(status=MessageStatus.SENDING, claimed_at=message.claimed_at)
    else:
        withdrawable = rows.filter(status=MessageStatus.QUEUED)
    changes = {"status": MessageStatus.NOT_SENT, "error_message": why, "values": {}, "settled_at": now}
    withdrawn = withdrawable.update(**changes)
    message.refresh_from_db(using=rows.db)
    if not withdrawn:
        message.is_claimed = False  # the time is now that of the other's claim
    else:
        budget.give_back([message])
        logger.warning("SMS to %s by %s is withdrawn: %s", phones.mask(message.phone), message.provider.slug, why)
        transaction.on_commit(lambda: tell_settled(message), using=rows.db, robust=True)
    return bool(withdrawn)


def record_one_acceptance(message: Message, acceptance: Acceptance) -> bool:
    """Stores the acceptance of a code in its row and object, in one statement; returns whether it could.

    `record_all` must do it where the vendor gave no id, where its delivery report has arrived first, or where the
    message is so old that its day may be summed.
    """
    now, status = timezone.now(), MessageStatus.ACCEPTED
    fields = {
        "remote_id": _as_stored(acceptance.remote_id),
        "cost": cost_of(message, status),
        "sent_at": now,
        "poll_at": now + FIRST_PAUSE,
    }
    is_late = late_moments([message.created_at])
    if is_late or not acceptance.remote_id or not accept_message(pk=message.pk, **fields):
        return False
    message.status, message.error_message = status, ""
    for name, value in fields.items():
        setattr(message, name, value)
    _log(message)
    return True


def record_all(outcomes: Sequence[tuple[Message, Outcome]]) -> None:
    """Stores the outcomes of the messages of one call, in their rows and objects, in few statements of one transaction.

    The vendor's ids and the times are stored whatever the status: a delivery report may have arrived first.
    """
    refused: list[Message] = []
    for (status, timestamps, fields), identical in _group_identical(outcomes, timezone.now()):
        whatever_status, if_raised = dict(timestamps), {"status": status, **dict(fields)}
        if _record_identical(identical, whatever_status, if_raised) and status == MessageStatus.NOT_SENT:
            refused += [message for message, _ in identical if message.status == status]
    budget.give_back(refused)
    for message, _ in outcomes:
        message.values = {}
        _log(message)

    def send_signals() -> None:
        for message in refused:
            tell_settled(message)

    transaction.on_commit(send_signals, using=Message.objects.db, robust=True)


def _group_identical(outcomes: Sequence[tuple[Message, Outcome]], now: datetime) -> list[tuple[Change, list[Named]]]:
    """The messages by what is stored for them."""
    identical: dict[Change, list[Named]] = {}
    for message, outcome in outcomes:
        status, fields = _status_and_errors(outcome, now)
        # Cost and status are stored in one statement, so that neither is stored alone.
        fields["cost"] = cost_of(message, status)
        change = status, tuple(_timestamps(outcome, now).items()), tuple(fields.items())
        identical.setdefault(change, []).append((message, _as_stored(outcome.remote_id)))
    return list(identical.items())


def _record_identical(identical: Sequence[Named], whatever_status: dict[str, Any], if_raised: dict[str, Any]) -> bool:
    """Stores the same outcome of several messages, in one statement where none has a later event; returns whether the
    status of any was raised."""
    messages = [message for message, _ in identical]
    rows = Message.objects.of(*messages)
    changes = {"values": {}, **_remote_ids(identical), **whatever_status}
    raised = rows.filter(status__in=if_raised["status"].below()).update(**changes, **if_raised)
    if raised < len(messages):
        rows.update(**changes)
    if raised < len(messages) or not all(remote_id for _, remote_id in identical):
        # A report may have stored a later status, or an id where the vendor's answer has none.
        refresh(messages)
        return bool(raised)
    for message, remote_id in identical:
        for name, value in {"remote_id": remote_id, **whatever_status, **if_raised}.items():
            setattr(message, name, value)
    return True


def _remote_ids(identical: Sequence[Named]) -> dict[str, Any]:
    """The vendor's id of each message, if it gave one; for all messages in one statement."""
    given = {message.pk: remote_id for message, remote_id in identical if remote_id}
    if len(given) == len(identical) and len(set(given.values())) == 1:
        return {"remote_id": next(iter(given.values()))}
    return {"remote_id": ValueOfRow(Message, "remote_id", given)} if given else {}


def _as_stored(remote_id: str) -> str:
    """A vendor's id as the database stores it, which may replace an emoji: only so it equals that of a report."""
    stored: str = Message._meta.get_field("remote_id").get_db_prep_value(remote_id, connections[Message.objects.db])
    return stored


def _log(message: Message) -> None:
    logger.log(
        logging.WARNING if message.status == MessageStatus.NOT_SENT else logging.INFO,
        "SMS to %s by %s: %s %s",
        phones.mask(message.phone),
        message.provider.slug,
        message.status,
        message.error_code,
    )
    if events.is_wanted():
        events.emit(
            "sms.sent",
            status=message.status,
            provider=message.provider.slug,
            carrier=carrier_of(message.phone),
            purpose=message.purpose,
            message=message.pk,
            attempt=message.attempt,
            reason=message.error_reason or None,
            error_code=message.error_code or None,
            ms=events.milliseconds(message.claimed_at, timezone.now()),
        )


def settle_as_it_is(message: Message) -> None:
    """Settles a message with its current status, because no more events of it are expected."""
    rows = Message.objects.silent().filter(pk=message.pk, status=message.status)
    now = timezone.now()
    if rows.update(settled_at=now):
        message.settled_at = now
        tell_settled(message)


def tell_settled(message: Message) -> None:
    """Tells that no more events of a message are expected."""
    if events.is_wanted():
        events.emit(
            "sms.settled",
            status=message.status,
            provider=_slug_of(message),
            carrier=carrier_of(message.phone),
            message=message.pk,
            cause=message.cause or None,
            ms=events.milliseconds(message.created_at, message.settled_at),
        )
    message_settled.send_robust(Message, message=message)


def _slug_of(message: Message) -> str | None:
    """The slug of its provider, if that is loaded: an event asks no database."""
    return message.provider.slug if Message._meta.get_field("provider").is_cached(message) else None


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
    "cause",
    "delivery_seconds",
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
