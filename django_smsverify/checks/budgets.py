"""A system check of what budgets need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, register
from django.db import DatabaseError
from django.utils import timezone

from django_smsverify.diagnosis.findings import Finding
from django_smsverify.diagnosis.money import unpriced
from django_smsverify.limits.budget import ceilings
from django_smsverify.models import Provider, Template

from .findings import as_checks


@register(Tags.database)
def check_prices(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Every active provider that needs a price for a budget has one."""
    if Provider.objects.db not in (databases or ()):
        return []
    try:
        return as_checks(_without_price, wrong="smsverify.E014")
    except DatabaseError:  # the tables are not there yet
        return []


def _without_price() -> Iterator[Finding]:
    now = timezone.now()
    for provider in Provider.objects.filter(is_active=True, price__isnull=True):
        templates = Template.objects.filter(provider=provider, is_active=True).order_by("purpose")
        purposes = templates.values_list("purpose", flat=True).distinct()
        if limited := [purpose for purpose in purposes if ceilings(provider, purpose, now)]:
            yield unpriced(provider, limited)
