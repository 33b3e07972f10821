"""Sending: limits, rows, routes, gateways, in an order that neither loses nor doubles an SMS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from uuid import UUID

from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from . import phones, routing, texts, throttling
from .conf import conf
from .enums import MessageStatus, Reason, Scope
from .exceptions import (
    CodeExpired,
    NoRoute,
    PhoneRejected,
    Throttled,
)
from .gateways import gateway_class
from .gateways.base import Gateway
from .handover import hand_over
from .models import Message, Recipient, Template, Verification
from .recording import record
from .transactions import committed

LEAST_LIFE = 60
"""Seconds; a code that is about to expire is not worth an SMS."""
SHARED = (Scope.PREFIX, Scope.GLOBAL)
"""What an SMS that nobody took gives back. Not the address: it would call the vendors without end."""
WAY = 5
"""Seconds that an SMS may be under way before its text counts a minute less."""


@sensitive_variables()
def send_code(phone: str, purpose: str, *, ip: str | None = None) -> Verification:
    """Sends a code to a number and returns the question that `verify_code` answers.

    `phone` is read as a person writes it; `ip` is the client's address, whose limits are skipped for None.
    Also returns when the vendor's answer was lost: the SMS may well arrive.

    Raises InvalidPhone, PhoneNotSupported, UnknownPurpose, Throttled, ThrottleUnavailable, PhoneRejected,
    NoRoute (nothing was sent), and InsideTransaction.
    """
    phone = phones.parse(phone)
    templates = routing.routes(purpose)
    with throttling.admission(phone, ip) as toll:
        recipient = Recipient.objects.primary().get_or_create(phone=phone)[0]
        with committed(Verification):
            _claim(recipient)
            verification = _ask(recipient, purpose)
            first = _queue(templates[0], verification)
    try:
        _send_by_routes(verification, templates, first)
    except (NoRoute, PhoneRejected) as error:
        # Nobody received this code: it must not count as an open question of the number.
        Verification.objects.primary().filter(pk=verification.pk).update(expires_at=timezone.now())
        if isinstance(error, NoRoute):
            toll.refund(*SHARED)
        raise
    return verification


@sensitive_variables()
def resend_code(verification_id: UUID, *, ip: str | None = None) -> Verification:
    """Sends the same code again and lengthens its life, up to twice the lifetime after it was asked for.

    Raises VerificationNotFound, AlreadyUsed, CodeExpired, TooManyAttempts, and what `send_code` raises.
    """
    verification = Verification.objects.find(verification_id)
    verification.require_live(timezone.now())
    templates = _less_doubtful_first(verification, routing.routes(verification.purpose))
    with throttling.admission(verification.phone, ip) as toll, committed(Verification):
        _claim(verification.recipient)
        _lengthen(verification)
        first = _queue(templates[0], verification)
    try:
        _send_by_routes(verification, templates, first)
    except NoRoute:
        toll.refund(*SHARED)
        raise
    return verification


def _hold(recipient: Recipient) -> None:
    """Takes the number's row for the rest of the transaction.

    A write comes first: SQLite refuses to turn a reader into a writer under load.
    """
    Recipient.objects.primary().filter(pk=recipient.pk).update(claimed_at=timezone.now())


def _claim(recipient: Recipient) -> None:
    """Takes the number's row and looks at the number's history again, alone now; raises Throttled."""
    _hold(recipient)
    throttling.check_number(recipient.phone, timezone.now())


def _ask(recipient: Recipient, purpose: str) -> Verification:
    now, own = timezone.now(), conf.of(purpose)
    return Verification.objects.primary().create(
        recipient=recipient,
        phone=recipient.phone,
        purpose=purpose,
        code_length=own.CODE_LENGTH,
        created_at=now,
        expires_at=now + timedelta(seconds=own.CODE_LIFETIME),
        max_attempts=throttling.allowed_guesses(recipient.phone, purpose, now),
    )


def _lengthen(verification: Verification) -> None:
    """Gives the code a new life; raises what `require_live` raises when it ended meanwhile."""
    now, lifetime = timezone.now(), timedelta(seconds=conf.of(verification.purpose).CODE_LIFETIME)
    expires_at = max(verification.expires_at, min(now + lifetime, verification.created_at + 2 * lifetime))
    if (expires_at - now).total_seconds() < LEAST_LIFE:
        raise CodeExpired
    rows = Verification.objects.primary().filter(pk=verification.pk)
    if not rows.live(now).update(expires_at=expires_at):
        # Locked, it is read as it is now and not as this transaction first saw it.
        rows.select_for_update().get().require_live(now)
        raise CodeExpired
    verification.expires_at = expires_at


def _less_doubtful_first(verification: Verification, templates: list[Template]) -> list[Template]:
    """Passes over the providers whose last message may still arrive, unless there is no other."""
    last = {
        m.provider_id: m.status
        for m in Message.objects.primary().filter(verification=verification).order_by("created_at")
    }
    doubtful = (MessageStatus.SENDING, MessageStatus.UNKNOWN)
    return sorted(templates, key=lambda template: last.get(template.provider_id) in doubtful)


def _queue(template: Template, verification: Verification) -> Message:
    values = _code_values(verification, code="0" * verification.code_length)
    return Message.objects.primary().create(
        verification=verification,
        provider=template.provider,
        template=template,
        phone=verification.phone,
        purpose=verification.purpose,
        segments=_segments(template, values),
        created_at=timezone.now(),
    )


@sensitive_variables()
def _send_by_routes(verification: Verification, templates: Sequence[Template], first: Message) -> None:
    """Tries one route after the other until an SMS has left or may have left.

    Raises PhoneRejected when the fault is the number's, NoRoute when no provider took it.
    """
    message, rest = first, iter(templates[1:])
    while True:
        outcomes = hand_over([message], {message.phone: _code_values(verification, verification.code())})
        with committed(Message):
            _hold(verification.recipient)
            for _, outcome in outcomes:
                record(message, outcome)
            follower = _follower(verification, message, next(rest, None))
        if follower is None:
            break
        message = follower
    if message.status == MessageStatus.NOT_SENT:
        raise PhoneRejected if message.error_reason == Reason.RECIPIENT else NoRoute


def _follower(verification: Verification, message: Message, template: Template | None) -> Message | None:
    """The next attempt, queued together with the refusal of the last one so that no other request finds the
    number free between them; None when there is to be none."""
    if template is None or message.status != MessageStatus.NOT_SENT or message.error_reason == Reason.RECIPIENT:
        return None
    try:
        throttling.check_number(verification.phone, timezone.now())
    except Throttled:
        return None  # the refusal took so long that another request has sent an SMS meanwhile
    return _queue(template, verification)


def _code_values(verification: Verification, code: str) -> dict[str, str]:
    left = (verification.expires_at - timezone.now()).total_seconds()
    # The seconds that the way here took do not cost a minute.
    return {"code": code, "minutes": str(max(1, int(left + WAY) // 60))}


def _segments(template: Template, values: Mapping[str, str]) -> int:
    signature = template.signature.text if template.signature else ""
    return texts.segments(texts.signed(signature, texts.render(template.content, values)))


@sensitive_variables()
def send_message(template: Template, recipients: Mapping[str, Mapping[str, str]]) -> list[Message]:
    """Sends an approved text without a code to many numbers, in batches where the vendor takes them.

    `recipients` maps each number to the values of the template's placeholders. The site decides who gets
    it: no allowance is asked or spent. Returns a message for each number, in order; what became of it is
    its `status`.

    Raises ValueError for a template with `{code}`, one that may not be used now, missing or surplus values
    and numbers given twice; InvalidPhone, PhoneNotSupported, InvalidGateway and InsideTransaction. Then
    nothing was sent.
    """
    kind = gateway_class(template.provider.gateway)
    values = _checked(template, recipients)
    with committed(Message):
        messages = Message.objects.primary().bulk_create(
            Message(
                provider=template.provider,
                template=template,
                phone=phone,
                purpose=template.purpose,
                values=own,
                segments=_segments(template, own),
            )
            for phone, own in values.items()
        )
    for batch in _batches(kind, messages, values):
        for message, outcome in hand_over(batch, values):
            record(message, outcome)
    return messages


@sensitive_variables()
def _checked(template: Template, recipients: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    names = set(texts.placeholders(template.content))
    if "code" in names:
        raise ValueError(f"The template {template} has {{code}}: it is for send_code(), not for send_message().")
    if not Template.objects.routable().filter(pk=template.pk).exists():
        raise ValueError(f"The template {template} is not approved and active, or its signature or provider is not.")
    values: dict[str, dict[str, str]] = {}
    for written, own in recipients.items():
        phone = phones.parse(written)
        if phone in values:
            raise ValueError(f"The number {phones.mask(phone)} is given twice.")
        if own.keys() != names or not all(map(texts.is_text, own.values())):
            raise ValueError(f"Give {phones.mask(phone)} a text for each of: {', '.join(sorted(names)) or 'nothing'}.")
        values[phone] = dict(own)
    return values


@sensitive_variables()
def _batches(
    kind: type[Gateway], messages: Iterable[Message], values: Mapping[str, Mapping[str, str]]
) -> Iterator[list[Message]]:
    """As many messages at a time as the gateway takes in one call, of equal values where it must be so."""
    groups: dict[object, list[Message]] = {}
    for message in messages:
        same = tuple(sorted(values[message.phone].items())) if kind.same_text else None
        groups.setdefault(same, []).append(message)
    for group in groups.values():
        rest = iter(group)
        while batch := list(islice(rest, kind.max_recipients)):
            yield batch
