"""Queries to TopThink for the status of a message and of a review."""

from __future__ import annotations

import json
from typing import Any

import pytest
from requests import PreparedRequest

from django_smsverify.enums import DeliveryOutcome, Reason, ReviewStatus, Submission
from django_smsverify.exceptions import GatewayError, GatewayRejected, GatewayUnavailable, GatewayUncertain
from django_smsverify.types import Answer, DeliveryEvent, ReviewEvent
from tests.folding import folded

from .calls import china
from .storable import assert_text
from .support import body_of, offline, sent

ID, PHONE = "6055075678d9", "+8613509898765"
URL = "https://api.topthink.com/sms"
MESSAGE = {
    "id": ID,
    "phone": 13509898765,
    "content": "短信内容",
    "sendDate": "2021-04-20 04:19:33",
    "reveiveDate": "2021-04-20 04:21:30",
    "status": 1,
    "message": "",
}
SIGN = {
    "id": "471",
    "user_id": "1",
    "name": "顶想云",
    "remark": "用于顶想云服务短信通知和验证码",
    "status": 2,
    "error": "请提供网址或公众号",
    "create_time": "2022-02-13 22:28:04",
    "update_time": "2022-02-13 22:28:04",
}
DELIVERED = DeliveryEvent(
    remote_id=ID,
    phone=PHONE,
    outcome=DeliveryOutcome.DELIVERED,
    code="1",
    occurred_at=china("2021-04-20 04:21:30"),
    payload={
        "id": ID,
        "phone": "13509898765",
        "sendDate": "2021-04-20 04:19:33",
        "reveiveDate": "2021-04-20 04:21:30",
        "status": "1",
        "message": "",
    },
)
GARBAGE = [
    b"",
    b"\xff\xfe",
    b"<html>502</html>",
    b"[]",
    b"{}",
    b"null",
    b"0",
    b"[" * 100_000,
    b'{"message":"ok","data":{}}',
    b'{"code":null,"data":{}}',
    b'{"code":"","data":{}}',
    b'{"code":0}',
    b'{"code":0,"data":null}',
    b'{"code":0,"data":[]}',
    b'{"code":0,"data":"6055075678d9"}',
    b'{"code":0,"data":{}}',
]
NETWORK: list[tuple[Answer | GatewayError, type[GatewayError]]] = [
    (GatewayUnavailable("no route"), GatewayUnavailable),
    (GatewayUncertain("timeout"), GatewayUncertain),
    (Answer(500, b"{}"), GatewayUncertain),
    (Answer(502, b"<html>"), GatewayUncertain),
    (Answer(302, b""), GatewayRejected),
    (Answer(404, b""), GatewayRejected),
]
each_request_format = pytest.mark.parametrize(
    ("options", "method", "query", "body", "authorization"),
    [
        ({"http_method": "GET", "auth": "query"}, "GET", "?appCode=SECRET-app_code&id={}", "", None),
        ({"http_method": "GET"}, "GET", "?id={}", "", "AppCode SECRET-app_code"),
        ({"auth": "query"}, "POST", "", "appCode=SECRET-app_code&id={}", None),
        ({}, "POST", "", "id={}", "AppCode SECRET-app_code"),
    ],
    ids=["GET query", "GET header", "POST form", "POST header"],
)


def envelope(data: object, code: object = 0) -> bytes:
    return json.dumps({"code": code, "message": "查询成功", "data": data}, ensure_ascii=False).encode()


def message(**fields: Any) -> bytes:
    return envelope({**MESSAGE, **fields})


def status(answer: bytes | Answer | GatewayError) -> DeliveryEvent | None:
    return offline("topthink", answer)[0].ask_status(sent(ID, PHONE))


def review(submission: Submission, answer: bytes | Answer | GatewayError) -> ReviewEvent:
    return offline("topthink", answer)[0].ask_review(submission, "471")


def assert_asked(request: PreparedRequest, path: str, method: str, query: str, body: str, header: str | None) -> None:
    assert (request.method, request.url) == (method, f"{URL}/{path}{query}")
    assert body_of(request) == body
    assert request.headers.get("Authorization") == header


@each_request_format
def test_a_status_query_uses_the_configured_method_and_auth(
    options: dict[str, str], method: str, query: str, body: str, authorization: str | None
) -> None:
    gateway, requests = offline("topthink", message(), **options)

    assert gateway.ask_status(sent(ID, PHONE)) == DELIVERED

    (request,) = requests
    assert_asked(request, "query_status", method, query.format(ID), body.format(ID), authorization)


