from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from django_smsverify.enums import DeliveryOutcome, Reason, ReviewStatus, Submission
from django_smsverify.exceptions import GatewayRejected, GatewayUncertain, InvalidCallback
from django_smsverify.gateways.base import Outcome
from django_smsverify.gateways.tencent import TencentGateway
from django_smsverify.gateways.tencent.api import ALGORITHM, authorization
from django_smsverify.gateways.tencent.placeholders import positions
from django_smsverify.linting import Level, lint_signature
from django_smsverify.testing import FakeTransport, GatewayContract
from django_smsverify.types import (
    Acceptance,
    Account,
    Answer,
    DeliveryEvent,
    Draft,
    OutgoingSMS,
    Push,
    ReplyEvent,
    SentSMS,
)
from tests.conftest import PHONE
from tests.folding import folded

from .calls import china
from .support import HONG_KONG, JSON, Harness, sent, sms, verdict

KEYS = {"secret_id": "AKIDEXAMPLE", "secret_key": "test-secret-key"}
APP = {"sdk_app_id": "1400006666"}
OWN_ID = "0198f3c55e7a7f3e9d1c6b2a40d8e715"
OTHER_PHONE = "+8613900139000"
SERIAL = "5000:1045710669157053657849499619"
AT = 1795219200
"""Midnight of 2026-11-21 in UTC."""
SMS = OutgoingSMS(
    content="验证码{code}。", signature="腾讯云", template_id="1234", recipients={PHONE: {"code": "1234"}}
)
HARNESS = Harness(kind=TencentGateway, credentials=KEYS, sms=SMS)


def said(**fields: Any) -> bytes:
    return json.dumps({"Response": {**fields, "RequestId": "a0aabda6"}}, ensure_ascii=False).encode()


def refusal_of(code: str) -> bytes:
    return said(Error={"Code": code, "Message": "the vendor's words"})


def row(phone: str = PHONE, code: str = "Ok", **fields: Any) -> dict[str, Any]:
    serial = SERIAL if code == "Ok" else ""
    usual = {"SerialNo": serial, "PhoneNumber": phone, "Fee": 1, "SessionContext": "", "Message": "", "IsoCode": "CN"}
    return {**usual, "Code": code, **fields}


def verdicts(*rows: Mapping[str, Any] | None) -> bytes:
    return said(SendStatusSet=list(rows))


def gateway(*answers: bytes, **options: str) -> tuple[TencentGateway, FakeTransport]:
    transport = FakeTransport(*answers)
    account = Account(base_url=TencentGateway.base_url, credentials=KEYS, options={**APP, **options})
    return TencentGateway(account, transport), transport


def outcome(answer: bytes) -> Outcome:
    return HARNESS.outcome(answer, SMS, **APP)


def asked(transport: FakeTransport) -> tuple[str, dict[str, Any]]:
    """The action and the fields of the only request."""
    (request,) = transport.requests
    assert isinstance(request.body, bytes)
    return request.headers["X-TC-Action"], json.loads(request.body)


def fields_of(text: OutgoingSMS) -> dict[str, Any]:
    body = HARNESS.request(text, **APP).body
    assert isinstance(body, bytes)
    return json.loads(body)  # type: ignore[no-any-return]


def push(body: str | bytes) -> Push:
    return Push(content_type=JSON, headers={}, body=body if isinstance(body, bytes) else body.encode())


STATUS = {
    "user_receive_time": "2026-11-21 08:00:03",
    "nationcode": "86",
    "mobile": "13800138000",
    "report_status": "SUCCESS",
    "errmsg": "DELIVRD",
    "description": "用户短信送达成功",
    "sid": SERIAL,
    "ext": OWN_ID,
}
REPLY = {
    "extend": "01",
    "mobile": "13800138000",
    "nationcode": "86",
    "sign": "腾讯云",
    "text": "TD",
    "time": AT,
}


def statuses(*changes: Mapping[str, Any]) -> Push:
    return push(json.dumps([{**STATUS, **change} for change in changes or ({},)]))


class TestContract(GatewayContract):
    gateway_class = TencentGateway
    accepted = verdicts(row())
    refused = refusal_of("FailedOperation.InsufficientBalanceInSmsPackage")
    refusals = {
        Reason.ACCOUNT: refusal_of("AuthFailure.SignatureExpire"),
        Reason.CONTENT: refusal_of("FailedOperation.SignatureIncorrectOrUnapproved"),
        Reason.RECIPIENT: verdicts(row(code="FailedOperation.PhoneNumberInBlacklist")),
        Reason.FREQUENCY: verdicts(row(code="LimitExceeded.PhoneNumberThirtySecondLimit")),
        Reason.RATE: refusal_of("RequestLimitExceeded"),
        Reason.OTHER: refusal_of("UnsupportedOperation.SomethingNew"),
    }
    uncertain = (refusal_of("InternalError.Timeout"), verdicts(row(code="InternalError.Timeout")), verdicts())
    pushed = (statuses(), push(json.dumps(REPLY)))
    options = APP


