"""The stand-in of Tencent Cloud SMS refuses what the vendor refuses."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from sandbox.catalogue import (
    CREDENTIALS,
    OPTIONS,
    SIGNATURE,
    SIGNED,
    TENCENT_CODE,
    TENCENT_NOTICE,
    TENCENT_PACKAGE,
    TENCENT_PLAIN,
    TENCENT_UNAPPROVED,
)
from sandbox.clock import CHINA
from sandbox.faults import Fault
from sandbox.server import Sandbox, Travel

from .conftest import LATER, PHONE, App

NUMBER = f"+86{PHONE}"
APP_ID = OPTIONS["tencent"]["sdk_app_id"]
SEND: dict[str, Any] = {
    "PhoneNumberSet": [NUMBER],
    "SmsSdkAppId": APP_ID,
    "SignName": SIGNATURE,
    "TemplateId": TENCENT_CODE.id,
    "TemplateParamSet": ["012345", "5"],
}
TEMPLATE: dict[str, Any] = {
    "TemplateName": "登录",
    "TemplateContent": "登录验证码{1}，{2}分钟内有效。",
    "SmsType": 3,
    "International": 0,
    "Remark": "网站登录",
}
WEBHOOK_DONE = b'{"result":0,"errmsg":"OK"}'
Call = Callable[..., dict[str, Any]]


def hmac_of(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signed(url: str, action: str, body: bytes, *, at: float | None = None, **changes: str) -> dict[str, str]:
    """The headers of a request as the vendor's page describes them, but for the changes."""
    keys, moment = dict(CREDENTIALS["tencent"]), int(time.time() if at is None else at)
    keys |= {name: changes.pop(name) for name in list(keys) if name in changes}
    day, host = f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}", urlsplit(url).netloc
    names = changes.pop("signed_headers", "content-type;host")
    values = {"content-type": "application/json", "host": host, "x-tc-action": action.lower()}
    lines = "".join(f"{name}:{values[name]}\n" for name in names.split(";"))
    canonical = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{day}/sms/tc3_request"
    text = f"TC3-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = hmac_of(hmac_of(hmac_of(f"TC3{keys['secret_key']}".encode(), day), "sms"), "tc3_request")
    headers = {
        "Content-Type": "application/json",
        "Host": host,
        "X-TC-Action": action,
        "X-TC-Version": "2021-01-11",
        "X-TC-Timestamp": str(moment),
        "X-TC-Region": "ap-guangzhou",
        "Authorization": f"TC3-HMAC-SHA256 Credential={keys['secret_id']}/{scope}, SignedHeaders={names}, "
        f"Signature={hmac_of(key, text).hex()}",
    }
    return headers | {name.replace("_", "-"): value for name, value in changes.items()}


@pytest.fixture
def call(sandbox: Sandbox) -> Call:
    def make(action: str, fields: Any, **changes: Any) -> dict[str, Any]:
        url = sandbox.base_urls["tencent"] + "/"
        body = fields if isinstance(fields, bytes) else json.dumps(fields, ensure_ascii=False).encode()
        answer = requests.post(url, body, headers=signed(url, action, body, **changes), timeout=5)
        assert answer.status_code == 200
        return without_id(answer)

    return make


def without_id(answer: requests.Response) -> dict[str, Any]:
    """The fields of an answer without the id of its request, which each has."""
    response: dict[str, Any] = answer.json()["Response"]
    assert response.pop("RequestId")
    return response


def error_of(response: dict[str, Any]) -> str:
    assert response.keys() == {"Error"}
    return str(response["Error"]["Code"])


def verdicts(response: dict[str, Any]) -> dict[str, str]:
    return {row["PhoneNumber"]: row["Code"] for row in response["SendStatusSet"]}


