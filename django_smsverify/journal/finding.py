"""The number that an operator means: by itself, by its last four digits, or by an id."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any
from uuid import UUID

from django.db import connections
from django.db.models import Q, QuerySet
from django.utils import timezone

from django_smsverify import phones
from django_smsverify.characters import plain
from django_smsverify.exceptions import InvalidPhone, PhoneNotSupported
from django_smsverify.models import Message, Refusal, Verification
from django_smsverify.models.charsets import storable

MOST = 200
"""The newest rows of each kind from which candidates are taken."""
LOOKED_THROUGH = 500_000
"""The newest rows of each kind that are searched for last digits, for which there is no index."""
LAST_DIGITS = re.compile(r"[0-9]{4}")
MASKED = re.compile(r"(\+?[0-9]{2,3})\*+([0-9]{2,4})")
"""A number as it is shown, such as `138****8000`."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A number that may be meant, and the newest row that was found of it, by whose id it can be asked for."""

    phone: phones.E164
    id: UUID | None = None
    last_at: datetime | None = None
    """Both None for a number of which nothing is stored."""

    @property
    def masked(self) -> str:
        """The number without its middle digits."""
        return phones.mask(self.phone)


def find(written: str, days: int) -> list[Candidate]:
    """Returns the number that is meant, or those that may be, the last used one first.

    `written` is a number, the last four digits of one that was used within `days`, such a number as it is shown masked,
    a message's id at its vendor, or our id of a message, a verification or a refusal. Raises InvalidPhone and
    PhoneNotSupported where it is none of these.
    """
    text = plain(written).strip()
    since = timezone.now() - timedelta(days=days)
    if LAST_DIGITS.fullmatch(text):
        return _like("", text, since)
    if shown := masked_number(text):
        return _like(*shown, since)
    try:
        phone = phones.parse(text)
    except (InvalidPhone, PhoneNotSupported):
        if found := _with_id(text):
            return found
        raise
    of_number = _used(Message.objects.filter(phone=phone), Refusal.objects.filter(phone=phone))
    return of_number or _with_id(text) or [Candidate(phone)]


def masked_number(written: str) -> tuple[str, str] | None:
    """Returns the first and the last characters of a number that is written as it is shown masked; None for others."""
    if not (shown := MASKED.fullmatch(plain(written).strip())):
        return None
    first, last = shown.groups()
    return (first if first.startswith("+") else f"+86{first}"), last


def _like(first: str, last: str, since: datetime) -> list[Candidate]:
    """Numbers with these first and last characters."""
    messages = Message.objects.filter(created_at__gte=_not_too_far(Message.objects.all(), "created_at", since))
    refusals = Refusal.objects.filter(first_at__gte=_not_too_far(Refusal.objects.all(), "first_at", since))
    looks_so = Q(phone__startswith=first, phone__endswith=last)
    return _used(messages.filter(looks_so), refusals.filter(looks_so))


def _not_too_far(rows: QuerySet[Any], name: str, since: datetime) -> datetime:
    """The later one of this moment and of the time since which there are LOOKED_THROUGH rows."""
    newest: QuerySet[Any, datetime] = rows.order_by(f"-{name}").values_list(name, flat=True)
    return max([since, *newest[LOOKED_THROUGH : LOOKED_THROUGH + 1]])


def _with_id(text: str) -> list[Candidate]:
    return _with_our_id(text) or _with_vendors_id(text)


def _with_our_id(text: str) -> list[Candidate]:
    try:
        pk = UUID(text)
    except ValueError:
        return []
    verifications = Verification.objects.filter(pk=pk).values_list("phone", "pk", "created_at")
    messages, refusals = Message.objects.filter(pk=pk), Refusal.objects.filter(pk=pk).exclude(phone="")
    return _newest(verifications) or _used(messages, refusals)


def _with_vendors_id(text: str) -> list[Candidate]:
    words = storable(text, connections[Message.objects.db], f"{Message._meta.db_table}.remote_id")
    return _used(Message.objects.filter(remote_id=words), Refusal.objects.none()) if words and "\0" not in words else []


def _used(messages: QuerySet[Message], refusals: QuerySet[Refusal]) -> list[Candidate]:
    """The numbers of these rows."""
    of_messages = messages.order_by("-created_at").values_list("phone", "pk", "created_at")
    of_refusals = refusals.order_by("-first_at").values_list("phone", "pk", "first_at")
    return _newest(chain(of_messages[:MOST], of_refusals[:MOST]))


def _newest(rows: Iterable[tuple[str, UUID, datetime]]) -> list[Candidate]:
    """The newest of these rows for each number, the last one first."""
    found: dict[str, Candidate] = {}
    for phone, pk, at in sorted(rows, key=lambda row: row[2], reverse=True):
        found.setdefault(phone, Candidate(phones.E164(phone), pk, at))
    return list(found.values())