# ---------------------------------------------------------------------------------------------- the signature

VENDORS_BODY = b'{"Limit": 1, "Filters": [{"Values": ["\\u672a\\u547d\\u540d"], "Name": "instance-name"}]}'
OUR_BODY = (
    '{"PhoneNumberSet":["+8613800138000"],"SmsSdkAppId":"1400006666","SignName":"腾讯云","TemplateId":"1234",'
    '"TemplateParamSet":["1234"]}'
)


def test_the_vendors_own_example_is_signed_as_it_is_printed() -> None:
    assert hashlib.sha256(VENDORS_BODY).hexdigest().startswith("35e9c5b0e3ae6753")
    found = authorization(
        "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE",
        "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE",
        "cvm",
        "cvm.tencentcloudapi.com",
        "application/json; charset=utf-8",
        VENDORS_BODY,
        1551113065,
    )

    assert found == (
        "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, "
        "SignedHeaders=content-type;host, Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
    )


@time_machine.travel(AT, tick=False)
def test_a_send_is_signed_over_the_bytes_that_are_sent() -> None:
    text = replace(SMS, content="{code}")
    request = HARNESS.request(text, **APP)

    # The order of the vector's fields is that of the body, byte for byte.
    assert request.body == OUR_BODY.encode()
    assert (request.method, request.url) == ("POST", "https://sms.tencentcloudapi.com/")
    assert dict(request.headers) == {
        "Host": "sms.tencentcloudapi.com",
        "Content-Type": "application/json",
        "Content-Length": str(len(OUR_BODY.encode())),
        "X-TC-Action": "SendSms",
        "X-TC-Version": "2021-01-11",
        "X-TC-Timestamp": "1795219200",
        "X-TC-Region": "ap-guangzhou",
        "Authorization": (
            "TC3-HMAC-SHA256 Credential=AKIDEXAMPLE/2026-11-21/sms/tc3_request, SignedHeaders=content-type;host, "
            "Signature=b62bb4e59fce0f3543dbcfe62ff9a822d92c3c9289938758c7b4661e3277d034"
        ),
    }


@pytest.mark.parametrize("timestamp", [0, AT - 1, AT])
def test_the_signature_equals_that_of_the_vendors_sdk(timestamp: int) -> None:
    sign = pytest.importorskip("tencentcloud.common.sign", reason="pip install tencentcloud-sdk-python-common")
    day = f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d}"
    digest = hashlib.sha256(OUR_BODY.encode()).hexdigest()
    headers = "content-type:application/json\nhost:sms.tencentcloudapi.com\n"
    canonical = f"POST\n/\n\n{headers}\ncontent-type;host\n{digest}"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    message = f"{ALGORITHM}\n{timestamp}\n{day}/sms/tc3_request\n{hashed}"

    theirs = sign.Sign.sign_tc3("test-secret-key", day, "sms", message)

    ours = authorization(
        "AKIDEXAMPLE", "test-secret-key", "sms", "sms.tencentcloudapi.com", JSON, OUR_BODY.encode(), timestamp
    )
    assert ours.endswith(f"{day}/sms/tc3_request, SignedHeaders=content-type;host, Signature={theirs}")


@pytest.mark.parametrize(
    ("base_url", "host"),
    [
        ("https://sms.tencentcloudapi.com:443/", "sms.tencentcloudapi.com"),
        ("https://sms.tencentcloudapi.com:8443", "sms.tencentcloudapi.com:8443"),
        ("http://127.0.0.1:8001/tencent", "127.0.0.1:8001"),
    ],
)
@time_machine.travel(AT, tick=False)
def test_the_signed_host_is_the_one_that_is_sent(base_url: str, host: str) -> None:
    transport = FakeTransport(verdicts(row()))
    TencentGateway(Account(base_url=base_url, credentials=KEYS, options=APP), transport).send(SMS)

    (request,) = transport.requests
    assert isinstance(request.body, bytes)
    assert request.headers["Host"] == host
    assert request.headers["Authorization"] == authorization(
        "AKIDEXAMPLE", "test-secret-key", "sms", host, JSON, request.body, AT
    )


def test_the_region_is_the_operators() -> None:
    assert HARNESS.request(SMS, **APP, region="ap-singapore").headers["X-TC-Region"] == "ap-singapore"


# ------------------------------------------------------------------------------------------------------ send