def test_sends_and_counts_the_package_down(sandbox: Sandbox, call: Call) -> None:
    (row,) = call("SendSms", SEND | {"SessionContext": "42"})["SendStatusSet"]

    (sms,) = sandbox.inbox.of(PHONE)
    assert (sms.text, sms.remote_id) == (f"{SIGNED}您的验证码是012345，5分钟内有效。", row["SerialNo"])
    assert re.fullmatch("5000:[0-9]{28}", row["SerialNo"])
    assert (row["Code"], row["PhoneNumber"], row["Fee"], row["SessionContext"]) == ("Ok", NUMBER, 1, "42")
    assert sandbox.credits("tencent") == TENCENT_PACKAGE - 1


def test_a_text_without_values_has_no_list_of_them(sandbox: Sandbox, call: Call) -> None:
    plain = {name: value for name, value in SEND.items() if name != "TemplateParamSet"}

    assert verdicts(call("SendSms", plain | {"TemplateId": TENCENT_PLAIN.id})) == {NUMBER: "Ok"}
    assert sandbox.inbox.all()[0].text == SIGNED + TENCENT_PLAIN.text


def test_each_number_has_its_verdict_in_another_order(sandbox: Sandbox, call: Call) -> None:
    numbers = [NUMBER, "+8613900139000", "+8612345678901"]

    rows = call("SendSms", SEND | {"PhoneNumberSet": numbers})["SendStatusSet"]

    assert [row["PhoneNumber"] for row in rows] == numbers[::-1]
    assert [row["Code"] for row in rows] == ["InvalidParameterValue.IncorrectPhoneNumber", "Ok", "Ok"]
    assert (rows[0]["SerialNo"], rows[0]["Fee"]) == ("", 0)
    assert len({row["SerialNo"] for row in rows}) == 3
    assert len(sandbox.inbox.all()) == 2


def test_up_to_200_numbers_are_taken(call: Call) -> None:
    numbers = [f"+861380013{place:04}" for place in range(201)]

    assert set(verdicts(call("SendSms", SEND | {"PhoneNumberSet": numbers[:200]})).values()) == {"Ok"}
    assert error_of(call("SendSms", SEND | {"PhoneNumberSet": numbers})) == "LimitExceeded.PhoneNumberCountLimit"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"PhoneNumberSet": []}, "MissingParameter.EmptyPhoneNumberSet"),
        ({"PhoneNumberSet": NUMBER}, "InvalidParameter"),
        ({"PhoneNumberSet": [13800138000]}, "InvalidParameter"),
        ({"PhoneNumberSet": [NUMBER, NUMBER]}, "LimitExceeded.PhoneNumberCountLimit"),
        (
            {"PhoneNumberSet": [NUMBER, "+85261234567"]},
            "UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber",
        ),
        ({"SmsSdkAppId": "1400000000"}, "UnauthorizedOperation.SmsSdkAppIdVerifyFail"),
        ({"SmsSdkAppId": int(APP_ID)}, "InvalidParameter"),
        ({"SignName": "待审站"}, "FailedOperation.SignatureIncorrectOrUnapproved"),
        ({"SignName": SIGNED}, "FailedOperation.SignatureIncorrectOrUnapproved"),
        ({"SignName": "78"}, "FailedOperation.SignatureIncorrectOrUnapproved"),
        ({"SignName": ""}, "InvalidParameter"),
        ({"TemplateId": "9999"}, "FailedOperation.TemplateIncorrectOrUnapproved"),
        ({"TemplateId": TENCENT_UNAPPROVED.id}, "FailedOperation.TemplateIncorrectOrUnapproved"),
        ({"TemplateId": int(TENCENT_CODE.id)}, "InvalidParameter"),
        ({"TemplateParamSet": ["012345"]}, "FailedOperation.TemplateParamSetNotMatchApprovedTemplate"),
        ({"TemplateParamSet": ["012345", "5", "6"]}, "FailedOperation.TemplateParamSetNotMatchApprovedTemplate"),
        ({"TemplateParamSet": {"code": "012345"}}, "InvalidParameter"),
        ({"TemplateParamSet": ["012345", 5]}, "InvalidParameter"),
        ({"TemplateParamSet": ["0123456", "5"]}, "InvalidParameterValue.TemplateParameterFormatError"),
        ({"TemplateParamSet": ["abc", "5"]}, "InvalidParameterValue.TemplateParameterFormatError"),
        ({"SessionContext": "x" * 512}, "InvalidParameter"),
        ({"Unknown": "field"}, "UnknownParameter"),
    ],
)
def test_refuses_what_the_vendor_refuses(changes: dict[str, Any], code: str, sandbox: Sandbox, call: Call) -> None:
    assert error_of(call("SendSms", SEND | changes)) == code
    assert sandbox.inbox.all() == ()


