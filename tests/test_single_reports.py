"""One report: stored together with the status of its message, or completed by a repetition."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, OperationalError, connection

from django_smsverify import transactions
from django_smsverify.enums import MessageStatus, ReportSource
from django_smsverify.models import DeliveryReport, Message, Provider
from django_smsverify.models.inserts import insert
from django_smsverify.polling.poll import poll
from django_smsverify.reports import single
from django_smsverify.reports.single import store_report
from django_smsverify.signals import delivery_reported, message_settled
from django_smsverify.types import Acceptance

from .conftest import LogRecorder, MakeProvider, record
from .test_matching_reports import counted
from .test_storing_reports import DELIVERED, UNDELIVERED, push, report, sending, values_sent

pytestmark = pytest.mark.django_db(transaction=True)

Prepare = Callable[[Provider], Message]


def accepted(provider: Provider) -> Message:
    message = sending(provider)
    record(message, Acceptance(remote_id="42"))
    return message


def lost_id(provider: Provider) -> Message:
    return sending(provider, status=MessageStatus.UNKNOWN)


def undelivered(provider: Provider) -> Message:
    message = accepted(provider)
    push(provider, report("42", UNDELIVERED, "-1"))
    return message


def state() -> list[Any]:
    messages = Message.objects.values_list("status", "remote_id", "cost", "cause", "settled_at")
    reports = DeliveryReport.objects.order_by("pk").values_list("code", "message__status")
    return [[(*rest, settled_at is None) for *rest, settled_at in messages], list(reports)]


@pytest.mark.parametrize("prepare", [accepted, lost_id, undelivered])
def test_a_push_interrupted_at_any_statement_is_completed_by_a_repetition(
    prepare: Prepare, memory: MakeProvider
) -> None:
    provider, results = memory(price="0.05"), []

    for place in count(1):
        DeliveryReport.objects.all().delete()
        Message.objects.all().delete()
        prepare(provider)
        passed, interrupted = count(1), False

        def fail(execute: Any, *args: Any, passed: Any = passed, place: int = place) -> Any:
            if next(passed) == place:
                raise OperationalError("the connection was lost")
            return execute(*args)

        try:
            with connection.execute_wrapper(fail):
                push(provider, report("42"))
        except OperationalError:
            interrupted = True
        if not interrupted:
            results.append(state())
            break
        push(provider, report("42"))
        results.append(state())

    assert place > 3
    assert all(result == results[-1] for result in results)
    assert results[-1][0][0][0] == "delivered"


@pytest.mark.parametrize("prepare", [accepted, undelivered])
def test_a_report_that_cannot_be_stored_does_not_change_its_message(
    prepare: Prepare, memory: MakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = memory()
    prepare(provider)
    before = state()

    def fail(row: DeliveryReport) -> None:
        raise OperationalError("the disk is full")

    with values_sent(delivery_reported, "report") as reported, values_sent(message_settled, "message") as settled:
        monkeypatch.setattr(single, "insert", fail)
        with pytest.raises(OperationalError):
            push(provider, report("42"))

    assert (state(), reported, settled) == (before, [], [])


@pytest.mark.parametrize("table", ["smsverify_message", "smsverify_deliveryreport"])
def test_a_conflict_of_transactions_is_retried_as_a_whole(
    table: str, memory: MakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "PAUSE", 0)
    provider, failures = memory(), [OperationalError(1213, "Deadlock found")] * 2
    message = accepted(provider)

    def fail(execute: Any, sql: str, *args: Any) -> Any:
        if failures and re.match(rf"(UPDATE|INSERT INTO) .{table}", sql):
            raise failures.pop()
        return execute(sql, *args)

    with values_sent(message_settled, "message") as settled, connection.execute_wrapper(fail):
        push(provider, report("42"))

    assert (failures, settled) == ([], [message])
    assert DeliveryReport.objects.get().message == message
    assert Message.objects.get().status == "delivered"


@pytest.mark.parametrize("status", [MessageStatus.DELIVERED, MessageStatus.UNDELIVERED])
def test_a_message_that_another_process_settles_meanwhile_is_settled_once(
    status: MessageStatus, memory: MakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the read and the write; its receivers see the message as it is stored."""
    provider = memory(price="0.05")
    message, store = accepted(provider), single._store

    def settle_and_store(*args: Any) -> bool:
        Message.objects.update(status=status, error_code="by another")
        return store(*args)

    monkeypatch.setattr(single, "_store", settle_and_store)
    with values_sent(delivery_reported, "report") as reported, values_sent(message_settled, "message") as settled:
        push(provider, report("42"))

    raised = status == MessageStatus.UNDELIVERED
    message.refresh_from_db()
    assert (message.status, len(settled), len(reported)) == ("delivered", raised, 1)
    assert reported[0].message.status == "delivered"
    assert DeliveryReport.objects.get().message == message


