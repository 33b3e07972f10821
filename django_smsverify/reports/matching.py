"""Matching delivery reports with their messages, in few statements for any number of reports.

A report and an acceptance are each committed before the other is searched, outside a transaction, so that one of the
two searches finds the match. After an interruption it can be repeated: matched reports are skipped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import Case, PositiveIntegerField, Q, Value, When
from django.utils import timezone

from django_smsverify.carriers.blocks import carrier_of
from django_smsverify.enums import DeliveryOutcome, MessageStatus
from django_smsverify.limits.budget import count_after_all
from django_smsverify.limits.cache import time_limit
from django_smsverify.messages import cost_of, refresh, tell_settled
from django_smsverify.models import DeliveryReport, Message, Provider
from django_smsverify.models.statements import find_unmatched_reports
from django_smsverify.signals import delivery_reported
from django_smsverify.transactions import retry_on_conflict

from .delays import delivery_seconds
from .follow_up import Second, note_report, queue_second, second_of

REPORTS_EXPIRE_AFTER = timedelta(hours=72)
"""After this time no report comes: vendors keep their reports no longer."""
CLOCKS_DIFFER = timedelta(minutes=5)
"""How much a vendor's clock may be behind ours; an SMS that was sent later cannot have caused the event."""
CHUNK_SIZE = 500
"""Rows in one statement; with more, the conditions would nest deeper than SQLite allows."""
UNDER_WAY = (MessageStatus.SENDING, MessageStatus.UNKNOWN)

MOST_NAMED = 10
"""Ids in one log line."""

logger = logging.getLogger("django_smsverify")
T = TypeVar("T")
Row = TypeVar("Row", Message, DeliveryReport)
Key = tuple[str, str]
"""The vendor's id and the number; one id may stand for a batch."""
Settled = tuple[MessageStatus, Decimal | None, str]
"""Status, cost and cause."""
Seconds = Mapping[Key, int | None]
"""How long each message took to the phone; None where that is not known."""


def match_reports(provider: Provider, reports: Iterable[DeliveryReport]) -> list[DeliveryReport]:
    """Matches stored reports of one provider with their messages; returns those whose message is not known yet."""
    unknown: list[DeliveryReport] = []
    for some in chunks(reports):
        messages = _newest(provider, some)
        rest = [report for report in some if _key(report) not in messages]
        for report in _maybe_lost_id(provider, rest):
            if message := _match_lost_id(provider, report):
                messages[_key(report)] = message
        for message in messages.values():
            message.provider = provider
        match_messages(messages.values())
        unknown += [report for report in rest if _key(report) not in messages]
    return unknown


def log_unknown(provider: Provider, reports: Sequence[DeliveryReport]) -> None:
    """Logs the ids of new reports whose message is not known."""
    if ids := [report.remote_id for report in reports]:
        named = ", ".join(ids[:MOST_NAMED]) + (f" and {len(ids) - MOST_NAMED} more" if len(ids) > MOST_NAMED else "")
        logger.info("%s reports on a message that is not known (yet): %s", provider.slug, named)


def match_after_commit(messages: Sequence[Message]) -> None:
    """After the commit, matches reports that arrived before the vendor's answer."""
    using = Message.objects.db
    transaction.on_commit(lambda: match_messages(_maybe_reported(messages)), using=using, robust=True)


def match_messages(messages: Iterable[Message]) -> None:
    """Matches messages of one provider with the unmatched reports about them, and updates their status.

    The status is stored first: if the process dies in between, the report stays unmatched and is matched again.
    """
    for some in chunks(message for message in messages if message.remote_id):
        with time_limit():
            _match_some(some)


def _match_some(some: Sequence[Message]) -> None:
    by_key = {_key(message): message for message in some}
    orphans = _of_provider(some[0].provider_id, DeliveryReport.objects.filter(_among(by_key), message__isnull=True))
    found = sorted(orphans, key=lambda report: report.received_at)
    # In a MySQL collation the id "a1" equals "A1".
    reports = [report for report in found if _key(report) in by_key]
    settled = [*_settle_with_second(by_key, reports), *_settle(by_key, reports)]
    for report in reports:
        report.message = by_key[_key(report)]
    linked = _changed(reports, _link)
    for report in linked:
        delivery_reported.send_robust(DeliveryReport, report=report)
    for message in settled:
        tell_settled(message)
    for report in _last_of_each_kind(linked):
        note_report(report, by_key[_key(report)])


