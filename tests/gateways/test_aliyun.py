from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import pytest

from django_smsverify.enums import DeliveryOutcome, Reason, ReviewStatus, Submission
from django_smsverify.exceptions import GatewayRejected, GatewayUncertain, InvalidCallback
from django_smsverify.gateways.aliyun import AliyunGateway
from django_smsverify.gateways.aliyun.api import authorization
from django_smsverify.gateways.aliyun.identity import AliyunPnvsGateway
from django_smsverify.gateways.base import Gateway
from django_smsverify.testing import FakeTransport, GatewayContract
from django_smsverify.types import Account, Answer, DeliveryEvent, Draft, OutgoingSMS, Push, ReplyEvent, ReviewEvent
from tests.conftest import PHONE
from tests.folding import folded

from .support import HONG_KONG, JSON, Harness, sent, sms, verdict

KEYS = {"access_key_id": "testId", "access_key_secret": "testSecret"}
OWN_ID = "0198f3c55e7a7f3e9d1c6b2a40d8e715"
SMS = OutgoingSMS(
    content="您的验证码是{code}。",
    signature="阿里云短信测试",
    template_id="SMS_154950909",
    recipients={PHONE: {"code": "1234"}},
)
HARNESS = Harness(kind=AliyunGateway, credentials=KEYS, sms=SMS)
PNVS = Harness(kind=AliyunPnvsGateway, credentials=KEYS, sms=SMS)
BIZ_ID = "9006197469364984^0"
ACCEPTED = '{"Code":"OK","Message":"OK","BizId":"9006197469364984^0","RequestId":"F655A8D5"}'
REFUSED = '{"Message":"触发天级流控Permits:10","RequestId":"2330","Code":"isv.BUSINESS_LIMIT_CONTROL"}'
REPORT = (
    '[{"phone_number":"13800138000","send_time":"2026-11-21 08:00:00","report_time":"2026-11-21 08:00:03",'
    '"success":true,"err_code":"DELIVERED","err_msg":"用户接收成功","sms_size":"1","biz_id":"9006197469364984^0","out_id":"42"}]'
)
REPLY = '[{"phone_number":"13800138000","content":"TD","send_time":"2026-11-21 09:00:00","dest_code":"1069"}]'
SIGN = '[{"sign_name":"示例站","sign_status":"approved","reason":null,"orderId":"1"}]'
TEMPLATE = (
    '[{"template_code":"SMS_1","template_status":"rejected","reason":"变量不符合规范","template_name":"登录",'
    '"template_content":"验证码${code}。","template_type":"验证码","orderId":"2","remark":"登录"}]'
)


def said(code: str, **fields: Any) -> bytes:
    return json.dumps({"Code": code, "Message": "the vendor's words", "RequestId": "1", **fields}).encode()


def push(body: str) -> Push:
    return Push(content_type="application/json; charset=utf-8", headers={}, body=body.encode())


class TestContract(GatewayContract):
    gateway_class = AliyunGateway
    accepted = ACCEPTED.encode()
    refused = REFUSED.encode()
    refusals = {
        Reason.ACCOUNT: Answer(404, said("InvalidAccessKeyId.NotFound")),
        Reason.CONTENT: said("isv.SMS_TEMPLATE_ILLEGAL"),
        Reason.RECIPIENT: said("isv.MOBILE_NUMBER_ILLEGAL"),
        Reason.FREQUENCY: REFUSED.encode(),
        Reason.RATE: Answer(400, said("Throttling.User")),
        Reason.OTHER: said("isv.SOMETHING_NEW"),
    }
    uncertain = (said("isp.SYSTEM_ERROR"), said("isp.GATEWAY_ERROR"), Answer(503, said("ServiceUnavailable")))
    pushed = (push(REPORT), push(REPLY), push(SIGN), push(TEMPLATE))
    options = {"qualification_id": "1001"}


class TestContractOfPnvs(GatewayContract):
    gateway_class = AliyunPnvsGateway
    accepted = b'{"Code":"OK","Message":"OK","Success":true,"Model":{"BizId":"1^2","OutId":"3","VerifyCode":"471102"}}'
    refused = said("isv.SMS_SIGNATURE_ILLEGAL")
    refusals = {Reason.ACCOUNT: Answer(403, said("NoPermission")), Reason.OTHER: said("biz.FREQUENCY")}
    uncertain = (said("isp.SYSTEM_ERROR"),)


