"""Test numbers: nothing is sent to them, because their code is known.

Each process keeps which numbers these are, so that the requests of all others read nothing for them. A number that
another process has entered counts after KEEP_SECONDS at most; the end of one counts at once.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.utils import timezone

from django_smsverify.conf import conf
from django_smsverify.exceptions import UndecryptableValue
from django_smsverify.masked import Secret
from django_smsverify.models import TestNumber, Verification
from django_smsverify.models.querysets import rows_updated

KEEP_SECONDS = 10


class _Kept(NamedTuple):
    loaded_at: float
    phones: frozenset[str]


_kept: dict[tuple[str, str], _Kept] = {}
"""By database and schema."""


def are_allowed() -> bool:
    """Whether test numbers work on this site; where they do not, they get SMS as any number."""
    return settings.DEBUG or conf.ALLOW_TEST_NUMBERS


def is_test_number(phone: str) -> bool:
    """Whether the code of a number is known, so that nothing is to be sent to it now."""
    return are_allowed() and phone in _known() and _find(phone) is not None


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


def _known() -> frozenset[str]:
    """The test numbers, as far as this process knows them."""
    if transaction.get_connection(TestNumber.objects.db).in_atomic_block:
        return _load()  # which may be rolled back
    place, now = TestNumber.objects.place, time.monotonic()
    kept = _kept.get(place)
    if kept is None or not 0 <= now - kept.loaded_at < KEEP_SECONDS:
        kept = _kept[place] = _Kept(now, _load())
    return kept.phones


def _load() -> frozenset[str]:
    return frozenset(TestNumber.objects.live(timezone.now()).order_by().values_list("phone", flat=True))


def _changed(using: str, **kwargs: Any) -> None:
    transaction.on_commit(_kept.clear, using=using)


def connect() -> None:
    """Connects what notices changes of this process; called once, when the app is ready."""
    for signal in (post_save, post_delete, rows_updated):
        signal.connect(_changed, TestNumber, dispatch_uid="smsverify-test-numbers")
