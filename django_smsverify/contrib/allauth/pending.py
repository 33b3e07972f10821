"""What a session remembers until a number is verified: which verification checks its code, and whose it is to be."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.sessions.backends.base import SessionBase

from django_smsverify import phones
from django_smsverify.exceptions import VerificationNotFound
from django_smsverify.models import Verification

CODES, UNVERIFIED = "smsverify_codes", "smsverify_unverified"
MOST_CODES = 5
MARK = "≠"
"""Begins what allauth keeps in place of a code. allauth finds no typed text equal to what is not ASCII, so that without
our forms every code is refused."""


def placeholder(user: Any, phone: str) -> str:
    """Returns what allauth keeps in place of a code: for which account, and to which number it was sent."""
    return f"{MARK}{user.pk}:{phone}"


def phone_in(expected: str) -> str:
    """Returns the number in a placeholder; empty for a code of allauth's own, which went by mail, and for nothing."""
    return expected.rpartition(":")[2] if expected.startswith(MARK) else ""


def remember_code(session: SessionBase, verification: Verification) -> None:
    """Remembers which verification checks the code that its number got."""
    others = [[phone, pk] for phone, pk in session.get(CODES, []) if phone != verification.phone]
    session[CODES] = [*others[1 - MOST_CODES :], [str(verification.phone), str(verification.pk)]]


def recall_code(session: SessionBase, phone: str) -> UUID:
    """Returns which verification checks the code that a number got.

    Raises VerificationNotFound and, for what is not a number that may get SMS, InvalidPhone and PhoneNotSupported.
    """
    sent = dict(session.get(CODES, []))
    try:
        return UUID(sent[phones.parse(phone)])
    except KeyError:
        raise VerificationNotFound from None


def remember_unverified(session: SessionBase, user: Any, phone: str) -> None:
    """Remembers the number that an account is to have once it is verified."""
    session[UNVERIFIED] = [str(user.pk), str(phone)]


def recall_unverified(session: SessionBase, user: Any) -> str | None:
    """Returns the number that an account is to have once it is verified; None if there is none."""
    owner, phone = session.get(UNVERIFIED, ["", ""])
    return phone if owner == str(user.pk) else None


def forget_unverified(session: SessionBase) -> None:
    """Forgets that number."""
    session.pop(UNVERIFIED, None)