def test_without_an_application_nothing_is_sent_and_the_operator_is_told() -> None:
    assert HARNESS.refused_unsent(SMS, sdk_app_id="") == ("rejected", "account", "configuration")
    transport = FakeTransport()
    account = Account(base_url=TencentGateway.base_url, credentials=KEYS)

    found = TencentGateway(account, transport).send(SMS)

    assert "the provider has no sdk_app_id" in str(found[PHONE])


def test_all_numbers_of_a_call_get_one_list_of_values() -> None:
    text = sms("{code}，{minutes}分钟", PHONE, OTHER_PHONE, code="1234", minutes="5")

    assert fields_of(text) == {
        "PhoneNumberSet": [PHONE, OTHER_PHONE],
        "SmsSdkAppId": "1400006666",
        "SignName": "示例站",
        "TemplateId": "234",
        "TemplateParamSet": ["1234", "5"],
    }


def test_our_id_goes_with_one_number() -> None:
    assert fields_of(replace(SMS, own_id=OWN_ID))["SessionContext"] == OWN_ID
    assert "SessionContext" not in fields_of(SMS)


def test_a_text_without_values_has_none() -> None:
    assert "TemplateParamSet" not in fields_of(sms("系统维护已完成。"))


@pytest.mark.parametrize(
    ("content", "variables", "values"),
    [
        ("{minutes}分钟内有效：{code}", {}, ["5", "1234"]),
        ("{code}，{code}", {}, ["1234", "1234"]),
        ("{minutes}分钟内有效：{code}", {"code": "1", "minutes": "2"}, ["1234", "5"]),
        ("{code}，{minutes}，{code}", {"code": "2", "minutes": "1"}, ["5", "1234"]),
        ("{code}，{minutes}", {"minutes": "2"}, ["1234", "5"]),
        ("{code}", {"code": "yzm"}, ["1234"]),
    ],
)
def test_values_have_the_vendors_places(content: str, variables: dict[str, str], values: list[str]) -> None:
    text = replace(sms(content, code="1234", minutes="5"), variables=variables)

    assert fields_of(text)["TemplateParamSet"] == values


@pytest.mark.parametrize(
    "variables", [{"code": "2"}, {"minutes": "1"}, {"code": "3", "minutes": "1"}, {"code": "1", "minutes": "1"}]
)
def test_places_that_leave_a_gap_or_clash_are_refused_unsent(variables: dict[str, str]) -> None:
    text = replace(sms("{code}，{minutes}", code="1234", minutes="5"), variables=variables)

    assert HARNESS.refused_unsent(text, **APP) == ("rejected", "content", "variables")


def test_a_number_is_not_read_from_just_any_name() -> None:
    assert positions(["٢", "0", "100"], {}) == [1, 2, 3]


def test_mainland_and_other_numbers_do_not_share_a_call() -> None:
    gate, transport = gateway(verdicts(row()))

    found = gate.send(sms("{code}", HONG_KONG, PHONE, code="1234"))

    assert asked(transport)[1]["PhoneNumberSet"] == [PHONE]
    assert verdict(found[PHONE]) == ("accepted", SERIAL)
    assert verdict(found[HONG_KONG]) == ("rejected", "other", "mixed-numbers")


def test_other_numbers_are_sent_to_by_themselves() -> None:
    assert fields_of(sms("{code}", HONG_KONG, code="1234"))["PhoneNumberSet"] == [HONG_KONG]


def test_each_number_has_its_own_verdict_whatever_the_order() -> None:
    numbers = [f"+861380013800{digit}" for digit in range(5)]
    answer = verdicts(
        row(numbers[3], "InternalError.SendAndRecvFail"),
        row(numbers[1], "LimitExceeded.PhoneNumberDailyLimit"),
        row(numbers[0], SerialNo="5000:1"),
        {"PhoneNumber": numbers[4], "SerialNo": "5000:5"},
    )

    found = HARNESS.outcomes(answer, sms("{code}", *numbers, code="1234"), **APP)

    assert [verdict(found[number]) for number in numbers] == [
        ("accepted", "5000:1"),
        ("rejected", "frequency", "LimitExceeded.PhoneNumberDailyLimit"),
        ("uncertain",),
        ("uncertain",),
        ("uncertain",),
    ]


def test_a_refused_number_has_the_vendors_words() -> None:
    assert str(outcome(verdicts(row(code="FailedOperation.PhoneNumberInBlacklist", Message="words")))) == "words"


def test_a_list_of_no_verdicts_is_no_bug() -> None:
    assert str(outcome(said(SendStatusSet=None))) == "the vendor's answer does not name this number"


def test_a_call_takes_200_numbers_with_the_same_values() -> None:
    kind = TencentGateway
    assert (kind.max_recipients, kind.same_text, kind.finds_own_ids) == (200, True, True)