def test_a_message_that_gets_its_id_after_the_search_is_found_by_the_next(
    memory: MakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = memory()
    message = sending(provider)

    def insert_after_acceptance(row: DeliveryReport) -> None:
        record(message, Acceptance(remote_id="42"))
        insert(row)

    monkeypatch.setattr(single, "insert", insert_after_acceptance)
    push(provider, report("42"))

    assert (DeliveryReport.objects.get().message, Message.objects.get().status) == (message, "delivered")


def test_a_repeated_report_is_matched_if_that_was_interrupted(memory: MakeProvider) -> None:
    provider = memory()
    early, message = report("42"), sending(provider)
    push(provider, early)
    Message.objects.update(status=MessageStatus.ACCEPTED, remote_id="42")  # and its process died

    with values_sent(delivery_reported, "report") as reported, values_sent(message_settled, "message") as settled:
        push(provider, early)
        push(provider, early)

    assert (len(reported), len(settled), DeliveryReport.objects.count()) == (1, 1, 1)
    assert DeliveryReport.objects.get().message == message


def test_another_report_leaves_an_unmatched_one_to_the_poll(memory: MakeProvider) -> None:
    provider = memory()
    sending(provider)
    push(provider, report("42"))
    Message.objects.update(status=MessageStatus.ACCEPTED, remote_id="42")  # and its process died

    push(provider, report("42", UNDELIVERED, "-1"))

    assert Message.objects.get().status == "undelivered"
    assert poll() == {"matched": 1}
    assert Message.objects.get().status == "delivered"


def test_a_report_of_a_message_that_is_gone_is_not_stored_and_may_be_repeated(
    memory: MakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = memory()
    message, find = accepted(provider), single._message_of

    def find_and_delete(*args: Any) -> Message | None:
        found = find(*args)
        message.delete()
        return found

    with monkeypatch.context() as patched:
        patched.setattr(single, "_message_of", find_and_delete)
        with pytest.raises(IntegrityError):
            push(provider, report("42"))
    assert not DeliveryReport.objects.exists()

    push(provider, report("42"))
    assert DeliveryReport.objects.get().message is None


def test_an_id_in_other_letters_is_another_message(memory: MakeProvider) -> None:
    """A MySQL collation takes them for one."""
    provider = memory()
    same, other = sending(provider), sending(provider)
    record(same, Acceptance(remote_id="a1"))
    record(other, Acceptance(remote_id="A1"))

    push(provider, report("a1"))

    assert [Message.objects.get(pk=one.pk).status for one in (same, other)] == ["delivered", "accepted"]


def test_a_later_report_of_a_lower_rank_is_stored_and_signalled(memory: MakeProvider) -> None:
    provider = memory()
    accepted(provider)
    push(provider, report("42"))

    with values_sent(delivery_reported, "report") as reported, values_sent(message_settled, "message") as settled:
        push(provider, report("42", UNDELIVERED, "-1"))

    assert (len(reported), settled, Message.objects.get().status) == (1, [], "delivered")


def test_receivers_get_a_whole_message(memory: MakeProvider) -> None:
    provider = memory()
    message = accepted(provider)

    with values_sent(delivery_reported, "report") as reported, values_sent(message_settled, "message") as settled:
        push(provider, report("42"))
        with counted() as statements:
            assert reported[0].message.get_deferred_fields() == set()
            assert (settled[0], settled[0].provider, settled[0].purpose) == (message, provider, "login")

    assert statements == []
    stored = Message.objects.get()
    for name in ("status", "cost", "settled_at"):
        assert getattr(settled[0], name) == getattr(stored, name)


def test_nobody_needs_more_of_the_message_than_its_status(memory: MakeProvider) -> None:
    provider = memory()
    accepted(provider)
    row = DeliveryReport(
        provider=provider, remote_id="42", phone="+8613800138000", outcome=DELIVERED, fingerprint=UUID(int=1)
    )

    assert store_report(provider, row)

    assert row.message
    assert "purpose" in row.message.get_deferred_fields()
    assert Message.objects.get().status == "delivered"


def test_a_new_unknown_report_is_logged_once(memory: MakeProvider, log: LogRecorder) -> None:
    provider = memory()

    push(provider, report("42"))
    push(provider, report("42"))

    assert len([line for line in log.lines if "not known (yet): 42" in line]) == 1
    assert DeliveryReport.objects.get().source == ReportSource.PUSH


@pytest.mark.django_db
def test_a_site_may_test_its_webhook_in_a_transaction(memory: MakeProvider) -> None:
    provider = memory()

    for _ in range(2):
        push(provider, report("42"))

    assert DeliveryReport.objects.count() == 1