@each_request_format
@pytest.mark.parametrize(
    ("submission", "path"), [(Submission.SIGNATURE, "query_sign"), (Submission.TEMPLATE, "query_template")]
)
def test_a_review_query_uses_the_configured_method_and_auth(
    submission: Submission,
    path: str,
    options: dict[str, str],
    method: str,
    query: str,
    body: str,
    authorization: str | None,
) -> None:
    gateway, requests = offline("topthink", envelope({**SIGN, "content": "订单${no}已发货"}), **options)

    event = gateway.ask_review(submission, "471")

    (request,) = requests
    assert_asked(request, path, method, query.format("471"), body.format("471"), authorization)
    is_template = submission == Submission.TEMPLATE
    assert event == ReviewEvent(
        submission=submission,
        remote_id="471",
        status=ReviewStatus.REJECTED,
        reason="请提供网址或公众号",
        remark="用于顶想云服务短信通知和验证码",
        text="订单{no}已发货" if is_template else "顶想云",
        name="顶想云" if is_template else "",
    )


def test_an_id_is_escaped_in_the_url() -> None:
    gateway, requests = offline("topthink", b"", http_method="GET")
    with pytest.raises(GatewayUncertain):
        gateway.ask_status(sent("a&id=b c/../", PHONE))

    assert requests[0].url == f"{URL}/query_status?id=a%26id%3Db+c%2F..%2F"


@pytest.mark.parametrize("spelling", ["{}", " {} ", None])
@pytest.mark.parametrize(("number", "outcome"), [(1, DeliveryOutcome.DELIVERED), (-1, DeliveryOutcome.UNDELIVERED)])
def test_a_message_is_delivered_or_undelivered(spelling: str | None, number: int, outcome: DeliveryOutcome) -> None:
    event = status(message(status=spelling.format(number) if spelling else number, message="空号"))

    assert event is not None
    assert (event.outcome, event.code, event.detail) == (outcome, str(number), "空号")


@pytest.mark.parametrize("under_way", [0, "0", "0 "])
def test_a_message_under_way_gives_no_event(under_way: object) -> None:
    assert status(message(status=under_way)) is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"reveiveDate": None}, None),
        ({"reveiveDate": "0000-00-00 00:00:00"}, None),
        ({"reveiveDate": "", "receiveDate": "2021-04-20 04:21:31"}, "2021-04-20 04:21:31"),
    ],
)
def test_the_delivery_time_may_be_missing_or_spelled_correctly(fields: dict[str, Any], expected: str | None) -> None:
    event = status(message(**fields))

    assert event is not None
    assert event.occurred_at == (expected and china(expected))


@pytest.mark.parametrize("code", [0, "0", " 0 "])
def test_code_0_may_be_a_number_or_text(code: object) -> None:
    assert status(envelope(MESSAGE, code)) == DELIVERED
    assert review(Submission.SIGNATURE, envelope(SIGN, code)).status == ReviewStatus.REJECTED


@pytest.mark.parametrize("code", [1, "1", -1, "40001"])
def test_any_other_code_is_a_refusal(code: object) -> None:
    answer = json.dumps({"code": code, "message": "任务不存在", "data": MESSAGE}).encode()

    for ask in (lambda: status(answer), lambda: review(Submission.TEMPLATE, answer)):
        with pytest.raises(GatewayRejected) as raised:
            ask()
        assert (str(raised.value), raised.value.error_code, raised.value.reason) == (
            "任务不存在",
            str(code),
            Reason.OTHER,
        )


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "6055075678d8"},
        {"id": "6055075678d"},
        {"id": "6055075678D9"},
        {"id": ""},
        {"id": None},
        {"phone": "13509898764"},
        {"phone": "1350989876"},
        {"phone": "+85261234567"},
        {"phone": None},
    ],
)
def test_an_answer_about_another_message_is_uncertain(fields: dict[str, Any]) -> None:
    with pytest.raises(GatewayUncertain):
        status(message(**fields))


@pytest.mark.parametrize("submission", Submission)
@pytest.mark.parametrize("remote_id", ["472", "47", "", None])
def test_an_answer_about_another_submission_is_uncertain(submission: Submission, remote_id: object) -> None:
    with pytest.raises(GatewayUncertain):
        review(submission, envelope({**SIGN, "id": remote_id}))


@pytest.mark.parametrize("remote_id", [471, " 471 "])
def test_the_id_in_an_answer_may_be_a_number(remote_id: object) -> None:
    assert review(Submission.SIGNATURE, envelope({**SIGN, "id": remote_id})).remote_id == "471"


@folded("answer", GARBAGE, ids=lambda answer: repr(answer[:20]))
def test_an_unreadable_answer_is_uncertain(answer: bytes) -> None:
    with pytest.raises(GatewayUncertain):
        status(answer)
    for submission in Submission:
        with pytest.raises(GatewayUncertain):
            review(submission, answer)


@pytest.mark.parametrize("unknown", [2, 3, "", None, True, "ok", []])
def test_an_unknown_status_of_a_message_is_uncertain(unknown: object) -> None:
    with pytest.raises(GatewayUncertain):
        status(message(status=unknown))


