"""A context binds a code to what it approves: it is compared by value, and stored as a keyed digest only."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import override_settings
from django.utils import translation

from django_smsverify.exceptions import (
    CodeExpired,
    ContextMismatch,
    InvalidContext,
    ProofRejected,
    TooManyAttempts,
    WrongCode,
)
from django_smsverify.models import Verification
from django_smsverify.sending import send_code
from django_smsverify.verifying import redeem_proof, verify_code
from django_smsverify.verifying.context import canonical
from django_smsverify.verifying.proofs import make_proof
from tests.folding import folded

from .conftest import PHONE, MakeProvider, Site, last_code, refusal, wrong

CONTEXT = {"payee": "张三", "amount": 10}
NFC, NFD = "caf\u00e9", "cafe\u0301"

EQUAL = [
    ({}, None),
    ({"a": 10}, {"a": 10.0}),
    ({"a": 10}, {"a": Decimal("10.00")}),
    ({"a": 10}, {"a": 1e1}),
    ({"a": 0}, {"a": -0.0}),
    ({"a": 0.1}, {"a": Decimal("0.1")}),
    ({"a": 0.1}, {"a": Decimal("0.100000")}),
    ({"a": 100000000000000}, {"a": 1e14}),
    ({"a": -5}, {"a": -5.0}),
    ({"a": NFC}, {"a": NFD}),
    ({"a": "가"}, {"a": "\u1100\u1161"}),
    ({"a": "x", "b": 1}, {"b": 1, "a": "x"}),
    ({"a": "\u212b"}, {"a": "Å"}),
    ({"a": 123456789012345}, {"a": 123456789012345.0}),
    ({"a": 1e-5}, {"a": Decimal("0.00001")}),
    ({"amount": 12.5}, json.loads('{"amount": 1.250e1}')),
]
DIFFERENT = [
    ({"a": 10}, {"a": "10"}),
    ({"a": 10}, {"a": 10.01}),
    ({"a": 10}, {"a": -10}),
    ({"a": 10}, {"b": 10}),
    ({"a": 10}, {}),
    ({"a": ""}, {}),
    ({"a": ""}, {"b": ""}),
    ({"a": "x"}, {"a": "X"}),
    ({"a": "x"}, {"a": "x "}),
    ({"a": "x"}, {"a": "\uff58"}),
    ({"a": "x", "b": "y"}, {"a": "y", "b": "x"}),
    ({"a": "x", "b": "y"}, {"a": 'x","b":"y'}),
    ({"a": "number"}, {"number": "a"}),
    ({"a": 1, "b": 1}, {"a": 1}),
    ({"a": "\x00"}, {"a": ""}),
    ({"a": "\ud800"}, {"a": "\ud801"}),
    ({"a": 1.00000000000001}, {"a": 1}),
    ({"a": "张三"}, {"a": "張三"}),
    ({"a": "1e1"}, {"a": 10}),
    ({"a": "true"}, {"a": 1}),
]
BAD: list[Any] = [
    [],
    "text",
    7,
    True,
    [["a", 1]],
    {"a": None},
    {"a": True},
    {"a": []},
    {"a": {}},
    {"A": 1},
    {"": 1},
    {"1a": 1},
    {"_a": 1},
    {"a-b": 1},
    {"a\n": 1},
    {"é": 1},
    {"a" * 33: 1},
    {7: 1},
    {"a": "x" * 129},
    {"a": float("nan")},
    {"a": float("inf")},
    {"a": Decimal("NaN")},
    {"a": Decimal("sNaN")},
    {"a": Decimal("1e999999999")},
    {"a": Decimal("1e-999999999")},
    {"a": 10**15},
    {"a": 10**400},
    {"a": 1e15},
    {"a": 0.1 + 0.2},
    {"a": 1e-16},
    {"a": Decimal("1." + "0" * 40 + "1")},
    {"a": b"x"},
    {f"a{index}": 1 for index in range(9)},
]


@folded("pair", EQUAL)
def test_spellings_of_one_value_are_equal(pair: tuple[Any, Any]) -> None:
    assert canonical(pair[0]) == canonical(pair[1])


@folded("pair", DIFFERENT)
def test_other_values_are_different(pair: tuple[Any, Any]) -> None:
    assert canonical(pair[0]) != canonical(pair[1])


@folded("context", BAD)
def test_anything_else_is_refused(context: Any) -> None:
    with pytest.raises(InvalidContext):
        canonical(context)


def test_the_largest_context_is_accepted() -> None:
    assert canonical({f"{'a' * 31}{index}": "字" * 128 for index in range(8)})
    assert canonical({"a": 999_999_999_999_999, "b": -0.000000000000001})


def test_a_canonical_context_is_masked() -> None:
    assert "张三" not in repr(canonical(CONTEXT))


@pytest.fixture
def verification(memory: MakeProvider) -> Verification:
    memory("login", "payment")
    return send_code(PHONE, "login", context=CONTEXT)


pytestmark = pytest.mark.django_db(transaction=True)


def test_a_code_verifies_with_its_context(verification: Verification) -> None:
    verified = verify_code(verification.pk, last_code(), context={"amount": 10.0, "payee": "张三"})

    assert redeem_proof(make_proof(verified), "login", context=CONTEXT) == PHONE


@pytest.mark.parametrize("other", [None, {}, {**CONTEXT, "amount": 10000}, {"amount": 10}])
def test_another_context_is_refused_and_counts_as_a_guess(other: Any, verification: Verification) -> None:
    with pytest.raises(ContextMismatch) as refused:
        verify_code(verification.pk, last_code(), context=other)

    assert refused.value.attempts_left == 4
    assert verify_code(verification.pk, last_code(), context=CONTEXT).attempts == 2


def test_a_mismatch_does_not_show_whether_the_code_is_right(verification: Verification) -> None:
    answers = []
    for code in (last_code(), wrong(last_code())):
        with pytest.raises(ContextMismatch) as refused:
            verify_code(verification.pk, code)
        answers.append(str(refused.value))

    assert answers[0] == answers[1]


def test_a_context_for_a_code_without_one_is_refused(memory: MakeProvider) -> None:
    memory()
    verification = send_code(PHONE, "login")
    with pytest.raises(ContextMismatch):
        verify_code(verification.pk, last_code(), context=CONTEXT)
    assert verify_code(verification.pk, last_code(), context={}).verified_at


def test_mismatches_use_the_guesses_up(verification: Verification) -> None:
    for _guess in range(5):
        with pytest.raises(ContextMismatch):
            verify_code(verification.pk, last_code())
    with pytest.raises(TooManyAttempts):
        verify_code(verification.pk, last_code(), context=CONTEXT)


def test_a_context_that_cannot_be_read_costs_no_guess(verification: Verification) -> None:
    with pytest.raises(InvalidContext):
        verify_code(verification.pk, last_code(), context={"amount": None})
    assert Verification.objects.get().attempts == 0


@pytest.mark.parametrize("other", [None, {}, {**CONTEXT, "amount": 10000}])
def test_a_proof_without_its_context_is_refused_and_not_spent(other: Any, verification: Verification) -> None:
    proof = make_proof(verify_code(verification.pk, last_code(), context=CONTEXT))
    with pytest.raises(ProofRejected):
        redeem_proof(proof, "login", context=other)
    assert redeem_proof(proof, "login", context=CONTEXT) == PHONE


def test_a_context_survives_a_rotated_key_and_ends_with_it(verification: Verification) -> None:
    proof = make_proof(verify_code(verification.pk, last_code(), context=CONTEXT))
    old = settings.SECRET_KEY
    with override_settings(SECRET_KEY="another"), pytest.raises((ProofRejected, CodeExpired)):
        redeem_proof(proof, "login", context=CONTEXT)
    with override_settings(SECRET_KEY="another", SECRET_KEY_FALLBACKS=[old]):
        assert redeem_proof(proof, "login", context=CONTEXT) == PHONE


def test_a_proof_whose_code_has_lost_its_key_is_refused(verification: Verification) -> None:
    rotated = {"SECRET_KEY": "another", "SECRET_KEY_FALLBACKS": [settings.SECRET_KEY]}
    with override_settings(**rotated):
        proof = make_proof(verify_code(verification.pk, last_code(), context=CONTEXT))
    with override_settings(SECRET_KEY="another"), pytest.raises(ProofRejected):
        redeem_proof(proof, "login", context=CONTEXT)


def test_two_contexts_have_two_codes(verification: Verification, memory: MakeProvider) -> None:
    first = verification.derive_code()
    with override_settings(SMSVERIFY={"RESEND_INTERVAL": 0, "CODE_LENGTH": 8}):
        other = send_code(PHONE, "login", context={**CONTEXT, "amount": 10000})
        joined = send_code(PHONE, "login", context=CONTEXT)

    assert (other.root, joined.root) == (None, verification)
    assert joined.derive_code() == first != other.derive_code()


def test_a_stolen_database_shows_neither_context_nor_which_are_equal(memory: MakeProvider) -> None:
    memory("login", "payment")
    with override_settings(SMSVERIFY={"RESEND_INTERVAL": 0}):
        for phone, purpose in (("13800138000", "login"), ("13800138000", "payment"), ("13900139000", "login")):
            send_code(phone, purpose, context=CONTEXT)
    digests = list(Verification.objects.values_list("context", flat=True))
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM smsverify_verification")
        stored = repr(cursor.fetchall())

    assert len(set(digests)) == 3
    assert {len(digest) for digest in digests} == {64}
    assert "张三" not in stored


class TestHTTP:
    def test_a_context_is_sent_and_verified(self, site: Site, memory: MakeProvider) -> None:
        memory()
        sent = site.post("send", {"phone": PHONE, "purpose": "login", "context": CONTEXT})
        guess = {"verification_id": sent.json()["verification_id"], "code": last_code()}

        assert sent.status_code == 202
        missing = site.post("verify", guess)
        assert (refusal(missing), missing.json()["attempts_left"]) == ((400, "context_mismatch"), 4)
        assert site.post("verify", {**guess, "context": CONTEXT}).status_code == 200

    @pytest.mark.parametrize("context", [[], "x", 7, None, {"a": []}, {"a": 1e300}, {"a": 10**30}])
    def test_a_context_that_cannot_be_read_is_explained(self, context: Any, site: Site, memory: MakeProvider) -> None:
        memory()
        answer = site.post("send", {"phone": PHONE, "purpose": "login", "context": context})

        assert refusal(answer) == (400, "invalid")
        assert list(answer.json()["errors"]) == ["context"]
        assert not Verification.objects.exists()

    def test_a_resend_takes_no_context(self, site: Site, memory: MakeProvider) -> None:
        memory()
        sent = site.send().json()["verification_id"]

        answer = site.post("send", {"verification_id": sent, "context": CONTEXT})

        assert refusal(answer) == (400, "invalid")
        assert list(answer.json()["errors"]) == ["context"]

    def test_the_errors_are_translated(self) -> None:
        with translation.override("zh-hans"), pytest.raises(InvalidContext, match="最多 8 个名称"):
            canonical({f"a{index}": 1 for index in range(9)})


def test_a_wrong_code_with_the_right_context_is_a_wrong_code(verification: Verification) -> None:
    with pytest.raises(WrongCode):
        verify_code(verification.pk, wrong(last_code()), context=CONTEXT)
