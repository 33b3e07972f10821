"""How vendors' values, phone numbers, times, bodies and rows are read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from django_smsverify.exceptions import InvalidCallback
from django_smsverify.gateways.parsing import (
    as_text,
    china_time,
    e164,
    form_row,
    json_rows,
    lookup,
    parse_rows,
    payload_without,
    required_code,
)
from django_smsverify.types import Event, News, Push, ReplyEvent
from tests.folding import folded

from .calls import china
from .support import FORM, JSON


def push(body: str | bytes, content_type: str = "") -> Push:
    return Push(content_type=content_type, headers={}, body=body.encode() if isinstance(body, str) else body)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("", ""),
        (" 1 ", "1"),
        (1, "1"),
        (0, "0"),
        (False, "False"),
        ("\u3000一\xa0", "一"),
        (2**70, str(2**70)),
        ("00", "00"),
    ],
)
def test_a_value_becomes_text_without_space_around(value: object, text: str) -> None:
    assert as_text(value) == text


@pytest.mark.parametrize("code", [None, "", " ", "\r\n"])
def test_an_empty_code_is_refused(code: object) -> None:
    with pytest.raises(ValueError, match=r"^no code$"):
        required_code(code)


def test_a_code_becomes_text() -> None:
    assert [required_code(code) for code in (0, " 0", "2 ")] == ["0", "0", "2"]


@folded(
    "written, expected",
    [
        ("2021-04-20 04:21:30", "2021-04-20 04:21:30"),
        (" 2021-04-20 04:21:30\n", "2021-04-20 04:21:30"),
        ("2021-04-20T04:21:30", "2021-04-20 04:21:30"),
        ("2021-04-20 04:21", "2021-04-20 04:21:00"),
        ("2021-04-20 04:21:30.500", "2021-04-20 04:21:30.500000"),
        ("2021-04-20", "2021-04-20 00:00:00"),
        ("2104200421", "2021-04-20 04:21:00"),
        ("210420042130", "2021-04-20 04:21:30"),
        ("20210420042130", "2021-04-20 04:21:30"),
        (2104200421, "2021-04-20 04:21:00"),
        (20210420042130, "2021-04-20 04:21:30"),
        ("2000-01-01 00:00:00", "2000-01-01 00:00:00"),
        ("2099-12-31 23:59:59", "2099-12-31 23:59:59"),
        ("2024-02-29 12:00:00", "2024-02-29 12:00:00"),
        ("000101000000", "2000-01-01 00:00:00"),
        ("6812312359", "2068-12-31 23:59:00"),
    ],
)
def test_a_time_without_a_zone_is_in_the_zone_of_china(written: object, expected: str) -> None:
    moment = china_time(written)

    assert moment == china(expected)
    assert moment is not None
    assert moment.utcoffset() == timedelta(hours=8)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2021-04-20T04:21:30Z", datetime(2021, 4, 20, 4, 21, 30, tzinfo=UTC)),
        ("2021-04-20 04:21:30+00:00", datetime(2021, 4, 20, 4, 21, 30, tzinfo=UTC)),
        ("2021-04-20T04:21:30+0800", china("2021-04-20 04:21:30")),
        ("2021-04-20T04:21:30-05:30", datetime(2021, 4, 20, 9, 51, 30, tzinfo=UTC)),
        ("2021-04-20T04:21:30+14:00", datetime(2021, 4, 20, 4, 21, 30, tzinfo=timezone(timedelta(hours=14)))),
    ],
)
def test_a_given_zone_is_used(written: str, expected: datetime) -> None:
    assert china_time(written) == expected


@folded(
    "written",
    [
        *(None, "", " ", "-", "null", "now", 0, 1, -1, True, 1.5, [], {}, "[]"),
        *("0000-00-00", "0000-00-00 00:00:00", "0001-01-01 00:00:00", "9999-12-31 23:59:59"),
        *("1999-12-31 23:59:59", "2100-01-01 00:00:00", "00010101000000", "99991231235959", "6901010000"),
        *("2021-02-29 12:00:00", "2021-13-01 00:00:00", "2021-04-20 24:01:00", "2021-04-20 04:60:00"),
        *("2113200421", "210420042160", "20210420042199", "00000000000000", "0" * 12, "0" * 10),
        *("21042004213", "210420042", "1618863690", "1618863690123", "9" * 14, "9" * 5000),
        *("2021/04/20 04:21:30", "20.04.2021 04:21", "2021-04-20 04:21:30 CST", "2021年04月20日"),
        *("２０２１-04-20 04:21:30", "²¹⁰⁴²⁰⁰⁴²¹", "\0", "\ud800", "👍"),
    ],
    ids=lambda written: repr(written)[:30],
)
def test_an_invalid_time_is_none(written: object) -> None:
    assert china_time(written) is None


@pytest.mark.parametrize(
    "mobile",
    [
        *("13800138000", 13800138000, " 13800138000\r\n", "+8613800138000", "8613800138000", "008613800138000"),
        *("\u300013800138000\xa0", "+8613800138000 "),
    ],
)
def test_a_mainland_number_becomes_e164(mobile: object) -> None:
    assert e164(mobile) == "+8613800138000"


@folded(
    "mobile",
    [
        *(None, "", "None", True, [], ["13800138000"], {"phone": "13800138000"}),
        *("1380013800", "138001380000", "23800138000", "03800138000", "02012345678", "+85261234567", "+1380013800"),
        *("138 0013 8000", "138-0013-8000", "138****8000", "13800138000,13800138001", "13800138000\n1", "13800138000x"),
        *("+13800138000", "08613800138000", "++8613800138000", "86+13800138000", "868613800138000", "0086 13800138000"),
        *(
            "１３８００１３８０００",
            "1٣٨٠٠١٣٨٠٠٠",
            "1380013800０",
            13800138000.0,
            1.38e10,
            "1.3800138e10",
            "9" * 100_000,
        ),
    ],
    ids=lambda mobile: repr(mobile)[:30],
)
def test_any_other_number_is_refused_and_not_shown(mobile: object) -> None:
    with pytest.raises(ValueError, match=r"^no mainland mobile number$"):
        e164(mobile)


@folded(
    "body, fields",
    [
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("a=1&a=2", {"a": "2"}),
        ("a=&b", {"a": "", "b": ""}),
        ("a=1+2%203&b=%E4%B8%80", {"a": "1 2 3", "b": "一"}),
        ("a=%D6%D0%B9%FA", {"a": "中国"}),
        ("a=%E4%B8%80&b=一", {"a": "一", "b": "一"}),
        ("a=b=c&&d=e;f", {"a": "b=c", "d": "e;f"}),
        ("\ufeff a=1 \r\n", {"a": "1"}),
        ("%EF%BB%BFa=1", {"a": "1"}),
        ("a%00b=c%00d&e=f", {"a b": "c d", "e": "f"}),
        ("a\0b=c\0d&e=f", {"a b": "c d", "e": "f"}),
        ("=1", {"": "1"}),
        ("a=%zz%4", {"a": "%zz%4"}),
        ("&".join(f"x{n}=" for n in range(100)), {f"x{n}": "" for n in range(100)}),
    ],
)
def test_a_form_becomes_a_row_of_text(body: str, fields: dict[str, str]) -> None:
    assert form_row(push(body, FORM)) == fields


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"&", b"&&\r\n", b"\xef\xbb\xbf", b"&".join([b"x="] * 101)],
)
def test_a_body_that_is_not_a_form_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidCallback, match=r"^the body is not a form$"):
        form_row(push(body, FORM))


@folded(
    "body, rows",
    [
        ('{"a":1}', [{"a": "1"}]),
        ('[{"a":1},{"b":null}]', [{"a": "1"}, {"b": None}]),
        ('[1,"x",null,[],true]', ["1", "x", None, [], True]),
        ('\r\n{"a":""} ', [{"a": ""}]),
        ('{"a":1.50,"b":1e5,"c":NaN,"d":-0}', [{"a": "1.50", "b": "1e5", "c": "NaN", "d": "-0"}]),
        ('{"a":1,"a":2}', [{"a": "2"}]),
        ('{"a":"\\u4e00一"}', [{"a": "一一"}]),
        ('{"a":' + "9" * 5000 + "}", [{"a": "9" * 5000}]),
    ],
    ids=lambda value: str(value)[:20],
)
@folded("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_json_becomes_rows_whose_numbers_keep_their_digits(body: str, rows: list[object], encoding: str) -> None:
    assert json_rows(push(body.encode(encoding), f"{JSON}; charset={encoding}")) == rows


def test_only_a_cut_character_is_replaced() -> None:
    cut = "退订".encode()[:-1]

    assert form_row(push(b"taskid=7&content=" + cut, FORM)) == {"taskid": "7", "content": "退�"}
    assert json_rows(push(b'{"id": "7", "error": "' + cut + b'"}', JSON)) == [{"id": "7", "error": "退�"}]


@folded(
    "body",
    [
        *(b"", b" ", b"[]", b"{}", b"null", b"true", b"0", b'""', b'"a"', b"{", b"{'a':1}", b'{"a":1}x'),
        *(b"\xff\xfe{\x00}\x00", b"[" * 100_000, b'{"a":' * 100_000, b'{"a":"\x00"}', b"a=1"),
    ],
    ids=lambda body: repr(body[:12]),
)
def test_json_without_rows_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidCallback, match=r"^the body is no JSON that says anything$"):
        json_rows(push(body, JSON))


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("", "һ"),
        ("text/plain; charset=utf-8", "һ"),
        ("text/plain; charset=gbk", "一"),
        ("text/plain; charset = GB2312", "一"),
        ("TEXT/PLAIN;CHARSET=GB18030", "一"),
    ],
)
def test_the_declared_charset_decides_when_the_bytes_fit_two_encodings(content_type: str, expected: str) -> None:
    assert json_rows(push('["一"]'.encode("gbk"), content_type)) == [expected]
    assert form_row(push("a=一".encode("gbk"), content_type)) == {"a": expected}


def test_each_row_is_an_event_or_nothing_or_a_problem() -> None:
    def read(row: object) -> Event | None:
        if row == "quiet":
            return None
        if isinstance(row, Exception):
            raise row
        return ReplyEvent(phone="+8613800138000", content=str(row))

    rows = ["a", KeyError("id"), "quiet", ValueError("no id"), RecursionError("too deep"), "b", TypeError("of type")]
    news = parse_rows([*rows, AttributeError("no such"), IndexError("range")], read)

    assert [event.content for event in news.events if isinstance(event, ReplyEvent)] == ["a", "b"]
    assert news.problems == (
        "row 2: no field 'id'",
        "row 4: no id",
        "row 5: too deep",
        "row 7: of type",
        "row 8: no such",
        "row 9: range",
    )


def test_no_rows_give_no_events() -> None:
    assert parse_rows([], lambda row: row) == News()


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, ZeroDivisionError, NotImplementedError])
def test_a_bug_is_not_a_problem_of_the_row(error: type[BaseException]) -> None:
    def read(row: object) -> Event | None:
        raise error

    with pytest.raises(error):
        parse_rows(["a"], read)


def test_a_payload_is_flat_text_without_the_excluded_fields() -> None:
    row: dict[str, object] = {
        "id": 7,
        "no": None,
        "yes": True,
        "text": " a ",
        "list": [1],
        "object": {},
        "content": "471102",
        "b": "b",
    }

    assert payload_without(row, "content", "b", "absent") == {"id": "7", "no": "", "yes": "True", "text": "a"}


@pytest.mark.parametrize("value", ["1", " 1\n", 1])
def test_a_known_value_is_found(value: object) -> None:
    assert lookup({"0": None, "1": "one"}, value) == "one"


def test_a_known_value_may_mean_none() -> None:
    assert lookup({"0": None, "1": "one"}, 0) is None


@pytest.mark.parametrize(
    ("value", "shown"), [("2", "'2'"), (None, "''"), (True, "'True'"), ("a\nb", r"'a\nb'"), ("不明", "'不明'")]
)
def test_the_error_names_an_unknown_value(value: object, shown: str) -> None:
    with pytest.raises(ValueError, match="is none of") as raised:
        lookup({"0": None, "1": "one"}, value)

    assert str(raised.value) == f"{shown} is none of: 0, 1"


def test_the_error_for_a_long_unknown_value_is_short() -> None:
    with pytest.raises(ValueError, match=r"is none of: 0, 1$") as raised:
        lookup({"0": None, "1": "one"}, "x" * 100_000)

    assert len(str(raised.value)) < 100
