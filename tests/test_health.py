"""The health view: quick whatever hangs, and down only when nothing can be sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import BaseCache
from django.db import OperationalError
from django.test import Client, override_settings
from django.utils import timezone

from django_smsverify.enums import MessageStatus
from django_smsverify.models import JobRun, Message, Provider
from django_smsverify.operations import health
from django_smsverify.operations.job_runs import POLL, PRUNE, noted
from django_smsverify.sending import send_code
from django_smsverify.sending.queues import celery

from .conftest import PHONE, LogRecorder, MakeProvider
from .test_webhook_silence import LATE, report, send

pytestmark = pytest.mark.django_db(transaction=True)

FINE = {"database": "ok", "cache": "ok", "queue": "ok", "poll": "ok", "webhooks": "ok"}


@pytest.fixture(autouse=True)
def site() -> Iterator[None]:
    with noted(POLL):
        pass
    with override_settings(ROOT_URLCONF="tests.operations_urls"):
        yield
    for thread in health._running.values():
        thread.join(10)


def ask(client: Client) -> tuple[int, str, dict[str, str]]:
    """Status, overall state, and the parts that are not fine."""
    answer = client.get("/ops/health/")
    assert answer["Cache-Control"] == "no-store"
    found = answer.json()
    assert found.keys() == {"status", "parts"}
    assert found["parts"].keys() == FINE.keys()
    return answer.status_code, found["status"], {part: state for part, state in found["parts"].items() if state != "ok"}


def test_a_site_where_all_is_well(client: Client) -> None:
    assert ask(client) == (200, "ok", {})
    assert client.head("/ops/health/").status_code == 200
    assert client.post("/ops/health/").status_code == 405


def test_without_a_database_it_is_down(client: Client, monkeypatch: pytest.MonkeyPatch, log: LogRecorder) -> None:
    def fail(rows: object) -> bool:
        raise OperationalError("password hunter2 refused")

    monkeypatch.setattr(type(Provider.objects.all()), "exists", fail)

    warnings = {"queue": "warn", "poll": "warn", "webhooks": "warn"}
    assert ask(client) == (503, "fail", {"database": "fail", **warnings})
    assert "The health view finds that the database fails: OperationalError" in log.text
    assert "hunter2" not in log.text


@pytest.mark.parametrize(("setting", "expected"), [("refuse", (503, "fail")), ("degrade", (200, "warn"))])
def test_without_a_cache_it_depends_on_the_site(
    setting: str, expected: tuple[int, str], client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(cache: BaseCache) -> bool:
        raise ConnectionError

    monkeypatch.setattr(health, "_counts", fail)
    with override_settings(SMSVERIFY={"ON_CACHE_FAILURE": setting}):
        status, overall, parts = ask(client)

    assert (status, overall) == expected
    assert parts == {"cache": overall}


def test_a_cache_that_does_not_count_is_no_cache(client: Client) -> None:
    with override_settings(CACHES={"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}):
        assert ask(client) == (503, "fail", {"cache": "fail"})


def test_a_part_that_hangs_is_not_waited_for_and_not_tried_twice(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, tries = threading.Event(), []

    def hang(cache: BaseCache) -> bool:
        tries.append(1)
        return go_on.wait(30)

    monkeypatch.setattr(health, "SECONDS", 0.1)
    monkeypatch.setattr(health, "_counts", hang)
    try:
        begun = time.monotonic()
        for _ in range(3):
            assert ask(client)[2]["cache"] == "fail"
        assert time.monotonic() - begun < 2
        assert len(tries) == 1
    finally:
        go_on.set()


def test_a_poll_that_is_late_is_a_warning(client: Client) -> None:
    JobRun.objects.update(started_at=timezone.now() - timedelta(minutes=16))
    assert ask(client) == (200, "warn", {"poll": "warn"})

    JobRun.objects.all().delete()
    assert ask(client) == (200, "warn", {"poll": "warn"})


def test_a_job_that_breaks_off_has_no_end() -> None:
    with pytest.raises(ZeroDivisionError), noted(PRUNE):
        _ = 1 / 0
    broken_off = JobRun.objects.get(job=PRUNE)
    with noted(PRUNE):
        pass
    finished = JobRun.objects.get(job=PRUNE)

    assert broken_off.ended_at is None
    assert finished.ended_at is not None
    assert finished.ended_at >= finished.started_at


def test_a_code_that_waits_for_a_worker_is_a_warning(memory: MakeProvider, client: Client) -> None:
    memory()
    send_code(PHONE, "login")
    Message.objects.update(status=MessageStatus.QUEUED, created_at=timezone.now() - timedelta(seconds=30))
    assert ask(client) == (200, "ok", {})

    Message.objects.update(created_at=timezone.now() - timedelta(seconds=61))
    assert ask(client) == (200, "warn", {"queue": "warn"})


def test_a_broker_that_cannot_be_reached_is_a_warning(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with override_settings(SMSVERIFY={"DISPATCH": "celery"}):
        monkeypatch.setattr(celery.deliver.app.conf, "broker_url", "memory://")
        assert ask(client) == (200, "ok", {})

    def unreachable() -> None:
        raise OSError

    monkeypatch.setattr(celery, "ping", unreachable)
    with override_settings(SMSVERIFY={"DISPATCH": "celery"}):
        assert ask(client) == (200, "warn", {"queue": "warn"})


def test_a_webhook_that_is_silent_is_a_warning(vendor: MakeProvider, client: Client) -> None:
    acme = vendor("ihuyi")
    report(acme, timedelta(days=1))
    send(acme, LATE, 5)

    assert ask(client) == (200, "warn", {"webhooks": "warn"})


def test_being_alive_needs_nothing(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        answer = client.get("/ops/health/live/")

    assert (answer.status_code, answer.json(), answer["Cache-Control"]) == (200, {"status": "ok"}, "no-store")
