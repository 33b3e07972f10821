"""Delivery reports and the messages that they are about, joined in few statements however many there are.

Report and acceptance are each committed before the other is looked for, outside a transaction, so that one of the two
finds it. Interrupted anywhere, it can be done again: what is matched already is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import TypeVar

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from django_smsverify.enums import MessageStatus
from django_smsverify.messages import cost_of, refresh
from django_smsverify.models import DeliveryReport, Message, Provider
from django_smsverify.signals import delivery_reported, message_settled
from django_smsverify.transactions import retry_on_conflict

REPORTS_EXPIRE_AFTER = timedelta(hours=72)
"""After this no vendor reports any more: it is as long as they keep their reports."""
CLOCKS_DIFFER = timedelta(minutes=5)
"""How much a vendor's clock may be behind ours; nobody answers an SMS that is sent later."""
CHUNK_SIZE = 500
"""Rows in one statement: the conditions for more would nest deeper than SQLite allows."""
UNDER_WAY = (MessageStatus.SENDING, MessageStatus.UNKNOWN)

T = TypeVar("T")
Key = tuple[str, str]
"""The vendor's id and the number: a vendor's id may stand for a batch."""


def match_reports(provider: Provider, reports: Iterable[DeliveryReport]) -> list[DeliveryReport]:
    """Gives stored reports of one provider to their messages; returns those about no message that is known yet."""
    unknown: list[DeliveryReport] = []
    for some in chunks(reports):
        messages = _newest(provider, some)
        rest = [report for report in some if _key(report) not in messages]
        for report in _perhaps_nameless(provider, rest):
            if message := _named_by(provider, report):
                messages[_key(report)] = message
        match_messages(messages.values())
        unknown += [report for report in rest if _key(report) not in messages]
    return unknown


def match_after_commit(messages: Sequence[Message]) -> None:
    """Looks, once these are committed, for reports that were faster than the vendor's answer."""
    rows = Message.objects.primary()
    transaction.on_commit(lambda: match_messages(_perhaps_reported(messages)), using=rows.db, robust=True)


def match_messages(messages: Iterable[Message]) -> None:
    """Gives messages of one provider the reports about them that have none yet, and the status that these tell.

    The status comes first: a process that dies in between leaves a report that is matched again.
    """
    for some in chunks(message for message in messages if message.remote_id):
        by_key = {_key(message): message for message in some}
        orphans = DeliveryReport.objects.primary().filter(message__isnull=True, provider=some[0].provider_id)
        found = sorted(orphans.filter(_among(by_key)), key=lambda report: report.received_at)
        # A MySQL collation takes the id "a1" for "A1".
        reports = [report for report in found if _key(report) in by_key]
        settled = _settle(by_key, reports)
        for report in reports:
            report.message = by_key[_key(report)]
        for report in _changed(reports, _link):
            delivery_reported.send_robust(DeliveryReport, report=report)
        for message in settled:
            message_settled.send_robust(Message, message=message)


