from __future__ import annotations

import json
from dataclasses import replace

import pytest

from django_smsverify.gateways.apispace import APISpaceGateway
from django_smsverify.testing import GatewayContract
from django_smsverify.types import OutgoingSMS
from tests.folding import folded

from .support import ACCEPTED, HONG_KONG, Harness, body_of, sms, verdict

REFUSED = '{"code":"130","msgId":"","time":"20170410103836","errorMsg":"请求参数错误"}'
FIRST, SECOND = "+8615800000000", "+8613800000000"
SMS = OutgoingSMS(
    content="您的验证码是：{code}，5分钟内有效。如非本人操作，请忽略。",
    signature="Eolinker",
    recipients={"+8613800138000": {"code": "1234"}},
)
HARNESS = Harness(kind=APISpaceGateway, credentials={"token": "TEST-TOKEN"}, sms=SMS)
BATCH = replace(SMS, recipients={FIRST: {"code": "1234"}, SECOND: {"code": "4321"}})


class TestContract(GatewayContract):
    gateway_class = APISpaceGateway
    accepted = ACCEPTED["apispace"].encode()
    refused = REFUSED.encode()


class TestContractInTheEnvelope(TestContract):
    accepted = b'{"code":"200000","msg":"success","data":{"code":"0","msgId":"17041010383624511"}}'
    refused = b'{"code":"200000","msg":"success","data":{"code":"130","errorMsg":"no"}}'


def body(msg: str, params: str) -> str:
    return json.dumps({"msg": msg, "params": params, "sendtime": "", "extend": "", "uid": ""})


def test_the_request_is_posted_json_with_the_token_in_a_header() -> None:
    request = HARNESS.request()

    sent = body("【Eolinker】您的验证码是：{$var}，5分钟内有效。如非本人操作，请忽略。", "13800138000,1234")
    assert (request.method, request.url) == ("POST", "https://eolink.o.apispace.com/sms-code/verifycode")
    assert body_of(request) == sent
    assert dict(request.headers) == {
        "X-APISpace-Token": "TEST-TOKEN",
        "Authorization-Type": "apikey",
        "Content-Type": "application/json",
        "Content-Length": str(len(sent)),
    }


@pytest.mark.parametrize(
    ("text", "msg", "params"),
    [
        (
            BATCH,
            "【Eolinker】您的验证码是：{$var}，5分钟内有效。如非本人操作，请忽略。",
            "15800000000,1234;13800000000,4321",
        ),
        (
            sms("{code}，{minutes}分钟内有效，{code}", code="1234", minutes="5"),
            "【示例站】{$var}，{$var}分钟内有效，{$var}",
            "13800138000,1234,5,1234",
        ),
        (sms("{name}，您好", name="张 三"), "【示例站】{$var}，您好", "13800138000,张 三"),
        (sms("维护完成", FIRST, SECOND), "【示例站】维护完成", "15800000000;13800000000"),
        (replace(SMS, content="{code}", signature=""), "{$var}", "13800138000,1234"),
    ],
    ids=["two numbers", "several values", "Chinese", "no values", "no signature"],
)
def test_values_are_positional_in_a_group_for_each_number(text: OutgoingSMS, msg: str, params: str) -> None:
    assert body_of(HARNESS.request(text)) == body(msg, params)


@pytest.mark.parametrize("value", ["12,34", "12;34", ",", ";"])
def test_a_value_with_a_separator_is_refused_unsent(value: str) -> None:
    assert HARNESS.refused_unsent(sms("{name}", name=value)) == ("rejected", "content", "value")


@pytest.mark.parametrize(
    ("other", "values", "why"),
    [(SECOND, {"code": "4;1"}, ("content", "value")), (HONG_KONG, {"code": "4321"}, ("other", "not-mainland"))],
)
def test_a_number_that_is_refused_unsent_does_not_affect_the_others(
    other: str, values: dict[str, str], why: tuple[str, str]
) -> None:
    text = replace(BATCH, recipients={FIRST: {"code": "1234"}, other: values})

    outcomes = HARNESS.outcomes(ACCEPTED["apispace"], text)

    assert verdict(outcomes[FIRST])[0] == "accepted"
    assert verdict(outcomes[other]) == ("rejected", *why)
    assert json.loads(body_of(HARNESS.request(text)))["params"] == "15800000000,1234"


def test_full_width_separators_are_ordinary_characters() -> None:
    assert '13800138000,\\uff0c\\uff1b"' in body_of(HARNESS.request(sms("{name}", name="，；")))


