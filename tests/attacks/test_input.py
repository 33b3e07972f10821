"""Input: what is no request at all, to each endpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.models import Verification
from tests.conftest import PHONE

from .visitors import Visitor, id_in, told

pytestmark = pytest.mark.django_db(transaction=True)

TEXTS = ["\x00", "🙂", "\ud800", "\u202e", "%00", "' OR 1=1 --", "../../etc/passwd", "１２３", "\n", "x" * 9000]
NOT_TEXTS: list[Any] = [True, 7, -1, 1.5, 13800138000, 10**400, [], [PHONE], {"Phone": PHONE}]
BODIES = {
    "send": {"phone": PHONE, "purpose": "login"},
    "verify": {"verification_id": str(uuid4()), "code": "123456"},
}


def spoilt(values: list[Any]) -> Iterator[str]:
    """What each request is told in which one field has one of these values."""
    for path, body in BODIES.items():
        for name in [*body, "verification_id", "context"]:
            yield from (told(Visitor().post(path, {**body, name: value})) for value in values)


def nothing_happened() -> bool:
    return not MemoryGateway.outbox and not Verification.objects.exists()


def test_strange_characters() -> None:
    """Send null bytes, emoji and halves of characters: every text has to look like what it stands for."""
    ids = [quote(text, safe="", errors="replace") for text in TEXTS]

    assert set(spoilt(TEXTS)) == {"invalid", "unknown_purpose"}
    assert {told(Visitor().get(f"send/{name}")) for name in ids} <= {"not_found", "404"}
    assert nothing_happened()


def test_wrong_types() -> None:
    """Send numbers, lists and objects where a text belongs: a field takes a text in quotes, and nothing else."""
    assert set(spoilt(NOT_TEXTS)) == {"invalid"}
    assert nothing_happened()


def test_bodies_that_are_no_objects() -> None:
    """Send lists, numbers, broken JSON and bytes: a body is an object in JSON, and all else is refused."""
    bodies = [" ", "null", "[]", "[1]", "1", '"x"', "{", "NaN", '{"phone": NaN}', "\x00", "1" * 9000]
    bytes_ = [b"\xff\xfe", b"\x80", b"\xef\xbb\xbf", json.dumps(BODIES["send"]).encode("utf-16")]

    assert {told(Visitor().post(path, body)) for path in BODIES for body in [*bodies, *bytes_]} == {"invalid"}
    assert nothing_happened()


def test_huge_bodies() -> None:
    """Send a megabyte: a body has 16 KiB at most, and no more is read."""
    for path, body in BODIES.items():
        assert told(Visitor().post(path, json.dumps(body) + " " * 2**20)) == "invalid"
    assert nothing_happened()


def test_deep_json() -> None:
    """Nest lists and objects thousands of levels deep: a body that cannot be parsed is refused."""
    for deep in ("[" * 8000 + "]" * 8000, '{"a":' * 3000 + "1" + "}" * 3000):
        for body in (deep, f'{{"context": {deep[:15000]}', f'{{"captcha": {deep}}}'):
            assert {told(Visitor().post(path, body)) for path in BODIES} == {"invalid"}
    assert nothing_happened()


def test_smuggled_fields() -> None:
    """Add fields that the site may trust, such as is_owner: unknown fields are refused."""
    for name in ("is_owner", "trusted", "ip", "max_attempts", "code", "provider", "__class__"):
        assert {told(Visitor().post(path, {**body, name: "1", "x": 1})) for path, body in BODIES.items()} == {"invalid"}
    assert nothing_happened()


def test_a_code_as_a_number() -> None:
    """Send the code as a number, so that it loses its zeros and is compared otherwise: a code is a text."""
    verification = id_in(Visitor().ask())

    assert told(Visitor().post("verify", {"verification_id": verification, "code": 123456})) == "invalid"
    assert Verification.objects.get().attempts == 0