@pytest.mark.parametrize(("length", "allowed"), [(1, False), (2, True), (12, True), (13, False)])
def test_a_signature_has_2_to_12_characters(length: int, allowed: bool) -> None:
    found = lint_signature("示例站点网络科技有限公司信"[:length], TencentGateway.text_rules)

    assert [finding.level for finding in found if finding.level is Level.ERROR] == [Level.ERROR] * (not allowed)


def test_a_refusal_of_the_call_is_one_of_each_number() -> None:
    text = sms("{code}", PHONE, OTHER_PHONE, code="1234")

    found = HARNESS.outcomes(refusal_of("FailedOperation.TemplateIncorrectOrUnapproved"), text, **APP)

    expected = ("rejected", "content", "FailedOperation.TemplateIncorrectOrUnapproved")
    assert [verdict(found[phone]) for phone in (PHONE, OTHER_PHONE)] == [expected, expected]
    assert str(found[PHONE]) == "the vendor's words"


@pytest.mark.parametrize("code", ["ok", "OK", "InternalError.Timeout", None, ""])
def test_only_one_spelling_of_success_is_known(code: str | None) -> None:
    assert verdict(outcome(verdicts(row(Code=code)))) == ("uncertain",)
    assert verdict(outcome(verdicts(row(Code="Ok")))) == ("accepted", SERIAL)


@pytest.mark.parametrize(
    "answer",
    [
        said(SendStatusSet=None),
        said(SendStatusSet=[]),
        said(),
        said(Error={"Message": "no code"}),
        said(Error="words"),
        b'{"Response":null}',
        b'{"Response":[]}',
        b"{}",
        verdicts(None),
        verdicts(row(OTHER_PHONE)),
    ],
)
def test_an_answer_without_a_verdict_is_uncertain(answer: bytes) -> None:
    assert verdict(outcome(answer)) == ("uncertain",)


CODES = {
    "account": """
AuthFailure AuthFailure.SignatureFailure AuthFailure.SignatureExpire AuthFailure.SecretIdNotFound
AuthFailure.InvalidSecretId AuthFailure.TokenFailure AuthFailure.UnauthorizedOperation AuthFailure.MFAFailure
UnauthorizedOperation.RequestIpNotInWhitelist UnauthorizedOperation.RequestPermissionDeny
UnauthorizedOperation.SdkAppIdIsDisabled UnauthorizedOperation.ServiceSuspendDueToArrears
UnauthorizedOperation.SmsSdkAppIdVerifyFail UnauthorizedOperation.IndividualUserMarketingSmsPermissionDeny
UnauthorizedOperation.SomethingNew FailedOperation.InsufficientBalanceInSmsPackage
FailedOperation.NotEnterpriseCertification FailedOperation.ProhibitSubAccountUse
FailedOperation.ForbidAddMarketingTemplates FailedOperation.QualificationIdNotApproved
InvalidParameterValue.SdkAppIdNotExist InvalidParameter.AppidAndBizId InternalError.RequestTimeException
InternalError.SigFieldMissing InternalError.SigVerificationFail IpInBlacklist IpNotInWhitelist
""",
    "content": """
FailedOperation.ContainSensitiveWord FailedOperation.SignatureIncorrectOrUnapproved
FailedOperation.TemplateIncorrectOrUnapproved FailedOperation.TemplateUnapprovedOrNotExist
FailedOperation.TemplateParamSetNotMatchApprovedTemplate FailedOperation.TemplateIdNotExist
FailedOperation.SignIdNotExist FailedOperation.MissingSignature FailedOperation.MissingTemplateList
FailedOperation.MarketingSendTimeConstraint InvalidParameter.DirtyWordFound InvalidParameterValue.ContentLengthLimit
InvalidParameterValue.TemplateParameterFormatError InvalidParameterValue.TemplateParameterLengthLimit
InvalidParameterValue.ProhibitedUseUrlInTemplateParameter InvalidParameterValue.TemplateWithDirtyWords
InvalidParameterValue.InvalidTemplateFormat InvalidParameterValue.SignNameLengthTooLong
InvalidParameterValue.UnsupportedTemplateVariable InvalidParameterValue.MarketingTemplateWithoutUnsubscribe
InvalidParameterValue.SignExistAndUnapproved UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone
UnsupportedOperation.GlobalTemplateToChineseMainlandPhone
""",
    "recipient": """
FailedOperation.PhoneNumberInBlacklist FailedOperation.PhoneNumberParseFail
InvalidParameterValue.IncorrectPhoneNumber UnsupportedOperation.UnsupportedRegion
LimitExceeded.AppCountryOrRegionInBlacklist
""",
    "frequency": """
LimitExceeded.PhoneNumberThirtySecondLimit LimitExceeded.PhoneNumberOneHourLimit
LimitExceeded.PhoneNumberDailyLimit LimitExceeded.PhoneNumberSameContentDailyLimit
LimitExceeded.DeliveryFrequencyLimit
""",
    "rate": """
LimitExceeded.AppDailyLimit LimitExceeded.AppMainlandChinaDailyLimit LimitExceeded.AppGlobalDailyLimit
LimitExceeded.AppCountryOrRegionDailyLimit LimitExceeded.DailyLimit LimitExceeded.GlobalSmsSendingRateLimit
LimitExceeded LimitExceeded.SomethingNew RequestLimitExceeded RequestLimitExceeded.UinLimitExceeded
""",
    "other": """
LimitExceeded.PhoneNumberCountLimit MissingParameter.EmptyPhoneNumberSet MissingParameter
InvalidParameter.InvalidParameters UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber
FailedOperation.FailResolvePacket FailedOperation.JsonParseFail FailedOperation.ParametersOtherError
FailedOperation.OtherError InternalError.JsonParseFail InternalError.RestApiInterfaceNotExist Something.New
""",
}


