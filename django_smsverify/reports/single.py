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
from django_smsverify.limits.budget import count_after_all
from django_smsverify.messages import cost_of, refresh, tell_settled
from django_smsverify.models import DeliveryReport, Message, Provider
from django_smsverify.models.inserts import insert
from django_smsverify.models.late_changes import late_moments, mark_late
from django_smsverify.models.statements import find_messages, find_messages_in_brief, find_report, settle_message
from django_smsverify.signals import delivery_reported, message_settled
from django_smsverify.transactions import retry_on_conflict

from .delays import delivery_seconds
from .follow_up import Second, note_report, queue_second, second_of
from .matching import log_unknown, match_reports


def store_report(provider: Provider, report: DeliveryReport, about: Message | None = None) -> bool:
    """Stores a report, once, and raises its message; returns whether it is new.

    `about` is the message that the vendor was asked about, read just now. A repeated report is matched if that was
    interrupted before.
    """
    message = report.message = _message_of(provider, report, about)
    # A message that has this status already has probably got it by this report.
    if message is not None and not _raises(report, message) and (stored := _stored(report)):
        return _complete(provider, stored)
    second = second_of(report, message) if message is not None and _raises(report, message) else None
    try:
        is_settled = retry_on_conflict(partial(_store, report, second), router.db_for_write(DeliveryReport))
    except IntegrityError:
        if stored := _stored(report):
            return _complete(provider, stored)
        raise  # a row that it refers to is gone
    if message is None:
        log_unknown(provider, _search_again(provider, report))
    else:
        _tell(report, message, is_settled=is_settled)
    return True


def _complete(provider: Provider, stored: DeliveryReport) -> bool:
    """Matches a stored report if that was interrupted; False: it is not new."""
    if stored.message_id is None:
        _search_again(provider, stored)
    return False


def _message_of(provider: Provider, report: DeliveryReport, about: Message | None) -> Message | None:
    """The message that the vendor was asked about, or the newest one with its id and the number of a report."""
    if about is not None and _is_about(report, about):
        about.provider = provider
        return about
    # Only receivers of the signals see the message.
    is_shown = delivery_reported.has_listeners(DeliveryReport) or message_settled.has_listeners(Message)
    find = find_messages if is_shown else find_messages_in_brief
    found = find(remote_id=report.remote_id, phone=report.phone)
    own = [one for one in found if one.provider_id == provider.pk and _is_about(report, one)]
    message = max(own, key=lambda one: one.created_at, default=None)
    if message is not None:
        message.provider = provider
    return message


def _is_about(report: DeliveryReport, message: Message) -> bool:
    """Whether it names the message; in a MySQL collation the id "a1" equals "A1"."""
    return (message.remote_id, message.phone) == (report.remote_id, report.phone)


def _stored(report: DeliveryReport) -> DeliveryReport | None:
    """The row of an equal report."""
    return next(iter(find_report(phone=report.phone, fingerprint=report.fingerprint)), None)


def _raises(report: DeliveryReport, message: Message) -> bool:
    return message.status in MessageStatus(report.outcome).below()


def _store(report: DeliveryReport, second: Second | None) -> bool:
    """Stores a new report and the status of its message, both or neither; returns whether the status was changed."""
    if report.message is not None and _raises(report, report.message):
        return _store_and_settle(report, report.message, second)
    # One statement needs no transaction; inside another, such as a test case's, it needs a savepoint.
    using = router.db_for_write(DeliveryReport)
    is_inside = transaction.get_connection(using).in_atomic_block
    with transaction.atomic(using=using) if is_inside else nullcontext():
        insert(report)
    return False


def _store_and_settle(report: DeliveryReport, message: Message, second: Second | None) -> bool:
    status, now = MessageStatus(report.outcome), timezone.now()
    using = router.db_for_write(Message)
    taken = delivery_seconds(message, report)
    known = {"cost": cost_of(message, status), "cause": report.cause, "settled_at": now, "delivery_seconds": taken}
    with transaction.atomic(using=using):
        if second:
            second.lock()
        # The message first: two reports that had both been added to it would each wait for its row.
        is_settled = settle_message[status](pk=message.pk, **known) == 1
        if is_settled and (late := late_moments([message.created_at])):
            mark_late(late, using)
        if is_settled and message.status == MessageStatus.NOT_SENT:
            count_after_all(message)
        insert(report)
        if second and is_settled:
            queue_second(second, report)
    if is_settled:  # and committed: else it may be tried again
        message.status = status
        for name, value in known.items():
            setattr(message, name, value)
    return is_settled


def _search_again(provider: Provider, report: DeliveryReport) -> list[DeliveryReport]:
    """Matches a report that is committed; returns it again if its message is not known yet."""
    return match_reports(provider, [report])


def _tell(report: DeliveryReport, message: Message, *, is_settled: bool) -> None:
    if _raises(report, message):  # another process has changed it meanwhile
        refresh([message])
    delivery_reported.send_robust(DeliveryReport, report=report)
    if is_settled:
        tell_settled(message)
    note_report(report, message)