@pytest.mark.parametrize("name", ["PhoneNumberSet", "SmsSdkAppId", "SignName", "TemplateId"])
def test_no_field_may_be_missing(name: str, call: Call) -> None:
    assert error_of(call("SendSms", {own: value for own, value in SEND.items() if own != name})) == "MissingParameter"


def test_a_value_is_no_link(call: Call) -> None:
    notice = SEND | {"TemplateId": TENCENT_NOTICE.id}

    assert verdicts(call("SendSms", notice | {"TemplateParamSet": ["李雷"]})) == {NUMBER: "Ok"}
    found = call("SendSms", notice | {"TemplateParamSet": ["https://example.com"]})
    assert error_of(found) == "InvalidParameterValue.ProhibitedUseUrlInTemplateParameter"


NOW = 1795219200


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"secret_id": "other"}, "AuthFailure.SecretIdNotFound"),
        ({"secret_key": "other"}, "AuthFailure.SignatureFailure"),
        ({"Authorization": ""}, "AuthFailure.SignatureFailure"),
        ({"Authorization": "TC3-HMAC-SHA256"}, "AuthFailure.SignatureFailure"),
        ({"Content_Type": "application/json; charset=utf-8"}, "AuthFailure.SignatureFailure"),
        ({"Host": "sms.tencentcloudapi.com"}, "AuthFailure.SignatureFailure"),
        ({"signed_headers": "host"}, "AuthFailure.SignatureFailure"),
        ({"X_TC_Timestamp": "soon"}, "AuthFailure.SignatureExpire"),
        ({"X_TC_Action": "SendSMS"}, "InvalidAction"),
        ({"X_TC_Version": "2019-07-11"}, "NoSuchVersion"),
        ({"X_TC_Region": "cn-hangzhou"}, "UnsupportedRegion"),
    ],
)
def test_a_request_that_is_not_signed_right_is_refused(
    changes: dict[str, str], code: str, sandbox: Sandbox, call: Call
) -> None:
    assert error_of(call("SendSms", SEND, **changes)) == code
    assert sandbox.inbox.all() == ()


def test_the_day_of_the_signature_is_that_of_the_clock(sandbox: Sandbox) -> None:
    url, body = sandbox.base_urls["tencent"] + "/", json.dumps(SEND).encode()
    headers = signed(url, "SendSms", body)
    headers["Authorization"] = re.sub(r"/\d{4}-\d\d-\d\d/", "/2019-02-25/", headers["Authorization"])

    answer = requests.post(url, body, headers=headers, timeout=5)

    assert error_of(without_id(answer)) == "AuthFailure.SignatureFailure"


@pytest.mark.parametrize("names", ["content-type;host", "content-type;host;x-tc-action"])
def test_more_headers_may_be_signed(names: str, call: Call) -> None:
    assert verdicts(call("SendSms", SEND, signed_headers=names)) == {NUMBER: "Ok"}


@pytest.mark.parametrize(("off", "code"), [(-290, None), (290, None), (-310, "expired"), (310, "expired")])
def test_the_clock_may_be_five_minutes_off(off: int, code: str | None, call: Call) -> None:
    answer = call("SendSms", SEND, at=time.time() + off)

    assert ("Error" in answer) == (code is not None)
    assert code is None or error_of(answer) == "AuthFailure.SignatureExpire"


