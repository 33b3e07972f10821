"""Placeholders, rendering in one pass, and the carriers' segments."""

from __future__ import annotations

import pytest

from django_smsverify.texts import GSM7, GSM7_EXTENSION, placeholders, render, segments, signed, stray_braces, translate
from tests.folding import folded

VECTORS = {
    0: 0,
    1: 1,
    69: 1,
    70: 1,
    71: 2,
    133: 2,
    134: 2,
    135: 3,
    200: 3,
    201: 3,
    202: 4,
    268: 4,
    269: 5,
    300: 5,
    335: 5,
    336: 6,
    500: 8,
    536: 8,
}


@folded("length, expected", VECTORS.items())
@folded("character", ["a", "码", "。", " ", ".", "\n", "€", "\uffff"])
def test_any_character_of_one_utf16_unit_counts_as_one(character: str, length: int, expected: int) -> None:
    assert segments(character * length) == expected


@folded("character", ["😀", "𠮷", "\U0010ffff"])
@folded("length, expected", VECTORS.items())
def test_a_character_of_two_utf16_units_counts_as_two(character: str, length: int, expected: int) -> None:
    text = character * (length // 2) + "码" * (length % 2)

    assert segments(text) == expected


def test_every_part_of_a_composed_emoji_counts() -> None:
    family = "👨\u200d👩\u200d👧"  # 2 + 1 + 2 + 1 + 2

    assert [segments("码" * more + family) for more in (62, 63)] == [1, 2]


def test_a_lone_surrogate_counts_as_one() -> None:
    assert [segments("\ud83d" * length) for length in (70, 71)] == [1, 2]


GSM7_VECTORS = {0: 0, 1: 1, 160: 1, 161: 2, 306: 2, 307: 3, 459: 3, 460: 4}


@folded("length, expected", GSM7_VECTORS.items())
@folded("character", ["a", "@", "ß", "Ω", "¤", "\n", " "])
def test_gsm7_has_longer_segments(character: str, length: int, expected: int) -> None:
    assert segments(character * length, gsm7=True) == expected


@folded("length, expected", GSM7_VECTORS.items())
@folded("character", ["€", "{", "\\", "~", "\f"])
def test_an_extended_character_of_gsm7_counts_as_two(character: str, length: int, expected: int) -> None:
    text = character * (length // 2) + "a" * (length % 2)

    assert segments(text, gsm7=True) == expected


@folded("length, expected", VECTORS.items())
@folded("character", ["码", "ç", "`", "“", "\t", "\x1b", "–"])
def test_one_other_character_makes_the_segments_short(character: str, length: int, expected: int) -> None:
    text = character * min(length, 1) + "a" * (length - 1)

    assert segments(text, gsm7=True) == expected


def test_an_emoji_makes_the_segments_short_and_counts_as_two() -> None:
    assert [segments("a" * more + "😀", gsm7=True) for more in (68, 69)] == [1, 2]


def test_a_sender_name_in_its_brackets_makes_the_segments_short() -> None:
    text = "a" * 160

    assert (segments(text, gsm7=True), segments(signed("Shop", text), gsm7=True)) == (1, 3)


def test_the_gsm7_alphabet_has_127_characters_and_10_extended_ones() -> None:
    assert (len(GSM7), len(GSM7_EXTENSION)) == (137, 10)


def test_the_signature_and_its_brackets_count() -> None:
    text = "码" * 66

    assert (segments(text), segments(signed("示例", text)), segments(signed("示例站", text))) == (1, 1, 2)


def test_the_signature_comes_first_in_brackets() -> None:
    assert signed("示例站", "您好") == "【示例站】您好"
    assert signed("", "您好") == "您好"


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("您的验证码是{code}，{minutes}分钟内有效。", ("code", "minutes")),
        ("{b}{a}{b}", ("b", "a", "b")),
        ("{_x1}{A}", ("_x1", "A")),
        ("none", ()),
        ("", ()),
        ("{}{ code }{1x}{a-b}{验证码}{a.b}{a!r}{a:>5}{a[0]}", ()),
        ("{{code}}", ("code",)),
        ("${code}{$var}", ("code",)),
    ],
)
def test_placeholders_are_names_in_braces_in_order(content: str, names: tuple[str, ...]) -> None:
    assert placeholders(content) == names


def test_a_text_is_rendered_with_its_values() -> None:
    assert render("{name}，{code}，{name}", {"code": "047110", "name": "王"}) == "王，047110，王"


def test_braces_in_a_value_are_not_replaced() -> None:
    values = {"name": "{code}", "code": "{name}"}

    assert render("{name} {code}", values) == "{code} {name}"
    assert translate("{a}{b}", lambda name: {"a": "{b}", "b": "x"}[name]) == "{b}x"


@pytest.mark.parametrize("value", [r"\1", r"\g<0>", "%s", "{0}", "", "\\"])
def test_a_value_is_inserted_literally(value: str) -> None:
    assert render("<{name}>", {"name": value}) == f"<{value}>"


def test_text_outside_of_placeholders_is_unchanged() -> None:
    assert render("100% {} {{code}} $code", {"code": "1"}) == "100% {} {1} $code"


def test_a_name_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="minutes"):
        render("{code} {minutes}", {"code": "1"})


def test_a_value_without_a_name_is_ignored() -> None:
    assert render("{code}", {"code": "1", "minutes": "5"}) == "1"


def test_translate_replaces_each_placeholder() -> None:
    assert translate("{code}，{minutes}", lambda name: "${" + name.upper() + "}") == "${CODE}，${MINUTES}"


@pytest.mark.parametrize(
    ("content", "stray"),
    [
        ("{code}", False),
        ("no braces", False),
        ("{code", True),
        ("code}", True),
        ("{{code}}", True),
        ("{验证码}", True),
        ("{ code }", True),
        ("{}", True),
        ("{code}{minutes}", False),
        ("{code} }{", True),
    ],
)
def test_a_brace_that_belongs_to_no_placeholder_is_stray(content: str, stray: bool) -> None:
    assert stray_braces(content) is stray
