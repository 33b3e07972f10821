"""A right guess that its client repeats after a lost answer: the same proof, as long as that lives."""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone

from django_smsverify import codes
from django_smsverify.exceptions import AlreadyUsed
from django_smsverify.masked import Secret
from django_smsverify.models import Verification
from django_smsverify.models.statements import count_guess
from django_smsverify.numbers.test_numbers import right_code

from .context import has_context
from .proofs import proof_seconds_left


def check_repeated(verification_id: UUID, code: Secret, context: Secret) -> Verification:
    """Returns a verification that succeeded, if the code is the right one again.

    A wrong one counts as a guess, or a used code could be guessed here without end. Raises VerificationNotFound,
    AlreadyUsed.
    """
    verification = Verification.objects.find(verification_id)
    holder, now = verification.holder, timezone.now()
    is_over = not proof_seconds_left(verification, now) or not codes.is_known(holder.key_id)
    if is_over or verification.attempts > verification.max_attempts:
        raise AlreadyUsed
    try:
        is_right = codes.matches(right_code(verification), code)
    except LookupError:  # a test number has expired
        raise AlreadyUsed from None
    if is_right and has_context(holder, context):
        return verification
    count_guess(pk=verification.pk, attempts=verification.attempts, now=now)
    raise AlreadyUsed
