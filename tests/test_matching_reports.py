"""Many reports in one push have the same result as one by one, in few statements, also after an interruption."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from sandbox.server import Sandbox

from django_smsverify.enums import MessageStatus, ReportSource
from django_smsverify.models import DeliveryReport, Message, Provider
from django_smsverify.polling.poll import poll
from django_smsverify.reports import matching, storing
from django_smsverify.reports.storing import store_events
from django_smsverify.sending.vendor_call import record_outcomes
from django_smsverify.signals import delivery_reported, message_settled
from django_smsverify.types import Acceptance, DeliveryEvent, Event, News, ReplyEvent

from .conftest import LogRecorder, MakeProvider
from .test_polling import notify
from .test_storing_reports import DELIVERED, UNDELIVERED, in_parallel, push, report, sending, values_sent
from .test_webhooks import path_of

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 2000
"""As many reports as a body of 256 KiB can hold."""


def number(index: int) -> str:
    return f"+86138{index:08}"


def create_accepted(provider: Provider, indexes: range, **fields: Any) -> None:
    """Creates a message for each index; the index is the vendor's id."""
    template = provider.templates.all()[0]
    Message.objects.bulk_create(
        Message(
            **{
                "provider": provider,
                "template": template,
                "phone": number(index),
                "purpose": "login",
                "status": MessageStatus.ACCEPTED,
                "remote_id": str(index),
                "price": provider.price,
                **fields,
            }
        )
        for index in indexes
    )


def report_for(index: int, *, arrived: bool = True, **fields: Any) -> DeliveryEvent:
    outcome, code = (DELIVERED, "1") if arrived else (UNDELIVERED, "-1")
    return report(str(index), outcome, code, phone=number(index), **fields)


def statuses() -> Counter[str]:
    return Counter(Message.objects.values_list("status", flat=True))


