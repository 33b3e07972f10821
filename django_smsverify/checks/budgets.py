"""A system check of what budgets need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError
from django.utils import timezone

from django_smsverify.limits.budget import ceilings
from django_smsverify.models import Provider, Template


@register(Tags.database)
def check_prices(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Every active provider that needs a price for a budget has one."""
    if Provider.objects.db not in (databases or ()):
        return []
    try:
        return list(_without_price())
    except DatabaseError:  # the tables are not there yet
        return []


def _without_price() -> Iterator[CheckMessage]:
    now = timezone.now()
    for provider in Provider.objects.filter(is_active=True, price__isnull=True):
        templates = Template.objects.filter(provider=provider, is_active=True).order_by("purpose")
        purposes = templates.values_list("purpose", flat=True).distinct()
        if limited := [purpose for purpose in purposes if ceilings(provider, purpose, now)]:
            yield Error(
                f"{provider.slug} has no price, and a budget is set: it sends nothing for {', '.join(limited)}.",
                hint="Enter the price of a segment in the admin, or take the budget away.",
                id="smsverify.E014",
            )
