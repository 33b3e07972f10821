"""Querysets: queries by the package's own terms, and updates that are retried on conflicts."""

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
"""The largest difference between the clocks of a site's servers. A row further in the future was written before the
clock was set back."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)
"""The first and the longest pause between two queries to a vendor about one row; each pause doubles."""


class RowQuerySet(models.QuerySet[M]):
    def update(self, **values: Any) -> int:
        return retry_on_conflict(lambda: super(RowQuerySet, self).update(**values), self.db)

    def get_or_create(self, defaults: Mapping[str, Any] | None = None, **values: Any) -> tuple[M, bool]:
        return retry_on_conflict(lambda: super(RowQuerySet, self).get_or_create(defaults, **values), self.db)

    def delete(self) -> tuple[int, dict[str, int]]:
        return retry_on_conflict(super().delete, self.db)

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]


class PrimaryManager(models.Manager[M]):
    """Reads from the database that is written to: a replica may not know of a guess or an SMS yet."""

    def get_queryset(self) -> models.QuerySet[M]:
        return super().get_queryset().using(self.db)

    @property
    def db(self) -> str:
        return self._db or router.db_for_write(self.model)


class PolledQuerySet(RowQuerySet[M]):
    """Rows whose state only the vendor knows: they have `remote_id`, `poll_at` and `polls`."""

    def due(self, now: datetime) -> Self:
        """Rows whose state is to be queried now, the longest due first."""
        due = models.Q(poll_at__isnull=True) | models.Q(poll_at__lte=now)
        return self.filter(due).order_by("poll_at")

    def named(self) -> Self:
        """Rows that have an id at the vendor."""
        return self.exclude(remote_id="")

    def take_turn(self, row: Any, now: datetime) -> bool:
        """Reserves the next query about a row; whether this caller got it. Each turn doubles the next pause."""
        turn = self.filter(pk=row.pk, polls=row.polls)
        return turn.update(polls=row.polls + 1, poll_at=now + _pause(row.polls)) == 1

    def take_turns(self, now: datetime) -> None:
        """Counts one query for each of these rows, when one call asks about all of them."""
        for polls in set(self.order_by().values_list("polls", flat=True)):
            self.order_by().filter(polls=polls).update(polls=polls + 1, poll_at=now + _pause(polls))


def _pause(polls: int) -> timedelta:
    return min(FIRST_PAUSE * int(2 ** min(polls, 20)), LONGEST_PAUSE)


class TemplateQuerySet(PolledQuerySet["Template"]):
    """Templates, with a query for those that can be sent."""

    def routable(self) -> TemplateQuerySet:
        """Approved and active, with an approved signature or none, at an active provider."""
        return self.filter(
            Q(signature__isnull=True) | Q(signature__status=ReviewStatus.APPROVED),
            is_active=True,
            status=ReviewStatus.APPROVED,
            provider__is_active=True,
        ).select_related("provider", "signature")


def _code_is_live(now: datetime, holder: str = "") -> Q:
    conditions = {
        "verified_at__isnull": True,
        "created_at__lte": now + MAX_CLOCK_SKEW,  # else a clock that was set back would prolong the code's life
        "expires_at__gt": now,
    }
    return Q(**{holder + name: value for name, value in conditions.items()})


def _is_live(now: datetime) -> Q:
    own = Q(root__isnull=True) & _code_is_live(now)
    return Q(attempts__lt=F("max_attempts")) & (own | _code_is_live(now, "root__"))


class VerificationQuerySet(RowQuerySet["Verification"]):
    """Verifications, with queries by id, by state and by number."""

    def find(self, verification_id: UUID | str) -> Verification:
        """The verification with this id, read from the primary database; raises VerificationNotFound."""
        try:
            found = self.select_related("recipient", "root").filter(pk=verification_id).first()
        except ValidationError:  # not a UUID
            found = None
        if found is None:
            raise VerificationNotFound
        return found

    def with_live_code(self, now: datetime) -> VerificationQuerySet:
        """Verifications that hold a code of their own, which would still verify."""
        return self.filter(_code_is_live(now), root__isnull=True)

    def guesses(self, phone: str, since: datetime, now: datetime) -> tuple[int, int]:
        """The number's used attempts since a moment, plus those that its live verifications have reserved.

        Returns all of them, and those of strangers.
        """
        # One statement: between two, an attempt could move from one sum to the other and be missing in both.
        used, still_open = Q(attempted_at__gt=since), Q(is_reserved=True) & _is_live(now)
        theirs, left = Q(by_stranger=True), F("max_attempts") - F("attempts")
        sums: dict[str, int | None] = self.filter(phone=phone).aggregate(
            used=models.Sum("attempts", filter=used),
            still_open=models.Sum(left, filter=still_open),
            used_by_strangers=models.Sum("attempts", filter=used & theirs),
            open_to_strangers=models.Sum(left, filter=still_open & theirs),
        )
        used_up, reserved, *by_strangers = (count or 0 for count in sums.values())
        return used_up + reserved, sum(by_strangers)


class MessageQuerySet(PolledQuerySet["Message"]):
    """Messages, with queries for reports and for limits."""

    def silent(self) -> MessageQuerySet:
        """Messages for which a vendor may still send a report."""
        return self.filter(settled_at__isnull=True, status__in=(MessageStatus.UNKNOWN, MessageStatus.ACCEPTED))

    def carrying(self, code: Verification) -> MessageQuerySet:
        """The SMS with a code, whichever verification they were sent for; `code` is the verification that holds it."""
        return self.filter(Q(verification=code) | Q(verification__root=code), phone=code.phone)

    def charged(self, phone: str, since: datetime) -> list[tuple[datetime, bool]]:
        """The SMS that count for a number's limits, newest first: all with a code but those not sent.

        Returns when each was created, and whether a stranger asked for it.
        """
        spent = self.filter(phone=phone, verification__isnull=False, created_at__gt=since)
        spent = spent.exclude(status=MessageStatus.NOT_SENT)
        return list(spent.order_by("-created_at").values_list("created_at", "by_stranger"))

    def move_back(self, phone: str, by: timedelta, now: datetime) -> None:
        """Moves dates in the future back by `by`, after the clock was set back; their order stays."""
        self.filter(phone=phone, created_at__gt=now).update(created_at=F("created_at") - by)
