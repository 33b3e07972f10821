"""What the last tests of providers found, as far as no SMS has shown since that they work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

from django.db.models import Exists, Q, QuerySet

from django_smsverify.diagnosis.last_tests import LastTest, last_tests
from django_smsverify.enums import MessageStatus
from django_smsverify.models import Message, Provider
from django_smsverify.sending.route_cache import KEEP_SECONDS

TAKEN = [status for status in MessageStatus if status.is_taken]
BY_OLD_KEYS = timedelta(seconds=KEEP_SECONDS)
"""How long after a change another process may still send with the keys before it."""


def standing_tests(providers: Iterable[Provider]) -> Mapping[int, LastTest]:
    """Returns what is to be told of the last tests, by primary key; one trip to the cache, and one query if there is
    any."""
    found = last_tests(providers)
    working = set(shown_to_work(found).values_list("pk", flat=True)) if found else set()
    return {pk: test for pk, test in found.items() if pk not in working}


def shown_to_work(tests: Mapping[int, LastTest]) -> QuerySet[Provider]:
    """The providers whose vendor has taken an SMS since their test, of which these are the primary keys."""
    found = Q(pk__in=[])
    for pk, test in tests.items():
        found |= Q(Exists(_taken_since(pk, test)), pk=pk)
    return Provider.objects.filter(found)


def _taken_since(provider: int, test: LastTest) -> QuerySet[Message]:
    return Message.objects.filter(provider=provider, created_at__gt=test.at + BY_OLD_KEYS, status__in=TAKEN)
