"""Probing: what the answers tell of a number that is not the attacker's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.utils import timezone

from django_smsverify.enums import ListKind
from django_smsverify.limits.lists import entry_of
from django_smsverify.models import OptOut, TestNumber
from tests.conftest import PHONE, last_code, wrong
from tests.test_guard import address, apart

from .visitors import Visitor, id_in, told

pytestmark = pytest.mark.django_db(transaction=True)

OTHER = apart(1)


def shown(answer: Any) -> dict[str, Any]:
    """All that an answer tells, but for what each answer has of its own."""
    body = {**answer.json(), "verification_id": "", "phone": ""}
    return {"status": answer.status_code, "headers": dict(answer.headers), "body": list(body.items())}


def journey(phone: str, clock: time_machine.Traveller) -> list[dict[str, Any]]:
    """What a stranger sees who asks for a code, asks for its status, guesses and asks again."""
    stranger = Visitor()
    asked = stranger.ask(phone)
    verification = id_in(asked)
    status = stranger.get(f"send/{verification}")
    guessed = [stranger.guess(verification, "0000"), stranger.guess(verification, "12345678")]
    clock.shift(61)
    again = [stranger.resend(verification), stranger.get(f"send/{verification}"), stranger.ask(phone, "payment")]
    return [shown(one) for one in (asked, status, *guessed, *again[:2])]


def test_is_it_known(clock: time_machine.Traveller) -> None:
    """Look for a difference between a number that has an account and one that has none: the answers are equal."""
    Visitor("198.51.100.7").verify()
    clock.shift(timedelta(days=2))

    assert journey(PHONE, clock) == journey(OTHER, clock)


def test_is_it_listed(clock: time_machine.Traveller) -> None:
    """Find out whether a number is on the site's list: it is refused like one whose limit is used up, with a wait."""
    entry_of(ListKind.NUMBER, PHONE, action="block").save()
    for _ in range(5):
        Visitor().ask(OTHER)
        clock.shift(61)
    listed, limited = Visitor().ask(), Visitor().ask(OTHER)
    clock.shift(10)
    later = Visitor().ask()

    assert told(listed) == told(limited) == "phone"
    assert list(listed.json()) == list(limited.json())
    assert listed.json()["detail"].split(" ")[:3] == limited.json()["detail"].split(" ")[:3]
    assert set(listed.headers) == set(limited.headers)
    assert (listed.json()["retry_after"] - later.json()["retry_after"]) % 3600 == 10


def test_has_it_opted_out(clock: time_machine.Traveller) -> None:
    """Find out whether an owner wants no notices: codes are sent all the same."""
    OptOut.objects.create(phone=PHONE)

    assert journey(PHONE, clock) == journey(OTHER, clock)


def test_is_it_a_test_number(clock: time_machine.Traveller, settings: Any) -> None:
    """Look for the numbers that get no SMS, whose code is worth guessing: their answers are those of any number."""
    settings.SMSVERIFY = {"ALLOW_TEST_NUMBERS": True}
    TestNumber.objects.create(phone=PHONE, expires_at=timezone.now() + timedelta(days=30))

    assert journey(PHONE, clock) == journey(OTHER, clock)


def test_random_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for other people's verifications by random ids: ids are random too, and calls are limited by address."""
    monkeypatch.setattr("django_smsverify.limits.flood.RATE", "5/m")
    id_in(Visitor(address(1)).ask())

    assert [told(Visitor().get(f"send/{uuid4()}")) for _ in range(8)] == ["not_found"] * 5 + ["ip"] * 3


def test_watching_a_number(clock: time_machine.Traveller) -> None:
    """Watch by one's own id when a number gets other SMS: a status tells of the SMS with its own code only."""
    own = id_in(Visitor().ask())
    clock.shift(90)
    before = Visitor().get(f"send/{own}").json()
    owner = Visitor("198.51.100.7")
    owner.guess(id_in(owner.ask(purpose="payment")), wrong(last_code()))

    assert Visitor().get(f"send/{own}").json() == before
    assert before["resend_in"] == 0
