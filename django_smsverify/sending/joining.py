"""One code for one number, purpose and context at a time: a request while a code is live joins that code."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone

from django_smsverify import codes
from django_smsverify.conf import conf
from django_smsverify.exceptions import AlreadyUsed, CodeExpired
from django_smsverify.limits.failures import with_failures
from django_smsverify.limits.per_number import NumberHistory
from django_smsverify.models import Recipient, RememberedRequest, Verification
from django_smsverify.models.history import PastVerification
from django_smsverify.models.inserts import insert
from django_smsverify.verifying.context import context_digest

from .content import least_life
from .request import CodeRequest


def live_code(request: CodeRequest, history: NumberHistory) -> Verification | None:
    """Returns the verification that holds the live code of a number for a purpose and a context.

    None where a code ends so soon that it is not worth another SMS. The number's row must be locked.
    """
    purpose, now = request.purpose, history.now
    live = [past for past in history.verifications if past.root_id is None and past.is_live(now)]
    fitting = [past for past in live if past.purpose == purpose and _has_context(past, request)]
    if not fitting:
        return None
    # An SMS never carries the code of a test number, which this number may have been until just now.
    sent = Verification.objects.filter(pk__in=[past.id for past in fitting], simulated_at__isnull=True)
    newest = sent.order_by("-created_at").first()
    return newest if newest and _last_end(newest, now) - now >= least_life(purpose) else None


def _has_context(past: PastVerification, request: CodeRequest) -> bool:
    """Whether a code is bound to what this one is asked for; False where its key is no longer configured."""
    if not codes.is_known(past.key_id):
        return False
    return past.context == context_digest(past.key_id, request.phone, request.purpose, request.context)


def _last_end(code: Verification, now: datetime) -> datetime:
    """The latest end that a code can get now: it lives for twice its lifetime at most."""
    lifetime = timedelta(seconds=conf.of(code.purpose).CODE_LIFETIME)
    return max(code.expires_at, min(now + lifetime, code.created_at + 2 * lifetime))


def extend(code: Verification, now: datetime, **fields: Any) -> bool:
    """Extends the life of a code for another SMS; False when it ended meanwhile, or is not worth an SMS.

    `fields` are stored with it.
    """
    expires_at = _last_end(code, now)
    if expires_at - now < least_life(code.purpose):
        return False
    if not Verification.objects.filter(pk=code.pk).with_live_code(now).update(expires_at=expires_at, **fields):
        return False
    code.expires_at = expires_at
    return True


def extend_or_refuse(code: Verification, now: datetime, **fields: Any) -> None:
    """Does what `extend` does; raises AlreadyUsed or CodeExpired where that returns False."""
    if not extend(code, now, **fields):
        # The locked read returns the current row, not the one that this transaction saw first.
        current = Verification.objects.select_for_update().get(pk=code.pk)
        raise AlreadyUsed if current.verified_at else CodeExpired


def join(request: CodeRequest, code: Verification, recipient: Recipient, history: NumberHistory) -> Verification:
    """Creates and returns a verification of a live code that another SMS will carry."""
    by_stranger = request.requester.is_stranger
    allowed = history.allowed_guesses(code.purpose, by_stranger=by_stranger)
    return _join(request, code, recipient, history.now, max_attempts=allowed, by_stranger=by_stranger)


def join_without_sms(request: CodeRequest) -> Verification | None:
    """Returns a new verification of the number's live code; None when there is none, or no guess is left, which
    without another SMS is so for a number with too many wrong codes in a row."""
    recipient = Recipient.objects.lock(request.phone)
    history = NumberHistory.read(request.phone, timezone.now())
    code = live_code(request, history)
    if code is None or history.guesses_left(by_stranger=False) <= 0:
        return None
    if with_failures(history, recipient, request.requester.verified_at).is_locked:
        return None
    attempts = conf.of(code.purpose).MAX_ATTEMPTS
    verification = _join(request, code, recipient, history.now, max_attempts=attempts, is_reserved=False)
    RememberedRequest.objects.remember(request.keyed, verification, history.now)
    return verification


def _join(request: CodeRequest, code: Verification, recipient: Recipient, now: datetime, **fields: Any) -> Verification:
    verification = Verification(
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
        known_at=request.requester.verified_at,
        **request.origin,
        **fields,
    )
    insert(verification)
    return verification


def reserve_guesses(verification: Verification, history: NumberHistory) -> None:
    """Gives a verification that joined without an SMS, and gets one now, the guesses that an SMS adds."""
    more = history.allowed_guesses(verification.purpose, by_stranger=verification.by_stranger)
    row = Verification.objects.filter(pk=verification.pk)
    row.update(is_reserved=True, max_attempts=F("attempts") + more)
    verification.reload()