@folded(
    "answer, remote_id",
    [
        (ACCEPTED["apispace"], "17041010383624511"),
        ('{"code":0,"msgId":17041010383624511999999999}', "17041010383624511999999999"),
        ('{"code":"0 ","msgid":"17"}', "17"),
        ('{"code":"0","msgId":"17","failNum":0,"successNum":1}', "17"),
        ('{"code":"0","msgId":"17","failNum":null}', "17"),
        ('{"code":"200000","msgId":"17"}', "17"),
        ('{"code":200000,"msg":"success","data":{"msgId":"17"}}', "17"),
        ('{"code":200000,"data":{"msgid":"17"}}', "17"),
        ('{"code":"200000","data":{"code":0,"msgId":"17","failNum":"0"}}', "17"),
        ('{"data":{"code":"0","msgId":"17"}}', "17"),
        ('{"code":"200000","data":null}', ""),
        ('{"code":"0","data":[]}', ""),
        ("\ufeff" + ACCEPTED["apispace"], "17041010383624511"),
    ],
)
def test_a_success_code_with_no_failures_is_accepted(answer: str, remote_id: str) -> None:
    assert verdict(HARNESS.outcome(answer)) == ("accepted", remote_id)


@folded(
    "code, reason",
    [("001", "other"), ("002", "account"), ("003", "account"), ("500", "other"), ("130", "other"), ("109", "other")],
)
@folded("shape", ['{{"code":"{}","errorMsg":"不行"}}', '{{"code":200000,"data":{{"code":"{}"}}}}'])
def test_any_other_code_outside_or_inside_the_envelope_is_refused(shape: str, code: str, reason: str) -> None:
    assert verdict(HARNESS.outcome(shape.format(code))) == ("rejected", reason, code)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (REFUSED, "请求参数错误"),
        ('{"code":"130","msg":"甲"}', "甲"),
        ('{"code":"130","message":"甲"}', "甲"),
        ('{"code":"130","desc":"甲"}', "甲"),
        ('{"code":"130","errorMsg":"甲","msg":"乙","message":"丙"}', "甲"),
        ('{"code":"130","errorMsg":"","msg":"乙"}', "乙"),
        ('{"code":"200000","msg":"success","data":{"code":"130","errorMsg":"甲"}}', "甲"),
        ('{"code":"130"}', ""),
    ],
)
def test_a_refusal_has_the_message_of_the_vendor(answer: str, message: str) -> None:
    assert str(HARNESS.outcome(answer)) == message


@pytest.mark.parametrize("shape", ["{}", '{{"code":"0","data":{}}}'], ids=["flat", "in the envelope"])
def test_a_success_code_with_only_failed_numbers_is_refused(shape: str) -> None:
    counted = '{"code":"0","failNum":"1","successNum":"0","msgId":"17","errorMsg":"号码错误"}'
    outcome = HARNESS.outcome(shape.format(counted))

    assert verdict(outcome) == ("rejected", "other", "0")
    assert str(outcome) == "号码错误"


def test_a_partly_failed_batch_is_uncertain_for_all_and_keeps_its_id() -> None:
    outcomes = HARNESS.outcomes('{"code":"0","failNum":1,"successNum":1,"msgId":"17"}', BATCH)

    assert [(*verdict(found), getattr(found, "remote_id", None)) for found in outcomes.values()] == [
        ("uncertain", "17"),
        ("uncertain", "17"),
    ]


def test_a_batch_shares_one_id() -> None:
    outcomes = HARNESS.outcomes('{"code":"0","failNum":0,"successNum":2,"msgId":"17"}', BATCH)

    assert {phone: verdict(found) for phone, found in outcomes.items()} == {
        FIRST: ("accepted", "17"),
        SECOND: ("accepted", "17"),
    }


@pytest.mark.parametrize(
    "answer",
    [
        '{"msg":"success"}',
        '{"data":{"msgId":"17"}}',
        '{"code":"130","msgId":"17"}',
        '{"code":"200000","data":{"code":"999","msgId":"17"}}',
        '{"code":null,"msg":"?"}',
        '{"code":"","msg":"?"}',
    ],
    ids=["no code", "id without code", "refusal with id", "inner refusal with id", "null code", "blank code"],
)
def test_an_unclear_answer_is_uncertain(answer: str) -> None:
    assert verdict(HARNESS.outcome(answer)) == ("uncertain",)


@pytest.mark.parametrize(
    ("success_codes", "answer", "expected"),
    [
        ("0,200000,1000", '{"code":1000,"msgId":"17"}', ("accepted", "17")),
        (" 1000 , 0 ", '{"code":"1000","msgId":"17"}', ("accepted", "17")),
        ("200000", '{"code":"0","errorMsg":"?"}', ("rejected", "other", "0")),
        ("", '{"code":"200000","msgId":"17"}', ("accepted", "17")),
        ("0,", '{"code":null,"msg":"?"}', ("uncertain",)),
    ],
)
def test_the_success_codes_are_configurable(success_codes: str, answer: str, expected: tuple[str, ...]) -> None:
    assert verdict(HARNESS.outcome(answer, success_codes=success_codes)) == expected


def test_a_number_outside_the_mainland_is_refused_unsent() -> None:
    assert HARNESS.refused_unsent(sms("{code}", HONG_KONG, code="1234")) == ("rejected", "other", "not-mainland")
