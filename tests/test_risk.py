"""With a captcha, what is shared challenges before it refuses; with a page ticket people mostly see none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.test import Client, override_settings

from django_smsverify.challenges import altcha as proofs_of_work
from django_smsverify.enums import Guarded, ListKind
from django_smsverify.limits.guard import closures
from django_smsverify.limits.guard.rules import Figures
from django_smsverify.limits.lists import entry_of
from django_smsverify.models import Refusal

from .conftest import PHONE, MakeProvider, last_code
from .test_captchas import solve

pytestmark = pytest.mark.django_db(transaction=True)

NOW = "2026-03-01T12:00:00+08:00"
OTHER = "+8613900139000"


@pytest.fixture(autouse=True)
def clock(memory: MakeProvider, monkeypatch: pytest.MonkeyPatch) -> Iterator[time_machine.Traveller]:
    memory("login")
    monkeypatch.setattr(proofs_of_work, "TRIES", range(1, 5))
    with time_machine.travel(NOW, tick=False) as traveller, site():
        yield traveller


def site(**settings: Any) -> Any:
    none: dict[str, Any] = {"IP_LIMITS": (), "PREFIX_LIMITS": (), "PHONE_LIMITS": (), "RESEND_INTERVAL": 0}
    return override_settings(SMSVERIFY={**none, "CAPTCHA": "altcha", **settings})


def apart(number: int) -> str:
    """A number in a block of its own."""
    return f"138{number:04}0000"


def address(number: int) -> str:
    """An address in a network of its own."""
    return f"10.0.{number}.7"


class Browser:
    """A page that gets a ticket when it is shown, and posts a moment later."""

    def __init__(self, clock: time_machine.Traveller, ip: str = "203.0.113.7") -> None:
        self.clock, self.client, self.device = clock, Client(REMOTE_ADDR=ip), ""

    def ticket(self) -> str:
        ticket = self.client.get("/sms/ticket/").json()["ticket"]
        self.clock.shift(2)
        return str(ticket)

    def post(self, ticket: str, **body: Any) -> Any:
        asked = {"ticket": ticket, "device": self.device, **body}
        return self.client.post("/sms/send/", asked, "application/json")

    def ask(self, phone: str = PHONE, **body: Any) -> Any:
        return self.post(self.ticket(), phone=phone, purpose="login", **body)

    def resend(self, sent: Any, **body: Any) -> Any:
        return self.post(self.ticket(), verification_id=sent.json()["verification_id"], **body)

    def ask_and_solve(self, phone: str = PHONE) -> Any:
        return self.ask(phone, captcha=solve(self.ask(phone).json()["captcha"]))

    def verify(self, sent: Any) -> Any:
        body = {"verification_id": sent.json()["verification_id"], "code": last_code()}
        answer = self.client.post("/sms/verify/", body, "application/json")
        self.device = answer.json()["device"]
        return answer


def word(answer: Any) -> str:
    """`sent`, the code of the refusal, or the scope of a limit."""
    body = answer.json()
    return str(body.get("scope") or body.get("code") or "sent")


def reasons() -> set[str]:
    return set(Refusal.objects.values_list("reason", flat=True))


class TestAddress:
    def test_the_third_of_an_address_is_asked(self, clock: time_machine.Traveller) -> None:
        with site(IP_LIMITS=("30/h", "200/d")):
            answers = [Browser(clock).ask(apart(number)) for number in range(4)]

        assert list(map(word, answers)) == ["sent", "sent", "captcha_required", "captcha_required"]
        assert answers[2].json()["captcha"]["kind"] == "altcha"
        assert reasons() == {"captcha_ip"}

    def test_who_solves_it_passes_beyond_the_limit_of_the_address(self, clock: time_machine.Traveller) -> None:
        with site(IP_LIMITS=("2/h",)):
            answers = [Browser(clock).ask(apart(number)) for number in range(2)]
            answers += [Browser(clock).ask_and_solve(apart(number)) for number in range(2, 8)]

        assert set(map(word, answers)) == {"sent"}

    @pytest.mark.slow
    def test_a_hundred_times_the_limit_is_the_end(self, clock: time_machine.Traveller) -> None:
        with site(IP_LIMITS=("1/d",), GUARD="off", CAPTCHA_WHEN="always"):
            answers = [Browser(clock).ask_and_solve(apart(number)) for number in range(101)]

        assert {word(answer) for answer in answers[:100]} == {"sent"}
        assert word(answers[100]) == "ip"

    def test_each_ipv6_host_has_its_two(self, clock: time_machine.Traveller) -> None:
        with site(IP_LIMITS=("30/h",)):
            answers = [Browser(clock, f"2001:db8:0:{number}::1").ask(apart(number)) for number in range(5)]

        assert set(map(word, answers)) == {"sent"}

    def test_an_owner_with_his_device_is_not_asked(self, clock: time_machine.Traveller) -> None:
        browser = Browser(clock)
        browser.verify(browser.ask())
        with site(IP_LIMITS=("1/h",), PREFIX_LIMITS=("1/h",), GLOBAL_LIMITS=("1/h",)):
            assert [word(browser.ask()) for _ in range(4)] == ["sent"] * 4
            assert word(Browser(clock).ask()) == "captcha_required", "another browser"


class TestBlockAndSite:
    def test_a_full_block_asks_new_numbers_and_then_refuses(self, clock: time_machine.Traveller) -> None:
        with site(PREFIX_LIMITS=("2/h",), GUARD="off"):
            answers = [Browser(clock).ask(f"1380013{number:04}") for number in range(3)]
            assert list(map(word, answers)) == ["sent", "sent", "captcha_required"]
            solved = [Browser(clock).ask_and_solve(f"1380013{number:04}") for number in range(3, 21)]
            last = Browser(clock).ask("13800139999"[:11], captcha=solve(answers[2].json()["captcha"]))

        assert set(map(word, solved)) == {"sent"}
        assert word(last) == "prefix"
        assert reasons() == {"captcha_prefix", "prefix"}

    def test_the_site_asks_from_its_half_and_never_exceeds_its_limit(self, clock: time_machine.Traveller) -> None:
        with site(GLOBAL_LIMITS=("4/h",)):
            answers = [Browser(clock, address(number)).ask(apart(number)) for number in range(3)]
            assert list(map(word, answers)) == ["sent", "sent", "captcha_required"]
            solved = [Browser(clock, address(number)).ask_and_solve(apart(number)) for number in range(3, 5)]
            last = Browser(clock).ask(apart(6), captcha=solve(answers[2].json()["captcha"]))

        assert set(map(word, solved)) == {"sent"}
        assert word(last) == "global"
        assert reasons() == {"captcha_global", "global"}


class TestGuardAndLists:
    @pytest.mark.parametrize(
        ("kind", "subject"), [(Guarded.BLOCK, "+861380013"), (Guarded.NETWORK, "203.0.113.0/24"), (Guarded.SITE, "")]
    )
    def test_what_the_guard_closes_asks(self, kind: Guarded, subject: str, clock: time_machine.Traveller) -> None:
        closures.close(kind, subject, Figures(20, 20, 0, 3))

        assert word(Browser(clock).ask()) == "captcha_required"
        assert reasons() == {"captcha_guard"}
        assert word(Browser(clock).ask_and_solve()) == "sent"

    def test_a_known_number_is_not_asked(self, clock: time_machine.Traveller) -> None:
        browser = Browser(clock)
        browser.verify(browser.ask())
        closures.close(Guarded.SITE, "", Figures(200, 200, 0))

        assert word(Browser(clock, address(1)).ask()) == "sent"

    def test_a_list_asks(self, clock: time_machine.Traveller) -> None:
        entry_of(ListKind.NUMBER, PHONE, action="challenge").save()
        browser = Browser(clock)

        assert word(browser.ask()) == "captcha_required"
        assert reasons() == {"captcha_listed"}
        sent = browser.ask_and_solve()
        browser.verify(sent)
        assert word(browser.ask()) == "sent"
        assert word(Browser(clock).ask()) == "captcha_required", "the number is known, and has no device here"
        assert word(Browser(clock).ask(OTHER)) == "sent"


def test_known_numbers_have_twice_the_limit_of_the_site(clock: time_machine.Traveller) -> None:
    browsers = [Browser(clock, address(number)) for number in range(4)]
    for number, browser in enumerate(browsers):
        browser.verify(browser.ask(apart(number)))
    strangers = [Browser(clock, address(10 + number)) for number in range(4)]
    with site(GLOBAL_LIMITS=("1/h",), CAPTCHA=None):
        answers = [stranger.ask(apart(number)) for number, stranger in enumerate(strangers)]
        assert word(browsers[3].ask(apart(3))) == "sent", "an owner is not bound at all"

    assert list(map(word, answers)) == ["sent", "sent", "global", "global"]


def test_the_number_s_own_limit_comes_first(clock: time_machine.Traveller) -> None:
    with site(RESEND_INTERVAL=60, GLOBAL_LIMITS=("2/h",)):
        assert word(Browser(clock).ask()) == "sent"

        assert word(Browser(clock).ask()) == "resend"


def test_always_asks_everybody_but_the_owner(clock: time_machine.Traveller) -> None:
    browser = Browser(clock)
    with site(CAPTCHA_WHEN="always"):
        assert word(browser.ask()) == "captcha_required"
        browser.verify(browser.ask_and_solve())

        assert word(browser.ask()) == "sent"


class TestHalfOfStrangers:
    """Who has a known number and neither token nor captcha is one of those who share half of its limits."""

    @pytest.fixture(autouse=True)
    def _spent(self, clock: time_machine.Traveller) -> Iterator[None]:
        with site(PHONE_LIMITS=("4/h",), RESEND_INTERVAL=60):
            owner = Browser(clock)
            owner.verify(owner.ask())
            clock.shift(3600)
            for number in range(2):
                assert word(Browser(clock, address(number)).ask()) == "sent"
                clock.shift(60)
            yield

    def test_it_asks_when_the_half_is_used_up(self, clock: time_machine.Traveller) -> None:
        answer = Browser(clock, address(9)).ask()

        assert word(answer) == "captcha_required"
        assert answer.json()["captcha"]["kind"] == "altcha"
        assert reasons() == {"captcha"}

    def test_who_solves_it_gets_the_other_half(self, clock: time_machine.Traveller) -> None:
        answers = []
        for number in range(2):
            answers.append(word(Browser(clock, address(number)).ask_and_solve()))
            clock.shift(60)

        assert answers == ["sent", "sent"]
        assert word(Browser(clock, address(9)).ask()) == "phone", "all is used up, and a captcha would not help"

    def test_who_solves_it_during_the_pause_joins_the_code(self, clock: time_machine.Traveller) -> None:
        assert word(Browser(clock, address(8)).ask_and_solve()) == "sent"
        answer = Browser(clock, address(9)).ask_and_solve()

        assert answer.json()["sent"] is False
        assert Browser(clock, address(9)).verify(answer).status_code == 200

    def test_a_resend_is_asked_too(self, clock: time_machine.Traveller) -> None:
        with site(PHONE_LIMITS=("6/h",), RESEND_INTERVAL=60):
            browser = Browser(clock, address(9))
            sent = browser.ask()
            assert word(sent) == "sent"
            clock.shift(60)

            answer = browser.resend(sent)

            assert word(answer) == "captcha_required"
            assert word(browser.resend(sent, captcha=solve(answer.json()["captcha"]))) == "sent"

    def test_who_solved_one_is_asked_for_no_second_one(self, clock: time_machine.Traveller) -> None:
        browser = Browser(clock, address(9))
        sent = browser.ask_and_solve()
        clock.shift(60)

        assert word(browser.resend(sent)) == "sent"

    def test_without_a_captcha_it_refuses(self, clock: time_machine.Traveller) -> None:
        with site(PHONE_LIMITS=("4/h",), CAPTCHA=None):
            assert word(Browser(clock, address(9)).ask()) == "phone"

    def test_the_refusal_gives_the_ticket_back(self, clock: time_machine.Traveller) -> None:
        browser = Browser(clock, address(9))
        ticket, asked = browser.ticket(), {"phone": PHONE, "purpose": "login"}

        assert [word(browser.post(ticket, **asked)) for _ in range(2)] == ["captcha_required"] * 2
        with site():
            assert word(browser.post(ticket, **asked)) == "sent"
            assert word(browser.post(ticket, **asked)) == "captcha_required", "used up"
