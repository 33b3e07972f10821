"""Guessing: a code that the attacker has not read, or a success that he has not earned."""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import signing
from django.utils import timezone

from django_smsverify.challenges import altcha
from django_smsverify.exceptions import ProofRejected
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.models import KnownNumber, TestNumber
from django_smsverify.numbers import devices, revoke_devices
from django_smsverify.verifying import redeem_proof
from django_smsverify.verifying.proofs import PROOF_SALT
from tests.conftest import PHONE, last_code, wrong
from tests.test_captchas import solve
from tests.test_guard import address, apart

from .visitors import Visitor, at_once, id_in, told

pytestmark = pytest.mark.django_db(transaction=True)

OTHER = apart(1)


def wrong_guesses(verification: str, times: int = 6) -> int:
    """Enters wrong codes; returns how many were judged."""
    answers = Counter(told(Visitor().guess(verification, wrong(last_code()))) for _ in range(times))
    assert answers.keys() <= {"wrong_code", "too_many_attempts"}
    return answers["wrong_code"]


def test_brute_force() -> None:
    """Try one code after another for one verification: it judges five guesses, and then not even the right one."""
    verification = id_in(Visitor().ask())

    assert wrong_guesses(verification, 50) == 5
    assert told(Visitor().guess(verification, last_code())) == "too_many_attempts"


def test_many_verifications(clock: time_machine.Traveller) -> None:
    """Ask for new codes all day, and guess each: guesses are limited over all codes of a number."""
    judged = 0
    for number in range(10):
        judged += wrong_guesses(id_in(Visitor(address(number)).ask()))
        clock.shift(timedelta(hours=2))

    assert judged == 15 + 7, "and one for each SMS after that"


def test_guesses_at_once() -> None:
    """Send twenty guesses at the same time: each is counted before it is told, by a conditional update."""
    verification, code = id_in(Visitor().ask()), wrong(last_code())
    outcomes = at_once(20, lambda index: Visitor(address(index)).guess(verification, code))

    assert outcomes == {"wrong_code": 5, "too_many_attempts": 15}


def test_one_code_twice_at_once() -> None:
    """Use an overheard code at the same time as its owner: of right guesses one succeeds."""
    verification, code = id_in(Visitor().ask()), last_code()
    outcomes = at_once(8, lambda index: Visitor(address(index)).guess(verification, code))

    assert outcomes == {"ok": 1, "already_used": 7}


