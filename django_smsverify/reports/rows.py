"""What is stored of a vendor's event, and the fingerprint by which it is stored once."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from django_smsverify import phones
from django_smsverify.enums import ReportSource
from django_smsverify.models import Provider
from django_smsverify.types import DeliveryEvent

from .causes import cause_of


def report_fields(provider: Provider, event: DeliveryEvent, source: ReportSource) -> dict[str, Any]:
    """Returns the fields of the report's row."""
    words = event.remote_id, event.phone, event.outcome, event.code
    return {
        "provider": provider,
        "remote_id": event.remote_id,
        "phone": phones.E164(event.phone),
        "outcome": event.outcome,
        "code": event.code,
        "detail": event.detail,
        "cause": cause_of(provider, event),
        "occurred_at": storable_time(event.occurred_at),
        "source": source,
        "payload": dict(event.payload),
        "fingerprint": fingerprint_of("report", provider, *words),
    }


def fingerprint_of(kind: str, provider: Provider, *words: str) -> UUID:
    """Returns the same 122 bits for the same event, whichever way it arrives."""
    digest = hashlib.sha256(json.dumps([kind, provider.pk, *map(str, words)]).encode()).digest()
    return UUID(bytes=digest[:16], version=5)  # MariaDB accepts no other bits at the places of version and variant


def storable_time(moment: datetime | None) -> datetime | None:
    """Returns a moment as this site stores it."""
    return moment if moment is None or settings.USE_TZ else timezone.make_naive(moment)
