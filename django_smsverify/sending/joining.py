"""One code for one number, purpose and context at a time: a request while a code is live joins that code."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone

from django_smsverify import codes
from django_smsverify.conf import conf
from django_smsverify.limits.per_number import allowed_guesses, guesses_left, lock_number
from django_smsverify.models import Recipient, RememberedRequest, Verification
from django_smsverify.verifying.context import context_digest

from .content import least_life
from .request import CodeRequest


def live_code(request: CodeRequest, now: datetime) -> Verification | None:
    """Returns the verification that holds the live code of a number for a purpose and a context.

    None where a code ends so soon that it is not worth another SMS. The number's row must be locked.
    """
    phone, purpose, keys = request.phone, request.purpose, codes.known_key_ids()
    digests = {context_digest(key, phone, purpose, request.context) for key in keys}
    codes_of_number = Verification.objects.filter(phone=phone, purpose=purpose, context__in=digests, key_id__in=keys)
    newest = codes_of_number.with_live_code(now).order_by("-created_at").first()
    return newest if newest and _last_end(newest, now) - now >= least_life(purpose) else None


def _last_end(code: Verification, now: datetime) -> datetime:
    """The latest end that a code can get now: it lives for twice its lifetime at most."""
    lifetime = timedelta(seconds=conf.of(code.purpose).CODE_LIFETIME)
    return max(code.expires_at, min(now + lifetime, code.created_at + 2 * lifetime))


def extend(code: Verification, now: datetime) -> bool:
    """Extends the life of a code for another SMS; False when it ended meanwhile, or is not worth an SMS."""
    expires_at = _last_end(code, now)
    if expires_at - now < least_life(code.purpose):
        return False
    if not Verification.objects.filter(pk=code.pk).with_live_code(now).update(expires_at=expires_at):
        return False
    code.expires_at = expires_at
    return True


def join(code: Verification, recipient: Recipient, now: datetime, *, by_stranger: bool) -> Verification:
    """Creates and returns a verification of a live code that another SMS will carry."""
    allowed = allowed_guesses(code.phone, code.purpose, now, by_stranger=by_stranger)
    return _join(code, recipient, now, max_attempts=allowed, by_stranger=by_stranger)


def join_without_sms(recipient: Recipient, request: CodeRequest) -> Verification | None:
    """Returns a new verification of the number's live code; None when there is none, or no guess is left."""
    lock_number(recipient)
    now = timezone.now()
    code = live_code(request, now)
    if code is None or guesses_left(recipient.phone, now, by_stranger=False) <= 0:
        return None
    attempts = conf.of(code.purpose).MAX_ATTEMPTS
    verification = _join(code, recipient, now, max_attempts=attempts, is_reserved=False)
    RememberedRequest.objects.remember(request.keyed, verification, now)
    return verification


def _join(code: Verification, recipient: Recipient, now: datetime, **fields: Any) -> Verification:
    return Verification.objects.create(
        root=code,
        recipient=recipient,
        phone=code.phone,
        purpose=code.purpose,
        context=code.context,
        nonce="",
        key_id="",
        code_length=code.code_length,
        created_at=now,
        expires_at=code.expires_at,
        **fields,
    )


def reserve_guesses(verification: Verification, now: datetime) -> None:
    """Gives a verification that joined without an SMS, and gets one now, the guesses that an SMS adds."""
    by_stranger = verification.by_stranger
    more = allowed_guesses(verification.phone, verification.purpose, now, by_stranger=by_stranger)
    row = Verification.objects.filter(pk=verification.pk)
    row.update(is_reserved=True, max_attempts=F("attempts") + more)
    verification.reload()
