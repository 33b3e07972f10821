"""What an SMS of some time ago left in the database, for tests of what becomes of it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.db import connection
from django.utils import timezone

from django_smsverify import phones
from django_smsverify.enums import MessageStatus
from django_smsverify.models import DeliveryReport, Message, Provider, Recipient, Refusal, Reply, Verification

from .conftest import PHONE

RECORDS = (Recipient, Verification, Message, DeliveryReport, Reply, Refusal)


def past_sms(provider: Provider, days: float, phone: str = PHONE, **fields: Any) -> Message:
    """One row of each kind; the vendor and the phone's owner wrote the number into their words."""
    at = timezone.now() - timedelta(days=days)
    recipient, _ = Recipient.objects.get_or_create(phone=phone, defaults={"claimed_at": at})
    Recipient.objects.filter(pk=recipient.pk, claimed_at__lt=at).update(claimed_at=at)
    verification = Verification.objects.create(
        recipient=recipient,
        phone=phone,
        purpose="login",
        code_length=6,
        max_attempts=5,
        created_at=at,
        expires_at=at + timedelta(minutes=5),
        block=phones.block(phone),
    )
    fields = {"status": MessageStatus.DELIVERED, "settled_at": at, "cost": Decimal("0.05"), **fields}
    common: dict[str, Any] = {"provider": provider, "phone": phone, "remote_id": uuid4().hex}
    message = Message.objects.create(
        verification=verification,
        template=provider.templates.filter(purpose="login")[0],
        purpose="login",
        created_at=at,
        **{**common, "error_message": f"{phone[3:]} 欠费 E42", **fields},
    )
    common |= {"message": message, "received_at": at, "payload": {"mobile": phone[3:]}}
    DeliveryReport.objects.create(outcome="delivered", source="push", fingerprint=uuid4(), **common)
    Reply.objects.create(content=f"我是 {phone[3:]}", fingerprint=uuid4(), **common)
    Refusal.objects.create(id=uuid4(), phone=phone, reason="resend", first_at=at, last_at=at)
    return message


def rows_with(words: str) -> set[str]:
    """The tables of this app in which a text stands anywhere."""
    with connection.cursor() as cursor:
        tables = [table for table in connection.introspection.table_names(cursor) if table.startswith("smsverify_")]
        found = set()
        for table in tables:
            cursor.execute(f"SELECT * FROM {table}")
            if any(words in str(value) for row in cursor.fetchall() for value in row):
                found.add(table.removeprefix("smsverify_"))
    return found