@contextmanager
def counted() -> Iterator[list[str]]:
    """Records the statements that the body runs; Django's own log cannot hold so many."""
    statements: list[str] = []

    def record(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql != "BEGIN":  # only SQLite sends a statement for this
            statements.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(record):
        yield statements


def body_of(count: int) -> bytes:
    """A push of TopThink with so many reports; every third SMS is undelivered."""
    rows = [
        {"action": "report", "sms": {"id": str(index), "phone": number(index)[3:], "status": 1 if index % 3 else -1}}
        for index in range(count)
    ]
    return json.dumps(rows, separators=(",", ":")).encode()


@pytest.mark.slow
def test_a_push_of_2000_reports_takes_fewer_than_90_statements(vendor: MakeProvider, client: Client) -> None:
    provider = vendor("topthink", price="0.0450")
    create_accepted(provider, range(MANY))

    with (
        values_sent(delivery_reported, "report") as reported,
        values_sent(message_settled, "message") as settled,
        counted() as statements,
    ):
        answer: Any = client.post(path_of(provider), body_of(MANY), "application/json")

    assert (answer.status_code, answer.content) == (200, b"success")
    assert len(statements) < 90, Counter(statement[:40] for statement in statements)
    assert statuses() == {"delivered": 1333, "undelivered": 667}
    assert DeliveryReport.objects.filter(message__remote_id="1999", message__settled_at__isnull=False).count() == 1
    assert not DeliveryReport.objects.filter(message__isnull=True).exists()
    assert len({report.pk for report in reported}) == len({message.pk for message in settled}) == MANY
    assert {(m.status, m.cost) for m in settled} == {("delivered", Decimal("0.0450")), ("undelivered", Decimal(0))}


@pytest.mark.slow
def test_2000_repeated_reports_on_unknown_messages_take_few_statements(vendor: MakeProvider, client: Client) -> None:
    provider = vendor("topthink")
    client.post(path_of(provider), body_of(MANY), "application/json")

    with counted() as statements:
        answer: Any = client.post(path_of(provider), body_of(MANY), "application/json")

    assert (answer.status_code, DeliveryReport.objects.count()) == (200, MANY)
    assert len(statements) < 40


def test_fetched_reports_take_few_statements(vendor: MakeProvider, sandbox: Sandbox) -> None:
    provider = vendor("apispace", options={"report_host": sandbox.base_urls["apispace"]})
    notify(provider, 50)
    sandbox.flush()
    Message.objects.update(poll_at=timezone.now())

    with counted() as statements:
        assert poll() == {"fetched": 1, "nothing new": 1}

    assert len(statements) < 50
    assert statuses() == {"delivered": 50}


@pytest.mark.slow
def test_reports_left_unmatched_by_a_crash_are_matched_together(
    memory: MakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    providers = [memory(), memory(slug="other")]
    for provider in providers:
        with monkeypatch.context() as patched:
            patched.setattr(storing, "match_reports", lambda provider, reports: [])
            push(provider, *[report_for(index) for index in range(100)])
        create_accepted(provider, range(100))

    with counted() as statements:
        assert poll() == {"matched": 200}

    assert len(statements) < 50
    assert statuses() == {"delivered": 200}


@pytest.mark.slow
def test_early_reports_on_an_accepted_batch_are_matched_together(memory: MakeProvider) -> None:
    provider = memory(price="0.05")
    messages = [sending(provider, phone=number(index)) for index in range(100)]
    push(provider, *[report_for(index) for index in range(100)])

    with counted() as statements:
        record_outcomes([(message, Acceptance(remote_id=str(index))) for index, message in enumerate(messages)])

    assert len(statements) < 25
    assert {message.status for message in messages} == {"delivered"}
    assert statuses() == {"delivered": 100}
    assert not DeliveryReport.objects.filter(message__isnull=True).exists()


@pytest.mark.parametrize(("what", "statements"), [("new", 3), ("repeated", 2), ("early", 4)])
def test_a_single_report_takes_as_few_statements_as_possible(what: str, statements: int, memory: MakeProvider) -> None:
    provider = memory(price="0.05")
    create_accepted(provider, range(1))
    event = report_for(1 if what == "early" else 0)
    if what == "repeated":
        push(provider, event)

    with counted() as found:
        push(provider, event)

    assert len(found) == statements, found


def snapshot() -> list[Any]:
    """The state of messages and reports, without values that differ from run to run."""
    messages = Message.objects.order_by("phone", "created_at")
    facts = [(m.phone, m.remote_id, m.status, m.cost, m.settled_at is None) for m in messages]
    reports = DeliveryReport.objects.order_by("fingerprint").select_related("message")
    place = {message.pk: facts.index(fact) for message, fact in zip(messages, facts, strict=True)}
    return [facts, [(r.remote_id, r.phone, r.code, r.message_id and place[r.message_id]) for r in reports]]


def create_mixed(provider: Provider) -> list[Event]:
    """Creates all kinds of messages; returns all kinds of reports on them."""
    long_ago = timezone.now() - timedelta(days=1)
    create_accepted(provider, range(10))
    create_accepted(provider, range(10, 12), created_at=long_ago)  # the vendor used an id twice
    create_accepted(provider, range(10, 12))
    create_accepted(provider, range(12, 14), status=MessageStatus.UNKNOWN, remote_id="")
    create_accepted(provider, range(14, 16), status=MessageStatus.SENDING, remote_id="")
    create_accepted(provider, range(16, 18), status=MessageStatus.DELIVERED)
    create_accepted(provider, range(18, 22), remote_id="batch")
    events: list[Event] = [report_for(index, arrived=bool(index % 3)) for index in range(20)]
    events += [report_for(index) for index in range(0, 10, 4)]  # corrected
    events += [report("batch", phone=number(index)) for index in range(18, 21)]
    events += [report("batch", phone=number(30)), report("12", UNDELIVERED, "-2", phone=number(12)), report_for(0)]
    return events


@pytest.mark.slow
def test_the_result_depends_neither_on_the_order_nor_on_batches(memory: MakeProvider) -> None:
    provider, rng = memory(price="0.05"), random.Random(20261126)
    results = []

    for run in range(12):
        DeliveryReport.objects.all().delete()
        Message.objects.all().delete()
        events = create_mixed(provider)
        rng.shuffle(events)
        if run % 2:
            push(provider, *events)
        else:
            for event in events:
                push(provider, event)
        results.append(snapshot())

    assert all(result == results[0] for result in results[1:])


def test_several_chunks_of_reports_on_one_message_settle_it_once(
    memory: MakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "CHUNK_SIZE", 3)
    provider = memory()
    create_accepted(provider, range(1))

    with values_sent(delivery_reported, "report") as reported, values_sent(message_settled, "message") as settled:
        push(provider, *[report("0", DELIVERED, str(code), phone=number(0)) for code in range(10)])

    assert (len(reported), len(settled), statuses()) == (10, 1, {"delivered": 1})


def test_the_same_reports_in_parallel_are_stored_and_signalled_once(memory: MakeProvider) -> None:
    provider = memory()
    messages = [sending(provider, phone=number(index)) for index in range(40)]
    events = [report_for(index) for index in range(40)]
    accept = [(message, Acceptance(remote_id=str(index))) for index, message in enumerate(messages)]
    new: list[int] = []

    def store(some: list[DeliveryEvent]) -> Callable[[], None]:
        return lambda: new.append(store_events(provider, News(events=tuple(some)), ReportSource.PUSH))

    with values_sent(delivery_reported, "report") as reported, values_sent(message_settled, "message") as settled:
        in_parallel(
            store(events), store(events[::-1]), store(events[::2]), store(events[:1]), lambda: record_outcomes(accept)
        )

    assert (sum(new), DeliveryReport.objects.count()) == (40, 40)
    assert not DeliveryReport.objects.filter(message__isnull=True).exists()
    assert (len(reported), len(settled), statuses()) == (40, 40, {"delivered": 40})


def test_rows_that_another_process_changes_meanwhile_are_signalled_once(
    memory: MakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the read and the write, another process settles one message and matches one report."""
    provider = memory()
    create_accepted(provider, range(5))
    settle = matching._settle

    def push_and_settle(*args: Any) -> Any:
        monkeypatch.setattr(matching, "_settle", settle)
        push(provider, report_for(0))
        return settle(*args)

    with values_sent(delivery_reported, "report") as reported, values_sent(message_settled, "message") as settled:
        monkeypatch.setattr(matching, "_settle", push_and_settle)
        push(provider, *[report_for(index) for index in range(5)])

    assert statuses() == {"delivered": 5}
    assert sorted(report.remote_id for report in reported) == sorted(message.remote_id for message in settled)
    assert len(reported) == 5


@pytest.mark.slow
def test_a_push_interrupted_at_any_statement_can_be_repeated(memory: MakeProvider) -> None:
    provider = memory(price="0.05")

    for place in count(1):
        DeliveryReport.objects.all().delete()
        Message.objects.all().delete()
        events = create_mixed(provider)
        passed, interrupted = count(1), False

        def fail(execute: Any, *args: Any, passed: Any = passed, place: int = place) -> Any:
            if next(passed) == place:
                raise OperationalError("the connection was lost")
            return execute(*args)

        try:
            with connection.execute_wrapper(fail):
                push(provider, *events)
        except OperationalError:
            interrupted = True
        push(provider, *events)
        result = snapshot()
        if place == 1:
            first = result
        assert result == first, f"interrupted at statement {place}"
        if not interrupted:
            break

    assert place > 10


def test_unknown_messages_are_named_in_one_line_of_the_log(memory: MakeProvider, log: LogRecorder) -> None:
    provider = memory()

    push(provider, *[report_for(index) for index in range(12)])

    (line,) = [line for line in log.lines if "not known (yet)" in line]
    assert line.endswith("8, 9 and 2 more")


def searches(queries: CaptureQueriesContext) -> list[str]:
    """The conditions of the statements that search a message or a report."""
    found = [re.search(r"FROM .smsverify_(?:message|deliveryreport).*? WHERE (.*)", query["sql"]) for query in queries]
    return [one[1] for one in found if one]


@pytest.mark.parametrize("count", [1, 3])
def test_no_message_is_searched_by_its_provider(count: int, vendor: MakeProvider) -> None:
    """A database with old statistics would read all messages of a provider that was added since."""
    provider = vendor("topthink")
    create_accepted(provider, range(count))
    unknown = [report_for(index + 100) for index in range(count)]
    reply = ReplyEvent(phone=number(0), content="TD", occurred_at=timezone.now())

    with CaptureQueriesContext(connection) as queries:
        for events in ([report_for(index) for index in range(count)], unknown, [reply]):
            store_events(provider, News(events=tuple(events)), ReportSource.PUSH)
        Message.objects.update(status=MessageStatus.SENDING)
        record_outcomes([(message, Acceptance(remote_id="9")) for message in Message.objects.all()])

    assert len(searches(queries)) > 6
    assert [where for where in searches(queries) if "provider_id" in where] == []
