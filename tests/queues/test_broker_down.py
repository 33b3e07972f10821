"""A broker that is down, silent or restarted: no message is accepted that will not be sent, and none is sent twice."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings
from kombu import pools
from sandbox.server import Sandbox

from django_smsverify.models import Message
from django_smsverify.polling.poll import poll
from django_smsverify.sending import send_message
from tests.conftest import PHONE, MakeProvider, Site, add_template, refusal

from .app import make_app
from .brokers import PORTS, Broker, OwnRedis
from .conftest import MakeWorker, Queue
from .test_celery import NOTICE, OTHER, final_status, make_older, request_code, status

MAX_SECONDS = 20
"""The client is answered within these seconds, on a busy machine; on an idle one within 4, or at once when refused."""


def test_without_a_broker_nothing_is_sent_now_or_later(
    site: Site, broker: Broker, worker: MakeWorker, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    broker.down()
    began = time.monotonic()

    assert refusal(site.send()) == (503, "gateway_unavailable")

    assert time.monotonic() - began < MAX_SECONDS
    assert Message.objects.get().status == "not_sent"
    broker.up()
    again = request_code(site)  # nothing was counted for the number
    worker()
    assert final_status(site, again)["status"] == "accepted"
    make_older(created_at=61)
    assert poll()["taken up"] == 0
    assert len(sandbox.inbox.of(PHONE[3:])) == 1


@pytest.fixture
def silent_listener() -> Iterator[socket.socket]:
    """A listener that never reads from its connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.mark.parametrize("listener", ["full_listener", "silent_listener"])
@pytest.mark.parametrize("scheme", PORTS)
def test_a_broker_that_does_not_answer_does_not_block_the_request(
    scheme: str,
    listener: str,
    site: Site,
    memory: MakeProvider,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    memory()
    port = request.getfixturevalue(listener).getsockname()[1]
    monkeypatch.setattr("celery._state.default_app", make_app(f"{scheme}://127.0.0.1:{port}", "none"))
    began = time.monotonic()

    with override_settings(SMSVERIFY={"DISPATCH": "celery"}):
        assert refusal(site.send()) == (503, "gateway_unavailable")

    assert time.monotonic() - began < MAX_SECONDS
    assert Message.objects.get().status == "not_sent"
    pools.reset()


def test_a_bulk_send_without_a_broker_stores_each_message_as_not_sent(
    broker: Broker, queue: Queue, vendor: MakeProvider
) -> None:
    notice = add_template(vendor("apispace"), "notice", NOTICE, "")
    broker.down()

    messages = send_message(notice, {f"+8613800138{n:03}": {"name": "王先生"} for n in range(120)})

    assert {(message.status, bool(message.values)) for message in messages} == {("not_sent", False)}


def test_a_broker_that_was_restarted_is_connected_again(
    site: Site, broker: Broker, worker: MakeWorker, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    first = request_code(site)
    broker.down()
    broker.up()

    second = request_code(site, OTHER)

    worker()
    assert [final_status(site, verification_id)["status"] for verification_id in (first, second)] == ["accepted"] * 2
    assert [len(sandbox.inbox.of(phone)) for phone in (PHONE[3:], OTHER)] == [1, 1]


def test_a_worker_survives_a_restart_of_its_broker(
    site: Site, broker: Broker, worker: MakeWorker, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    one = worker()
    assert final_status(site, request_code(site))["status"] == "accepted"
    broker.down()
    one.wait_for("onnection")  # which its log names when it is lost
    broker.up()

    assert final_status(site, request_code(site, OTHER))["status"] == "accepted"

    assert len(sandbox.inbox.of(OTHER)) == 1


class TestBrokerWithoutPersistence:
    @pytest.fixture
    def broker(self, tmp_path: Path) -> Iterator[OwnRedis]:
        one = OwnRedis(tmp_path, durable=False)
        one.up()
        yield one
        one.down()

    def test_the_poll_sends_the_messages_of_a_lost_queue(
        self, site: Site, broker: OwnRedis, worker: MakeWorker, queue: Queue, vendor: MakeProvider, sandbox: Sandbox
    ) -> None:
        vendor("topthink")
        verification_id = request_code(site)
        broker.down()
        broker.up()
        assert queue.waiting(0) == []
        worker()
        assert status(site, verification_id)["status"] == "queued"
        make_older(created_at=61)

        assert poll()["taken up"] == 1

        assert status(site, verification_id)["status"] == "accepted"
        assert len(sandbox.inbox.of(PHONE[3:])) == 1