def test_a_body_that_was_written_again_after_it_was_signed_is_refused(sandbox: Sandbox) -> None:
    url = sandbox.base_urls["tencent"] + "/"
    body = json.dumps(SEND).encode()
    again = json.dumps(SEND, separators=(",", ":")).encode()
    headers = signed(url, "SendSms", body)

    answers = [without_id(requests.post(url, sent, headers=headers, timeout=5)) for sent in (again, body)]

    assert error_of(answers[0]) == "AuthFailure.SignatureFailure"
    assert verdicts(answers[1]) == {NUMBER: "Ok"}


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"SignName":"a","SignName":"b"}', b"\xff"])
def test_a_body_that_is_no_object_is_refused(body: bytes, call: Call) -> None:
    assert error_of(call("SendSms", body)) == "InvalidParameter"


def test_only_post_without_a_query_is_served(sandbox: Sandbox) -> None:
    url = sandbox.base_urls["tencent"] + "/"

    assert requests.get(url, timeout=5).status_code == 405
    body = json.dumps(SEND).encode()
    answer = requests.post(f"{url}?a=b", body, headers=signed(url, "SendSms", body), timeout=5)
    assert error_of(without_id(answer)) == "InvalidParameter"


def test_a_fault_is_a_refusal_of_the_call(sandbox: Sandbox, call: Call) -> None:
    sandbox.misbehave("tencent", Fault.refuse("InternalError.Timeout"), times=1)

    assert error_of(call("SendSms", SEND)) == "InternalError.Timeout"


# -------------------------------------------------------------------------------------------------- reports


@pytest.fixture
def site(app: App, sandbox: Sandbox) -> App:
    app.answer = WEBHOOK_DONE
    app.register(sandbox)
    sandbox.travel(None, LATER)
    return app


@pytest.mark.parametrize(("arrives", "status", "word"), [(True, "SUCCESS", "DELIVRD"), (False, "FAIL", "MK:0001")])
def test_a_status_is_pushed_as_a_list(
    arrives: bool, status: str, word: str, sandbox: Sandbox, site: App, call: Call
) -> None:
    sandbox.travel("tencent", Travel(delay=3600, arrives=arrives))
    serial = call("SendSms", SEND | {"SessionContext": "42"})["SendStatusSet"][0]["SerialNo"]

    assert sandbox.flush() == 1

    pushed = site.next()
    assert pushed.headers["content-type"] == "application/json"
    (row,) = json.loads(pushed.body)
    assert re.fullmatch(r"\d{4}(-\d\d){2} \d\d(:\d\d){2}", row.pop("user_receive_time"))
    assert row.pop("description")
    assert row == {
        "nationcode": "86",
        "mobile": PHONE,
        "report_status": status,
        "errmsg": word,
        "sid": serial,
        "ext": "42",
    }


@pytest.mark.parametrize(("answer", "pushes"), [(WEBHOOK_DONE, 1), (b"success", 3), (b'{"result":1}', 3)])
def test_a_push_is_repeated_twice_until_it_is_acknowledged(
    answer: bytes, pushes: int, sandbox: Sandbox, site: App, call: Call
) -> None:
    site.answer = answer
    call("SendSms", SEND)

    assert sandbox.flush() == pushes


def test_a_reply_is_pushed_as_one_object(sandbox: Sandbox, site: App, call: Call) -> None:
    call("SendSms", SEND)
    sandbox.flush()
    site.all()

    assert sandbox.reply(PHONE, "TD")
    sandbox.flush()

    row = json.loads(site.next().body)
    assert abs(row.pop("time") - time.time()) < 60
    assert row == {"extend": "", "mobile": PHONE, "nationcode": "86", "sign": SIGNATURE, "text": "TD"}


