"""Codes: uniform, of the requested length, and bound to the key they are derived from."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence

import pytest
from django.test import override_settings

from django_smsverify.codes import as_digits, current_key_id, derive, is_known, matches, new_nonce
from tests.folding import folded

LENGTHS = range(4, 9)
MILLION = 1_000_000
WRITTEN = {
    "047110": "047110",
    "047 110": "047110",
    " 047110\r\n": "047110",
    "0 4 7 1 1 0": "047110",
    "047\u00a0110": "047110",
    "047\u3000110": "047110",
    "047\u2009110": "047110",
    "047\t110": "047110",
    "047-110": "047110",
    "047\u2010110": "047110",
    "047\u2013110": "047110",
    "047\u2014\u2014110": "047110",
    "047\uff0d110": "047110",
    "047\u2212110": "047110",
    "047\u30fc110": "047110",
    "０４７１１０": "047110",
    "０４７－１１０": "047110",
    "\u200b047110": "047110",
    "047\u200b\u200c\u200d\u2060110": "047110",
    "\u202a047110\u202c": "047110",
    "\u2066047110\u2069": "047110",
    "\ufeff047110": "047110",
    "0\u00ad47110": "047110",
    "0\ufe0f47110": "047110",
    "": "",
    "\u200b": "",
    " - ": "",
}
"""Codes as people type them or copy them from their phones, and the value that is read."""
NO_CODE = (
    "12345a",
    "123456\x00",
    "123.456",
    "12,3456",
    "+123456",
    "١٢٣٤٥٦",
    "一二三四五六",
    "🔑🔑🔑🔑",
    "\ud800",
    "123456元",
)
"""Texts with other characters: they are not changed, and will be refused."""
SECRET = "TEST-SECRET-KEY-of-the-suite-0123456789"


def key_of(secret: str) -> bytes:
    """The key as Django documents salted_hmac(): HMAC(HASH(salt + secret), value)."""
    inner = hashlib.sha256(b"django_smsverify.codes" + secret.encode()).digest()
    return hmac.digest(inner, b"key", "sha256")


def expected_code(key: bytes, message: str, length: int) -> str:
    """A second implementation of `derive`."""
    return str(number(key, message) % 10**length).zfill(length)


def number(key: bytes, message: str) -> int:
    return int.from_bytes(hmac.digest(key, message.encode(), "sha256"))


def chi_square(observed: Sequence[int]) -> float:
    expected = sum(observed) / len(observed)
    return sum((count - expected) ** 2 for count in observed) / expected


def assert_uniform(codes: Iterable[int]) -> None:
    """No digit at any of the six places and no first three digits are more likely than others.

    Critical values of chi-square for p = 1e-6: 44.8 with 9 and 1226.0 with 999 degrees of freedom. The codes
    are always the same, so the result of this test is always the same.
    """
    counts = [0] * MILLION
    for code in codes:
        counts[code] += 1
    for _place in range(6):
        assert chi_square([sum(counts[digit::10]) for digit in range(10)]) < 44.8
        counts = [sum(counts[first : first + 10]) for first in range(0, len(counts), 10)]  # without the last digit
        if len(counts) == 1000:
            assert chi_square(counts) < 1226.0


@pytest.mark.slow
def test_a_million_codes_are_uniform() -> None:
    key = key_of(SECRET)

    assert_uniform(number(key, f"message {n}") % MILLION for n in range(MILLION))


@pytest.mark.slow
def test_derived_codes_are_the_expected_ones_and_uniform() -> None:
    key, key_id = key_of(SECRET), current_key_id()
    codes = [derive(key_id, f"message {n}", 6) for n in range(50_000)]

    assert codes == [expected_code(key, f"message {n}", 6) for n in range(50_000)]
    assert_uniform(map(int, codes))


def test_the_check_of_uniformity_detects_a_missing_leading_zero() -> None:
    key = key_of(SECRET)
    biased = (100_000 + number(key, f"message {n}") % 900_000 for n in range(50_000))

    with pytest.raises(AssertionError):
        assert_uniform(biased)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_code_has_the_length_asked_for_with_its_leading_zeros(length: int) -> None:
    codes = [derive(current_key_id(), f"message {n}", length) for n in range(300)]

    assert all(re.fullmatch(rf"[0-9]{{{length}}}", code) for code in codes)
    assert any(code.startswith("0") for code in codes)
    assert codes == [expected_code(key_of(SECRET), f"message {n}", length) for n in range(300)]


def test_a_release_does_not_change_codes_that_were_sent() -> None:
    assert current_key_id() == "025a2b43dfd7b4d4"
    assert derive(current_key_id(), "message", 6) == "426948"


def test_a_code_stays_the_same_while_its_secret_is_a_fallback() -> None:
    key_id = current_key_id()
    code = derive(key_id, "message", 6)

    with override_settings(SECRET_KEY="a new secret", SECRET_KEY_FALLBACKS=["another", SECRET]):
        assert derive(key_id, "message", 6) == code
        assert is_known(key_id)
        assert current_key_id() != key_id


def test_a_code_cannot_be_derived_without_its_secret() -> None:
    key_id = current_key_id()

    with override_settings(SECRET_KEY="a new secret", SECRET_KEY_FALLBACKS=["another"]):
        assert not is_known(key_id)
        with pytest.raises(LookupError, match="neither SECRET_KEY nor one of SECRET_KEY_FALLBACKS"):
            derive(key_id, "message", 6)


def test_each_secret_has_different_codes() -> None:
    messages = [f"message {n}" for n in range(50)]
    first = [derive(current_key_id(), message, 8) for message in messages]

    with override_settings(SECRET_KEY="another secret"):
        second = [derive(current_key_id(), message, 8) for message in messages]

    assert not any(one == other for one, other in zip(first, second, strict=True))


def test_each_message_has_a_different_code() -> None:
    codes = {derive(current_key_id(), f"message {n}", 8) for n in range(500)}

    assert len(codes) == 500


def test_a_secret_may_be_bytes() -> None:
    with override_settings(SECRET_KEY=SECRET.encode()):
        assert derive(current_key_id(), "message", 6) == expected_code(key_of(SECRET), "message", 6)


@pytest.mark.parametrize("key_id", ["", "0" * 16, SECRET])
def test_an_unknown_key_has_no_code(key_id: str) -> None:
    assert not is_known(key_id)
    with pytest.raises(LookupError):
        derive(key_id, "message", 6)


@pytest.mark.parametrize("secret", [SECRET, "another secret"])
def test_the_id_of_a_key_does_not_reveal_it(secret: str) -> None:
    with override_settings(SECRET_KEY=secret):
        assert re.fullmatch("[0-9a-f]{16}", current_key_id())
        assert not key_of(secret).hex().startswith(current_key_id())


@pytest.mark.parametrize(
    ("code", "guess", "right"),
    [
        ("047110", "047110", True),
        ("047110", "047111", False),
        ("047110", "47110", False),
        ("047110", "0471100", False),
        ("047110", "", False),
        ("047110", "０４７１１０", False),
    ],
)
def test_only_the_code_itself_matches(code: str, guess: str, right: bool) -> None:
    assert matches(code, guess) is right


@folded("written, read", [*WRITTEN.items(), *((text, text) for text in NO_CODE)])
def test_a_code_is_read_as_people_write_it(written: str, read: str) -> None:
    assert as_digits(written) == read


def test_a_nonce_is_128_bits_and_new_each_time() -> None:
    nonces = {new_nonce() for _ in range(1000)}

    assert len(nonces) == 1000
    assert all(re.fullmatch("[0-9a-f]{32}", nonce) for nonce in nonces)
