"""Evading: SMS without the captcha, ticket or signature that a site asks for."""

from __future__ import annotations

import time
from typing import Any

import pytest
import time_machine
from django.core import signing

from django_smsverify.challenges import altcha
from django_smsverify.challenges.tickets import SALT
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.models import ClientKey
from tests.test_captchas import solve
from tests.test_client_keys import App
from tests.test_client_keys import send as send_signed
from tests.test_guard import apart

from .visitors import Visitor, told

pytestmark = pytest.mark.django_db(transaction=True)

BODY = {"phone": apart(1), "purpose": "login"}
OTHER = {"phone": apart(2), "purpose": "login"}


@pytest.fixture(autouse=True)
def _proof_of_work(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(altcha, "TRIES", range(1, 5))
    settings.SMSVERIFY = {"CAPTCHA": "altcha"}


def test_a_replayed_proof_of_work() -> None:
    """Solve one proof of work, and post it with many numbers: a solution is remembered when it was used."""
    bot = Visitor()
    solved = solve(bot.ask(apart(0)).json()["captcha"])

    assert [told(bot.ask(apart(number), captcha=solved)) for number in range(3)] == ["ok"] + ["captcha_required"] * 2


def test_a_replayed_image(settings: Any) -> None:
    """Read one image, and post it with many numbers, or try until it is right: an image is gone after one try."""
    settings.SMSVERIFY = {"CAPTCHA": "image"}
    bot = Visitor()
    solved, other = (solve(bot.ask(apart(0)).json()["captcha"]) for _ in range(2))

    assert [told(bot.ask(apart(number), captcha=solved)) for number in range(2)] == ["ok", "captcha_required"]
    tries = ({**other, "value": "wrong"}, other)
    assert [told(bot.ask(apart(2), captcha=tried)) for tried in tries] == ["captcha_required"] * 2


def asked_with_ticket(ticket: str, ip: str = "203.0.113.7", number: int = 1) -> str:
    return told(Visitor(ip).ask(apart(number), ticket=ticket))


def test_a_replayed_ticket(clock: time_machine.Traveller) -> None:
    """Open the page once, and post its ticket with many numbers: the use of a ticket is counted, to one."""
    ticket = Visitor().ticket()
    clock.shift(5)

    assert [asked_with_ticket(ticket, number=number) for number in range(2)] == ["ok", "captcha_required"]


def test_a_ticket_at_once(clock: time_machine.Traveller) -> None:
    """Fetch a ticket and use it at once, as no person does: a ticket must be one and a half seconds old."""
    ticket = Visitor().ticket()
    clock.shift(0.5)

    assert asked_with_ticket(ticket) == "captcha_required"


def test_hoarded_tickets(clock: time_machine.Traveller) -> None:
    """Collect tickets for days, and use all in one night: a ticket is old after half an hour."""
    ticket = Visitor().ticket()
    clock.shift(1801)

    assert asked_with_ticket(ticket) == "captcha_required"


def test_a_ticket_for_another_network(clock: time_machine.Traveller) -> None:
    """Fetch tickets here, and use them through proxies elsewhere: a ticket is signed for a network."""
    ticket = Visitor("203.0.113.7").ticket()
    clock.shift(5)

    assert asked_with_ticket(ticket, "198.51.100.7") == "captcha_required"


def test_a_forged_ticket() -> None:
    """Make tickets oneself: they are signed with the site's key."""
    signer = signing.Signer(key="guessed", salt=f"{SALT}:203.0.113.0/24")

    assert asked_with_ticket(signer.sign_object({"id": "1", "at": time.time() - 5})) == "captcha_required"


def test_another_apps_signature() -> None:
    """Sign with the secret of one app in the name of another: a signature is checked with the named key's secret."""
    app, other = App("Android"), App("iOS")

    assert told(send_signed(app.headers(BODY, secret=other.secret), BODY)) == "captcha_required"


def test_a_withdrawn_key() -> None:
    """Sign with a secret from an app's old package, whose key was withdrawn: only active keys are looked up."""
    app = App()
    ClientKey.objects.update(is_active=False)

    assert told(send_signed(app.headers(BODY), BODY)) == "captcha_required"


def test_a_replayed_app_request() -> None:
    """Record an app's signed request, and send it again: its nonce is remembered for as long as it is valid."""
    headers = App().headers(BODY)

    assert told(send_signed(headers, BODY)) == "ok"
    MemoryGateway.outbox.clear()
    assert told(send_signed(headers, BODY)) == "captcha_required"


def test_a_changed_app_request() -> None:
    """Put another number into an app's signed request: the signature covers the body."""
    app = App()

    assert told(send_signed(app.headers(BODY), OTHER)) == "captcha_required"
    assert told(send_signed(app.headers(OTHER), OTHER)) == "ok"


def test_an_old_app_request(clock: time_machine.Traveller) -> None:
    """Keep signed requests back until their nonces are forgotten: a timestamp is good for five minutes."""
    app = App()

    assert told(send_signed(app.headers(BODY, ahead=-301), BODY)) == "captcha_required"
    assert told(send_signed(app.headers(BODY, ahead=-300), BODY)) == "ok"
