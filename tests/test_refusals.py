"""Refused requests are stored, so that an operator can tell why no SMS came; an attack does not fill the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from django.db import DatabaseError, transaction
from django.test import Client, override_settings
from django.utils import timezone

from django_smsverify.enums import Refused, ReviewStatus, Scope
from django_smsverify.exceptions import (
    CodeExpired,
    NoRoute,
    PhoneNotSupported,
    SMSVerifyError,
    Throttled,
    ThrottleUnavailable,
    UnknownPurpose,
)
from django_smsverify.limits import refusals, tally
from django_smsverify.models import Provider, Refusal, Template
from django_smsverify.polling.poll import poll
from django_smsverify.sending import resend_code, send_code
from django_smsverify.sending.by_hand import send_code_by

from .conftest import PHONE, LogRecorder, MakeProvider, cached
from .test_limits import NO_LIMITS, DeadCache

pytestmark = pytest.mark.django_db(transaction=True)

OTHER = "+8613900139000"
ADDRESS = "203.0.113.7"


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    """In the middle of an hour, so that no test sees it end."""
    with time_machine.travel(timezone.now().replace(minute=20), tick=False) as traveller:
        yield traveller


@pytest.fixture(autouse=True)
def _no_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "_outage_stored_at", -refusals.OUTAGE_PAUSE)


@pytest.fixture
def provider(memory: MakeProvider) -> Provider:
    return memory("login")


@pytest.fixture
def most(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets how many numbers and reasons are counted one by one in an hour."""

    def most(number: int) -> None:
        for module in (tally, refusals):
            monkeypatch.setattr(module, "MOST_SUBJECTS", number)

    return most


def limits(**changed: Any) -> Any:
    return override_settings(SMSVERIFY={**NO_LIMITS, **changed})


def refused(kind: type[SMSVerifyError] = Throttled, times: int = 1, phone: str = PHONE, **asked: Any) -> None:
    for _ in range(times):
        with pytest.raises(kind):
            send_code(phone, **{"purpose": "login", **asked})


def stored() -> dict[tuple[str, str], int]:
    """The count of each row, by number and reason."""
    return {(one.phone, one.reason): one.count for one in Refusal.objects.all()}


class TestReasons:
    @pytest.mark.parametrize(
        ("reason", "changed"),
        [
            (Refused.RESEND, {"RESEND_INTERVAL": 60}),
            (Refused.PHONE, {"PHONE_LIMITS": ("1/h",)}),
            (Refused.IP, {"IP_LIMITS": ("1/h",)}),
            (Refused.PREFIX, {"PREFIX_LIMITS": ("1/h",)}),
            (Refused.GLOBAL, {"GLOBAL_LIMITS": ("1/h",)}),
        ],
    )
    def test_a_limit(self, reason: Refused, changed: dict[str, Any], provider: Provider) -> None:
        with limits(**changed):
            send_code(PHONE, "login", ip=ADDRESS)
            refused(ip=ADDRESS)

        assert stored() == {(PHONE, reason): 1}

    def test_a_resend(self, provider: Provider) -> None:
        verification = send_code(PHONE, "login")
        with pytest.raises(Throttled):
            resend_code(verification.pk)

        assert stored() == {(PHONE, Refused.RESEND): 1}

    def test_no_captcha(self, client: Client, provider: Provider) -> None:
        with override_settings(SMSVERIFY={"CAPTCHA": "django_smsverify.conf._refuse"}):
            for _ in range(2):
                client.post("/sms/send/", {"phone": PHONE, "purpose": "login"}, "application/json")

        assert stored() == {(PHONE, Refused.CAPTCHA): 2}

    def test_a_purpose_that_cannot_be_is_not_stored(self, client: Client, provider: Provider) -> None:
        """Anybody may post any text as one; it would be printed to an operator."""
        with override_settings(SMSVERIFY={"CAPTCHA": "django_smsverify.conf._refuse"}):
            for purpose in ("login", f"\x1b[31mcall {OTHER}"):
                client.post("/sms/send/", {"phone": PHONE, "purpose": purpose}, "application/json")
                cache.clear()

        client.post("/sms/send/", {"phone": OTHER, "purpose": "\x1b[31m"}, "application/json")
        assert list(Refusal.objects.values_list("purpose", flat=True)) == ["login"]
        Refusal.objects.all().delete()
        refusals.record(PHONE, "\x1b[31m", Refused.CAPTCHA)
        assert Refusal.objects.get().purpose == ""

    def test_a_number_is_not_stored_as_a_purpose(self, client: Client, provider: Provider) -> None:
        for purpose in (OTHER.removeprefix("+86"), "sign-up-2"):
            client.post("/sms/send/", {"phone": PHONE, "purpose": purpose}, "application/json")
            assert Refusal.objects.get().reason == Refused.UNKNOWN_PURPOSE
            assert Refusal.objects.get().purpose == (purpose if purpose == "sign-up-2" else "")
            Refusal.objects.all().delete()
            cache.clear()

    def test_of_several_limits_the_one_that_was_answered(self, provider: Provider) -> None:
        with limits(PREFIX_LIMITS=("1/h",), RESEND_INTERVAL=60):
            send_code(PHONE, "login")
            with pytest.raises(Throttled) as caught:
                send_code(PHONE, "login")
            refused(phone="+8613800138001")

        assert caught.value.scope == Scope.RESEND
        assert stored() == {(PHONE, Refused.RESEND): 1, ("+8613800138001", Refused.PREFIX): 1}

    def test_an_operator_s_test_makes_no_row(self, provider: Provider) -> None:
        send_code_by(provider.templates.get(), PHONE)
        with pytest.raises(Throttled):
            send_code_by(provider.templates.get(), PHONE)

        assert stored() == {}

    def test_no_route(self, provider: Provider) -> None:
        Template.objects.update(status=ReviewStatus.PENDING)
        refused(NoRoute)
        refused(UnknownPurpose, purpose="payment")
        Template.objects.update(status=ReviewStatus.APPROVED)
        Provider.objects.update(regions=["HK"])
        refused(PhoneNotSupported)

        assert stored() == {
            (PHONE, Refused.NO_ROUTE): 1,
            (PHONE, Refused.UNKNOWN_PURPOSE): 1,
            (PHONE, Refused.NOT_SUPPORTED): 1,
        }

    def test_what_has_a_message_or_a_verification_makes_no_row(
        self, provider: Provider, clock: time_machine.Traveller
    ) -> None:
        verification = send_code(PHONE, "login")
        clock.shift(timedelta(hours=2))
        with pytest.raises(CodeExpired):
            resend_code(verification.pk)

        assert stored() == {}


