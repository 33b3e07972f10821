"""Sending: limits, then rows, then the delivery, in an order that neither loses nor doubles an SMS."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from uuid import UUID

from django.utils import timezone

from django_smsverify import phones
from django_smsverify.conf import conf
from django_smsverify.enums import MessageStatus, Reason
from django_smsverify.exceptions import CodeExpired, NoRoute, PhoneRejected
from django_smsverify.limits.admission import admission
from django_smsverify.limits.cache import time_limit
from django_smsverify.limits.per_number import allowed_guesses, check_number, lock_number
from django_smsverify.limits.shared import SHARED, Charge
from django_smsverify.models import Message, Recipient, Template, Verification
from django_smsverify.phones import E164
from django_smsverify.transactions import run_committed

from . import circuits, routing
from .attempt import queue
from .content import least_life
from .dispatch import dispatch_code


def send_code(phone: str, purpose: str, *, ip: str | None = None) -> Verification:
    """Sends a code to a number and returns the question that `verify_code` answers.

    `phone` is read as a person writes it; `ip` is the client's address, whose limits are skipped for None.
    Also returns when the vendor's answer was lost: the SMS may well arrive.

    Raises InvalidPhone, PhoneNotSupported, UnknownPurpose, Throttled, ThrottleUnavailable, PhoneRejected,
    NoRoute (nothing was sent), and InsideTransaction.
    """
    phone = phones.parse(phone)  # shows itself masked from here on, in an error report too
    return send_code_to(phone, purpose, ip=ip)


def send_code_to(phone: E164, purpose: str, *, ip: str | None) -> Verification:
    """What `send_code` does, for a number that was read already."""
    templates = routing.routes(purpose)
    with time_limit():
        with admission(phone, ip) as charge:
            recipient = Recipient.objects.primary().get_or_create(phone=phone)[0]
            template = circuits.choose(templates) or circuits.least_bad(templates)
            verification, first = run_committed(Message, partial(_ask, recipient, purpose, template))
        _send(verification, first, charge)
    return verification


def resend_code(verification_id: UUID, *, ip: str | None = None) -> Verification:
    """Sends the same code again and lengthens its life, up to twice the lifetime after it was asked for.

    Raises VerificationNotFound, AlreadyUsed, CodeExpired, TooManyAttempts, and what `send_code` raises.
    """
    verification = Verification.objects.find(verification_id)
    verification.require_live(timezone.now())
    templates = _less_doubtful_first(verification, routing.routes(verification.purpose))
    with time_limit():
        with admission(verification.phone, ip) as charge:
            template = circuits.choose(templates) or circuits.least_bad(templates)
            first = run_committed(Message, partial(_ask_again, verification, template))
        _send(verification, first, charge)
    return verification


def _send(verification: Verification, message: Message, charge: Charge) -> None:
    """Raises PhoneRejected when the fault is the number's, NoRoute when nobody took it."""
    last = dispatch_code(verification, message)
    if last.status != MessageStatus.NOT_SENT:
        verification.last_sent_at = last.created_at
        return
    if last.error_reason == Reason.RECIPIENT:
        raise PhoneRejected
    charge.refund(*SHARED)
    raise NoRoute


def _claim(recipient: Recipient) -> None:
    """Takes the number's row and looks at the number's history again, alone now; raises Throttled."""
    lock_number(recipient)
    check_number(recipient.phone, timezone.now())


def _ask(recipient: Recipient, purpose: str, template: Template) -> tuple[Verification, Message]:
    _claim(recipient)
    now, own = timezone.now(), conf.of(purpose)
    verification = Verification.objects.primary().create(
        recipient=recipient,
        phone=recipient.phone,
        purpose=purpose,
        code_length=own.CODE_LENGTH,
        created_at=now,
        expires_at=now + timedelta(seconds=own.CODE_LIFETIME),
        max_attempts=allowed_guesses(recipient.phone, purpose, now),
    )
    return verification, queue(template, verification)


def _ask_again(verification: Verification, template: Template) -> Message:
    _claim(verification.recipient)
    _lengthen(verification)
    return queue(template, verification)


def _lengthen(verification: Verification) -> None:
    """Gives the code a new life; raises what `require_live` raises when it ended meanwhile."""
    now, lifetime = timezone.now(), timedelta(seconds=conf.of(verification.purpose).CODE_LIFETIME)
    expires_at = max(verification.expires_at, min(now + lifetime, verification.created_at + 2 * lifetime))
    if expires_at - now < least_life(verification.purpose):
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
