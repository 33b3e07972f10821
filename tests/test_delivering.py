"""Delivery after the request: by a worker, or by the poll after a crash; and a queue that cannot be reached."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
import requests
import time_machine
from django.db import OperationalError, connection
from django.test import override_settings
from django.utils import timezone
from sandbox.faults import Fault
from sandbox.server import Sandbox

from django_smsverify.enums import MessageStatus
from django_smsverify.exceptions import GatewayUnavailable, NoRoute, Throttled
from django_smsverify.gateways.base import Outcome
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.models import LateChange, Message, Provider, Template, Verification
from django_smsverify.models.statements import claim_message
from django_smsverify.money import balances
from django_smsverify.polling.poll import poll
from django_smsverify.polling.recovery import FORGOTTEN
from django_smsverify.sending import circuits, dispatch, resend_code, send_code, send_message, worker
from django_smsverify.sending.attempt import send_queued
from django_smsverify.sending.worker import send_waiting
from django_smsverify.signals import message_settled
from django_smsverify.types import OutgoingSMS
from django_smsverify.verifying import verify_code

from .conftest import PHONE, LogRecorder, MakeProvider, Site, add_template, last_code, refusal
from .test_storing_reports import values_sent

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
NOTICE = "{name}，您的订单已发货，请注意查收。"


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as coordinates:
        yield coordinates


class Queue:
    """A stand-in for a broker: stores the ids of each task, or cannot be reached."""

    def __init__(self) -> None:
        self.tasks: list[list[str]] = []
        self.is_up = True
        self.calls = 0

    def put(self, ids: list[str]) -> None:
        self.calls += 1
        if not self.is_up:
            raise ConnectionError("no broker at amqp://user:S3CRET@broker")
        self.tasks.append(ids)

    def work(self) -> None:
        """Run all tasks, as a worker does."""
        while self.tasks:
            send_waiting(self.tasks.pop(0))


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    queue = Queue()
    monkeypatch.setattr(dispatch, "_enqueue", queue.put)
    with override_settings(SMSVERIFY={"DISPATCH": "celery"}):
        yield queue


def statuses() -> list[str]:
    return list(Message.objects.order_by("created_at").values_list("status", flat=True))


class BuggyGateway(MemoryGateway):
    def transmit(self, sms: OutgoingSMS) -> dict[str, Outcome]:
        raise RuntimeError(f"a bug over {sms.recipients}")


class TestWithAQueue:
    def test_the_answer_comes_before_the_vendor_is_called(self, queue: Queue, memory: MakeProvider, site: Site) -> None:
        memory()

        sent = site.send()

        assert (sent.status_code, statuses(), len(MemoryGateway.outbox)) == (202, ["queued"], 0)
        assert queue.tasks == [[str(Message.objects.get().pk)]]
        assert status_of(site, sent)["status"] == "queued"
        queue.work()
        assert status_of(site, sent)["status"] == "accepted"
        assert site.verify(sent.json()["verification_id"], last_code()).status_code == 200

    def test_a_worker_knows_when_its_call_began(
        self, queue: Queue, memory: MakeProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of balances in answers that come in another order, the one of the later call counts."""
        memory()
        send_code(PHONE, "login")
        began: list[object] = []
        monkeypatch.setattr(balances, "note_outcomes", lambda provider, outcomes, asked_at: began.append(asked_at))

        queue.work()

        assert began == [Message.objects.get().claimed_at]

    def test_a_trial_is_made_by_the_worker(
        self, queue: Queue, memory: MakeProvider, clock: time_machine.Traveller
    ) -> None:
        first, _second = memory(priority=1), memory(slug="second", priority=2)
        for _ in range(circuits.FAILURES):
            circuits.note(first, [GatewayUnavailable("refused")])
        clock.shift(circuits.FIRST_PAUSE)

        send_code(PHONE, "login")
        queue.work()

        assert Message.objects.get().provider == first
        assert not circuits.open_circuits([first.pk])

    @pytest.mark.parametrize(
        ("fault", "code"), [(Fault.refuse("405"), "gateway_unavailable"), (Fault.refuse("406"), "phone_rejected")]
    )
    def test_a_later_refusal_is_returned_as_the_status(
        self, queue: Queue, vendor: MakeProvider, sandbox: Sandbox, site: Site, fault: Fault, code: str
    ) -> None:
        vendor("ihuyi")
        sandbox.misbehave("ihuyi", fault)
        sent = site.send()
        assert sent.status_code == 202

        queue.work()

        answer = status_of(site, sent)
        assert (answer["status"], answer["code"], answer["expires_in"]) == ("not_sent", code, 0)
        assert answer["detail"]
        assert site.send().status_code == 202, "the refused SMS does not count"

    def test_a_task_that_runs_twice_or_in_parallel_sends_once(
        self, queue: Queue, vendor: MakeProvider, sandbox: Sandbox
    ) -> None:
        vendor("topthink")
        send_code(PHONE, "login")
        ids, barrier = queue.tasks[0], threading.Barrier(8)

        def work(_: int) -> None:
            barrier.wait(60)
            try:
                send_waiting(ids)
                send_waiting(ids)
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))

        assert len(sandbox.inbox.of(PHONE[3:])) == 1
        assert statuses() == ["accepted"]

    def test_a_worker_fails_over_like_a_request(
        self, queue: Queue, vendor: MakeProvider, memory: MakeProvider, sandbox: Sandbox
    ) -> None:
        vendor("ihuyi", priority=1)
        vendor("topthink", priority=2)
        memory(priority=3)
        sandbox.misbehave("ihuyi", Fault.refuse("405"))
        sandbox.misbehave("topthink", Fault.status(403))
        send_code(PHONE, "login")

        queue.work()

        assert statuses() == ["not_sent", "not_sent", "accepted"]
        assert list(Message.objects.order_by("attempt").values_list("attempt", flat=True)) == [1, 2, 3]

    @pytest.mark.slow
    def test_a_bulk_notice_is_split_into_tasks(self, queue: Queue, vendor: MakeProvider, sandbox: Sandbox) -> None:
        template = add_template(vendor("topthink"), "notice", NOTICE, "236")
        numbers = [f"+86139{number:08}" for number in range(dispatch.MESSAGES_A_TASK + 1)]

        messages = send_message(template, {number: {"name": "王"} for number in numbers})

        assert {message.status for message in messages} == {"queued"}
        assert [len(ids) for ids in queue.tasks] == [dispatch.MESSAGES_A_TASK, 1]
        assert Message.objects.exclude(values={}).count() == len(numbers)
        queue.work()
        assert {sms.phone for sms in sandbox.inbox.all()} == {number[3:] for number in numbers}
        assert Message.objects.filter(status="accepted", values={}).count() == len(numbers)


