"""After the vendor has reported a failure, the code is sent once more by another provider."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import DatabaseError, transaction
from django.test import Client, override_settings
from django.urls import reverse

from django_smsverify.enums import Carrier, MessageStatus, Reason
from django_smsverify.exceptions import GatewayRejected, GatewayUncertain, Throttled, WrongCode
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.models import DeliveryReport, Message, Provider, Verification
from django_smsverify.polling.poll import poll
from django_smsverify.reports import single
from django_smsverify.sending import (
    circuits,
    dispatch,
    later,
    resend_code,
    second_route,
    send_code,
    send_message,
    worker,
)
from django_smsverify.sending.by_hand import send_code_by
from django_smsverify.types import Acceptance
from django_smsverify.verifying import verify_code

from .conftest import PHONE, LogRecorder, MakeProvider, add_template, code_in, record
from .joined_threads import threads
from .test_circuits import FlakyGateway
from .test_storing_reports import DELIVERED, UNDELIVERED, in_parallel, push, report

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
SITE = {"GATEWAYS": {"flaky": "tests.test_circuits.FlakyGateway"}}
HELPED = {
    "signature_unfiled": "SIGNERR",
    "template_unfiled": "WHITESMS",
    "route_fault": "MA:0051",
    "ported": "DB:0143",
}
"""Causes for which another vendor helps, each with a code."""
NOT_HELPED = {
    "phone_off": "MK:0010",
    "phone_invalid": "MK:0001",
    "inbox_full": "MK:0017",
    "expired": "EXPIRED",
    "recipient_blacklist": "DB:0141",
    "frequency": "MI:0079",
    "content_blocked by the carrier": "DB:0309",
    "route_fault of the phone's network": "MK:0002",
    "route_fault, weakly": "DB:0104",
    "signature_unfiled, weakly": "DB:0151",
    "unknown": "what?",
}
UNFILED = HELPED["signature_unfiled"]


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller, override_settings(SMSVERIFY=SITE):
        FlakyGateway.error, FlakyGateway.calls = None, 0
        yield traveller


@pytest.fixture
def sent_by_threads() -> Callable[[], None]:
    """Waits until the threads have sent what was given to them."""
    return threads.join


@pytest.fixture
def tell(sent_by_threads: Callable[[], None]) -> Callable[..., None]:
    """Has the vendor report on a message, and waits for what follows."""

    def tell(message: Message, code: str = UNFILED, *, delivered: bool = False) -> None:
        message.refresh_from_db()
        outcome = DELIVERED if delivered else UNDELIVERED
        push(message.provider, report(message.remote_id, outcome, code, phone=message.phone))
        sent_by_threads()

    return tell


Tell = Callable[..., None]


@pytest.fixture
def first(memory: MakeProvider) -> Provider:
    return memory("login", "payment", slug="first", priority=1)


@pytest.fixture
def second(memory: MakeProvider) -> Provider:
    provider = memory("login", "payment", slug="second", priority=2)
    Provider.objects.filter(pk=provider.pk).update(gateway="flaky")
    return provider


@pytest.fixture
def sms(first: Provider, second: Provider) -> Message:
    """A code that was handed to the first of two providers."""
    return send()


def send(purpose: str = "login") -> Message:
    send_code(PHONE, purpose)
    return Message.objects.latest("created_at", "attempt")


def verification_id(sms: Message) -> UUID:
    assert sms.verification_id is not None
    return sms.verification_id


def attempts() -> list[tuple[str, str]]:
    """Provider and status of each SMS, oldest first."""
    return [(one.provider.slug, one.status) for one in Message.objects.order_by("created_at", "attempt")]


FAILED_AND_SENT_AGAIN = [("first", "undelivered"), ("second", "accepted")]
FAILED = [("first", "undelivered")]


@pytest.mark.parametrize("code", HELPED.values(), ids=HELPED)
def test_the_same_code_follows_by_another_provider(code: str, sms: Message, tell: Tell, client: Client) -> None:
    tell(sms, code)

    assert attempts() == FAILED_AND_SENT_AGAIN
    followed = Message.objects.get(follows=sms.pk)
    assert (followed.attempt, followed.verification_id) == (2, sms.verification_id)
    texts = [kept.text for kept in MemoryGateway.outbox]
    assert len(texts) == 2
    assert code_in(texts[0]) == code_in(texts[1])
    status = client.get(f"/sms/send/{sms.verification_id}/").json()
    assert (status["status"], status["tries"], status["resend_in"]) == ("accepted", 2, 60)
    verify_code(Verification.objects.get().pk, code_in(texts[1]))
    status = client.get(f"/sms/send/{sms.verification_id}/").json()
    assert (status["tries"], status["resend_in"]) == (2, 0)


def test_one_try_is_not_counted(sms: Message, client: Client) -> None:
    assert "tries" not in client.get(f"/sms/send/{sms.verification_id}/").json()


@pytest.mark.parametrize("code", NOT_HELPED.values(), ids=NOT_HELPED)
def test_nothing_follows_where_another_vendor_would_not_help(code: str, sms: Message, tell: Tell) -> None:
    tell(sms, code)

    assert attempts() == FAILED


def test_a_delivery_is_not_followed(sms: Message, tell: Tell) -> None:
    tell(sms, delivered=True)

    assert attempts() == [("first", "delivered")]


@pytest.mark.parametrize(
    ("settings", "followed"),
    [
        ({"REPORT_FAILOVER": False}, False),
        ({"PURPOSES": {"login": {"REPORT_FAILOVER": False}}}, False),
        ({"REPORT_FAILOVER": False, "PURPOSES": {"login": {"REPORT_FAILOVER": True}}}, True),
        ({"PURPOSES": {"payment": {"REPORT_FAILOVER": False}}}, True),
    ],
)
def test_a_site_can_switch_it_off(settings: dict[str, Any], followed: bool, sms: Message, tell: Tell) -> None:
    with override_settings(SMSVERIFY={**SITE, **settings}):
        tell(sms)

    assert attempts() == (FAILED_AND_SENT_AGAIN if followed else FAILED)


class TestTheCode:
    """It must still be of use."""

    def test_verified(self, sms: Message, tell: Tell) -> None:
        verify_code(verification_id(sms), code_in(MemoryGateway.outbox[0].text))
        tell(sms)

        assert attempts() == FAILED

    @pytest.mark.parametrize(("seconds", "followed"), [(239, True), (241, False), (301, False)])
    def test_its_life(
        self, seconds: int, followed: bool, sms: Message, tell: Tell, clock: time_machine.Traveller
    ) -> None:
        """Of five minutes, one must be left."""
        clock.shift(seconds)
        tell(sms)

        assert attempts() == (FAILED_AND_SENT_AGAIN if followed else FAILED)

    def test_no_guess_left(self, sms: Message, tell: Tell) -> None:
        for _ in range(5):
            with pytest.raises(WrongCode):
                verify_code(verification_id(sms), "000000")
        tell(sms)

        assert attempts() == FAILED

    def test_its_life_is_not_extended(self, sms: Message, tell: Tell, clock: time_machine.Traveller) -> None:
        clock.shift(100)
        tell(sms)

        assert Verification.objects.get().expires_at.timestamp() == NOW.timestamp() + 300


class TestOnce:
    def test_no_third(self, sms: Message, tell: Tell, memory: MakeProvider) -> None:
        memory(slug="third", priority=3)
        tell(sms)
        tell(Message.objects.get(follows=sms.pk))

        assert attempts() == [("first", "undelivered"), ("second", "undelivered")]

    def test_not_for_a_new_sms_with_the_same_code(
        self, sms: Message, tell: Tell, memory: MakeProvider, clock: time_machine.Traveller
    ) -> None:
        third = memory(slug="third", priority=3)
        tell(sms)
        clock.shift(61)
        resend_code(verification_id(sms))
        assert attempts()[2] == ("third", "accepted")
        tell(Message.objects.get(provider=third))

        assert len(attempts()) == 3

    def test_not_when_a_newer_sms_has_the_code(self, sms: Message, tell: Tell, clock: time_machine.Traveller) -> None:
        clock.shift(61)
        send_code(PHONE, "login")
        tell(sms)

        assert attempts() == [("first", "undelivered"), ("second", "accepted")]
        assert not Message.objects.filter(follows__isnull=False).exists()

    @pytest.mark.parametrize("copies", [1, 5])
    def test_repeated_reports(self, copies: int, sms: Message, tell: Tell) -> None:
        for code in [*[UNFILED] * copies, "WHITESMS", "MA:0051"]:
            tell(sms, code)

        assert attempts() == FAILED_AND_SENT_AGAIN

    @pytest.mark.slow
    def test_reports_at_once(self, sms: Message, sent_by_threads: Callable[[], None]) -> None:
        codes = [UNFILED] * 4 + ["WHITESMS"] * 2 + ["MA:0051"] * 2
        in_parallel(
            *(
                lambda code=code: push(sms.provider, report(sms.remote_id, UNDELIVERED, code, phone=PHONE))
                for code in codes
            )
        )
        sent_by_threads()

        assert attempts() == FAILED_AND_SENT_AGAIN
        assert DeliveryReport.objects.filter(message=sms).count() == 3

    def test_a_later_delivery_of_the_first_is_counted(self, sms: Message, tell: Tell, first: Provider) -> None:
        tell(sms)
        assert second_route.followed(first, NOW) == (1, 0)
        tell(sms, delivered=True)

        assert attempts() == [("first", "delivered"), ("second", "accepted")]
        assert second_route.followed(first, NOW) == (1, 0), "the second has not arrived"
        tell(Message.objects.get(follows=sms.pk), delivered=True)
        assert second_route.followed(first, NOW) == (1, 1)


def test_the_admin_shows_both_and_how_often(
    sms: Message, tell: Tell, first: Provider, second: Provider, client: Client
) -> None:
    client.force_login(User.objects.create_superuser("boss"))

    def page_of(row: Message | Provider) -> str:
        url = reverse(f"admin:smsverify_{row._meta.model_name}_change", args=[row.pk])
        return client.get(url, headers={"accept-language": "en"}).content.decode()

    assert "none in 30 days" in page_of(first)
    tell(sms)

    assert "1 in 30 days; of 0 both SMS arrived" in page_of(first)
    assert "none in 30 days" in page_of(second), "the one that is told is the first"
    followed = Message.objects.get(follows=sms.pk)
    assert f'/message/{followed.pk}/change/">Another try, by “second”: accepted</a>' in page_of(sms)
    assert f'/message/{sms.pk}/change/">Another try, by “first”: undelivered</a>' in page_of(followed)


class TestLimits:
    def test_the_pause_does_not_hold_it_back_but_counts_from_it(
        self, sms: Message, tell: Tell, clock: time_machine.Traveller
    ) -> None:
        clock.shift(10)
        tell(sms)
        clock.shift(51)

        assert attempts() == FAILED_AND_SENT_AGAIN
        with pytest.raises(Throttled) as refused:
            send_code(PHONE, "login")
        assert (refused.value.scope, refused.value.retry_after) == ("resend", 9)

    @pytest.mark.parametrize("limits", [("1/h",), ("5/h", "1/d")])
    def test_the_limits_of_the_number_hold(self, limits: tuple[str, ...], sms: Message, tell: Tell) -> None:
        with override_settings(SMSVERIFY={**SITE, "PHONE_LIMITS": limits}):
            tell(sms)

        assert attempts() == FAILED

    def test_it_counts(self, sms: Message, tell: Tell, clock: time_machine.Traveller) -> None:
        with override_settings(SMSVERIFY={**SITE, "PHONE_LIMITS": ("2/h",)}):
            tell(sms)
            clock.shift(61)
            with pytest.raises(Throttled):
                send_code(PHONE, "login")

    def test_a_stranger_spends_half_of_a_known_number(self, sms: Message, tell: Tell) -> None:
        Message.objects.update(by_stranger=True)
        with override_settings(SMSVERIFY={**SITE, "PHONE_LIMITS": ("2/h",)}):
            tell(sms)

        assert attempts() == FAILED

    def test_it_is_not_given_back_to_block_and_site_which_it_did_not_spend(
        self, first: Provider, second: Provider, tell: Tell, clock: time_machine.Traveller
    ) -> None:
        clock.shift(30)  # away from the edge of a bucket, where nothing is given back
        with override_settings(SMSVERIFY={**SITE, "GLOBAL_LIMITS": ("2/h",)}):
            sms = send()
            FlakyGateway.error = GatewayRejected(reason=Reason.ACCOUNT)
            tell(sms)
            assert attempts() == [("first", "undelivered"), ("second", "not_sent")]
            send_code("13900139000", "login")

            with pytest.raises(Throttled):
                send_code("13900139001", "login")


class TestOtherWays:
    def test_none(self, first: Provider, tell: Tell) -> None:
        tell(send())

        assert attempts() == FAILED

    @pytest.mark.parametrize("change", [{"is_active": False}, {"regions": ["HK"]}])
    def test_none_that_can_be_used(self, change: dict[str, Any], sms: Message, second: Provider, tell: Tell) -> None:
        Provider.objects.filter(pk=second.pk).update(**change)
        tell(sms)

        assert attempts() == FAILED

    def test_none_that_is_not_resting(self, sms: Message, second: Provider, tell: Tell) -> None:
        circuits.open_by_reports(second, circuits.Way(second.pk, Carrier.MOBILE), "ported", "DB:0143")
        tell(sms)

        assert attempts() == FAILED

    def test_one_that_has_refused_the_code_is_tried_again(
        self, first: Provider, second: Provider, tell: Tell, memory: MakeProvider
    ) -> None:
        Provider.objects.filter(pk=second.pk).update(priority=0)
        FlakyGateway.error = GatewayRejected(reason=Reason.RATE)
        sms = send()
        FlakyGateway.error = None
        tell(sms)

        assert attempts() == [("second", "not_sent"), ("first", "undelivered"), ("second", "accepted")]

    def test_one_that_may_still_deliver_the_code_is_not(
        self, first: Provider, second: Provider, tell: Tell, clock: time_machine.Traveller
    ) -> None:
        Provider.objects.filter(pk=second.pk).update(priority=0)
        FlakyGateway.error = GatewayUncertain("no answer")
        sms = send()
        clock.shift(61)
        resend_code(verification_id(sms))
        tell(Message.objects.get(provider=first))

        assert attempts() == [("second", "unknown"), ("first", "undelivered")]

    def test_a_trial_that_is_due_is_made_by_it(
        self, sms: Message, second: Provider, tell: Tell, clock: time_machine.Traveller
    ) -> None:
        circuits.open_by_reports(second, circuits.Way(second.pk, Carrier.MOBILE), "ported", "DB:0143")
        clock.shift(circuits.FIRST_PAUSE)
        tell(sms)

        assert attempts() == FAILED_AND_SENT_AGAIN
        assert Message.objects.get(follows=sms.pk).is_trial

    def test_after_a_refusal_nothing_that_may_still_deliver_it(
        self, first: Provider, second: Provider, memory: MakeProvider, tell: Tell, clock: time_machine.Traveller
    ) -> None:
        third = memory(slug="third", priority=3)
        Provider.objects.filter(pk=second.pk).update(priority=0)
        FlakyGateway.error = GatewayUncertain("no answer")
        sms = send()
        clock.shift(61)
        resend_code(verification_id(sms))
        Provider.objects.filter(pk=third.pk).update(gateway="flaky")
        FlakyGateway.error = GatewayRejected(reason=Reason.ACCOUNT)
        tell(Message.objects.get(provider=first))

        assert attempts() == [("second", "unknown"), ("first", "undelivered"), ("third", "not_sent")]

    def test_the_next_one_after_a_refusal(self, sms: Message, tell: Tell, memory: MakeProvider) -> None:
        memory(slug="third", priority=3)
        FlakyGateway.error = GatewayRejected(reason=Reason.ACCOUNT)
        tell(sms)

        assert attempts() == [("first", "undelivered"), ("second", "not_sent"), ("third", "accepted")]
        assert Message.objects.filter(follows=sms.pk).count() == 2

    def test_a_code_that_no_other_takes_stays_valid(self, sms: Message, tell: Tell) -> None:
        FlakyGateway.error = GatewayRejected(reason=Reason.ACCOUNT)
        tell(sms)

        assert attempts() == [("first", "undelivered"), ("second", "not_sent")]
        verify_code(verification_id(sms), code_in(MemoryGateway.outbox[0].text))


def test_notices_are_not_followed(first: Provider, second: Provider, tell: Tell) -> None:
    for provider in (first, second):
        add_template(provider, "notice", "您的订单已发货。", "")
    (message,) = send_message(first.templates.get(purpose="notice"), {PHONE: {}})
    tell(message)

    assert attempts() == FAILED


def test_what_an_operator_tests_goes_by_no_other_provider(first: Provider, second: Provider, tell: Tell) -> None:
    message = send_code_by(first.templates.get(purpose="login"), PHONE)
    tell(message)

    assert attempts() == FAILED


class TestOrder:
    """Reports come when they come."""

    def test_before_the_vendors_answer(
        self, first: Provider, second: Provider, tell: Tell, sent_by_threads: Callable[[], None]
    ) -> None:
        sms = send()
        Message.objects.filter(pk=sms.pk).update(status=MessageStatus.SENDING, remote_id="")
        push(first, report("42", UNDELIVERED, UNFILED))
        assert len(attempts()) == 1
        sms.refresh_from_db()
        record(sms, Acceptance(remote_id="42"))
        sent_by_threads()

        assert attempts() == FAILED_AND_SENT_AGAIN

    def test_many_together(self, first: Provider, second: Provider, sent_by_threads: Callable[[], None]) -> None:
        for line in range(3):
            send_code(f"1390013900{line}", "login")
        failed, also_delivered, off = Message.objects.order_by("phone")
        events = [
            report(failed.remote_id, UNDELIVERED, UNFILED, phone=failed.phone),
            report(also_delivered.remote_id, UNDELIVERED, UNFILED, phone=also_delivered.phone),
            report(also_delivered.remote_id, DELIVERED, "0", phone=also_delivered.phone),
            report(off.remote_id, UNDELIVERED, NOT_HELPED["phone_off"], phone=off.phone),
        ]
        for _ in range(2):
            push(first, *events)
            sent_by_threads()

        assert Message.objects.get(follows__isnull=False).follows == failed.pk
        statuses = Message.objects.filter(follows=None).order_by("phone").values_list("status", flat=True)
        assert list(statuses) == ["undelivered", "delivered", "undelivered"]
        assert not DeliveryReport.objects.filter(message=None).exists()

    @pytest.mark.any_database
    @pytest.mark.slow
    def test_whatever_is_reported_in_whatever_order_there_is_no_third_sms(
        self, first: Provider, second: Provider, memory: MakeProvider, sent_by_threads: Callable[[], None]
    ) -> None:
        memory(slug="third", priority=3)
        for seed in range(60):
            cache.clear()
            rng, phone = random.Random(seed), f"+861390013{seed:04}"
            send_code(phone, "login")
            for _ in range(rng.randint(1, 12)):
                message = rng.choice(list(Message.objects.filter(phone=phone)))
                outcome = rng.choice([UNDELIVERED, UNDELIVERED, DELIVERED])
                code = rng.choice([*HELPED.values(), *NOT_HELPED.values()])
                events = [report(message.remote_id, outcome, code, phone=phone)] * rng.randint(1, 3)
                events += [report(message.remote_id, UNDELIVERED, UNFILED, phone=phone)] * rng.randint(0, 1)
                push(message.provider, *events)
                sent_by_threads()

            sms = Message.objects.filter(phone=phone)
            assert sms.count() <= 2
            assert sms.filter(follows__isnull=False).count() == sms.count() - 1
            reported = {one.pk: {row.outcome for row in one.reports.all()} for one in sms}
            for one in sms:
                expected = "delivered" if "delivered" in reported[one.pk] else "undelivered"
                assert one.status == (expected if reported[one.pk] else "accepted")


class TestLater:
    """The second SMS is stored with the report, and sent afterwards."""

    @pytest.fixture
    def without_threads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As if the process died right after the report was stored."""
        monkeypatch.setattr(later._threads, "submit", lambda *args: None)

    @pytest.mark.usefixtures("without_threads")
    def test_the_poll_sends_what_a_crash_left(self, sms: Message, tell: Tell, clock: time_machine.Traveller) -> None:
        tell(sms)
        assert attempts() == [("first", "undelivered"), ("second", "queued")]
        assert poll()["taken up"] == 0
        clock.shift(61)

        assert poll()["taken up"] == 1
        assert attempts() == FAILED_AND_SENT_AGAIN

    @pytest.mark.usefixtures("without_threads")
    def test_not_when_the_code_was_sent_again_meanwhile(
        self, sms: Message, tell: Tell, clock: time_machine.Traveller, memory: MakeProvider
    ) -> None:
        tell(sms)
        clock.shift(61)
        memory(slug="third", priority=3)
        resend_code(verification_id(sms))
        poll()

        assert attempts() == [("first", "undelivered"), ("second", "not_sent"), ("third", "accepted")]
        assert "sent again" in Message.objects.get(follows=sms.pk).error_message

    @pytest.mark.usefixtures("without_threads")
    def test_not_when_the_first_has_arrived_after_all(
        self, sms: Message, tell: Tell, clock: time_machine.Traveller, client: Client
    ) -> None:
        tell(sms)
        tell(sms, delivered=True)
        clock.shift(61)
        poll()

        assert attempts() == [("first", "delivered"), ("second", "not_sent")]
        assert "arrived after all" in Message.objects.get(follows=sms.pk).error_message
        status = client.get(f"/sms/send/{sms.verification_id}/").json()
        assert status["status"] == "delivered"
        assert not {"tries", "code"} & status.keys()

    @pytest.mark.usefixtures("without_threads")
    def test_never_by_the_provider_that_failed(
        self, sms: Message, second: Provider, tell: Tell, clock: time_machine.Traveller
    ) -> None:
        tell(sms)
        Provider.objects.filter(pk=second.pk).update(is_active=False)
        clock.shift(61)
        poll()

        assert attempts() == [("first", "undelivered"), ("second", "not_sent")]

    def test_a_process_that_ends_leaves_it_to_the_poll(
        self, sms: Message, tell: Tell, log: LogRecorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*args: Any) -> None:
            raise RuntimeError("cannot schedule new futures after shutdown")

        monkeypatch.setattr(later._threads, "submit", refuse)
        tell(sms)

        assert attempts() == [("first", "undelivered"), ("second", "queued")]
        assert "No thread can send a queued message" in log.text

    def test_a_bug_while_it_is_sent_is_logged(
        self, sms: Message, tell: Tell, log: LogRecorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(later, "run_task", lambda ids: 1 / 0)
        tell(sms)

        assert "could not be sent; the poll will: ZeroDivisionError" in log.text

    @pytest.mark.parametrize("works", [True, False])
    def test_a_queue_is_told(
        self, works: bool, sms: Message, tell: Tell, monkeypatch: pytest.MonkeyPatch, clock: time_machine.Traveller
    ) -> None:
        ids: list[str] = []

        def enqueue(some: list[str]) -> None:
            ids.extend(some)
            if not works:
                raise ConnectionError("no broker")

        monkeypatch.setattr(dispatch, "_failed_at", float("-inf"))
        monkeypatch.setattr(dispatch, "_enqueue", enqueue)
        with override_settings(SMSVERIFY={**SITE, "DISPATCH": "celery"}):
            tell(sms)
            assert attempts() == [("first", "undelivered"), ("second", "queued")]
            assert ids == [str(Message.objects.get(follows=sms.pk).pk)]
            worker.run_task(ids) if works else (clock.shift(61), poll())  # type: ignore[func-returns-value]

        assert attempts() == FAILED_AND_SENT_AGAIN


def test_a_refusal_after_the_first_has_arrived_is_the_last(
    first: Provider, second: Provider, tell: Tell, memory: MakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory(slug="third", priority=3)
    sms = send()

    def refuse_slowly(gateway: Any, sms_: Any) -> Any:
        push(first, report(sms.remote_id, DELIVERED, "0"))
        return dict.fromkeys(sms_.recipients, GatewayRejected(reason=Reason.RATE))

    monkeypatch.setattr(FlakyGateway, "transmit", refuse_slowly)
    tell(sms)

    assert attempts() == [("first", "delivered"), ("second", "not_sent")]


def test_a_queue_that_fails_is_left_alone_for_a_while(
    first: Provider, second: Provider, tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[list[str]] = []

    def fail(ids: list[str]) -> None:
        calls.append(ids)
        raise ConnectionError("no broker")

    monkeypatch.setattr(dispatch, "_failed_at", float("-inf"))
    monkeypatch.setattr(dispatch, "_enqueue", fail)
    sent_by_first = [send(), *(send_other(f"1390013900{line}") for line in range(3))]
    with override_settings(SMSVERIFY={**SITE, "DISPATCH": "celery"}):
        for sms in sent_by_first:
            tell(sms)

    assert len(calls) == 1
    assert [status for _, status in attempts()].count("queued") == 4


def send_other(phone: str) -> Message:
    send_code(phone, "login")
    return Message.objects.get(phone=f"+86{phone}")


def test_what_has_arrived_meanwhile_is_not_followed(sms: Message, tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    store = single._store

    def store_after_a_delivery(*args: Any) -> bool:
        Message.objects.filter(pk=sms.pk).update(status=MessageStatus.DELIVERED)
        return store(*args)

    monkeypatch.setattr(single, "_store", store_after_a_delivery)
    tell(sms)

    assert attempts() == [("first", "delivered")]


def test_an_error_of_the_database_is_not_swallowed(sms: Message, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction is tried again, or the vendor repeats the report."""

    def fail(*args: Any, **fields: Any) -> Any:
        raise DatabaseError("gone")

    monkeypatch.setattr(second_route, "queue_next", fail)
    with pytest.raises(DatabaseError):
        push(sms.provider, report(sms.remote_id, UNDELIVERED, UNFILED))

    assert attempts() == [("first", "accepted")]
    assert not DeliveryReport.objects.exists()


def test_an_error_after_a_statement_loses_no_report(
    sms: Message, tell: Tell, log: LogRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Django would roll back all of a transaction in which a model's save failed with any error."""

    def fail_within(*args: Any, **fields: Any) -> Any:
        with transaction.atomic(savepoint=False):
            raise ValueError("a bug")

    monkeypatch.setattr(second_route, "queue_next", fail_within)
    tell(sms)

    assert attempts() == FAILED
    assert DeliveryReport.objects.get().message == sms
    assert "could not be followed up: ValueError" in log.text


@pytest.mark.parametrize("where", ["second_of", "_is_wanted"])
def test_a_bug_loses_no_report(
    where: str, sms: Message, tell: Tell, log: LogRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = "meaning_of" if where == "second_of" else where
    monkeypatch.setattr(second_route, broken, lambda *args: 1 / 0)
    tell(sms)

    assert attempts() == FAILED
    assert "could not be followed up: ZeroDivisionError" in log.text