def chunks(rows: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(rows)
    while some := list(islice(rest, CHUNK_SIZE)):
        yield some


def _key(row: Message | DeliveryReport) -> Key:
    return row.remote_id, row.phone


def _among(keys: Collection[Key]) -> Q:
    pairs = [Q(remote_id=remote_id, phone=phone) for remote_id, phone in keys]
    return Q(*pairs, _connector=Q.OR)


def _newest(provider: Provider, reports: Sequence[DeliveryReport]) -> dict[Key, Message]:
    """The messages with the ids of these reports; a vendor that counts its ids anew means the newest."""
    keys = {_key(report) for report in reports}
    found = Message.objects.primary().filter(_among(keys), provider=provider).order_by("created_at")
    return {_key(message): message for message in found if _key(message) in keys}


def _perhaps_nameless(provider: Provider, reports: Sequence[DeliveryReport]) -> Sequence[DeliveryReport]:
    """Those that may be about a message whose id was lost; of many, asked at once."""
    if len(reports) <= 1:
        return reports
    without_id = Message.objects.primary().filter(provider=provider, remote_id="", status__in=UNDER_WAY)
    phones = set(without_id.filter(phone__in={report.phone for report in reports}).values_list("phone", flat=True))
    return [report for report in reports if report.phone in phones]


def _named_by(provider: Provider, report: DeliveryReport) -> Message | None:
    """The message whose id the vendor told in an answer that was lost, when it can be only one."""
    by_then = (report.occurred_at or report.received_at) + CLOCKS_DIFFER
    about = Message.objects.primary().filter(provider=provider, phone=report.phone)
    without_id = about.filter(remote_id="", created_at__range=(by_then - REPORTS_EXPIRE_AFTER, by_then))
    # One that is under way is about to get an id of its own, which may be this one.
    rivals = without_id.filter(status__in=UNDER_WAY)[:2]
    unknown = [message for message in rivals if message.status == MessageStatus.UNKNOWN]
    if len(rivals) != 1 or not unknown:
        return None
    rows = without_id.filter(pk=unknown[0].pk)
    if not rows.update(remote_id=report.remote_id):
        return None
    unknown[0].remote_id = report.remote_id
    return unknown[0]


def _perhaps_reported(messages: Sequence[Message]) -> Sequence[Message]:
    """Those about which there may be reports that have no message yet; of many, asked at once."""
    if len(messages) == 1:
        return messages
    reports = DeliveryReport.objects.primary().filter(message__isnull=True, provider=messages[0].provider_id)
    ids = {message.remote_id for message in messages} - {""}
    found = set(reports.filter(remote_id__in=ids).values_list("remote_id", "phone"))
    return [message for message in messages if (message.remote_id, message.phone) in found]


def _settle(by_key: Mapping[Key, Message], reports: Sequence[DeliveryReport]) -> list[Message]:
    """Raises each message to the highest status that reports tell of it; returns those for which it was news."""
    highest: dict[Key, MessageStatus] = {}
    for report in reports:
        told = MessageStatus(report.outcome)
        if told not in highest.get(_key(report), MessageStatus.QUEUED).below():
            highest[_key(report)] = told
    _share_provider([by_key[key] for key in highest if by_key[key].price is not None])
    alike: dict[tuple[MessageStatus, Decimal | None], list[Message]] = {}
    for key, status in highest.items():
        if by_key[key].status in status.below():
            alike.setdefault((status, cost_of(by_key[key], status)), []).append(by_key[key])
    now = timezone.now()
    settled = [
        message
        for (status, cost), messages in alike.items()
        for message in _changed(messages, _raising(status, cost, now))
    ]
    if reports:
        refresh(list(by_key.values()))
    return settled


def _share_provider(messages: Sequence[Message]) -> None:
    """Loads the provider, on which costs depend, once for all messages."""
    for message in messages[1:]:
        message.provider = messages[0].provider


def _raising(status: MessageStatus, cost: Decimal | None, now: datetime) -> Callable[[Sequence[Message]], int]:
    """The statement that raises messages to a status, where it is news; the cost goes with it, so that neither is
    ever without the other."""

    def change(messages: Sequence[Message]) -> int:
        rows = Message.objects.primary().filter(pk__in=[message.pk for message in messages])
        return rows.filter(status__in=status.below()).update(status=status, cost=cost, settled_at=now)

    return change


def _link(reports: Sequence[DeliveryReport]) -> int:
    """How many of these had no message and have the one now that they name."""
    orphans = DeliveryReport.objects.primary().filter(message__isnull=True)
    if len(reports) == 1:
        return orphans.filter(pk=reports[0].pk).update(message=reports[0].message)
    return orphans.bulk_update(reports, ["message"])


def _changed(rows: Sequence[T], change: Callable[[Sequence[T]], int]) -> Sequence[T]:
    """Those of the rows that this caller, and no other, has changed: as a rule all, which one statement tells."""
    if len(rows) > 1 and _is_changed_whole(rows, change):
        return rows
    return [row for row in rows if change([row])]


def _is_changed_whole(rows: Sequence[T], change: Callable[[Sequence[T]], int]) -> bool:
    """Whether all rows are changed; else none is."""
    using = Message.objects.primary().db

    def change_or_undo() -> None:
        with transaction.atomic(using=using):
            if change(rows) != len(rows):
                raise _ChangedByOthersError

    try:
        retry_on_conflict(change_or_undo, using)
    except _ChangedByOthersError:
        return False
    return True


class _ChangedByOthersError(Exception):
    """Undoes a change that did not reach all."""
