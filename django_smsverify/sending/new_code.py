"""A new code: the verification that holds it, with what the settings say now."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django_smsverify import codes
from django_smsverify.conf import conf
from django_smsverify.models import Recipient, Verification
from django_smsverify.models.inserts import insert
from django_smsverify.verifying.context import context_digest

from .request import CodeRequest


def create_code(recipient: Recipient, request: CodeRequest, now: datetime, **fields: Any) -> Verification:
    """Creates and returns the verification of a request that gets a code of its own; `fields` are further columns."""
    settings, key_id = conf.of(request.purpose), codes.current_key_id()
    verification = Verification(
        recipient=recipient,
        phone=recipient.phone,
        purpose=request.purpose,
        context=context_digest(key_id, recipient.phone, request.purpose, request.context),
        key_id=key_id,
        code_length=settings.CODE_LENGTH,
        created_at=now,
        expires_at=now + timedelta(seconds=settings.CODE_LIFETIME),
        by_stranger=request.requester.is_stranger,
        known_at=request.requester.verified_at,
        **fields,
    )
    insert(verification)
    return verification
