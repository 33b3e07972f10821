"""The delivery of queued messages, by whoever comes to it: the request itself, a worker, or the poll after a crash."""

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


def queue(template: Template, verification: Verification, attempt: int = 1) -> Message:
    """One attempt to send a code, for `send_queued`; the caller holds the number's row."""
    return Message.objects.primary().create(
        verification=verification,
        provider=template.provider,
        template=template,
        phone=verification.phone,
        purpose=verification.purpose,
        attempt=attempt,
        segments=segments_of_code(template, verification),
        created_at=timezone.now(),
    )


def send_queued(verification: Verification, message: Message) -> Message:
    """Hands a queued code to one provider after the other until an SMS has left or may have left.

    Returns the last attempt, which is `not_sent` when none has. What somebody else has claimed is left to him.
    """
    last, following = message, message  # type: Message, Message | None
    while following is not None:
        last = following
        sent = send_to_vendor([last], PerNumber({last.phone: code_values(verification, verification.derive_code())}))
        if not sent:
            break
        outcome = sent[0][1]
        following = retry_on_lost_connection(Message, partial(_following, verification, last, outcome))
        note_health(last, [outcome])
    return last


def _following(verification: Verification, message: Message, outcome: Outcome) -> Message | None:
    template = _next_route(verification, message) if _may_go_on(outcome) else None
    return run_committed(Message, partial(_conclude, verification, message, outcome, template))


def _may_go_on(outcome: Outcome) -> bool:
    """Whether another provider may be tried: only when certainly nothing was sent, and the number is not at fault."""
    if isinstance(outcome, GatewayRejected):
        return outcome.reason != Reason.RECIPIENT
    return isinstance(outcome, GatewayUnavailable)


def _next_route(verification: Verification, message: Message) -> Template | None:
    return circuits.choose(untried(verification, message))


def untried(verification: Verification, message: Message) -> list[Template]:
    """The routes by providers that this request has not tried yet, the present attempt among them."""
    attempts = Message.objects.primary().filter(verification=verification).order_by("-created_at")
    tried = set(attempts.values_list("provider_id", flat=True)[: message.attempt])
    try:
        return routing.routes(verification.purpose, but=tried)
    except (NoRoute, UnknownPurpose):  # there is no other, or an operator has closed the way meanwhile
        return []


def _conclude(
    verification: Verification, message: Message, outcome: Outcome, template: Template | None
) -> Message | None:
    """Records an attempt and returns the next one, queued together with the refusal of the last, so that no
    other request finds the number free between them; None when there is to be none."""
    lock_number(verification.recipient)
    record_outcomes([(message, outcome)])
    if message.status != MessageStatus.NOT_SENT:
        return None
    if following := _queued_already(verification, message):
        return following
    if template is None or not _is_still_wanted(verification):
        _end_unsent(verification)
        return None
    return queue(template, verification, message.attempt + 1)


def _queued_already(verification: Verification, message: Message) -> Message | None:
    """The next attempt, where a commit got through and the connection was lost before that was known."""
    rows = Message.objects.primary().filter(verification=verification, status=MessageStatus.QUEUED)
    related = ("provider", "template__provider", "template__signature")
    return rows.filter(attempt=message.attempt + 1).select_related(*related).first()


def _is_still_wanted(verification: Verification) -> bool:
    """Not when the refusal took so long that the code is about to expire or another request has sent an SMS."""
    now = timezone.now()
    try:
        check_number(verification.phone, now)
    except Throttled:
        return False
    return verification.expires_at - now >= least_life(verification.purpose)


def _end_unsent(verification: Verification) -> None:
    """A code that nobody received must not count as an open question of the number."""
    attempts = Message.objects.primary().filter(verification=verification)
    if not attempts.exclude(status=MessageStatus.NOT_SENT).exists():
        verification.expires_at = timezone.now()
        Verification.objects.primary().filter(pk=verification.pk).update(expires_at=verification.expires_at)


def cancel(message: Message, why: str) -> bool:
    """Withdraws a message if it still is queued, and with it a code that nobody received; whether it was."""
    verification = message.verification

    def end() -> bool:
        if verification is not None:
            lock_number(verification.recipient)
        withdrawn = withdraw(message, why)
        if verification is not None:
            _end_unsent(verification)
        return withdrawn

    return run_committed(Message, end)
