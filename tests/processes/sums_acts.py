"""What the processes do to messages of days that are summed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from unittest.mock import patch
from uuid import UUID

from django.utils import timezone

from django_smsverify.enums import DeliveryOutcome
from django_smsverify.models import Message, Provider
from django_smsverify.statistics import sums
from tests.conftest import CODE_TEXT, add_template
from tests.summing import PURPOSES, SHANGHAI, add_accepted, direct, report, told


def add_messages(count: int, days: int) -> list[UUID]:
    """Messages of the last days but two, which the vendor took."""
    provider, is_new = Provider.objects.get_or_create(slug="memory", defaults={"gateway": "memory", "price": "0.0450"})
    if is_new:
        add_template(provider, PURPOSES[0], CODE_TEXT, "")
    now = timezone.now()
    ages = [timedelta(days=random.uniform(3, 3 + days)) for _ in range(count)]
    return [add_accepted(provider, created_at=now - age).pk for age in ages]


def report_or_sum(ids: Sequence[UUID]) -> None:
    """Reports on these messages or, without any, sums the days as the poll does."""
    messages = list(Message.objects.filter(pk__in=ids).select_related("provider"))
    if messages:
        report(messages, random.choice(list(DeliveryOutcome)))
        return
    with patch.object(sums, "PAUSE", timedelta()):
        for _day in sums.sum_days():
            pass


def costs_and_direct_sum() -> tuple[Any, Any]:
    """What is told of the last days, and the sum over their messages."""
    today = timezone.now().astimezone(SHANGHAI).date()
    period = today - timedelta(days=20), today, ("provider", "purpose", "day")
    return told(*period), direct(*period)
