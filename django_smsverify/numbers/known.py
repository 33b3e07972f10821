"""Numbers that were verified here lately, as keyed digests: strangers can never use up all of their limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils import timezone

from django_smsverify.enums import ListAction
from django_smsverify.exceptions import Throttled
from django_smsverify.models import KnownNumber

from .devices import is_device_of

KNOWN_FOR = timedelta(days=180)
"""How long a number is known after its last success, and how long a device token is valid."""
OLD_AT_ONCE = 1000
"""Rows that one run of the poll deletes."""


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asks for a code, as far as the site can tell."""

    is_known: bool
    """Whether the number was verified here lately."""
    is_owner: bool = False
    """Whether the request has a device token of the number, or the site's word."""
    has_solved: bool = False
    """Whether the request has a solved captcha."""
    ticket: str = ""
    """The digest of the page ticket that the request needs, and uses up; empty: it needs none."""
    can_be_asked: bool = False
    """Whether the request may be asked for a captcha where it would else be refused."""
    verified_at: datetime | None = field(default=None, compare=False)
    """When a known number was verified last."""
    listed: ListAction | Throttled | None = None
    """What a list of the site says of the request; an error: how it is refused."""

    @property
    def is_trusted(self) -> bool:
        """Whether a person asks who owns the number, or at least a person."""
        return self.is_owner or self.has_solved

    @property
    def is_free(self) -> bool:
        """Whether the shared limits and the guard let the request pass."""
        return self.is_owner or self.listed == ListAction.ALLOW

    @property
    def refusal(self) -> Throttled | None:
        """What the request is answered because a list refuses it."""
        return self.listed if isinstance(self.listed, Throttled) else None

    @property
    def must_solve(self) -> bool:
        """Whether a list has the request challenged; a known number is not refused for it."""
        return self.listed == ListAction.CHALLENGE and not self.is_trusted and (self.can_be_asked or not self.is_known)

    @property
    def is_stranger(self) -> bool:
        """Whether the request may spend only half of the number's limits; a new number has its whole allowance."""
        return self.is_known and not self.is_trusted


def requester_of(
    phone: str, *, device: str = "", trusted: bool = False, listed: ListAction | Throttled | None = None
) -> Requester:
    """Returns who asks; a device token that is bad, old, revoked or another number's counts as absent."""
    now = timezone.now()
    known = KnownNumber.objects.find(phone, now - KNOWN_FOR)
    is_owner = known is not None and is_device_of(device, phone, known, now - KNOWN_FOR)
    verified_at = known.verified_at if known else None
    return Requester(is_known=known is not None, is_owner=trusted or is_owner, verified_at=verified_at, listed=listed)


def revoke_devices(phone: str) -> None:
    """Makes all device tokens of a number invalid; those of later verifications are valid."""
    KnownNumber.objects.of(phone).update(devices_from=timezone.now())


def forget(phone: str) -> bool:
    """Forgets that a number was verified here, and so its device tokens; returns whether it was known.

    What its limits count stays.
    """
    return KnownNumber.objects.of(phone).delete()[0] > 0


def forget_old() -> Iterator[str]:
    """Forgets numbers that were not verified for KNOWN_FOR; yields the word that the poll counts, for each."""
    old = KnownNumber.objects.filter(verified_at__lte=timezone.now() - KNOWN_FOR)
    for pk in list(old.values_list("pk", flat=True)[:OLD_AT_ONCE]):
        if old.filter(pk=pk).delete()[0]:
            yield "number forgotten"
