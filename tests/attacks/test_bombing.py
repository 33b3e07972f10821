"""Bombing: as many SMS as possible to one phone."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from django.core.cache import cache

from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.models import Template
from tests.conftest import PHONE, MakeProvider
from tests.test_guard import address, apart

from .visitors import Visitor, at_once, id_in, pump, told

pytestmark = pytest.mark.django_db(transaction=True)

IN_AN_HOUR = 58
"""Requests with a pause of 61 seconds that fit into one hour."""
SPELLINGS = [
    *("13800138000", "+8613800138000", "+86 138-0013-8000", "0086 138 0013 8000", "8613800138000", "013800138000"),
    *("(138) 0013.8000", "１３８００１３８０００", "138\u200b0013\u200b8000"),
]


def the_number(_: int) -> str:
    return PHONE


def test_many_addresses(clock: time_machine.Traveller) -> None:
    """Ask for one number from ever new addresses: a number has limits of its own, in any rolling hour and day."""
    assert pump(clock, IN_AN_HOUR, the_number, every=61) == 5


def test_one_number_at_once() -> None:
    """Ask for one number by eight requests at once: the row of the number is locked while its limits are judged."""
    assert at_once(8, lambda index: Visitor(address(index)).ask()) == {"ok": 1, "resend": 7}


def test_within_the_pause(clock: time_machine.Traveller) -> None:
    """Ask again before the minute is over: the pause between two SMS to a number is exact."""
    first = told(Visitor().ask())
    clock.shift(59.9)
    second = told(Visitor().ask())
    clock.shift(0.1)

    assert [first, second, told(Visitor().ask())] == ["ok", "resend", "ok"]


def test_many_spellings() -> None:
    """Write one number in nine ways: all are E.164 before anything is counted."""
    answers = [told(Visitor(address(number)).ask(written)) for number, written in enumerate(SPELLINGS)]

    assert answers == ["ok"] + ["resend"] * 8


def test_resends(clock: time_machine.Traveller) -> None:
    """Have one code sent again by its id, whenever the pause is over: a resend counts as an SMS."""
    verification = id_in(Visitor().ask())
    answers = []
    for number in range(8):
        clock.shift(61)
        answers.append(told(Visitor(address(number)).resend(verification)))

    assert answers == ["ok"] * 4 + ["phone"] * 4


def test_two_purposes_and_two_providers(clock: time_machine.Traveller, memory: MakeProvider) -> None:
    """Alternate between purposes that are sent by other providers: a number's SMS are counted over all of them."""
    Template.objects.filter(purpose="payment").update(is_active=False)
    memory("payment", slug="second")
    sent = []
    for number in range(IN_AN_HOUR):
        purpose = ("login", "payment")[number % 2]
        sent += [purpose] * (told(Visitor(address(number)).ask(purpose=purpose)) == "ok")
        clock.shift(61)

    assert sent == ["login", "payment", "login", "payment", "login"]


@pytest.mark.slow
def test_a_flushed_cache(clock: time_machine.Traveller) -> None:
    """Have the cache lose all that it counts: a number's own limits are judged in the database."""
    sent = 0
    for _ in range(IN_AN_HOUR):
        sent += pump(clock, 1, the_number, every=61)
        cache.clear()

    assert sent == 5


@pytest.mark.parametrize("proxies", [0, 1])
def test_forged_forwarded_for(proxies: int, settings: Any) -> None:
    """Write another X-Forwarded-For into each request: only what the site's own proxies have added is read."""
    settings.SMSVERIFY = {"TRUSTED_PROXIES": proxies, "IP_LIMITS": ("5/h",)}
    bomber = Visitor("203.0.113.7")
    answers = []
    for number in range(10):
        forged = ", ".join([address(number), *["203.0.113.7"] * proxies])
        answers.append(told(bomber.post("send", {"phone": apart(number), "purpose": "login"}, X_Forwarded_For=forged)))

    assert answers == ["ok"] * 5 + ["ip"] * 5


def test_hopping_in_ipv6(settings: Any) -> None:
    """Use another /64 of one IPv6 network for each request: the networks around it are counted too."""
    settings.SMSVERIFY = {"IP_LIMITS": ("1/h",), "GUARD": "off"}
    answers = [told(Visitor(f"2001:db8:0:7{number:02x}::1").ask(apart(number))) for number in range(30)]

    assert answers == ["ok"] * 10 + ["ip"] * 20


def test_a_form_of_another_site() -> None:
    """Let the browsers of another site's visitors post a form: only JSON is read, which no form can send."""
    body = f'{{"phone": "{PHONE}", "purpose": "login"}}'
    kinds = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "")

    assert {told(Visitor().post("send", body, kind)) for kind in kinds} == {"unsupported_media_type"}
    assert not MemoryGateway.outbox


def test_locking_the_owner_out(clock: time_machine.Traveller) -> None:
    """Use up the SMS of somebody's number: strangers can spend half of what a number has that was verified here."""
    owner = Visitor("198.51.100.7")
    owner.verify()
    clock.shift(2 * 86400)

    assert pump(clock, IN_AN_HOUR, the_number, every=61) == 3
    answer = owner.ask(device=owner.device)
    assert told(answer) == "ok"
    assert "sent" not in answer.json(), "by an SMS of his own"
