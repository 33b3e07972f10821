"""Numbers that carriers gave to somebody else, and proofs of numbers that the site knows from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.test import override_settings

from django_smsverify.exceptions import InvalidPhone, ProofRejected, StalePhone
from django_smsverify.models import KnownNumber, Message, Verification
from django_smsverify.numbers import confirm_owner
from django_smsverify.signals import phone_verified
from django_smsverify.verifying import proofs, read_proof, redeem_proof

PHONE = "+8613800138000"
START = datetime(2026, 1, 5, 4, tzinfo=UTC)
CHECK = f"{__name__}.same_owner"
asked: list[tuple[str, datetime]] = []
answers: list[Any] = []

pytestmark = pytest.mark.django_db


def same_owner(phone: str, silent_since: datetime) -> bool:
    asked.append((phone, silent_since))
    answer = answers[-1]
    if isinstance(answer, Exception):
        raise answer
    return answer  # type: ignore[no-any-return]


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    asked.clear()
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


def verified() -> str:
    return proofs.issue("138 0013 8000", "login", source="wechat")


def test_an_issued_proof_is_redeemed_once_for_its_purpose_and_context() -> None:
    heard: list[Verification] = []

    def hear(verification: Verification, **kwargs: Any) -> None:
        heard.append(verification)

    phone_verified.connect(hear)
    try:
        proof = proofs.issue("138 0013 8000", "pay", source="wechat", context={"amount": 10})
    finally:
        phone_verified.disconnect(hear)
    stored = Verification.objects.get()
    assert (stored.source, stored.attempts, Message.objects.count()) == ("wechat", 0, 0)
    assert KnownNumber.objects.of(PHONE).exists()
    for purpose, context in (("login", {"amount": 10}), ("pay", {"amount": 11}), ("pay", None)):
        with pytest.raises(ProofRejected):
            read_proof(proof, purpose, context=context)
    assert read_proof(proof, "pay", context={"amount": 10}) == PHONE
    assert redeem_proof(proof, "pay", context={"amount": 10}) == PHONE
    for use in (read_proof, redeem_proof):
        with pytest.raises(ProofRejected):
            use(proof, "pay", context={"amount": 10})


@pytest.mark.django_db(transaction=True)
def test_the_signal_of_an_issued_proof_waits_for_the_callers_commit() -> None:
    heard: list[Verification] = []

    def hear(verification: Verification, **kwargs: Any) -> None:
        heard.append(verification)

    phone_verified.connect(hear)
    try:
        with transaction.atomic():
            verified()
            assert heard == []
        assert [one.phone for one in heard] == [PHONE]
    finally:
        phone_verified.disconnect(hear)


@pytest.mark.parametrize(
    ("phone", "purpose", "source", "error"),
    [("12", "login", "x", InvalidPhone), (PHONE, "Log in", "x", ValueError), (PHONE, "login", "", ValueError)],
)
def test_a_bad_issue_stores_nothing(phone: str, purpose: str, source: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        proofs.issue(phone, purpose, source=source)
    assert not Verification.objects.exists()


def test_a_number_that_was_silent_leads_to_no_account_until_it_is_confirmed(clock: time_machine.Traveller) -> None:
    verified()
    clock.shift(timedelta(days=100))
    first = verified()
    with pytest.raises(StalePhone) as refusal:
        redeem_proof(first, "login", known_since=START - timedelta(days=300))
    assert refusal.value.silent_since == START
    clock.shift(timedelta(minutes=2))
    again = verified()  # by the same person: no silence now, and still another owner
    with pytest.raises(StalePhone):
        redeem_proof(again, "login", known_since=START - timedelta(days=300))
    assert redeem_proof(first, "login") == PHONE  # to register, or after another check of the person
    confirm_owner(PHONE)
    assert redeem_proof(again, "login", known_since=START - timedelta(days=300)) == PHONE


def test_silence_counts_from_when_the_account_was_last_known_to_have_the_number(clock: time_machine.Traveller) -> None:
    verified()
    clock.shift(timedelta(days=100))
    proof = verified()
    with pytest.raises(StalePhone):
        redeem_proof(proof, "login", known_since=START + timedelta(days=10))
    assert redeem_proof(proof, "login", known_since=START + timedelta(days=11)) == PHONE


def test_a_number_that_is_new_here_was_silent_since_its_account_was_made(clock: time_machine.Traveller) -> None:
    proof = verified()
    with pytest.raises(StalePhone):
        redeem_proof(proof, "login", known_since=START - timedelta(days=90))
    assert redeem_proof(proof, "login", known_since=START - timedelta(days=89)) == PHONE


def test_a_number_that_is_used_now_and_then_is_never_stale(clock: time_machine.Traveller) -> None:
    for _week in range(6):
        proof = verified()
        assert redeem_proof(proof, "login", known_since=START - timedelta(days=60)) == PHONE
        clock.shift(timedelta(days=80))


def test_the_setting_says_how_long(clock: time_machine.Traveller) -> None:
    with override_settings(SMSVERIFY={"STALE_PHONE_DAYS": 30}):
        verified()
        clock.shift(timedelta(days=31))
        with pytest.raises(StalePhone):
            redeem_proof(verified(), "login", known_since=START)


@pytest.mark.parametrize("answer", [True, False, "yes", RuntimeError("13800138000")])
def test_the_sites_own_check_is_asked_for_a_silent_number_alone(
    answer: Any, clock: time_machine.Traveller, log: Any
) -> None:
    answers.append(answer)
    with override_settings(SMSVERIFY={"STALE_PHONE_CHECK": CHECK}):
        verified()
        assert redeem_proof(verified(), "login", known_since=START) == PHONE
        assert asked == []
        clock.shift(timedelta(days=91))
        proof = verified()
        if answer is True:
            assert redeem_proof(proof, "login", known_since=START) == PHONE
            assert redeem_proof(verified(), "login", known_since=START) == PHONE
        else:
            with pytest.raises(StalePhone):
                redeem_proof(proof, "login", known_since=START)
    assert asked == [(PHONE, START)]
    if isinstance(answer, Exception):
        assert "13800138000" not in log.text
        assert "STALE_PHONE_CHECK failed" in log.text


def test_a_time_without_a_zone_is_refused(clock: time_machine.Traveller) -> None:
    proof = verified()
    with pytest.raises(ValueError, match="time zone"):
        redeem_proof(proof, "login", known_since=datetime(2026, 1, 1))
    assert redeem_proof(proof, "login") == PHONE
