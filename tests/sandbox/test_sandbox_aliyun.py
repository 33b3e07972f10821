"""The stand-ins of Aliyun refuse what the vendor refuses."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
import requests
from sandbox.catalogue import ALIYUN_CODE, ALIYUN_UNAPPROVED, CREDENTIALS, PNVS_CODE, SIGNATURE, SIGNED
from sandbox.clock import CHINA
from sandbox.server import Sandbox, Travel

from .conftest import LATER, PHONE, App

VALUES = '{"code":"012345","minutes":"5"}'
SEND = {"PhoneNumbers": PHONE, "SignName": SIGNATURE, "TemplateCode": ALIYUN_CODE.id, "TemplateParam": VALUES}
PNVS = {"PhoneNumber": PHONE, "SignName": SIGNATURE, "TemplateCode": PNVS_CODE.id, "TemplateParam": VALUES}
nonces = iter(range(10**9))

Call = Callable[..., requests.Response]


def signed(url: str, action: str, body: bytes, keys: dict[str, str], **changes: str) -> dict[str, str]:
    """The headers of a request as the vendor's page describes them, but for the changes."""
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "host": urlsplit(url).netloc,
        "x-acs-action": action,
        "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
        "x-acs-date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "x-acs-signature-nonce": f"nonce-{next(nonces)}",
        "x-acs-version": "2017-05-25",
        **changes,
    }
    names = ";".join(sorted(headers))
    block = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"POST\n{urlsplit(url).path}\n\n{block}\n{names}\n{headers['x-acs-content-sha256']}"
    text = "ACS3-HMAC-SHA256\n" + hashlib.sha256(canonical.encode()).hexdigest()
    digest = hmac.new(keys["access_key_secret"].encode(), text.encode(), hashlib.sha256).hexdigest()
    credential = f"Credential={keys['access_key_id']},SignedHeaders={names},Signature={digest}"
    return {**headers, "Authorization": f"ACS3-HMAC-SHA256 {credential}"}


@pytest.fixture
def call(sandbox: Sandbox) -> Call:
    def make(action: str, fields: dict[str, str], *, vendor: str = "aliyun", **changes: str) -> requests.Response:
        url = sandbox.base_urls[vendor] + "/"
        body = urlencode(fields, quote_via=quote).encode()
        keys = dict(CREDENTIALS[vendor]) | {name: changes.pop(name) for name in CREDENTIALS[vendor] if name in changes}
        named = {name.replace("_", "-"): value for name, value in changes.items()}
        return requests.post(url, body, headers=signed(url, action, body, keys, **named), timeout=5)

    return make


def code_of(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["Code"]


def test_sends_to_one_number(sandbox: Sandbox, call: Call) -> None:
    answer = call("SendSms", SEND | {"OutId": "42"})

    assert code_of(answer) == (200, "OK")
    (sms,) = sandbox.inbox.of(PHONE)
    assert (sms.text, sms.remote_id) == (f"{SIGNED}您的验证码是012345，5分钟内有效。", answer.json()["BizId"])


def test_sends_to_several_numbers_with_their_values(sandbox: Sandbox, call: Call) -> None:
    values = [{"code": "111111", "minutes": "5"}, {"code": "222222", "minutes": "4"}]
    fields = {
        "PhoneNumberJson": json.dumps([PHONE, "13900139000"]),
        "SignNameJson": json.dumps([SIGNATURE] * 2),
        "TemplateCode": ALIYUN_CODE.id,
        "TemplateParamJson": json.dumps(values),
    }

    answer = call("SendBatchSms", fields)

    assert code_of(answer) == (200, "OK")
    first, second = sandbox.inbox.all()
    assert first.remote_id == second.remote_id == answer.json()["BizId"]
    assert "111111，5" in first.text
    assert "222222，4" in second.text
    assert code_of(call("SendBatchSms", fields | {"SignNameJson": "[]"})) == (200, "isv.INVALID_PARAMETERS")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"PhoneNumbers": "1380013800"}, "isv.MOBILE_NUMBER_ILLEGAL"),
        ({"PhoneNumbers": ""}, "MissingParameter"),
        ({"SignName": "别的站"}, "isv.SMS_SIGNATURE_ILLEGAL"),
        ({"SignName": "待审站"}, "isv.SMS_SIGNATURE_ILLEGAL"),
        ({"TemplateCode": "SMS_999"}, "isv.SMS_TEMPLATE_ILLEGAL"),
        ({"TemplateCode": ALIYUN_UNAPPROVED.id}, "isv.SMS_TEMPLATE_ILLEGAL"),
        ({"TemplateParam": '{"code":"1234"}'}, "isv.TEMPLATE_MISSING_PARAMETERS"),
        ({"TemplateParam": '{"code":1234,"minutes":"5"}'}, "isv.INVALID_JSON_PARAM"),
        ({"TemplateParam": "code=1234"}, "isv.INVALID_JSON_PARAM"),
        ({"TemplateParam": json.dumps({"code": "1" * 36, "minutes": "5"})}, "isv.PARAM_LENGTH_LIMIT"),
        ({"Unknown": "field"}, "isv.INVALID_PARAMETERS"),
        ({"OutId": "x" * 256}, "isv.PARAM_LENGTH_LIMIT"),
    ],
)
def test_refuses_what_the_vendor_refuses(changes: dict[str, str], code: str, sandbox: Sandbox, call: Call) -> None:
    assert code_of(call("SendSms", SEND | changes)) == (200, code)
    assert not sandbox.inbox.all()


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"access_key_id": "other"}, (404, "InvalidAccessKeyId.NotFound")),
        ({"access_key_secret": "other"}, (400, "SignatureDoesNotMatch")),
        ({"x_acs_content_sha256": "0" * 64}, (400, "SignatureDoesNotMatch")),
        ({"x_acs_version": "2014-05-26"}, (400, "InvalidVersion")),
        ({"x_acs_date": "2026-11-21"}, (400, "InvalidTimeStamp.Expired")),
    ],
)
def test_refuses_a_wrong_signature(changes: dict[str, str], refusal: tuple[int, str], call: Call) -> None:
    assert code_of(call("SendSms", SEND, **changes)) == refusal


