"""Bulk sends: batches that can be continued, what ends a run, a bad number among good ones, and the pace."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, ClassVar

import pytest
from django.core.cache import cache
from django.db import connection, connections
from django.test import override_settings
from django.utils import timezone
from sandbox import catalogue
from sandbox.faults import Fault
from sandbox.server import Sandbox

from django_smsverify.enums import Reason
from django_smsverify.exceptions import GatewayError, GatewayRejected, GatewayUnavailable, GatewayUncertain
from django_smsverify.gateways.base import Outcome
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.models import Message, Provider, Template
from django_smsverify.polling.poll import poll
from django_smsverify.polling.recovery import FORGOTTEN
from django_smsverify.sending import batching, bulk_rows, bulk_run, circuits, dispatch, send_bulk, send_message
from django_smsverify.sending.bulk_run import CHUNK_OF_CALLS
from django_smsverify.sending.pacing import LONGEST_PAUSE, Pace, WorkerPool
from django_smsverify.sending.vendor_call import record_outcomes
from django_smsverify.sending.worker import NOTICES_EXPIRE_AFTER, send_waiting
from django_smsverify.types import Acceptance, OutgoingSMS

from .conftest import NOTICE_IDS, PLAIN_IDS, LogRecorder, MakeProvider, add_template
from .test_races import at_once

pytestmark = pytest.mark.django_db(transaction=True)

FAST = {"pace": "999"}
SITE = {
    "GATEWAYS": {
        "one": f"{__name__}.OneByOneGateway",
        "many": f"{__name__}.BatchGateway",
        "refusing": f"{__name__}.RefusingGateway",
        "waiting": f"{__name__}.WaitingGateway",
    }
}
CHUNK = 200
"""Numbers whose rows are created at once, here."""


class OneByOneGateway(MemoryGateway):
    """Takes one number in a call; the nth call raises `errors[n]` if there is one."""

    max_recipients = 1
    local = False
    errors: ClassVar[dict[int, Exception]] = {}
    calls: ClassVar[list[list[str]]] = []
    threads: ClassVar[set[int]] = set()
    lock: ClassVar[threading.Lock] = threading.Lock()

    def transmit(self, sms: OutgoingSMS) -> Mapping[str, Outcome]:
        with self.lock:
            self.calls.append(list(sms.recipients))
            error = self.errors.get(len(self.calls))
        self.threads.add(threading.get_ident())
        if error is not None:
            raise error
        return {phone: Acceptance(remote_id="1") for phone in sms.recipients}


class BatchGateway(OneByOneGateway):
    max_recipients = 10


class RefusingGateway(BatchGateway):
    """Answers calls after the second only when the run has ended: those that are under way then, and no more."""

    ended: ClassVar[threading.Event] = threading.Event()

    def transmit(self, sms: OutgoingSMS) -> Mapping[str, Outcome]:
        found = super().transmit(sms)
        if len(self.calls) > 2:
            self.ended.wait(60)
        return found


class WaitingGateway(BatchGateway):
    """Answers the first call, and the others only when as many as there are threads were under way at once."""

    most_open: ClassVar[int] = 0
    open_calls: ClassVar[int] = 0
    changed: ClassVar[threading.Condition] = threading.Condition()

    def transmit(self, sms: OutgoingSMS) -> Mapping[str, Outcome]:
        found, gateway = super().transmit(sms), WaitingGateway
        with self.changed:
            gateway.open_calls += 1
            gateway.most_open = max(gateway.most_open, gateway.open_calls)
            self.changed.notify_all()
            if len(self.calls) > 1:
                self.changed.wait_for(lambda: gateway.most_open == bulk_run.THREADS, 60)
            gateway.open_calls -= 1
        return found


@pytest.fixture(autouse=True)
def _reset_gateways() -> None:
    WaitingGateway.most_open = 0
    RefusingGateway.ended = threading.Event()
    OneByOneGateway.errors.clear()
    OneByOneGateway.calls.clear()
    OneByOneGateway.threads.clear()


@pytest.fixture(autouse=True)
def _small_chunks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "slow" not in request.keywords or "further_case" in request.keywords:  # the others are for scale
        monkeypatch.setattr(bulk_run, "CHUNK", CHUNK)


@pytest.fixture
def notice(memory: MakeProvider) -> Callable[[str], Template]:
    """Makes a notice template whose provider has a gateway of this module."""

    def make(gateway: str) -> Template:
        return add_template(memory(slug=gateway, options=FAST), "notice", "系统维护已完成。", "")

    def at(gateway: str) -> Template:
        template = make(gateway)
        Provider.objects.update(gateway=gateway)
        template.provider.refresh_from_db()
        return template

    return at


def numbers(count: int, start: int = 0) -> dict[str, dict[str, str]]:
    return {f"+86138{number:08}": {} for number in range(start, start + count)}


def called() -> list[str]:
    """The numbers that were sent to the vendor."""
    return [phone for call in OneByOneGateway.calls for phone in call]


def statuses() -> Counter[str]:
    return Counter(Message.objects.values_list("status", flat=True))


# ------------------------------------------------------------------------------------------- batches


def test_a_number_gets_one_message_in_a_named_batch(memory: MakeProvider) -> None:
    template = add_template(memory(), "notice", "{name}，您好。", "")
    first = send_message(template, {"13800138001": {"name": "王"}, "13800138002": {"name": "李"}}, batch="b")

    again = send_message(template, {"13800138002": {"name": "赵"}, "13800138003": {"name": "陈"}}, batch="b")

    assert again[0].pk == first[1].pk
    assert [(message.status, message.phone[-1]) for message in again] == [("accepted", "2"), ("accepted", "3")]
    assert [sms.text for sms in MemoryGateway.outbox] == [f"【示例站】{name}，您好。" for name in "王李陈"]


def test_another_name_is_another_batch(memory: MakeProvider) -> None:
    template = add_template(memory(), "notice", "您好。", "")
    for batch in ("a", "b", None, None):
        send_message(template, numbers(1), batch=batch)
    assert len(MemoryGateway.outbox) == 4


@pytest.mark.parametrize(
    ("batch", "more", "words"),
    [
        ("", {}, "1 to 64 characters"),
        ("x" * 65, {}, "1 to 64 characters, not 65"),
        ("taken", {}, "The batch taken is of the template memory other"),
        (None, {"stopped": lambda: False}, "Give the batch a name"),
    ],
)
def test_an_invalid_batch_name_is_refused_before_anything_is_sent(
    batch: str | None, more: dict[str, Any], words: str, memory: MakeProvider
) -> None:
    provider = memory()
    send_message(add_template(provider, "other", "您好。", ""), numbers(1, start=7), batch="taken")
    MemoryGateway.outbox.clear()

    with pytest.raises(ValueError, match=words):
        send_message(add_template(provider, "notice", "您好。", ""), numbers(3), batch=batch, **more)

    assert not MemoryGateway.outbox
    assert Message.objects.count() == 1


def test_a_rerun_sends_queued_messages_and_not_those_being_sent(memory: MakeProvider) -> None:
    template = add_template(memory(), "notice", "您好。", "")
    send_message(template, numbers(3), batch="b")
    queued, sending, _ = Message.objects.order_by("phone")
    Message.objects.filter(pk=queued.pk).update(status="queued")
    Message.objects.filter(pk=sending.pk).update(status="sending")
    MemoryGateway.outbox.clear()

    found = send_message(template, numbers(3), batch="b")

    assert [message.status for message in found] == ["accepted", "sending", "accepted"]
    assert [sms.phone for sms in MemoryGateway.outbox] == [queued.phone]


def test_a_message_queued_for_over_a_day_is_not_sent(memory: MakeProvider) -> None:
    template = add_template(memory(), "notice", "您好。", "")
    send_message(template, numbers(1), batch="b")
    Message.objects.update(status="queued", created_at=timezone.now() - NOTICES_EXPIRE_AFTER * 1.01)
    MemoryGateway.outbox.clear()

    (message,) = send_message(template, numbers(1), batch="b")

    assert (message.status, message.error_message) == ("not_sent", "it was queued for too long")
    assert not MemoryGateway.outbox


@pytest.mark.slow
@pytest.mark.parametrize("gateway", ["apispace", "qixuntong", "topthink"])
def test_parallel_runs_of_one_batch_send_once_to_each_number(
    gateway: str, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    template = add_template(vendor(gateway, options=FAST), "notice", catalogue.PLAIN_TEXT, PLAIN_IDS.get(gateway, ""))
    count = 60

    outcomes = at_once(4, lambda index: send_message(template, numbers(count), batch="b"))

    assert outcomes == {"done": 4}
    assert Counter(sms.phone for sms in sandbox.inbox.all()) == {phone[3:]: 1 for phone in numbers(count)}
    assert statuses() == {"accepted": count}


@pytest.mark.slow
@override_settings(SMSVERIFY=SITE)
@pytest.mark.parametrize("gateway", ["one", "many"])
def test_parallel_runs_with_several_threads_each_send_once_to_each_number(
    gateway: str, notice: Callable[[str], Template]
) -> None:
    template, count = notice(gateway), 150

    outcomes = at_once(3, lambda index: send_bulk(template, numbers(count).items(), name="b"))

    assert outcomes == {"done": 3}
    assert Counter(called()) == dict.fromkeys(numbers(count), 1)
    assert statuses() == {"accepted": count}


@pytest.mark.slow
def test_a_call_with_many_numbers_needs_few_statements(
    vendor: MakeProvider, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_run, "CHUNK", bulk_rows.CHUNK)
    monkeypatch.setattr(bulk_run, "CALLS_WITHOUT_THREADS", bulk_rows.CHUNK)
    statements: list[str] = []

    def count(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        statements.append(sql)
        return execute(sql, *rest)

    for gateway in ("apispace", "qixuntong"):
        template = add_template(vendor(gateway), "notice", catalogue.PLAIN_TEXT, "")
        with connection.execute_wrapper(count):
            send_message(template, numbers(bulk_rows.CHUNK), batch=gateway)
    assert statuses() == {"accepted": 2 * bulk_rows.CHUNK}
    calls = 2 + 5
    assert sum(sql.startswith("UPDATE") for sql in statements) == 2 * calls, "the claim and the outcome"
    # For each batch: the template, a batch of the same name, messages of the numbers, numbers without notices, the
    # budget; for each call: early reports; once: which kinds of numbers are listed.
    assert sum(sql.startswith("SELECT") for sql in statements) == 2 * 5 + calls + 1


# ------------------------------------------------------------------------------------ what ends a run


@override_settings(SMSVERIFY=SITE)
def test_a_stopped_run_has_rows_only_for_what_it_reached_and_can_continue(notice: Callable[[str], Template]) -> None:
    template, total, seen = notice("one"), 2 * CHUNK_OF_CALLS + 1, []

    first = send_bulk(
        template,
        numbers(total).items(),
        name="b",
        stopped=lambda: len(OneByOneGateway.calls) > 0,
        progress=lambda done, of: seen.append((done, of)),
    )

    assert (first.reached, first.why_over) == (CHUNK_OF_CALLS, "it was stopped")
    assert (seen[0], seen[-1]) == ((0, total), (CHUNK_OF_CALLS, total))
    assert statuses() == first.counts == {"accepted": CHUNK_OF_CALLS}
    second = send_bulk(template, numbers(total).items(), name="b")
    assert (second.counts, second.why_over) == ({"accepted": total}, "")
    assert sorted(called()) == sorted(numbers(total))


@pytest.mark.slow
@override_settings(SMSVERIFY=SITE)
def test_a_refused_account_ends_the_run_and_a_rerun_sends_the_rest(
    notice: Callable[[str], Template], monkeypatch: pytest.MonkeyPatch
) -> None:
    template, end = notice("refusing"), bulk_run.Run.end

    def end_and_tell(run: bulk_run.Run, why: str) -> None:
        end(run, why)
        if why:
            RefusingGateway.ended.set()

    monkeypatch.setattr(bulk_run.Run, "end", end_and_tell)
    OneByOneGateway.errors[2] = GatewayRejected("余额不足", reason=Reason.ACCOUNT)

    first = send_bulk(template, numbers(CHUNK + 10).items(), name="b")

    assert first.why_over == "refusing refuses the account: 余额不足"
    assert first.counts["not_sent"] == 10
    assert first.counts["queued"] > 0
    assert statuses() == first.counts
    second = send_bulk(template, numbers(CHUNK + 10).items(), name="b")
    assert second.counts == {"accepted": CHUNK, "not_sent": 10}
    assert [message.status for message in second.troubles] == ["not_sent"] * 10
    assert max(Counter(called()).values()) == 1


@override_settings(SMSVERIFY=SITE)
@pytest.mark.parametrize("gateway", ["one", "many"])
def test_repeated_failures_of_the_vendor_end_the_run(gateway: str, notice: Callable[[str], Template]) -> None:
    template = notice(gateway)
    OneByOneGateway.errors.update({number: GatewayUnavailable("no answer") for number in range(4, 3000)})

    ended = send_bulk(template, numbers(4 * CHUNK).items(), name="b")

    # No call begins beside others after the first failure that is recorded.
    assert 3 + circuits.FAILURES <= len(OneByOneGateway.calls) <= 50
    assert ended.why_over == f"{gateway} failed 5 times in a row, at last with: no answer"
    # One chunk, and what the threads and their queue held of the one before.
    assert statuses()["queued"] <= CHUNK + (bulk_run.THREADS + 1) * 10


@override_settings(SMSVERIFY=SITE)
@pytest.mark.parametrize("gateway", ["one", "many"])
@pytest.mark.parametrize(
    ("error", "calls"),
    [
        (GatewayRejected("余额不足", reason=Reason.ACCOUNT), 1),
        (GatewayUnavailable("no answer"), circuits.FAILURES),
        (GatewayUncertain("no answer"), circuits.FAILURES),
    ],
)
def test_a_provider_that_never_worked_is_not_called_in_parallel(
    error: GatewayError, calls: int, gateway: str, notice: Callable[[str], Template]
) -> None:
    OneByOneGateway.errors.update(dict.fromkeys(range(1, 3000), error))

    ended = send_bulk(notice(gateway), numbers(CHUNK).items(), name="b")

    assert ended.why_over
    assert len(OneByOneGateway.calls) == calls


@override_settings(SMSVERIFY=SITE)
def test_a_named_batch_waits_while_the_circuit_is_open(notice: Callable[[str], Template]) -> None:
    template = notice("many")
    for _ in range(circuits.FAILURES):
        circuits.note(template.provider, [GatewayUnavailable("no answer")])

    waits = send_bulk(template, numbers(10).items(), name="b")

    assert waits.why_over.startswith("the circuit of many is open, close it in the admin")
    assert not Message.objects.exists()
    assert send_message(template, numbers(10))[0].status == "accepted", (
        "without a name it cannot be continued, so it is tried"
    )


@pytest.mark.slow
@override_settings(SMSVERIFY=SITE)
def test_the_poll_sends_no_notice_while_the_circuit_is_open(notice: Callable[[str], Template]) -> None:
    template = notice("one")
    ids = [message.pk for message in send_message(template, numbers(50))]
    Message.objects.update(status="queued", created_at=timezone.now() - FORGOTTEN * 2)
    OneByOneGateway.calls.clear()
    for _ in range(circuits.FAILURES):
        circuits.note(template.provider, [GatewayUnavailable("no answer")])

    assert not poll()["taken up"]
    assert send_waiting(ids) == 0
    assert (OneByOneGateway.calls, statuses()) == ([], {"queued": 50})
    circuits.close(template.provider)
    assert poll()["taken up"] == 50
    assert statuses() == {"accepted": 50}


@pytest.mark.slow
def test_messages_with_a_lost_answer_are_unknown_and_the_run_continues(vendor: MakeProvider, sandbox: Sandbox) -> None:
    template = add_template(vendor("apispace"), "notice", catalogue.PLAIN_TEXT, "")
    send_message(template, numbers(500), batch="b")
    sandbox.misbehave("apispace", Fault.deliver_then_status(502), times=1)

    found = send_bulk(template, numbers(2000).items(), name="b")

    assert found.counts == {"accepted": 1500, "unknown": 500}
    assert {message.phone for message in found.troubles} == set(numbers(500, start=500))
    assert Counter(sms.phone for sms in sandbox.inbox.all()) == {phone[3:]: 1 for phone in numbers(2000)}


@pytest.mark.parametrize(
    ("gateway", "phone", "name", "reason"),
    [
        ("apispace", "+8613900000000", "王,李", "content"),
        ("apispace", "+85251234567", "王", "other"),
        ("qixuntong", "+85251234567", "李", "other"),
    ],
)
def test_a_bad_number_does_not_stop_the_others(
    gateway: str, phone: str, name: str, reason: str, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    content = catalogue.NOTICE_TEXT
    template = add_template(vendor(gateway), "notice", content, NOTICE_IDS.get(gateway, ""))
    good = {phone: {"name": "李"} for phone in numbers(5)}

    with override_settings(SMSVERIFY={"REGIONS": ("CN", "HK")}):
        found = send_message(template, {phone: {"name": name}, **good})

    assert [message.status for message in found] == ["not_sent", *["accepted"] * 5]
    assert found[0].error_reason == reason
    assert len(sandbox.inbox.all()) == 5


@pytest.mark.any_database
@pytest.mark.slow
def test_a_named_batch_can_be_continued_after_a_broker_failure(
    memory: MakeProvider, monkeypatch: pytest.MonkeyPatch, log: LogRecorder
) -> None:
    template = add_template(memory(), "notice", "您好。", "")
    tasks: list[list[str]] = []

    def enqueue(ids: list[str]) -> None:
        if len(tasks) == 2:
            raise ConnectionError("amqp://user:S3CRET@broker")
        tasks.append(ids)

    monkeypatch.setattr(dispatch, "_enqueue", enqueue)
    with override_settings(SMSVERIFY={"DISPATCH": "celery"}):
        ended = send_bulk(template, numbers(2 * bulk_rows.CHUNK).items(), name="b")
        assert (ended.why_over, ended.counts) == ("the task queue could not be reached", {"queued": bulk_rows.CHUNK})
        monkeypatch.setattr(dispatch, "_enqueue", tasks.append)
        assert not send_bulk(template, numbers(2 * bulk_rows.CHUNK).items(), name="b").why_over
    for ids in tasks:
        send_waiting(ids)

    assert statuses() == {"accepted": 2 * bulk_rows.CHUNK}
    assert Counter(sms.phone for sms in MemoryGateway.outbox).most_common(1)[0][1] == 1
    assert "S3CRET" not in log.text


# ------------------------------------------------------------------------------------ threads and pace


@pytest.mark.slow
@override_settings(SMSVERIFY=SITE)
def test_calls_with_one_number_are_shared_among_threads(notice: Callable[[str], Template]) -> None:
    found = send_message(notice("one"), numbers(200))

    assert {message.status for message in found} == {"accepted"}
    assert sorted(called()) == sorted(numbers(200))
    assert 1 < len(OneByOneGateway.threads) <= bulk_run.THREADS
    assert threading.get_ident() not in OneByOneGateway.threads


@override_settings(SMSVERIFY=SITE)
def test_calls_with_many_numbers_are_under_way_at_the_same_time(notice: Callable[[str], Template]) -> None:
    result = send_bulk(notice("waiting"), numbers(2 * CHUNK).items(), name="b")

    assert result.counts == {"accepted": 2 * CHUNK}
    assert WaitingGateway.most_open == bulk_run.THREADS
    assert sorted(called()) == sorted(numbers(2 * CHUNK))
    assert threading.get_ident() not in OneByOneGateway.threads


@override_settings(SMSVERIFY=SITE)
@pytest.mark.parametrize(("gateway", "count"), [("one", bulk_run.CALLS_WITHOUT_THREADS), ("many", 10)])
def test_a_few_calls_need_no_threads(gateway: str, count: int, notice: Callable[[str], Template]) -> None:
    template = notice(gateway)
    send_message(template, numbers(count))
    send_bulk(template, numbers(count).items(), name="b")
    assert OneByOneGateway.threads == {threading.get_ident()}


@pytest.mark.slow
@override_settings(SMSVERIFY=SITE)
def test_a_bug_in_a_thread_is_raised_in_the_caller(
    notice: Callable[[str], Template], monkeypatch: pytest.MonkeyPatch
) -> None:
    template, calls = notice("one"), count(1)

    def fail_once(outcomes: Any) -> None:
        if next(calls) == 5:
            raise RuntimeError("a bug")
        record_outcomes(outcomes)

    monkeypatch.setattr(batching, "record_outcomes", fail_once)
    with pytest.raises(RuntimeError, match="a bug"):
        send_message(template, numbers(100), batch="b")

    assert statuses()["sending"] == 1
    assert len(OneByOneGateway.calls) <= 5 + bulk_run.THREADS
    send_message(template, numbers(100), batch="b")
    assert statuses() == {"accepted": 99, "sending": 1}


@override_settings(SMSVERIFY=SITE)
@pytest.mark.parametrize("gateway", ["one", "many"])
def test_each_thread_closes_its_connections(
    gateway: str, notice: Callable[[str], Template], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: set[int] = set()

    def close() -> None:
        closed.add(threading.get_ident())
        type(connections).close_all(connections)

    monkeypatch.setattr(connections, "close_all", close)
    send_message(notice(gateway), numbers(60))
    assert closed >= OneByOneGateway.threads
    # Those of the calls of a shared cache do it as well.
    assert len(closed) >= bulk_run.THREADS


class Clock:
    """A clock that advances only by `sleep`."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_the_pace_is_kept_and_lost_time_is_not_made_up() -> None:
    clock = Clock()
    pace, moments = Pace(4, clock, clock.sleep), []
    for pause in (0, 0, 0, 0.1, 9, 0):
        clock.sleep(pause)
        pace.wait()
        moments.append(clock.now - 100)
    assert moments == pytest.approx([0, 0.25, 0.5, 0.75, 9.75, 10])