def asked(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    usual = {"SmsSdkAppId": APP_ID, "PhoneNumber": NUMBER, "Offset": 0, "Limit": 100}
    return {**usual, "BeginTime": now - 3600, "EndTime": now + 1, **changes}


@pytest.mark.parametrize(("arrives", "status"), [(True, "SUCCESS"), (False, "FAIL")])
def test_the_statuses_of_a_number_are_its_final_ones(arrives: bool, status: str, sandbox: Sandbox, call: Call) -> None:
    sandbox.travel(None, Travel(delay=3600, arrives=arrives))
    serials = [call("SendSms", SEND)["SendStatusSet"][0]["SerialNo"] for _ in range(2)]
    assert call("PullSmsSendStatusByPhoneNumber", asked()) == {"PullSmsSendStatusSet": None}

    sandbox.flush()

    rows = call("PullSmsSendStatusByPhoneNumber", asked())["PullSmsSendStatusSet"]
    assert [row["SerialNo"] for row in rows] == serials
    assert {(row["ReportStatus"], row["PhoneNumber"], row["SubscriberNumber"]) for row in rows} == {
        (status, NUMBER, PHONE)
    }
    assert call("PullSmsSendStatusByPhoneNumber", asked(PhoneNumber="+8613900139000"))["PullSmsSendStatusSet"] is None
    before = asked(BeginTime=int(time.time()) - 7200, EndTime=int(time.time()) - 3600)
    assert call("PullSmsSendStatusByPhoneNumber", before)["PullSmsSendStatusSet"] is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"BeginTime": NOW - 400 * 86400}, "InvalidParameterValue.BeginTimeVerifyFail"),
        ({"EndTime": 0}, "InvalidParameterValue.EndTimeVerifyFail"),
        ({"BeginTime": "now"}, "InvalidParameter"),
        ({"Limit": 101}, "InvalidParameterValue.LimitVerifyFail"),
        ({"Limit": 0}, "InvalidParameterValue.LimitVerifyFail"),
        ({"Offset": 1}, "InvalidParameterValue.OffsetVerifyFail"),
        ({"PhoneNumber": PHONE}, "InvalidParameterValue.IncorrectPhoneNumber"),
        ({"SmsSdkAppId": "1"}, "UnauthorizedOperation.SmsSdkAppIdVerifyFail"),
    ],
)
def test_wrong_queries_are_refused(changes: dict[str, Any], code: str, call: Call) -> None:
    assert error_of(call("PullSmsSendStatusByPhoneNumber", asked(**changes))) == code


# -------------------------------------------------------------------------------------------------- reviews


def described(call: Call, template_id: int) -> dict[str, Any]:
    rows = call("DescribeSmsTemplateList", {"TemplateIdSet": [template_id], "International": 0})
    (row,) = rows["DescribeTemplateStatusSet"]
    return dict(row)


def test_a_template_is_reviewed_changed_and_deleted(sandbox: Sandbox, call: Call) -> None:
    remote_id = call("AddSmsTemplate", TEMPLATE)["AddTemplateStatus"]["TemplateId"]
    assert isinstance(remote_id, str)
    number = int(remote_id)
    row = described(call, number)
    assert (row["TemplateId"], row["StatusCode"], row["TemplateContent"]) == (number, 1, TEMPLATE["TemplateContent"])
    modified = {"TemplateId": number, **TEMPLATE, "TemplateContent": "验证码{1}。"}
    assert error_of(call("ModifySmsTemplate", modified)) == "FailedOperation.TemplateAlreadyPassedCheck"

    sandbox.judge("tencent", "template", remote_id, approved=False, reason="缺少场景")
    row = described(call, number)
    assert (row["StatusCode"], row["ReviewReply"]) == (-1, "缺少场景")
    assert call("ModifySmsTemplate", modified) == {"ModifyTemplateStatus": {"TemplateId": number}}
    assert (described(call, number)["StatusCode"], described(call, number)["TemplateContent"]) == (1, "验证码{1}。")

    sandbox.judge("tencent", "template", remote_id, approved=True)
    assert described(call, number)["StatusCode"] == 0
    sent = SEND | {"TemplateId": remote_id, "TemplateParamSet": ["012345"]}
    assert verdicts(call("SendSms", sent)) == {NUMBER: "Ok"}

    assert call("DeleteSmsTemplate", {"TemplateId": number})["DeleteTemplateStatus"]["DeleteStatus"]
    assert error_of(call("DeleteSmsTemplate", {"TemplateId": number})) == "FailedOperation.TemplateIdNotExist"
    assert error_of(call("ModifySmsTemplate", modified)) == "FailedOperation.MissingTemplateToModify"
    unknown = call("DescribeSmsTemplateList", {"TemplateIdSet": [number], "International": 0})
    assert unknown == {"DescribeTemplateStatusSet": None}


