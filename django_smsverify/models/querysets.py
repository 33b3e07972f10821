"""Questions about stored rows that the verbs ask in the words of the field."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import models, router
from django.db.models import F, Q

from django_smsverify.enums import MessageStatus, ReviewStatus
from django_smsverify.exceptions import VerificationNotFound
from django_smsverify.transactions import retry_on_conflict

if TYPE_CHECKING:
    from . import Message, Template, Verification  # noqa: F401 - named in quotes below

M = TypeVar("M", bound=models.Model)
MAX_CLOCK_SKEW = timedelta(seconds=60)
"""How far the clocks of a site's servers may be apart. A row that lies further ahead was written before the clock was
set back."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)
"""Between two questions to a vendor about one row; each is twice as long as the one before."""


class RowQuerySet(models.QuerySet[M]):
    def primary(self) -> Self:
        """Rows from the database that is written to: a replica may not know of a guess or an SMS yet."""
        return self.using(router.db_for_write(self.model))

    def update(self, **values: Any) -> int:
        return retry_on_conflict(lambda: super(RowQuerySet, self).update(**values), self.db)

    def get_or_create(self, defaults: Mapping[str, Any] | None = None, **values: Any) -> tuple[M, bool]:
        return retry_on_conflict(lambda: super(RowQuerySet, self).get_or_create(defaults, **values), self.db)


class PolledQuerySet(RowQuerySet[M]):
    """Rows whose fate only the vendor knows: with `remote_id`, `poll_at` and `polls`."""

    def due(self, now: datetime) -> Self:
        """Those to ask the vendor about now, the longest due first."""
        due = models.Q(poll_at__isnull=True) | models.Q(poll_at__lte=now)
        return self.filter(due).order_by("poll_at")

    def named(self) -> Self:
        """Those that the vendor knows by an id."""
        return self.exclude(remote_id="")

    def take_turn(self, row: Any, now: datetime) -> bool:
        """Whether this caller, and no other, may ask about a row now; every turn doubles the pause to the next."""
        turn = self.filter(pk=row.pk, polls=row.polls)
        return turn.update(polls=row.polls + 1, poll_at=now + _pause(row.polls)) == 1

    def take_turns(self, now: datetime) -> None:
        """One question is asked about all these rows at once."""
        for polls in set(self.order_by().values_list("polls", flat=True)):
            self.order_by().filter(polls=polls).update(polls=polls + 1, poll_at=now + _pause(polls))


def _pause(polls: int) -> timedelta:
    return min(FIRST_PAUSE * int(2 ** min(polls, 20)), LONGEST_PAUSE)


class TemplateQuerySet(PolledQuerySet["Template"]):
    def routable(self) -> TemplateQuerySet:
        """Approved and active, with an approved signature or none, at an active provider."""
        return self.filter(
            Q(signature__isnull=True) | Q(signature__status=ReviewStatus.APPROVED),
            is_active=True,
            status=ReviewStatus.APPROVED,
            provider__is_active=True,
        ).select_related("provider", "signature")


def _live(now: datetime) -> Q:
    return Q(
        verified_at__isnull=True,
        created_at__lte=now + MAX_CLOCK_SKEW,  # or a code would live longer by what the clock was set back
        expires_at__gt=now,
        attempts__lt=F("max_attempts"),
    )


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


class MessageQuerySet(PolledQuerySet["Message"]):
    def silent(self) -> MessageQuerySet:
        """Those that a vendor may still have news of."""
        return self.filter(settled_at__isnull=True, status__in=(MessageStatus.UNKNOWN, MessageStatus.ACCEPTED))

    def charged(self, phone: str, since: datetime) -> list[datetime]:
        """When a number's allowance was spent, newest first: codes handed over, under way, or perhaps sent."""
        spent = self.filter(phone=phone, verification__isnull=False, created_at__gt=since)
        spent = spent.exclude(status=MessageStatus.NOT_SENT)
        return list(spent.order_by("-created_at").values_list("created_at", flat=True))

    def move_back(self, phone: str, by: timedelta, now: datetime) -> None:
        """Dates earlier what lies ahead of the clock, as the clock was set back since; their order stays."""
        self.filter(phone=phone, created_at__gt=now).update(created_at=F("created_at") - by)