# ---------------------------------------------------------------------------------------------- the signature

EMPTY = hashlib.sha256(b"").hexdigest()


def test_the_vendors_own_example_is_signed_as_it_is_printed() -> None:
    headers = {
        "host": "ecs.cn-shanghai.aliyuncs.com",
        "x-acs-action": "RunInstances",
        "x-acs-content-sha256": EMPTY,
        "x-acs-date": "2023-10-26T10:22:32Z",
        "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
        "x-acs-version": "2014-05-26",
    }
    url = (
        "https://ecs.cn-shanghai.aliyuncs.com/?ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"
        "&RegionId=cn-shanghai"
    )

    assert authorization("YourAccessKeyId", "YourAccessKeySecret", "POST", url, headers) == (
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;"
        "x-acs-signature-nonce;x-acs-version,"
        "Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    )


QUERY = (
    "OutId=42&PhoneNumbers=13800138000&SignName=%E9%98%BF%E9%87%8C%E4%BA%91%E7%9F%AD%E4%BF%A1%E6%B5%8B%E8%AF%95"
    "&TemplateCode=SMS_154950909&TemplateParam=%7B%22code%22%3A%221234%22%7D"
)
FORM_BODY = (
    "PhoneNumbers=13800138000&SignName=%E9%98%BF%E9%87%8C%E4%BA%91%E7%9F%AD%E4%BF%A1%E6%B5%8B%E8%AF%95"
    "&TemplateCode=SMS_154950909&TemplateParam=%7B%22code%22%3A%221234%22%7D&OutId=42"
)


def headers_of(**more: str) -> dict[str, str]:
    return {
        "host": "dysmsapi.aliyuncs.com",
        "x-acs-action": "SendSms",
        "x-acs-version": "2017-05-25",
        "x-acs-date": "2026-11-21T00:00:00Z",
        "x-acs-signature-nonce": "0123456789abcdef0123456789abcdef",
        **more,
    }


@pytest.mark.parametrize(
    ("query", "headers", "signature"),
    [
        (
            QUERY,
            headers_of(**{"x-acs-content-sha256": EMPTY}),
            "be058b9a1abc61586bf3cff5de8d79a30ae2f0dd4ae6d6937767e754e5e05d2b",
        ),
        (
            "",
            headers_of(
                **{
                    "content-type": "application/x-www-form-urlencoded",
                    "x-acs-content-sha256": "9c375c705cfd2f363d0ba12cd45833d881ef93c0246e8c9c459fc141ad485b07",
                }
            ),
            "bce7a501eac2a868fc824c0b94012f21d9e6295bac0086f1c692ee8ae5ec9dba",
        ),
    ],
    ids=["query", "form"],
)
def test_a_send_is_signed_with_its_query_or_its_body(query: str, headers: dict[str, str], signature: str) -> None:
    url = f"https://dysmsapi.aliyuncs.com/?{query}"

    assert authorization("testId", "testSecret", "POST", url, headers).endswith(f",Signature={signature}")
    assert hashlib.sha256(FORM_BODY.encode()).hexdigest().startswith("9c375c705cfd2f36")


def test_the_signature_equals_that_of_the_vendors_sdk() -> None:
    reason = "pip install alibabacloud-tea-openapi"
    utils = pytest.importorskip("alibabacloud_tea_openapi.utils", reason=reason)
    darabonba = pytest.importorskip("darabonba.request", reason=reason)
    headers = headers_of(**{"x-acs-content-sha256": EMPTY})
    request = darabonba.DaraRequest()
    request.method, request.pathname, request.headers = "POST", "/", headers
    request.query = dict(parse_qsl(QUERY))

    theirs = utils.Utils.get_authorization(request, "ACS3-HMAC-SHA256", EMPTY, "testId", "testSecret")

    url = f"https://dysmsapi.aliyuncs.com/?{QUERY}"
    assert authorization("testId", "testSecret", "POST", url, headers) == theirs


def test_what_is_sent_is_what_was_signed() -> None:
    request = HARNESS.request(replace(SMS, own_id="42", content=SMS.content))

    assert (request.method, request.url) == ("POST", "https://dysmsapi.aliyuncs.com/")
    assert isinstance(request.body, bytes)
    assert sorted(parse_qsl(request.body.decode())) == sorted(parse_qsl(FORM_BODY))
    headers = {
        name: value for name, value in request.headers.items() if name not in ("Authorization", "Content-Length")
    }
    assert headers["x-acs-content-sha256"] == hashlib.sha256(request.body).hexdigest()
    again = authorization("testId", "testSecret", "POST", str(request.url), headers)
    assert request.headers["Authorization"] == again
    moment = datetime.strptime(headers["x-acs-date"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 60


def test_each_request_has_a_nonce_of_its_own() -> None:
    assert HARNESS.request().headers["x-acs-signature-nonce"] != HARNESS.request().headers["x-acs-signature-nonce"]


@pytest.mark.parametrize(
    ("base_url", "host"),
    [
        ("https://dysmsapi.aliyuncs.com:443/", "dysmsapi.aliyuncs.com"),
        ("https://dysmsapi.aliyuncs.com:8443", "dysmsapi.aliyuncs.com:8443"),
        ("https://DYSMSAPI.aliyuncs.com", "dysmsapi.aliyuncs.com"),
        ("http://127.0.0.1:8001/aliyun", "127.0.0.1:8001"),
    ],
)
def test_the_signed_host_is_the_one_that_is_sent(base_url: str, host: str) -> None:
    transport = FakeTransport(ACCEPTED.encode())
    AliyunGateway(Account(base_url=base_url, credentials=KEYS), transport).send(SMS)

    assert transport.requests[0].headers["host"] == host


# ------------------------------------------------------------------------------------------------------ send


def fields_of(text: OutgoingSMS) -> dict[str, str]:
    request = HARNESS.request(text)
    assert isinstance(request.body, bytes)
    return {"action": request.headers["x-acs-action"], **dict(parse_qsl(request.body.decode(), keep_blank_values=True))}


def test_one_number_goes_by_itself() -> None:
    assert fields_of(replace(SMS, own_id=OWN_ID)) == {
        "action": "SendSms",
        "PhoneNumbers": "13800138000",
        "SignName": "阿里云短信测试",
        "TemplateCode": "SMS_154950909",
        "TemplateParam": '{"code":"1234"}',
        "OutId": OWN_ID,
    }


def test_several_numbers_go_with_their_own_values() -> None:
    recipients = {PHONE: {"name": '张"三'}, HONG_KONG: {"name": "李 + 四"}}

    found = fields_of(replace(SMS, content="{name}，您好。", variables={"name": "user"}, recipients=recipients))

    assert {name: value for name, value in found.items() if not name.endswith("Json")} == {
        "action": "SendBatchSms",
        "TemplateCode": "SMS_154950909",
    }
    assert json.loads(found["PhoneNumberJson"]) == ["13800138000", "85261234567"]
    assert json.loads(found["SignNameJson"]) == ["阿里云短信测试"] * 2
    assert json.loads(found["TemplateParamJson"]) == [{"user": '张"三'}, {"user": "李 + 四"}]


def test_a_text_without_values_has_none() -> None:
    assert "TemplateParam" not in fields_of(sms("系统维护已完成。"))


def test_one_id_stands_for_all_numbers_of_a_call() -> None:
    found = HARNESS.outcomes(ACCEPTED, sms("{code}", PHONE, HONG_KONG, code="1234"))

    assert [verdict(outcome) for outcome in found.values()] == [("accepted", BIZ_ID)] * 2


@pytest.mark.parametrize("code", ["ok", "Ok", "OK2", "0", ""])
def test_no_other_word_is_a_success(code: str) -> None:
    assert verdict(HARNESS.outcome(said(code)))[0] != "accepted"


@folded(
    "code, reason",
    [
        *[
            (code, "account")
            for code in (
                "isv.AMOUNT_NOT_ENOUGH",
                "isv.OUT_OF_SERVICE",
                "isv.PRODUCT_UN_SUBSCRIPT",
                "isv.PRODUCT_UNSUBSCRIBE",
                "isv.ACCOUNT_NOT_EXISTS",
                "isv.ACCOUNT_ABNORMAL",
                "isp.RAM_PERMISSION_DENY",
                "isv.DENY_IP_RANGE",
                "InvalidAccessKeyId.NotFound",
                "InvalidAccessKeyId.Inactive",
                "MissingAccessKeyId",
                "SignatureDoesNotMatch",
                "IncompleteSignature",
                "SignatureNonceUsed",
                "InvalidTimeStamp.Expired",
                "InvalidSecurityToken.Expired",
                "Forbidden.RAM",
                "NoPermission",
            )
        ],
        *[
            (code, "content")
            for code in (
                "isv.SMS_TEMPLATE_ILLEGAL",
                "isv.SMS_SIGNATURE_ILLEGAL",
                "isv.SMS_SIGN_ILLEGAL",
                "isv.SIGN_NAME_ILLEGAL",
                "isv.SIGN_STATE_ILLEGAL",
                "isv.SMS_SIGNATURE_SCENE_ILLEGAL",
                "isv.TEMPLATE_MISSING_PARAMETERS",
                "isv.TEMPLATE_PARAMS_ILLEGAL",
                "isv.INVALID_JSON_PARAM",
                "isv.PARAM_LENGTH_LIMIT",
                "isv.PARAM_NOT_SUPPORT_URL",
                "isv.SMS_CONTENT_ILLEGAL",
                "isv.UNSUPPORTED_CONTENT",
                "isv.SMS_CONTENT_MISMATCH_TEMPLATE_TYPE",
                "isv.BLACK_KEY_CONTROL_LIMIT",
                "isv.EXTEND_CODE_ERROR",
            )
        ],
        *[
            (code, "recipient")
            for code in (
                "isv.MOBILE_NUMBER_ILLEGAL",
                "isv.CUSTOMER_REFUSED",
                "isv.DOMESTIC_NUMBER_NOT_SUPPORTED",
                "isv.SMS_TEST_NUMBER_LIMIT",
            )
        ],
        ("isv.BUSINESS_LIMIT_CONTROL", "frequency"),
        *[
            (code, "rate")
            for code in (
                "isv.DAY_LIMIT_CONTROL",
                "isv.MONTH_LIMIT_CONTROL",
                "Throttling",
                "Throttling.User",
                "Throttling.Api",
            )
        ],
        *[
            (code, "other")
            for code in (
                "isv.INVALID_PARAMETERS",
                "isv.MOBILE_COUNT_OVER_LIMIT",
                "MissingParameter",
                "InvalidVersion",
                "InvalidAction.NotFound",
            )
        ],
    ],
)
def test_the_reason_of_a_refusal_follows_from_its_code(code: str, reason: str) -> None:
    for harness in (HARNESS, PNVS):
        for answer in (said(code), Answer(400, said(code), "application/json")):
            assert verdict(harness.outcome(answer)) == ("rejected", reason, code)


@pytest.mark.parametrize("code", ["isp.SYSTEM_ERROR", "isp.GATEWAY_ERROR", "InternalError", "ServiceUnavailable"])
def test_a_failure_inside_the_vendor_leaves_it_open_whether_an_sms_was_sent(code: str) -> None:
    for answer in (said(code), Answer(400, said(code)), Answer(503, said(code))):
        assert verdict(HARNESS.outcome(answer)) == ("uncertain",)


def test_an_xml_answer_of_the_gateway_is_a_refusal_by_its_status() -> None:
    answer = Answer(404, b"<?xml version='1.0'?><Error><Code>InvalidAccessKeyId.NotFound</Code></Error>", "text/xml")

    assert verdict(HARNESS.outcome(answer)) == ("rejected", "other", "404")


# ----------------------------------------------------------------------------------------------------- pushes


def events(body: str) -> tuple[Any, ...]:
    return HARNESS.gateway(FakeTransport(), {}).read_push(push(body)).events


def test_a_report_has_the_vendors_id_and_ours() -> None:
    (event,) = events(REPORT)

    assert isinstance(event, DeliveryEvent)
    assert (event.remote_id, event.phone, event.own_id, event.outcome) == (
        BIZ_ID,
        PHONE,
        "42",
        DeliveryOutcome.DELIVERED,
    )
    assert (event.code, event.detail) == ("DELIVERED", "用户接收成功")
    assert event.occurred_at == datetime(2026, 11, 21, 0, 0, 3, tzinfo=UTC)


@pytest.mark.parametrize("success", ['"false"', "false", "False", "null", "2", '""'])
def test_only_true_is_delivered(success: str) -> None:
    body = REPORT.replace("true", success)
    if success == "false":
        assert events(body)[0].outcome == DeliveryOutcome.UNDELIVERED
        return
    with pytest.raises(InvalidCallback):
        events(body)


def test_two_numbers_of_one_call_are_two_events() -> None:
    other = REPORT.replace("13800138000", "13900139000").replace("true", "false").replace("DELIVERED", "IS_CLOSE")

    found = events(REPORT[:-1] + "," + other[1:])

    assert [(one.remote_id, one.phone, one.code) for one in found] == [
        (BIZ_ID, PHONE, "DELIVERED"),
        (BIZ_ID, "+8613900139000", "IS_CLOSE"),
    ]


@pytest.mark.parametrize(
    ("written", "phone"),
    [("13800138000", PHONE), ("8613800138000", PHONE), ("+8613800138000", PHONE), ("85261234567", HONG_KONG)],
)
def test_a_number_in_a_push_may_have_its_country(written: str, phone: str) -> None:
    assert events(REPORT.replace("13800138000", written))[0].phone == phone


def test_a_reply_has_its_text_but_not_in_the_payload() -> None:
    (event,) = events(REPLY)

    assert isinstance(event, ReplyEvent)
    assert (event.phone, event.content) == (PHONE, "TD")
    assert "content" not in event.payload
    assert event.occurred_at == datetime(2026, 11, 21, 1, tzinfo=UTC)


def test_the_verdicts_on_a_signature_and_a_template_are_pushed() -> None:
    (sign,), (template,) = events(SIGN), events(TEMPLATE)

    assert (sign.submission, sign.remote_id, sign.status) == (Submission.SIGNATURE, "示例站", ReviewStatus.APPROVED)
    assert (template.submission, template.remote_id) == (Submission.TEMPLATE, "SMS_1")
    assert (template.status, template.reason) == (ReviewStatus.REJECTED, "变量不符合规范")
    assert (template.name, template.text) == ("登录", "验证码{code}。")
    assert events(SIGN.replace("approved", "approving"))[0].status == ReviewStatus.PENDING


# ---------------------------------------------------------------------------------------------- status query


def row(**fields: Any) -> dict[str, Any]:
    return {
        "PhoneNum": "13800138000",
        "SendStatus": 3,
        "ErrCode": "DELIVERED",
        "ReceiveDate": "2026-11-21 16:44:13",
        "SendDate": "2026-11-21 16:44:10",
        "OutId": OWN_ID,
        "TemplateCode": "SMS_1",
        "Content": "【示例站】您的验证码是471102。",
        **fields,
    }


def details(*rows: dict[str, Any]) -> bytes:
    return said("OK", TotalCount=len(rows), SmsSendDetailDTOs={"SmsSendDetailDTO": list(rows)})


def asked(answer: bytes, remote_id: str = BIZ_ID, **fields: Any) -> DeliveryEvent | None:
    fields = {"own_id": OWN_ID, **fields}
    return HARNESS.gateway(FakeTransport(answer), {}).ask_status(sent(remote_id, **fields))


def test_a_query_gives_the_report_without_the_text() -> None:
    event = asked(details(row()))

    assert event is not None
    assert (event.remote_id, event.phone, event.outcome) == (BIZ_ID, PHONE, DeliveryOutcome.DELIVERED)
    assert (event.code, event.occurred_at) == ("DELIVERED", datetime(2026, 11, 21, 8, 44, 13, tzinfo=UTC))
    assert "471102" not in repr(event.payload)


def test_a_query_may_find_no_news() -> None:
    assert asked(details()) is None
    assert asked(said("OK", TotalCount=0)) is None
    assert asked(said("OK", SmsSendDetailDTOs=None)) is None
    assert asked(details(row(SendStatus=1))) is None


def test_our_id_picks_the_row_and_finds_a_message_without_an_id() -> None:
    other = row(OutId="another", SendStatus=2, ErrCode="IS_CLOSE")

    with_id, without_id = asked(details(other, row())), asked(details(other, row()), "")

    assert with_id is not None
    assert without_id is not None
    assert (with_id.code, with_id.remote_id) == ("DELIVERED", BIZ_ID)
    assert (without_id.code, without_id.remote_id) == ("DELIVERED", OWN_ID)
    assert asked(details(other), "") is None
    from_batch = asked(details(other))  # of a call with many numbers, which had no id of ours
    assert from_batch is not None
    assert from_batch.outcome == DeliveryOutcome.UNDELIVERED


def test_a_row_about_another_number_is_uncertain() -> None:
    with pytest.raises(GatewayUncertain):
        asked(details(row(PhoneNum="13900139000")))


@pytest.mark.parametrize(
    ("moment", "days"),
    [
        (datetime(2026, 11, 21, 4, tzinfo=UTC), ["20261121"] * 3),
        (datetime(2026, 11, 21, 15, 59, 30, tzinfo=UTC), ["20261121", "20261122", "20261121"]),
        (datetime(2026, 11, 21, 16, 0, 30, tzinfo=UTC), ["20261121", "20261122", "20261121"]),
    ],
)
def test_a_query_names_the_day_in_china_and_around_midnight_the_other_one(moment: datetime, days: list[str]) -> None:
    transport = FakeTransport(*[details()] * 3)
    for times in range(3):
        HARNESS.gateway(transport, {}).ask_status(replace(sent(BIZ_ID), sent_at=moment, asked=times))

    found = [dict(parse_qsl(request.body.decode())) for request in transport.requests]  # type: ignore[union-attr]
    assert [fields["SendDate"] for fields in found] == days
    assert found[0] | {"SendDate": ""} == {
        "PhoneNumber": "13800138000",
        "SendDate": "",
        "PageSize": "50",
        "CurrentPage": "1",
        "BizId": BIZ_ID,
    }


# ---------------------------------------------------------------------------------------------------- reviews

DRAFTS = {
    Submission.SIGNATURE: Draft(submission=Submission.SIGNATURE, text="示例站", remark="网站登录"),
    Submission.TEMPLATE: Draft(
        submission=Submission.TEMPLATE,
        text="您的验证码是{yzm}，{minutes}分钟内有效。",
        name="登录验证码",
        remark="网站登录",
        signature="示例站",
        our_names={"yzm": "code"},
    ),
}


def client(*answers: bytes) -> tuple[Gateway, FakeTransport]:
    transport = FakeTransport(*answers)
    return HARNESS.gateway(transport, {"qualification_id": "1001", "sign_source": "5"}), transport


def said_to(transport: FakeTransport) -> list[tuple[str, dict[str, str]]]:
    return [
        (request.headers["x-acs-action"], dict(parse_qsl(request.body.decode())))  # type: ignore[union-attr]
        for request in transport.requests
    ]


def test_a_signature_is_submitted_with_its_qualification() -> None:
    gateway, transport = client(said("OK", SignName="示例站", OrderId="1"))

    assert gateway.submit(DRAFTS[Submission.SIGNATURE]) == "示例站"

    fields = {"SignName": "示例站", "SignSource": "5", "SignType": "1", "Remark": "网站登录", "QualificationId": "1001"}
    assert said_to(transport) == [("CreateSmsSign", fields)]


def test_without_a_qualification_a_signature_is_not_submitted() -> None:
    with pytest.raises(GatewayRejected, match="资质ID"):
        HARNESS.gateway(FakeTransport(), {}).submit(DRAFTS[Submission.SIGNATURE])


def test_a_template_is_submitted_with_its_signature_and_the_kinds_of_its_values() -> None:
    gateway, transport = client(said("OK", TemplateCode="SMS_9", OrderId="1"))

    assert gateway.submit(DRAFTS[Submission.TEMPLATE]) == "SMS_9"

    ((action, fields),) = said_to(transport)
    assert (action, json.loads(fields.pop("TemplateRule"))) == (
        "CreateSmsTemplate",
        {"yzm": "numberCaptcha", "minutes": "other_number2"},
    )
    assert fields == {
        "TemplateName": "登录验证码",
        "TemplateContent": "您的验证码是${yzm}，${minutes}分钟内有效。",
        "TemplateType": "0",
        "RelatedSignName": "示例站",
        "Remark": "网站登录",
    }


def test_a_notice_is_submitted_as_one() -> None:
    gateway, transport = client(said("OK", TemplateCode="SMS_9"))

    gateway.submit(replace(DRAFTS[Submission.TEMPLATE], text="系统维护已完成。"))

    ((_, fields),) = said_to(transport)
    assert fields["TemplateType"] == "1"
    assert "TemplateRule" not in fields


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"signature": ""}, "choose one"), ({"text": "{name}，您好。"}, "console, where name can be given a kind")],
)
def test_a_template_that_cannot_be_described_is_refused_here(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(GatewayRejected, match=why):
        HARNESS.gateway(FakeTransport(), {}).submit(replace(DRAFTS[Submission.TEMPLATE], **changes))


def test_a_rejected_text_is_changed_and_any_is_deleted() -> None:
    gateway, transport = client(*[said("OK")] * 4)
    for draft, remote_id in zip(DRAFTS.values(), ("示例站", "SMS_9"), strict=True):
        gateway.resubmit(replace(draft, remote_id=remote_id))
        gateway.delete(draft.submission, remote_id)

    assert [action for action, _ in said_to(transport)] == [
        "UpdateSmsSign",
        "DeleteSmsSign",
        "UpdateSmsTemplate",
        "DeleteSmsTemplate",
    ]
    assert said_to(transport)[2][1]["TemplateCode"] == "SMS_9"
    assert said_to(transport)[3][1] == {"TemplateCode": "SMS_9"}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (0, ReviewStatus.PENDING),
        ("0", ReviewStatus.PENDING),
        (1, ReviewStatus.APPROVED),
        ("1", ReviewStatus.APPROVED),
        (2, ReviewStatus.REJECTED),
        ("10", ReviewStatus.REJECTED),
    ],
)
def test_the_state_of_a_review_is_a_number_or_a_text(status: object, expected: ReviewStatus) -> None:
    info = {"RejectInfo": "变量不符合规范"}
    gateway, _ = client(
        said("OK", SignStatus=status, AuditInfo=info, SignName="示例站"),
        said("OK", TemplateStatus=status, TemplateContent="验证码${code}。", TemplateCode="SMS_9", AuditInfo=None),
    )

    sign = gateway.ask_review(Submission.SIGNATURE, "示例站")
    template = gateway.ask_review(Submission.TEMPLATE, "SMS_9")

    assert (sign.status, template.status) == (expected, expected)
    assert (sign.reason, template.text) == ("变量不符合规范", "验证码{code}。")
    assert isinstance(sign, ReviewEvent)


