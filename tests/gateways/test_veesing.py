from __future__ import annotations

import json

import pytest

from django_smsverify.gateways.veesing import VeeSingGateway
from django_smsverify.testing import GatewayContract
from django_smsverify.types import OutgoingSMS
from tests.folding import folded

from .calls import pushes_of
from .support import ACCEPTED, HONG_KONG, Harness, body_of, sms, verdict

REFUSED = '{"returnStatus":"0","message":"参数错误","remainPoint":null,"taskId":null,"successCounts":null}'
SMS = OutgoingSMS(content="验证码{code}。", template_id="540", recipients={"+8615600001090": {"code": "1234"}})
HARNESS = Harness(kind=VeeSingGateway, credentials={"app_id": "2RYN7CQHL1M0000", "app_key": "WVNA4A00000"}, sms=SMS)


class TestContract(GatewayContract):
    gateway_class = VeeSingGateway
    accepted = ACCEPTED["veesing"].encode()
    refused = REFUSED.encode()
    pushed = pushes_of("veesing")


def test_the_request_is_a_posted_form() -> None:
    request = HARNESS.request()

    body = "appId=2RYN7CQHL1M0000&appKey=WVNA4A00000&phone=15600001090&templateId=540&variables=1234"
    assert (request.method, request.url) == ("POST", "https://cloud.10658.com.cn/smsApi/verifyCode")
    assert body_of(request) == body
    assert dict(request.headers) == {
        "Content-Type": "application/x-www-form-urlencoded;charset=utf-8",
        "Content-Length": str(len(body)),
    }


@pytest.mark.parametrize("status", ['"1 "', '"1"', "1", '" 1"'])
def test_status_1_is_accepted_as_a_number_or_text(status: str) -> None:
    answer = f'{{"returnStatus":{status},"message":"成功","remainPoint":"241","taskId":"3313746","successCounts":"1"}}'

    assert verdict(HARNESS.outcome(answer)) == ("accepted", "3313746")


@pytest.mark.parametrize(
    ("answer", "remote_id"),
    [
        ('{"returnStatus":"1 ","taskId":33137460000000000000000001}', "33137460000000000000000001"),
        ('{"returnStatus":"1 ","message":"成功","remainPoint":null,"taskId":null,"successCounts":null}', ""),
        ('{"returnStatus":"1 "}', ""),
        ("\ufeff" + ACCEPTED["veesing"], "3313746"),
    ],
    ids=["number", "null", "missing", "BOM"],
)
def test_the_task_id_is_text(answer: str, remote_id: str) -> None:
    assert verdict(HARNESS.outcome(answer)) == ("accepted", remote_id)


@folded(
    "message, reason",
    [
        ("账号或密码错误", "account"),
        ("缺少参数", "other"),
        ("参数错误", "other"),
        ("模板不存在或者未通过", "content"),
        ("模板id格式不正确", "content"),
        ("模板ｉｄ格式不正确", "content"),
        ("您的账户已被锁定，请联系您的专属客服", "account"),
        ("您的账户已被锁定,请联系您的专属客服", "account"),
        ("余额不足", "account"),
        ("余额不足！", "account"),
        ("手机号码格式不正确", "recipient"),
        ("该号码今日发送次数已达上限", "frequency"),
        ("相同手机号码一分钟之内只可发送一次", "frequency"),
        ("当日发送量已超出最大发送限制", "rate"),
        ("IP受限", "account"),
        ("ＩＰ受限", "account"),
        ("未知原因，请联系客服", "other"),
        ("未知原因,请联系客服", "other"),
        ("系统升级中", "other"),
    ],
)
def test_the_reason_of_a_refusal_follows_from_its_message(message: str, reason: str) -> None:
    outcome = HARNESS.outcome(json.dumps({"returnStatus": "0", "message": message, "taskId": None}))

    assert verdict(outcome) == ("rejected", reason, "0")
    assert str(outcome) == message


@pytest.mark.parametrize("answer", [REFUSED, '{"returnStatus":0}', '{"returnStatus":"0 ","message":null}'])
def test_status_0_is_a_refusal_even_without_a_message(answer: str) -> None:
    assert verdict(HARNESS.outcome(answer)) == ("rejected", "other", "0")


@pytest.mark.parametrize(
    "answer",
    ['{"returnStatus":"2000","message":"成功"}', '{"returnStatus":null}', '{"message":"成功"}', "<html></html>", ""],
    ids=["code of 2018", "null", "missing", "HTML", "empty"],
)
def test_any_other_status_is_uncertain(answer: str) -> None:
    assert verdict(HARNESS.outcome(answer)) == ("uncertain",)


@pytest.mark.parametrize("code", ["12", "12345678", "0000"])
def test_two_to_eight_digits_are_accepted(code: str) -> None:
    request = HARNESS.request(sms("{code}", code=code))

    assert body_of(request).endswith(f"&variables={code}")


@pytest.mark.parametrize("code", ["", "1", "123456789", "12a4", "12 34", "1234\n", "１２３４", "٣٤٥٦", "-123", "1;2"])
def test_anything_but_two_to_eight_digits_is_refused_unsent(code: str) -> None:
    assert HARNESS.refused_unsent(sms("{code}", code=code)) == ("rejected", "content", "value")


@pytest.mark.parametrize("content", ["系统维护已完成。", "{code}，{minutes}分钟内有效。", "{code}{code}"])
def test_a_text_without_exactly_one_variable_is_refused_unsent(content: str) -> None:
    text = sms(content, code="1234", minutes="55")

    assert HARNESS.refused_unsent(text) == ("rejected", "content", "template")


def test_a_number_outside_the_mainland_is_refused_unsent() -> None:
    assert HARNESS.refused_unsent(sms("{code}", HONG_KONG, code="1234")) == ("rejected", "other", "not-mainland")