def _last_of_each_kind(reports: Sequence[DeliveryReport]) -> Iterable[DeliveryReport]:
    """Leaves out what says the same of the same way: one look at the database tells of all of them."""
    kinds: dict[object, DeliveryReport] = {}
    for report in reports:
        message = report.message
        if message is not None:
            of_trial = message.pk if message.is_trial else None
            kinds[message.template_id, carrier_of(report.phone), report.outcome, report.cause, of_trial] = report
    return kinds.values()


def chunks(rows: Iterable[T]) -> Iterator[list[T]]:
    """Yields the rows in lists of at most CHUNK_SIZE."""
    rest = iter(rows)
    while some := list(islice(rest, CHUNK_SIZE)):
        yield some


def _key(row: Message | DeliveryReport) -> Key:
    return row.remote_id, row.phone


def _among(keys: Collection[Key]) -> Q:
    pairs = [Q(remote_id=remote_id, phone=phone) for remote_id, phone in keys]
    return Q(*pairs, _connector=Q.OR)


def _newest(provider: Provider, reports: Sequence[DeliveryReport]) -> dict[Key, Message]:
    """The messages with the ids of these reports; if a vendor used an id again, the newest one."""
    keys = {_key(report) for report in reports}
    found = _of_provider(provider.pk, Message.objects.filter(_among(keys)).order_by("created_at"))
    return {_key(message): message for message in found if _key(message) in keys}


def _of_provider(pk: int, rows: Iterable[Row]) -> list[Row]:
    """The rows of one provider; the database is not asked for these, see `statements.find_messages`."""
    return [row for row in rows if row.provider_id == pk]


def _maybe_lost_id(provider: Provider, reports: Sequence[DeliveryReport]) -> Sequence[DeliveryReport]:
    """Reports that may belong to a message whose id was lost; many are checked in one query."""
    if len(reports) <= 1:
        return reports
    without_id = Message.objects.filter(remote_id="", status__in=UNDER_WAY)
    found = without_id.filter(phone__in={report.phone for report in reports}).values_list("provider_id", "phone")
    phones = {phone for owner, phone in found if owner == provider.pk}
    return [report for report in reports if report.phone in phones]


def _match_lost_id(provider: Provider, report: DeliveryReport) -> Message | None:
    """The message that lost its id with the vendor's answer, if only one fits; the id is stored."""
    by_then = (report.occurred_at or report.received_at) + CLOCKS_DIFFER
    about = Message.objects.filter(phone=report.phone)
    without_id = about.filter(remote_id="", created_at__range=(by_then - REPORTS_EXPIRE_AFTER, by_then))
    # A message under way will soon get its own id, which may be this one.
    candidates = _of_provider(provider.pk, without_id.filter(status__in=UNDER_WAY))
    if report.own_id:
        candidates = [message for message in candidates if message.own_id == report.own_id]
    unknown = [message for message in candidates if message.status == MessageStatus.UNKNOWN]
    if len(candidates) != 1 or not unknown:
        return None
    rows = without_id.filter(pk=unknown[0].pk)
    if not rows.update(remote_id=report.remote_id):
        return None
    unknown[0].remote_id = report.remote_id
    return unknown[0]


def _maybe_reported(messages: Sequence[Message]) -> Sequence[Message]:
    """Messages that may have unmatched reports, found in one query."""
    if len(messages) == 1:
        (message,) = messages
        names = {"remote_id": message.remote_id, "phone": message.phone}
        is_reported = message.remote_id and (message.provider_id,) in find_unmatched_reports(**names)
        return messages if is_reported else []
    reports = DeliveryReport.objects.filter(message__isnull=True)
    ids = {message.remote_id for message in messages} - {""}
    found = set(reports.filter(remote_id__in=ids).values_list("provider_id", "remote_id", "phone"))
    return [message for message in messages if (message.provider_id, *_key(message)) in found]


def _settle(by_key: Mapping[Key, Message], reports: Sequence[DeliveryReport]) -> list[Message]:
    """Raises each message to the highest status of its reports; returns the messages that this changed."""
    highest: dict[Key, MessageStatus] = {}
    deciding: dict[Key, DeliveryReport] = {}
    for report in reports:
        reported = MessageStatus(report.outcome)
        if reported not in highest.get(_key(report), MessageStatus.QUEUED).below():
            highest[_key(report)], deciding[_key(report)] = reported, report
    _share_provider([by_key[key] for key in highest if by_key[key].price is not None])
    identical: dict[Settled, list[Message]] = {}
    for key, status in highest.items():
        if by_key[key].status in status.below():
            settled_as = status, cost_of(by_key[key], status), deciding[key].cause
            identical.setdefault(settled_as, []).append(by_key[key])
    now, seconds = timezone.now(), {key: delivery_seconds(by_key[key], one) for key, one in deciding.items()}
    settled = [
        message
        for settled_as, messages in identical.items()
        for message in _changed(messages, _status_update(settled_as, now, seconds))
    ]
    if reports:
        refresh(list(by_key.values()))
    return settled


