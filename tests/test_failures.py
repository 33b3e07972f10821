"""Wrong codes in a row: after a hundred, however slowly they come, each code of the number has one guess."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.management import call_command
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_smsverify.exceptions import CodeRejected, Throttled, TooManyAttempts, WrongCode
from django_smsverify.limits import failures
from django_smsverify.limits.per_number import LONGEST_LIFE, NumberHistory
from django_smsverify.models import Recipient, TestNumber, Verification
from django_smsverify.numbers import forget
from django_smsverify.polling.poll import poll
from django_smsverify.sending import resend_code, send_code
from django_smsverify.verifying import verify_code

from .conftest import PHONE, MakeProvider, last_code, wrong
from .test_admin_destinations import staff
from .test_limits import NO_LIMITS

pytestmark = pytest.mark.django_db(transaction=True)

OTHER = "+8613900139000"
LIST = "/admin/smsverify/recipient/"
DAY = timedelta(days=1)
WIDE: dict[str, Any] = {**NO_LIMITS, "GUESS_LIMIT": "1000/d", "RESEND_INTERVAL": 1}


@pytest.fixture(autouse=True)
def clock(memory: MakeProvider) -> Iterator[time_machine.Traveller]:
    memory("login", "payment")
    moment = datetime(2026, 11, 27, 12, tzinfo=UTC)
    with time_machine.travel(moment, tick=False) as traveller, override_settings(SMSVERIFY=WIDE):
        yield traveller


def fail(times: int = 5, purpose: str = "login") -> int:
    """Asks for a code and enters wrong ones; returns how many the code had."""
    verification = send_code(PHONE, purpose)
    for _ in range(times):
        with pytest.raises(WrongCode):
            verify_code(verification.pk, wrong(last_code()))
    return verification.max_attempts


def fail_often(rounds: int, clock: time_machine.Traveller, pause: timedelta, times: int = 5) -> None:
    for _ in range(rounds):
        fail(times)
        clock.shift(pause)


def guesses() -> int:
    """How many guesses the next code has."""
    return send_code(PHONE, "login").max_attempts


def in_a_row() -> int:
    return failures.failures_of(Recipient.objects.get(), NumberHistory.read(PHONE, timezone.now()), None)


def succeed() -> None:
    verification = send_code(PHONE, "login")
    verify_code(verification.pk, last_code())


def poll_meanwhile(clock: time_machine.Traveller, span: timedelta) -> None:
    for _ in range(int(span / timedelta(hours=6))):
        clock.shift(timedelta(hours=6))
        list(failures.add_up_failures())


MINUTES = timedelta(minutes=15)


class TestCounting:
    def test_after_a_hundred_each_code_has_one_guess(self, clock: time_machine.Traveller) -> None:
        fail_often(19, clock, MINUTES)
        fail(4)
        clock.shift(MINUTES)
        assert guesses() == 5

        clock.shift(MINUTES)
        fail(1)
        clock.shift(MINUTES)
        assert guesses() == 1
        clock.shift(MINUTES)
        assert guesses() == 1

    def test_its_owner_verifies_by_the_one_guess_and_has_all_again(self, clock: time_machine.Traveller) -> None:
        fail_often(20, clock, MINUTES)
        succeed()
        clock.shift(MINUTES)

        assert guesses() == 5

    def test_the_one_guess_is_the_only_one(self, clock: time_machine.Traveller) -> None:
        fail_often(20, clock, MINUTES)
        verification = send_code(PHONE, "login")
        with pytest.raises(WrongCode) as caught:
            verify_code(verification.pk, wrong(last_code()))

        assert caught.value.attempts_left == 0
        with pytest.raises(TooManyAttempts):
            verify_code(verification.pk, last_code())

    def test_a_success_begins_anew(self, clock: time_machine.Traveller) -> None:
        fail_often(19, clock, MINUTES)
        succeed()
        clock.shift(MINUTES)
        fail_often(19, clock, MINUTES)

        assert guesses() == 5

    def test_other_numbers_are_not_concerned(self, clock: time_machine.Traveller) -> None:
        fail_often(20, clock, MINUTES)

        assert send_code(OTHER, "login").max_attempts == 5

    def test_a_success_counts_although_its_number_was_forgotten(self, clock: time_machine.Traveller) -> None:
        """The right code of a verification that joined another is no failure either."""
        fail_often(20, clock, MINUTES)
        send_code(PHONE, "login")
        clock.shift(2)
        joined = send_code(PHONE, "login")
        assert joined.root_id
        verify_code(joined.pk, last_code())
        forget(PHONE)

        assert in_a_row() == 0
        clock.shift(MINUTES)
        assert guesses() == 5

    def test_a_used_code_that_is_guessed_again_counts_its_wrong_ones_only(self, client: Client) -> None:
        verification = send_code(PHONE, "login")
        key = {"Idempotency-Key": "press-1_of-the-button"}
        for code in (last_code(), *[wrong(last_code())] * 3):
            body = {"verification_id": str(verification.pk), "code": code}
            client.post("/sms/verify/", body, "application/json", headers=key)
        at = Verification.objects.get().verified_at
        assert at is not None
        Verification.objects.update(attempted_at=at + timedelta(seconds=1))

        assert in_a_row() == 3

    @pytest.mark.parametrize("known", [True, False])
    def test_a_code_is_not_joined_without_an_sms(self, known: bool, clock: time_machine.Traveller) -> None:
        if known:
            fail_often(20, clock, MINUTES)
        send_code(PHONE, "login")
        with override_settings(SMSVERIFY={**WIDE, "RESEND_INTERVAL": 60}):
            if known:
                with pytest.raises(Throttled):
                    send_code(PHONE, "login", trusted=True)
            else:
                assert not send_code(PHONE, "login", trusted=True).sms_sent

    def test_a_verification_that_joined_before_gets_one_more_by_an_sms(self, clock: time_machine.Traveller) -> None:
        fail_often(19, clock, MINUTES)
        send_code(PHONE, "login")
        with override_settings(SMSVERIFY={**WIDE, "RESEND_INTERVAL": 60}):
            joined = send_code(PHONE, "login", trusted=True)
        clock.shift(2)
        fail(purpose="payment")
        clock.shift(2)

        assert resend_code(joined.pk).max_attempts == 1


class TestSpreadAttacks:
    @pytest.mark.parametrize("pause", [DAY * 0.9, timedelta(hours=5)])
    def test_a_few_a_day_are_added_up_by_sends_alone(self, pause: timedelta, clock: time_machine.Traveller) -> None:
        fail_often(20, clock, pause)

        assert guesses() == 1
        assert (Recipient.objects.get().failures or 0) > 0

    @pytest.mark.slow
    @pytest.mark.parametrize("pause", [DAY * 2, DAY * 5, DAY * 30])
    def test_the_poll_adds_up_those_of_numbers_that_pause(
        self, pause: timedelta, clock: time_machine.Traveller
    ) -> None:
        for _ in range(20):
            fail()
            poll_meanwhile(clock, min(pause, DAY * 5))
            clock.shift(pause - min(pause, DAY * 5))

        assert guesses() == 1

    @pytest.mark.slow
    def test_none_is_counted_twice(self, clock: time_machine.Traveller) -> None:
        for _ in range(33):
            fail(3)
            poll_meanwhile(clock, timedelta(hours=18))
        assert guesses() == 5
        clock.shift(MINUTES)

        fail(1)
        clock.shift(MINUTES)
        assert guesses() == 1

    def test_it_is_part_of_the_poll_once_an_hour(self, clock: time_machine.Traveller) -> None:
        fail()
        clock.shift(LONGEST_LIFE)

        assert [poll()["wrong codes added up"] for _ in range(2)] == [1, 0]
        recipient = Recipient.objects.get()
        assert (recipient.failures, recipient.failures_until) == (5, Verification.objects.get().created_at)
        with CaptureQueriesContext(connection) as queries:
            list(failures.add_up_failures())
        assert not queries.captured_queries

    @pytest.mark.slow
    def test_a_poll_that_stood_still_makes_good_for_it(self, clock: time_machine.Traveller) -> None:
        fail()
        clock.shift(LONGEST_LIFE + DAY * 3.9)

        assert poll()["wrong codes added up"] == 1

    def test_more_than_one_run_takes(self, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(failures, "AT_ONCE", 2)
        fail_often(5, clock, MINUTES, 2)
        clock.shift(LONGEST_LIFE)
        runs = [len(list(failures.add_up_failures())) for _ in range(4)]

        assert runs == [1, 1, 1, 0]
        assert Recipient.objects.get().failures == 10

    def test_a_success_voids_what_was_added_up(self, clock: time_machine.Traveller) -> None:
        fail_often(20, clock, MINUTES)
        clock.shift(LONGEST_LIFE)
        list(failures.add_up_failures())
        assert Recipient.objects.get().failures == 100
        succeed()
        clock.shift(DAY * 8)

        assert fail() == 5

    def test_what_is_guessed_after_a_success_begins_a_new_sum(self, clock: time_machine.Traveller) -> None:
        fail_often(20, clock, MINUTES)
        clock.shift(LONGEST_LIFE)
        list(failures.add_up_failures())
        payment = send_code(PHONE, "payment")
        clock.shift(2)
        succeed()
        clock.shift(2)
        with pytest.raises(WrongCode):
            verify_code(payment.pk, wrong(str(payment.derive_code())))
        clock.shift(LONGEST_LIFE)
        list(failures.add_up_failures())

        assert Recipient.objects.get().failures == 1

    def test_what_may_still_be_guessed_is_not_added_up(self, clock: time_machine.Traveller) -> None:
        fail(2)

        assert list(failures.add_up_failures()) == []

    def test_failures_before_a_success_are_never_added_up(self, clock: time_machine.Traveller) -> None:
        fail(2)
        clock.shift(2)
        succeed()
        clock.shift(LONGEST_LIFE)

        assert list(failures.add_up_failures()) == []
        assert Recipient.objects.get().failures is None

    def test_a_send_and_a_poll_at_once_add_once(self, clock: time_machine.Traveller) -> None:
        fail()
        clock.shift(LONGEST_LIFE)
        rows = list(failures._not_added_up(timezone.now()))
        send_code(PHONE, "login")

        assert not failures._add_up(rows[0].recipient, rows)
        assert Recipient.objects.get().failures == 5

    @pytest.mark.slow
    def test_a_dead_cache_stops_no_poll(self, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch) -> None:
        fail()
        clock.shift(LONGEST_LIFE)

        def fail_to_answer(work: object) -> None:
            raise TimeoutError

        with monkeypatch.context() as patch:
            patch.setattr(failures, "call_cache", fail_to_answer)
            assert poll()["wrong codes added up"] == 0
        assert poll()["wrong codes added up"] == 1


class TestStatements:
    """test_trips.py has the ordinary number; these pay for what was added up."""

    def send(self) -> list[str]:
        with CaptureQueriesContext(connection) as queries:
            send_code(PHONE, "login")
        found = [
            re.match(r'(SELECT|UPDATE) .*"smsverify_recipient".*"failures', query["sql"].replace("`", '"'))
            for query in queries
        ]
        return [match[1] for match in found if match]

    def test_a_number_without_pays_nothing(self, clock: time_machine.Traveller) -> None:
        fail()
        clock.shift(MINUTES)

        assert self.send() == []

    def test_one_that_has_some_reads_them_and_adds_those_that_leave(self, clock: time_machine.Traveller) -> None:
        fail()
        clock.shift(LONGEST_LIFE)
        assert self.send() == ["UPDATE"]
        clock.shift(MINUTES)
        assert self.send() == ["SELECT"]

    def test_after_a_success_it_pays_once_more(self, clock: time_machine.Traveller) -> None:
        fail()
        clock.shift(LONGEST_LIFE)
        succeed()
        clock.shift(MINUTES)

        assert self.send() == ["SELECT", "UPDATE"]
        clock.shift(MINUTES)
        assert self.send() == []


def page(client: Client, path: str) -> str:
    return html.unescape(client.get(path, headers={"accept-language": "en"}).content.decode())


class TestOperators:
    WORDS = "100: each code has one guess"

    @pytest.fixture
    def recipient(self, clock: time_machine.Traveller) -> Recipient:
        fail_often(20, clock, MINUTES)
        return Recipient.objects.get()

    def test_they_see_it(self, recipient: Recipient, admin_client: Client) -> None:
        verification = Verification.objects.latest("created_at")
        out = StringIO()
        call_command("smsverify_explain", PHONE, stdout=out)

        assert self.WORDS in page(admin_client, f"{LIST}{recipient.pk}/change/")
        assert self.WORDS in page(admin_client, f"/admin/smsverify/verification/{verification.pk}/change/")
        assert "100 wrong codes in a row were entered, so each code has one guess" in out.getvalue()

    def test_fewer_are_shown_as_a_number(self, admin_client: Client) -> None:
        fail(3)
        out = StringIO()
        call_command("smsverify_explain", PHONE, stdout=out)

        shown = page(admin_client, f"{LIST}{Recipient.objects.get().pk}/change/")
        assert '<div class="readonly">3</div>' in shown
        assert "in a row" not in out.getvalue()

    def test_they_lift_it(self, recipient: Recipient, admin_client: Client, clock: time_machine.Traveller) -> None:
        admin_client.post(LIST, {"action": "lift_lock", "_selected_action": [recipient.pk]})

        assert guesses() == 5
        assert LogEntry.objects.get().action_flag == CHANGE
        clock.shift(MINUTES)
        fail_often(19, clock, MINUTES)
        assert fail() == 5
        clock.shift(MINUTES)
        assert guesses() == 1

    def test_who_may_only_view_lifts_nothing(self, recipient: Recipient, client: Client) -> None:
        client.force_login(staff("view_recipient", username="viewer"))
        client.post(LIST, {"action": "lift_lock", "_selected_action": [recipient.pk]})

        assert guesses() == 1


class TestTestNumbers:
    @pytest.fixture(autouse=True)
    def number(self, clock: time_machine.Traveller) -> Iterator[TestNumber]:
        with override_settings(SMSVERIFY={**WIDE, "ALLOW_TEST_NUMBERS": True}):
            yield TestNumber.objects.create(phone=PHONE, expires_at=timezone.now() + timedelta(days=30))

    def guess(self, code: str) -> None:
        verify_code(send_code(PHONE, "login").pk, code)

    @pytest.mark.slow
    def test_after_a_hundred_its_code_verifies_no_more(
        self, number: TestNumber, admin_client: Client, clock: time_machine.Traveller
    ) -> None:
        for _ in range(100):
            with pytest.raises(WrongCode):
                self.guess(wrong(number.code(6)))
        clock.shift(1)

        with pytest.raises(CodeRejected) as caught:
            self.guess(number.code(6))
        assert type(caught.value) is TooManyAttempts
        admin_client.post("/admin/smsverify/testnumber/", {"action": "make_new_code", "_selected_action": [number.pk]})
        number.refresh_from_db()
        self.guess(number.code(6))
