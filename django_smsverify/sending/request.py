"""What a client asks for when it asks for a code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django_smsverify import phones
from django_smsverify.idempotency import KeyedRequest
from django_smsverify.limits.guard import is_judged
from django_smsverify.limits.shared import network_digest
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
    by_operator: bool = False
    """A test, which the guard does not judge."""
    keyed: KeyedRequest | None = None
    """Remembered with what it causes, if the client may repeat it."""

    @property
    def origin(self) -> dict[str, Any]:
        """What the verification keeps of who asks; by its block the guard judges, which is blank where it does not."""
        is_new = is_judged(self.requester) and not self.by_operator
        return {
            "block": phones.block(self.phone) if is_new else "",
            "network": network_digest(self.ip) if self.ip else "",
            "by_solver": self.requester.has_solved,
        }
