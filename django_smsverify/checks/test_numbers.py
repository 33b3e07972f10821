"""System checks of test numbers: those that do not work, and those that open a site in production."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Tags, register
from django.db import DatabaseError
from django.utils import timezone

from django_smsverify.diagnosis.open_doors import working_test_numbers
from django_smsverify.models import TestNumber
from django_smsverify.numbers.test_numbers import are_allowed

from .findings import as_checks


@register(Tags.database)
def check_test_numbers_work(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """No test number is live on a site where test numbers are switched off."""
    count = 0 if are_allowed() else _live(databases)
    if not count:
        return []
    return [
        checks.Warning(
            f"{count} test numbers have not expired and do not work: real SMS are sent to them.",
            hint='Set SMSVERIFY["ALLOW_TEST_NUMBERS"] = True, or delete them in the admin.',
            id="smsverify.W017",
        )
    ]


@register(Tags.database, deploy=True)
def check_no_test_number_is_left(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """No test number works in production, but for the time of a review."""
    count = _live(databases) if are_allowed() and not settings.DEBUG else 0
    if not count:
        return []
    return as_checks(lambda: [working_test_numbers(count)], wrong="smsverify.W018")


def _live(databases: Sequence[str] | None) -> int:
    """How many have not expired, as far as these databases may be asked."""
    if TestNumber.objects.db not in (databases or ()):
        return 0
    try:
        return TestNumber.objects.live(timezone.now()).count()
    except DatabaseError:  # not migrated yet
        return 0
