"""What a client asks for when it asks for a code."""

from __future__ import annotations

from dataclasses import dataclass, field

from django_smsverify.idempotency import KeyedRequest
from django_smsverify.masked import Secret
from django_smsverify.numbers import Requester
from django_smsverify.phones import E164


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRequest:
    """A number, a purpose and a context that were parsed already, and who asks."""

    phone: E164
    purpose: str
    context: Secret = field(repr=False)
    """In its canonical spelling."""
    requester: Requester
    ip: str | None
    """The client's address; None: the limits per address are skipped."""
    ticket: str = ""
    """The digest of the page ticket that the request needs, and uses up; empty: it needs none."""
    keyed: KeyedRequest | None = None
    """Remembered with what it causes, if the client may repeat it."""
