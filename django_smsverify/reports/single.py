"""One report, as most pushes have it: stored in one transaction with what it says of its message.

Where the message is not known, the report is committed first and the message searched again: an acceptance is also
committed before its reports are searched, so that one of the two searches finds the match.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial

from django.db import IntegrityError, router, transaction
from django.utils import timezone

from django_smsverify.enums import MessageStatus
from django_smsverify.messages import cost_of, refresh
from django_smsverify.models import DeliveryReport, Message, Provider
from django_smsverify.models.inserts import insert
from django_smsverify.models.statements import find_messages, find_messages_in_brief, find_report, settle_message
from django_smsverify.signals import delivery_reported, message_settled
from django_smsverify.transactions import retry_on_conflict

from .matching import log_unknown, match_reports


def store_report(provider: Provider, report: DeliveryReport) -> bool:
    """Stores a report, once, and raises its message; returns whether it is new.

    A repeated report is matched if that was interrupted before.
    """
    message = report.message = _message_of(provider, report)
    # A message that has this status already has probably got it by this report.
    if message is not None and not _raises(report, message) and (stored := _stored(report)):
        return _complete(provider, stored)
    try:
        is_settled = retry_on_conflict(partial(_store, report), router.db_for_write(DeliveryReport))
    except IntegrityError:
        if stored := _stored(report):
            return _complete(provider, stored)
        raise  # a row that it refers to is gone
    if message is None:
        log_unknown(provider, _search_again(provider, report))
    else:
        _send_signals(report, message, is_settled=is_settled)
    return True


def _complete(provider: Provider, stored: DeliveryReport) -> bool:
    """Matches a stored report if that was interrupted; False: it is not new."""
    if stored.message_id is None:
        _search_again(provider, stored)
    return False


def _message_of(provider: Provider, report: DeliveryReport) -> Message | None:
    """The newest message with the vendor's id and the number of a report."""
    # Only receivers of the signals see the message.
    is_shown = delivery_reported.has_listeners(DeliveryReport) or message_settled.has_listeners(Message)
    find = find_messages if is_shown else find_messages_in_brief
    for message in find(provider=provider.pk, remote_id=report.remote_id, phone=report.phone):
        # In a MySQL collation the id "a1" equals "A1".
        if (message.remote_id, message.phone) == (report.remote_id, report.phone):
            message.provider = provider
            return message  # type: ignore[no-any-return]
    return None


def _stored(report: DeliveryReport) -> DeliveryReport | None:
    """The row of an equal report."""
    return next(iter(find_report(fingerprint=report.fingerprint)), None)


def _raises(report: DeliveryReport, message: Message) -> bool:
    return message.status in MessageStatus(report.outcome).below()


def _store(report: DeliveryReport) -> bool:
    """Stores a new report and the status of its message, both or neither; returns whether the status was changed."""
    if report.message is not None and _raises(report, report.message):
        return _store_and_settle(report, report.message)
    # One statement needs no transaction; inside another, such as a test case's, it needs a savepoint.
    using = router.db_for_write(DeliveryReport)
    is_inside = transaction.get_connection(using).in_atomic_block
    with transaction.atomic(using=using) if is_inside else nullcontext():
        insert(report)
    return False


def _store_and_settle(report: DeliveryReport, message: Message) -> bool:
    status, now = MessageStatus(report.outcome), timezone.now()
    cost = cost_of(message, status)
    with transaction.atomic(using=router.db_for_write(Message)):
        # The message first: two reports that had both been added to it would each wait for its row.
        is_settled = settle_message[status](pk=message.pk, cost=cost, now=now) == 1
        insert(report)
    if is_settled:  # and committed: else it may be tried again
        message.status, message.cost, message.settled_at = status, cost, now
    return is_settled


def _search_again(provider: Provider, report: DeliveryReport) -> list[DeliveryReport]:
    """Matches a report that is committed; returns it again if its message is not known yet."""
    return match_reports(provider, [report])


def _send_signals(report: DeliveryReport, message: Message, *, is_settled: bool) -> None:
    if _raises(report, message):  # another process has changed it meanwhile
        refresh([message])
    delivery_reported.send_robust(DeliveryReport, report=report)
    if is_settled:
        message_settled.send_robust(Message, message=message)
