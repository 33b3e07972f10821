"""Balances of the accounts: correct under races, one alarm when low, and another provider when empty."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.db import DatabaseError, connection, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation
from sandbox.server import Fault, Sandbox

from django_smsverify.enums import Alarm, BalanceState
from django_smsverify.exceptions import GatewayUnavailable, InsideTransaction, NoRoute
from django_smsverify.gateways.base import Gateway
from django_smsverify.models import Message, Provider
from django_smsverify.models.amounts import plain
from django_smsverify.money import balances
from django_smsverify.money.balances import PAUSE, check_balances, new_alerts, note_balance, watch
from django_smsverify.operations import alerts, channels, watching
from django_smsverify.polling.poll import poll
from django_smsverify.sending import circuits, resend_code, send_code, send_message
from django_smsverify.sending.worker import send_waiting
from django_smsverify.signals import balance_low

from .conftest import PHONE, LogRecorder, MakeProvider, Site, add_template, addressee
from .test_races import at_once
from .test_storing_reports import values_sent

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MANAGERS = [addressee("boss@example.com")]
NO_PREFIX_LIMITS = override_settings(SMSVERIFY={"PREFIX_LIMITS": ()})
BALANCE = "/veesing/smsApi/verifyCode/getBalance"
_numbers = count(1)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as coordinates:
        yield coordinates


@pytest.fixture
def account(memory: MakeProvider) -> Provider:
    """An account whose balance only the tests set."""
    return memory("login", slug="account")


@contextmanager
def alarms() -> Iterator[list[Any]]:
    with values_sent(balance_low, "provider") as raised:
        yield raised


def stored(provider: Provider) -> Provider:
    return Provider.objects.get(pk=provider.pk)


def balance_of(provider: Provider) -> str:
    return plain(stored(provider).balance)


def set_balance(provider: Provider, amount: float | str) -> bool:
    """Store the vendor's answer to a call that began after the last stored answer."""
    last = stored(provider).balance_checked_at or timezone.now()
    return note_balance(provider, Decimal(str(amount)), max(timezone.now(), last + timedelta(microseconds=1)))


def send(index: int = 0) -> None:
    send_code(f"+86138{next(_numbers):08}", "login")


def attempts() -> list[tuple[str, str]]:
    """Send a code; return provider and status of each attempt."""
    phone = f"+86139{next(_numbers):08}"
    verification = send_code(phone, "login")
    messages = Message.objects.filter(verification=verification).order_by("attempt")
    return [(message.provider.slug, message.status) for message in messages]


def balance_calls(sandbox: Sandbox) -> int:
    return sum(exchange.path == BALANCE for exchange in sandbox.exchanges)