@pytest.mark.parametrize("minutes", [-16, 16])
def test_refuses_a_clock_that_is_off(minutes: int, call: Call) -> None:
    date = f"{datetime.now(UTC) + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"

    assert code_of(call("SendSms", SEND, x_acs_date=date)) == (400, "InvalidTimeStamp.Expired")


def test_refuses_a_nonce_that_was_used(call: Call) -> None:
    assert code_of(call("SendSms", SEND, x_acs_signature_nonce="same")) == (200, "OK")
    assert code_of(call("SendSms", SEND, x_acs_signature_nonce="same")) == (400, "SignatureNonceUsed")


def test_refuses_a_body_that_was_encoded_again(sandbox: Sandbox) -> None:
    url, keys = sandbox.base_urls["aliyun"] + "/", dict(CREDENTIALS["aliyun"])
    body = urlencode(SEND, quote_via=quote).encode()
    headers = signed(url, "SendSms", body, keys)

    answer = requests.post(url, body.replace(b"%20", b"+") + b"&OutId=", headers=headers, timeout=5)

    assert code_of(answer) == (400, "SignatureDoesNotMatch")


def test_refuses_what_it_does_not_know(call: Call, sandbox: Sandbox) -> None:
    assert code_of(call("SendNothing", SEND)) == (404, "InvalidAction.NotFound")
    assert requests.post(sandbox.base_urls["aliyun"] + "/", SEND, timeout=5).status_code == 400
    assert requests.get(sandbox.base_urls["aliyun"] + "/", timeout=5).status_code == 405


def asked(call: Call, **fields: str) -> list[dict[str, Any]]:
    query = {"PhoneNumber": PHONE, "SendDate": f"{datetime.now(CHINA):%Y%m%d}", "PageSize": "10", "CurrentPage": "1"}
    found = call("QuerySendDetails", query | fields).json()
    return found["SmsSendDetailDTOs"]["SmsSendDetailDTO"]  # type: ignore[no-any-return]


def test_tells_what_became_of_an_sms(sandbox: Sandbox, call: Call) -> None:
    sandbox.travel("aliyun", LATER)
    biz_id = call("SendSms", SEND | {"OutId": "42"}).json()["BizId"]
    assert [(row["SendStatus"], row["OutId"]) for row in asked(call)] == [(1, "42")]

    sandbox.flush()

    assert [(row["SendStatus"], row["ErrCode"]) for row in asked(call, BizId=biz_id)] == [(3, "DELIVERED")]
    assert asked(call, BizId="1^0") == []
    assert asked(call, SendDate="20200101") == []
    assert asked(call, PhoneNumber="13900139000") == []