def test_an_unknown_state_is_uncertain() -> None:
    gateway, _ = client(said("OK", SignStatus=7))

    with pytest.raises(GatewayUncertain):
        gateway.ask_review(Submission.SIGNATURE, "示例站")


# ------------------------------------------------------------------------------------------------------- pnvs


def test_our_own_code_goes_by_the_given_template() -> None:
    text = OutgoingSMS(
        content="您的验证码为{code}，{minutes}分钟内有效。",
        signature="速通互联验证码",
        template_id="100001",
        variables={"minutes": "min"},
        own_id=OWN_ID,
        recipients={PHONE: {"code": "123456", "minutes": "5"}},
    )

    request = PNVS.request(text)

    assert (request.url, request.headers["x-acs-action"]) == ("https://dypnsapi.aliyuncs.com/", "SendSmsVerifyCode")
    assert dict(parse_qsl(request.body.decode())) == {  # type: ignore[union-attr]
        "PhoneNumber": "13800138000",
        "SignName": "速通互联验证码",
        "TemplateCode": "100001",
        "TemplateParam": '{"code":"123456","min":"5"}',
        "Interval": "60",
        "OutId": OWN_ID,
    }
    assert b"Interval=30" in PNVS.request(text, interval="30").body  # type: ignore[operator]


@pytest.mark.parametrize("model", ['{"BizId":"1^2","VerifyCode":"1234"}', "{}", "null"])
def test_an_accepted_code_may_come_without_an_id(model: str) -> None:
    outcome = PNVS.outcome(f'{{"Code":"OK","Message":"成功","Success":true,"Model":{model}}}')

    assert verdict(outcome) == ("accepted", "1^2" if "BizId" in model else "")


def test_pnvs_sends_codes_in_the_mainland_only() -> None:
    notice, abroad = sms("系统维护已完成。"), sms("{code}", HONG_KONG, code="1234")

    assert verdict(PNVS.outcome(ACCEPTED, notice)) == ("rejected", "content", "no-code")
    assert verdict(PNVS.outcome(ACCEPTED, abroad))[0] == "rejected"
    assert not AliyunPnvsGateway.pushes
    assert not AliyunPnvsGateway.answers_status
    assert AliyunPnvsGateway.mainland_only


def test_pushes_are_acknowledged_by_a_number() -> None:
    words, content_type = AliyunGateway(Account(base_url="", credentials={})).acknowledge(push(REPORT))

    assert json.loads(words)["code"] == 0
    assert content_type.startswith(JSON)
