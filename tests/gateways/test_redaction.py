"""How the texts of vendors are cleaned before they are stored and shown."""

from __future__ import annotations

import re
import sys
import unicodedata
from dataclasses import replace

import pytest

from django_smsverify.enums import DeliveryOutcome, ReviewStatus, Submission
from django_smsverify.gateways import redaction
from django_smsverify.gateways.redaction import clean, loggable, scrub, storable
from django_smsverify.types import DeliveryEvent, Event, ReplyEvent, ReviewEvent
from tests.folding import folded

PHONE = "+8613800138000"
DELIVERY = DeliveryEvent(remote_id="17", phone=PHONE, outcome=DeliveryOutcome.DELIVERED)
REPLY = ReplyEvent(phone=PHONE, content="好")
REVIEW = ReviewEvent(submission=Submission.TEMPLATE, remote_id="17", status=ReviewStatus.APPROVED)
SECRET = 's3cr&t/密钥"'
SPELLINGS = [
    SECRET,
    "s3cr%26t/%E5%AF%86%E9%92%A5%22",
    "s3cr%26t%2F%E5%AF%86%E9%92%A5%22",
    "s3cr&amp;t/密钥&quot;",
    r"s3cr&t/\u5bc6\u94a5" + r"\"",
]


@pytest.mark.parametrize(
    ("text", "longest", "expected"),
    [
        ("a\0b\tc\r\nd\x7f\x85e", 64, "a b c  d  e"),
        (" \0 ", 64, ""),
        ("一" * 65, 64, "一" * 64),
        ("a" * 63 + " b", 64, "a" * 63),
        ("a\ud800b\udfff", 64, "a?b?"),
        ("👍\u2028\u200b\ue000", 64, "👍\u2028\u200b\ue000"),
    ],
)
def test_text_is_limited_to_what_every_database_can_store(text: str, longest: int, expected: str) -> None:
    assert storable(text, longest) == expected


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_hidden_in_every_spelling(spelling: str) -> None:
    assert scrub(f"key {spelling} refused", [SECRET]) == "key *** refused"


def test_a_plain_secret_has_no_spelling_but_that_with_an_encoded_plus(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = ["a-Key_of.9~letters", "+8613800138000", "a+b+c"]
    short = [redaction._spellings(secret) for secret in plain]
    monkeypatch.setattr(redaction, "PLAIN", re.compile("(?!)"))

    assert short == [redaction._spellings(secret) for secret in plain]


@pytest.mark.slow
def test_control_characters_are_those_of_unicode() -> None:
    every = map(chr, range(sys.maxunicode + 1))

    assert {c for c in every if redaction.CONTROL.fullmatch(c)} == {
        chr(number) for number in range(0x110000) if unicodedata.category(chr(number)) == "Cc"
    }


def test_the_longer_of_two_secrets_is_hidden_first() -> None:
    assert scrub("abcd abc", ["abc", "abcd"]) == "*** ***"


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        ("row 12: '13800138000' is none of: 0, 1", "row 12: '***' is none of: 0, 1"),
        ("code 4711, of 471", "code ***, of 471"),
        ("a\r\nb\0c", "a  b c"),
        ("长" * 600, "长" * 500),
    ],
)
def test_long_numbers_in_a_problem_are_hidden(problem: str, expected: str) -> None:
    assert loggable(problem, []) == expected


@pytest.mark.parametrize("event", [replace(DELIVERY, detail="TEXT"), replace(REPLY, content="TEXT")])
def test_the_repr_of_an_event_has_neither_number_nor_text(event: DeliveryEvent | ReplyEvent) -> None:
    shown = repr(replace(event, payload={"TEXT": "TEXT"}))

    assert "TEXT" not in shown
    assert "138" not in shown


@pytest.mark.parametrize("event", [DELIVERY, REVIEW])
@pytest.mark.parametrize("remote_id", ["", " ", "\0\r\n"])
def test_an_event_without_an_id_is_refused(event: DeliveryEvent | ReviewEvent, remote_id: str) -> None:
    with pytest.raises(ValueError, match=r"^no id$"):
        clean(replace(event, remote_id=remote_id), [])


