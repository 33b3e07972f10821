"""The result of a named batch, read from the database whenever it is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Count

from django_smsverify.enums import MessageStatus
from django_smsverify.limits import lists
from django_smsverify.models import Message
from django_smsverify.models.querysets import MessageQuerySet
from django_smsverify.numbers import opt_outs

from .left_out import WHYS

DOUBTFUL = (MessageStatus.UNKNOWN, MessageStatus.NOT_SENT, MessageStatus.UNDELIVERED)
PORTION = 1000
"""Messages in one query."""


class Troubles:
    """The messages of a batch that were not sent or not delivered, or whose result is unknown, by their numbers.

    Without those whose owners have opted out, and those on the block list.

    Each use asks the database: `len()` and `bool()` for a count, iteration for some messages at a time.
    """

    def __init__(self, batch: str) -> None:
        self._batch = batch

    def __iter__(self) -> Iterator[Message]:
        # By the unique index, so that a million of them needs neither much memory nor an open cursor.
        last, some = "", list(self._after("")[:PORTION])
        while some:
            yield from some
            last = some[-1].phone
            some = list(self._after(last)[:PORTION])

    def __len__(self) -> int:
        return self._after("").count()

    def __bool__(self) -> bool:
        return self._after("").exists()

    def _after(self, phone: str) -> MessageQuerySet:
        rows = Message.objects.filter(batch=self._batch, status__in=DOUBTFUL, phone__gt=phone)
        rows = rows.exclude(error_message__in=WHYS)
        return rows.select_related("provider", "template").order_by("phone")


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What became of a run over many numbers, and of its batch."""

    name: str
    """The name of the batch."""
    reached: int
    """How many of the given numbers have a message; a run that ended early did not reach the others."""
    why_over: str
    """Why the run ended early; empty when it did not."""

    @property
    def counts(self) -> Counter[str]:
        """How many messages of the batch have each status now."""
        rows = Message.objects.filter(batch=self.name).order_by()
        return Counter(dict(rows.values_list("status").annotate(Count("pk"))))

    @property
    def opted_out(self) -> int:
        """How many messages of the batch are not sent because their owners want no notices."""
        return Message.objects.filter(batch=self.name, error_message=opt_outs.WHY).count()

    @property
    def listed(self) -> int:
        """How many messages of the batch are not sent because their numbers are on the block list."""
        return Message.objects.filter(batch=self.name, error_message=lists.WHY).count()

    @property
    def troubles(self) -> Troubles:
        """The messages of the batch that are not sent, undelivered or unknown now."""
        return Troubles(self.name)
