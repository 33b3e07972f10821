"""Malformed calls of our webhook: each is read as far as possible, or refused."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import quote, urlencode

import pytest

from django_smsverify.exceptions import InvalidCallback
from django_smsverify.types import Account, DeliveryEvent, Event, News, ReplyEvent, ReviewEvent
from tests.folding import folded

from .calls import (
    CALLS,
    IHUYI_AUDIT,
    IHUYI_REPLY,
    IHUYI_REPORT,
    TOPTHINK_REPORT,
    TOPTHINK_SIGN,
    TOPTHINK_TEMPLATE,
    VEESING_RECEIPT,
    VEESING_REPLY,
    Call,
    each_call,
)
from .storable import assert_storable, assert_text, shown
from .support import FORM, GATEWAYS, JSON, parsed_push

FORMS = [call for call in CALLS if not call.is_json]
IN_JSON = [call for call in CALLS if call.is_json]
REPLIES = [VEESING_REPLY, IHUYI_REPLY]
ADDRESSED = [call for call in CALLS if not isinstance(call.event, ReviewEvent)]
EACH_FIELD = [(call, name) for call in CALLS for name in call.fields]
BOM = b"\xef\xbb\xbf"
EMPTY = [b"", b" \r\n\t ", BOM, BOM + b" ", b"\0", b"\0\0\0\0", b"null", b"[]", b"{}", b'""', b"0", b"true", b"NaN"]
GARBAGE = [
    b"\xff\xfe\x00",
    b"\xff" * 1000,
    b"\x80",
    b"\x1f\x8b\x08\x00",
    b"<html><body>502 Bad Gateway</body></html>",
    b"<?xml version='1.0'?><a/>",
    b'--x\r\nContent-Disposition: form-data; name="mobile"\r\n\r\n15080920000\r\n--x--',
    b"=",
    b"&&&",
    b"%",
    b"%zz=%",
    b"a=1&b=2",
    b"[[],{},null,0]",
    b'{"action":"report"}',
    b'{"action":"report","sms":null}',
    b'{"action":"report","sms":[]}',
    b'{"action":"report","sms":"13509898765"}',
    b'{"action":"report","sms":{}}',
    b'{"action":"sign","sign":7}',
    b'{"action":"template","template":"x"}',
    b'{"action":',
    b"{'action':'report'}",
    b"[" * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
    b'{"action":' * 100_000,
    b'{"action":"report","sms":' + b"[" * 100_000,
    b"1" * 200_000,
    b"[" + b"1" * 200_000 + b"]",
    b"&".join(b"field%d=1" % n for n in range(5000)),
    b"a=1&" * 5000,
]
LITERALS = [
    *("null", "true", "false", "0", "-0", "1", "-1", "1.5", "1e999999", "-1E400", "1" + "0" * 5000),
    *("NaN", "Infinity", "-Infinity", '""', '" "', '"' + "9" * 1000 + '"'),
    *("[]", "{}", "[1]", '[{"id":1}]', '{"id":"1"}'),
]


def read_or_refused(vendor: str, body: bytes, content_type: str = "") -> News:
    """The events of a call, or none if it is refused; checks that they can be stored, and errors logged."""
    try:
        news = parsed_push(vendor, body, content_type)
    except InvalidCallback as error:
        for problem in str(error).split("; "):
            assert_text(problem, 500)
        return News()
    assert_storable(news)
    return news


def only(news: News) -> Event:
    (event,) = news.events
    assert news.problems == ()
    return event


def text_of(event: Event) -> str:
    """The free text of an event, which may be Chinese."""
    match event:
        case DeliveryEvent():
            return event.detail
        case ReplyEvent():
            return event.content
        case ReviewEvent():
            return event.reason


def text_field(call: Call) -> str:
    """The name of the field with this text."""
    return {"topthink report": "message", "topthink sign": "error", "topthink template": "error"}.get(
        str(call), "content" if isinstance(call.event, ReplyEvent) else "msg"
    )


@folded("vendor", ["topthink", "veesing", "ihuyi"])
@folded("content_type", ["", FORM, JSON, "text/plain; charset=gbk"])
@folded("body", EMPTY + GARBAGE, ids=lambda body: repr(body[:30]))
def test_a_body_without_data_is_refused(vendor: str, content_type: str, body: bytes) -> None:
    with pytest.raises(InvalidCallback) as raised:
        parsed_push(vendor, body, content_type)

    assert_text(str(raised.value), 500)


@each_call
@folded("content_type", ["", FORM, JSON, "text/xml", "application/json;charset=UTF-8", "\0", ";;="])
def test_the_content_type_does_not_decide(call: Call, content_type: str) -> None:
    assert only(parsed_push(call.vendor, call.body, content_type)) == call.event


@each_call
@folded("before", [b"", BOM, BOM + b"\r\n", b"\n"])
@folded("after", [b"", b"\r\n", b" "])
def test_a_byte_order_mark_and_white_space_around_are_ignored(call: Call, before: bytes, after: bytes) -> None:
    assert only(parsed_push(call.vendor, before + call.body.encode() + after)) == call.event


@each_call
def test_a_cut_call_is_read_or_refused(call: Call) -> None:
    for cut in range(len(call.body.encode())):
        read_or_refused(call.vendor, call.body.encode()[:cut])


@folded("call", [call for call in CALLS if call is not VEESING_RECEIPT], ids=str)
@folded("charset", ["", "; charset=gbk", ";charset=GB2312", "; Charset = GB18030", "; charset=utf-8"])
@folded("text", ["好的，谢谢", "含敏感词", "號碼錯誤"])
def test_gbk_is_read_whether_it_is_declared_or_not(call: Call, charset: str, text: str) -> None:
    fields = {**call.fields, text_field(call): text}

    raw = parsed_push(call.vendor, call.text(fields).encode("gb18030"), call.content_type + charset)
    escaped = parsed_push(
        call.vendor, call.with_fields("gb18030", **{text_field(call): text}), call.content_type + charset
    )

    assert text_of(only(raw)) == text_of(only(escaped)) == text


@pytest.mark.parametrize("call", REPLIES, ids=str)
@pytest.mark.parametrize("charset", ["gbk", "GBK", "gb2312", "GB18030", '"gbk"'])
def test_a_declared_gbk_decides_when_the_bytes_fit_both_encodings(call: Call, charset: str) -> None:
    """The GBK of “一” is UTF-8 of a letter as well."""
    news = parsed_push(call.vendor, call.with_fields("gbk", content="一"), f"{FORM}; charset={charset}")

    assert text_of(only(news)) == "一"


@pytest.mark.parametrize("call", REPLIES, ids=str)
def test_utf_8_is_read_when_the_bytes_are_not_the_declared_gbk(call: Call) -> None:
    news = parsed_push(call.vendor, call.with_fields(content="好"), f"{FORM}; charset=gbk")

    assert text_of(only(news)) == "好"


@folded("call", REPLIES, ids=str)
@folded("encoding", ["utf-8", "gb18030"])
@folded("content", ["👍", "👨‍👩‍👧", "𠮷野家", "é", "\ufeffa", "\u202e反", "﷽"])
def test_rare_characters_are_kept(call: Call, encoding: str, content: str) -> None:
    body = call.with_fields(encoding, content=content)

    assert text_of(only(parsed_push(call.vendor, body))) == content


@folded("call, name", EACH_FIELD, ids=str)
@folded("special", ["\0", "a\0b", "\x1b[31m", "a\r\nb: c", "\x7f\x85\x9f", "\ufffe", "👍" * 400])
def test_characters_that_a_database_cannot_store_are_not_stored(call: Call, name: str, special: str) -> None:
    read_or_refused(call.vendor, call.with_fields(**{name: special}))
    read_or_refused(call.vendor, call.with_fields(**{name: f"{call.fields[name]}{special}"}))
    read_or_refused(call.vendor, call.with_fields(**{f"{name}{special}": special}))


@pytest.mark.parametrize("call", FORMS, ids=str)
@pytest.mark.parametrize("null", [b"%00", b"\0"])
def test_a_null_byte_does_not_move_the_fields_of_a_form(call: Call, null: bytes) -> None:
    body = b"before" + null + b"=1&between=" + null + b"2&" + call.body.encode() + b"&after=" + null

    event = only(parsed_push(call.vendor, body))

    assert not isinstance(event, ReviewEvent) or event == call.event
    if isinstance(event, DeliveryEvent | ReplyEvent):
        assert isinstance(call.event, DeliveryEvent | ReplyEvent)
        assert event == replace(call.event, payload={"before": "1", "between": "2", **call.event.payload, "after": ""})


@folded("call", IN_JSON, ids=str)
@folded("escape", [r"\ud800", r"\udfff", r"\ud83d\ud83d", r"\u0000", r"\u001b", r"\uffff"])
def test_invalid_escapes_are_not_stored(call: Call, escape: str) -> None:
    for name in call.fields:
        text = call.text({**call.fields, name: "@@"})
        read_or_refused(call.vendor, text.replace("@@", escape).encode())
        read_or_refused(call.vendor, call.body.replace(f'"{name}"', f'"{name}{escape}"').encode())


def test_a_lone_surrogate_becomes_a_question_mark() -> None:
    body = TOPTHINK_SIGN.body.replace("请提供网址或公众号", r"请\ud800提供")

    assert text_of(only(parsed_push("topthink", body))) == "请?提供"


@folded("call", IN_JSON, ids=str)
@folded("literal", LITERALS, ids=lambda literal: literal[:12])
def test_a_value_of_another_type_is_read_or_refused(call: Call, literal: str) -> None:
    for name in call.fields:
        text = call.text({**call.fields, name: "@@"})
        read_or_refused(call.vendor, text.replace('"@@"', literal).encode())
    for name in (*call.envelope, call.inside):
        text = json.dumps({**call.envelope, call.inside: call.fields, name: "@@"})
        read_or_refused(call.vendor, text.replace('"@@"', literal).encode())


@pytest.mark.parametrize("literal", ["NaN", "1e999999", "1" + "0" * 499, "-Infinity"])
def test_a_number_that_python_cannot_parse_is_kept_as_text(literal: str) -> None:
    news = parsed_push("topthink", TOPTHINK_REPORT.body.replace('"message":""', f'"message":"","price":{literal}'))

    event = only(news)
    assert isinstance(event, DeliveryEvent)
    assert event.payload["price"] == literal


@pytest.mark.parametrize("opening", ["[", '{"x":'])
@pytest.mark.parametrize("depth", [1, 100, 900])
def test_a_nested_optional_field_is_left_out(opening: str, depth: int) -> None:
    nested = opening * depth + "0" + ("]" if opening == "[" else "}") * depth
    body = TOPTHINK_REPORT.body.replace('"message":""', f'"message":"","deep":{nested}')

    assert only(parsed_push("topthink", body)) == TOPTHINK_REPORT.event


@folded("call", IN_JSON, ids=str)
@folded("depth", [900, 940, 1000, 5000])
def test_a_nested_field_is_read_or_refused(call: Call, depth: int) -> None:
    for name in call.fields:
        text = call.text({**call.fields, name: "@@"})
        read_or_refused(call.vendor, text.replace('"@@"', "[" * depth + "]" * depth).encode())


@pytest.mark.parametrize("call", FORMS, ids=str)
@pytest.mark.parametrize(("more", "is_read"), [(90, True), (5000, False)])
def test_a_form_has_at_most_a_hundred_fields(call: Call, more: int, is_read: bool) -> None:
    body = f"{call.body}&{urlencode({f'x{n}': n for n in range(more)})}".encode()

    assert bool(read_or_refused(call.vendor, body).events) == is_read


@pytest.mark.parametrize("call", ADDRESSED, ids=str)
def test_fifty_fields_are_kept_the_documented_ones_first(call: Call) -> None:
    more = {f"x{n}": str(n) for n in range(80)}

    event = only(parsed_push(call.vendor, call.with_fields(**more)))

    assert isinstance(event, DeliveryEvent | ReplyEvent)
    assert isinstance(call.event, DeliveryEvent | ReplyEvent)
    assert len(event.payload) == 50
    assert call.event.payload.items() <= event.payload.items()


@pytest.mark.parametrize("call", FORMS, ids=str)
def test_the_last_value_of_a_repeated_field_is_read(call: Call) -> None:
    event = only(parsed_push(call.vendor, f"{urlencode(dict.fromkeys(call.fields, '?'))}&{call.body}"))

    assert event == call.event


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_a_form_in_json_and_json_in_a_form_are_refused(call: Call) -> None:
    swapped = urlencode(call.fields) if call.is_json else json.dumps(call.fields)
    wrapped = urlencode({"data": call.body}) if call.is_json else json.dumps(call.body)

    for body in (swapped, wrapped, json.dumps([swapped]), quote(call.body)):
        with pytest.raises(InvalidCallback):
            parsed_push(call.vendor, body)


@each_call
def test_an_id_is_cut_to_the_length_of_its_column(call: Call) -> None:
    name = {"veesing": "taskid", "topthink": "id"}.get(call.vendor, "templateid" if call is IHUYI_AUDIT else "smsid")
    long = "7" * 30 + "id" * 100

    assert only(parsed_push(call.vendor, call.with_fields(**{name: long}))).remote_id == long[:64]


@folded("call", [call for call in CALLS if not isinstance(call.event, ReplyEvent)], ids=str)
@folded("empty", ["", " ", "\0", "\r\n"])
def test_an_empty_id_is_refused(call: Call, empty: str) -> None:
    name = {"veesing": "taskid", "topthink": "id"}.get(call.vendor, "templateid" if call is IHUYI_AUDIT else "smsid")

    with pytest.raises(InvalidCallback, match="no id"):
        parsed_push(call.vendor, call.with_fields(**{name: empty}))


def test_long_texts_are_cut() -> None:
    report = only(parsed_push("ihuyi", IHUYI_REPORT.with_fields(msg="长" * 3000, code="9" * 3000, note="注" * 3000)))
    verdict = only(parsed_push("ihuyi", IHUYI_AUDIT.with_fields(msg="长" * 3000)))

    assert isinstance(report, DeliveryEvent)
    assert isinstance(verdict, ReviewEvent)
    assert (report.detail, report.code, report.payload["note"]) == ("长" * 500, "9" * 64, "注" * 500)
    assert verdict.reason == "长" * 500


@pytest.mark.parametrize("zone", ["+20:00", "-23:59:59", "+08:00:00.000001"])
def test_a_time_with_an_impossible_zone_can_be_stored(zone: str) -> None:
    body = TOPTHINK_REPORT.with_fields(receiveDate=f"2021-04-20T04:21:30{zone}")

    assert_storable(parsed_push("topthink", body))


def test_a_long_batch_of_bad_rows_has_a_short_error() -> None:
    with pytest.raises(InvalidCallback) as raised:
        parsed_push("topthink", b"[" + b"0," * 100_000 + b"0]")

    assert len(str(raised.value)) < 10_000


@pytest.mark.parametrize("call", [IHUYI_REPORT, TOPTHINK_REPORT], ids=str)
@pytest.mark.parametrize("spelling", ["{}", "+86{}", "86{}", "0086{}"])
def test_the_number_is_hidden_in_the_text_of_a_report(call: Call, spelling: str) -> None:
    assert isinstance(call.event, DeliveryEvent)
    number = spelling.format(call.event.phone[3:])

    event = only(parsed_push(call.vendor, call.with_fields(**{text_field(call): f"空号{number}。"})))

    assert isinstance(event, DeliveryEvent)
    assert call.event.phone[3:] not in event.detail
    assert event.detail.startswith("空号")
    assert event.detail.endswith("***。")


@folded("call, name", [(call, name) for call in ADDRESSED for name in call.fields], ids=str)
@folded("shape", ["{}", " {}", "x{}x"])
def test_no_number_is_shown(call: Call, name: str, shape: str) -> None:
    assert isinstance(call.event, DeliveryEvent | ReplyEvent)
    number = call.event.phone[3:]
    try:
        found = shown(parsed_push(call.vendor, call.with_fields(**{name: shape.format(number)})))
    except InvalidCallback as error:
        found = repr(error)

    assert number not in found


@pytest.mark.parametrize("call", [TOPTHINK_SIGN, TOPTHINK_TEMPLATE, IHUYI_AUDIT], ids=str)
def test_the_text_of_a_verdict_is_not_shown(call: Call) -> None:
    news = parsed_push(call.vendor, call.with_fields(**{text_field(call): "请联系 13800138000"}))

    assert text_of(only(news)) == "请联系 13800138000"
    assert "13800138000" not in shown(news)


@folded("call, name", EACH_FIELD, ids=str)
@folded("secret", ["SECRET", "SECRET-0123456789-0123456789-0123456789"])
def test_no_credential_is_shown_or_kept(call: Call, name: str, secret: str) -> None:
    kind = GATEWAYS[call.vendor]
    account = Account(base_url=kind.base_url, credentials={own.name: secret for own in kind.credentials})
    body = call.with_fields(**{name: f"{secret}, {secret}"})
    try:
        news = kind(account).read_push(replace(call.push, body=body))
    except InvalidCallback as error:
        found = repr(error)
    else:
        found = shown(news) + repr([kept(event) for event in news.events])

    assert "SECRET" not in found


def kept(event: Event) -> object:
    """The parts of an event that are stored but not shown, without the text of a reply, which its sender wrote."""
    match event:
        case DeliveryEvent():
            return event.detail, event.payload
        case ReplyEvent():
            return event.payload
        case ReviewEvent():
            return event.reason
