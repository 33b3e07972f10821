"""The delivery of queued messages, by whoever comes to it: the request itself, a worker, or the poll after a crash."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial

from django.utils import timezone

from django_smsverify import texts
from django_smsverify.conf import conf
from django_smsverify.enums import MessageStatus, Reason
from django_smsverify.exceptions import (
    GatewayRejected,
    GatewayUnavailable,
    InvalidGateway,
    NoRoute,
    Throttled,
    UnknownPurpose,
)
from django_smsverify.gateways import gateway_class
from django_smsverify.gateways.base import Outcome
from django_smsverify.limits import admission
from django_smsverify.masked import PerNumber, Secret
from django_smsverify.messages import record, record_all, withdraw
from django_smsverify.models import Message, Provider, Template, Verification
from django_smsverify.money import balances
from django_smsverify.transactions import commit, retry_on_lost_connection

from . import circuits, routing
from .vendor_call import hand_over

LEAST_LIFE = timedelta(seconds=60)
"""A code that is about to expire is not worth an SMS."""
WAY = 5
"""Seconds that an SMS may be under way before its text counts a minute less."""


def least_life(purpose: str) -> timedelta:
    """What must be left of a code's life when it is sent; never so much that none could be."""
    return min(LEAST_LIFE, timedelta(seconds=conf.of(purpose).CODE_LIFETIME) / 2)


def queue(template: Template, verification: Verification, attempt: int = 1) -> Message:
    """One attempt to send a code, for `deliver`; the caller holds the number's row."""
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


def segments_of_code(template: Template, verification: Verification) -> int:
    return segments(template, _code_values(verification, Secret("0" * verification.code_length)))


def segments(template: Template, values: Mapping[str, str]) -> int:
    """How many SMS the carriers will bill."""
    signature = template.signature.text if template.signature else ""
    return texts.segments(texts.signed(signature, texts.render(template.content, values)))


def deliver(verification: Verification, message: Message) -> Message:
    """Hands a queued code to one provider after the other until an SMS has left or may have left.

    Returns the last attempt, which is `not_sent` when none has. What somebody else has claimed is left to him.
    """
    last, following = message, message  # type: Message, Message | None
    while following is not None:
        last = following
        handed_over = hand_over([last], PerNumber({last.phone: _code_values(verification, verification.code())}))
        if not handed_over:
            break
        outcome = handed_over[0][1]
        following = retry_on_lost_connection(Message, partial(_following, verification, last, outcome))
        _note(last, [outcome])
    return last


def _following(verification: Verification, message: Message, outcome: Outcome) -> Message | None:
    template = _next_route(verification, message) if _may_go_on(outcome) else None
    return commit(Message, partial(_conclude, verification, message, outcome, template))


def _note(message: Message, outcomes: Sequence[Outcome]) -> None:
    """What one call, of which `message` is recorded, says of the provider's health and balance."""
    circuits.note(message.provider, outcomes)
    balances.note_outcomes(message.provider, outcomes, message.claimed_at or timezone.now())


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
    admission.hold(verification.recipient)
    record(message, outcome)
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
        admission.check_number(verification.phone, now)
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
            admission.hold(verification.recipient)
        withdrawn = withdraw(message, why)
        if verification is not None:
            _end_unsent(verification)
        return withdrawn

    return commit(Message, end)


def deliver_batch(batch: Sequence[Message]) -> list[Outcome]:
    """Hands messages without a code, as `batches` makes them, to their gateway in one call and returns what became
    of those that nobody else hands over."""
    outcomes = hand_over(batch, PerNumber((message.phone, message.values) for message in batch))
    if outcomes:
        retry_on_lost_connection(Message, lambda: commit(Message, partial(record_all, outcomes)))
        _note(outcomes[0][0], [outcome for _, outcome in outcomes])
    return [outcome for _, outcome in outcomes]


def batches(messages: Iterable[Message]) -> Iterator[list[Message]]:
    """As many messages at a time as a gateway takes in one call: of one template, of equal values where it must
    be so, and no number twice."""
    open_batches: dict[object, PerNumber[Message]] = {}
    for message in messages:
        most, same_text = _manners(message.provider)
        same = tuple(sorted(message.values.items())) if same_text else None
        batch = open_batches.setdefault((message.template_id, same), PerNumber())
        if message.phone in batch:
            yield list(batch.values())
            batch.clear()
        batch[message.phone] = message
        if len(batch) == most:
            yield list(batch.values())
            batch.clear()
    yield from (list(batch.values()) for batch in open_batches.values() if batch)


def calls_for_one(template: Template) -> bool:
    """Whether each number is likely to be a call of its own."""
    most, same_text = _manners(template.provider)
    return most == 1 or (same_text and bool(texts.placeholders(template.content)))


def _manners(provider: Provider) -> tuple[int, bool]:
    """How many numbers a gateway takes in one call, and whether all must get the same text."""
    try:
        kind = gateway_class(provider.gateway)
    except InvalidGateway:  # will be said of each message
        return 1, False
    return kind.max_recipients, kind.same_text


def _code_values(verification: Verification, code: Secret) -> dict[str, str]:
    left = (verification.expires_at - timezone.now()).total_seconds()
    # The seconds that the way here took do not cost a minute.
    return {"code": code, "minutes": str(max(1, int(left + WAY) // 60))}