@folded("reason, code", [(reason, code) for reason, codes in CODES.items() for code in codes.split()])
def test_a_code_has_its_reason_for_the_call_and_for_a_number(reason: str, code: str) -> None:
    assert verdict(outcome(refusal_of(code))) == ("rejected", reason, code)
    assert verdict(outcome(verdicts(row(code=code)))) == ("rejected", reason, code)


@folded(
    "code",
    [
        "InternalError",
        *[
            f"InternalError.{name}"
            for name in (
                "Timeout",
                "SendAndRecvFail",
                "ParseBackendResponseFail",
                "OtherError",
                "UnknownError",
                "SomethingNew",
            )
        ],
    ],
)
def test_an_internal_error_leaves_it_open_for_the_call_and_for_a_number(code: str) -> None:
    for answer in (refusal_of(code), verdicts(row(code=code))):
        found = outcome(answer)
        assert isinstance(found, GatewayUncertain)
        assert found.error_code == code


# -------------------------------------------------------------------------------------------------- reports


def read(call: Push) -> tuple[Any, ...]:
    return gateway()[0].read_push(call).events


def test_a_push_of_statuses_is_a_list() -> None:
    found = read(statuses({}, {"report_status": "FAIL", "errmsg": "MK:0001", "sid": "5000:2", "ext": ""}))

    assert found == (
        DeliveryEvent(
            remote_id=SERIAL,
            phone=PHONE,
            own_id=OWN_ID,
            outcome=DeliveryOutcome.DELIVERED,
            code="DELIVRD",
            detail="用户短信送达成功",
            occurred_at=china("2026-11-21 08:00:03"),
            payload=STATUS,
        ),
        DeliveryEvent(
            remote_id="5000:2",
            phone=PHONE,
            outcome=DeliveryOutcome.UNDELIVERED,
            code="MK:0001",
            detail="用户短信送达成功",
            occurred_at=china("2026-11-21 08:00:03"),
            payload={**STATUS, "report_status": "FAIL", "errmsg": "MK:0001", "sid": "5000:2", "ext": ""},
        ),
    )


def test_a_pushed_reply_is_one_object() -> None:
    (found,) = read(push(json.dumps(REPLY)))

    payload = {"extend": "01", "mobile": "13800138000", "nationcode": "86", "sign": "腾讯云", "time": str(AT)}
    at = datetime.fromtimestamp(AT, UTC)
    assert found == ReplyEvent(phone=PHONE, content="TD", occurred_at=at, payload=payload)


def test_a_report_of_another_country_has_its_number() -> None:
    (found,) = read(statuses({"nationcode": "852", "mobile": "61234567"}))

    assert found.phone == HONG_KONG


@pytest.mark.parametrize("time", ["", None, "soon", "99999999999999", "2026-11-21 08:00:00", "-1", "٠" * 10, []])
def test_a_reply_with_an_odd_time_is_kept(time: object) -> None:
    (found,) = read(push(json.dumps({**REPLY, "time": time})))

    assert (found.content, found.occurred_at) == ("TD", None)


def test_a_bad_row_does_not_hide_the_others() -> None:
    news = gateway()[0].read_push(statuses({"report_status": "MAYBE"}, {"mobile": ""}, {"sid": ""}, {}))

    assert [event.remote_id for event in news.events if isinstance(event, DeliveryEvent)] == [SERIAL]
    assert len(news.problems) == 3


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b"[null]",
        b"[[[]]]",
        b"[1]",
        b'"report_status"',
        b"\xff\xfe",
        b"[" * 100_000,
        b"a=1&b=2",
        *[json.dumps({**REPLY, name: None}).encode() for name in ("mobile", "nationcode")],
        json.dumps({name: value for name, value in REPLY.items() if name != "text"}).encode(),
        json.dumps([{name: value for name, value in STATUS.items() if name != "sid"}]).encode(),
        json.dumps([{**STATUS, "mobile": {"a": 1}}]).encode(),
        json.dumps([{**STATUS, "report_status": ["SUCCESS"]}]).encode(),
        json.dumps([{**STATUS, "nationcode": "86\n-"}, {**STATUS, "mobile": "1' OR 1"}]).encode(),
        json.dumps([STATUS]).encode()[:-2],
    ],
)
def test_a_hostile_push_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidCallback):
        gateway()[0].read_push(push(body))