class TestCounts:
    def test_a_row_carries_the_count_at_the_powers_of_two(self, provider: Provider) -> None:
        send_code(PHONE, "login")
        counts = []
        for _ in range(9):
            refused()
            counts.append(Refusal.objects.get().count)

        assert counts == [1, 2, 2, 4, 4, 4, 4, 8, 8]

    def test_the_times_are_those_of_the_first_and_of_the_last_that_was_stored(
        self, provider: Provider, clock: time_machine.Traveller
    ) -> None:
        send_code(PHONE, "login")
        first = timezone.now()
        refused()
        clock.shift(5)
        refused()
        clock.shift(5)
        refused()

        row = Refusal.objects.get()
        assert (row.first_at, row.last_at) == (first, first + timedelta(seconds=5))

    def test_each_hour_and_each_number_has_its_own(self, provider: Provider, clock: time_machine.Traveller) -> None:
        with limits(PHONE_LIMITS=("1/d",)):
            for phone in (PHONE, OTHER):
                send_code(phone, "login")
                refused(times=2, phone=phone)
            clock.shift(timedelta(hours=1))
            refused(times=3)

        rows = Refusal.objects.order_by("first_at").values_list("phone", "count")
        assert sorted(rows[:2]) == [(PHONE, 2), (OTHER, 2)]
        assert list(rows[2:]) == [(PHONE, 2)]

    def test_a_refused_request_is_not_counted_against_the_limits(self, provider: Provider) -> None:
        with limits(PHONE_LIMITS=("1/h",), GLOBAL_LIMITS=("2/h",)):
            send_code(PHONE, "login")
            refused(times=5)
            send_code(OTHER, "login")

    def test_a_flushed_cache_keeps_the_row_and_its_count(self, provider: Provider) -> None:
        send_code(PHONE, "login")
        refused(times=4)
        cache.clear()
        refused(times=2)

        assert stored() == {(PHONE, Refused.RESEND): 4}


class TestAttack:
    def test_after_the_most_rows_one_row_stands_for_all_further_numbers(
        self, provider: Provider, most: Callable[[int], None]
    ) -> None:
        most(3)
        with limits(IP_LIMITS=("1/h",)):
            send_code(PHONE, "login", ip=ADDRESS)
            for number in range(8):
                refused(times=3, phone=f"+861380013800{number}", ip=ADDRESS)

        own = {(f"+861380013800{number}", Refused.IP.value): 2 for number in range(3)}
        assert stored() == {**own, ("", Refused.OTHERS.value): 8}, "of fifteen further refusals"

    def test_the_cache_and_the_statements_are_bounded_too(
        self, provider: Provider, most: Callable[[int], None], django_assert_num_queries: Any
    ) -> None:
        most(3)
        with limits(IP_LIMITS=("1/h",)):
            send_code(PHONE, "login", ip=ADDRESS)
            for number in range(8):
                refused(phone=f"+861380013800{number}", ip=ADDRESS)
            keys = [key for key in cached() if ":refused:" in key]
            with django_assert_num_queries(2):  # whether the number is known: the cache counts the sixth and seventh
                refused(times=2, phone="+8613800138009", ip=ADDRESS)

        assert len(keys) == 4, "three numbers, and all others"

    def test_a_dead_cache_makes_a_row_a_minute(
        self, provider: Provider, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
    ) -> None:
        dead = {"default": {"BACKEND": "tests.test_limits.DeadCache"}}
        with override_settings(CACHES=dead):
            refused(ThrottleUnavailable, times=3)
            assert stored() == {("", Refused.NO_CACHE): 1}
            with django_assert_num_queries(2):  # whether the purpose exists, and whether the number is known
                refused(ThrottleUnavailable, phone=OTHER)


