"""The guard: what brings no codes back is closed to new numbers, for a time, and known numbers never notice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client, override_settings
from django.utils import timezone

from django_smsverify.enums import Guarded, ReviewStatus
from django_smsverify.exceptions import Throttled
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.limits.guard import closures, figures, rules, watching
from django_smsverify.limits.guard.rules import Figures, is_abused, room
from django_smsverify.limits.shared import network_digest
from django_smsverify.models import Closure, Message, Provider, Refusal, Signature, Verification
from django_smsverify.numbers import Requester
from django_smsverify.sending import resend_code, send_code
from django_smsverify.sending.request import CodeRequest
from django_smsverify.sending.single import send_code_to
from django_smsverify.signals import abuse_detected
from django_smsverify.verifying import verify_code
from django_smsverify.verifying.context import canonical

from .conftest import PHONE, LogRecorder, MakeProvider, add_template, last_code
from .test_limits import NO_LIMITS
from .test_storing_reports import values_sent

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
BLOCK = "+861390013"
Answer = tuple[int, str]


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture(autouse=True)
def _site(memory: MakeProvider) -> Iterator[None]:
    memory("login")
    with guarded():
        yield


def guarded(**settings: Any) -> Any:
    """A site without the limits that the guard does not need."""
    return override_settings(SMSVERIFY={**NO_LIMITS, **settings})


def address(number: int) -> str:
    """One of many addresses, each in a network of its own."""
    return f"10.{number // 250}.{number % 250}.7"


def in_block(number: int) -> str:
    return f"{BLOCK}{number:04}"


def apart(number: int) -> str:
    """One of many numbers, each in a block of its own."""
    return f"+86138{number:04}0000"


def ask(phone: str, ip: str = "203.0.113.7") -> Any:
    body = {"phone": phone, "purpose": "login"}
    return Client().post("/sms/send/", body, "application/json", headers={}, REMOTE_ADDR=ip)


def pump(
    clock: time_machine.Traveller,
    count: int,
    phone: Callable[[int], str] = in_block,
    *,
    every: float = 10,
    first: int = 0,
) -> int:
    """Asks for codes that nobody enters, from many networks; returns how many were sent."""
    sent = 0
    for number in range(first, first + count):
        with suppress(Throttled):
            send_code(phone(number), "login", ip=address(number))
            sent += 1
        clock.shift(every)
    return sent


def use(phone: str, ip: str = "198.51.100.7") -> None:
    """Has a person ask for a code and enter it."""
    verify_code(send_code(phone, "login", ip=ip).pk, last_code())


class TestBlock:
    def test_one_in_ten_seconds_is_closed_after_twenty(self, clock: time_machine.Traveller) -> None:
        assert pump(clock, 90) == 20

        closure = Closure.objects.get()
        assert (closure.kind, closure.subject, closure.level) == ("block", BLOCK, 0)
        assert (closure.sent, closure.verified, closure.is_watched) == (20, 0, False)
        assert closure.until - closure.since == timedelta(minutes=15)

    def test_who_is_refused_is_told_the_limit_of_the_block_and_the_seconds(self, clock: time_machine.Traveller) -> None:
        pump(clock, 20)  # it is closed with the twentieth, ten seconds ago

        answer = ask(in_block(5000))

        assert answer.status_code == 429
        assert (answer.json()["scope"], answer.json()["retry_after"]) == ("prefix", 15 * 60 - 10)
        assert answer["Retry-After"] == "890"
        assert Refusal.objects.get().reason == "guard_block"

    def test_it_opens_by_itself_and_is_closed_for_longer_each_time(self, clock: time_machine.Traveller) -> None:
        lengths = []
        for time in range(5):
            assert pump(clock, 25, first=time * 100) == 20
            closure = Closure.objects.latest("since")
            lengths.append((closure.until - closure.since) / timedelta(minutes=1))
            clock.move_to(closure.until + timedelta(hours=1))

        assert lengths == [15, 60, 240, 720, 720]

    def test_it_stays_closed_for_as_long_as_the_last_hour_is_bad(self, clock: time_machine.Traveller) -> None:
        with values_sent(abuse_detected, "closure") as told:
            pump(clock, 20)
            for minutes in range(4, 60):
                clock.move_to(NOON + timedelta(minutes=minutes))
                assert ask(in_block(minutes + 100)).status_code == 429
            clock.move_to(NOON + timedelta(minutes=80))

            assert ask(PHONE).status_code == 202
            assert ask(in_block(5000)).status_code == 202

        assert [closure.level for closure in told] == [0]

    def test_after_a_day_of_peace_it_is_a_first_time_again(self, clock: time_machine.Traveller) -> None:
        pump(clock, 25)
        clock.shift(timedelta(days=1, minutes=20))
        pump(clock, 25)

        assert list(Closure.objects.values_list("level", flat=True)) == [0, 0]

    def test_other_blocks_stay_open(self, clock: time_machine.Traveller) -> None:
        pump(clock, 25)

        assert ask(PHONE).status_code == 202

    def test_a_known_number_is_sent_its_code(self, clock: time_machine.Traveller) -> None:
        use(in_block(7000))
        clock.shift(3600)
        pump(clock, 25)

        assert ask(in_block(7001)).status_code == 429
        assert ask(in_block(7000)).status_code == 202

    def test_people_who_enter_their_codes_close_nothing(self, clock: time_machine.Traveller) -> None:
        for number in range(60):
            if number % 5 < 2:
                use(in_block(number), address(number))
            else:
                ask(in_block(number), address(number))
            clock.shift(10)

        assert not Closure.objects.exists()

    def test_one_network_cannot_close_a_block(self, clock: time_machine.Traveller) -> None:
        for number in range(40):
            ask(in_block(number), f"203.0.{number % 2}.{number}")
            clock.shift(10)

        assert not Closure.objects.filter(kind=Guarded.BLOCK).exists()

    def test_requests_without_an_address_are_no_network(self, clock: time_machine.Traveller) -> None:
        for number in range(30):
            send_code(in_block(number), "login")
            clock.shift(10)

        assert not Closure.objects.exists()

    def test_sms_that_are_too_young_are_not_judged(self, clock: time_machine.Traveller) -> None:
        assert pump(clock, 60, every=1) == 60

    @pytest.mark.slow
    def test_one_number_over_and_over_is_one(self, clock: time_machine.Traveller) -> None:
        for number in range(60):
            ask(in_block(number % 3), address(number))
            clock.shift(61)

        assert not Closure.objects.filter(kind=Guarded.BLOCK).exists()

    def test_a_resend_is_refused_too(self, clock: time_machine.Traveller) -> None:
        pump(clock, 19)
        verification = ask(in_block(19), address(19)).json()["verification_id"]
        clock.shift(61)
        assert Closure.objects.exists()

        answer = Client().post("/sms/send/", {"verification_id": verification}, "application/json")

        assert (answer.status_code, answer.json()["scope"]) == (429, "prefix")

    def test_who_asked_too_often_himself_is_told_that(self, clock: time_machine.Traveller) -> None:
        with guarded(PHONE_LIMITS=("1/h",)):
            pump(clock, 25)

            assert ask(in_block(3)).json()["scope"] == "phone"


class TestUnsent:
    """Numbers that got no code are no abuse."""

    @pytest.mark.slow
    def test_an_outage_of_the_vendor_closes_nothing(self, clock: time_machine.Traveller) -> None:
        Provider.objects.update(gateway="topthink", base_url="http://127.0.0.1:1", credentials={"app_code": "x"})
        for number in range(25):
            assert ask(in_block(number), address(number)).status_code == 503
            clock.shift(10)
        Provider.objects.update(gateway="memory", base_url="")
        watching.pace.forget()
        for number in range(30, 36):
            assert ask(in_block(number), address(number)).status_code == 202
            clock.shift(10)

        assert not Closure.objects.exists()


class TestNetwork:
    def test_a_network_whose_codes_do_not_come_back_is_closed(self, clock: time_machine.Traveller) -> None:
        sent = [ask(apart(number), f"203.0.113.{number}").status_code for number in range(1)]
        for number in range(1, 60):
            clock.shift(10)
            sent.append(ask(apart(number), f"203.0.113.{number}").status_code)

        assert sent.count(202) == 20
        closure = Closure.objects.get()
        assert (closure.kind, closure.subject) == ("network", "203.0.113.0/24")
        answer = ask(apart(99), "203.0.113.200")
        assert (answer.status_code, answer.json()["scope"]) == (429, "ip")
        assert ask(apart(99), "203.0.114.1").status_code == 202

    def test_thousands_behind_one_address_are_people(self, clock: time_machine.Traveller) -> None:
        for number in range(60):
            (use if number % 2 else ask)(apart(number), "203.0.113.7")
            clock.shift(5)

        assert not Closure.objects.exists()


class TestSite:
    @pytest.mark.slow
    def test_a_pumper_gets_two_hundred(self, clock: time_machine.Traveller) -> None:
        assert pump(clock, 260, apart, every=20) == 200

        closure = Closure.objects.get()
        assert (closure.kind, closure.subject, closure.sent, closure.verified) == ("site", "", 200, 0)
        assert ask(PHONE).json()["scope"] == "global"

    @pytest.mark.slow
    def test_it_is_closed_again_as_long_as_the_day_is_bad(self, clock: time_machine.Traveller) -> None:
        pump(clock, 200, apart, every=20)
        for minutes in (15, 60, 240):
            clock.shift(timedelta(minutes=minutes))
            sent = pump(clock, 5, apart, first=300 + minutes)

            assert sent <= 1

    @pytest.mark.slow
    def test_a_launch_is_no_attack(self, clock: time_machine.Traveller) -> None:
        for number in range(600):
            (use if number % 5 < 3 else ask)(apart(number), address(number))
            clock.shift(5)

        assert not Closure.objects.exists()

    def test_the_days_before_raise_the_number(self) -> None:
        assert room(Guarded.SITE, Figures(1000, 1000, 0, usual=400)) == 200
        assert room(Guarded.SITE, Figures(100, 100, 0, usual=1)) == 100
        assert rules.usual([9, 400, 2, 0, 400, 500, 400]) == 400
        assert rules.usual([]) == 0

    @pytest.mark.slow
    def test_the_usual_day_is_read_from_the_week_before(self, clock: time_machine.Traveller) -> None:
        for _day in range(7):
            pump(clock, 100, apart, every=1)
            clock.shift(timedelta(days=1) - timedelta(seconds=100))
        watching.pace.forget()

        assert pump(clock, 400, apart, every=1, first=1000) == 300

    @pytest.mark.slow
    def test_what_was_not_sent_is_no_abuse(self, clock: time_machine.Traveller, memory: MakeProvider) -> None:
        pump(clock, 150, apart, every=20)
        Message.objects.update(status="not_sent")

        assert pump(clock, 250, apart, every=20, first=150) == 200


class TestSignature:
    """A site with two names: `login` has one, `pay` the other."""

    @pytest.fixture(autouse=True)
    def _two_names(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in (rules, figures):
            monkeypatch.setattr(module, "FEW", 20)
        self.add_route("pay", "另一站")

    def add_route(self, purpose: str, text: str) -> None:
        provider = Provider.objects.get()
        signature = Signature.objects.create(provider=provider, text=text, status=ReviewStatus.APPROVED)
        template = add_template(provider, purpose, "您的验证码是{code}。", "", signature=signature)
        assert template.signature == signature

    def pay(self, people: int) -> None:
        for number in range(people):
            phone = f"+86139{number:04}0000"
            verify_code(send_code(phone, "pay", ip=f"198.51.{number}.7").pk, last_code())

    def test_only_the_name_that_is_pumped_is_closed(self, clock: time_machine.Traveller) -> None:
        self.pay(30)

        assert pump(clock, 40, apart, every=20) == 20
        closure = Closure.objects.get()
        assert (closure.kind, closure.subject) == ("sender", "示例站")
        assert (closure.sent, closure.verified) == (20, 0)
        assert ask(PHONE).json()["scope"] == "global"
        assert Refusal.objects.filter(phone=PHONE).values_list("reason").get() == ("guard_sender",)
        self.pay(31)

    def test_a_lifted_one_is_judged_by_what_is_sent_then(self, clock: time_machine.Traveller) -> None:
        self.pay(40)
        pump(clock, 25, apart, every=20)
        Closure.objects.update(lifted_at=timezone.now())
        clock.shift(1)

        assert pump(clock, 30, apart, every=20, first=100) == 20

    def test_it_goes_on_while_its_day_is_as_bad(self, clock: time_machine.Traveller) -> None:
        self.pay(40)
        pump(clock, 25, apart, every=20)
        clock.shift(timedelta(minutes=20))

        assert pump(clock, 5, apart, every=20, first=100) == 0
        assert Closure.objects.count() == 1

    def test_a_route_with_another_name_stays_open(self, clock: time_machine.Traveller) -> None:
        self.pay(30)
        pump(clock, 25, apart, every=20)
        self.add_route("login", "第三站")
        assert ask(apart(500)).status_code == 202, "this process reads the routes anew"

        assert ask(PHONE).status_code == 202

    def test_a_route_to_another_country_does_not_keep_it_open(self, clock: time_machine.Traveller) -> None:
        self.pay(30)
        abroad = Provider.objects.create(name="abroad", slug="abroad", gateway="memory", regions="SG")
        add_template(abroad, "login", "Your code is {code}.", "", signature=None)
        pump(clock, 25, apart, every=20)

        assert ask(PHONE).status_code == 429

    @pytest.mark.slow
    def test_each_has_a_usual_day_of_its_own(self, clock: time_machine.Traveller) -> None:
        with guarded(GUARD="off"):
            for day in range(7):
                pump(clock, 21, lambda number, day=day: f"+861350{day}{number:02}0000", every=1)  # type: ignore[misc]
                self.pay(21)
                clock.shift(timedelta(days=1) - timedelta(seconds=30))
            pump(clock, 21, apart, every=1)
            for number in range(22):
                send_code(f"+86137{number:04}0000", "pay", ip=address(number))

        found = {name: own.usual for (_, name), own in figures.read((Guarded.SITE, ""), "").items()}

        assert found == {"": 21, "示例站": 21, "另一站": 0}


class TestRules:
    @pytest.mark.parametrize(
        ("seen", "abused"),
        [
            (Figures(20, 20, 3, 3), True),
            (Figures(20, 20, 4, 3), False),
            (Figures(19, 19, 0, 3), False),
            (Figures(20, 10, 0, 3), True),
            (Figures(20, 9, 0, 3), False),
            (Figures(20, 20, 0, 2), False),
        ],
    )
    def test_when_a_block_is_closed(self, seen: Figures, abused: bool) -> None:
        assert is_abused(Guarded.BLOCK, seen) is abused

    @pytest.mark.parametrize(
        ("seen", "abused"),
        [
            (Figures(200, 200, 0), True),
            (Figures(199, 199, 0), False),
            (Figures(500, 500, 199), True),
            (Figures(500, 500, 200), False),
        ],
    )
    @pytest.mark.parametrize("kind", [Guarded.SITE, Guarded.SIGNATURE])
    def test_when_the_site_or_a_signature_is_closed(self, kind: Guarded, seen: Figures, abused: bool) -> None:
        assert is_abused(kind, seen) is abused

    def test_a_network_needs_no_others(self) -> None:
        assert is_abused(Guarded.NETWORK, Figures(20, 20, 3, 1))


class TestWatch:
    def test_it_decides_and_refuses_nothing(self, clock: time_machine.Traveller) -> None:
        with guarded(GUARD="watch"), values_sent(abuse_detected, "closure") as told:
            assert pump(clock, 40) == 40

        assert [closure.is_watched for closure in told] == [True]
        assert not Refusal.objects.exists()

    def test_what_was_only_watched_does_not_bind_later(self, clock: time_machine.Traveller) -> None:
        with guarded(GUARD="watch"):
            pump(clock, 20)

        assert ask(in_block(5000)).status_code == 202

    def test_who_switches_the_guard_on_is_guarded_at_once(self, clock: time_machine.Traveller) -> None:
        with guarded(GUARD="watch"):
            pump(clock, 30)

        Closure.objects.update(until=NOON + timedelta(days=1))
        assert pump(clock, 10, first=100) == 1
        clock.shift(timedelta(hours=1, minutes=20))
        assert pump(clock, 30, first=200) == 20, "and again, as long as what was watched would last"
        assert list(Closure.objects.order_by("pk").values_list("is_watched", "level")) == [
            (True, 0),
            (False, 0),
            (False, 1),
        ]

    def test_off_is_off(self, clock: time_machine.Traveller) -> None:
        with guarded(GUARD="off"):
            assert pump(clock, 40) == 40

        assert not Closure.objects.exists()


class TestTelling:
    def test_the_signal_is_sent_once_and_the_log_names_the_block(
        self, clock: time_machine.Traveller, log: LogRecorder
    ) -> None:
        with values_sent(abuse_detected, "closure") as told:
            pump(clock, 40)

        assert told == [Closure.objects.get()]
        (line,) = [line for line in log.lines if "The guard" in line]
        assert line.endswith("The guard closes the block +861390013 to new numbers for 0:15:00: 0 of 20 were verified.")

    def test_of_two_processes_one_closes(self) -> None:
        seen = Figures(20, 20, 0, 3)

        with values_sent(abuse_detected, "closure") as told:
            both = [closures.close(Guarded.BLOCK, BLOCK, seen) for _process in range(2)]

        assert both[0] == both[1]
        assert len(told) == 1

    def test_a_failure_of_the_guard_stops_no_sms(self, monkeypatch: pytest.MonkeyPatch, log: LogRecorder) -> None:
        def broken(*args: object) -> Figures:
            raise ValueError(PHONE)

        monkeypatch.setattr("django_smsverify.limits.guard.figures.read", broken)
        watching.pace.set((Guarded.SITE, ""), 1)

        assert ask(PHONE).status_code == 202

        assert any("The guard could not judge the site: ValueError" in line for line in log.lines)


class TestCaptcha:
    """Where a captcha can be shown, nobody is refused for what others do."""

    def request(self, phone: str, ip: str, **standing: bool) -> Verification:
        requester = replace(Requester(is_known=False), **standing)  # type: ignore[arg-type]
        return send_code_to(
            CodeRequest(phone=phone, purpose="login", context=canonical(None), requester=requester, ip=ip)  # type: ignore[arg-type]
        )

    def test_who_solved_it_gets_the_code(self, clock: time_machine.Traveller) -> None:
        pump(clock, 20)

        assert self.request(in_block(5000), "203.0.113.7", has_solved=True).sms_sent

    def test_solvers_who_enter_nothing_find_an_end(self, clock: time_machine.Traveller) -> None:
        closures.close(Guarded.SITE, "", Figures(999, 999, 0))
        assert self.request(PHONE, "203.0.113.7", has_solved=True).sms_sent

        closures.close(Guarded.SITE, "", Figures(1000, 1000, 0))

        with pytest.raises(Throttled) as refused:
            self.request("+8613900139000", "203.0.113.7", has_solved=True)
        assert refused.value.scope == "global"
        assert Closure.objects.get().binds_solvers

    @pytest.mark.slow
    def test_a_closed_site_is_looked_at_now_and_then_only(
        self, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pump(clock, 200, apart, every=20)
        looks: list[Guarded] = []
        read = figures.read

        def noted(subject: closures.Subject, stored: str) -> Mapping[closures.Subject, Figures]:
            looks.append(subject[0])
            return read(subject, stored)

        monkeypatch.setattr(figures, "read", noted)
        for number in range(12):
            self.request(apart(1000 + number), address(number), has_solved=True)
            clock.shift(1)

        assert looks == [Guarded.SITE] * 3

    def test_a_list_of_solvers_is_judged_as_well(self, clock: time_machine.Traveller) -> None:
        for number in range(20):
            self.request(in_block(number), address(number), has_solved=True)
            clock.shift(10)

        assert Closure.objects.exists()


def test_what_a_verification_keeps_of_its_origin() -> None:
    send_code(PHONE, "login", ip="203.0.113.7")

    first = Verification.objects.get()
    assert first.block == "+861380013"
    assert re.fullmatch("[0-9a-f]{32}", first.network)
    verify_code(first.pk, last_code())
    send_code(PHONE, "login", ip="203.0.113.99")
    second = Verification.objects.exclude(pk=first.pk).get()
    assert (second.block, second.network) == ("", first.network)


@pytest.mark.parametrize("lifted", [False, True])
def test_what_an_operator_lifts_is_judged_anew(lifted: bool, clock: time_machine.Traveller) -> None:
    pump(clock, 20)
    if lifted:
        Closure.objects.update(lifted_at=timezone.now())

    assert pump(clock, 15, first=100) == (15 if lifted else 0)


def test_a_process_that_does_not_know_of_it_closes_nothing_that_was_lifted(clock: time_machine.Traveller) -> None:
    pump(clock, 20)
    assert ask(in_block(5000)).status_code == 429
    known = dict(closures.kept._found)
    Closure.objects.update(lifted_at=timezone.now())
    closures.kept._found.update(known)

    block = Guarded.BLOCK, BLOCK
    assert closures.close(*block, figures.read(block, BLOCK)[block]) is None
    assert ask(in_block(5000)).status_code == 202


def test_one_person_who_asks_twice_and_enters_the_code_is_no_abuse(clock: time_machine.Traveller) -> None:
    verification = send_code(PHONE, "login")
    resend_code(verification.pk)
    verify_code(verification.pk, last_code())

    (found,) = figures.read((Guarded.SITE, ""), "").values()

    assert (found.sent, found.verified) == (2, 2)


def test_who_joined_a_code_is_judged_by_its_success(clock: time_machine.Traveller) -> None:
    first = send_code(PHONE, "login", ip="203.0.113.7")
    send_code(PHONE, "login", ip="198.51.100.7")
    verify_code(first.pk, last_code())

    (found,) = figures.read((Guarded.NETWORK, "198.51.100.0/24"), network_digest("198.51.100.7")).values()

    assert (found.sent, found.verified) == (1, 1)


def test_the_outbox_is_what_was_sent(clock: time_machine.Traveller) -> None:
    assert pump(clock, 30) == len(MemoryGateway.outbox)
