"""Which vendors have stopped to push: by the last SMS that should have a report, however many the site sends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_smsverify.enums import DeliveryOutcome, MessageStatus, ReportSource
from django_smsverify.models import DeliveryReport, Message, Provider
from django_smsverify.operations.webhook_silence import READ, REPORTED_WITHIN, SMS, silent_webhooks

from .conftest import MakeProvider

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
LATE = REPORTED_WITHIN + MINUTE
numbers = count(10_000_000)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def pushing(vendor: MakeProvider) -> Callable[..., Provider]:
    """Makes a provider whose vendor pushes."""
    return lambda slug="acme", **fields: vendor("ihuyi", slug=slug, **fields)


MakePushing = Callable[..., Provider]


def send(provider: Provider, ago: timedelta, times: int = 1, **fields: Any) -> None:
    """SMS that the vendor took so long ago."""
    template = provider.templates.all()[0]
    for _ in range(times):
        own = {"phone": f"+86138{next(numbers)}", "status": MessageStatus.ACCEPTED, **fields}
        Message.objects.create(
            provider=provider, template=template, purpose="login", created_at=timezone.now() - ago, **own
        )


def report(provider: Provider, ago: timedelta, source: ReportSource = ReportSource.PUSH, times: int = 1) -> None:
    DeliveryReport.objects.bulk_create(
        DeliveryReport(
            provider=provider,
            remote_id="1",
            phone="+8613800138000",
            outcome=DeliveryOutcome.DELIVERED,
            source=source,
            received_at=timezone.now() - ago,
            fingerprint=uuid4(),
        )
        for _ in range(times)
    )


def silent() -> list[str]:
    return [one.provider.slug for one in silent_webhooks(timezone.now())]


def test_a_vendor_that_pushed_and_does_no_more_is_silent(pushing: MakePushing) -> None:
    acme, other = pushing(), pushing("other")
    for provider in (acme, other):
        report(provider, DAY)
        send(provider, LATE, SMS)
    report(other, MINUTE)

    (found,) = silent_webhooks(timezone.now())

    assert (found.provider, found.since) == (acme, NOW - LATE)


def test_a_busy_site_is_told_as_soon_as_reports_are_due(pushing: MakePushing, clock: Any) -> None:
    acme = pushing()
    report(acme, MINUTE)
    for _ in range(20):
        send(acme, timedelta(0), 2)
        clock.shift(MINUTE)
        if silent():
            break

    assert timezone.now() - NOW == REPORTED_WITHIN + 2 * MINUTE


def test_a_quiet_site_is_told_by_the_sms_of_a_day(pushing: MakePushing) -> None:
    acme = pushing()
    report(acme, 2 * DAY)
    for hours in range(1, SMS):
        send(acme, timedelta(hours=hours * 4))
    assert silent() == []

    send(acme, timedelta(hours=23))
    assert silent() == ["acme"]


def test_reports_that_were_asked_for_do_not_count(pushing: MakePushing) -> None:
    acme = pushing()
    report(acme, DAY)
    send(acme, LATE, SMS, status=MessageStatus.DELIVERED)
    report(acme, MINUTE, ReportSource.POLL)

    assert silent() == ["acme"]


def test_it_is_still_told_after_a_week_of_asking(pushing: MakePushing) -> None:
    acme = pushing()
    report(acme, 8 * DAY)
    for days in range(8):
        report(acme, days * DAY + MINUTE, ReportSource.POLL, READ)
    send(acme, LATE, SMS)

    assert silent() == ["acme"]


def test_one_phone_that_is_switched_off_is_no_silence(pushing: MakePushing) -> None:
    acme = pushing()
    report(acme, DAY)
    send(acme, LATE, SMS, phone="+8613800138000")

    assert silent() == []


@pytest.mark.parametrize(
    "fields",
    [
        {"status": MessageStatus.NOT_SENT},
        {"status": MessageStatus.UNKNOWN},
        {"ago": REPORTED_WITHIN - MINUTE},
        {"ago": 2 * DAY},
        {"times": SMS - 1},
    ],
)
def test_nothing_is_due_from_a_vendor_that_took_nothing(fields: dict[str, Any], pushing: MakePushing) -> None:
    acme = pushing()
    report(acme, 3 * DAY)
    send(acme, **{"ago": LATE, "times": SMS, **fields})

    assert silent() == []


def test_a_vendor_that_never_pushed_is_not_silent(pushing: MakePushing, memory: MakeProvider) -> None:
    for provider in (pushing(), memory()):
        report(provider, DAY, ReportSource.POLL)
        send(provider, LATE, SMS)
    report(Provider.objects.get(slug="memory"), DAY)

    assert silent() == []


def test_a_provider_that_is_switched_off_is_not_silent(pushing: MakePushing) -> None:
    acme = pushing()
    report(acme, DAY)
    send(acme, LATE, SMS)
    Provider.objects.update(is_active=False)

    assert silent() == []


@pytest.mark.parametrize(("ago", "queries"), [(MINUTE, 3), (DAY, 4)])
def test_ten_providers_take_as_many_queries_as_one(ago: timedelta, queries: int, pushing: MakePushing) -> None:
    for number in range(10):
        provider = pushing(f"acme-{number}")
        report(provider, ago)
        send(provider, LATE, SMS)

    with CaptureQueriesContext(connection) as seen:
        assert len(silent()) == (0 if ago == MINUTE else 10)

    assert len(seen) == queries
