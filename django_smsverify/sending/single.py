"""Sending one code: check the limits, create the rows, then send, so that no SMS is lost or sent twice."""

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
    """Sends a code to a number and returns its Verification, whose id `verify_code` takes.

    `phone` may be written as people write it. `ip` is the client's address; with None the limits per address are
    skipped. It also returns when the vendor's answer was lost, because the SMS may still arrive.

    Raises InvalidPhone, PhoneNotSupported, UnknownPurpose, Throttled, ThrottleUnavailable, PhoneRejected, NoRoute
    (nothing was sent), and InsideTransaction.
    """
    phone = phones.parse(phone)  # its repr is masked from here on, in an error report too
    return send_code_to(phone, purpose, ip=ip)


def send_code_to(phone: E164, purpose: str, *, ip: str | None) -> Verification:
    """Does what `send_code` does, for a number that was parsed already."""
    templates = routing.routes(purpose)
    with time_limit():
        with admission(phone, ip) as charge:
            recipient = Recipient.objects.get_or_create(phone=phone)[0]
            template = circuits.choose(templates) or circuits.least_bad(templates)
            verification, first = run_committed(Message, partial(_create_rows, recipient, purpose, template))
        _dispatch_or_raise(verification, first, charge)
    return verification


def resend_code(verification_id: UUID, *, ip: str | None = None) -> Verification:
    """Sends the same code again and returns its Verification.

    The lifetime is extended, to at most twice CODE_LIFETIME after the code was created.

    Raises VerificationNotFound, AlreadyUsed, CodeExpired, TooManyAttempts, and what `send_code` raises.
    """
    verification = Verification.objects.find(verification_id)
    verification.require_live(timezone.now())
    templates = _uncertain_providers_last(verification, routing.routes(verification.purpose))
    with time_limit():
        with admission(verification.phone, ip) as charge:
            template = circuits.choose(templates) or circuits.least_bad(templates)
            first = run_committed(Message, partial(_create_resend, verification, template))
        _dispatch_or_raise(verification, first, charge)
    return verification


def _dispatch_or_raise(verification: Verification, message: Message, charge: Charge) -> None:
    """Dispatches a code; raises PhoneRejected when the number is the cause of a refusal, NoRoute when no provider took
    it."""
    last = dispatch_code(verification, message)
    if last.status != MessageStatus.NOT_SENT:
        verification.last_sent_at = last.created_at
        return
    if last.error_reason == Reason.RECIPIENT:
        raise PhoneRejected
    charge.refund(*SHARED)
    raise NoRoute


def _lock_and_check(recipient: Recipient) -> None:
    """Locks the number's row and checks its limits again, now without concurrent requests; raises Throttled."""
    lock_number(recipient)
    check_number(recipient.phone, timezone.now())


def _create_rows(recipient: Recipient, purpose: str, template: Template) -> tuple[Verification, Message]:
    _lock_and_check(recipient)
    now, settings = timezone.now(), conf.of(purpose)
    verification = Verification.objects.create(
        recipient=recipient,
        phone=recipient.phone,
        purpose=purpose,
        code_length=settings.CODE_LENGTH,
        created_at=now,
        expires_at=now + timedelta(seconds=settings.CODE_LIFETIME),
        max_attempts=allowed_guesses(recipient.phone, purpose, now),
    )
    return verification, queue(template, verification)


def _create_resend(verification: Verification, template: Template) -> Message:
    _lock_and_check(verification.recipient)
    _extend_lifetime(verification)
    return queue(template, verification)


def _extend_lifetime(verification: Verification) -> None:
    """Extends the code's lifetime; raises what `require_live` raises when the code ended meanwhile."""
    now, lifetime = timezone.now(), timedelta(seconds=conf.of(verification.purpose).CODE_LIFETIME)
    expires_at = max(verification.expires_at, min(now + lifetime, verification.created_at + 2 * lifetime))
    if expires_at - now < least_life(verification.purpose):
        raise CodeExpired
    rows = Verification.objects.filter(pk=verification.pk)
    if not rows.live(now).update(expires_at=expires_at):
        # The locked read returns the current row, not the one that this transaction saw first.
        rows.select_for_update().get().require_live(now)
        raise CodeExpired
    verification.expires_at = expires_at


def _uncertain_providers_last(verification: Verification, templates: list[Template]) -> list[Template]:
    """Sorts providers whose last message may still arrive to the end."""
    last = {m.provider_id: m.status for m in Message.objects.filter(verification=verification).order_by("created_at")}
    uncertain = (MessageStatus.SENDING, MessageStatus.UNKNOWN)
    return sorted(templates, key=lambda template: last.get(template.provider_id) in uncertain)
