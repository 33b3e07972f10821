"""What a message says, what it is counted as, and what a gateway is given."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from django.utils import timezone

from django_smsverify import texts
from django_smsverify.conf import conf
from django_smsverify.masked import Secret
from django_smsverify.models import Template, Verification
from django_smsverify.types import OutgoingSMS

LEAST_LIFE = timedelta(seconds=60)
"""A code that is about to expire is not worth an SMS."""


SECONDS_ON_THE_WAY = 5
"""Seconds that an SMS may be under way before its text counts a minute less."""


def least_life(purpose: str) -> timedelta:
    """What must be left of a code's life when it is sent; never so much that none could be."""
    return min(LEAST_LIFE, timedelta(seconds=conf.of(purpose).CODE_LIFETIME) / 2)


def segments_of_code(template: Template, verification: Verification) -> int:
    return segments(template, code_values(verification, Secret("0" * verification.code_length)))


def segments(template: Template, values: Mapping[str, str]) -> int:
    """How many SMS the carriers will bill."""
    signature = template.signature.text if template.signature else ""
    return texts.segments(texts.signed(signature, texts.render(template.content, values)))


def code_values(verification: Verification, code: Secret) -> dict[str, str]:
    left = (verification.expires_at - timezone.now()).total_seconds()
    # The seconds that the way here took do not cost a minute.
    return {"code": code, "minutes": str(max(1, int(left + SECONDS_ON_THE_WAY) // 60))}


def outgoing(template: Template, values: Mapping[str, Mapping[str, str]]) -> OutgoingSMS:
    """What a gateway is told to send."""
    signature = template.signature
    return OutgoingSMS(
        content=template.content,
        signature=signature.text if signature else "",
        signature_id=signature.remote_id if signature else "",
        template_id=template.remote_id,
        variables=template.variables,
        recipients=values,
    )
