"""Sending one code: check the limits, create the rows, then send, so that no SMS is lost or sent twice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.utils import timezone

from django_smsverify import codes, phones
from django_smsverify.conf import conf
from django_smsverify.enums import MessageStatus, Reason, Scope
from django_smsverify.exceptions import AlreadyUsed, CodeExpired, NoRoute, PhoneRejected, Throttled
from django_smsverify.idempotency import KeyedRequest
from django_smsverify.limits.admission import address_charged, admission
from django_smsverify.limits.cache import time_limit
from django_smsverify.limits.per_number import allowed_guesses, check_number, lock_number
from django_smsverify.limits.shared import SHARED, Charge
from django_smsverify.masked import Secret
from django_smsverify.models import Message, Recipient, RememberedRequest, Template, Verification
from django_smsverify.phones import E164
from django_smsverify.transactions import run_committed
from django_smsverify.verifying.context import canonical, context_digest

from . import circuits, routing
from .attempt import queue
from .dispatch import dispatch_code
from .joining import extend, join, join_without_sms, live_code, reserve_guesses


def send_code(
    phone: str,
    purpose: str,
    *,
    ip: str | None = None,
    context: Mapping[str, Any] | None = None,
    trusted: bool = False,
) -> Verification:
    """Sends a code to a number and returns its Verification, whose id `verify_code` takes.

    `phone` may be written as people write it. `ip` is the client's address; with None the limits per address are
    skipped. `context` is what the code is for, such as an amount and a payee; `verify_code` and `redeem_proof` must get
    the same. It also returns when the vendor's answer was lost, because the SMS may still arrive.

    While a code for the same number, purpose and context is live, the SMS has that code. With `trusted`, for a request
    that the site knows to be its user's, a verification of the live code is also returned when the number may get no
    SMS now; its `sms_sent` is False.

    Raises InvalidPhone, PhoneNotSupported, InvalidContext, UnknownPurpose, Throttled, ThrottleUnavailable,
    PhoneRejected, NoRoute (nothing was sent), and InsideTransaction.
    """
    phone = phones.parse(phone)  # its repr is masked from here on, in an error report too
    return send_code_to(phone, purpose, ip=ip, context=canonical(context), trusted=trusted)


def send_code_to(
    phone: E164,
    purpose: str,
    *,
    ip: str | None,
    context: Secret,
    trusted: bool,
    request: KeyedRequest | None = None,
) -> Verification:
    """Does what `send_code` does, for a number and a context that were parsed already, and remembers the request."""
    templates = routing.routes(purpose)
    with time_limit():
        try:
            with admission(phone, ip) as charge:
                recipient = Recipient.objects.get_or_create(phone=phone)[0]
                template = circuits.choose(templates) or circuits.least_bad(templates)
                create = partial(_create_rows, recipient, purpose, context, template, request)
                verification, first = run_committed(Message, create)
        except Throttled as error:
            is_of_number = error.scope in (Scope.RESEND, Scope.PHONE)
            joined = _join(phone, purpose, context, ip, request) if trusted and is_of_number else None
            if joined is None:
                raise
            return joined
        _dispatch_or_raise(verification, first, charge)
    return verification


def _join(phone: str, purpose: str, context: str, ip: str | None, request: KeyedRequest | None) -> Verification | None:
    """A verification of the live code without an SMS; the client's address pays for it as for an SMS."""
    recipient = Recipient.objects.filter(phone=phone).first()
    if recipient is None:
        return None
    with address_charged(ip):
        verification = run_committed(Verification, partial(join_without_sms, recipient, purpose, context, request))
    if verification is not None:
        verification.sms_sent = False
    return verification


def resend_code(verification_id: UUID, *, ip: str | None = None, request: KeyedRequest | None = None) -> Verification:
    """Sends the same code again and returns its Verification.

    The lifetime is extended, to at most twice CODE_LIFETIME after the code was created. `request` is remembered.

    Raises VerificationNotFound, AlreadyUsed, CodeExpired, TooManyAttempts, and what `send_code` raises.
    """
    verification = Verification.objects.find(verification_id)
    verification.require_live(timezone.now())
    templates = _uncertain_providers_last(verification, routing.routes(verification.purpose))
    with time_limit():
        with admission(verification.phone, ip) as charge:
            template = circuits.choose(templates) or circuits.least_bad(templates)
            first = run_committed(Message, partial(_create_resend, verification, template, request))
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


def _create_rows(
    recipient: Recipient, purpose: str, context: str, template: Template, request: KeyedRequest | None
) -> tuple[Verification, Message]:
    _lock_and_check(recipient)
    now = timezone.now()
    code = live_code(recipient.phone, purpose, context, now)
    if code is not None and extend(code, now):
        verification = join(code, recipient, now, with_sms=True)
    else:
        verification = _create_code(recipient, purpose, context, now)
    RememberedRequest.objects.remember(request, verification, now)
    return verification, queue(template, verification)


def _create_code(recipient: Recipient, purpose: str, context: str, now: datetime) -> Verification:
    settings, key_id = conf.of(purpose), codes.current_key_id()
    return Verification.objects.create(
        recipient=recipient,
        phone=recipient.phone,
        purpose=purpose,
        context=context_digest(key_id, recipient.phone, purpose, context),
        key_id=key_id,
        code_length=settings.CODE_LENGTH,
        created_at=now,
        expires_at=now + timedelta(seconds=settings.CODE_LIFETIME),
        max_attempts=allowed_guesses(recipient.phone, purpose, now),
    )


def _create_resend(verification: Verification, template: Template, request: KeyedRequest | None) -> Message:
    _lock_and_check(verification.recipient)
    now = timezone.now()
    if not extend(verification.holder, now):
        # The locked read returns the current row, not the one that this transaction saw first.
        code = Verification.objects.select_for_update().get(pk=verification.holder.pk)
        raise AlreadyUsed if code.verified_at else CodeExpired
    if not verification.is_reserved:
        reserve_guesses(verification, now)
    RememberedRequest.objects.remember(request, verification, now)
    return queue(template, verification)


def _uncertain_providers_last(verification: Verification, templates: list[Template]) -> list[Template]:
    """Sorts providers whose last message may still arrive to the end."""
    sent = Message.objects.carrying(verification.holder).order_by("created_at")
    last = {message.provider_id: message.status for message in sent}
    uncertain = (MessageStatus.SENDING, MessageStatus.UNKNOWN)
    return sorted(templates, key=lambda template: last.get(template.provider_id) in uncertain)