class TestStoredBalance:
    def test_each_acceptance_of_10658_stores_the_balance(self, vendor: MakeProvider, sandbox: Sandbox) -> None:
        provider = vendor("veesing")
        sandbox.set_credits("veesing", 242)
        before = timezone.now()
        send()
        assert balance_of(provider) == "241"
        send()
        assert balance_of(provider) == "240"
        checked_at = stored(provider).balance_checked_at
        assert checked_at is not None
        assert before < checked_at < timezone.now()

    @pytest.mark.parametrize("gateway", ["veesing", "ihuyi"])
    def test_the_balance_is_fetched_from_the_vendor(self, gateway: str, vendor: MakeProvider, sandbox: Sandbox) -> None:
        provider = vendor(gateway)
        sandbox.set_credits(gateway, 77)
        (check,) = check_balances()
        assert (check.provider, check.state, check.error) == (provider, BalanceState.OK, "")
        assert balance_of(provider) == "77"

    @pytest.mark.parametrize("option", [{"format": "xml"}, {"password": "plain"}])
    def test_ihuyi_is_asked_with_each_option(
        self, option: dict[str, str], vendor: MakeProvider, sandbox: Sandbox
    ) -> None:
        provider = vendor("ihuyi", options=option)
        sandbox.set_credits("ihuyi", 78)
        check_balances()
        assert balance_of(provider) == "78"

    def test_the_balance_that_qixuntong_returns_is_ignored(
        self, vendor: MakeProvider, sandbox: Sandbox, admin_client: Any
    ) -> None:
        provider = vendor("qixuntong", balance_alert=5)
        with alarms() as raised:
            assert attempts() == [("qixuntong", "accepted")]
            poll()
            (check,) = check_balances()
        assert (check.state, raised) == (BalanceState.UNASKABLE, [])
        assert (stored(provider).balance, stored(provider).balance_checked_at) == (None, None)
        page = admin_client.get("/admin/smsverify/provider/").content.decode()
        assert "153278040" not in page
        assert "this vendor has no query for it" in page

    def test_an_answer_is_stored_if_its_call_began_after_the_last_answer(self, account: Provider) -> None:
        moment = timezone.now()
        assert note_balance(account, Decimal(5), moment)
        assert not note_balance(account, Decimal(500), moment), "the vendor may have answered it before the other"
        assert balance_of(account) == "5"
        assert note_balance(account, Decimal(500), timezone.now())
        assert balance_of(account) == "500"

    def test_of_overlapping_answers_the_lower_is_stored(self, account: Provider) -> None:
        moment = timezone.now()
        noted = [note_balance(account, Decimal(amount), moment) for amount in (8, 9, 7, 7, 8)]
        assert noted == [True, False, True, False, False]
        assert balance_of(account) == "7"

    def test_an_answer_that_took_too_long_is_not_stored(self, account: Provider) -> None:
        set_balance(account, 500)
        assert not note_balance(account, Decimal(3), timezone.now() - balances.LONGEST_CALL - timedelta(seconds=1))
        assert balance_of(account) == "500"

    @pytest.mark.parametrize("seed", range(20))
    def test_a_falling_balance_is_never_stored_as_rising(
        self, seed: int, account: Provider, clock: time_machine.Traveller
    ) -> None:
        dice = random.Random(seed)
        calls = []
        for _ in range(30):
            began = dice.uniform(0, 60)
            served = began + dice.uniform(0, 5)
            calls.append((served + dice.uniform(0, 5), began, served))
        order = sorted(served for _, _, served in calls)
        seen = []
        for noted, began, served in sorted(calls):
            clock.move_to(NOW + timedelta(seconds=noted))
            note_balance(account, Decimal(1000 - order.index(served)), NOW + timedelta(seconds=began))
            seen.append(stored(account).balance or 0)
        assert seen == sorted(seen, reverse=True)
        assert seen[-1] == 1000 - 29

    @pytest.mark.slow
    def test_the_balance_is_correct_after_parallel_sends(self, vendor: MakeProvider, sandbox: Sandbox) -> None:
        provider = vendor("veesing")
        sandbox.set_credits("veesing", 100)
        with NO_PREFIX_LIMITS:
            assert at_once(30, send) == {"done": 30}
        assert balance_of(provider) == str(sandbox.credits("veesing")) == "70"

    def test_a_balance_that_cannot_be_stored_does_not_stop_the_sms(
        self, vendor: MakeProvider, monkeypatch: pytest.MonkeyPatch, log: LogRecorder
    ) -> None:
        def fail(*args: object) -> None:
            raise DatabaseError("disk full")

        vendor("veesing")
        monkeypatch.setattr(balances, "note_balance", fail)
        assert attempts() == [("veesing", "accepted")]
        assert "The balance of veesing could not be stored (DatabaseError)." in log.text


