"""The content of a message: its placeholder values, the SMS it is billed as, and what a gateway gets."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from datetime import timedelta

from django.utils import timezone

from django_smsverify import texts
from django_smsverify.conf import conf
from django_smsverify.masked import Secret
from django_smsverify.models import Template, Verification
from django_smsverify.types import OutgoingSMS

LEAST_LIFE = timedelta(seconds=60)
"""A code with less lifetime left is not worth an SMS."""


SECONDS_ON_THE_WAY = 5
"""Seconds of delay before the minutes in the content count one less."""


def least_life(purpose: str) -> timedelta:
    """The lifetime a code must have left when it is sent; at most half of CODE_LIFETIME, so that a short one can be
    sent."""
    return min(LEAST_LIFE, timedelta(seconds=conf.of(purpose).CODE_LIFETIME) / 2)


def segments_of_code(template: Template, verification: Verification) -> int:
    """How many SMS the carriers bill for a verification's code."""
    return segments(template, code_values(verification, Secret("0" * verification.code_length)))


def segments(template: Template, values: Mapping[str, str]) -> int:
    """How many SMS the carriers bill for a template with these values."""
    signature = template.signature.text if template.signature else ""
    text = texts.signed(signature, texts.render(template.content, values))
    return texts.segments(text, gsm7=template.provider.text_rules.counts_gsm7)


def code_values(verification: Verification, code: Secret) -> dict[str, str]:
    """The placeholder values of a code's template: the code, and the minutes it is still valid."""
    left = (verification.holder.expires_at - timezone.now()).total_seconds()
    # A few seconds spent before this point do not cost a minute.
    return {"code": code, "minutes": str(max(1, int(left + SECONDS_ON_THE_WAY) // 60))}


def outgoing(template: Template, values: Mapping[str, Mapping[str, str]], own_id: str = "") -> OutgoingSMS:
    """Builds what a gateway sends; `values` maps each number to its placeholder values."""
    signature = template.signature
    return OutgoingSMS(
        content=template.content,
        signature=signature.text if signature else "",
        signature_id=signature.remote_id if signature else "",
        template_id=template.remote_id,
        variables=copy(template.variables),  # kept by this process: a gateway may change its own
        own_id=own_id,
        recipients=values,
    )
