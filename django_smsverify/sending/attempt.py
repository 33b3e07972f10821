"""Sending queued codes: called by the request itself, by a worker, or by the poll after a crash."""

from __future__ import annotations

from collections.abc import Container
from functools import partial
from typing import Any
from uuid import UUID

from django.utils import timezone

from django_smsverify.enums import MessageStatus, Reason
from django_smsverify.exceptions import (
    GatewayRejected,
    GatewayUnavailable,
    NoRoute,
    OverBudget,
    PhoneNotSupported,
    Throttled,
    UnknownPurpose,
)
from django_smsverify.gateways.base import Outcome
from django_smsverify.limits import budget
from django_smsverify.limits.per_number import NumberHistory, lock_number
from django_smsverify.masked import PerNumber
from django_smsverify.messages import mark_claimed, withdraw
from django_smsverify.models import Message, Template, Verification
from django_smsverify.models.identifiers import new_id
from django_smsverify.models.inserts import insert
from django_smsverify.transactions import retry_on_lost_connection, run_committed
from django_smsverify.types import Acceptance

from . import circuits, routing
from .choosing import Chosen, choose
from .content import code_values, least_life, segments_of_code
from .earlier_tries import other_ways, why_not_to_follow
from .vendor_call import note_health, record_acceptance, record_outcomes, send_to_vendor


def queue(chosen: Chosen, verification: Verification, *, is_claimed: bool, **fields: Any) -> Message:
    """Creates and returns one attempt to send a code; the caller must have locked the number's row.

    With `is_claimed` this process will send it at once, and no other may; else it is queued for whoever claims it.
    `fields` are more of the message, such as `by_stranger`. Raises OverBudget: then the transaction must be
    rolled back.
    """
    message = Message(
        **{"id": new_id(), **fields},
        verification=verification,
        provider=chosen.template.provider,
        template=chosen.template,
        phone=verification.phone,
        purpose=verification.purpose,
        is_trial=chosen.is_trial,
        segments=segments_of_code(chosen.template, verification),
        created_at=timezone.now(),
    )
    if is_claimed:
        mark_claimed(message)
        budget.reserve([message])
    insert(message)
    return message


def queue_next(chosen: Chosen, verification: Verification, last: Message, **fields: Any) -> Message:
    """Does what `queue` does for the attempt after another, for the same request."""
    fields = {"attempt": last.attempt + 1, "by_stranger": last.by_stranger, "follows": last.follows, **fields}
    return queue(chosen, verification, **fields)


def send_queued(
    verification: Verification, message: Message, without_failures: Container[int] = (), *, fails_over: bool = True
) -> Message:
    """Sends a queued code to one provider after another until an SMS was sent or may have been sent.

    `without_failures` are the providers that are known to have no failure lately. Unless `fails_over`, only the
    message's own provider is tried. Returns the last attempt; its status is `not_sent` when no provider took it. A
    message that another process has claimed is left to that process.
    """
    last, upcoming = message, message  # type: Message, Message | None
    while upcoming is not None:
        last = upcoming
        sent = send_to_vendor([last], PerNumber({last.phone: code_values(verification, verification.derive_code())}))
        if not sent:
            break
        outcome = sent[0][1]
        # The id is chosen here: when a connection is lost, the row is known by it.
        upcoming = retry_on_lost_connection(
            Message, partial(_next_attempt, verification, last, outcome, new_id(), fails_over=fails_over)
        )
        note_health(last, [outcome], has_no_failures=last.provider_id in without_failures)
    return last


def _next_attempt(
    verification: Verification, message: Message, outcome: Outcome, pk: UUID, *, fails_over: bool
) -> Message | None:
    if isinstance(outcome, Acceptance) and record_acceptance(message, outcome):
        return None
    left = untried(verification, message) if fails_over and _may_try_another(outcome) else []
    while True:
        chosen, upcoming = choose(left, message.phone) if left else None, None
        record = partial(_record_and_queue_next, verification, message, outcome, chosen, pk)
        try:
            upcoming = run_committed(Message, record)
            return upcoming
        except OverBudget as error:  # and nothing is recorded yet
            left = [template for template in left if template.provider_id != error.provider]
        finally:
            if upcoming is None and chosen is not None:
                circuits.release_trial(chosen.trial)


def _may_try_another(outcome: Outcome) -> bool:
    """Whether another provider may be tried: only if certainly nothing was sent and the number is not the cause."""
    if isinstance(outcome, GatewayRejected):
        return outcome.reason != Reason.RECIPIENT
    return isinstance(outcome, GatewayUnavailable)


def untried(verification: Verification, message: Message) -> list[Template]:
    """Returns the routes whose providers this request has not tried yet; the current attempt counts as tried."""
    attempts = Message.objects.filter(verification=verification).order_by("-created_at")
    tried = set(attempts.values_list("provider_id", flat=True)[: message.attempt])
    try:
        routes = routing.routes(verification.purpose, verification.phone, but=tried)
        left = budget.affordable(routes, verification.purpose, without=message)
        return left if message.follows is None else other_ways(verification, left)
    except (NoRoute, PhoneNotSupported, UnknownPurpose):  # no other route, or an operator has disabled it meanwhile
        return []


def _record_and_queue_next(
    verification: Verification, message: Message, outcome: Outcome, chosen: Chosen | None, pk: UUID
) -> Message | None:
    """Records an attempt and returns the next one, or None when there is none.

    Both are stored together, so that no other request finds the number free in between.
    """
    lock_number(verification.phone)
    record_outcomes([(message, outcome)])
    if message.status != MessageStatus.NOT_SENT:
        return None
    if stored := _find_stored(pk):
        stored.is_claimed = True
        return stored
    if chosen is None or not _is_still_wanted(verification, message):
        _end_if_unsent(verification)
        return None
    return queue_next(chosen, verification, message, is_claimed=True, id=pk)


def _find_stored(pk: UUID) -> Message | None:
    """The next attempt, if an earlier commit succeeded but the connection was lost before the result arrived."""
    related = ("provider", "template__provider", "template__signature")
    return Message.objects.filter(pk=pk).select_related(*related).first()


def _is_still_wanted(verification: Verification, message: Message) -> bool:
    """False when the code is about to expire or another request has sent an SMS during the slow refusal."""
    now = timezone.now()
    try:
        history = NumberHistory.read(verification.phone, now)
        history.require_allowance(by_stranger=message.by_stranger, pauses=message.follows is None)
    except Throttled:
        return False
    if why_not_to_follow(verification, message):
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
        # Without its block: the guard does not judge what nobody got.
        Verification.objects.filter(pk=verification.pk).update(is_reserved=False, block="")
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

    def withdraw_and_expire() -> bool:
        if message.verification_id is None:
            return withdraw(message, why)
        lock_number(message.phone)
        withdrawn = withdraw(message, why)
        _end_if_unsent(Verification.objects.find(message.verification_id))
        return withdrawn

    return run_committed(Message, withdraw_and_expire)
