"""Verifying a code, its proofs and its signal."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.core import signing
from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from django_smsverify import codes
from django_smsverify.exceptions import (
    CodeExpired,
    InsideTransaction,
    ProofRejected,
    Throttled,
    VerificationNotFound,
    WrongCode,
)
from django_smsverify.models import Message, Recipient, Verification
from django_smsverify.sending import send_code
from django_smsverify.signals import phone_verified
from django_smsverify.verifying import redeem_proof, verify_code
from django_smsverify.verifying.proofs import PROOF_SALT, make_proof

from .conftest import PHONE, MakeProvider, last_code, wrong


@pytest.fixture
def verified(memory: MakeProvider) -> Verification:
    memory("login", "payment")
    return verify_code(send_code(PHONE, "login").pk, last_code())


@pytest.fixture
def received() -> Iterator[list[Verification]]:
    verifications: list[Verification] = []

    def receive(sender: object, verification: Verification, **kwargs: Any) -> None:
        verifications.append(verification)

    phone_verified.connect(receive)
    yield verifications
    phone_verified.disconnect(receive)


def test_a_proof_is_redeemed_once(verified: Verification) -> None:
    proof = make_proof(verified)

    assert redeem_proof(proof, "login") == PHONE
    with pytest.raises(ProofRejected):
        redeem_proof(proof, "login")
    with pytest.raises(ProofRejected):
        redeem_proof(make_proof(verified), "login")


def test_a_proof_for_another_purpose_is_refused_and_not_redeemed(verified: Verification) -> None:
    proof = make_proof(verified)
    for purpose in ("payment", "Login", ""):
        with pytest.raises(ProofRejected):
            redeem_proof(proof, purpose)
    assert redeem_proof(proof, "login") == PHONE


def test_a_proof_expires_after_its_lifetime(verified: Verification) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        proof = make_proof(verified)
        clock.shift(601)
        with pytest.raises(ProofRejected):
            redeem_proof(proof, "login")
        clock.shift(-2)
        assert redeem_proof(proof, "login") == PHONE


@pytest.mark.parametrize("forged", ["", "x", "a:b:c", "\x00", "é", "🔑"])
def test_a_forged_proof_is_refused(forged: str, verified: Verification) -> None:
    with pytest.raises(ProofRejected):
        redeem_proof(forged, "login")


def test_a_token_signed_for_something_else_is_no_proof(verified: Verification) -> None:
    other = signing.dumps(str(verified.pk), salt="password-reset")
    with pytest.raises(ProofRejected):
        redeem_proof(other, "login")


def test_a_proof_of_an_unverified_code_is_refused(memory: MakeProvider) -> None:
    memory()
    for pk in (send_code(PHONE, "login").pk, uuid.uuid4()):
        with pytest.raises(ProofRejected):
            redeem_proof(signing.dumps(str(pk), salt=PROOF_SALT), "login")


def test_a_proof_stays_valid_after_a_rotation_of_the_secret_key(verified: Verification) -> None:
    proof, old = make_proof(verified), settings.SECRET_KEY
    with override_settings(SECRET_KEY="another", SECRET_KEY_FALLBACKS=[old]):
        assert redeem_proof(proof, "login") == PHONE


@pytest.mark.django_db(transaction=True)
def test_a_redemption_is_rolled_back_with_the_callers_transaction(verified: Verification) -> None:
    proof = make_proof(verified)
    with transaction.atomic():
        redeem_proof(proof, "login")
        transaction.set_rollback(True)
    assert redeem_proof(proof, "login") == PHONE


def test_receivers_get_a_verification_once(memory: MakeProvider, received: list[Verification]) -> None:
    memory()
    verification = send_code(PHONE, "login")
    with pytest.raises(WrongCode):
        verify_code(verification.pk, wrong(last_code()))
    assert received == []

    verify_code(verification.pk, last_code())

    assert [v.pk for v in received] == [verification.pk]
    assert received[0].verified_at is not None


def test_a_receiver_that_fails_breaks_nothing(memory: MakeProvider) -> None:
    def fail(**kwargs: Any) -> None:
        raise RuntimeError("a receiver's bug")

    memory()
    phone_verified.connect(fail)
    try:
        assert verify_code(send_code(PHONE, "login").pk, last_code()).verified_at
    finally:
        phone_verified.disconnect(fail)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("right", [True, False])
def test_a_guess_that_could_be_rolled_back_is_refused(right: bool, memory: MakeProvider) -> None:
    memory()
    verification = send_code(PHONE, "login")
    code = last_code()

    with transaction.atomic(), pytest.raises(InsideTransaction, match="non_atomic_requests"):
        verify_code(verification.pk, code if right else wrong(code))

    assert Verification.objects.get().attempts == 0


def test_an_unknown_verification_is_not_found(db: None) -> None:
    with pytest.raises(VerificationNotFound):
        verify_code(uuid.uuid4(), "123456")


@pytest.mark.parametrize("hostile", [None, 1, b"x", ["x"], {}, "a:b:\ud800"])
def test_a_value_of_another_type_is_no_proof(hostile: Any, verified: Verification) -> None:
    with pytest.raises(ProofRejected):
        redeem_proof(hostile, "login")


@pytest.mark.parametrize("typed", ["{} {}", "{}-{}", "{}\u2014{}", "\u200b{}{}", "{}\u00a0{}", " {}{}\n"])
def test_a_code_may_be_passed_as_it_was_typed(typed: str, memory: MakeProvider) -> None:
    memory()
    verification = send_code(PHONE, "login")
    code = last_code()

    assert verify_code(verification.pk, typed.format(code[:3], code[3:])).attempts == 1


@pytest.mark.parametrize("hostile", [None, 123456, "\ud800", "１２３４５６", "", "9" * 10_000])
def test_an_invalid_code_is_a_wrong_code(hostile: Any, memory: MakeProvider) -> None:
    memory()
    with pytest.raises(WrongCode):
        verify_code(send_code(PHONE, "login").pk, hostile)


@pytest.mark.parametrize("hostile", [None, "garbage", 7, "\ud800"])
def test_an_invalid_id_finds_no_verification(hostile: Any, db: None) -> None:
    with pytest.raises(VerificationNotFound):
        verify_code(hostile, "123456")


class ReplicaIsAway:
    """A router to a replica that does not exist: any read through it fails."""

    def db_for_read(self, model: type[Any], **hints: Any) -> str | None:
        return "replica" if model in (Message, Recipient, Verification) else None


def test_a_replica_is_never_read(memory: MakeProvider) -> None:
    memory("login", "payment")
    with override_settings(DATABASE_ROUTERS=["tests.test_verifying.ReplicaIsAway"]):
        verification = send_code(PHONE, "login")
        with pytest.raises(Throttled):
            send_code(PHONE, "payment")
        proof = make_proof(verify_code(verification.pk, last_code()))
        assert redeem_proof(proof, "login") == PHONE


def test_a_code_that_ends_while_it_is_compared_does_not_verify(
    memory: MakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory()
    verification, matches = send_code(PHONE, "login"), codes.matches

    def slowly(*args: Any) -> bool:
        Verification.objects.update(expires_at=timezone.now())
        return matches(*args)

    monkeypatch.setattr(codes, "matches", slowly)
    with pytest.raises(CodeExpired):
        verify_code(verification.pk, last_code())

    assert Verification.objects.get().verified_at is None
