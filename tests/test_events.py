"""The log events: each decision makes one, with its fields, at no cost for the database, and nothing secret in it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_smsverify import events
from django_smsverify.enums import Cause, Guarded, ReportSource, ReviewStatus, Submission
from django_smsverify.events import EVENTS
from django_smsverify.exceptions import (
    AlreadyUsed,
    GatewayRejected,
    NoRoute,
    Throttled,
    VerificationNotFound,
    WrongCode,
)
from django_smsverify.limits.guard import closures
from django_smsverify.limits.guard.rules import Figures
from django_smsverify.models import Message, Provider, Template, TestNumber
from django_smsverify.polling.poll import poll
from django_smsverify.reports.storing import store_events
from django_smsverify.reviews.verdicts import store_review_result
from django_smsverify.sending import circuits, resend_code, send_code
from django_smsverify.types import News, ReviewEvent
from django_smsverify.verifying import verify_code

from .conftest import PHONE, MakeProvider, last_code, wrong
from .test_circuits import FlakyGateway
from .test_storing_reports import DELIVERED, UNDELIVERED, report, sending
from .test_webhooks import IDS, ihuyi_report, path_of, sent

pytestmark = pytest.mark.django_db(transaction=True)

MASKED = "138****8000"
FLAKY = {"GATEWAYS": {"flaky": "tests.test_circuits.FlakyGateway"}}


class Listener(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def __call__(self, name: str) -> list[dict[str, Any]]:
        """The events of a name; each has all of its fields."""
        found = [vars(record)["smsverify"] for record in self.records]
        assert all(set(one) == {"event", *EVENTS[one["event"]]} for one in found)
        return [one for one in found if one["event"] == name]

    def result(self, name: str, field: str = "result") -> list[Any]:
        return [one[field] for one in self(name)]


@pytest.fixture(autouse=True)
def seen() -> Iterator[Listener]:
    listener = Listener()
    events.logger.addHandler(listener)
    yield listener
    events.logger.removeHandler(listener)


class TestCodes:
    def test_a_code_that_is_sent_and_verified(self, memory: MakeProvider, seen: Listener) -> None:
        memory()
        verification = send_code(PHONE, "login")
        with pytest.raises(WrongCode):
            verify_code(verification.pk, wrong(last_code()))
        verify_code(verification.pk, last_code())
        with pytest.raises(AlreadyUsed):
            verify_code(verification.pk, last_code())

        (asked,) = seen("code.asked")
        assert asked == {
            "event": "code.asked",
            "result": "sent",
            "reason": None,
            "purpose": "login",
            "phone": MASKED,
            "verification": verification.pk,
            "provider": "memory",
            "status": "accepted",
        }
        assert seen.result("code.checked") == ["wrong_code", "verified", "already_used"]
        assert seen.result("code.checked", "attempts_left") == [4, None, None]
        assert seen.result("code.checked", "verification") == [verification.pk] * 3

        strangers: tuple[Any, ...] = (PHONE, "\ud800", uuid4())
        for stranger in strangers:
            with pytest.raises(VerificationNotFound):
                verify_code(stranger, "1")
        assert seen.result("code.checked", "verification")[3:] == [None] * 3
        (line,) = [record.getMessage() for record in seen.records if "code.asked" in record.getMessage()]
        assert line.startswith(f"code.asked result=sent purpose=login phone={MASKED} verification=")

    def test_a_refusal_says_why(self, memory: MakeProvider, seen: Listener) -> None:
        memory()
        verification = send_code(PHONE, "login")
        with pytest.raises(Throttled):
            send_code(PHONE, "login")
        with pytest.raises(Throttled):
            resend_code(verification.pk)

        *_, refused, again = seen("code.asked")
        expected = {"result": "refused", "reason": "resend", "phone": MASKED, "purpose": "login"}
        assert refused.items() >= expected.items()
        assert again.items() >= expected.items()

    def test_a_purpose_that_does_not_exist(self, client: Client, seen: Listener) -> None:
        body = {"phone": PHONE, "purpose": "13800138000"}
        assert client.post("/sms/send/", body, content_type="application/json").status_code == 400

        (refused,) = seen("code.asked")
        assert refused["reason"] == "unknown_purpose"

    def test_a_code_that_joins_the_live_one(self, memory: MakeProvider, seen: Listener) -> None:
        memory()
        send_code(PHONE, "login")
        send_code(PHONE, "login", trusted=True)

        assert seen.result("code.asked") == ["sent", "refused", "joined"]

    def test_a_code_that_no_provider_took(self, memory: MakeProvider, seen: Listener) -> None:
        Provider.objects.filter(pk=memory().pk).update(gateway="flaky")
        FlakyGateway.error = GatewayRejected("余额不足", error_code="4051")
        with override_settings(SMSVERIFY=FLAKY), pytest.raises(NoRoute):
            send_code(PHONE, "login")

        assert seen.result("code.asked") == ["not_sent"]
        (tried,) = seen("sms.sent")
        known = {"status": "not_sent", "provider": "memory", "carrier": "mobile", "error_code": "4051", "attempt": 1}
        assert tried.items() >= known.items()
        assert seen.result("sms.settled", "status") == ["not_sent"]

    def test_a_test_number(self, memory: MakeProvider, seen: Listener) -> None:
        memory()
        TestNumber.objects.create(phone=PHONE, expires_at=timezone.now() + timedelta(days=1))
        with override_settings(SMSVERIFY={"ALLOW_TEST_NUMBERS": True}):
            resend_code(send_code(PHONE, "login").pk)

        assert seen.result("code.asked") == ["simulated"] * 2


class TestMessages:
    def test_a_pushed_report(self, vendor: MakeProvider, client: Client, seen: Listener) -> None:
        provider = vendor("ihuyi")
        message = sent(provider, IDS["ihuyi"])

        for _ in range(2):
            client.post(path_of(provider), ihuyi_report(), content_type="application/x-www-form-urlencoded")

        counts = [(one["status"], one["provider"], one["reports"], one["new"]) for one in seen("webhook.received")]
        assert counts == [(200, "ihuyi", 1, 1), (200, "ihuyi", 1, 0)]
        (settled,) = seen("sms.settled")
        known = {"status": "delivered", "provider": "ihuyi", "carrier": "mobile", "message": message.pk}
        assert settled.items() >= known.items()
        assert settled["ms"] >= 0

    def test_reports_in_bulk_cost_no_query_more(self, memory: MakeProvider, seen: Listener) -> None:
        provider = memory()

        def store(start: int) -> int:
            outcomes = (DELIVERED, UNDELIVERED)
            for number in range(4):
                message = sending(provider, phone=f"+861380013{start + number}", remote_id=f"r{start + number}")
                Message.objects.filter(pk=message.pk).update(status="accepted")
            found = [
                report(f"r{start + n}", outcomes[n % 2], phone=f"+861380013{start + n}", code="x") for n in range(4)
            ]
            with CaptureQueriesContext(connection) as queries:
                store_events(provider, News(events=tuple(found)), ReportSource.PUSH)
            return len(queries)

        listened = store(1000)
        settled = seen("sms.settled")
        logging.getLogger("django_smsverify.events").setLevel(logging.WARNING)
        try:
            assert store(2000) == listened
        finally:
            logging.getLogger("django_smsverify.events").setLevel(logging.NOTSET)

        assert sorted(one["status"] for one in settled) == ["delivered"] * 2 + ["undelivered"] * 2
        assert {one["provider"] for one in settled} == {"memory"}
        assert len(seen("sms.settled")) == 4, "nobody listens any more"

    @pytest.mark.slow
    def test_a_message_that_stays_silent(self, memory: MakeProvider, seen: Listener) -> None:
        message = sending(memory())
        old = timezone.now() - timedelta(days=4)
        Message.objects.filter(pk=message.pk).update(status="accepted", created_at=old)
        poll()

        assert seen.result("sms.settled", "status") == ["accepted"]

    def test_a_call_of_a_stranger_names_nobody(self, client: Client, seen: Listener) -> None:
        client.post("/sms/webhooks/13800138000/13800138000/", "x", content_type="text/plain")

        assert [(one["status"], one["provider"]) for one in seen("webhook.received")] == [(404, None)]

    def test_a_call_that_cannot_be_read(self, vendor: MakeProvider, client: Client, seen: Listener) -> None:
        provider = vendor("ihuyi")
        client.post(path_of(provider), "nonsense", content_type="text/plain")

        assert [(one["status"], one["provider"]) for one in seen("webhook.received")] == [(400, "ihuyi")]


def test_a_circuit_that_opens_and_closes(memory: MakeProvider, seen: Listener) -> None:
    provider = memory()
    way = circuits.Way(provider.pk, "mobile")
    circuits.open_by_reports(provider, way, Cause.ROUTE_FAULT, "MK:0001")
    circuits.close(provider)

    assert seen("circuit.changed") == [
        {"event": "circuit.changed", "state": state, "provider": "memory", "carrier": "mobile", "cause": cause}
        for state, cause in (("open", "route_fault"), ("closed", None))
    ]


def test_a_verdict(memory: MakeProvider, seen: Listener) -> None:
    provider = memory()
    Template.objects.update(status=ReviewStatus.PENDING, remote_id="7")
    event = ReviewEvent(submission=Submission.TEMPLATE, remote_id="7", status=ReviewStatus.REJECTED, reason="x")

    store_review_result(provider, event)

    verdict = {"status": "rejected", "provider": "memory", "kind": "template"}
    assert seen("review.changed") == [{"event": "review.changed", **verdict}]


def test_a_closure(seen: Listener) -> None:
    closures.close(Guarded.BLOCK, "+861390013", Figures(20, 20, 3, 3))

    (closed,) = seen("guard.closed")
    known = {"kind": "block", "subject": "+861390013", "sent": 20, "verified": 3, "seconds": 900, "is_watched": False}
    assert closed == {"event": "guard.closed", **known}


def test_an_alert(seen: Listener) -> None:
    closures.close(Guarded.SITE, "", Figures(200, 200, 0))
    poll()

    assert [(one["kind"], one["subject"]) for one in seen("alert.told")] == [("guard", "site")]


def test_without_a_listener_nothing_is_written(memory: MakeProvider, seen: Listener) -> None:
    memory()
    logging.getLogger("django_smsverify.events").setLevel(logging.WARNING)
    try:
        send_code(PHONE, "login")
    finally:
        logging.getLogger("django_smsverify.events").setLevel(logging.NOTSET)

    assert seen.records == []


def test_every_event_that_is_named_in_the_package_is_one() -> None:
    source = "\n".join(path.read_text() for path in Path(events.__file__).parent.rglob("*.py"))
    named = set(re.findall(r'events\.emit\(\s*"([a-z.]+)"', source))

    assert named == EVENTS.keys()


def test_ids_are_those_of_the_rows(memory: MakeProvider, seen: Listener) -> None:
    memory()
    send_code(PHONE, "login")

    assert isinstance(seen("code.asked")[0]["verification"], UUID)
    assert seen("sms.sent")[0]["message"] == Message.objects.get().pk
