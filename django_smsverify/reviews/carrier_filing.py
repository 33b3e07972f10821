"""What is known of a signature or a template at each carrier: by hand, from the vendor, and from delivery reports."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from django_smsverify.carriers.blocks import carrier_of
from django_smsverify.enums import Carrier, Cause, FilingSource, FilingStatus, ReviewStatus
from django_smsverify.models import CarrierFiling, DeliveryReport, Message, Signature, Template

Text = Signature | Template
STOPPING = [status for status in FilingStatus if status.stops_sms]
"""The states in which a carrier holds back, or may hold back, what is sent."""
UNUSED_FOR = timedelta(days=120)
"""Carriers clear what is not used: Baidu refuses a signature after five months, at Aliyun it expires after six."""
ASK_AGAIN_AFTER = timedelta(days=7)
"""A vendor that tells filings is asked so often about an approved signature."""


def note_filing(text: Text, carrier: str, status: FilingStatus, source: FilingSource, note: str = "") -> None:
    """Stores the newest word on a filing, where it says something else than the one before."""
    known = {"signature" if isinstance(text, Signature) else "template": text, "carrier": carrier}
    said: dict[str, Any] = {"status": status, "source": source, "note": note, "changed_at": timezone.now()}
    filing, is_new = CarrierFiling.objects.get_or_create(defaults=said, **known)
    if not is_new and filing.status != status:
        CarrierFiling.objects.filter(pk=filing.pk, status=filing.status).update(**said)


def note_told(text: Text, filings: Mapping[Carrier, FilingStatus]) -> None:
    """Stores what a vendor has told of a text at each carrier."""
    for carrier, status in filings.items():
        note_filing(text, carrier, status, FilingSource.VENDOR)


def note_failure(report: DeliveryReport, message: Message) -> None:
    """Stores what the report of a failure says of the signature or the template at the carrier of the number."""
    carrier = carrier_of(report.phone)
    if carrier is None or report.cause not in (Cause.SIGNATURE_UNFILED, Cause.TEMPLATE_UNFILED):
        return
    template = _template_of(message)
    text = template.signature if report.cause == Cause.SIGNATURE_UNFILED else template
    if text is not None:
        note_filing(text, carrier, FilingStatus.UNFILED, FilingSource.REPORTS, report.code or report.detail)


def suspect(message: Message, carrier: str, count: str) -> None:
    """Stores that the signature of a message may not be filed: so many of the last numbers got nothing.

    What an operator or the vendor says is not replaced by a suspicion, nor what a report has said in so many words.
    """
    signature = _template_of(message).signature
    is_known = Q(status=FilingStatus.UNFILED) | ~Q(source=FilingSource.REPORTS)
    if signature is not None and not signature.filings.filter(is_known, carrier=carrier).exists():
        note_filing(signature, carrier, FilingStatus.SUSPECTED, FilingSource.REPORTS, count)


def note_delivery(message: Message, carrier: str) -> None:
    """Stores, after a trial has arrived, that what reports have said before is over."""
    template = _template_of(message)
    for text in (template, template.signature):
        if text is not None and _stopped(text).filter(carrier=carrier, source=FilingSource.REPORTS).exists():
            note_filing(text, carrier, FilingStatus.FILED, FilingSource.REPORTS)


def stopped_filings(text: Text) -> list[CarrierFiling]:
    """Returns the filings of an approved text for which a carrier holds back what is sent."""
    return list(_stopped(text)) if text.status == ReviewStatus.APPROVED else []


def unused_since(signature: Signature) -> datetime | None:
    """Returns the moment since which an approved signature was not used, if it is so long ago that carriers may clear
    it."""
    since = timezone.now() - UNUSED_FOR
    sent = Message.objects.filter(provider=signature.provider_id, template__signature=signature)
    if signature.status != ReviewStatus.APPROVED or sent.filter(created_at__gt=since).exists():
        return None
    return sent.order_by("-created_at").values_list("created_at", flat=True).first()


def _stopped(text: Text) -> Any:
    return text.filings.filter(status__in=STOPPING)


def _template_of(message: Message) -> Template:
    return Template.objects.select_related("signature").get(pk=message.template_id)
