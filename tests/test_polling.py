"""Missing reports are queried at growing intervals, and messages without a report are settled in the end."""

from __future__ import annotations

import io
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone
from sandbox import catalogue
from sandbox.server import Fault, Sandbox, Travel

from django_smsverify import tasks
from django_smsverify.enums import MessageStatus, ReportSource, ReviewStatus
from django_smsverify.exceptions import InsideTransaction
from django_smsverify.gateways.apispace import APISpaceGateway
from django_smsverify.management.commands import smsverify_poll
from django_smsverify.models import DeliveryReport, Message, Provider, ReportBatch
from django_smsverify.polling import poll as polling
from django_smsverify.polling import questions, recovery
from django_smsverify.polling.poll import poll
from django_smsverify.reports.matching import REPORTS_EXPIRE_AFTER
from django_smsverify.sending import send_code, send_message
from django_smsverify.signals import delivery_reported, message_settled, review_changed
from django_smsverify.types import Acceptance, Answer
from tests.conftest import record

from .conftest import NOTICE_IDS, PHONE, LogRecorder, MakeProvider, add_template
from .test_storing_reports import sending, values_sent

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
STATUS, REPORTS = "/topthink/sms/query_status", "/apispace/api/sms/report"
UNREACHABLE = "http://127.0.0.1:9/"


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as coordinates:
        yield coordinates


def notify(provider: Provider, count: int) -> list[Message]:
    """Sends a notice to so many numbers."""
    template = provider.templates.filter(purpose="notice").first() or add_template(
        provider, "notice", catalogue.NOTICE_TEXT, NOTICE_IDS.get(provider.gateway, "")
    )
    return send_message(template, {f"+86138{number:08}": {"name": "王先生"} for number in range(count)})


def calls_to(sandbox: Sandbox, path: str = STATUS) -> int:
    return sum(exchange.path == path for exchange in sandbox.exchanges)