def test_every_push_gets_the_vendors_word() -> None:
    for call in (statuses(), push(json.dumps(REPLY))):
        assert gateway()[0].acknowledge(call) == ('{"result":0,"errmsg":"OK"}', "application/json")


PULLED = {
    "UserReceiveTime": AT,
    "CountryCode": "86",
    "SubscriberNumber": "13800138000",
    "PhoneNumber": PHONE,
    "SerialNo": SERIAL,
    "ReportStatus": "SUCCESS",
    "Description": "DELIVRD",
    "SessionContext": "",
}


def pulled(*rows: Mapping[str, Any]) -> bytes:
    return said(PullSmsSendStatusSet=[{**PULLED, **row} for row in rows])


@time_machine.travel(AT, tick=False)
def test_a_status_is_asked_for_by_number_and_time() -> None:
    gate, transport = gateway(pulled({"SerialNo": "5000:1", "ReportStatus": "FAIL"}, {}))
    message = SentSMS(remote_id=SERIAL, phone=PHONE, sent_at=datetime.fromtimestamp(AT - 3600, UTC))

    found = gate.ask_status(message)

    assert asked(transport) == (
        "PullSmsSendStatusByPhoneNumber",
        {
            "PhoneNumber": PHONE,
            "BeginTime": AT - 3600 - 300,
            "EndTime": AT,
            "SmsSdkAppId": "1400006666",
            "Offset": 0,
            "Limit": 100,
        },
    )
    assert found == DeliveryEvent(
        remote_id=SERIAL,
        phone=PHONE,
        outcome=DeliveryOutcome.DELIVERED,
        code="SUCCESS",
        detail="DELIVRD",
        occurred_at=datetime.fromtimestamp(AT, UTC),
        payload={**PULLED, "UserReceiveTime": str(AT)},
    )


@time_machine.travel(AT, tick=False)
def test_an_old_message_is_asked_for_within_the_seven_days() -> None:
    gate, transport = gateway(said(PullSmsSendStatusSet=[]))

    gate.ask_status(
        SentSMS(remote_id=SERIAL, phone=PHONE, sent_at=datetime.fromtimestamp(AT, UTC) - timedelta(days=30))
    )

    begin = asked(transport)[1]["BeginTime"]
    assert timedelta() < timedelta(seconds=begin - (AT - 7 * 86400)) < timedelta(minutes=10)


@pytest.mark.parametrize(
    "answer", [said(PullSmsSendStatusSet=None), said(PullSmsSendStatusSet=[]), pulled({"SerialNo": "5000:1"})]
)
def test_a_message_that_is_not_listed_is_under_way(answer: bytes) -> None:
    assert gateway(answer)[0].ask_status(sent(SERIAL)) is None


def test_a_failure_is_undelivered() -> None:
    found = gateway(pulled({"ReportStatus": "FAIL", "Description": "空号"}))[0].ask_status(sent(SERIAL))

    assert found is not None
    assert (found.outcome, found.code, found.detail) == (DeliveryOutcome.UNDELIVERED, "FAIL", "空号")


def test_a_message_whose_answer_was_lost_is_found_by_our_id() -> None:
    answer = pulled({"SerialNo": "5000:1"}, {"SerialNo": "5000:2", "SessionContext": OWN_ID})

    found = gateway(answer)[0].ask_status(sent("", own_id=OWN_ID))

    assert found is not None
    assert (found.remote_id, found.own_id) == ("5000:2", OWN_ID)
    assert gateway(pulled({}))[0].ask_status(sent("", own_id=OWN_ID)) is None


def test_a_status_of_another_number_is_not_believed() -> None:
    with pytest.raises(GatewayUncertain):
        gateway(pulled({"PhoneNumber": OTHER_PHONE}))[0].ask_status(sent(SERIAL))


# -------------------------------------------------------------------------------------------------- reviews

SIGN = {
    "SignId": 78,
    "International": 0,
    "StatusCode": 0,
    "ReviewReply": "",
    "SignName": "示例站",
    "CreateTime": AT,
}
TEMPLATE = {
    "TemplateId": 1234,
    "International": 0,
    "StatusCode": 0,
    "ReviewReply": "",
    "TemplateName": "登录",
    "CreateTime": AT,
    "TemplateContent": "验证码{1}。",
}


