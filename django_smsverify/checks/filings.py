"""A system check of what carriers hold back although the vendor has approved it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage, Tags, register
from django.db import DatabaseError

from django_smsverify.models import CarrierFiling, Signature
from django_smsverify.models.days import date_of
from django_smsverify.reviews.carrier_filing import stopped_filings, unused_since


@register(Tags.database)
def check_filings(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """No approved signature is unfiled at a carrier, or was unused for months."""
    if CarrierFiling.objects.db not in (databases or ()):
        return []
    try:
        return list(_messages())
    except DatabaseError:  # the tables are not there yet
        return []


def _messages() -> Iterator[CheckMessage]:
    for signature in Signature.objects.filter(provider__is_active=True).select_related("provider"):
        name = f"The signature {signature} of {signature.provider.slug}"
        if stopped := ", ".join(f"{filing.carrier}: {filing.status}" for filing in stopped_filings(signature)):
            hint = "Have the vendor file it with these carriers; the admin shows where this is known from."
            yield checks.Warning(f"{name} is approved and not filed ({stopped}).", hint=hint, id="smsverify.W013")
        if since := unused_since(signature):
            hint = "Carriers clear what nobody uses: send by it now and then, or deactivate the provider."
            yield checks.Warning(f"{name} was not used since {date_of(since)}.", hint=hint, id="smsverify.W014")