def _settle_with_second(by_key: Mapping[Key, Message], reports: Sequence[DeliveryReport]) -> list[Message]:
    """Settles, one by one, the messages whose failure is followed by another SMS; returns those that this changed."""
    delivered = {_key(report) for report in reports if report.outcome == DeliveryOutcome.DELIVERED}
    failed = [report for report in reports if report.outcome != DeliveryOutcome.DELIVERED]
    settled: list[Message] = []
    for report in failed:
        report.provider = by_key[_key(failed[0])].provider
        message, status = by_key[_key(report)], MessageStatus(report.outcome)
        if _key(report) in delivered or message.status not in status.below():
            continue
        if (second := second_of(report, message)) and retry_on_conflict(
            partial(_settle_and_queue, report, message, second), Message.objects.db
        ):
            settled.append(message)
    return settled


def _settle_and_queue(report: DeliveryReport, message: Message, second: Second) -> bool:
    """Stores the failure of a message and the SMS that follows, both or neither; returns whether this caller did."""
    status = MessageStatus(report.outcome)
    change = _status_update((status, cost_of(message, status), report.cause), timezone.now(), {})
    with transaction.atomic(using=Message.objects.db):
        second.lock()
        is_settled = change([message]) == 1
        if is_settled:
            queue_second(second, report)
    return is_settled


def _share_provider(messages: Sequence[Message]) -> None:
    """Loads the provider, on which costs depend, once for all messages."""
    for message in messages[1:]:
        message.provider = messages[0].provider


def _status_update(settled_as: Settled, now: datetime, seconds: Seconds) -> Callable[[Sequence[Message]], int]:
    """The statement that raises messages to a higher status; it also stores cost and cause, so that none is stored
    alone."""
    status, cost, cause = settled_as

    def change(messages: Sequence[Message]) -> int:
        rows = Message.objects.of(*messages).filter(status__in=status.below())
        given_back = [message for message in messages if message.status == MessageStatus.NOT_SENT]
        taken = _by_message(messages, seconds)
        changes = {"status": status, "cost": cost, "cause": cause, "settled_at": now, "delivery_seconds": taken}
        if not given_back:
            return rows.update(**changes)
        return retry_on_conflict(partial(_update_and_count, rows, changes, given_back), rows.db)

    return change


def _by_message(messages: Sequence[Message], seconds: Seconds) -> Case | int | None:
    """The seconds of each of these messages, in one expression."""
    by_seconds: dict[int | None, list[UUID]] = {}
    for message in messages:
        by_seconds.setdefault(seconds.get(_key(message)), []).append(message.pk)
    if len(by_seconds) == 1:
        return next(iter(by_seconds))
    known = [When(pk__in=ids, then=Value(some)) for some, ids in by_seconds.items() if some is not None]
    return Case(*known, default=Value(None), output_field=PositiveIntegerField())


def _update_and_count(rows: Any, changes: Mapping[str, Any], given_back: Sequence[Message]) -> int:
    """Updates the rows, and counts the messages in their budgets again, both or neither."""
    with transaction.atomic(using=rows.db):
        changed = int(rows.update(**changes))
        for message in given_back if changed else ():
            count_after_all(message)
    return changed


def _link(reports: Sequence[DeliveryReport]) -> int:
    """Links reports without a message to the message set on them; returns how many were linked."""
    orphans = DeliveryReport.objects.filter(message__isnull=True)
    if len(reports) == 1:
        return orphans.filter(pk=reports[0].pk).update(message=reports[0].message)
    return orphans.bulk_update(reports, ["message"])


def _changed(rows: Sequence[T], change: Callable[[Sequence[T]], int]) -> Sequence[T]:
    """The rows that this caller, and no other, has changed: usually all, with one statement."""
    if len(rows) > 1 and _change_all(rows, change):
        return rows
    return [row for row in rows if change([row])]


def _change_all(rows: Sequence[T], change: Callable[[Sequence[T]], int]) -> bool:
    """Changes all rows and returns True, or none and returns False."""
    using = Message.objects.db

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
    """Rolls back a change that did not reach all rows."""