def statuses() -> Counter[str]:
    return Counter(Message.objects.values_list("status", flat=True))


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("smsverify_poll", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.any_database
@pytest.mark.slow
def test_after_an_hour_without_pushes_one_run_stores_every_final_status(
    vendor: MakeProvider, sandbox: Sandbox, clock: time_machine.Traveller
) -> None:
    provider = vendor("topthink")
    sandbox.webhooks["topthink"] = UNREACHABLE
    sandbox.travel(None, Travel(delay=3600))
    messages = notify(provider, 120)
    sandbox.travel(None, Travel(delay=3600, arrives=False))
    failing = send_code(PHONE, "login").messages.get()
    sandbox.flush()
    assert {pushed.status for pushed in sandbox.pushes} == {None}
    clock.shift(timedelta(hours=1))

    tally = poll()

    failing.refresh_from_db()
    assert tally == {"reported": len(messages) + 1}
    assert failing.status == MessageStatus.UNDELIVERED
    assert statuses() == {"delivered": len(messages), "undelivered": 1}
    report = DeliveryReport.objects.filter(message=failing).get()
    assert (report.source, report.code) == (ReportSource.POLL, "-1")
    assert DeliveryReport.objects.filter(occurred_at__isnull=True).count() == 0


@pytest.mark.any_database
@pytest.mark.slow
def test_a_message_is_queried_at_growing_intervals_and_settled_in_the_end(
    vendor: MakeProvider, sandbox: Sandbox, clock: time_machine.Traveller
) -> None:
    vendor("topthink")
    sandbox.travel(None, Travel(delay=10**6))
    message = send_code(PHONE, "login").messages.get()
    moments: list[int] = []
    before, step = calls_to(sandbox), 1

    with values_sent(message_settled, "message") as settled:
        while not settled:
            clock.shift(timedelta(minutes=step))
            poll()
            if calls_to(sandbox) > before:
                before = calls_to(sandbox)
                moments.append((timezone.now() - NOW) // timedelta(minutes=1))
                step = max(1, moments[-1] // 8) if len(moments) < 10 else 40

    gaps = [later - earlier for earlier, later in pairwise([0, *moments])]
    assert gaps[:10] == [1, 1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert set(gaps[10:]) == {360}
    assert timedelta(hours=72) < timezone.now() - NOW <= timedelta(hours=72, minutes=40)
    message.refresh_from_db()
    assert (message.status, settled) == (MessageStatus.ACCEPTED, [message])


def test_a_settled_message_is_not_queried(vendor: MakeProvider, sandbox: Sandbox, clock: Any) -> None:
    vendor("topthink")
    message = send_code(PHONE, "login").messages.get()
    Message.objects.filter(pk=message.pk).update(settled_at=NOW)
    clock.shift(timedelta(hours=1))
    before = calls_to(sandbox)

    assert poll() == {}
    assert calls_to(sandbox) == before


def test_a_newly_accepted_message_is_not_queried_yet(vendor: MakeProvider, clock: Any) -> None:
    vendor("topthink")
    send_code(PHONE, "login")

    assert poll() == {}


def test_a_run_stops_at_its_limit_and_the_next_run_continues(
    vendor: MakeProvider, sandbox: Sandbox, clock: Any
) -> None:
    notify(vendor("topthink"), 10)
    sandbox.flush()
    clock.shift(timedelta(hours=1))
    before = calls_to(sandbox)

    assert poll(limit=4) == {"reported": 4}
    assert calls_to(sandbox) == before + 4
    assert poll(limit=4) == {"reported": 4}
    assert poll(limit=4) == {"reported": 2}
    assert statuses() == {"delivered": 10}


def test_the_backlog_of_one_vendor_does_not_delay_another(vendor: MakeProvider, sandbox: Sandbox, clock: Any) -> None:
    first, second = vendor("topthink", slug="first"), vendor("topthink", slug="second")
    notify(first, 10), notify(second, 10)
    sandbox.flush()
    clock.shift(timedelta(hours=1))

    poll(limit=6)

    delivered = Message.objects.filter(status=MessageStatus.DELIVERED)
    assert Counter(delivered.values_list("provider__slug", flat=True)) == {"first": 3, "second": 3}


def test_a_vendor_that_is_down_is_skipped_and_the_others_are_queried(
    vendor: MakeProvider, sandbox: Sandbox, clock: Any
) -> None:
    up, down = vendor("topthink", slug="up"), vendor("topthink", slug="down")
    notify(up, 5), notify(down, 5)
    sandbox.flush()
    Provider.objects.filter(pk=down.pk).update(base_url="http://127.0.0.1:9")
    clock.shift(timedelta(hours=1))

    assert poll() == {"reported": 5, "failed": 3, "passed over": 2}
    Provider.objects.filter(pk=down.pk).update(base_url=sandbox.base_urls["topthink"])
    clock.shift(timedelta(minutes=2))
    assert poll() == {"reported": 5}


def test_an_id_unknown_to_the_vendor_does_not_block_other_messages(
    vendor: MakeProvider, sandbox: Sandbox, clock: Any
) -> None:
    provider = vendor("topthink")
    notify(provider, 6)
    sandbox.flush()
    for number in range(5):
        record(sending(provider), Acceptance(remote_id=f"gone{number}"))
    clock.shift(timedelta(hours=1))

    assert poll() == {"refused": 5, "reported": 6}


@pytest.mark.parametrize("fault", [Fault.garbage(), Fault.empty(), Fault.status(500), Fault.redirect()])
def test_an_unusable_response_changes_nothing(vendor: MakeProvider, sandbox: Sandbox, clock: Any, fault: Fault) -> None:
    vendor("topthink")
    send_code(PHONE, "login")
    sandbox.flush()
    clock.shift(timedelta(hours=1))
    sandbox.misbehave("topthink", fault)

    poll()

    assert (statuses(), DeliveryReport.objects.count()) == ({"accepted": 1}, 0)


def test_an_unusable_provider_does_not_block_the_others(vendor: MakeProvider, sandbox: Sandbox, clock: Any) -> None:
    notify(vendor("topthink"), 1)
    Provider.objects.create(name="gone", slug="gone", gateway="gone", priority=1)
    sandbox.flush()
    clock.shift(timedelta(hours=1))

    assert poll() == {"reported": 1}


def test_an_exception_in_one_gateway_does_not_stop_the_others(
    vendor: MakeProvider, sandbox: Sandbox, clock: Any, log: LogRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    notify(vendor("topthink"), 1)
    broken = vendor("apispace")
    notify(broken, 1)
    sandbox.flush()
    clock.shift(timedelta(hours=1))

    def fail(gateway: APISpaceGateway) -> None:
        raise RuntimeError(f"a bug with {PHONE}")

    monkeypatch.setattr(APISpaceGateway, "pull_reports", fail)

    assert poll() == {"failed": 1, "reported": 1}
    assert "A question to apispace failed with RuntimeError" in log.text


def test_polling_inside_a_transaction_is_refused(db: None) -> None:
    with pytest.raises(InsideTransaction, match=r"poll\(\)"), transaction.atomic():
        poll()


def test_an_account_that_is_changed_while_forgotten_messages_are_sent_is_asked_as_it_is_now(
    vendor: MakeProvider, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor("veesing", base_url=UNREACHABLE)
    Provider.objects.update(balance_checked_at=None)
    asked = []

    def send(*_args: Any) -> Iterator[str]:
        Provider.objects.update(base_url="http://127.0.0.1:10/")
        yield "taken up"

    def ask(question: questions.Question) -> str:
        asked.append(question.provider.base_url)
        return "asked"

    monkeypatch.setattr(polling, "send_forgotten", send)
    monkeypatch.setattr(polling, "_ask", ask)
    poll()

    assert asked == ["http://127.0.0.1:10/"]


def test_a_message_settled_during_the_run_is_not_queried(vendor: MakeProvider, sandbox: Sandbox, clock: Any) -> None:
    notify(vendor("topthink"), 2)
    sandbox.flush()
    clock.shift(timedelta(hours=1))

    def settle(done: int, total: int) -> None:
        Message.objects.update(settled_at=timezone.now())

    tally = poll(progress=settle)

    assert tally == {"reported": 1, "no longer due": 1}


@pytest.mark.slow
def test_parallel_runs_query_each_message_once(vendor: MakeProvider, sandbox: Sandbox, clock: Any) -> None:
    notify(vendor("topthink"), 30)
    sandbox.flush()
    clock.shift(timedelta(hours=1))
    before = calls_to(sandbox)
    start = threading.Barrier(4)

    def run_poll() -> None:
        start.wait(60)
        poll()
        connection.close()

    threads = [threading.Thread(target=run_poll) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statuses() == {"delivered": 30}
    assert calls_to(sandbox) == before + 30


class TestFetchedReports:
    """The reports of APISpace, which returns each report only once."""

    @pytest.fixture
    def provider(self, vendor: MakeProvider, sandbox: Sandbox) -> Provider:
        return vendor("apispace", options={"report_host": sandbox.base_urls["apispace"]})

    def test_all_reports_are_fetched_in_several_batches(self, provider: Provider, sandbox: Sandbox, clock: Any) -> None:
        notify(provider, 120)
        sandbox.flush()
        clock.shift(timedelta(hours=1))
        before = calls_to(sandbox, REPORTS)

        assert poll() == {"fetched": 3, "nothing new": 1}
        assert calls_to(sandbox, REPORTS) == before + 4
        assert statuses() == {"delivered": 120}
        assert not ReportBatch.objects.exists()

    @pytest.mark.slow
    def test_while_nothing_is_due_nothing_is_fetched(self, provider: Provider, sandbox: Sandbox, clock: Any) -> None:
        sandbox.travel(None, Travel(delay=10**6))
        before = calls_to(sandbox, REPORTS)
        assert poll() == {}

        notify(provider, 2)
        for _minute in range(64):
            clock.shift(timedelta(minutes=1))
            poll()

        assert calls_to(sandbox, REPORTS) == before + 7  # after 1, 2, 4, 8, 16, 32 and 64 minutes

    @pytest.mark.parametrize("interruption", ["limit", "failure"])
    def test_an_interrupted_fetch_continues_in_the_next_run(
        self, provider: Provider, sandbox: Sandbox, clock: Any, interruption: str
    ) -> None:
        notify(provider, 120)
        sandbox.flush()
        clock.shift(timedelta(hours=1))
        expected = {"limit": {"fetched": 1}, "failure": {"fetched": 1, "failed": 1}}

        def fail(done: int, total: int) -> None:
            sandbox.misbehave("apispace", Fault.status(503))

        tally = poll(limit=1) if interruption == "limit" else poll(progress=fail)
        assert tally == expected[interruption]
        sandbox.behave()
        clock.shift(timedelta(seconds=1))

        poll()

        assert statuses() == {"delivered": 120}

    def test_a_failed_fetch_is_not_repeated_immediately(self, provider: Provider, sandbox: Sandbox, clock: Any) -> None:
        notify(provider, 1)
        sandbox.flush()
        clock.shift(timedelta(hours=1))
        sandbox.misbehave("apispace", Fault.status(503))

        assert poll() == {"failed": 1}
        assert poll() == {}

    def test_a_crash_during_a_run_loses_no_reports(
        self, provider: Provider, sandbox: Sandbox, clock: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        notify(provider, 5)
        sandbox.flush()
        clock.shift(timedelta(hours=1))

        def crash(*args: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched, suppress(KeyboardInterrupt):
            patched.setattr(questions, "store_events", crash)
            poll()
        assert statuses() == {"accepted": 5}
        assert ReportBatch.objects.count() == 1

        poll()

        assert statuses() == {"delivered": 5}
        assert not ReportBatch.objects.exists()

    def test_unreadable_reports_are_kept_and_the_rest_is_stored(self, provider: Provider, sandbox: Sandbox) -> None:
        (message,) = notify(provider, 1)
        row = f'{{"msgId": "{message.remote_id}", "mobile": "{message.phone[3:]}", "status": "DELIVRD"}}'
        body = f'{{"code": "0", "data": [{{"msgId": "7"}}, {row}]}}'
        ReportBatch.objects.create(provider=provider, body=body)

        for _again in range(2):
            poll()

        assert statuses() == {"delivered": 1}
        assert ReportBatch.objects.get().problems == "row 1: no field 'status'"

    def test_a_vendor_that_always_returns_the_same_reports_is_soon_skipped(
        self, provider: Provider, sandbox: Sandbox, clock: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (message,) = notify(provider, 1)
        row = f'{{"msgId": "{message.remote_id}", "mobile": "{message.phone[3:]}", "status": "DELIVRD"}}'
        answer = Answer(200, f'{{"code": "unheard of", "data": [{row}]}}'.encode())
        monkeypatch.setattr(APISpaceGateway, "pull_reports", lambda gateway: answer)
        clock.shift(timedelta(hours=1))

        assert poll() == {"fetched": questions.MAX_EMPTY_BATCHES, "nothing new": 1}
        assert statuses() == {"delivered": 1}

    @pytest.mark.parametrize("body", ["<html>", "", "[]", '{"code": "0", "data": 7}'])
    def test_a_response_that_is_not_a_batch_is_kept(self, provider: Provider, body: str) -> None:
        ReportBatch.objects.create(provider=provider, body=body)

        assert poll() == {"failed": 1}
        assert ReportBatch.objects.get().problems

    def test_a_refusal_is_not_kept(self, provider: Provider) -> None:
        ReportBatch.objects.create(provider=provider, body='{"code": "003", "errorMsg": "IP"}')

        assert poll() == {"failed": 1}
        assert not ReportBatch.objects.exists()


class TestReviews:
    def test_a_pending_text_is_queried_until_its_verdict(
        self, vendor: MakeProvider, sandbox: Sandbox, clock: Any
    ) -> None:
        provider = vendor("topthink")
        template = add_template(provider, "register", "动态码{code}", "238", status=ReviewStatus.PENDING)
        with values_sent(review_changed, "text") as changed:
            assert poll() == {"reviewed": 1}
            assert poll() == {}
            sandbox.judge("topthink", "template", "238", approved=False, reason="请提供网址")
            clock.shift(timedelta(minutes=1))
            assert poll() == {"reviewed": 1}
            clock.shift(timedelta(days=1))
            assert poll() == {}

        template.refresh_from_db()
        assert (template.status, template.reason) == (ReviewStatus.REJECTED, "请提供网址")
        assert changed == [template]

    def test_a_vendor_without_queries_of_verdicts_is_not_queried(self, vendor: MakeProvider) -> None:
        add_template(vendor("ihuyi"), "register", "动态码{code}", "2004", status=ReviewStatus.PENDING)

        assert poll() == {"balance updated": 1}


class TestEndings:
    @pytest.mark.slow
    def test_a_message_is_not_settled_before_it_was_queried(
        self, vendor: MakeProvider, sandbox: Sandbox, clock: time_machine.Traveller
    ) -> None:
        notify(vendor("topthink"), 6)
        sandbox.flush()
        clock.shift(timedelta(hours=80))

        for _run in range(3):
            poll(limit=2)

        assert statuses() == {"delivered": 6}

    @pytest.mark.slow
    def test_a_message_is_not_settled_after_a_failed_query(
        self, vendor: MakeProvider, sandbox: Sandbox, clock: time_machine.Traveller
    ) -> None:
        notify(vendor("topthink"), 1)
        sandbox.flush()
        clock.shift(timedelta(hours=80))
        sandbox.misbehave("topthink", Fault.status(503))
        assert poll() == {"failed": 1}
        sandbox.behave()
        clock.shift(timedelta(minutes=1))

        assert poll() == {"reported": 1}

    @pytest.mark.slow
    def test_a_message_of_an_unreachable_vendor_is_settled_in_the_end(
        self, vendor: MakeProvider, sandbox: Sandbox, clock: time_machine.Traveller
    ) -> None:
        notify(vendor("topthink"), 1)
        Provider.objects.update(base_url="http://127.0.0.1:9")
        clock.shift(timedelta(hours=80))

        for _run in range(polling.MAX_VENDOR_FAILURES):
            poll()
            clock.shift(timedelta(hours=7))

        assert Message.objects.get().settled_at is not None

    def test_a_message_of_a_crashed_process_is_unknown_and_not_sent_again(
        self, memory: MakeProvider, clock: Any
    ) -> None:
        provider = memory()
        crashed, running = (sending(provider, values={"name": "王"}, claimed_at=NOW) for _ in range(2))
        Message.objects.filter(pk=crashed.pk).update(claimed_at=NOW - recovery.STUCK_AFTER - timedelta(seconds=1))

        assert poll() == {"stuck": 1}

        crashed.refresh_from_db()
        running.refresh_from_db()
        assert (crashed.status, crashed.values, running.status) == (MessageStatus.UNKNOWN, {}, MessageStatus.SENDING)
        assert "ended before" in crashed.error_message

    @pytest.mark.parametrize("status", [MessageStatus.UNKNOWN, MessageStatus.ACCEPTED])
    def test_a_message_without_reports_is_settled_with_its_status(
        self, memory: MakeProvider, clock: time_machine.Traveller, status: MessageStatus
    ) -> None:
        message = sending(memory(), status=status)
        clock.shift(REPORTS_EXPIRE_AFTER)
        assert poll() == {}
        clock.shift(timedelta(seconds=1))

        outcome = "unknown for good" if status == MessageStatus.UNKNOWN else "settled"
        with values_sent(message_settled, "message") as settled:
            assert poll() == {outcome: 1}
            assert poll() == {}

        message.refresh_from_db()
        assert (message.status, message.settled_at, settled) == (status, timezone.now(), [message])

    def test_a_report_left_unmatched_by_a_crash_is_matched(self, memory: MakeProvider) -> None:
        provider = memory()
        message = sending(provider, status=MessageStatus.ACCEPTED, remote_id="42")
        fields = {"provider": provider, "phone": PHONE, "outcome": "delivered", "source": "push"}
        report = DeliveryReport.objects.create(remote_id="42", fingerprint=UUID(int=1), **fields)
        DeliveryReport.objects.create(remote_id="unknown", fingerprint=UUID(int=2), **fields)

        with values_sent(delivery_reported, "report") as reported:
            assert poll() == {"matched": 1}

        message.refresh_from_db()
        assert (message.status, reported) == (MessageStatus.DELIVERED, [report])


class TestCommand:
    def test_it_prints_the_tally(self, vendor: MakeProvider, sandbox: Sandbox, clock: Any) -> None:
        provider = vendor("topthink")
        notify(provider, 2)
        sandbox.flush()
        clock.shift(timedelta(hours=1))
        fields = {"provider": provider, "phone": PHONE, "outcome": "delivered", "source": "push", "remote_id": "7"}
        DeliveryReport.objects.create(fingerprint=UUID(int=1), **fields)
        ReportBatch.objects.create(provider=provider, problems="row 1: no id")

        assert run().splitlines() == [
            "reported 2",
            "1 delivery reports are about messages that are not known here",
            "1 fetched batches have parts that cannot be read: see the admin",
        ]

    def test_it_counts_unknown_reports_up_to_a_maximum(
        self, memory: MakeProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(smsverify_poll, "MANY", 1)
        fields = {"provider": memory(), "phone": PHONE, "outcome": "delivered", "source": "push"}
        for number in ("1", "2"):
            DeliveryReport.objects.create(remote_id=number, fingerprint=UUID(number.zfill(32)), **fields)

        assert run() == "nothing to ask\nover 1 delivery reports are about messages that are not known here\n"

    def test_it_prints_one_line_if_nothing_is_due(self, db: None) -> None:
        assert run() == "nothing to ask\n"

    @pytest.mark.parametrize("limit", ["0", "-1"])
    def test_it_refuses_a_limit_below_1(self, db: None, limit: str) -> None:
        with pytest.raises(CommandError, match=f"at least 1, not {limit}"):
            run(f"--limit={limit}")

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_stops_it_after_the_current_message(
        self, vendor: MakeProvider, sandbox: Sandbox, clock: Any, number: int
    ) -> None:
        notify(vendor("topthink"), 5)
        sandbox.flush()
        clock.shift(timedelta(hours=1))
        before = signal.getsignal(number)

        def stop(**fields: Any) -> None:
            os.kill(os.getpid(), number)

        delivery_reported.connect(stop)
        try:
            output = run()
        finally:
            delivery_reported.disconnect(stop)

        assert output == "reported 1\nstopped early, as asked; the next run goes on\n"
        assert statuses() == {"delivered": 1, "accepted": 4}
        assert signal.getsignal(number) is before
        assert run() == "reported 4\n"


def test_the_command_runs_in_a_schedulers_thread(memory: MakeProvider) -> None:
    outputs: list[str] = []

    def scheduled() -> None:
        outputs.append(run())
        connection.close()

    thread = threading.Thread(target=scheduled)
    thread.start()
    thread.join()

    assert outputs == ["nothing to ask\n"]


def test_progress_receives_the_number_done_and_the_total(vendor: MakeProvider, sandbox: Sandbox, clock: Any) -> None:
    notify(vendor("topthink"), 3)
    sandbox.flush()
    clock.shift(timedelta(hours=1))
    progress: list[tuple[int, int]] = []

    poll(progress=lambda done, total: progress.append((done, total)))

    assert progress == [(1, 3), (2, 3), (3, 3)]


def test_the_task_does_what_the_command_does(vendor: MakeProvider, sandbox: Sandbox, clock: Any) -> None:
    notify(vendor("topthink"), 3)
    sandbox.flush()
    clock.shift(timedelta(hours=1))
    enqueue: Callable[..., Any] = tasks.poll.enqueue

    assert enqueue(limit=2).return_value == {"reported": 2}
    assert statuses() == {"delivered": 2, "accepted": 1}
