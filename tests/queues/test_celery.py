"""Codes that a Celery worker sends: over a real broker, at most once, whatever dies on the way."""

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
    """What a front end is told of its SMS."""
    told: dict[str, str] = requests.get(f"{site.url}/sms/send/{verification_id}/", timeout=60).json()
    return told


def ended(site: Site, verification_id: str) -> dict[str, str]:
    """The same, when a worker is done with it."""
    eventually(lambda: status(site, verification_id)["status"] in FINAL)
    return status(site, verification_id)


def ask(site: Site, phone: str = PHONE[3:]) -> str:
    answer = site.send(phone)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["verification_id"])


def age(**fields: int) -> None:
    """Makes these times of all messages so many seconds older."""
    for name, seconds in fields.items():
        Message.objects.update(**{name: timezone.now() - timedelta(seconds=seconds)})


def test_the_answer_comes_before_the_vendor_is_called_and_the_sms_after(
    site: Site, queue: Queue, worker: MakeWorker, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    before = len(sandbox.exchanges)

    asked = ask(site)

    assert status(site, asked)["status"] == "queued"
    assert len(sandbox.exchanges) == before
    worker()
    assert ended(site, asked)["status"] == "accepted"
    (sms,) = sandbox.inbox.of(PHONE[3:])
    assert site.verify(asked, code_in(sms.text)).status_code == 200


def test_the_broker_is_told_ids_and_nothing_else(
    site: Site, queue: Queue, worker: MakeWorker, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    asked = ask(site)

    ((arguments, everything),) = queue.waiting(1)

    assert arguments == [[str(Message.objects.get().pk)]]
    worker()
    assert ended(site, asked)["status"] == "accepted"
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
def test_a_refusal_in_the_queue_is_told_when_the_front_end_asks(
    gateway: str, fault: Fault, code: str, site: Site, worker: MakeWorker, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor(gateway, priority=1)
    vendor("qixuntong", priority=2)
    sandbox.misbehave(gateway, fault)
    sandbox.misbehave("qixuntong", Fault.status(403))
    worker()

    told = ended(site, ask(site))

    assert (told["status"], told["code"]) == ("not_sent", code)
    assert told["detail"]
    assert Message.objects.count() == (2 if code == "gateway_unavailable" else 1)
    ask(site)  # which would be refused if an SMS that nobody got had been charged


def test_a_task_that_comes_twice_sends_once(
    site: Site, queue: Queue, worker: MakeWorker, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    sandbox.misbehave("topthink", Fault.slow(1))
    asked = ask(site)
    message = str(Message.objects.get().pk)
    queue.publish(message)
    queue.publish(message, message)

    two = [worker(), worker()]

    eventually(lambda: "".join(one.said for one in two).count(" succeeded in ") >= 3)
    assert sum(one.said.count("s: 1\n") for one in two) == 1
    assert status(site, asked)["status"] == "accepted"
    assert len(sandbox.inbox.of(PHONE[3:])) == 1


@pytest.mark.parametrize("pool", [SOLO, PREFORK], ids=["worker", "its child"])
def test_a_worker_killed_while_the_vendor_has_the_sms_sends_no_second(
    pool: tuple[str, ...], site: Site, queue: Queue, worker: MakeWorker, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    sandbox.misbehave("topthink", Fault.hang(), times=1)
    first = second = worker(*pool)
    asked = ask(site)
    eventually(lambda: sandbox.inbox.of(PHONE[3:]))

    if pool is PREFORK:
        first.kill_child()
    else:
        first.kill()
        queue.let_an_hour_pass()
        second = worker()

    second.wait_for("s: 0\n")  # it came again, and nothing was left to do
    assert status(site, asked)["status"] == "sending"
    assert poll()["stuck"] == 0
    age(claimed_at=16 * 60)
    assert poll()["stuck"] == 1
    assert status(site, asked)["status"] == "unknown"
    assert len(sandbox.inbox.of(PHONE[3:])) == 1


def test_a_worker_that_dies_before_it_takes_a_task_leaves_it_to_the_next(
    site: Site, queue: Queue, worker: MakeWorker, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    sandbox.misbehave("topthink", Fault.hang(), times=1)
    first = worker()
    ask(site)
    eventually(lambda: sandbox.inbox.of(PHONE[3:]))
    fetched_only = ask(site, OTHER)

    first.kill()
    queue.let_an_hour_pass()

    worker()
    assert ended(site, fetched_only)["status"] == "accepted"
    assert [len(sandbox.inbox.of(phone)) for phone in (PHONE[3:], OTHER)] == [1, 1]


def test_what_waits_too_long_the_poll_sends_and_the_queue_not_again(
    site: Site, worker: MakeWorker, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    asked = ask(site)
    assert poll()["taken up"] == 0
    age(created_at=61)

    assert poll()["taken up"] == 1

    late = worker()
    late.wait_for("s: 0\n")
    assert status(site, asked)["status"] == "accepted"
    assert len(sandbox.inbox.of(PHONE[3:])) == 1


def test_a_text_to_many_numbers_is_sent_by_the_worker(
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