@pytest.mark.parametrize(
    ("status", "expected"),
    [(0, ReviewStatus.APPROVED), (1, ReviewStatus.PENDING), (2, ReviewStatus.PENDING), (-1, ReviewStatus.REJECTED)],
)
def test_the_state_of_a_review_is_asked_for_by_number(status: int, expected: ReviewStatus) -> None:
    signs = [{**SIGN, "SignId": 7}, {**SIGN, "StatusCode": status, "ReviewReply": "资料不全"}]
    gate, transport = gateway(said(DescribeSignListStatusSet=signs))

    found = gate.ask_review(Submission.SIGNATURE, "78")

    assert asked(transport) == ("DescribeSmsSignList", {"SignIdSet": [78], "International": 0})
    assert (found.status, found.remote_id, found.reason, found.text) == (expected, "78", "资料不全", "示例站")


def test_a_template_is_described_without_its_text_whose_placeholders_have_no_names() -> None:
    gate, transport = gateway(said(DescribeTemplateStatusSet=[TEMPLATE]))

    found = gate.ask_review(Submission.TEMPLATE, "1234")

    assert asked(transport) == ("DescribeSmsTemplateList", {"TemplateIdSet": [1234], "International": 0})
    assert (found.status, found.name, found.text) == (ReviewStatus.APPROVED, "登录", "")


@pytest.mark.parametrize("rows", [None, [], [{**SIGN, "SignId": 79}]])
def test_what_the_vendor_does_not_have_is_refused(rows: object) -> None:
    with pytest.raises(GatewayRejected) as refusal:
        gateway(said(DescribeSignListStatusSet=rows))[0].ask_review(Submission.SIGNATURE, "78")
    assert refusal.value.reason == Reason.CONTENT


@pytest.mark.parametrize("remote_id", ["", "示例站", "78 ", "٧", "-1", "1" * 19])
def test_an_id_that_is_no_number_is_refused_unsent(remote_id: str) -> None:
    gate, transport = gateway()

    with pytest.raises(GatewayRejected, match="are numbers"):
        gate.ask_review(Submission.SIGNATURE, remote_id)
    with pytest.raises(GatewayRejected, match="are numbers"):
        gate.delete(Submission.TEMPLATE, remote_id)
    assert transport.requests == []


DRAFT = Draft(submission=Submission.TEMPLATE, text="{minutes}分钟内有效：{code}", name="登录", remark="网站登录")
SUBMITTED = {
    "TemplateName": "登录",
    "TemplateContent": "{1}分钟内有效：{2}",
    "SmsType": 3,
    "International": 0,
    "Remark": "网站登录",
}


def test_a_template_is_submitted_with_numbered_placeholders() -> None:
    gate, transport = gateway(said(AddTemplateStatus={"TemplateId": "1110"}))

    assert gate.submit(DRAFT) == "1110"
    assert asked(transport) == ("AddSmsTemplate", SUBMITTED)


@pytest.mark.parametrize(
    ("text", "our_names", "content", "kind"),
    [
        ("{2}分钟：{1}", {"1": "code", "2": "minutes"}, "{2}分钟：{1}", 3),
        ("验证码{yzm}", {"yzm": "code"}, "验证码{1}", 3),
        ("{name}，您好", {}, "{1}，您好", 2),
        ("系统维护已完成。", {}, "系统维护已完成。", 2),
    ],
)
def test_a_template_keeps_its_places_and_has_its_kind(
    text: str, our_names: dict[str, str], content: str, kind: int
) -> None:
    gate, transport = gateway(said(AddTemplateStatus={"TemplateId": "1110"}))

    gate.submit(replace(DRAFT, text=text, our_names=our_names))

    fields = asked(transport)[1]
    assert (fields["TemplateContent"], fields["SmsType"]) == (content, kind)


def test_a_rejected_template_is_changed() -> None:
    gate, transport = gateway(said(ModifyTemplateStatus={"TemplateId": 1110}))

    gate.resubmit(replace(DRAFT, remote_id="1110"))

    assert asked(transport) == ("ModifySmsTemplate", {"TemplateId": 1110, **SUBMITTED})


def test_a_template_is_deleted() -> None:
    gate, transport = gateway(said(DeleteTemplateStatus={"DeleteStatus": "return successfully!", "DeleteTime": AT}))

    gate.delete(Submission.TEMPLATE, "1110")

    assert asked(transport) == ("DeleteSmsTemplate", {"TemplateId": 1110})


