"""APISpace returns each delivery report once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from django_smsverify.enums import DeliveryOutcome, Reason
from django_smsverify.exceptions import GatewayError, GatewayRejected, GatewayUnavailable, GatewayUncertain
from django_smsverify.types import Answer, DeliveryEvent, News
from tests.folding import folded

from .calls import china
from .storable import assert_storable, assert_text
from .support import body_of, offline

URL = "https://cb.o.apispace.com/api/sms/report?count=50"
ROW = {
    "uid": "",
    "msgId": "17041010383624511",
    "mobile": "13800138000",
    "status": "DELIVRD",
    "statusDesc": "短信发送成功",
    "reportTime": "1704101038",
    "notifyTime": "170410103836",
    "length": "1",
}
REPORT = DeliveryEvent(
    remote_id="17041010383624511",
    phone="+8613800138000",
    outcome=DeliveryOutcome.DELIVERED,
    code="DELIVRD",
    detail="短信发送成功",
    occurred_at=china("2017-04-10 10:38:00"),
    payload=ROW,
)


def read_data(data: object, code: object = "0", **options: str) -> News:
    """The events in one answer of the vendor."""
    return read(json.dumps({"code": code, "data": data}, ensure_ascii=False).encode(), **options)


def read(body: bytes, **options: str) -> News:
    return offline("apispace", **options)[0].read_reports(Answer(200, body))


def only(news: News) -> DeliveryEvent:
    (event,) = news.events
    assert news.problems == ()
    assert isinstance(event, DeliveryEvent)
    return event


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({}, URL),
        ({"report_host": ""}, URL),
        ({"report_host": "https://eu.example/"}, "https://eu.example/api/sms/report?count=50"),
        ({"report_host": "https://eu.example/v2"}, "https://eu.example/v2/api/sms/report?count=50"),
    ],
)
def test_reports_are_fetched_from_their_own_host(options: dict[str, str], url: str) -> None:
    gateway, requests = offline("apispace", b'{"code":"0"}', **options)

    answer = gateway.pull_reports()

    (request,) = requests
    assert (request.method, request.url, body_of(request)) == ("GET", url, "")
    assert dict(request.headers) == {"X-APISpace-Token": "SECRET-token", "Authorization-Type": "apikey"}
    assert answer == Answer(200, b'{"code":"0"}')


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe", b'{"code":"002"}', b"[" * 100_000])
def test_a_fetched_answer_is_returned_before_it_is_parsed(body: bytes) -> None:
    """The vendor does not return the reports again."""
    assert offline("apispace", body)[0].pull_reports() == Answer(200, body)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (GatewayUnavailable("no route SECRET-token"), GatewayUnavailable),
        (GatewayUncertain("timeout SECRET-token"), GatewayUncertain),
        (Answer(500, b"SECRET-token 13800138000"), GatewayUncertain),
        (Answer(403, b"SECRET-token 13800138000"), GatewayRejected),
    ],
)
def test_a_network_error_keeps_its_class(answer: Answer | GatewayError, kind: type[GatewayError]) -> None:
    with pytest.raises(GatewayError) as raised:
        offline("apispace", answer)[0].pull_reports()

    assert type(raised.value) is kind
    assert "SECRET-token" not in repr(raised.value)
    assert "13800138000" not in repr(raised.value)


@pytest.mark.parametrize("code", ["0", 0, " 0", "000", "000 ", 200000, "200000"])
def test_a_success_code_may_be_a_number_or_text(code: object) -> None:
    assert only(read_data([ROW], code)) == REPORT


def test_the_success_codes_are_configurable_and_000_is_always_one() -> None:
    assert read_data([], 1000, success_codes="1000") == read_data([], "000", success_codes="1000") == News()
    with pytest.raises(GatewayRejected):
        read_data([], "0", success_codes="1000")


def test_reports_are_read_with_any_code() -> None:
    assert only(read_data([ROW], "unheard of")) == REPORT


@pytest.mark.parametrize(
    ("status", "outcome", "code"),
    [
        ("DELIVRD", DeliveryOutcome.DELIVERED, "DELIVRD"),
        (" DELIVRD\n", DeliveryOutcome.DELIVERED, "DELIVRD"),
        ("UNDELIV", DeliveryOutcome.UNDELIVERED, "UNDELIV"),
        ("EXPIRED", DeliveryOutcome.UNDELIVERED, "EXPIRED"),
        ("MA:0001", DeliveryOutcome.UNDELIVERED, "MA:0001"),
        ("delivrd", DeliveryOutcome.UNDELIVERED, "delivrd"),
        ("DELIVRDX", DeliveryOutcome.UNDELIVERED, "DELIVRDX"),
        (0, DeliveryOutcome.UNDELIVERED, "0"),
    ],
)
def test_only_delivrd_is_delivered(status: object, outcome: DeliveryOutcome, code: str) -> None:
    event = only(read_data([{**ROW, "status": status}]))

    assert (event.outcome, event.code) == (outcome, code)


@folded(
    "fields, attribute, expected",
    [
        ({"msgId": 17041010383624511999999999}, "remote_id", "17041010383624511999999999"),
        ({"msgId": " 17 "}, "remote_id", "17"),
        ({"msgId": "7" * 80}, "remote_id", "7" * 64),
        ({"mobile": 13800138000}, "phone", "+8613800138000"),
        ({"mobile": "8613800138000"}, "phone", "+8613800138000"),
        ({"reportTime": 1704101038}, "occurred_at", china("2017-04-10 10:38:00")),
        ({"reportTime": "170410103836"}, "occurred_at", china("2017-04-10 10:38:36")),
        ({"reportTime": "20170410103836"}, "occurred_at", china("2017-04-10 10:38:36")),
        ({"reportTime": "2017-04-10 10:38:36"}, "occurred_at", china("2017-04-10 10:38:36")),
        ({"reportTime": ""}, "occurred_at", None),
        ({"reportTime": None}, "occurred_at", None),
        ({"statusDesc": None}, "detail", ""),
        ({"statusDesc": "13800138000 关机"}, "detail", "*** 关机"),
        ({"statusDesc": "SECRET-token"}, "detail", "***"),
    ],
)
def test_a_field_is_read_in_each_format(fields: dict[str, Any], attribute: str, expected: object) -> None:
    assert getattr(only(read_data([{**ROW, **fields}])), attribute) == expected


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({**ROW, "msgId": ""}, "no id"),
        ({**ROW, "mobile": "1380013800"}, "no mainland mobile number"),
        ({**ROW, "status": " "}, "no code"),
        *(
            ({name: ROW[name] for name in ROW if name != missing}, f"no field '{missing}'")
            for missing in ("msgId", "mobile", "status")
        ),
    ],
)
def test_a_bad_row_does_not_affect_the_other_rows(bad: object, why: str) -> None:
    rows = [{**ROW, "msgId": str(n)} for n in range(50)]

    news = read_data([*rows[:25], bad, *rows[25:]])

    assert [event.remote_id for event in news.events if isinstance(event, DeliveryEvent)] == [str(n) for n in range(50)]
    (problem,) = news.problems
    assert problem.endswith(why)


@pytest.mark.parametrize("bad", [None, [], {}, "x", 7, True, [[]]])
def test_a_row_that_is_not_a_report_is_one_problem(bad: object) -> None:
    news = read_data([ROW, bad])

    assert news.events == (REPORT,)
    assert len(news.problems) == 1
    assert_storable(news)


def test_only_bad_rows_give_only_problems() -> None:
    news = read_data([{}, {**ROW, "mobile": "x"}])

    assert news == News(problems=("row 1: no field 'status'", "row 2: no mainland mobile number"))


def test_a_problem_names_its_own_row() -> None:
    news = read_data([{}, ROW, {**ROW, "msgId": ""}])

    assert news.events == (REPORT,)
    assert news.problems[0] == "row 1: no field 'status'"
    assert news.problems[1] in {"row 3: no id", "no id"}


@pytest.mark.parametrize("name", ["uid", "statusDesc", "reportTime", "notifyTime", "length"])
def test_a_report_needs_no_optional_field(name: str) -> None:
    event = only(read_data([{own: value for own, value in ROW.items() if own != name}]))

    assert (event.remote_id, event.outcome) == (REPORT.remote_id, REPORT.outcome)


@pytest.mark.parametrize("data", [[], None])
def test_an_empty_list_gives_no_events(data: object) -> None:
    assert read_data(data) == News()


@pytest.mark.parametrize(
    "data", [{"list": [], "total": 0}, {"list": [ROW]}, ROW, "none", "[]", 7, True], ids=lambda data: repr(data)[:20]
)
def test_data_that_is_not_a_list_is_uncertain(data: object) -> None:
    with pytest.raises(GatewayUncertain):
        read_data(data)


@folded(
    "body",
    [
        *(b"", b"<html>", b"[]", b"{}", b"null", b"0", b"\xff\xfe", b"[" * 100_000, b'{"code":"0"'),
        *(b'{"code":"0"}', b'{"data":[]}', b'{"code":null,"data":[]}', b'{"code":"","data":[]}'),
    ],
    ids=lambda body: repr(body[:20]),
)
def test_an_unreadable_answer_is_uncertain(body: bytes) -> None:
    with pytest.raises(GatewayUncertain):
        read(body)


@folded(
    "code, reason",
    [("001", Reason.OTHER), ("002", Reason.ACCOUNT), ("003", Reason.ACCOUNT), ("500", Reason.OTHER), (1, Reason.OTHER)],
)
@folded("name", ["errorMsg", "msg", "message", "desc"])
def test_any_other_code_is_a_refusal(code: object, reason: Reason, name: str) -> None:
    with pytest.raises(GatewayRejected) as raised:
        read(json.dumps({"code": code, name: "不行", "data": []}).encode())

    assert (str(raised.value), raised.value.reason, raised.value.error_code) == ("不行", reason, str(code))


@pytest.mark.parametrize("name", ["errorMsg", "code"])
def test_a_refusal_is_safe_to_log(name: str) -> None:
    answer = {"code": "001", name: "7\r\nforged SECRET-token 13800138000\0" + "x" * 900}

    with pytest.raises(GatewayRejected) as raised:
        read(json.dumps(answer).encode())

    assert_text(str(raised.value), 500)
    assert_text(raised.value.error_code, 64)
    for hidden in ("SECRET-token", "13800138000"):
        assert hidden not in str(raised.value) + repr(raised.value) + raised.value.error_code


def test_fifty_reports_are_far_below_the_size_limit() -> None:
    longest = {**ROW, "uid": "u" * 64, "msgId": "7" * 64, "statusDesc": "长" * 50}

    assert len(json.dumps({"code": "0", "data": [longest] * 50})) < 64 * 1024
