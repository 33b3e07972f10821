"""Records whose number is forgotten: a digest stands in its place, and what else may name its owner is emptied.

What happened stays: times, purpose, status, cost, cause, and which rows belong to one number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models import Case, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from django_smsverify.models import DeliveryReport, Message, Refusal, Reply, Verification
from django_smsverify.models.expressions import ValueOfRow
from django_smsverify.models.identifiers import new_id
from django_smsverify.numbers.opt_outs import says_so
from django_smsverify.phones import FORGOTTEN, without_numbers

from .batches import Row

Names = Callable[[str], str]
"""What stands where a number was."""
KNOWN_BLOCK = FORGOTTEN
"""Where the block of a new number was: that it was new still counts."""


@dataclass(frozen=True)
class Records:
    """A table of records of numbers."""

    model: Any
    moment: str
    """The indexed column by which they are walked through."""
    names: Sequence[str]
    """What `hide` needs of a row, after its primary key and its moment."""
    hide: Callable[[Sequence[Row], Names], None]

    def rows(self) -> models.QuerySet[Any]:
        """Those that have a number."""
        rows: models.QuerySet[Any] = self.model.objects.exclude(phone="").exclude(phone__startswith=FORGOTTEN)
        return rows.order_by()


def _hide_verifications(rows: Sequence[Row], names: Names) -> None:
    block = Case(When(block="", then=Value("")), default=Value(KNOWN_BLOCK))
    _of(Verification, rows).update(phone=_phones(Verification, rows, names), block=block)


def _hide_messages(rows: Sequence[Row], names: Names) -> None:
    named = {pk: names(phone) for pk, _, phone, *_ in rows}
    _leave_batches(rows, named)
    # No report finds it any more.
    settled_at = Coalesce("settled_at", Value(timezone.now(), output_field=models.DateTimeField()))
    changes = {"phone": ValueOfRow(Message, "phone", named), "values": {}, "settled_at": settled_at}
    _of(Message, rows).update(**changes, **_changed_texts(Message, "error_message", rows))


def _leave_batches(rows: Sequence[Row], named: Mapping[Any, str]) -> None:
    """Takes those out of their batch whose number got another SMS of it, after the first one had been forgotten."""
    batches = {batch for *_, batch in rows if batch}
    if not batches:
        return
    _of(Message, rows).update(values={})  # first: under load SQLite refuses to write after a read
    taken = Message.objects.filter(batch__in=batches, phone__in=set(named.values())).order_by()
    pairs = set(taken.values_list("batch", "phone"))
    if twice := [pk for pk, *_, batch in rows if (batch, named[pk]) in pairs]:
        Message.objects.filter(pk__in=twice).update(batch=None)


def _hide_reports(rows: Sequence[Row], names: Names) -> None:
    changes = {"phone": _phones(DeliveryReport, rows, names), **_without_payload(DeliveryReport, rows)}
    _of(DeliveryReport, rows).update(**changes, **_changed_texts(DeliveryReport, "detail", rows))


def _hide_replies(rows: Sequence[Row], names: Names) -> None:
    changes = {"phone": _phones(Reply, rows, names), **_without_payload(Reply, rows)}
    words = {pk: content if says_so(content) else "" for pk, _, _, content in rows}
    _of(Reply, rows).update(**changes, content=ValueOfRow(Reply, "content", words))


def _hide_refusals(rows: Sequence[Row], names: Names) -> None:
    _of(Refusal, rows).update(phone=_phones(Refusal, rows, names))


RECORDS = (
    Records(Verification, "created_at", ("phone",), _hide_verifications),
    Records(Message, "created_at", ("phone", "error_message", "batch"), _hide_messages),
    Records(DeliveryReport, "received_at", ("phone", "detail"), _hide_reports),
    Records(Reply, "received_at", ("phone", "content"), _hide_replies),
    Records(Refusal, "first_at", ("phone",), _hide_refusals),
)
"""Every table of records; the number's own row is in `recipients`."""


def _of(model: Any, rows: Sequence[Row]) -> Any:
    return model.objects.filter(pk__in=[row[0] for row in rows]).order_by()


def _phones(model: type[models.Model], rows: Sequence[Row], names: Names) -> ValueOfRow:
    return ValueOfRow(model, "phone", {pk: names(phone) for pk, _, phone, *_ in rows})


def _without_payload(model: type[models.Model], rows: Sequence[Row]) -> dict[str, Any]:
    """What a vendor sent names the number in its own way; its fingerprint is a digest without a key, for which
    all numbers could be tried."""
    return {"payload": {}, "fingerprint": ValueOfRow(model, "fingerprint", {pk: new_id() for pk, *_ in rows})}


def _changed_texts(model: type[models.Model], name: str, rows: Sequence[Row]) -> dict[str, Any]:
    """A vendor's words without numbers, where there are any."""
    texts = {pk: shorter for pk, _, _, text, *_ in rows if (shorter := without_numbers(text)) != text}
    return {name: ValueOfRow(model, name, texts)} if texts else {}