def status_of(site: Site, sent: requests.Response) -> dict[str, Any]:
    answer = requests.get(f"{site.url}/sms/send/{sent.json()['verification_id']}/", timeout=20)
    assert answer.status_code == 200
    return answer.json()  # type: ignore[no-any-return]


class TestWithoutABroker:
    @pytest.fixture(autouse=True)
    def _down(self, queue: Queue) -> None:
        queue.is_up = False

    def test_nothing_is_sent_now_or_later_and_nothing_is_charged(
        self, queue: Queue, memory: MakeProvider, site: Site, log: LogRecorder
    ) -> None:
        memory()
        with values_sent(message_settled, "message") as settled:
            assert refusal(site.send()) == (503, "gateway_unavailable")

        assert (statuses(), len(settled)) == (["not_sent"], 1)
        assert Message.objects.get().error_message == "the task queue could not be reached"
        assert "S3CRET" not in log.text
        queue.is_up = True
        assert site.send().status_code == 202
        queue.work()
        assert len(MemoryGateway.outbox) == 1

    def test_a_code_that_was_sent_before_stays_valid(self, queue: Queue, memory: MakeProvider) -> None:
        memory()
        queue.is_up = True
        verification = send_code(PHONE, "login")
        queue.work()
        queue.is_up = False
        Message.objects.update(created_at=timezone.now() - timedelta(seconds=60))

        with pytest.raises(NoRoute):
            resend_code(verification.pk)

        assert verify_code(verification.pk, last_code()).verified_at

    def test_a_task_that_a_worker_ran_all_the_same_is_no_failure(
        self, queue: Queue, memory: MakeProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The broker accepted the task, and its confirmation was lost."""

        def publish(ids: list[str]) -> None:
            send_waiting(ids)
            raise ConnectionError

        memory()
        monkeypatch.setattr(dispatch, "_enqueue", publish)

        verification = send_code(PHONE, "login")

        assert statuses() == ["accepted"]
        assert verify_code(verification.pk, last_code()).verified_at

    def test_a_bulk_notice_calls_the_broker_once(self, queue: Queue, memory: MakeProvider) -> None:
        template = add_template(memory(), "notice", NOTICE, "")

        messages = send_message(
            template, {f"+86139{n:08}": {"name": "王"} for n in range(2 * dispatch.MESSAGES_A_TASK)}
        )

        assert {message.status for message in messages} == {"not_sent"}
        assert queue.calls == 1
        assert not Message.objects.exclude(values={}).exists()


@pytest.fixture
def lose_tasks(queue: Queue, clock: time_machine.Traveller) -> Callable[[timedelta], None]:
    def lose(age: timedelta = FORGOTTEN + timedelta(seconds=1)) -> None:
        queue.tasks.clear()
        clock.shift(age)

    return lose


class TestLostTasks:
    """A message that was queued by a process that died: only the poll will claim it."""

    def test_is_sent_once_and_its_code_verifies(self, lose_tasks: Callable[..., None], memory: MakeProvider) -> None:
        memory()
        verification = send_code(PHONE, "login")
        assert poll() == {}
        lose_tasks()

        assert poll() == {"taken up": 1}
        assert poll() == {}

        assert (statuses(), len(MemoryGateway.outbox)) == (["accepted"], 1)
        assert "4分钟" in MemoryGateway.outbox[0].text, "the text shows the lifetime that is left"
        assert verify_code(verification.pk, last_code()).verified_at

    def test_is_not_sent_when_the_code_is_about_to_expire(
        self, lose_tasks: Callable[..., None], memory: MakeProvider
    ) -> None:
        memory()
        verification = send_code(PHONE, "login")
        lose_tasks(timedelta(seconds=241))

        with values_sent(message_settled, "message") as settled:
            assert poll() == {"taken up": 1}

        assert (statuses(), len(settled), len(MemoryGateway.outbox)) == (["not_sent"], 1, 0)
        assert "too few seconds left: 59" in Message.objects.get().error_message
        assert resend_code(verification.pk).seconds_left(timezone.now()) == 300, (
            "the unsent SMS does not count, so it may be resent"
        )

    def test_is_not_sent_when_the_person_has_requested_another(
        self, lose_tasks: Callable[..., None], memory: MakeProvider
    ) -> None:
        memory()
        first = send_code(PHONE, "login")
        lose_tasks()
        second = resend_code(first.pk)
        lose_tasks()

        assert poll() == {"taken up": 2}

        assert statuses() == ["not_sent", "accepted"]
        assert verify_code(second.pk, last_code()).verified_at, "the code of both stays valid"

    def test_is_not_sent_when_the_code_was_used(self, lose_tasks: Callable[..., None], memory: MakeProvider) -> None:
        memory()
        verification = send_code(PHONE, "login")
        verify_code(verification.pk, verification.derive_code())
        lose_tasks()

        poll()

        assert (statuses(), len(MemoryGateway.outbox)) == (["not_sent"], 0)
        assert Message.objects.get().error_message.endswith("already_used")

    def test_is_not_sent_when_the_key_of_its_code_is_gone(
        self, lose_tasks: Callable[..., None], memory: MakeProvider
    ) -> None:
        memory()
        send_code(PHONE, "login")
        lose_tasks()

        with override_settings(SECRET_KEY="another-key-" * 5):
            poll()

        assert statuses() == ["not_sent"]

    def test_goes_on_with_the_providers_that_this_request_has_not_tried(
        self, lose_tasks: Callable[..., None], memory: MakeProvider, vendor: MakeProvider, sandbox: Sandbox
    ) -> None:
        vendor("ihuyi", priority=1)
        vendor("topthink", priority=2)
        memory(priority=3)
        send_code(PHONE, "login")
        first = Message.objects.get()
        Message.objects.update(status=MessageStatus.NOT_SENT)
        follower = Message.objects.get()
        follower.pk, follower.attempt, follower.status = None, 2, MessageStatus.QUEUED
        follower.provider = Provider.objects.get(slug="topthink")
        follower.template = follower.provider.templates.get()
        follower.created_at += timedelta(seconds=1)
        follower.save(force_insert=True)
        sandbox.misbehave("topthink", Fault.status(403))
        lose_tasks(2 * FORGOTTEN)

        poll()

        tried = Message.objects.order_by("attempt").values_list("provider__slug", "status")
        assert list(tried) == [(first.provider.slug, "not_sent"), ("topthink", "not_sent"), ("memory", "accepted")]

    def test_notices_go_in_batches_and_no_number_twice_in_one(
        self, lose_tasks: Callable[..., None], vendor: MakeProvider, sandbox: Sandbox
    ) -> None:
        template = add_template(vendor("apispace"), "notice", NOTICE, "")
        for name in ("王", "李"):
            send_message(template, {f"+861390000000{n}": {"name": name} for n in range(3)})
        lose_tasks()

        assert poll()["taken up"] == 6

        texts = sorted((sms.phone, sms.text[5:6]) for sms in sandbox.inbox.all())
        assert texts == sorted((f"1390000000{n}", name) for n in range(3) for name in ("王", "李"))
        assert {(message.status, str(message.values)) for message in Message.objects.all()} == {("accepted", "{}")}

    def test_a_bug_in_one_gateway_does_not_stop_the_others(
        self, lose_tasks: Callable[..., None], memory: MakeProvider, log: LogRecorder
    ) -> None:
        buggy = memory("login", slug="buggy")
        memory("payment")
        send_code(PHONE, "login")
        send_code("13900139000", "payment")
        Provider.objects.filter(pk=buggy.pk).update(gateway="buggy")
        lose_tasks()

        site = {"GATEWAYS": {"buggy": f"{__name__}.BuggyGateway"}, "DISPATCH": "celery"}
        with override_settings(SMSVERIFY=site):
            assert poll() == {"taken up": 2}

        left = dict(Message.objects.values_list("provider__slug", "status"))
        assert left == {"buggy": "unknown", "memory": "accepted"}, "its outcome is unknown, and it is not sent again"
        assert "BuggyGateway fails while it is sending: RuntimeError" in log.text

    def test_a_bug_in_the_app_does_not_stop_other_messages(
        self, lose_tasks: Callable[..., None], memory: MakeProvider, log: LogRecorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        memory("login", "payment")
        send_code(PHONE, "login")
        send_code("13900139000", "payment")
        lose_tasks()

        def fail_for_logins(verification: Verification, message: Message, *args: Any) -> Message:
            if message.purpose == "login":
                raise RuntimeError(f"a bug with {message.phone}")
            return send_queued(verification, message, *args)

        monkeypatch.setattr(worker, "send_queued", fail_for_logins)
        with override_settings(SMSVERIFY={"DISPATCH": "celery"}):
            assert poll() == {"taken up": 2}

        left = dict(Message.objects.values_list("purpose", "status"))
        assert left == {"login": "not_sent", "payment": "accepted"}
        assert "The delivery by memory failed with RuntimeError" in log.text

    def test_a_gateway_that_is_gone_is_an_account_error(
        self, lose_tasks: Callable[..., None], memory: MakeProvider
    ) -> None:
        provider = memory()
        template = add_template(provider, "notice", NOTICE, "")
        send_message(template, {PHONE: {"name": "王"}})
        Provider.objects.update(gateway="gone")
        lose_tasks()

        poll()

        assert (Message.objects.get().status, Message.objects.get().error_reason) == ("not_sent", "account")


class TestChangesBeforeDelivery:
    """Changes between the moment when a message is queued and the moment when it is delivered."""

    def test_a_late_code_counts_from_the_moment_when_it_is_sent(
        self, queue: Queue, memory: MakeProvider, clock: time_machine.Traveller
    ) -> None:
        memory()
        send_code(PHONE, "login")
        clock.shift(timedelta(seconds=90))
        queue.work()

        with pytest.raises(Throttled) as refused:
            send_code(PHONE, "login")

        assert (refused.value.retry_after, len(MemoryGateway.outbox)) == (60, 1)

    def test_a_second_request_meanwhile_does_not_end_the_first_code(
        self, queue: Queue, memory: MakeProvider, clock: time_machine.Traveller
    ) -> None:
        memory()
        first = send_code(PHONE, "login")
        clock.shift(timedelta(seconds=61))
        send_code(PHONE, "login")
        queue.work()
        assert len(MemoryGateway.outbox) == 1

        clock.shift(timedelta(seconds=60))
        resend_code(first.pk)
        queue.work()

        assert verify_code(first.pk, last_code()).verified_at

    @pytest.mark.parametrize("change", ["circuit", "provider", "template", "moved"])
    def test_a_late_code_is_routed_again(self, change: str, queue: Queue, memory: MakeProvider) -> None:
        first, second = memory(slug="first", priority=1), memory(slug="second", priority=2)
        send_code(PHONE, "login")
        if change == "circuit":
            for _ in range(circuits.FAILURES):
                circuits.note(first, [GatewayUnavailable("refused")])
        elif change == "provider":
            Provider.objects.filter(pk=first.pk).update(is_active=False)
        elif change == "template":
            first.templates.update(status="rejected")
        else:
            first.templates.update(provider=second)

        queue.work()

        message = Message.objects.get()
        assert (message.provider, message.template.provider, message.status) == (second, second, "accepted")
        assert len(MemoryGateway.outbox) == 1

    @pytest.mark.parametrize("is_withdrawn", [False, True], ids=["claimed", "withdrawn"])
    def test_a_repeated_claim_of_a_code_of_yesterday_is_marked(
        self, is_withdrawn: bool, queue: Queue, memory: MakeProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sums of its day may be stored already."""
        memory()
        send_code(PHONE, "login")
        created_at = timezone.now() - timedelta(days=3)
        Message.objects.update(created_at=created_at)
        LateChange.objects.all().delete()

        def conflict(**values: Any) -> int:
            monkeypatch.setattr(worker, "claim_message", claim_message)
            if is_withdrawn:
                monkeypatch.setattr(worker, "_why_not_worth_sending", lambda *_args: "it is of no use")
            raise OperationalError(1213, "Deadlock found")

        monkeypatch.setattr(worker, "claim_message", conflict)
        queue.work()

        assert Message.objects.get().status == ("not_sent" if is_withdrawn else "accepted")
        assert LateChange.objects.get().moment == created_at

    def test_a_code_without_any_route_left_costs_nothing(self, queue: Queue, memory: MakeProvider) -> None:
        provider = memory()
        send_code(PHONE, "login")
        Provider.objects.update(is_active=False)
        queue.work()

        assert (statuses(), len(MemoryGateway.outbox)) == (["not_sent"], 0)
        Provider.objects.filter(pk=provider.pk).update(is_active=True)
        send_code(PHONE, "login")

    @pytest.mark.parametrize("change", ["template", "age", "key"])
    def test_a_notice_that_cannot_be_sent_is_withdrawn_and_delays_no_code(
        self, change: str, lose_tasks: Callable[..., None], memory: MakeProvider
    ) -> None:
        template = add_template(memory("payment", slug="other"), "notice", NOTICE, "")
        memory()
        (notice,) = send_message(template, {"+8613900139000": {"name": "王"}})
        if change == "template":
            Template.objects.filter(pk=template.pk).update(is_active=False)
        elif change == "age":
            Message.objects.update(created_at=timezone.now() - timedelta(hours=25))
        else:
            with override_settings(SMSVERIFY={"ENCRYPTION_KEYS": ["lost"]}):
                Message.objects.update(values={"name": "王"})
        send_code(PHONE, "login")
        lose_tasks()

        assert poll() == {"taken up": 2}

        notice.refresh_from_db()
        assert (notice.status, [sms.phone for sms in MemoryGateway.outbox]) == ("not_sent", [PHONE])
        assert notice.error_message

    def test_an_unsent_message_is_given_back_to_the_shared_limits(
        self, queue: Queue, memory: MakeProvider, clock: time_machine.Traveller
    ) -> None:
        clock.shift(60)  # at the edge of a bucket a worker gives nothing back to the limits
        provider = memory()
        limits = {"DISPATCH": "celery", "PREFIX_LIMITS": ("2/h",), "GLOBAL_LIMITS": ("2/h",)}
        with override_settings(SMSVERIFY=limits):
            for last in range(6):
                send_code(f"1380013800{last}", "login")
                Provider.objects.update(gateway="gone")
                queue.work()
                queue.work()
                Provider.objects.filter(pk=provider.pk).update(gateway="memory")

            assert statuses() == ["not_sent"] * 6
            for last in range(2):
                send_code(f"1380013800{last}", "login")
            with pytest.raises(Throttled):
                send_code("13800138002", "login")


def test_a_code_of_the_shortest_lifetime_is_sent(memory: MakeProvider) -> None:
    memory()
    with override_settings(SMSVERIFY={"CODE_LIFETIME": 60}):
        verification = send_code(PHONE, "login")

    assert verify_code(verification.pk, last_code()).verified_at


class SlowGateway(MemoryGateway):
    """Refuses when the code is about to expire."""

    clock: ClassVar[time_machine.Traveller]

    def transmit(self, sms: OutgoingSMS) -> dict[str, Outcome]:
        self.clock.shift(timedelta(seconds=250))
        return dict.fromkeys(sms.recipients, GatewayUnavailable("connection refused"))


def test_a_failover_ends_when_the_code_is_about_to_expire(memory: MakeProvider, clock: time_machine.Traveller) -> None:
    memory(priority=2)
    Provider.objects.filter(pk=memory(slug="slow", priority=1).pk).update(gateway="slow")
    SlowGateway.clock = clock

    slow = {"GATEWAYS": {"slow": f"{__name__}.SlowGateway"}}
    with override_settings(SMSVERIFY=slow), pytest.raises(NoRoute):
        send_code(PHONE, "login")

    assert statuses() == ["not_sent"]