@pytest.mark.parametrize(
    "call",
    [
        lambda gate: gate.submit(DRAFT),
        lambda gate: gate.resubmit(replace(DRAFT, remote_id="1110")),
        lambda gate: gate.delete(Submission.TEMPLATE, "1110"),
        lambda gate: gate.ask_review(Submission.TEMPLATE, "1110"),
        lambda gate: gate.ask_status(sent(SERIAL)),
        lambda gate: gate.ask_balance(),
    ],
    ids=["submit", "resubmit", "delete", "review", "status", "balance"],
)
def test_every_action_reads_a_refusal(call: Any) -> None:
    with pytest.raises(GatewayRejected, match="the vendor's words") as refusal:
        call(gateway(refusal_of("FailedOperation.ProhibitSubAccountUse"))[0])
    assert refusal.value.reason == Reason.ACCOUNT


@pytest.mark.parametrize(
    ("draft", "words"),
    [(replace(DRAFT, remark=""), "remark"), (replace(DRAFT, text="{3}，{1}"), "under “variables”")],
)
def test_a_draft_that_the_vendor_would_refuse_is_not_submitted(draft: Draft, words: str) -> None:
    gate, transport = gateway()

    with pytest.raises(GatewayRejected, match=words):
        gate.submit(draft)
    assert transport.requests == []


def test_a_signature_needs_pictures_and_is_only_asked_about() -> None:
    kinds = TencentGateway
    assert (kinds.submits, kinds.resubmits, kinds.deletes) == (frozenset({Submission.TEMPLATE}),) * 3
    assert kinds.answers_review == frozenset(Submission)


# -------------------------------------------------------------------------------------------------- packages


def package(amount: object, used: object, begins: int = AT - 1, ends: int = AT + 1) -> dict[str, object]:
    return {
        "PackageCreateTime": begins,
        "PackageEffectiveTime": begins,
        "PackageExpiredTime": ends,
        "PackageAmount": amount,
        "PackageType": 1,
        "PackageId": 1,
        "CurrentUsage": used,
    }


@time_machine.travel(AT, tick=False)
def test_the_balance_is_what_is_left_in_the_packages_in_force() -> None:
    rows = [
        package(1000, 1),
        package(100, 100),
        package(70, 20, begins=AT, ends=AT + 86400),
        package(5000, 0, begins=AT + 1, ends=AT + 86400),
        package(900, 100, begins=AT - 86400, ends=AT),
    ]
    gate, transport = gateway(said(SmsPackagesStatisticsSet=rows))

    assert gate.ask_balance() == Decimal(1049)
    assert asked(transport) == (
        "SmsPackagesStatistics",
        {
            "SmsSdkAppId": "1400006666",
            "Limit": 500,
            "Offset": 0,
            "BeginTime": "2015010100",
            "EndTime": "2026112108",  # China's hour
        },
    )


@time_machine.travel(AT, tick=False)
def test_used_up_packages_are_an_empty_balance() -> None:
    assert gateway(said(SmsPackagesStatisticsSet=[package(100, 100)]))[0].ask_balance() == 0


@pytest.mark.parametrize("rows", [None, [], [package(100, 0, ends=AT)], [package(100, 0, begins=AT + 1)]])
@time_machine.travel(AT, tick=False)
def test_no_package_in_force_is_no_balance_and_not_an_empty_one(rows: object) -> None:
    assert gateway(said(SmsPackagesStatisticsSet=rows))[0].ask_balance() is None


@time_machine.travel(AT, tick=False)
def test_a_full_page_is_not_taken_for_the_whole() -> None:
    with pytest.raises(GatewayRejected, match="more packages"):
        gateway(said(SmsPackagesStatisticsSet=[package(1, 0)] * 500))[0].ask_balance()
    assert gateway(said(SmsPackagesStatisticsSet=[package(1, 0)] * 499))[0].ask_balance() == 499


@pytest.mark.parametrize("answer", [said(), said(SmsPackagesStatisticsSet=[package("NaN", 0)]), b"{}"])
@time_machine.travel(AT, tick=False)
def test_a_balance_that_cannot_be_read_is_unknown(answer: bytes) -> None:
    with pytest.raises(GatewayUncertain):
        gateway(answer)[0].ask_balance()


@pytest.mark.parametrize("ask", [lambda gate: gate.ask_balance(), lambda gate: gate.ask_status(sent(SERIAL))])
def test_without_an_application_nothing_is_asked(ask: Any) -> None:
    gate, transport = gateway(sdk_app_id="")

    with pytest.raises(GatewayRejected, match="no sdk_app_id"):
        ask(gate)
    assert transport.requests == []


def test_a_refusal_in_an_answer_with_another_status_is_a_refusal() -> None:
    assert verdict(HARNESS.outcome(Answer(403, b"<html>"), SMS, **APP))[:2] == ("rejected", "account")


def test_an_acceptance_has_the_number_of_this_sms() -> None:
    assert outcome(verdicts(row(SerialNo=None))) == Acceptance(remote_id="")
