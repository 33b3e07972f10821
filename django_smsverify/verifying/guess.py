"""Verifying: every guess is counted before its result is told, and one right guess wins once."""

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
    """Judges one guess; returns the verification when it is right, once.

    `code` is read as a person writes it: without spaces, dashes and invisible marks, full-width digits as digits.

    Raises VerificationNotFound, WrongCode, CodeExpired, TooManyAttempts, AlreadyUsed, and
    InsideTransaction, as a rolled-back guess would be a free one.
    """
    code = Secret(codes.as_digits(str(code)))
    while True:
        verification = Verification.objects.find(verification_id)
        verification.require_live(timezone.now())
        right = codes.matches(verification.derive_code(), code)
        if _count(verification, right=right):
            break
    if not right:
        raise WrongCode(verification.max_attempts - verification.attempts)
    phone_verified.send_robust(Verification, verification=verification)
    return verification


def _count(verification: Verification, *, right: bool) -> bool:
    """Counts the guess, and verifies if it is right, in one statement that only one of all who saw the same
    number of attempts can win; False for the others, who must look again."""
    now = timezone.now()
    news: dict[str, Any] = {"attempts": verification.attempts + 1, "attempted_at": now}
    if right:
        news["verified_at"] = now
    seen = Verification.objects.primary().filter(pk=verification.pk, attempts=verification.attempts)
    live = seen.filter(verified_at__isnull=True, expires_at__gt=now)
    won = run_committed(Verification, lambda: live.update(**news)) == 1
    for name, value in news.items():
        setattr(verification, name, value)
    return won
