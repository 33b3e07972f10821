"""Codes that a worker of django-tasks-db sends, whose queue is a table: at most once, whatever dies on the way.

This suite's own settings have no such app, so the site is a process of its own, too, on the same database.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from sandbox.faults import Fault
from sandbox.server import Sandbox

from django_smsverify.models import Message
from django_smsverify.polling.poll import poll
from tests.conftest import PHONE, MakeProvider, Site, code_in, refusal

from .brokers import eventually
from .test_celery import age, ask, status
from .workers import Worker

pytest.importorskip("django_tasks_db")
pytestmark = pytest.mark.django_db(transaction=True)
TABLE = "django_tasks_database_dbtaskresult"


@pytest.fixture
def site(processes: Callable[..., Worker]) -> Iterator[Site]:
    """The site, with an empty queue."""
    served = processes("tasks", "tests.queues.serve", ready=" is ready.")
    execute(f"DELETE FROM {TABLE}")
    yield Site(served.said.partition(" is ready.")[0].split()[-1])
    served.kill()


@pytest.fixture
def worker(processes: Callable[..., Worker]) -> Callable[[], Worker]:
    """Starts a worker that ends when there is nothing more to do."""
    return lambda: processes("tasks", "django", "db_worker", "--batch")


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def select(columns: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM {TABLE}")
        return list(cursor.fetchall())


def test_the_answer_comes_before_the_vendor_is_called_and_the_sms_after(
    site: Site, worker: Callable[[], Worker], vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    before = len(sandbox.exchanges)

    asked = ask(site)

    assert status(site, asked)["status"] == "queued"
    assert len(sandbox.exchanges) == before
    worker().wait()
    assert status(site, asked)["status"] == "accepted"
    (sms,) = sandbox.inbox.of(PHONE[3:])
    assert site.verify(asked, code_in(sms.text)).status_code == 200


def test_the_table_holds_ids_and_nothing_else(
    site: Site, worker: Callable[[], Worker], vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    ask(site)
    message = str(Message.objects.get().pk)
    ((arguments,),) = select("args_kwargs")
    assert (json.loads(arguments) if isinstance(arguments, str) else arguments) == {"args": [[message]], "kwargs": {}}

    worker().wait()

    (sms,) = sandbox.inbox.of(PHONE[3:])
    for secret in (PHONE[3:], code_in(sms.text)):
        told = select("args_kwargs, task_path, return_value, exception_class_path, traceback, status")
        assert secret not in str(told).replace(message, "")


@pytest.mark.parametrize(
    ("gateway", "fault", "code"),
    [
        ("topthink", Fault.status(401), "gateway_unavailable"),
        ("ihuyi", Fault.refuse("406"), "phone_rejected"),
    ],
)
def test_a_refusal_in_the_queue_is_told_when_the_front_end_asks(
    gateway: str,
    fault: Fault,
    code: str,
    site: Site,
    worker: Callable[[], Worker],
    vendor: MakeProvider,
    sandbox: Sandbox,
) -> None:
    vendor(gateway)
    sandbox.misbehave(gateway, fault)
    asked = ask(site)

    worker().wait()

    told = status(site, asked)
    assert (told["status"], told["code"]) == ("not_sent", code)
    ask(site)  # which would be refused if an SMS that nobody got had been charged


def test_a_queue_that_cannot_be_written_sends_nothing(
    site: Site, worker: Callable[[], Worker], vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    execute(f"ALTER TABLE {TABLE} RENAME TO away")
    try:
        assert refusal(site.send()) == (503, "gateway_unavailable")
        assert Message.objects.get().status == "not_sent"
    finally:
        execute(f"ALTER TABLE away RENAME TO {TABLE}")

    ask(site)

    worker().wait()
    assert len(sandbox.inbox.of(PHONE[3:])) == 1


def test_a_task_that_comes_twice_sends_once(
    site: Site, worker: Callable[[], Worker], vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    sandbox.misbehave("topthink", Fault.slow(1))
    ask(site)
    first, second = worker(), worker()

    first.wait()
    second.wait()
    execute(f"UPDATE {TABLE} SET status = 'READY'")
    worker().wait()

    assert select("status, return_value") in ([("SUCCESSFUL", "0")], [("SUCCESSFUL", 0)])
    assert len(sandbox.inbox.of(PHONE[3:])) == 1


def test_a_worker_killed_while_the_vendor_has_the_sms_sends_no_second(
    site: Site, worker: Callable[[], Worker], vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    sandbox.misbehave("topthink", Fault.hang(), times=1)
    asked = ask(site)
    first = worker()
    eventually(lambda: sandbox.inbox.of(PHONE[3:]))

    first.kill()

    worker().wait()
    assert status(site, asked)["status"] == "sending"
    age(claimed_at=16 * 60)
    assert poll()["stuck"] == 1
    assert status(site, asked)["status"] == "unknown"
    assert len(sandbox.inbox.of(PHONE[3:])) == 1


def test_a_lost_queue_is_delivered_by_the_poll(
    site: Site, worker: Callable[[], Worker], vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    asked = ask(site)
    execute(f"DELETE FROM {TABLE}")
    age(created_at=61)

    assert poll()["taken up"] == 1

    assert status(site, asked)["status"] == "accepted"
    assert len(sandbox.inbox.of(PHONE[3:])) == 1
