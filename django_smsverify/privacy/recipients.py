"""The row of each number: its number is forgotten when its limits need it no longer, and the row goes with the records.

There is no index by time, as every send would have to keep it: the table is walked through by its primary key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from django_smsverify.models import Recipient, Verification
from django_smsverify.models.expressions import ValueOfRow
from django_smsverify.phones import FORGOTTEN, is_forgotten

from .batches import delete_rows

PAGE = 2000
"""Rows that are read at once."""


class Number(NamedTuple):
    """What is read of a row."""

    pk: int
    phone: str
    claimed_at: datetime
    failures: int | None


def pages() -> Iterator[list[Number]]:
    """Yields the whole table, a page at a time."""
    last = 0
    rows = Recipient.objects.order_by("pk").values_list(*Number._fields)
    while page := [Number(*row) for row in rows.filter(pk__gt=last)[:PAGE]]:
        yield page
        last = page[-1].pk


def due(hide_before: datetime, delete_before: datetime) -> QuerySet[Recipient]:
    """Those that `pages` would find due; counting them reads the whole table."""
    is_old = Q(claimed_at__lt=delete_before) & ~Exists(_verifications())
    is_idle = Q(claimed_at__lt=hide_before) & ~Q(phone__startswith=FORGOTTEN) & (Q(failures=None) | Q(failures=0))
    return Recipient.objects.filter(is_old | is_idle)


def is_idle(number: Number, before: datetime) -> bool:
    """Whether a number can be forgotten; not one with wrong codes in a row, as they lock it when it comes back."""
    return number.claimed_at < before and not number.failures and not is_forgotten(number.phone)


def delete(numbers: Sequence[Number], before: datetime) -> int:
    """Deletes rows that were not used since a moment and have no verifications, in the caller's transaction."""
    unused = _locked(numbers, before)
    found = list(unused.filter(~Exists(_verifications())).values_list("pk", flat=True))
    return delete_rows(Recipient, found)


def hide(numbers: Sequence[Number], before: datetime, names: Callable[[str], str]) -> int:
    """Puts a digest in the place of each number that was not used since a moment, in the caller's transaction."""
    unused = set(_locked(numbers, before).values_list("pk", flat=True))
    named = {one.pk: names(one.phone) for one in numbers if one.pk in unused}
    taken = dict(Recipient.objects.filter(phone__in=named.values()).values_list("phone", "pk"))
    for pk, name in named.items():
        if name in taken:
            _merge(pk, taken[name])
    free = {pk: name for pk, name in named.items() if name not in taken}
    Recipient.objects.filter(pk__in=free).update(phone=ValueOfRow(Recipient, "phone", free))
    return len(named)


def _locked(numbers: Sequence[Number], before: datetime) -> QuerySet[Recipient]:
    """Those that are still not used, locked: a send that uses one waits, and finds no row of its number then.

    It writes first: under load SQLite refuses to turn a read transaction into a write transaction.
    """
    unused = Recipient.objects.filter(pk__in=[one.pk for one in numbers], claimed_at__lt=before)
    unused.update(claimed_at=F("claimed_at"))
    return unused


def _merge(pk: int, other: int) -> None:
    """Gives the verifications of a number that came back to the row that it had before."""
    Verification.objects.filter(recipient=pk).update(recipient=other)
    delete_rows(Recipient, [pk])


def _verifications() -> QuerySet[Verification]:
    return Verification.objects.filter(recipient=OuterRef("pk")).order_by()