def test_pushes_reports_replies_and_verdicts(sandbox: Sandbox, call: Call, app: App) -> None:
    sandbox.webhooks["aliyun"] = app.url
    app.answer = '{"code":0,"msg":"接收成功"}'.encode()
    sandbox.travel("aliyun", Travel(delay=3600, arrives=False))
    biz_id = call("SendSms", SEND | {"OutId": "42"}).json()["BizId"]
    sandbox.flush()
    ((report,),) = [json.loads(app.next().body)]
    assert (report["biz_id"], report["out_id"], report["success"]) == (biz_id, "42", False)

    assert sandbox.reply(PHONE, "TD")
    sandbox.flush()
    assert json.loads(app.next().body)[0]["content"] == "TD"

    for kind, remote_id in (("sign", "待审站"), ("template", ALIYUN_UNAPPROVED.id)):
        sandbox.judge("aliyun", kind, remote_id, approved=False, reason="不合规范")  # type: ignore[arg-type]
        sandbox.flush()
        (verdict,) = json.loads(app.next().body)
        assert (verdict[f"{kind}_status"], verdict["reason"]) == ("rejected", "不合规范")


def test_reviews_what_is_filed(sandbox: Sandbox, call: Call) -> None:
    template = {
        "TemplateName": "登录",
        "TemplateContent": "验证码${code}。",
        "TemplateType": "0",
        "RelatedSignName": SIGNATURE,
        "TemplateRule": '{"code":"numberCaptcha"}',
    }
    code = call("CreateSmsTemplate", template).json()["TemplateCode"]
    assert call("GetSmsTemplate", {"TemplateCode": code}).json()["TemplateStatus"] == "0"
    assert code_of(call("UpdateSmsTemplate", template | {"TemplateCode": code})) == (200, "isv.TEMPLATE_STATE_ILLEGAL")
    sandbox.judge("aliyun", "template", code, approved=False, reason="不合规范")
    found = call("GetSmsTemplate", {"TemplateCode": code}).json()
    assert (found["TemplateStatus"], found["AuditInfo"]) == ("2", {"RejectInfo": "不合规范"})

    changed = template | {"TemplateCode": code, "TemplateContent": "您的验证码${code}。"}
    assert call("UpdateSmsTemplate", changed).json()["TemplateCode"] == code
    assert call("GetSmsTemplate", {"TemplateCode": code}).json()["TemplateContent"] == "您的验证码${code}。"
    assert code_of(call("DeleteSmsTemplate", {"TemplateCode": code})) == (200, "OK")
    assert code_of(call("GetSmsTemplate", {"TemplateCode": code})) == (200, "isv.SMS_TEMPLATE_ILLEGAL")

    sign = {"SignName": "新站点", "SignSource": "0", "SignType": "1", "QualificationId": "1"}
    assert call("CreateSmsSign", sign).json()["SignName"] == "新站点"
    assert call("GetSmsSign", {"SignName": "新站点"}).json()["SignStatus"] == 0
    assert code_of(call("CreateSmsSign", sign)) == (200, "isv.SIGN_NAME_ILLEGAL")


@pytest.mark.parametrize(
    "changes",
    [
        {"TemplateRule": "{}"},
        {"TemplateType": "1"},
        {"TemplateRule": '{"code":"time"}'},
        {"TemplateContent": "x" * 501},
    ],
)
def test_a_template_needs_the_kinds_of_its_values(changes: dict[str, str], call: Call) -> None:
    template = {
        "TemplateName": "登录",
        "TemplateContent": "验证码${code}。",
        "TemplateType": "0",
        "RelatedSignName": SIGNATURE,
        "TemplateRule": '{"code":"numberCaptcha"}',
    }

    assert code_of(call("CreateSmsTemplate", template | changes)) == (200, "isv.TEMPLATE_PARAMS_ILLEGAL")


def test_pnvs_sends_a_code_of_ones_own(sandbox: Sandbox, call: Call) -> None:
    answer = call("SendSmsVerifyCode", PNVS | {"OutId": "42", "Interval": "60"}, vendor="aliyun_pnvs")

    assert (code_of(answer), answer.json()["Model"]["OutId"]) == ((200, "OK"), "42")
    assert sandbox.inbox.all()[0].text == f"{SIGNED}您的验证码是012345，5分钟内有效。"
    for changes, code in (
        ({"PhoneNumber": "85261234567"}, "isv.MOBILE_NUMBER_ILLEGAL"),
        ({"TemplateCode": "SMS_234"}, "isv.SMS_TEMPLATE_ILLEGAL"),
        ({"SignName": "自己的签名"}, "isv.SMS_SIGNATURE_ILLEGAL"),
        ({"TemplateParam": ""}, "MissingParameter"),
    ):
        assert code_of(call("SendSmsVerifyCode", PNVS | changes, vendor="aliyun_pnvs")) == (200, code)
