"""Questions about stored rows that the verbs ask in the words of the field."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self, TypeVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import models, router
from django.db.models import F, Q

from .enums import MessageStatus, ReviewStatus
from .exceptions import VerificationNotFound

if TYPE_CHECKING:
    from .models import Message, Template, Verification  # noqa: F401 - named in quotes below

M = TypeVar("M", bound=models.Model)


class RowQuerySet(models.QuerySet[M]):
    def primary(self) -> Self:
        """Rows from the database that is written to: a replica may not know of a guess or an SMS yet."""
        return self.using(router.db_for_write(self.model))


class TemplateQuerySet(RowQuerySet["Template"]):
    def routable(self) -> TemplateQuerySet:
        """Approved and active, with an approved signature or none, at an active provider."""
        return self.filter(
            Q(signature__isnull=True) | Q(signature__status=ReviewStatus.APPROVED),
            is_active=True,
            status=ReviewStatus.APPROVED,
            provider__is_active=True,
        ).select_related("provider", "signature")


def _live(now: datetime) -> Q:
    return Q(verified_at__isnull=True, expires_at__gt=now, attempts__lt=F("max_attempts"))


class VerificationQuerySet(RowQuerySet["Verification"]):
    def find(self, verification_id: UUID | str) -> Verification:
        """The verification with this id, as it is now; raises VerificationNotFound."""
        try:
            found = self.primary().select_related("recipient").filter(pk=verification_id).first()
        except ValidationError:  # not a UUID
            found = None
        if found is None:
            raise VerificationNotFound
        return found

    def live(self, now: datetime) -> VerificationQuerySet:
        """Those that a right code would still verify."""
        return self.filter(_live(now))

    def guesses(self, phone: str, since: datetime, now: datetime) -> int:
        """Guesses for one number that were used since a moment, and those that live verifications still allow."""
        # In one statement: between two, a guess could move from the one sum into the other and be in neither.
        sums: dict[str, int | None] = self.filter(phone=phone).aggregate(
            used=models.Sum("attempts", filter=Q(attempted_at__gt=since)),
            still_open=models.Sum(F("max_attempts") - F("attempts"), filter=_live(now)),
        )
        return sum(count or 0 for count in sums.values())


class MessageQuerySet(RowQuerySet["Message"]):
    def charged(self, phone: str, since: datetime) -> list[datetime]:
        """When a number's allowance was spent, newest first: codes handed over, under way, or perhaps sent."""
        spent = self.filter(phone=phone, verification__isnull=False, created_at__gt=since)
        spent = spent.exclude(status=MessageStatus.NOT_SENT)
        return list(spent.order_by("-created_at").values_list("created_at", flat=True))
