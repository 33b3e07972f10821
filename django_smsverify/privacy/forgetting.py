"""Forgetting one number, as its owner may ask (Personal Information Protection Law, art. 47).

What happened stays under a digest, because the Cybersecurity Law, art. 23, wants six months of logs; or, with the
records too, under a random name that leads back to nobody, so that sums and limits stay right. What a number still
needs, its own row for its limits and the SMS that are under way, is finished by the poll some days later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from django_smsverify import numbers
from django_smsverify.enums import ListKind, MessageStatus
from django_smsverify.limits.per_number import counts_for
from django_smsverify.messages import withdraw
from django_smsverify.models import (
    DeliveryReport,
    Forgetting,
    ListEntry,
    Message,
    OptOut,
    ProbeNumber,
    Recipient,
    Refusal,
    RememberedRequest,
    Reply,
    TestNumber,
    Verification,
)
from django_smsverify.transactions import run_committed

from . import recipients
from .admin_log import forget_entries
from .batches import MOST, Row, delete_rows
from .hiding import RECORDS, Records
from .pseudonyms import names_of, pseudonym, random_pseudonym

WHY = _("its owner asked that the number be forgotten")
"""Stored with a message that is not sent."""
AT_ONCE = 100
"""Numbers that one run of the poll finishes."""
DELETED = (Refusal, DeliveryReport, Reply)
"""What no sum and no limit needs."""
NAMELESS: Mapping[Any, Mapping[str, Any]] = {
    Message: {"remote_id": "", "error_message": "", "batch": None},
    Verification: {"context": "", "network": "", "source": ""},
}
"""What could lead back to a person, beside the number."""


@dataclass
class Forgotten:
    """What was done about one number."""

    was_known: bool = False
    """Whether it had been verified here, so that its device tokens end."""
    records: Counter[str] = field(default_factory=Counter)
    """How many rows do not name it any more, or are gone, by the name of their table."""
    due_at: datetime | None = None
    """When the rest is forgotten; None if nothing is left."""
    kept: list[str] = field(default_factory=list)
    """What an operator, or its owner, has entered about it, which stays until an operator deletes it."""


def forget_person(phone: str, *, deletes_records: bool = False) -> Forgotten:
    """Forgets a number now, as far as it can be; the poll does the rest.

    Codes and proofs that are live end. Raises InsideTransaction.
    """
    now = timezone.now()
    person = _Person(phone, now, deletes_records=deletes_records)
    result = run_committed(Verification, person.forget_now)
    result.kept = [str(rows.model._meta.verbose_name) for rows in entered(phone) if rows.exists()]
    return result


def entered(phone: str) -> list[QuerySet[Any]]:
    """Returns what was entered about a number on purpose: it stays when the number is forgotten."""
    of_number = [model.objects.filter(phone=phone) for model in (OptOut, TestNumber, ProbeNumber)]
    return [*of_number, ListEntry.objects.filter(kind=ListKind.NUMBER, subject=phone)]


def finish_due() -> Iterator[str]:
    """Forgets what numbers needed for some days more; yields the word that the poll counts, for each."""
    for one in list(Forgetting.objects.filter(due_at__lte=timezone.now()).order_by("due_at")[:AT_ONCE]):
        person = _Person(one.phone, one.asked_at, deletes_records=one.deletes_records)
        if run_committed(Forgetting, person.finish):
            yield "number forgotten for good"


class _Person:
    """A number whose owner asked for it to be forgotten, and what came until then. Each method runs in the caller's
    transaction, and writes first: under load SQLite refuses to write after a read."""

    def __init__(self, phone: str, asked_at: datetime, *, deletes_records: bool) -> None:
        self._phone, self._asked_at, self._deletes_records = phone, asked_at, deletes_records
        self._name = random_pseudonym() if deletes_records else pseudonym(phone)
        self._stored_as = names_of(phone) if deletes_records else [phone]

    def forget_now(self) -> Forgotten:
        result = Forgotten(was_known=numbers.forget(self._phone))
        for number in Recipient.objects.filter(phone__in=self._stored_as):
            forget_entries(number, self._name)
            self._end_codes(number)
        queued = Message.objects.filter(phone=self._phone, status=MessageStatus.QUEUED)
        for message in queued.select_related("provider"):
            withdraw(message, WHY)
        result.records = self._forget_records(Q(settled_at__isnull=False))
        self._forget_row(timezone.now() - counts_for())
        result.due_at = self._plan_the_rest()
        return result

    def finish(self) -> bool:
        """Forgets the rest, unless another run does it, or the owner asked again."""
        if not Forgetting.objects.filter(phone=self._phone, asked_at=self._asked_at).delete()[0]:
            return False
        self._forget_records(~Q(status__in=(MessageStatus.QUEUED, MessageStatus.SENDING)))
        self._forget_row(self._asked_at + timedelta.resolution)
        return True

    def _end_codes(self, number: Recipient) -> None:
        """Ends codes, and proofs that nobody has redeemed, which would name the number; and forgets the requests that
        a client may repeat."""
        own = Verification.objects.filter(recipient=number)
        own.filter(verified_at=None, expires_at__gt=self._asked_at).update(expires_at=self._asked_at)
        own.filter(verified_at__isnull=False, redeemed_at=None).update(redeemed_at=self._asked_at)
        RememberedRequest.objects.filter(verification__recipient=number).delete()

    def _forget_records(self, settled: Q) -> Counter[str]:
        """Hides the number in all records, of messages only in those that are `settled`, and in the reports on these;
        with the records, deletes those that no sum and no limit needs."""
        found = Counter[str]()
        for records in RECORDS:
            rows = list(self._rows(records, settled).values_list("pk", records.moment, *records.names))
            found[str(records.model._meta.verbose_name_plural)] += len(rows)
            for start in range(0, len(rows), MOST):
                self._forget_rows(records, rows[start : start + MOST])
        return +found

    def _rows(self, records: Records, settled: Q) -> QuerySet[Any]:
        model, until = records.model, {f"{records.moment}__lte": self._asked_at}
        if model is Verification:  # its index is that of the number's row
            return model.objects.filter(recipient__phone__in=names_of(self._phone), phone__in=self._stored_as, **until)
        rows: QuerySet[Any] = model.objects.filter(phone__in=self._stored_as).order_by()
        if model is DeliveryReport:
            return rows.exclude(message__phone=self._phone)
        return rows.filter(settled, **until) if model is Message else rows.filter(**until)

    def _forget_rows(self, records: Records, rows: Sequence[Row]) -> None:
        ids = [row[0] for row in rows]
        if not self._deletes_records or records.model not in DELETED:
            records.hide(rows, lambda phone: self._name)
        elif records.model is Reply:
            OptOut.objects.filter(reply__in=ids).update(reply=None)
        if self._deletes_records and records.model in DELETED:
            delete_rows(records.model, ids)
        elif self._deletes_records:
            records.model.objects.filter(pk__in=ids).update(**NAMELESS[records.model])

    def _forget_row(self, before: datetime) -> None:
        """Forgets the number's own row, if nobody used it since a moment."""
        rows = Recipient.objects.filter(phone__in=self._stored_as).values_list(*recipients.Number._fields)
        for row in rows:
            recipients.hide([recipients.Number(*row)], before, lambda phone: self._name)

    def _plan_the_rest(self) -> datetime | None:
        """Has the poll forget what still has the number; returns when."""
        own = Forgetting.objects.filter(phone=self._phone)
        left = (Recipient.objects.filter(phone=self._phone), Message.objects.filter(phone=self._phone))
        if not any(rows.exists() for rows in left):
            own.delete()
            return None
        due_at = self._asked_at + counts_for()
        changes = {"asked_at": self._asked_at, "due_at": due_at, "deletes_records": self._deletes_records}
        if not own.update(**changes):
            Forgetting.objects.create(phone=self._phone, **changes)
        return due_at
