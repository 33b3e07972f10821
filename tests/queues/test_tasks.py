"""Codes that a worker of django-tasks-db sends, whose queue is a table: at most once, whichever process is killed.

This suite's settings do not contain that app, so the site also runs in another process, on the same database.
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
from .test_celery import make_older, request_code, status
from .workers import Worker

pytest.importorskip("django_tasks_db")
pytestmark = pytest.mark.django_db(transaction=True)
TABLE = "django_tasks_database_dbtaskresult"


@pytest.fixture
def site(processes: Callable[..., Worker]) -> Iterator[Site]:
    """The site, with an empty queue."""
    served = processes("tasks", "tests.queues.serve", ready=" is ready.")
    execute(f"DELETE FROM {TABLE}")
    yield Site(served.output.partition(" is ready.")[0].split()[-1])
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


def test_the_client_is_answered_before_the_vendor_is_called(
    site: Site, worker: Callable[[], Worker], vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    before = len(sandbox.exchanges)

    verification_id = request_code(site)

    assert status(site, verification_id)["status"] == "queued"
    assert len(sandbox.exchanges) == before
    worker().wait()
    assert status(site, verification_id)["status"] == "accepted"
    (sms,) = sandbox.inbox.of(PHONE[3:])
    assert site.verify(verification_id, code_in(sms.text)).status_code == 200


def test_the_table_contains_only_ids(
    site: Site, worker: Callable[[], Worker], vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    request_code(site)
    message = str(Message.objects.get().pk)
    ((arguments,),) = select("args_kwargs")
    assert (json.loads(arguments) if isinstance(arguments, str) else arguments) == {"args": [[message]], "kwargs": {}}

    worker().wait()

    (sms,) = sandbox.inbox.of(PHONE[3:])
    for secret in (PHONE[3:], code_in(sms.text)):
        stored = select("args_kwargs, task_path, return_value, exception_class_path, traceback, status")
        assert secret not in str(stored).replace(message, "")


@pytest.mark.parametrize(
    ("gateway", "fault", "code"),
    [
        ("topthink", Fault.status(401), "gateway_unavailable"),
        ("ihuyi", Fault.refuse("406"), "phone_rejected"),
    ],
)
def test_the_status_endpoint_returns_a_refusal_by_the_vendor(
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
    verification_id = request_code(site)

    worker().wait()

    response = status(site, verification_id)
    assert (response["status"], response["code"]) == ("not_sent", code)
    request_code(site)  # which would be refused if the SMS that was not sent had been counted


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

    request_code(site)

    worker().wait()
    assert len(sandbox.inbox.of(PHONE[3:])) == 1


def test_a_task_that_runs_twice_sends_once(
    site: Site, worker: Callable[[], Worker], vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    sandbox.misbehave("topthink", Fault.slow(1))
    request_code(site)
    first, second = worker(), worker()

    first.wait()
    second.wait()
    execute(f"UPDATE {TABLE} SET status = 'READY'")
    worker().wait()

    assert select("status, return_value") in ([("SUCCESSFUL", "0")], [("SUCCESSFUL", 0)])
    assert len(sandbox.inbox.of(PHONE[3:])) == 1


def test_a_worker_that_is_killed_during_the_call_causes_no_second_sms(
    site: Site, worker: Callable[[], Worker], vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    sandbox.misbehave("topthink", Fault.hang(), times=1)
    verification_id = request_code(site)
    first = worker()
    eventually(lambda: sandbox.inbox.of(PHONE[3:]))

    first.kill()

    worker().wait()
    assert status(site, verification_id)["status"] == "sending"
    make_older(claimed_at=16 * 60)
    assert poll()["stuck"] == 1
    assert status(site, verification_id)["status"] == "unknown"
    assert len(sandbox.inbox.of(PHONE[3:])) == 1


def test_the_poll_sends_the_messages_of_a_lost_queue(
    site: Site, worker: Callable[[], Worker], vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    verification_id = request_code(site)
    execute(f"DELETE FROM {TABLE}")
    make_older(created_at=61)

    assert poll()["taken up"] == 1

    assert status(site, verification_id)["status"] == "accepted"
    assert len(sandbox.inbox.of(PHONE[3:])) == 1
