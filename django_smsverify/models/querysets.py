"""Querysets: queries by the package's own terms, and updates that are retried on conflicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connections, models, router, transaction
from django.db.models import Max, Min, Q
from django.dispatch import Signal
from django.utils import timezone

from django_smsverify.enums import MessageStatus, ReviewStatus
from django_smsverify.exceptions import VerificationNotFound
from django_smsverify.transactions import retry_on_conflict

from .history import MAX_CLOCK_SKEW, PastSMS, PastVerification
from .inserts import upsert
from .late_changes import LATE_AFTER, SUMMED, late_moments, mark_late
from .statements import OF_ROOT, find_history, find_verification

if TYPE_CHECKING:
    from . import Message, Recipient, Template, Verification  # noqa: F401 - named in quotes below

M = TypeVar("M", bound=models.Model)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)
"""The first and the longest pause between two queries to a vendor about one row; each pause doubles."""


rows_updated = Signal(use_caching=True)
"""Sent after `update` of a queryset: `sender` is the model, `using` the database, `values` what was set."""


class RowQuerySet(models.QuerySet[M]):
    def update(self, **values: Any) -> int:
        changed = retry_on_conflict(lambda: super(RowQuerySet, self).update(**values), self.db)
        rows_updated.send(self.model, using=self.db, values=values)
        return changed

    def get_or_create(self, defaults: Mapping[str, Any] | None = None, **values: Any) -> tuple[M, bool]:
        return retry_on_conflict(lambda: super(RowQuerySet, self).get_or_create(defaults, **values), self.db)

    def delete(self) -> tuple[int, dict[str, int]]:
        return retry_on_conflict(super().delete, self.db)

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]


class PrimaryManager(models.Manager[M]):
    """Reads from the database that is written to: a replica may not know of a guess or an SMS yet."""

    def get_queryset(self) -> models.QuerySet[M]:
        rows: Any = super().get_queryset()
        rows._db = self.db  # `using` would copy it
        return rows  # type: ignore[no-any-return]

    @property
    def db(self) -> str:
        return self._db or router.db_for_write(self.model)

    @property
    def place(self) -> tuple[str, str]:
        """The database and its schema: where each tenant has a schema, as with django-tenants, all share one alias."""
        return self.db, str(getattr(connections[self.db], "schema_name", ""))


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
        """Reserves the next query about a row, in the row and the object; whether this caller got it.

        Each turn doubles the next pause.
        """
        turn = self.filter(pk=row.pk, polls=row.polls)
        changes = {"polls": row.polls + 1, "poll_at": now + _pause(row.polls)}
        if not turn.update(**changes):
            return False
        row.polls, row.poll_at = changes["polls"], changes["poll_at"]
        return True

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


class RecipientQuerySet(RowQuerySet["Recipient"]):
    """Numbers, each of which has one row that serializes what is done about it."""

    def lock(self, phone: str) -> Recipient:
        """Returns the number's row, which is created or locked for the rest of the transaction, with its `failures`.

        It writes first: under load SQLite refuses to turn a read transaction into a write transaction.
        """
        recipient = self.model(phone=phone)
        if not upsert(recipient, "phone", "claimed_at", returning=("failures",)):
            self.get_or_create(phone=phone)
            self.filter(phone=phone).update(claimed_at=recipient.claimed_at)
        # Not every database returns the primary key.
        return recipient if recipient.pk else self.get(phone=phone)


def _partly(model: type[M], using: str, known: Mapping[str, Any]) -> M:
    """A stored row of which some fields are known; the others are read when they are used."""
    names = [field.attname for field in model._meta.concrete_fields if field.attname in known]
    return model.from_db(using, names, [known[name] for name in names])


class VerificationQuerySet(RowQuerySet["Verification"]):
    """Verifications, with queries by id, by state and by number."""

    def find(self, verification_id: UUID | str | None) -> Verification:
        """The verification with this id, and its root, read from the primary database; raises VerificationNotFound."""
        try:
            rows = find_verification(pk=verification_id) if verification_id is not None else []
        except ValidationError:  # not a UUID
            rows = []
        if not rows:
            raise VerificationNotFound
        return self._with_relations(rows[0])

    def _with_relations(self, found: Any) -> Verification:
        """The verification that `find_verification` has read, with as much of its root as is needed."""
        if found.root_id is not None:
            alike = ("recipient_id", "phone", "purpose", "context", "code_length")
            known = {"id": found.root_id, **{name: getattr(found, name) for name in alike}}
            of_root = {name: getattr(found, f"root_{name}") for name in OF_ROOT}
            found.root = _partly(self.model, self.db, known | of_root)
        return found  # type: ignore[no-any-return]

    def with_live_code(self, now: datetime) -> VerificationQuerySet:
        """Verifications that hold a code of their own, which would still verify."""
        return self.filter(
            root__isnull=True,
            verified_at__isnull=True,
            created_at__lte=now + MAX_CLOCK_SKEW,  # else a clock that was set back would prolong the code's life
            expires_at__gt=now,
        )

    def history(self, phone: str, since: datetime) -> tuple[list[PastVerification], list[PastSMS]]:
        """The verifications of a number that were created since a moment, and the SMS with their codes that count for
        its limits, newest first, in one statement."""
        verifications: dict[UUID, PastVerification] = {}
        sms: list[PastSMS] = []
        for row in find_history(phone=phone, since=since):
            past = PastVerification(*row[: len(PastVerification._fields)])
            verifications[past.id] = past
            if row[len(PastVerification._fields)] is not None:
                sms.append(PastSMS._make([*row[len(PastVerification._fields) :], past.id]))
        return list(verifications.values()), sorted(sms, key=lambda one: one.created_at, reverse=True)


class MessageQuerySet(PolledQuerySet["Message"]):
    """Messages, with queries for reports and for limits; `update` also marks days that may be summed already."""

    _created: Sequence[datetime] | None = None
    """When each of these messages was created, where that is known."""

    def of(self, *messages: Message) -> MessageQuerySet:
        """The rows of these messages; `update` need not ask when they were created."""
        ids = [message.pk for message in messages]
        rows = self.filter(pk=ids[0]) if len(ids) == 1 else self.filter(pk__in=ids)
        rows._created = [message.created_at for message in messages]
        return rows

    def _clone(self) -> Self:
        clone = super()._clone()  # type: ignore[misc]
        clone._created = self._created
        return clone  # type: ignore[no-any-return]

    def update(self, **values: Any) -> int:
        """As Django's; together with a mark where the sums of a day depend on it.

        The new value of `created_at` must be a moment and no expression.
        """
        if SUMMED.isdisjoint(values):
            return super().update(**values)
        rows, created = (self, self._created) if self._created is not None else self._of_known_days()
        moved_to = values.get("created_at")
        moments = late_moments([*created, moved_to] if isinstance(moved_to, datetime) else created)

        def update_and_mark() -> int:
            with transaction.atomic(using=self.db):
                if changed := super(MessageQuerySet, rows).update(**values):
                    mark_late(moments, self.db)
                return changed

        return retry_on_conflict(update_and_mark, self.db) if moments else super(MessageQuerySet, rows).update(**values)

    def _of_known_days(self) -> tuple[MessageQuerySet, list[datetime]]:
        """These rows, and when the first and the last of the older ones were created.

        Leaves out an older row that is one of them only since then.
        """
        cut = timezone.now() - LATE_AFTER
        ends = self.filter(created_at__lt=cut).order_by().aggregate(first=Min("created_at"), last=Max("created_at"))
        created = [moment for moment in ends.values() if moment is not None]
        known = Q(created_at__gte=cut) | Q(created_at__range=created) if created else Q(created_at__gte=cut)
        return self.filter(known), created

    def silent(self) -> MessageQuerySet:
        """Messages for which a vendor may still send a report."""
        return self.filter(settled_at__isnull=True, status__in=(MessageStatus.UNKNOWN, MessageStatus.ACCEPTED))

    def known_to_vendor(self) -> MessageQuerySet:
        """Messages with an id at the vendor or, from a call of their own, with ours."""
        return self.exclude(remote_id="", batch__isnull=False)

    def carrying(self, code: Verification) -> MessageQuerySet:
        """The SMS with a code, whichever verification they were sent for; `code` is the verification that holds it."""
        return self.filter(Q(verification=code) | Q(verification__root=code), phone=code.phone)

    def charged_since(self, since: datetime) -> list[datetime]:
        """When the SMS were created that count for the pause between two, newest first: all but those not sent."""
        spent = self.filter(created_at__gt=since).exclude(status=MessageStatus.NOT_SENT)
        return list(spent.order_by("-created_at").values_list("created_at", flat=True))

    def move_back(self, phone: str, by: timedelta, now: datetime) -> None:
        """Moves dates in the future back by `by`, after the clock was set back; their order stays."""
        for message in self.filter(phone=phone, created_at__gt=now).only("created_at"):
            self.of(message).update(created_at=message.created_at - by)