class TestAlarm:
    def test_each_crossing_of_the_alert_raises_one_alarm(self, account: Provider) -> None:
        Provider.objects.update(balance_alert=10)
        with alarms() as raised:
            counts = []
            for amount in (11, 10, "9.9999", 5, "-3", 10, 9, 9, 12):
                set_balance(account, amount)
                counts.append(len(raised))
        assert counts == [0, 0, 1, 1, 1, 1, 2, 2, 2]
        assert {provider.pk for provider in raised} == {account.pk}
        assert stored(account).balance_alarm == ""

    def test_a_first_balance_that_is_low_raises_an_alarm(self, vendor: MakeProvider, sandbox: Sandbox) -> None:
        provider = vendor("veesing", balance_alert=10)
        sandbox.set_credits("veesing", 9)
        with alarms() as raised:
            check_balances()
            check_balances()
        assert [(p.slug, plain(p.balance), p.balance_alarm) for p in raised] == [("veesing", "9", "raised")]
        assert stored(provider).balance_alarm == Alarm.RAISED

    def test_without_an_alert_no_alarm_is_raised(self, account: Provider) -> None:
        with alarms() as raised:
            set_balance(account, 0)
        assert raised == []

    @pytest.mark.slow
    def test_parallel_sends_raise_one_alarm(self, vendor: MakeProvider, sandbox: Sandbox) -> None:
        provider = vendor("veesing", balance_alert=15)
        sandbox.set_credits("veesing", 30)
        with NO_PREFIX_LIMITS, alarms() as raised:
            assert at_once(30, send) == {"done": 30}
        assert len(raised) == 1
        assert (balance_of(provider), stored(provider).balance_alarm) == ("0", Alarm.RAISED)

    def test_parallel_checks_raise_one_alarm(self, account: Provider) -> None:
        Provider.objects.update(balance=1, balance_alert=10)
        with alarms() as raised:
            at_once(30, lambda index: watch(Provider.objects.get()))
        assert len(raised) == 1

    def test_a_failing_receiver_does_not_stop_the_sms(self, vendor: MakeProvider) -> None:
        def fail(**fields: object) -> None:
            raise ZeroDivisionError

        vendor("veesing", balance_alert=10**9)
        balance_low.connect(fail)
        try:
            assert attempts() == [("veesing", "accepted")]
        finally:
            balance_low.disconnect(fail)

    def test_the_alarm_is_raised_after_the_commit(self, account: Provider) -> None:
        Provider.objects.update(balance_alert=10)
        with alarms() as raised:
            with transaction.atomic():
                set_balance(account, 1)
                assert raised == []
            assert len(raised) == 1

    def test_removing_the_alert_ends_the_alarm(self, account: Provider) -> None:
        Provider.objects.update(balance_alert=10)
        set_balance(account, 1)
        Provider.objects.update(balance_alert=None)
        watch(account)
        assert stored(account).balance_alarm == ""

    def test_a_balance_that_is_no_longer_known_keeps_the_alarm(self, account: Provider) -> None:
        Provider.objects.update(balance_alert=10)
        with alarms() as raised:
            set_balance(account, 0)
            Provider.objects.update(balance=None)
            watch(account)
            set_balance(account, 1)
        assert len(raised) == 1


