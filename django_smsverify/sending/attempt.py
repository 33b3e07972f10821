"""Sending queued codes: called by the request itself, by a worker, or by the poll after a crash."""

from __future__ import annotations

from functools import partial

from django.utils import timezone

from django_smsverify.enums import MessageStatus, Reason
from django_smsverify.exceptions import (
    GatewayRejected,
    GatewayUnavailable,
    NoRoute,
    Throttled,
    UnknownPurpose,
)
from django_smsverify.gateways.base import Outcome
from django_smsverify.limits.per_number import check_number, lock_number
from django_smsverify.masked import PerNumber
from django_smsverify.messages import withdraw
from django_smsverify.models import Message, Template, Verification
from django_smsverify.transactions import retry_on_lost_connection, run_committed

from . import circuits, routing
from .content import code_values, least_life, segments_of_code
from .vendor_call import note_health, record_outcomes, send_to_vendor


def queue(template: Template, verification: Verification, attempt: int = 1, *, by_stranger: bool) -> Message:
    """Creates and returns one queued attempt to send a code, for `send_queued`; the caller must have locked the
    number's row."""
    return Message.objects.create(
        verification=verification,
        provider=template.provider,
        template=template,
        phone=verification.phone,
        purpose=verification.purpose,
        attempt=attempt,
        by_stranger=by_stranger,
        segments=segments_of_code(template, verification),
        created_at=timezone.now(),
    )


def send_queued(verification: Verification, message: Message) -> Message:
    """Sends a queued code to one provider after another until an SMS was sent or may have been sent.

    Returns the last attempt; its status is `not_sent` when no provider took it. A message that another process has
    claimed is left to that process.
    """
    last, upcoming = message, message  # type: Message, Message | None
    while upcoming is not None:
        last = upcoming
        sent = send_to_vendor([last], PerNumber({last.phone: code_values(verification, verification.derive_code())}))
        if not sent:
            break
        outcome = sent[0][1]
        upcoming = retry_on_lost_connection(Message, partial(_next_attempt, verification, last, outcome))
        note_health(last, [outcome])
    return last


def _next_attempt(verification: Verification, message: Message, outcome: Outcome) -> Message | None:
    template = _next_route(verification, message) if _may_try_another(outcome) else None
    return run_committed(Message, partial(_record_and_queue_next, verification, message, outcome, template))


def _may_try_another(outcome: Outcome) -> bool:
    """Whether another provider may be tried: only if certainly nothing was sent and the number is not the cause."""
    if isinstance(outcome, GatewayRejected):
        return outcome.reason != Reason.RECIPIENT
    return isinstance(outcome, GatewayUnavailable)


def _next_route(verification: Verification, message: Message) -> Template | None:
    return circuits.choose(untried(verification, message))


def untried(verification: Verification, message: Message) -> list[Template]:
    """Returns the routes whose providers this request has not tried yet; the current attempt counts as tried."""
    attempts = Message.objects.filter(verification=verification).order_by("-created_at")
    tried = set(attempts.values_list("provider_id", flat=True)[: message.attempt])
    try:
        return routing.routes(verification.purpose, but=tried)
    except (NoRoute, UnknownPurpose):  # no other route, or an operator has disabled it meanwhile
        return []


def _record_and_queue_next(
    verification: Verification, message: Message, outcome: Outcome, template: Template | None
) -> Message | None:
    """Records an attempt and returns the next one, or None when there is none.

    Both are stored together, so that no other request finds the number free in between.
    """
    lock_number(verification.recipient)
    record_outcomes([(message, outcome)])
    if message.status != MessageStatus.NOT_SENT:
        return None
    if queued := _find_queued_next(verification, message):
        return queued
    if template is None or not _is_still_wanted(verification, message):
        _end_if_unsent(verification)
        return None
    return queue(template, verification, message.attempt + 1, by_stranger=message.by_stranger)


def _find_queued_next(verification: Verification, message: Message) -> Message | None:
    """The next attempt, if an earlier commit succeeded but the connection was lost before the result arrived."""
    rows = Message.objects.filter(verification=verification, status=MessageStatus.QUEUED)
    related = ("provider", "template__provider", "template__signature")
    return rows.filter(attempt=message.attempt + 1).select_related(*related).first()


def _is_still_wanted(verification: Verification, message: Message) -> bool:
    """False when the code is about to expire or another request has sent an SMS during the slow refusal."""
    now = timezone.now()
    try:
        check_number(verification.phone, now, by_stranger=message.by_stranger)
    except Throttled:
        return False
    return verification.holder.expires_at - now >= least_life(verification.purpose)


def release_guesses(verification: Verification) -> bool:
    """Gives back the guesses that a verification reserved for an SMS which was not sent.

    Returns whether any SMS has the code.
    """
    sent = Message.objects.carrying(verification.holder).exclude(status=MessageStatus.NOT_SENT)
    served = set(sent.values_list("verification_id", flat=True))
    if verification.pk not in served:
        verification.is_reserved = False
        Verification.objects.filter(pk=verification.pk).update(is_reserved=False)
    return bool(served)


def _end_if_unsent(verification: Verification) -> None:
    """Ends a code that was never sent, and gives back guesses that were reserved for an SMS which was not sent."""
    code = verification.holder
    if not release_guesses(verification):
        code.expires_at = timezone.now()
        Verification.objects.filter(pk=code.pk).update(expires_at=code.expires_at)


def cancel(message: Message, why: str) -> bool:
    """Withdraws a message that is still queued, and ends its code if that was never sent; returns whether it was
    withdrawn."""
    verification = message.verification

    def withdraw_and_expire() -> bool:
        if verification is not None:
            lock_number(verification.recipient)
        withdrawn = withdraw(message, why)
        if verification is not None:
            _end_if_unsent(verification)
        return withdrawn

    return run_committed(Message, withdraw_and_expire)
