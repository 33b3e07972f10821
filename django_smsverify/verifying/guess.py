"""Checking a code: every guess is counted before its result is returned, and a code succeeds only once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.utils import timezone

from django_smsverify import codes, events
from django_smsverify.exceptions import (
    AlreadyUsed,
    CodeExpired,
    ContextMismatch,
    SMSVerifyError,
    TooManyAttempts,
    VerificationNotFound,
    WrongCode,
)
from django_smsverify.idempotency import KeyedRequest
from django_smsverify.limits.per_number import NumberHistory, lock_number
from django_smsverify.masked import Secret
from django_smsverify.models import KnownNumber, RememberedRequest, Verification
from django_smsverify.models.statements import count_guess, count_guess_while_live, verify, verify_by_guess
from django_smsverify.numbers.test_numbers import right_code
from django_smsverify.signals import phone_verified
from django_smsverify.tracing import span
from django_smsverify.transactions import require_autocommit, run_committed

from .context import canonical, has_context
from .repeats import check_repeated


def verify_code(verification_id: UUID, code: str, *, context: Mapping[str, Any] | None = None) -> Verification:
    """Checks one guess; returns the verification if it is right, only once for each code.

    `code` may be written as people write it: spaces, dashes and invisible marks are removed, full-width digits become
    ASCII. `context` must be the one that the code was sent for.

    Raises VerificationNotFound, InvalidContext, WrongCode, ContextMismatch, CodeExpired, TooManyAttempts, AlreadyUsed,
    and InsideTransaction, because a rolled-back guess would not be counted.
    """
    return check_guess(verification_id, Secret(codes.as_digits(str(code))), canonical(context))


def check_guess(
    verification_id: UUID, code: Secret, context: Secret, request: KeyedRequest | None = None
) -> Verification:
    """Does what `verify_code` does, for a code and a context that were parsed already.

    A `request` that succeeded may be repeated with the same code as long as its proof lives. Raises IdempotencyMismatch
    where its key was used for another verification.
    """
    with span("verify_code"):
        try:
            verification = _check(verification_id, code, context, request)
        except SMSVerifyError as error:
            left = getattr(error, "attempts_left", None)
            # Anything may have been given as an id that does not exist, such as a number.
            known = None if isinstance(error, VerificationNotFound) else verification_id
            events.emit("code.checked", result=error.code, verification=known, attempts_left=left)
            raise
    if events.is_wanted():
        events.emit("code.checked", result="verified", verification=verification_id)
    return verification


def _check(verification_id: UUID, code: Secret, context: Secret, request: KeyedRequest | None) -> Verification:
    if request is not None and RememberedRequest.objects.recall(request):
        return check_repeated(verification_id, code, context)
    try:
        return _check_first(verification_id, code, context, request)
    except (AlreadyUsed, IntegrityError):
        # A concurrent request with the same key may have been faster.
        if request is not None and RememberedRequest.objects.recall(request):
            return check_repeated(verification_id, code, context)
        raise


def _check_first(verification_id: UUID, code: Secret, context: Secret, request: KeyedRequest | None) -> Verification:
    while True:
        verification = Verification.objects.find(verification_id)
        verification.require_live(timezone.now())
        fits = has_context(verification.holder, context)
        right = codes.matches(_right_code(verification), code) and fits
        left = _count_guess(verification, right, request)
        if left is not None:
            break
    if not right:
        raise WrongCode(left) if fits else ContextMismatch(left)
    phone_verified.send_robust(Verification, verification=verification)
    return verification


def _right_code(verification: Verification) -> Secret:
    try:
        return right_code(verification)
    except LookupError:  # a test number has expired
        raise CodeExpired from None


def _count_guess(verification: Verification, right: bool, request: KeyedRequest | None) -> int | None:
    """Counts the guess, and verifies the number if it is right; returns how many guesses are left.

    Of requests that read the same number of attempts only one succeeds, and of right guesses only the first; the others
    get None and must read again. Raises TooManyAttempts where nothing was reserved and the number has no guess left.
    """
    if right:
        return run_committed(Verification, partial(_store_right, verification, request))
    if not verification.is_reserved:
        return run_committed(Verification, partial(_store_wrong, verification))
    # One statement is a transaction of its own.
    require_autocommit(Verification)
    return _store_wrong(verification)


def _store_wrong(verification: Verification) -> int | None:
    now = timezone.now()
    left = _left_after_this(verification, now)
    # Another verification's code may end meanwhile: a wrong guess is counted all the same.
    count = count_guess_while_live if verification.root_id is None else count_guess
    return left if count(pk=verification.pk, attempts=verification.attempts, now=now) else None


def _store_right(verification: Verification, request: KeyedRequest | None) -> int | None:
    now, code, seen = timezone.now(), verification.holder, verification.attempts
    left = _left_after_this(verification, now)
    if code is verification:
        if not verify_by_guess(pk=verification.pk, attempts=seen, now=now):
            return None
    elif not count_guess(pk=verification.pk, attempts=seen, now=now) or not verify(pk=code.pk, now=now):
        return None
    KnownNumber.objects.remember(verification.phone, now, before=verification.known_at)
    if request is not None:
        RememberedRequest.objects.remember(request, verification, now)
    code.verified_at = verification.verified_at = now
    verification.attempts, verification.attempted_at = seen + 1, now
    return left


def _left_after_this(verification: Verification, now: datetime) -> int:
    left = verification.max_attempts - verification.attempts - 1
    return left if verification.is_reserved else min(left, _require_guess(verification, now))


def _require_guess(verification: Verification, now: datetime) -> int:
    """How many guesses the number has left after this one; the number's row is locked until the guess is counted."""
    lock_number(verification.phone)
    left = NumberHistory.read(verification.phone, now).guesses_left(by_stranger=verification.by_stranger)
    if left <= 0:
        raise TooManyAttempts
    return left - 1
