"""Questions about stored rows that the verbs ask in the words of the field."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self, TypeVar
from uuid import UUID

from django.db import models, router
from django.db.models import F

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
            models.Q(signature__isnull=True) | models.Q(signature__status=ReviewStatus.APPROVED),
            is_active=True,
            status=ReviewStatus.APPROVED,
            provider__is_active=True,
        ).select_related("provider", "signature")


class VerificationQuerySet(RowQuerySet["Verification"]):
    def find(self, verification_id: UUID) -> Verification:
        """The verification with this id, as it is now; raises VerificationNotFound."""
        found = self.primary().select_related("recipient").filter(pk=verification_id).first()
        if found is None:
            raise VerificationNotFound
        return found

    def live(self, now: datetime) -> VerificationQuerySet:
        """Those that a right code would still verify."""
        return self.filter(verified_at__isnull=True, expires_at__gt=now, attempts__lt=F("max_attempts"))

    def guesses(self, phone: str, since: datetime, now: datetime) -> int:
        """Guesses for one number that were used since a moment, and those that live verifications still allow."""
        of_phone = self.filter(phone=phone)
        used: dict[str, Any] = of_phone.filter(attempted_at__gt=since).aggregate(n=models.Sum("attempts"))
        still_open = of_phone.live(now).aggregate(n=models.Sum(F("max_attempts") - F("attempts")))
        return (used["n"] or 0) + (still_open["n"] or 0)


class MessageQuerySet(RowQuerySet["Message"]):
    def charged(self, phone: str, since: datetime) -> list[datetime]:
        """When a number's allowance was spent, newest first: codes handed over, under way, or perhaps sent."""
        spent = self.filter(phone=phone, verification__isnull=False, created_at__gt=since)
        spent = spent.exclude(status=MessageStatus.NOT_SENT)
        return list(spent.order_by("-created_at").values_list("created_at", flat=True))