@pytest.mark.parametrize("unknown", [3, "", None, True, "ok", []])
def test_an_unknown_status_of_a_review_is_uncertain(unknown: object) -> None:
    with pytest.raises(GatewayUncertain):
        review(Submission.SIGNATURE, envelope({**SIGN, "status": unknown}))


@pytest.mark.parametrize("missing", ["id", "phone", "status"])
def test_an_answer_without_a_needed_field_is_uncertain(missing: str) -> None:
    with pytest.raises(GatewayUncertain):
        status(envelope({name: value for name, value in MESSAGE.items() if name != missing}))


@folded("submission", Submission)
@folded(
    "number, expected",
    [
        (0, ReviewStatus.PENDING),
        (1, ReviewStatus.APPROVED),
        (2, ReviewStatus.REJECTED),
        (-1, ReviewStatus.REJECTED),
        ("1 ", ReviewStatus.APPROVED),
    ],
)
@folded("error, reason", [(None, ""), ("", ""), (" 缺公章 ", "缺公章")])
def test_each_status_of_a_review_is_read(
    submission: Submission, number: object, expected: ReviewStatus, error: str | None, reason: str
) -> None:
    event = review(submission, envelope({**SIGN, "status": number, "error": error}))

    assert (event.submission, event.remote_id, event.status, event.reason) == (submission, "471", expected, reason)


@pytest.mark.parametrize(("answer", "kind"), NETWORK, ids=str)
def test_a_network_error_keeps_its_class(answer: Answer | GatewayError, kind: type[GatewayError]) -> None:
    for ask in (lambda: status(answer), lambda: review(Submission.SIGNATURE, answer)):
        with pytest.raises(GatewayError) as raised:
            ask()
        assert type(raised.value) is kind


@pytest.mark.parametrize(
    ("http", "reason"),
    [(401, Reason.ACCOUNT), (402, Reason.ACCOUNT), (403, Reason.ACCOUNT), (429, Reason.RATE), (400, Reason.OTHER)],
)
def test_an_http_refusal_has_a_reason(http: int, reason: Reason) -> None:
    with pytest.raises(GatewayRejected) as raised:
        status(Answer(http, b"no"))

    assert (raised.value.reason, raised.value.error_code) == (reason, str(http))


@pytest.mark.parametrize(
    "answer",
    [
        json.dumps({"code": "7", "message": "{} {} {}"}).encode(),
        Answer(500, b"{} {} {}"),
        Answer(403, b"{}\r\n{}\0{}"),
        GatewayUncertain("{} {} {}"),
        GatewayUnavailable("/sms/query_status?appCode={}&phone={} {}"),
        message(id="{} {} {}"),
        message(status="{} {} {}"),
        message(phone="{} {} {}"),
    ],
    ids=["refusal", "500", "403", "uncertain", "unavailable", "id", "status", "phone"],
)
def test_an_error_has_neither_secret_nor_number(answer: bytes | Answer | GatewayError) -> None:
    with pytest.raises(GatewayError) as raised:
        status(with_secrets(answer))

    error = raised.value
    assert_text(str(error), 500)
    for hidden in ("SECRET-app_code", "13509898765"):
        assert hidden not in repr(error) + str(error) + repr(error.args)
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize("code", ["7\r\nforged", "SECRET-app_code", "8613509898765", "9" * 100, "\x1b[31m"])
def test_the_vendors_code_is_safe_to_log(code: str) -> None:
    with pytest.raises(GatewayRejected) as raised:
        status(envelope(None, code))

    assert_text(raised.value.error_code, 64)
    assert "SECRET-app_code" not in raised.value.error_code
    assert "13509898765" not in raised.value.error_code


def test_a_long_refusal_message_is_cut() -> None:
    with pytest.raises(GatewayRejected) as raised:
        status(json.dumps({"code": 1, "message": "长" * 600}).encode())

    assert str(raised.value) == "长" * 500


def test_the_texts_of_an_event_have_neither_secret_nor_number() -> None:
    event = status(message(status=-1, message="key SECRET-app_code, 13509898765 空号"))
    verdict = review(Submission.SIGNATURE, envelope({**SIGN, "error": "key SECRET-app_code"}))

    assert event is not None
    assert event.detail == "key ***, *** 空号"
    assert event.payload["message"] == "key ***, 13509898765 空号"
    assert verdict.reason == "key ***"


def with_secrets(answer: bytes | Answer | GatewayError) -> bytes | Answer | GatewayError:
    """The answer with secrets and numbers, which an error must not show, instead of its braces."""
    hidden = ("SECRET-app_code", PHONE, PHONE[3:])
    if isinstance(answer, GatewayError):
        return type(answer)(str(answer.detail).format(*hidden))
    body = answer.content if isinstance(answer, Answer) else answer
    for one in hidden:
        body = body.replace(b"{}", one.encode(), 1)
    return Answer(answer.status, body) if isinstance(answer, Answer) else body
