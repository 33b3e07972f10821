"""System checks of how long records and the numbers in them are kept."""

from __future__ import annotations

from typing import Any

from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register

from django_smsverify.conf import conf

LEGAL_DAYS = 184
"""Six months, as the Cybersecurity Law, art. 23, wants logs to be kept: from March to August these are so many days."""


@register(Tags.security)
def check_number_days(**kwargs: Any) -> list[CheckMessage]:
    """Numbers are not kept for longer than what happened to them."""
    if conf.NUMBER_DAYS is None or conf.NUMBER_DAYS <= conf.RETENTION_DAYS:
        return []
    why = (
        f'SMSVERIFY["NUMBER_DAYS"] is {conf.NUMBER_DAYS}, and RETENTION_DAYS is {conf.RETENTION_DAYS}: a number is not '
        "kept for longer than the records that it stands in."
    )
    return [Error(why, hint="Lower NUMBER_DAYS, or leave it out to keep both as long.", id="smsverify.E023")]


@register(Tags.security, deploy=True)
def check_retention(**kwargs: Any) -> list[CheckMessage]:
    """A site for mainland China keeps records for as long as the law requires."""
    if "CN" not in conf.REGIONS or conf.RETENTION_DAYS >= LEGAL_DAYS:
        return []
    why = (
        f'SMSVERIFY["RETENTION_DAYS"] is {conf.RETENTION_DAYS}: the Cybersecurity Law of China, art. 23, asks for six '
        f"months of logs, which are up to {LEGAL_DAYS} days."
    )
    hint = f"Set it to {LEGAL_DAYS} or more, or leave it out. NUMBER_DAYS may be shorter: it is for the number alone."
    return [checks.Warning(why, hint=hint, id="smsverify.W010")]
