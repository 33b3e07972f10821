"""A broker that is gone, slow or new: nothing is promised that nobody will do, and nothing is done twice."""

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
from .test_celery import NOTICE, OTHER, age, ask, ended, status

SOON = 20
"""Seconds in which a visitor is told, on a busy machine; on an idle one it is four, and without delay when refused."""


def test_without_a_broker_nothing_is_sent_neither_now_nor_later(
    site: Site, broker: Broker, worker: MakeWorker, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    broker.down()
    began = time.monotonic()

    assert refusal(site.send()) == (503, "gateway_unavailable")

    assert time.monotonic() - began < SOON
    assert Message.objects.get().status == "not_sent"
    broker.up()
    again = ask(site)  # the number's allowance is as it was
    worker()
    assert ended(site, again)["status"] == "accepted"
    age(created_at=61)
    assert poll()["taken up"] == 0
    assert len(sandbox.inbox.of(PHONE[3:])) == 1


@pytest.fixture
def mute_listener() -> Iterator[socket.socket]:
    """A listener that never reads what comes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.mark.parametrize("listener", ["full_listener", "mute_listener"])
@pytest.mark.parametrize("scheme", PORTS)
def test_a_broker_that_says_nothing_does_not_hold_the_visitor(
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

    assert time.monotonic() - began < SOON
    assert Message.objects.get().status == "not_sent"
    pools.reset()


def test_a_text_to_many_numbers_says_of_each_that_it_was_not_sent(
    broker: Broker, queue: Queue, vendor: MakeProvider
) -> None:
    notice = add_template(vendor("apispace"), "notice", NOTICE, "")
    broker.down()

    messages = send_message(notice, {f"+8613800138{n:03}": {"name": "王先生"} for n in range(120)})

    assert {(message.status, bool(message.values)) for message in messages} == {("not_sent", False)}


def test_a_broker_that_was_restarted_since_the_last_send_is_asked_again(
    site: Site, broker: Broker, worker: MakeWorker, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    first = ask(site)
    broker.down()
    broker.up()

    second = ask(site, OTHER)

    worker()
    assert [ended(site, asked)["status"] for asked in (first, second)] == ["accepted"] * 2
    assert [len(sandbox.inbox.of(phone)) for phone in (PHONE[3:], OTHER)] == [1, 1]


def test_a_worker_lives_through_the_restart_of_its_broker(
    site: Site, broker: Broker, worker: MakeWorker, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    one = worker()
    assert ended(site, ask(site))["status"] == "accepted"
    broker.down()
    one.wait_for("onnection")  # to the broker it notices to be lost
    broker.up()

    assert ended(site, ask(site, OTHER))["status"] == "accepted"

    assert len(sandbox.inbox.of(OTHER)) == 1


class TestWithoutMemory:
    @pytest.fixture
    def broker(self, tmp_path: Path) -> Iterator[OwnRedis]:
        one = OwnRedis(tmp_path, durable=False)
        one.up()
        yield one
        one.down()

    def test_a_lost_queue_is_delivered_by_the_poll(
        self, site: Site, broker: OwnRedis, worker: MakeWorker, queue: Queue, vendor: MakeProvider, sandbox: Sandbox
    ) -> None:
        vendor("topthink")
        asked = ask(site)
        broker.down()
        broker.up()
        assert queue.waiting(0) == []
        worker()
        assert status(site, asked)["status"] == "queued"
        age(created_at=61)

        assert poll()["taken up"] == 1

        assert status(site, asked)["status"] == "accepted"
        assert len(sandbox.inbox.of(PHONE[3:])) == 1