def test_joining_for_more_guesses(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Solve captchas for ever new verifications of a live code: without an SMS they share what the number has left."""
    monkeypatch.setattr(altcha, "TRIES", range(1, 5))
    settings.SMSVERIFY = {"CAPTCHA": "altcha", "CAPTCHA_WHEN": "always"}
    bot = Visitor()
    joined = [id_in(bot.ask(captcha=solve(bot.ask().json()["captcha"]))) for _ in range(10)]

    assert len(MemoryGateway.outbox) == 1
    assert sum(map(wrong_guesses, joined)) == 15


def test_locking_the_owner_out_by_guesses(clock: time_machine.Traveller) -> None:
    """Use up a number's guesses before its owner comes: each SMS adds one guess that nobody can take."""
    for number in range(4):
        wrong_guesses(id_in(Visitor(address(number)).ask()))
        clock.shift(timedelta(hours=1))

    Visitor("198.51.100.7").verify()


def test_replacing_the_owners_code(clock: time_machine.Traveller) -> None:
    """Ask for a code while its owner types, so that his page is out of date: a number has one code at a time."""
    owners = id_in(Visitor("198.51.100.7").ask())
    clock.shift(61)
    wrong_guesses(id_in(Visitor().ask()))

    assert told(Visitor("198.51.100.7").guess(owners, last_code())) == "ok"


def test_another_context() -> None:
    """Have a code for one yuan, and pay a thousand with it: a code is bound to its context."""
    asked, payee = {"amount": 1, "payee": "Li"}, Visitor()
    verification, code = id_in(payee.ask(purpose="payment", context=asked)), last_code()
    others: list[dict[str, Any]] = [{"context": {**asked, "amount": 1000}}, {"context": {}}, {}]

    assert [told(payee.guess(verification, code, **other)) for other in others] == ["context_mismatch"] * 3
    assert told(payee.guess(verification, code, context=asked)) == "ok"


def proof() -> str:
    return str(Visitor("198.51.100.7").verify().json()["proof"])


def test_a_replayed_proof() -> None:
    """Redeem a proof twice, such as from a browser's history: a proof is good for once."""
    proven = proof()

    assert redeem_proof(proven, "login") == PHONE
    with pytest.raises(ProofRejected):
        redeem_proof(proven, "login")


def test_a_proof_for_another_purpose() -> None:
    """Log in, and pay with that proof: a proof is good for its purpose."""
    proven = proof()

    with pytest.raises(ProofRejected):
        redeem_proof(proven, "payment")


def test_an_old_proof(clock: time_machine.Traveller) -> None:
    """Find a proof in last week's logs that nobody redeemed: a proof is good for ten minutes."""
    proven = proof()
    clock.shift(601)

    with pytest.raises(ProofRejected):
        redeem_proof(proven, "login")


def test_a_forged_proof() -> None:
    """Make a proof of the verification that somebody else just passed: proofs are signed with the site's key."""
    owner = Visitor("198.51.100.7")
    verification = id_in(owner.ask())
    assert told(owner.guess(verification, last_code())) == "ok"

    with pytest.raises(ProofRejected):
        redeem_proof(signing.dumps(verification, key="guessed", salt=PROOF_SALT), "login")


def in_the_pause(token: str) -> str:
    """What somebody with a device token is told while the number may get no SMS; the owner joins the live code."""
    assert told(Visitor("198.51.100.9").ask()) == "ok"
    return told(Visitor().ask(device=token))


def test_a_device_token_of_another_number(clock: time_machine.Traveller) -> None:
    """Pass for a number's owner by the token of one's own number: a device token names its number."""
    Visitor("198.51.100.7").verify()
    attacker = Visitor()
    attacker.verify(OTHER)
    clock.shift(3600)

    assert in_the_pause(attacker.device) == "resend"


def test_a_revoked_device_token(clock: time_machine.Traveller) -> None:
    """Pass for a number's owner by a phone that he has lost: the tokens of a number can be revoked."""
    owner = Visitor("198.51.100.7")
    owner.verify()
    revoke_devices(PHONE)
    clock.shift(3600)

    assert in_the_pause(owner.device) == "resend"


def test_a_forged_device_token(clock: time_machine.Traveller) -> None:
    """Make a device token for a number: device tokens are signed with the site's key."""
    Visitor("198.51.100.7").verify()
    clock.shift(3600)
    content = {"number": KnownNumber.objects.get().digest, "at": time.time()}

    assert in_the_pause(signing.Signer(key="guessed", salt=devices.SALT).sign_object(content)) == "resend"


@pytest.mark.slow
def test_guessing_for_months(clock: time_machine.Traveller) -> None:
    """Guess a little every day: after a hundred wrong codes in a row each code has one guess."""
    judged = []
    for number in range(28):
        judged.append(wrong_guesses(id_in(Visitor(address(number)).ask())))
        clock.shift(timedelta(hours=12))

    assert judged == [5] * 20 + [1] * 8


def test_guessing_a_test_number(settings: Any) -> None:
    """Guess the code of a test number, which no limit of SMS protects: guesses cost what they always cost."""
    settings.SMSVERIFY = {"ALLOW_TEST_NUMBERS": True}
    number = TestNumber.objects.create(phone=PHONE, expires_at=timezone.now() + timedelta(days=30))
    asked = [id_in(Visitor().ask()) for _ in range(10)]
    answers = Counter(told(Visitor().guess(one, wrong(number.code(6)))) for one in asked for _ in range(6))

    assert answers == {"wrong_code": 15, "too_many_attempts": 45}
