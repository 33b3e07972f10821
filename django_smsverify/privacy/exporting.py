"""All that is stored about a number, for its owner (Personal Information Protection Law, art. 45): readable, without
codes and keys, and without what belongs to others."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Model, QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext

from django_smsverify import phones
from django_smsverify.exceptions import UndecryptableValue
from django_smsverify.models import (
    DeliveryReport,
    Forgetting,
    KnownNumber,
    ListEntry,
    Message,
    OptOut,
    ProbeNumber,
    Recipient,
    Refusal,
    Reply,
    TestNumber,
    Verification,
)
from django_smsverify.models.days import date_of

from .forgetting import entered
from .pseudonyms import names_of

OF_VERIFICATION = ("id", "purpose", "source", "created_at", "expires_at", "attempts", "max_attempts", "attempted_at")
COLUMNS: Mapping[type[Model], tuple[str, ...]] = {
    Recipient: ("created_at", "claimed_at", "failures", "failures_until"),
    Verification: (
        *OF_VERIFICATION,
        *("verified_at", "redeemed_at", "simulated_at", "known_at", "by_stranger", "by_solver", "block", "root"),
    ),
    Message: (
        *("id", "verification", "provider", "template", "purpose", "batch", "values", "carrier", "attempt", "segments"),
        *("price", "cost", "remote_id", "status", "error_reason", "error_code", "error_message", "cause"),
        *(
            "created_at",
            "claimed_at",
            "sent_at",
            "settled_at",
            "delivery_seconds",
            "by_stranger",
            "is_probe",
            "follows",
        ),
    ),
    DeliveryReport: (
        *("message", "provider", "remote_id", "outcome", "code", "detail", "cause"),
        *("occurred_at", "received_at", "source", "payload"),
    ),
    Reply: ("message", "provider", "remote_id", "content", "occurred_at", "received_at", "payload"),
    Refusal: ("purpose", "reason", "count", "first_at", "last_at"),
    KnownNumber: ("verified_at", "devices_from", "silent_since", "silent_until"),
    Forgetting: ("asked_at", "due_at", "deletes_records"),
    OptOut: ("created_at", "note", "reply"),
    TestNumber: ("created_at", "expires_at", "note"),
    ProbeNumber: ("created_at", "carrier", "is_active"),
    ListEntry: ("kind", "action", "created_at", "expires_at", "note"),
}
"""What is exported of each table that has data of one person."""
NOT_EXPORTED = {
    "nonce": "with it a code could be made",
    "key_id": "names a key of the site",
    "code_length": "a setting",
    "is_reserved": "how limits count it",
    "context": "a digest of what the site had bound a code to",
    "network": "a digest of the network that asked",
    "fingerprint": "a digest of a vendor's event",
    "digest": "a digest of the number",
    "codes": "codes of test numbers",
    "counted_in": "whose budget paid",
    "is_trial": "whether it tried a route",
    "poll_at": "when its vendor is asked",
    "polls": "how often its vendor was asked",
    "added_by": "an operator's name",
    "subject": "the number",
    "length": "that of the number",
    "recipient": "the number",
    "phone": "the number",
}
"""What is not, and why."""


FOREIGN = {"error_code", "error_message", "code", "detail", "payload", "note"}
"""Words of vendors and operators, in which the numbers of others may stand."""


def export_person(phone: str) -> dict[str, Any]:
    """Returns all that is stored about a number, as JSON can have it; also what is kept under its digests."""
    mask = _mask_others(phone)
    rows = {_name(found): [_exported(row, mask) for row in found] for found in rows_about(phone)}
    with translation.override(settings.LANGUAGE_CODE):
        about = gettext("All that this site stores about the phone number below, for its owner.")
    return {"about": about, "phone": str(phone), "exported_at": _iso(timezone.now()), **rows}


def file_name() -> str:
    """Returns the name of an export's file: with its day, and without the number, as people see names of files."""
    return f"person-{date_of(timezone.now())}.json"


def rows_about(phone: str) -> list[QuerySet[Any]]:
    """Returns the rows of each table that has data of a person."""
    names = names_of(phone)
    return [
        Recipient.objects.filter(phone__in=names),
        Verification.objects.filter(recipient__phone__in=names).order_by("created_at"),
        Message.objects.filter(phone__in=names).order_by("created_at").select_related("provider", "template"),
        DeliveryReport.objects.filter(phone__in=names).order_by("received_at").select_related("provider"),
        Reply.objects.filter(phone__in=names).order_by("received_at").select_related("provider"),
        Refusal.objects.filter(phone__in=names).order_by("first_at"),
        KnownNumber.objects.of(phone),
        Forgetting.objects.filter(phone=phone),
        *entered(phone),
    ]


def as_json(data: Mapping[str, Any]) -> str:
    """Returns an export as text that people can read, too."""
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"


def _name(rows: QuerySet[Any]) -> str:
    """Such as `delivery_reports`."""
    words = re.sub(r"(?<!^)([A-Z])", r"_\1", rows.model.__name__).lower()
    return f"{words[:-1]}ies" if words.endswith("y") else f"{words}s"


def _exported(row: Model, mask: Callable[[str], str]) -> dict[str, Any]:
    return {name: _plain(_value(row, name), mask if name in FOREIGN else str) for name in COLUMNS[type(row)]}


def _value(row: Any, name: str) -> Any:
    if name in ("provider", "template"):
        return str(getattr(row, name))
    try:
        return getattr(row, row._meta.get_field(name).attname)
    except UndecryptableValue:
        return "cannot be decrypted any more"


def _plain(value: Any, mask: Callable[[str], str]) -> Any:
    """A value as JSON has it, without numbers of others."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Mapping):
        return {mask(str(name)): _plain(own, mask) for name, own in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(own, mask) for own in value]
    if isinstance(value, datetime):
        return _iso(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return mask(str(value)) if isinstance(value, str) else str(value)


def _iso(moment: datetime) -> str:
    """A time as the site's clocks show it, with the difference to UTC."""
    zone = timezone.get_default_timezone()
    return (timezone.localtime(moment, zone) if timezone.is_aware(moment) else moment).isoformat()


def _mask_others(phone: str) -> Callable[[str], str]:
    """Masks every number in a text but this one, however it is written."""
    digits = phone.lstrip("+")
    own = {digits, f"00{digits}", digits.removeprefix("86"), f"0{digits.removeprefix('86')}"}

    def replace(found: re.Match[str]) -> str:
        # As a whole: two numbers with a space between them look like one.
        return found[0] if re.sub(r"\D", "", found[0]) in own else phones.masked(found[0])

    return lambda words: phones.NUMBER.sub(replace, words)
