"""Test numbers: nothing is sent to them, because their code is known.

Each process keeps which numbers these are, so that the requests of all others read nothing for them. A number that
another process has entered counts after ten seconds at most; the end of one counts at once.
"""

from __future__ import annotations

from django.conf import settings
from django.utils import timezone

from django_smsverify.conf import conf
from django_smsverify.exceptions import UndecryptableValue
from django_smsverify.masked import Secret
from django_smsverify.models import TestNumber, Verification
from django_smsverify.models.kept import Kept


def are_allowed() -> bool:
    """Whether test numbers work on this site; where they do not, they get SMS as any number."""
    return settings.DEBUG or conf.ALLOW_TEST_NUMBERS


def is_test_number(phone: str) -> bool:
    """Whether the code of a number is known, so that nothing is to be sent to it now."""
    return are_allowed() and phone in known.get() and _find(phone) is not None


def right_code(verification: Verification) -> Secret:
    """Returns the code that verifies.

    Raises LookupError when there is none any more: for a test number that has expired, or whose codes no key decrypts,
    or when the key that derives it is no longer configured.
    """
    if not verification.is_simulated:
        return verification.derive_code()
    number = _find(verification.phone) if are_allowed() else None
    if number is None:
        raise LookupError("The number is no longer a test number.")
    try:
        return number.code(verification.code_length)
    except UndecryptableValue as error:
        raise LookupError(str(error)) from None


def _find(phone: str) -> TestNumber | None:
    return TestNumber.objects.live(timezone.now()).filter(phone=phone).first()


def _load() -> frozenset[str]:
    return frozenset(TestNumber.objects.live(timezone.now()).order_by().values_list("phone", flat=True))


known = Kept(TestNumber, _load)
"""The test numbers, as far as this process knows them."""