def test_a_signature_is_described_by_its_number(call: Call) -> None:
    rows = call("DescribeSmsSignList", {"SignIdSet": [78, 79, 80], "International": 0})["DescribeSignListStatusSet"]

    assert [(row["SignId"], row["SignName"], row["StatusCode"]) for row in rows] == [
        (78, SIGNATURE, 0),
        (79, "待审站", 1),
    ]
    assert error_of(call("DescribeSmsSignList", {"SignIdSet": ["78"], "International": 0})) == "InvalidParameter"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"TemplateContent": "验证码{code}。"}, "InvalidParameterValue.InvalidTemplateFormat"),
        ({"TemplateContent": "验证码{2}。"}, "InvalidParameterValue.InvalidTemplateFormat"),
        ({"TemplateContent": "验证码{1}{2}。"}, "InvalidParameterValue.InvalidTemplateFormat"),
        ({"TemplateContent": "{1}"}, "InvalidParameterValue.InvalidTemplateFormat"),
        ({"TemplateContent": "【示例站】验证码{1}。"}, "InvalidParameterValue.InvalidTemplateFormat"),
        ({"SmsType": 0}, "InvalidParameterValue.InvalidSmsType"),
        ({"SmsType": "3"}, "InvalidParameter"),
        ({"SmsType": True}, "InvalidParameter"),
        ({"International": 1}, "InvalidParameterValue.InvalidInternational"),
        ({"Remark": ""}, "InvalidParameter"),
        ({"SignId": 78}, "UnknownParameter"),
    ],
)
def test_a_template_against_the_rules_is_refused(changes: dict[str, Any], code: str, call: Call) -> None:
    assert error_of(call("AddSmsTemplate", TEMPLATE | changes)) == code


# -------------------------------------------------------------------------------------------------- packages


def hours(**changes: Any) -> dict[str, Any]:
    now = f"{datetime.now(CHINA):%Y%m%d%H}"
    usual = {"SmsSdkAppId": APP_ID, "Limit": 500, "Offset": 0, "BeginTime": "2015010100", "EndTime": now}
    return {**usual, **changes}


def test_one_package_is_in_force_and_one_has_expired(sandbox: Sandbox, call: Call) -> None:
    sandbox.set_credits("tencent", 242)
    call("SendSms", SEND)

    given, bought = call("SmsPackagesStatistics", hours())["SmsPackagesStatisticsSet"]

    assert given["PackageExpiredTime"] < time.time() < bought["PackageExpiredTime"]
    assert (bought["PackageAmount"] - bought["CurrentUsage"], given["PackageAmount"]) == (241, 100)


def test_without_a_package_nothing_is_sent(sandbox: Sandbox, call: Call) -> None:
    sandbox.set_credits("tencent", 1)

    found = [verdicts(call("SendSms", SEND))[NUMBER] for _ in range(2)]

    assert found == ["Ok", "FailedOperation.InsufficientBalanceInSmsPackage"]
    assert len(sandbox.inbox.all()) == 1


def test_packages_are_listed_by_their_creation(call: Call) -> None:
    assert call("SmsPackagesStatistics", hours(BeginTime="2026010100")) == {"SmsPackagesStatisticsSet": None}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        (
            {"EndTime": f"{datetime.now(CHINA) + timedelta(hours=2):%Y%m%d%H}"},
            "InvalidParameterValue.EndTimeVerifyFail",
        ),
        ({"EndTime": "2015010100"}, "InvalidParameterValue.EndTimeVerifyFail"),
        ({"BeginTime": 2015010100}, "InvalidParameter"),
        ({"BeginTime": "2015"}, "InvalidParameterValue.BeginTimeVerifyFail"),
        ({"Limit": 501}, "InvalidParameterValue.LimitVerifyFail"),
    ],
)
def test_wrong_queries_for_packages_are_refused(changes: dict[str, Any], code: str, call: Call) -> None:
    assert error_of(call("SmsPackagesStatistics", hours(**changes))) == code