class TestMail:
    @pytest.fixture(autouse=True)
    def low(self, vendor: MakeProvider, sandbox: Sandbox) -> Iterator[Provider]:
        sandbox.set_credits("veesing", 10)
        with override_settings(MANAGERS=MANAGERS, EMAIL_SUBJECT_PREFIX="[site] "):
            yield vendor("veesing", balance_alert="10.5")

    def test_no_mail_is_sent_during_a_request(self, site: Site, low: Provider) -> None:
        assert site.send().status_code == 202
        assert stored(low).balance_alarm == Alarm.RAISED
        assert mail.outbox == []
        assert poll()["mailed"] == 1
        assert len(mail.outbox) == 1

    def test_one_mail_is_sent_for_each_crossing(self, low: Provider, sandbox: Sandbox, clock: Any) -> None:
        for _ in range(3):
            watching.check_balances_and_tell()
        assert len(mail.outbox) == 1
        assert stored(low).balance_alarm == Alarm.MAILED
        for amount in (100, 3):
            sandbox.set_credits("veesing", amount)
            clock.shift(3600)
            watching.check_balances_and_tell()
        assert len(mail.outbox) == 2

    @override_settings(LANGUAGE_CODE="en", TIME_ZONE="Asia/Shanghai")
    def test_the_mail_is_in_the_sites_language(self, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        languages = []

        def spy(*words: str) -> None:
            languages.append(translation.get_language())
            mail.mail_managers(*words)

        monkeypatch.setattr(channels, "mail_managers", spy)
        with translation.override("de"):
            watching.check_balances_and_tell()
        assert languages == ["en"]
        (sent,) = mail.outbox
        assert sent.to == ["boss@example.com"]
        assert sent.subject == "[site] SMS balance of veesing is low: 10 SMS credits"
        for word in ("veesing (veesing) had 10 SMS credits left at 2026-11-21 20:00:00", "told below 10.5", "Top up"):
            assert word in sent.body

    def test_the_mail_waits_until_the_balance_is_known(self, low: Provider) -> None:
        check_balances()
        Provider.objects.update(balance=None)
        assert list(new_alerts()) == []
        assert stored(low).balance_alarm == Alarm.RAISED

    @override_settings(MANAGERS=[], ADMINS=[addressee("root@example.com")])
    def test_without_managers_the_admins_get_the_mail(self) -> None:
        watching.check_balances_and_tell()
        assert [sent.to for sent in mail.outbox] == [["root@example.com"]]

    @override_settings(MANAGERS=[], ADMINS=[])
    def test_without_recipients_one_error_is_logged_and_the_signal_is_sent(self, log: LogRecorder) -> None:
        with alarms() as raised:
            for _ in range(3):
                watching.check_balances_and_tell()
        assert (len(raised), mail.outbox) == (1, [])
        assert log.text.count("MANAGERS and ADMINS are empty") == 1

    def test_a_failed_mail_is_retried(self, low: Provider, log: LogRecorder, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*args: object) -> None:
            raise OSError("login hunter2 refused")

        with monkeypatch.context() as patch:
            patch.setattr(channels, "mail_managers", fail)
            watching.check_balances_and_tell()
            assert poll()["mail failed"] == 1
        assert "The mail about balance veesing failed with OSError; the next run tries again." in log.text
        assert "hunter2" not in log.text
        assert poll()["mailed"] == 1
        assert len(mail.outbox) == 1

    def test_parallel_runs_send_one_mail(self, low: Provider) -> None:
        check_balances()
        at_once(20, lambda index: list(alerts.tell(new_alerts())))
        assert len(mail.outbox) == 1


class TestRouting:
    @pytest.fixture
    def first(self, vendor: MakeProvider) -> Provider:
        return vendor("veesing", priority=1)

    @pytest.fixture
    def second(self, memory: MakeProvider) -> Provider:
        return memory("login", slug="second", priority=2)

    @pytest.mark.parametrize("amount", ["0", "-5"])
    def test_a_provider_without_balance_is_skipped(self, amount: str, first: Provider, second: Provider) -> None:
        set_balance(first, amount)
        assert attempts() == [("second", "accepted")]
        set_balance(first, "0.0001")
        assert attempts() == [("veesing", "accepted")]

    def test_the_last_credit_is_used(self, first: Provider, second: Provider, sandbox: Sandbox) -> None:
        sandbox.set_credits("veesing", 2)
        assert [attempts() for _ in range(4)] == [[("veesing", "accepted")]] * 2 + [[("second", "accepted")]] * 2

    def test_if_every_balance_is_empty_a_send_is_tried(self, first: Provider, sandbox: Sandbox) -> None:
        set_balance(first, 0)
        sandbox.set_credits("veesing", 50)
        assert attempts() == [("veesing", "accepted")]
        assert balance_of(first) == "49"

    def test_an_empty_provider_is_tried_when_the_others_fail(
        self, first: Provider, vendor: MakeProvider, sandbox: Sandbox
    ) -> None:
        vendor("topthink", priority=2)
        set_balance(first, 0)
        sandbox.misbehave("topthink", Fault.status(401))
        assert attempts() == [("topthink", "not_sent"), ("veesing", "accepted")]

    def test_a_resend_skips_an_empty_provider(self, first: Provider, second: Provider) -> None:
        with override_settings(SMSVERIFY={"RESEND_INTERVAL": 0}):
            verification = send_code(PHONE, "login")
            set_balance(first, 0)
            resend_code(verification.pk)
        assert [m.provider.slug for m in verification.messages.order_by("created_at")] == ["veesing", "second"]

    @pytest.mark.parametrize("others", [True, False])
    def test_a_worker_skips_an_empty_provider(
        self, others: bool, first: Provider, memory: MakeProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("django_smsverify.sending.dispatch._enqueue", lambda ids: None)
        if others:
            memory("login", slug="second", priority=2)
        with override_settings(SMSVERIFY={"DISPATCH": "celery"}):
            message = send_code(PHONE, "login").messages.get()
        set_balance(first, 0)
        assert send_waiting([message.pk]) == 1
        message.refresh_from_db()
        assert (message.provider.slug, message.status) == ("second" if others else "veesing", "accepted")

    def test_a_notice_is_sent_even_if_its_provider_is_empty(self, first: Provider, memory: MakeProvider) -> None:
        provider = memory("login", slug="notices")
        set_balance(provider, 0)
        template = add_template(provider, "notice", "{name}，您好。", "")
        (message,) = send_message(template, {PHONE: {"name": "王"}})
        assert message.status == "accepted"

    def test_an_acceptance_clears_an_empty_balance(self, vendor: MakeProvider, second: Provider) -> None:
        provider = vendor("ihuyi", priority=1)
        set_balance(provider, 0)
        Provider.objects.filter(pk=second.pk).update(is_active=False)
        assert attempts() == [("ihuyi", "accepted")]
        assert stored(provider).balance is None
        Provider.objects.filter(pk=second.pk).update(is_active=True)
        assert attempts() == [("ihuyi", "accepted")]

    def test_a_refusal_keeps_an_empty_balance(self, vendor: MakeProvider, second: Provider, sandbox: Sandbox) -> None:
        provider = vendor("ihuyi", priority=1)
        Provider.objects.filter(pk=second.pk).update(is_active=False)
        set_balance(provider, 0)
        sandbox.set_credits("ihuyi", 0)
        with pytest.raises(NoRoute):
            attempts()
        assert balance_of(provider) == "0"

    def test_a_refusal_for_lack_of_balance_fails_over(
        self, first: Provider, second: Provider, sandbox: Sandbox
    ) -> None:
        sandbox.set_credits("veesing", 0)
        assert attempts() == [("veesing", "not_sent"), ("second", "accepted")]
        poll()
        assert attempts() == [("second", "accepted")]

    def test_after_a_top_up_one_poll_restores_the_provider(
        self, first: Provider, second: Provider, sandbox: Sandbox
    ) -> None:
        sandbox.set_credits("veesing", 1)
        assert [attempts(), attempts()] == [[("veesing", "accepted")], [("second", "accepted")]]
        sandbox.set_credits("veesing", 500)
        assert poll()["balance updated"] == 1
        assert attempts() == [("veesing", "accepted")]
        assert balance_of(first) == "499"

    def test_without_a_poll_an_empty_provider_is_tried_after_an_hour(
        self, first: Provider, second: Provider, clock: Any
    ) -> None:
        set_balance(first, 0)
        clock.shift(timedelta(minutes=59))
        assert attempts() == [("second", "accepted")]
        clock.shift(timedelta(minutes=2))
        assert attempts() == [("veesing", "accepted")]

    def test_an_empty_provider_is_not_tried_before_an_open_circuit(self, first: Provider, second: Provider) -> None:
        set_balance(first, 0)
        for _ in range(circuits.FAILURES):
            circuits.note(second, [GatewayUnavailable("connection refused")])
        assert attempts() == [("second", "accepted")]


class TestPoll:
    @pytest.fixture
    def provider(self, vendor: MakeProvider, clock: Any) -> Provider:
        return vendor("veesing")

    @pytest.mark.slow
    def test_asks_at_intervals(self, provider: Provider, sandbox: Sandbox, clock: Any) -> None:
        before = balance_calls(sandbox)
        for _ in range(31):
            poll()
            clock.shift(60)
        assert balance_calls(sandbox) - before == 4

    def test_does_not_ask_soon_after_an_answer(self, provider: Provider, sandbox: Sandbox, clock: Any) -> None:
        clock.shift(PAUSE)
        attempts()
        before = balance_calls(sandbox)
        assert poll() == {}
        assert balance_calls(sandbox) == before

    def test_asks_in_each_run_if_the_balance_is_empty(self, provider: Provider, sandbox: Sandbox, clock: Any) -> None:
        sandbox.set_credits("veesing", 0)
        before = balance_calls(sandbox)
        for _ in range(5):
            poll()
            clock.shift(60)
        assert balance_calls(sandbox) - before == 5

    def test_does_not_ask_an_inactive_provider(self, provider: Provider, vendor: MakeProvider) -> None:
        Provider.objects.update(is_active=False)
        vendor("topthink")
        assert poll() == {}

    def test_does_not_ask_after_an_answer_during_the_run(self, provider: Provider) -> None:
        set_balance(stored(provider), 5)
        assert provider.balance is None, "as this run has loaded it"
        assert not balances.take_turn(provider, provider.gateway_client())

    def test_parallel_runs_ask_once(self, provider: Provider, sandbox: Sandbox) -> None:
        before = balance_calls(sandbox)
        at_once(10, lambda index: poll())
        assert balance_calls(sandbox) - before == 1

    @pytest.mark.parametrize(
        ("fault", "word"),
        [
            (Fault.status(500), "failed"),
            (Fault.garbage(), "failed"),
            (Fault.refuse("账号或密码错误"), "failed"),
            (Fault.refuse("缺少参数"), "refused"),
        ],
    )
    def test_a_provider_without_an_answer_is_asked_again(
        self, fault: Fault, word: str, provider: Provider, sandbox: Sandbox, clock: Any
    ) -> None:
        sandbox.misbehave("veesing", fault)
        assert poll() == {word: 1}
        assert stored(provider).balance_checked_at is None
        sandbox.behave()
        clock.shift(60)
        assert poll() == {"balance updated": 1}

    def test_a_failing_cache_does_not_stop_the_poll(self, provider: Provider, log: LogRecorder) -> None:
        broken = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:9"}
        with override_settings(CACHES={"default": broken}):
            assert poll() == {"balance updated": 1}
        assert "a balance may be asked for twice" in log.text


class TestChecks:
    def test_each_provider_has_its_state(self, vendor: MakeProvider, memory: MakeProvider, sandbox: Sandbox) -> None:
        fine = vendor("veesing", slug="a-fine", balance_alert=5)
        vendor("ihuyi", slug="b-low", balance_alert=10)
        sandbox.set_credits("ihuyi", 9)
        memory(slug="c-mute")
        wrong = {"app_id": "2RYN7CQHL1M0000", "app_key": "not the key"}
        vendor("veesing", slug="d-wrong", credentials=wrong)
        vendor("veesing", slug="e-gone", is_active=True)
        Provider.objects.filter(slug="e-gone").update(gateway="gone")
        vendor("veesing", slug="f-inactive", is_active=False)
        done: list[tuple[int, int]] = []
        checks = check_balances(progress=lambda *numbers: done.append(numbers))
        assert {check.provider.slug: check.state.value for check in checks} == {
            "a-fine": "ok",
            "b-low": "low",
            "c-mute": "cannot be asked",
            "d-wrong": "error",
            "e-gone": "error",
        }
        words = {check.provider.slug: check.error for check in checks if check.error}
        assert "账号或密码错误" in words["d-wrong"]
        assert '"gone"' in words["e-gone"]
        assert done == [(number, 5) for number in range(1, 6)]
        assert balance_of(fine) == "1000000"

    def test_a_balance_of_zero_is_empty_even_with_an_alert(self, vendor: MakeProvider, sandbox: Sandbox) -> None:
        vendor("veesing", balance_alert=10)
        sandbox.set_credits("veesing", 0)
        assert [check.state for check in check_balances()] == [BalanceState.EMPTY]

    def test_stops_on_request(self, vendor: MakeProvider, sandbox: Sandbox) -> None:
        vendor("veesing", slug="one")
        vendor("veesing", slug="two")
        before = balance_calls(sandbox)
        assert len(check_balances(stopped=lambda: balance_calls(sandbox) > before)) == 1

    def test_is_refused_inside_a_transaction(self, vendor: MakeProvider) -> None:
        vendor("veesing")
        with pytest.raises(InsideTransaction, match=r"check_balances\(\)"), transaction.atomic():
            check_balances()


class TestForm:
    def test_new_credentials_reset_the_balance(
        self, account: Provider, vendor: MakeProvider, admin_client: Any
    ) -> None:
        provider = vendor("ihuyi", balance_alert=5)
        set_balance(provider, 0)
        self.save(admin_client, provider, balance_alert="5", credential_account="x", credential_api_key="y")
        found = stored(provider)
        assert (found.balance, found.balance_checked_at, found.balance_alarm) == (None, None, "")

    def test_a_new_alert_is_checked_at_once(self, vendor: MakeProvider, admin_client: Any) -> None:
        provider = vendor("ihuyi", balance_alert=5)
        set_balance(provider, 8)
        with alarms() as raised:
            self.save(admin_client, provider, balance_alert="9")
            assert len(raised) == 1
            assert stored(provider).balance_alarm == Alarm.RAISED
            self.save(admin_client, provider, balance_alert="")
            assert stored(provider).balance_alarm == ""
            assert balance_of(provider) == "8"
        assert len(raised) == 1

    def test_a_save_does_not_overwrite_a_newer_balance(
        self, vendor: MakeProvider, admin_client: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        provider = vendor("ihuyi")
        set_balance(provider, 8)
        clean = Provider.clean

        def slow(row: Provider) -> None:
            clean(row)
            Provider.objects.update(balance=7, balance_alarm=Alarm.MAILED)

        monkeypatch.setattr(Provider, "clean", slow)
        self.save(admin_client, provider, balance_alert="100", name="Renamed")
        found = stored(provider)
        assert (found.name, balance_of(provider), found.balance_alarm) == ("Renamed", "7", Alarm.MAILED)

    def save(self, client: Any, provider: Provider, **fields: str) -> None:
        form = {
            "name": provider.name,
            "slug": provider.slug,
            "gateway": provider.gateway,
            "base_url": provider.base_url,
            "is_active": "on",
            "priority": "1",
            "weight": "1",
            **{f"option_{option.name}": option.default for option in provider.gateway_client().options},
            **fields,
        }
        saved = client.post(f"/admin/smsverify/provider/{provider.pk}/change/", form)
        assert saved.status_code == 302, saved.context["adminform"].form.errors


class TestAdmin:
    URL = "/admin/smsverify/provider/"

    def action(self, client: Any, *providers: Provider) -> str:
        chosen = {"action": "ask_balance", "_selected_action": [provider.pk for provider in providers]}
        return client.post(self.URL, chosen, follow=True).content.decode()  # type: ignore[no-any-return]

    def test_shows_the_balance_and_its_time(self, vendor: MakeProvider, admin_client: Any, clock: Any) -> None:
        provider = vendor("ihuyi", balance_alert=5)
        assert "not known yet" in admin_client.get(self.URL).content.decode()
        for amount, mark in (
            ("12.5", "<"),
            ("4", " <strong>⚠ low</strong>"),
            ("0", " <strong>⚠ nothing left</strong>"),
        ):
            Provider.objects.update(balance=amount, balance_checked_at=NOW)
            listed = admin_client.get(self.URL).content.decode()
            page = admin_client.get(f"{self.URL}{provider.pk}/change/").content.decode()
            assert f"{amount} SMS credits{mark}" in listed
            assert f"{amount} SMS credits (2026-11-21 20:00:00){mark}" in page

    def test_the_list_makes_no_query_for_each_provider(
        self, vendor: MakeProvider, admin_client: Any, django_assert_num_queries: Any
    ) -> None:
        for number in range(2):
            vendor("ihuyi", slug=f"first-{number}", balance=1, balance_alert=5)
        with CaptureQueriesContext(connection) as few:
            admin_client.get(self.URL)
        for number in range(20):
            vendor("ihuyi", slug=f"more-{number}", balance=1, balance_alert=5)
        with django_assert_num_queries(len(few)):
            admin_client.get(self.URL)

    def test_the_action_asks_the_vendor(self, vendor: MakeProvider, admin_client: Any, sandbox: Sandbox) -> None:
        provider = vendor("veesing", balance_alert=10)
        sandbox.set_credits("veesing", 7)
        page = self.action(admin_client, provider)
        assert "Veesing: 7 SMS credits" in page
        assert balance_of(provider) == "7"
        assert mail.outbox == []

    def test_the_action_shows_the_vendors_error(
        self, vendor: MakeProvider, admin_client: Any, sandbox: Sandbox
    ) -> None:
        sandbox.misbehave("veesing", Fault.refuse("IP受限<b>"))
        page = self.action(admin_client, vendor("veesing"), vendor("qixuntong"))
        assert "Veesing: 0 IP受限&lt;b&gt;" in page
        assert "Qixuntong: this vendor has no query for it" in page

    def test_no_transaction_is_open_during_the_call(
        self, vendor: MakeProvider, admin_client: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        held = []
        call = Gateway.call

        def spy(gateway: Gateway, request: Any) -> Any:
            held.append(connection.in_atomic_block)
            return call(gateway, request)

        monkeypatch.setattr(Gateway, "call", spy)
        self.action(admin_client, vendor("veesing"))
        assert held == [False]

    def test_a_user_who_may_only_view_cannot_ask(self, vendor: MakeProvider, client: Any, sandbox: Sandbox) -> None:
        from django.contrib.auth.models import Permission, User

        provider = vendor("veesing")
        user = User.objects.create_user("viewer", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename="view_provider"))
        client.force_login(user)
        before = balance_calls(sandbox)
        self.action(client, provider)
        assert balance_calls(sandbox) == before
