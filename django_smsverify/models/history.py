"""What a number's limits and its live code need of its verifications and SMS."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

MAX_CLOCK_SKEW = timedelta(seconds=60)
"""The largest difference between the clocks of a site's servers. A row further in the future was written before the
clock was set back."""


class PastVerification(NamedTuple):
    """What a number's limits and its live code need of a verification."""

    id: UUID
    root_id: UUID | None
    purpose: str
    context: str
    key_id: str
    created_at: datetime
    expires_at: datetime
    verified_at: datetime | None
    attempts: int
    max_attempts: int
    attempted_at: datetime | None
    is_reserved: bool
    by_stranger: bool

    @property
    def code_id(self) -> UUID:
        """The verification that holds the code."""
        return self.root_id or self.id

    def is_live(self, now: datetime) -> bool:
        """Whether the code that it holds would still verify; the same condition as `with_live_code`."""
        return self.verified_at is None and self.created_at <= now + MAX_CLOCK_SKEW and self.expires_at > now


class PastSMS(NamedTuple):
    """What a number's limits, and the way of the next one, need of an SMS."""

    id: UUID
    created_at: datetime
    by_stranger: bool
    provider_id: int
    status: str
    verification_id: UUID


OF_SMS = PastSMS._fields[:-1]
"""What is read of an SMS; each stands beside its verification."""
