"""Codes that a Celery worker sends over a real broker: at most once, whichever process is killed."""

from __future__ import annotations

from datetime import timedelta

import pytest
import requests
from django.utils import timezone
from sandbox.faults import Fault
from sandbox.server import Sandbox

from django_smsverify.models import Message
from django_smsverify.polling.poll import poll
from django_smsverify.sending import send_message
from tests.conftest import PHONE, MakeProvider, Site, add_template, code_in

from .brokers import eventually
from .conftest import FINAL, MakeWorker, Queue
from .workers import PREFORK, SOLO

NOTICE = "{name}，您的订单已发货，请注意查收。"
OTHER = "13900139000"


def status(site: Site, verification_id: str) -> dict[str, str]:
    """The status of an SMS, as a front end gets it."""
    response: dict[str, str] = requests.get(f"{site.url}/sms/send/{verification_id}/", timeout=60).json()
    return response


def final_status(site: Site, verification_id: str) -> dict[str, str]:
    """The status when the worker has finished."""
    eventually(lambda: status(site, verification_id)["status"] in FINAL)
    return status(site, verification_id)


def request_code(site: Site, phone: str = PHONE[3:]) -> str:
    answer = site.send(phone)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["verification_id"])


def make_older(**fields: int) -> None:
    """Moves these times of all messages into the past, by so many seconds."""
    for name, seconds in fields.items():
        Message.objects.update(**{name: timezone.now() - timedelta(seconds=seconds)})


def test_the_client_is_answered_before_the_vendor_is_called(
    site: Site, queue: Queue, worker: MakeWorker, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    before = len(sandbox.exchanges)

    verification_id = request_code(site)

    assert status(site, verification_id)["status"] == "queued"
    assert len(sandbox.exchanges) == before
    worker()
    assert final_status(site, verification_id)["status"] == "accepted"
    (sms,) = sandbox.inbox.of(PHONE[3:])
    assert site.verify(verification_id, code_in(sms.text)).status_code == 200


def test_the_broker_gets_only_ids(
    site: Site, queue: Queue, worker: MakeWorker, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    verification_id = request_code(site)

    ((arguments, everything),) = queue.waiting(1)

    assert arguments == [[str(Message.objects.get().pk)]]
    worker()
    assert final_status(site, verification_id)["status"] == "accepted"
    (sms,) = sandbox.inbox.of(PHONE[3:])
    for secret in (PHONE[3:], PHONE[6:], code_in(sms.text)):
        assert secret not in everything.replace(str(Message.objects.get().pk), "")


@pytest.mark.parametrize(
    ("gateway", "fault", "code"),
    [
        ("topthink", Fault.status(401), "gateway_unavailable"),
        ("ihuyi", Fault.refuse("406"), "phone_rejected"),
    ],
)
def test_the_status_endpoint_returns_a_refusal_by_the_vendor(
    gateway: str, fault: Fault, code: str, site: Site, worker: MakeWorker, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor(gateway, priority=1)
    vendor("qixuntong", priority=2)
    sandbox.misbehave(gateway, fault)
    sandbox.misbehave("qixuntong", Fault.status(403))
    worker()

    response = final_status(site, request_code(site))

    assert (response["status"], response["code"]) == ("not_sent", code)
    assert response["detail"]
    assert Message.objects.count() == (2 if code == "gateway_unavailable" else 1)
    request_code(site)  # which would be refused if the SMS that was not sent had been counted


def test_a_task_that_runs_twice_sends_once(
    site: Site, queue: Queue, worker: MakeWorker, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    sandbox.misbehave("topthink", Fault.slow(1))
    verification_id = request_code(site)
    message = str(Message.objects.get().pk)
    queue.publish(message)
    queue.publish(message, message)

    two = [worker(), worker()]

    eventually(lambda: "".join(one.output for one in two).count(" succeeded in ") >= 3)
    assert sum(one.output.count("s: 1\n") for one in two) == 1
    assert status(site, verification_id)["status"] == "accepted"
    assert len(sandbox.inbox.of(PHONE[3:])) == 1


@pytest.mark.parametrize("pool", [SOLO, PREFORK], ids=["worker", "its child"])
def test_a_worker_that_is_killed_during_the_call_causes_no_second_sms(
    pool: tuple[str, ...], site: Site, queue: Queue, worker: MakeWorker, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    sandbox.misbehave("topthink", Fault.hang(), times=1)
    first = second = worker(*pool)
    verification_id = request_code(site)
    eventually(lambda: sandbox.inbox.of(PHONE[3:]))

    if pool is PREFORK:
        first.kill_child()
    else:
        first.kill()
        queue.expire_unacknowledged_tasks()
        second = worker()

    second.wait_for("s: 0\n")  # the task ran again, and nothing was left to do
    assert status(site, verification_id)["status"] == "sending"
    assert poll()["stuck"] == 0
    make_older(claimed_at=16 * 60)
    assert poll()["stuck"] == 1
    assert status(site, verification_id)["status"] == "unknown"
    assert len(sandbox.inbox.of(PHONE[3:])) == 1


def test_a_task_that_a_killed_worker_had_not_started_runs_in_the_next_worker(
    site: Site, queue: Queue, worker: MakeWorker, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    sandbox.misbehave("topthink", Fault.hang(), times=1)
    first = worker()
    request_code(site)
    eventually(lambda: sandbox.inbox.of(PHONE[3:]))
    not_started = request_code(site, OTHER)

    first.kill()
    queue.expire_unacknowledged_tasks()

    worker()
    assert final_status(site, not_started)["status"] == "accepted"
    assert [len(sandbox.inbox.of(phone)) for phone in (PHONE[3:], OTHER)] == [1, 1]


def test_the_poll_sends_a_message_that_waits_too_long_and_the_queue_does_not_repeat_it(
    site: Site, worker: MakeWorker, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    verification_id = request_code(site)
    assert poll()["taken up"] == 0
    make_older(created_at=61)

    assert poll()["taken up"] == 1

    late = worker()
    late.wait_for("s: 0\n")
    assert status(site, verification_id)["status"] == "accepted"
    assert len(sandbox.inbox.of(PHONE[3:])) == 1


def test_a_bulk_send_is_done_by_the_worker(
    queue: Queue, worker: MakeWorker, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    notice = add_template(vendor("apispace"), "notice", NOTICE, "")

    messages = send_message(notice, {f"+8613800138{n:03}": {"name": "王先生"} for n in range(120)})

    assert {message.status for message in messages} == {"queued"}
    waiting = queue.waiting(2)
    assert [len(ids) for ((ids,), _) in waiting] == [100, 20]
    assert "王" not in str(waiting)
    worker()
    eventually(lambda: not Message.objects.exclude(status="accepted").exists())
    assert len({sms.phone for sms in sandbox.inbox.all()}) == len(sandbox.inbox.all()) == 120
    assert not any(message.values for message in Message.objects.all())