def test_a_reply_needs_no_message_id() -> None:
    assert clean(REPLY, []) == REPLY


@folded("event", [DELIVERY, REPLY])
@folded(
    "phone", ["", "13800138000", "+", "+86", "+0813800138000", f"{PHONE}\n", f" {PHONE}", "+1234567890123456", "+٨٦١٣٨"]
)
def test_an_event_without_an_e164_number_is_refused(event: DeliveryEvent | ReplyEvent, phone: str) -> None:
    with pytest.raises(ValueError, match=r"^no phone number as E\.164$"):
        clean(replace(event, phone=phone), [])


@pytest.mark.parametrize("phone", ["+85261234567", "+123456", "+123456789012345"])
def test_a_number_of_any_region_is_accepted(phone: str) -> None:
    event = clean(replace(REPLY, phone=phone), [])

    assert isinstance(event, ReplyEvent)
    assert event.phone == phone


def test_secrets_and_the_number_are_hidden_in_a_report() -> None:
    text = f"{SECRET} 13800138000 {PHONE}"

    event = clean(replace(DELIVERY, code=text, detail=text, payload={"a": text}), [SECRET])

    assert event == replace(
        DELIVERY, code="*** *** ***", detail="*** *** ***", payload={"a": f"*** 13800138000 {PHONE}"}
    )


def test_secrets_are_hidden_before_text_is_cut() -> None:
    code, detail = "x" * 60 + SECRET, "x" * 495 + SECRET

    event = clean(replace(DELIVERY, code=code, detail=detail, payload={"a": detail}), [SECRET])

    assert event == replace(DELIVERY, code="x" * 60 + "***", detail="x" * 495 + "***", payload={"a": "x" * 495 + "***"})


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (replace(DELIVERY, remote_id="7" * 65, code="8" * 65), replace(DELIVERY, remote_id="7" * 64, code="8" * 64)),
        (replace(DELIVERY, detail="长" * 501), replace(DELIVERY, detail="长" * 500)),
        (replace(REPLY, remote_id="7" * 65), replace(REPLY, remote_id="7" * 64)),
        (replace(REPLY, content="长" * 2001), replace(REPLY, content="长" * 2000)),
        (replace(REPLY, content="长\n" * 1001), replace(REPLY, content=("长\n" * 1000).strip())),
        (replace(REVIEW, remote_id="7" * 65), replace(REVIEW, remote_id="7" * 64)),
        (replace(REVIEW, reason="长" * 501), replace(REVIEW, reason="长" * 500)),
        (replace(DELIVERY, payload={"长" * 65: "长" * 501}), replace(DELIVERY, payload={"长" * 64: "长" * 500})),
        (replace(REPLY, payload={"长" * 65: "长" * 501}), replace(REPLY, payload={"长" * 64: "长" * 500})),
    ],
)
def test_text_is_cut_to_the_length_of_its_column(event: Event, expected: Event) -> None:
    assert clean(event, []) == expected


@pytest.mark.parametrize("event", [DELIVERY, REPLY])
def test_a_payload_is_flat_and_has_at_most_fifty_fields(event: DeliveryEvent | ReplyEvent) -> None:
    payload = {"a": 1, "b": None, "c": ["\ud800", "\0"], **{f"x{n}": n for n in range(60)}}

    found = clean(replace(event, payload=payload), [])

    assert isinstance(found, DeliveryEvent | ReplyEvent)
    assert list(found.payload.items())[:4] == [("a", "1"), ("b", "None"), ("c", r"['\ud800', '\x00']"), ("x0", "0")]
    assert len(found.payload) == 50


def test_secrets_are_hidden_in_a_review() -> None:
    assert clean(replace(REVIEW, reason=f"a {SECRET}"), [SECRET]) == replace(REVIEW, reason="a ***")


def test_secrets_are_hidden_in_the_payload_of_a_reply() -> None:
    assert clean(replace(REPLY, payload={"a": SECRET}), [SECRET]) == replace(REPLY, payload={"a": "***"})
