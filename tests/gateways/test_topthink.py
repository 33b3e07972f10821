from __future__ import annotations

from dataclasses import replace

import pytest

from django_smsverify.gateways.topthink import TopThinkGateway
from django_smsverify.testing import GatewayContract
from django_smsverify.types import OutgoingSMS

from .calls import pushes_of
from .support import ACCEPTED, HONG_KONG, Harness, body_of, sms, verdict

URL = "https://api.topthink.com/sms/send"
FIELDS = "signId=78&templateId=234&phone=15687902345&params=%7B%22code%22%3A%227865%22%7D"
SMS = sms("您的验证码是{code}。", "+8615687902345", code="7865")
HARNESS = Harness(kind=TopThinkGateway, credentials={"app_code": "APPCODE"}, sms=SMS)


class TestContract(GatewayContract):
    gateway_class = TopThinkGateway
    accepted = ACCEPTED["topthink"].encode()
    refused = '{"code":1,"message":"参数错误","data":null}'.encode()
    pushed = pushes_of("topthink")


class TestContractByGet(TestContract):
    options = {"http_method": "GET", "auth": "query"}


def test_with_get_all_fields_are_in_the_query() -> None:
    request = HARNESS.request(http_method="GET", auth="query")

    assert (request.method, request.url) == ("GET", f"{URL}?appCode=APPCODE&{FIELDS}")
    assert request.body is None
    assert dict(request.headers) == {}


def test_by_default_key_number_and_code_are_not_in_the_url() -> None:
    request = HARNESS.request()

    assert (request.method, request.url) == ("POST", URL)
    assert body_of(request) == FIELDS
    assert dict(request.headers) == {
        "Authorization": "AppCode APPCODE",
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": str(len(FIELDS)),
    }


def test_post_with_the_key_in_the_form() -> None:
    request = HARNESS.request(http_method="POST", auth="query")

    assert (request.method, request.url) == ("POST", URL)
    assert body_of(request) == f"appCode=APPCODE&{FIELDS}"
    assert "Authorization" not in request.headers


def test_get_with_the_key_in_the_header() -> None:
    request = HARNESS.request(http_method="GET", auth="header")

    assert (request.method, request.url) == ("GET", f"{URL}?{FIELDS}")
    assert dict(request.headers) == {"Authorization": "AppCode APPCODE"}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_template_without_variables_is_sent_without_params(method: str) -> None:
    request = HARNESS.request(sms("系统维护已完成。", "+8615687902345"), http_method=method, auth="header")

    sent = body_of(request) or str(request.url).partition("?")[2]
    assert sent == "signId=78&templateId=234&phone=15687902345"


@pytest.mark.parametrize(
    ("text", "params"),
    [
        (replace(SMS, variables={"code": "yzm"}), "%7B%22yzm%22%3A%227865%22%7D"),
        (
            replace(sms("{code}，{minutes}", "+8615687902345", code="7865", minutes="5"), variables={"code": "yzm"}),
            "%7B%22yzm%22%3A%227865%22%2C%22minutes%22%3A%225%22%7D",
        ),
        (sms("{name}，您好", "+8615687902345", name="张三"), "%7B%22name%22%3A%22%E5%BC%A0%E4%B8%89%22%7D"),
        (sms("{name}，您好", "+8615687902345", name='"&='), "%7B%22name%22%3A%22%5C%22%26%3D%22%7D"),
        (sms("{code}，{code}", "+8615687902345", code="7865"), "%7B%22code%22%3A%227865%22%7D"),
    ],
    ids=["renamed", "one of two renamed", "Chinese", "quoted and reserved", "repeated"],
)
def test_values_are_sent_as_one_json_object_with_the_vendors_names(text: OutgoingSMS, params: str) -> None:
    request = HARNESS.request(text, http_method="POST")

    assert body_of(request).partition("&params=")[2] == params


@pytest.mark.parametrize(
    ("answer", "remote_id"),
    [
        (ACCEPTED["topthink"], "6055df2f45e10"),
        ('{"code":"0","message":"发送成功","data":{"id":"6055df2f45e10"}}', "6055df2f45e10"),
        ('{"code":"0 ","message":"","data":{"id":471}}', "471"),
        ('{"code":0,"data":{"id":60550756789012345678901234567890}}', "60550756789012345678901234567890"),
        ('{"code":0,"data":{"id":1704101038362451100.10}}', "1704101038362451100.10"),
        ('{"code":0,"message":"发送成功","data":null}', ""),
        ('{"code":0,"message":"发送成功","data":[]}', ""),
        ('{"code":0,"message":"发送成功"}', ""),
        ("\ufeff" + ACCEPTED["topthink"], "6055df2f45e10"),
    ],
    ids=["int", "str", "space", "long id", "digits as sent", "null data", "list data", "no data", "BOM"],
)
def test_code_0_is_accepted_as_a_number_or_text(answer: str, remote_id: str) -> None:
    assert verdict(HARNESS.outcome(answer)) == ("accepted", remote_id)


@pytest.mark.parametrize(("code", "expected"), [("1", "1"), ("-1", "-1"), ('"40001"', "40001"), ('"E 7 "', "E 7")])
def test_any_other_code_is_kept_with_the_reason_other(code: str, expected: str) -> None:
    outcome = HARNESS.outcome(f'{{"code":{code},"message":"模板不存在 ","data":null}}')

    assert verdict(outcome) == ("rejected", "other", expected)
    assert str(outcome) == "模板不存在"


@pytest.mark.parametrize(
    "answer", ['{"message":"发送成功"}', '{"code":null}', '{"code":""}', '{"code":00}', '"0"', "0", "发送成功"]
)
def test_an_answer_without_a_code_is_uncertain(answer: str) -> None:
    assert verdict(HARNESS.outcome(answer)) == ("uncertain",)


def test_a_number_outside_the_mainland_is_refused_unsent() -> None:
    assert HARNESS.refused_unsent(sms("{code}", HONG_KONG, code="7865")) == ("rejected", "other", "not-mainland")