class TestForgetting:
    def test_the_poll_deletes_them_after_the_retention(self, provider: Provider, clock: time_machine.Traveller) -> None:
        send_code(PHONE, "login")
        refused()
        with override_settings(SMSVERIFY={"RETENTION_DAYS": 3}):
            clock.shift(timedelta(days=3))
            assert poll()["refusal forgotten"] == 0
            clock.shift(1)
            assert poll()["refusal forgotten"] == 1

        assert stored() == {}


class TestFailures:
    def test_a_dead_cache_is_asked_once(self, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[str] = []

        def fail(cache: DeadCache, key: str, *args: object) -> None:
            asked.append(key)
            raise ConnectionError

        for name in ("add", "incr", "decr"):
            monkeypatch.setattr(DeadCache, name, fail)
        with override_settings(CACHES={"default": {"BACKEND": "tests.test_limits.DeadCache"}}):
            refused(ThrottleUnavailable)

        assert len(asked) == 1

    def test_a_refusal_that_cannot_be_counted_is_the_same_refusal(
        self, provider: Provider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*args: object) -> None:
            raise ConnectionError

        with limits(IP_LIMITS=("1/h",)):
            send_code(PHONE, "login", ip=ADDRESS)
            monkeypatch.setattr("django_smsverify.limits.windows._count_refusal", fail)
            refused(ip=ADDRESS)

    def test_a_cache_that_hangs_is_not_waited_for(
        self, client: Client, provider: Provider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With the patience of a send, this test would last longer than its timeout."""
        monkeypatch.setattr("django_smsverify.limits.cache.MAX_SECONDS", 10_000)
        monkeypatch.setattr("django_smsverify.limits.cache.CALLED_DIRECTLY", ())
        free = Event()
        monkeypatch.setattr(LocMemCache, "incr", lambda *args: free.wait())
        try:
            local = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": __name__}}
            with override_settings(CACHES=local, SMSVERIFY={"CAPTCHA": "django_smsverify.conf._refuse"}):
                answer = client.post("/sms/send/", {"phone": PHONE, "purpose": "login"}, "application/json")
        finally:
            free.set()

        assert answer.json()["code"] == "captcha_required"
        assert stored() == {}

    def test_a_refusal_that_cannot_be_stored_is_the_same_refusal(
        self, provider: Provider, monkeypatch: pytest.MonkeyPatch, log: LogRecorder
    ) -> None:
        def fail(*args: object) -> bool:
            raise DatabaseError(f"the row of {PHONE} is locked")

        send_code(PHONE, "login")
        monkeypatch.setattr(refusals, "upsert", fail)
        refused()

        assert stored() == {}
        assert "A refused request could not be stored (DatabaseError)." in log.text

    def test_nothing_is_written_into_a_caller_s_transaction(self, provider: Provider) -> None:
        with limits(IP_LIMITS=("1/h",)):
            send_code(PHONE, "login", ip=ADDRESS)
            with transaction.atomic():
                refused(ip=ADDRESS)

        assert stored() == {}

    def test_a_database_without_upsert_makes_the_row(self, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(refusals, "upsert", lambda *args: False)
        send_code(PHONE, "login")
        refused()
        cache.clear()
        refused()

        assert stored() == {(PHONE, Refused.RESEND): 1}

    def test_a_cache_that_dies_in_between_does_not_hide_the_refusal(
        self, provider: Provider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*args: object) -> None:
            raise ConnectionError

        send_code(PHONE, "login")
        monkeypatch.setattr("django_smsverify.limits.shared.give_back", fail)
        refused()

        assert stored() == {}


@pytest.mark.django_db(transaction=False)
class TestInATestCase:
    def test_a_site_s_own_test_sees_the_row(self, provider: Provider) -> None:
        """Which runs in a transaction."""
        send_code(PHONE, "login")
        refused()
        cache.clear()
        refused()

        assert stored() == {(PHONE, Refused.RESEND): 1}