def test_the_pace_can_be_halved_down_to_a_limit() -> None:
    clock = Clock()
    pace = Pace(4, clock, clock.sleep)
    pace.wait()
    pace.halve()
    pace.wait()
    pace.wait()
    assert clock.now == pytest.approx(100.75)
    for _ in range(20):
        pace.halve()
    pace.wait()
    before = clock.now
    pace.wait()
    assert clock.now - before == pytest.approx(LONGEST_PAUSE)


@override_settings(SMSVERIFY=SITE)
@pytest.mark.parametrize(("gateway", "per_call"), [("one", 1), ("many", 10)])
def test_the_configured_pace_is_used_and_halved_after_a_rate_refusal(
    gateway: str, per_call: int, notice: Callable[[str], Template], monkeypatch: pytest.MonkeyPatch
) -> None:
    paces: list[Pace] = []

    class Watched(Pace):
        halved = turns = 0

        def __init__(self, rate: float) -> None:
            clock = Clock()
            super().__init__(rate, clock, clock.sleep)
            self.rate = rate
            paces.append(self)

        def wait(self) -> None:
            Watched.turns += 1

        def halve(self) -> None:
            Watched.halved += 1

    monkeypatch.setattr(bulk_run, "Pace", Watched)
    OneByOneGateway.errors[3] = GatewayRejected("太快", reason=Reason.RATE)

    found = send_bulk(notice(gateway), numbers(30 * per_call).items(), name="b")

    assert (found.counts, Watched.halved) == ({"accepted": 29 * per_call, "not_sent": per_call}, 1)
    assert Watched.turns == len(OneByOneGateway.calls) == 30
    assert [pace.rate for pace in paces] == [999]  # type: ignore[attr-defined]


def test_a_worker_pool_does_all_and_stops_at_an_error() -> None:
    done: list[int] = []
    with WorkerPool(3, done.append) as pool:
        for number in range(50):
            pool.submit(number)
    assert sorted(done) == list(range(50))

    def fail(number: int) -> None:
        if number == 10:
            raise KeyError(number)
        done.append(number)

    done.clear()
    with pytest.raises(KeyError), WorkerPool(1, fail) as pool:
        list(map(pool.submit, range(50)))
    assert done == list(range(10))


@pytest.fixture(autouse=True)
def _clear_circuits() -> None:
    cache.clear()
