"""Law 12: what strangers do never refuses a number that was verified here within 180 days."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.core import signing
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from django_smsverify.exceptions import SMSVerifyError, Throttled, TooManyAttempts, WrongCode
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.models import KnownNumber, Message, Verification
from django_smsverify.numbers import Requester, forget, requester_of, revoke_devices
from django_smsverify.numbers.devices import SALT, make_device_token
from django_smsverify.polling.poll import poll
from django_smsverify.sending import dispatch, resend_code, send_code
from django_smsverify.sending.worker import send_waiting
from django_smsverify.verifying import verify_code

from .conftest import PHONE, MakeProvider, Site, code_in, last_code, refusal, wrong

pytestmark = pytest.mark.django_db(transaction=True)

OTHER = "+8613900139000"
NOW = datetime(2026, 11, 21, 12, 1, tzinfo=UTC)
STRANGER, OWNER = Requester(is_known=True), Requester(is_known=True, is_owner=True)
ANYONE = Requester(is_known=False)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as coordinates:
        yield coordinates


@pytest.fixture
def device(site: Site, memory: MakeProvider, clock: time_machine.Traveller) -> str:
    """The token of a number that was verified two days ago."""
    memory("login", "payment")
    clock.shift(timedelta(days=-2))
    sent = site.send().json()["verification_id"]
    answer = site.verify(sent, last_code())
    clock.shift(timedelta(days=2))
    MemoryGateway.outbox.clear()
    return str(answer.json()["device"])


class TestDevice:
    def test_the_owner_gets_a_verification_while_a_strangers_sms_makes_others_wait(
        self, device: str, site: Site
    ) -> None:
        site.send()

        answer = site.post("send", {"phone": PHONE, "purpose": "login", "device": device})

        assert (answer.status_code, answer.json()["sent"]) == (202, False)
        assert site.verify(answer.json()["verification_id"], last_code()).status_code == 200

    def test_the_owner_is_asked_for_no_captcha(self, device: str, site: Site) -> None:
        with override_settings(SMSVERIFY={"CAPTCHA": "tests.test_idempotency.refuse_all"}):
            assert refusal(site.send()) == (400, "captcha_required")
            sent = site.post("send", {"phone": PHONE, "purpose": "login", "device": device})
            assert sent.status_code == 202
            again = {"verification_id": sent.json()["verification_id"], "device": device}
            assert refusal(site.post("send", again)) == (429, "throttled")

    @pytest.mark.parametrize("token", ["", "x", "a:b", "\x00", "🔑", 7, None, True, [], {}, "x" * 9000])
    def test_a_bad_token_counts_as_absent(self, token: Any, device: str, site: Site) -> None:
        site.send()
        answer = site.post("send", {"phone": PHONE, "purpose": "login", "device": token})
        assert refusal(answer) == (429, "throttled")

    def test_a_token_of_another_number_counts_as_absent(self, device: str) -> None:
        KnownNumber.objects.remember(OTHER, NOW, before=None)
        assert requester_of(OTHER, device=device) == STRANGER
        assert requester_of(PHONE, device=device) == OWNER

    def test_a_token_that_is_signed_for_something_else_counts_as_absent(self, device: str) -> None:
        content = signing.Signer(salt=SALT).unsign_object(device)
        assert requester_of(PHONE, device=signing.Signer(salt="other").sign_object(content)) == STRANGER
        assert requester_of(PHONE, device=signing.Signer(salt=SALT).sign_object({})) == STRANGER
        assert requester_of(PHONE, device=signing.Signer(salt=SALT).sign_object([content])) == STRANGER

    def test_a_token_is_valid_for_180_days(self, device: str, clock: time_machine.Traveller) -> None:
        clock.shift(timedelta(days=100))
        verify_code(send_code(PHONE, "login").pk, last_code())
        clock.shift(timedelta(days=77, hours=23))
        assert requester_of(PHONE, device=device) == OWNER
        clock.shift(timedelta(hours=1))
        assert requester_of(PHONE, device=device) == STRANGER, "the number is known by its later success"

    def test_revoked_tokens_count_as_absent_and_later_ones_are_valid(
        self, device: str, clock: time_machine.Traveller
    ) -> None:
        revoke_devices(PHONE)
        assert requester_of(PHONE, device=device) == STRANGER
        clock.shift(60)
        verified = verify_code(send_code(PHONE, "login").pk, last_code())
        assert verified.verified_at
        assert requester_of(PHONE, device=make_device_token(PHONE, verified.verified_at)) == OWNER
        assert requester_of(PHONE, device=device) == STRANGER

    def test_a_token_survives_a_rotated_key(self, device: str, clock: time_machine.Traveller) -> None:
        before = KnownNumber.objects.get().digest
        with override_settings(SECRET_KEY="another", SECRET_KEY_FALLBACKS=[settings.SECRET_KEY]):
            assert requester_of(PHONE, device=device) == OWNER
            verify_code(send_code(PHONE, "login").pk, last_code())
            assert KnownNumber.objects.get().digest != before, "rewritten under the new key"
            assert requester_of(PHONE, device=device) == OWNER
        with override_settings(SECRET_KEY="another"):
            assert requester_of(PHONE, device=device) == STRANGER

    def test_rows_of_processes_that_do_not_know_each_others_keys_become_one(
        self, device: str, clock: time_machine.Traveller
    ) -> None:
        """A deploy that rotates SECRET_KEY leaves processes with the old key alone until they end."""
        both = {"SECRET_KEY": "another", "SECRET_KEY_FALLBACKS": [settings.SECRET_KEY]}
        for rotated in (both, {}, both):
            clock.shift(61)
            with override_settings(**rotated):
                verified = verify_code(send_code(PHONE, "login").pk, last_code())

        assert verified.verified_at
        with override_settings(**both):
            assert KnownNumber.objects.get().verified_at == verified.verified_at
            assert requester_of(PHONE, device=make_device_token(PHONE, verified.verified_at)) == OWNER

    def test_a_revoked_token_stays_revoked_when_rows_become_one(
        self, device: str, clock: time_machine.Traveller
    ) -> None:
        both = {"SECRET_KEY": "another", "SECRET_KEY_FALLBACKS": [settings.SECRET_KEY]}
        with override_settings(SECRET_KEY="another"):
            KnownNumber.objects.remember(PHONE, NOW - timedelta(days=9), before=None)
        revoke_devices(PHONE)
        with override_settings(**both):
            verify_code(send_code(PHONE, "login").pk, last_code())
            assert KnownNumber.objects.get().verified_at == NOW
            assert requester_of(PHONE, device=device) == STRANGER

    def test_a_repeated_verify_has_the_same_token(
        self, site: Site, memory: MakeProvider, clock: time_machine.Traveller
    ) -> None:
        memory()
        guess = {"verification_id": site.send().json()["verification_id"], "code": last_code()}
        tokens = set()
        for _time in range(2):
            tokens.add(site.post("verify", guess, Idempotency_Key="press-one").json()["device"])
            clock.shift(10)
        assert len(tokens) == 1


def spend(times: int, clock: time_machine.Traveller, **asked: Any) -> list[str]:
    """The outcomes of requests that follow each other as fast as the pause allows."""
    outcomes = []
    for _time in range(times):
        try:
            send_code(PHONE, "login", **asked)
            outcomes.append("sent")
        except Throttled as error:
            outcomes.append(error.scope.value)
        clock.shift(61)
    return outcomes


class TestLimits:
    def test_strangers_spend_half_of_the_hour_and_the_owner_the_rest(
        self, device: str, clock: time_machine.Traveller
    ) -> None:
        assert spend(5, clock) == ["sent"] * 3 + ["phone"] * 2
        assert spend(3, clock, trusted=True) == ["sent"] * 2 + ["phone"]

    def test_strangers_spend_half_of_the_day(self, device: str, clock: time_machine.Traveller) -> None:
        with override_settings(SMSVERIFY={"PHONE_LIMITS": ("7/d",)}):
            assert spend(6, clock) == ["sent"] * 4 + ["phone"] * 2
            clock.shift(timedelta(hours=20))
            assert spend(4, clock, device=device) == ["sent"] * 3 + ["phone"]

    def test_a_new_number_has_its_whole_allowance(self, memory: MakeProvider, clock: time_machine.Traveller) -> None:
        memory()
        assert spend(6, clock) == ["sent"] * 5 + ["phone"]
        assert requester_of(PHONE) == ANYONE

    def test_a_solved_captcha_spends_the_whole_allowance(
        self, device: str, site: Site, clock: time_machine.Traveller
    ) -> None:
        with override_settings(SMSVERIFY={"CAPTCHA": "tests.test_one_code.accept_all"}):
            for _time in range(5):
                assert site.send().status_code == 202
                clock.shift(61)
        assert not Message.objects.filter(by_stranger=True).exists()

    def test_resends_of_strangers_count_for_their_half(self, device: str, clock: time_machine.Traveller) -> None:
        verification = send_code(PHONE, "login")
        for _time in range(2):
            clock.shift(61)
            resend_code(verification.pk)
        clock.shift(61)
        with pytest.raises(Throttled) as refused:
            resend_code(verification.pk)
        assert refused.value.scope == "phone"
        assert resend_code(verification.pk, device=device).pk == verification.pk

    def test_strangers_use_half_of_the_guesses(self, device: str, clock: time_machine.Traveller) -> None:
        with override_settings(SMSVERIFY={"PHONE_LIMITS": (), "GUESS_LIMIT": "15/d"}):
            allowed = []
            for _time in range(4):
                verification = send_code(PHONE, "login")
                allowed.append(verification.max_attempts)
                for _guess in range(verification.max_attempts):
                    with pytest.raises(WrongCode):
                        verify_code(verification.pk, wrong(last_code()))
                clock.shift(61)
            own = send_code(PHONE, "login", device=device)

        assert allowed == [5, 3, 1, 1], "eight, and one for each further SMS"
        assert own.max_attempts == 5

    @pytest.mark.parametrize("used", [0, 4])
    def test_the_owners_guesses_are_not_taken_from_the_strangers_half(
        self, used: int, device: str, clock: time_machine.Traveller
    ) -> None:
        own = send_code(PHONE, "login", device=device)
        for _guess in range(used):
            with pytest.raises(WrongCode):
                verify_code(own.pk, wrong(last_code()))
        clock.shift(61)

        assert send_code(PHONE, "login").max_attempts == 5

    def test_a_failed_sms_leaves_strangers_their_half_of_the_guesses(
        self, device: str, clock: time_machine.Traveller
    ) -> None:
        verification = send_code(PHONE, "login")
        Verification.objects.filter(pk=verification.pk).update(is_reserved=False, max_attempts=50)
        for _guess in range(8):
            with pytest.raises(WrongCode):
                verify_code(verification.pk, wrong(last_code()))
        with pytest.raises(TooManyAttempts):
            verify_code(verification.pk, last_code())

    def test_the_limit_of_a_block_does_not_bind_a_known_number(
        self, device: str, clock: time_machine.Traveller
    ) -> None:
        with override_settings(SMSVERIFY={"PREFIX_LIMITS": ("1/h",)}):
            send_code("13800138001", "login")
            with pytest.raises(Throttled):
                send_code("13800138002", "login")
            assert send_code(PHONE, "login").sms_sent

    def test_a_worker_gives_nothing_back_that_a_known_number_did_not_count(
        self, device: str, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tasks: list[list[str]] = []
        monkeypatch.setattr(dispatch, "_enqueue", tasks.append)
        with override_settings(SMSVERIFY={"DISPATCH": "celery", "PREFIX_LIMITS": ("1/h",)}):
            send_code("13800138001", "login")
            send_code(PHONE, "login")
            Verification.objects.filter(phone=PHONE, created_at=NOW).update(expires_at=NOW)
            send_waiting(tasks[1])
            assert Message.objects.get(phone=PHONE, created_at__gte=NOW).status == "not_sent"
            with pytest.raises(Throttled):
                send_code("13800138002", "login")


class TestForgetting:
    def test_a_number_is_known_for_180_days(self, device: str, clock: time_machine.Traveller) -> None:
        clock.shift(timedelta(days=178) - timedelta(seconds=1))
        assert requester_of(PHONE) == STRANGER
        clock.shift(1)
        assert requester_of(PHONE) == ANYONE

    @pytest.mark.slow
    def test_the_poll_forgets_it_then(self, device: str, clock: time_machine.Traveller) -> None:
        assert "number forgotten" not in poll()
        clock.shift(timedelta(days=178))
        assert poll()["number forgotten"] == 1
        assert not KnownNumber.objects.exists()

    def test_a_forgotten_number_keeps_what_its_limits_count(self, device: str, clock: time_machine.Traveller) -> None:
        spend(3, clock)
        forget(PHONE)

        assert requester_of(PHONE, device=device) == ANYONE
        assert spend(3, clock) == ["sent"] * 2 + ["phone"]

    def test_the_command_gives_nobody_more_sms_or_guesses(self, device: str, clock: time_machine.Traveller) -> None:
        limits = {"PHONE_LIMITS": ("10/d",), "GUESS_LIMIT": "15/d", "RESEND_INTERVAL": 1}
        with override_settings(SMSVERIFY=limits):
            allowed = []
            for _time in range(10):
                verification = send_code(PHONE, "login", device=device)
                allowed.append(verification.max_attempts)
                for _guess in range(verification.max_attempts):
                    with pytest.raises(WrongCode):
                        verify_code(verification.pk, wrong(last_code()))
                clock.shift(1)
            call_command("smsverify_forget", PHONE, stdout=io.StringIO())

            assert allowed == [5] * 3 + [1] * 7
            assert spend(1, clock) == ["phone"]
            with override_settings(SMSVERIFY=limits | {"PHONE_LIMITS": ()}):
                assert send_code(PHONE, "login").max_attempts == 1

    def test_after_the_command_the_device_is_unknown_until_it_verifies_again(
        self, device: str, site: Site, clock: time_machine.Traveller
    ) -> None:
        call_command("smsverify_forget", PHONE, stdout=io.StringIO())
        asked = {"phone": PHONE, "purpose": "login"}
        sent = site.post("send", {**asked, "device": device}).json()
        assert refusal(site.post("send", {**asked, "device": device})) == (429, "throttled")

        fresh = site.verify(sent["verification_id"], last_code()).json()["device"]

        clock.shift(61)
        site.send()
        assert refusal(site.post("send", {**asked, "device": device})) == (429, "throttled")
        assert site.post("send", {**asked, "device": fresh}).status_code == 202

    def test_tokens_from_before_a_number_was_forgotten_stay_invalid(
        self, device: str, clock: time_machine.Traveller
    ) -> None:
        forget(PHONE)
        verified = verify_code(send_code(PHONE, "login").pk, last_code())

        assert requester_of(PHONE, device=device) == STRANGER
        assert verified.verified_at
        assert requester_of(PHONE, device=make_device_token(PHONE, verified.verified_at)) == OWNER

    def test_a_stolen_database_does_not_name_the_number(self, device: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM smsverify_knownnumber")
            stored = repr(cursor.fetchall())
        assert PHONE[3:] not in stored
        assert PHONE[3:] not in device
        assert str(KnownNumber.objects.get()) == f"{KnownNumber.objects.get().digest[:8]}…"

    def test_two_successes_keep_one_row(self, device: str, clock: time_machine.Traveller) -> None:
        verify_code(send_code(PHONE, "login").pk, last_code())
        assert KnownNumber.objects.get().verified_at == NOW


@pytest.mark.any_database
@pytest.mark.slow
def test_a_stranger_who_asks_each_minute_for_26_hours_stops_nobody(device: str, clock: time_machine.Traveller) -> None:
    """The owner logs in with the newest SMS, whichever page it was sent for; at most 25 guesses a day are checked."""
    chance = random.Random(7)
    pages: list[Any] = []
    checked: list[datetime] = []
    logins = 0
    for minute in range(26 * 60):
        with suppress(Throttled):
            pages.append(
                send_code(PHONE, chance.choice(["login", "payment"]), ip=f"10.0.{minute // 256}.{minute % 256}")
            )
        for page in pages[-6:]:
            try:
                verify_code(page.pk, f"{chance.randrange(10**6):06}")
            except WrongCode:
                checked.append(timezone.now())
            except SMSVerifyError:
                pass
        if minute % 390 == 200:
            log_in(device, clock)
            logins += 1
        clock.shift(60)

    assert logins == 4
    for begin in checked:
        assert sum(begin <= moment < begin + timedelta(days=1) for moment in checked) <= 25


def log_in(device: str, clock: time_machine.Traveller) -> None:
    """The owner waits for the pause, once, where the last SMS was for another purpose."""
    try:
        verification = send_code(PHONE, "login", device=device, ip="203.0.113.7")
    except Throttled as error:
        clock.shift(min(error.retry_after, 60))
        verification = send_code(PHONE, "login", device=device, ip="203.0.113.7")
    own = [sms for sms in MemoryGateway.outbox if code_in(sms.text) == verification.derive_code()]
    assert verify_code(verification.pk, code_in(own[-1].text)).verified_at


def test_no_row_is_known_before_a_success(memory: MakeProvider) -> None:
    memory()
    verification = send_code(PHONE, "login")
    with pytest.raises(WrongCode):
        verify_code(verification.pk, wrong(last_code()))
    assert not KnownNumber.objects.exists()
