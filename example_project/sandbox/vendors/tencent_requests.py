"""Requests to Tencent Cloud: the TC3 signature over their bytes, and the fields of each action with their types."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from sandbox.catalogue import CREDENTIALS
from sandbox.vendors.base import RefusedError, same
from sandbox.wire import Request

Fields = Mapping[str, object]

_VERSION = "2021-01-11"
_REGIONS = ("ap-guangzhou", "ap-beijing", "ap-nanjing", "ap-singapore")
_SKEW_SECONDS = 300
_AUTHORIZATION = re.compile(
    r"TC3-HMAC-SHA256 Credential=([^/]+)/([0-9]{4}-[0-9]{2}-[0-9]{2})/sms/tc3_request, "
    r"SignedHeaders=([a-z-]+(?:;[a-z-]+)*), Signature=([0-9a-f]{64})"
)

TEXT, NUMBER, TEXTS, NUMBERS = "text", "number", "texts", "numbers"
_TEMPLATE = {"TemplateName": TEXT, "TemplateContent": TEXT, "SmsType": NUMBER, "International": NUMBER, "Remark": TEXT}
_REQUIRED: Mapping[str, Mapping[str, str]] = {
    "SendSms": {"PhoneNumberSet": TEXTS, "SmsSdkAppId": TEXT, "TemplateId": TEXT, "SignName": TEXT},
    "PullSmsSendStatusByPhoneNumber": {
        "SmsSdkAppId": TEXT,
        "PhoneNumber": TEXT,
        "BeginTime": NUMBER,
        "EndTime": NUMBER,
        "Offset": NUMBER,
        "Limit": NUMBER,
    },
    "SmsPackagesStatistics": {
        "SmsSdkAppId": TEXT,
        "Limit": NUMBER,
        "Offset": NUMBER,
        "BeginTime": TEXT,
        "EndTime": TEXT,
    },
    "AddSmsTemplate": _TEMPLATE,
    "ModifySmsTemplate": {"TemplateId": NUMBER, **_TEMPLATE},
    "DeleteSmsTemplate": {"TemplateId": NUMBER},
    "DescribeSmsTemplateList": {"TemplateIdSet": NUMBERS, "International": NUMBER},
    "DescribeSmsSignList": {"SignIdSet": NUMBERS, "International": NUMBER},
}
_OPTIONAL: Mapping[str, Mapping[str, str]] = {"SendSms": {"TemplateParamSet": TEXTS, "SessionContext": TEXT}}


def authorize(request: Request) -> None:
    """Raises RefusedError unless the request is signed by the account, within five minutes."""
    headers, account = request.headers, CREDENTIALS["tencent"]
    found = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if found is None or not {"content-type", "host"} <= set(found[3].split(";")):
        raise RefusedError("AuthFailure.SignatureFailure")
    timestamp = headers.get("x-tc-timestamp", "")
    if not re.fullmatch("[0-9]{10}", timestamp) or abs(time.time() - int(timestamp)) > _SKEW_SECONDS:
        raise RefusedError("AuthFailure.SignatureExpire")
    if not same(found[1], account["secret_id"]):
        raise RefusedError("AuthFailure.SecretIdNotFound")
    day = f"{datetime.fromtimestamp(int(timestamp), UTC):%Y-%m-%d}"
    lines = "".join(f"{name}:{headers.get(name, '').strip().lower()}\n" for name in found[3].split(";"))
    canonical = "\n".join(["POST", "/", "", lines, found[3], hashlib.sha256(request.body).hexdigest()])
    scope = f"{day}/sms/tc3_request"
    message = f"TC3-HMAC-SHA256\n{timestamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    if found[2] != day or not same(found[4], _signature(account["secret_key"], day, message)):
        raise RefusedError("AuthFailure.SignatureFailure")
    if headers.get("x-tc-version") != _VERSION:
        raise RefusedError("NoSuchVersion")
    if headers.get("x-tc-region") not in _REGIONS:
        raise RefusedError("UnsupportedRegion")


def fields_of(request: Request, action: str) -> Fields:
    """The fields of the body: all that the action requires, none that it does not know, each of its type."""
    fields, required = request.json_object(), _REQUIRED[action]
    known = {**required, **_OPTIONAL.get(action, {})}
    if not fields.keys() <= known.keys():
        raise RefusedError("UnknownParameter")
    if not required.keys() <= fields.keys():
        raise RefusedError("MissingParameter")
    if not all(_is(known[name], value) for name, value in fields.items()):
        raise RefusedError("InvalidParameter")
    return fields


def _is(kind: str, value: object) -> bool:
    if kind == TEXT:
        return isinstance(value, str) and value != ""
    if kind == NUMBER:
        return isinstance(value, int) and not isinstance(value, bool)
    if not isinstance(value, list):
        return False
    return all(_is(TEXT if kind == TEXTS else NUMBER, item) for item in value)


def _signature(secret_key: str, day: str, message: str) -> str:
    key = f"TC3{secret_key}".encode()
    for part in (day, "sms", "tc3_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, message.encode(), hashlib.sha256).hexdigest()
