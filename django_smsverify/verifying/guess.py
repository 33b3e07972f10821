"""Checking a code: every guess is counted before its result is returned, and a right guess succeeds only once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils import timezone

from django_smsverify import codes
from django_smsverify.exceptions import WrongCode
from django_smsverify.masked import Secret
from django_smsverify.models import Verification
from django_smsverify.signals import phone_verified
from django_smsverify.transactions import run_committed


def verify_code(verification_id: UUID, code: str) -> Verification:
    """Checks one guess; returns the verification if it is right, only once.

    `code` may be written as people write it: spaces, dashes and invisible marks are removed, full-width digits become
    ASCII.

    Raises VerificationNotFound, WrongCode, CodeExpired, TooManyAttempts, AlreadyUsed, and InsideTransaction, because a
    rolled-back guess would not be counted.
    """
    code = Secret(codes.as_digits(str(code)))
    while True:
        verification = Verification.objects.find(verification_id)
        verification.require_live(timezone.now())
        right = codes.matches(verification.derive_code(), code)
        if _count_guess(verification, right=right):
            break
    if not right:
        raise WrongCode(verification.max_attempts - verification.attempts)
    phone_verified.send_robust(Verification, verification=verification)
    return verification


def _count_guess(verification: Verification, *, right: bool) -> bool:
    """Counts the guess, and verifies the number if it is right, in one statement.

    Only one of the requests that read the same number of attempts succeeds; the others get False and must read again.
    """
    now = timezone.now()
    changes: dict[str, Any] = {"attempts": verification.attempts + 1, "attempted_at": now}
    if right:
        changes["verified_at"] = now
    seen = Verification.objects.filter(pk=verification.pk, attempts=verification.attempts)
    live = seen.filter(verified_at__isnull=True, expires_at__gt=now)
    won = run_committed(Verification, lambda: live.update(**changes)) == 1
    for name, value in changes.items():
        setattr(verification, name, value)
    return won
