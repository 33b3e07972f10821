"""Page tickets: where a captcha is set, a page that was open for a moment sends one code without it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
import time_machine
from django.core import signing
from django.db import connection
from django.test import Client, RequestFactory, override_settings
from django.utils import timezone

from django_smsverify.challenges import ticket_for
from django_smsverify.challenges.tickets import SALT
from django_smsverify.enums import Refused
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.models import KnownNumber, Message, Provider, Refusal

from .caches import AbsentCache
from .conftest import PHONE, MakeProvider, Site, age_cache, refusal

NOW = "2026-03-01T12:00:00+08:00"
OTHERS = [f"1390013800{last}" for last in range(10)]
LIMITLESS: dict[str, Any] = {"IP_LIMITS": (), "PREFIX_LIMITS": (), "PHONE_LIMITS": (), "RESEND_INTERVAL": 0}
ALTCHA = {**LIMITLESS, "CAPTCHA": "altcha"}

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture(autouse=True)
def captcha(memory: MakeProvider) -> Iterator[None]:
    memory("login", "payment")
    with override_settings(SMSVERIFY=ALTCHA):
        yield


class Page:
    """A client with an address of its own."""

    def __init__(self, ip: str = "203.0.113.7") -> None:
        self.client = Client(REMOTE_ADDR=ip)

    def ticket(self) -> str:
        return str(self.client.get("/sms/ticket/").json()["ticket"])

    def send(self, **body: Any) -> Any:
        asked = {"phone": PHONE, "purpose": "login", **body} if "verification_id" not in body else body
        return self.client.post("/sms/send/", asked, "application/json")


def is_asked(answer: Any) -> bool:
    """Whether the answer asks for a captcha, and brings it."""
    if answer.status_code != 400:
        assert answer.status_code == 202, answer.json()
        return False
    body = answer.json()
    assert (body["code"], body["captcha"]["kind"]) == ("captcha_required", "altcha")
    return True


class TestEndpoint:
    def test_over_http(self, site: Site) -> None:
        answer = requests.get(f"{site.url}/sms/ticket/", timeout=60)

        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.json() == {"ticket": answer.json()["ticket"], "usable_in": 1.5, "expires_in": 1800}
        assert requests.get(f"{site.url}/sms/ticket/", timeout=60).json()["ticket"] != answer.json()["ticket"]

    @pytest.mark.any_database
    @pytest.mark.slow
    def test_calls_that_no_person_makes_are_refused(self, clock: time_machine.Traveller) -> None:
        page = Page()
        with override_settings(SMSVERIFY={}):
            answers: list[Any] = [page.client.get("/sms/ticket/") for _ in range(601)]

        assert {answer.status_code for answer in answers[:600]} == {200}
        assert refusal(answers[600]) == (429, "throttled")
        assert answers[600].json()["scope"] == "ip"
        assert Page("203.0.113.8").client.get("/sms/ticket/").status_code == 200

    def test_it_tells_no_address(self) -> None:
        content = signing.Signer(salt=f"{SALT}:203.0.113.0/24").unsign_object(Page().ticket())

        assert set(content) == {"id", "at"}


class TestUse:
    def test_a_page_that_was_open_for_a_moment_is_asked_for_no_captcha(self, clock: time_machine.Traveller) -> None:
        page = Page()
        assert is_asked(page.send())
        ticket = page.ticket()
        clock.shift(1.5)

        assert not is_asked(page.send(ticket=ticket))

    @pytest.mark.parametrize(("age", "asked"), [(0, True), (1.4, True), (1.5, False), (1800, False), (1800.1, True)])
    def test_its_age(self, age: float, asked: bool, clock: time_machine.Traveller) -> None:
        page = Page()
        ticket = page.ticket()
        clock.shift(age)

        assert is_asked(page.send(ticket=ticket)) == asked

    @pytest.mark.parametrize("after", [0, 60, 1790])
    def test_it_is_used_once(self, after: int, clock: time_machine.Traveller) -> None:
        page = Page()
        ticket = page.ticket()
        clock.shift(5)
        assert not is_asked(page.send(ticket=ticket))
        clock.shift(after)
        age_cache(after)

        assert is_asked(page.send(phone=OTHERS[0], ticket=ticket))
        assert Message.objects.count() == 1
        assert Refusal.objects.get().reason == Refused.CAPTCHA
        assert not is_asked(page.send(phone=OTHERS[1], ticket=ticket_made_before(2, page, clock)))

    def test_of_many_requests_with_one_ticket_one_is_served(self, clock: time_machine.Traveller) -> None:
        ticket = Page().ticket()
        clock.shift(5)

        def use(phone: str) -> Any:
            try:
                return Page().send(phone=phone, ticket=ticket)
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(use, OTHERS[:8]))

        assert sorted(answer.status_code for answer in answers) == [202] + [400] * 7
        assert len(MemoryGateway.outbox) == 1

    @pytest.mark.parametrize(
        ("made_by", "used_by", "asked"),
        [
            ("203.0.113.7", "203.0.113.250", False),
            ("203.0.113.7", "203.0.114.7", True),
            ("2001:db8:1:2::1", "2001:db8:1:ffff:1::2", False),
            ("2001:db8:1::1", "2001:db8:2::1", True),
            ("::ffff:203.0.113.7", "203.0.113.8", False),
            ("2002:cb00:7107::1", "203.0.113.8", False),
        ],
    )
    def test_it_is_of_one_network(self, made_by: str, used_by: str, asked: bool, clock: time_machine.Traveller) -> None:
        ticket = Page(made_by).ticket()
        clock.shift(5)

        assert is_asked(Page(used_by).send(ticket=ticket)) == asked

    @pytest.mark.parametrize("bad", ["", "x", "a:b", ":", "\x00", "🎫", "\ud800", 7, None, True, [], {}, "x" * 9000])
    def test_a_bad_one_counts_as_absent(self, bad: Any, clock: time_machine.Traveller) -> None:
        assert is_asked(Page().send(ticket=bad))
        with override_settings(SMSVERIFY={}):
            assert Page().send(ticket=bad).status_code == 202

    @pytest.mark.parametrize(
        "content", [{}, [], "x", 5, {"id": "a"}, {"at": 1}, {"id": 1, "at": "x"}, {"id": 1, "at": []}]
    )
    def test_a_signed_one_with_another_content_counts_as_absent(self, content: Any) -> None:
        forged = signing.Signer(salt=f"{SALT}:203.0.113.0/24").sign_object(content)

        assert is_asked(Page().send(ticket=forged))

    def test_a_device_token_is_no_ticket(self, clock: time_machine.Traveller) -> None:
        forged = signing.Signer(salt="django_smsverify.device").sign_object({"id": "1", "at": 1772337590.0})

        assert is_asked(Page().send(ticket=forged))

    def test_it_outlives_a_new_secret_key(self, clock: time_machine.Traveller, settings: Any) -> None:
        page = Page()
        ticket = page.ticket()
        clock.shift(5)
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "another-secret-key"

        assert not is_asked(page.send(ticket=ticket))

    def test_a_resend_takes_one_too(self, clock: time_machine.Traveller) -> None:
        page = Page()
        sent = page.send(ticket=ticket_made_before(5, page, clock)).json()["verification_id"]

        assert is_asked(page.send(verification_id=sent))
        again = ticket_made_before(5, page, clock)
        assert not is_asked(page.send(verification_id=sent, ticket=again))
        assert is_asked(page.send(verification_id=sent, ticket=again))

    def test_the_site_puts_one_into_its_page(self, clock: time_machine.Traveller, rf: RequestFactory) -> None:
        ticket = ticket_for(rf.get("/login/", REMOTE_ADDR="203.0.113.7"))
        clock.shift(5)

        assert ticket not in repr(ticket)
        assert not is_asked(Page().send(ticket=f"{ticket}"))


class TestRefused:
    """Whoever got no SMS may use the ticket again."""

    def test_by_a_limit(self, clock: time_machine.Traveller) -> None:
        page = Page()
        ticket = ticket_made_before(5, page, clock)
        with override_settings(SMSVERIFY={**ALTCHA, "RESEND_INTERVAL": 60}):
            page.send(ticket=ticket_made_before(5, page, clock))
            for _ in range(2):
                answer = page.send(ticket=ticket)
                assert (refusal(answer), answer.json()["scope"]) == ((429, "throttled"), "resend")
            clock.shift(60)

            assert not is_asked(page.send(ticket=ticket))
            assert is_asked(page.send(phone=OTHERS[0], ticket=ticket))

    def test_by_the_address(self, clock: time_machine.Traveller) -> None:
        page = Page()
        ticket = ticket_made_before(5, page, clock)
        with override_settings(SMSVERIFY={**ALTCHA, "IP_LIMITS": ("1/m",)}):
            page.send(ticket=ticket_made_before(5, page, clock))
            assert is_asked(page.send(phone=OTHERS[0], ticket=ticket))
            clock.shift(66)
            age_cache(66)

            assert not is_asked(page.send(phone=OTHERS[0], ticket=ticket))

    def test_by_all_providers(self, clock: time_machine.Traveller) -> None:
        page = Page()
        ticket = ticket_made_before(5, page, clock)
        Provider.objects.update(gateway="topthink", base_url="http://127.0.0.1:1", credentials={"app_code": "x"})
        assert refusal(page.send(ticket=ticket)) == (503, "gateway_unavailable")
        Provider.objects.update(gateway="memory", base_url="")

        assert not is_asked(page.send(ticket=ticket))

    def test_a_used_one_is_told_before_the_limits(self, clock: time_machine.Traveller) -> None:
        page = Page()
        ticket = ticket_made_before(5, page, clock)
        with override_settings(SMSVERIFY={**ALTCHA, "IP_LIMITS": ("1/h",), "RESEND_INTERVAL": 60}):
            assert not is_asked(page.send(ticket=ticket))

            assert is_asked(page.send(ticket=ticket))

    def test_nothing_is_sent_while_the_cache_is_down(self, clock: time_machine.Traveller) -> None:
        page = Page()
        ticket = ticket_made_before(5, page, clock)
        with override_settings(CACHES={"default": {"BACKEND": f"{AbsentCache.__module__}.AbsentCache"}}):
            assert refusal(page.send(ticket=ticket)) == (503, "throttle_unavailable")

        assert not is_asked(page.send(ticket=ticket))


class TestWhen:
    def test_a_site_may_ask_for_a_captcha_always(self, clock: time_machine.Traveller) -> None:
        page = Page()
        ticket = ticket_made_before(5, page, clock)
        with override_settings(SMSVERIFY={**ALTCHA, "CAPTCHA_WHEN": "always"}):
            assert is_asked(page.send(ticket=ticket))

        assert not is_asked(page.send(ticket=ticket)), "which has not used it up"

    def test_without_a_captcha_a_ticket_changes_nothing(self, clock: time_machine.Traveller) -> None:
        page = Page()
        ticket = ticket_made_before(5, page, clock)
        with override_settings(SMSVERIFY={**ALTCHA, "PURPOSES": {"payment": {"CAPTCHA": None}}}):
            for phone in OTHERS[:2]:
                assert page.send(phone=phone, purpose="payment", ticket=ticket).status_code == 202

            assert not is_asked(page.send(ticket=ticket)), "which is not used up"

    def test_a_ticket_makes_nobody_trusted(self, clock: time_machine.Traveller) -> None:
        """Of a known number's limits, strangers can spend half."""
        KnownNumber.objects.remember(PHONE, timezone.now(), before=None)
        page = Page()
        with override_settings(SMSVERIFY={**ALTCHA, "PHONE_LIMITS": ("2/h",)}):
            assert not is_asked(page.send(ticket=ticket_made_before(5, page, clock)))
            assert is_asked(page.send(ticket=ticket_made_before(5, page, clock)))

    def test_a_lost_answer_is_repeated_whatever_became_of_the_ticket(self, clock: time_machine.Traveller) -> None:
        page = Page()
        body = {"phone": PHONE, "purpose": "login", "ticket": ticket_made_before(5, page, clock)}
        answers = [
            page.client.post("/sms/send/", body, "application/json", headers={"Idempotency-Key": "press-0001"})
            for _ in range(2)
        ]

        assert [answer.status_code for answer in answers] == [202, 202]
        assert answers[0].json()["verification_id"] == answers[1].json()["verification_id"]
        assert len(MemoryGateway.outbox) == 1


def ticket_made_before(seconds: float, page: Page, clock: time_machine.Traveller) -> str:
    ticket = page.ticket()
    clock.shift(seconds)
    return ticket
