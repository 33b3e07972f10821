"""What all actions of Tencent Cloud SMS share: the keys, the signature, the envelope of an answer."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from datetime import UTC, datetime

import requests
from django.utils.translation import gettext_lazy as _

from django_smsverify.gateways.base import Gateway
from django_smsverify.gateways.parsing import compact_json, json_object, required_code
from django_smsverify.types import Answer, Credential, JSONObject, Option

from .codes import REASONS, UNCERTAIN

ALGORITHM = "TC3-HMAC-SHA256"
SERVICE = "sms"
VERSION = "2021-01-11"
JSON = "application/json"


class TencentAPI(Gateway):
    """Builds a request for any action; refusals have HTTP 200, too."""

    credentials = (
        Credential(
            name="secret_id",
            label="SecretId",
            help_text=_("Made at 访问管理 (CAM) for a sub-user, not for the main account."),
        ),
        Credential(
            name="secret_key",
            label="SecretKey",
            help_text=_("Of a CAM sub-user that may use SMS and nothing else."),
        ),
    )
    options = (
        Option(
            name="sdk_app_id",
            label="SmsSdkAppId",
            help_text=_("The number of the application in the SMS console, such as 1400006666."),
        ),
        Option(
            name="region",
            label=_("Region"),
            choices=("ap-guangzhou", "ap-beijing", "ap-nanjing", "ap-singapore"),
        ),
    )
    webhook_place = _(
        "应用管理 → 基础配置 → 事件回调配置 for reports, and 通用管理 → 回复回调 for replies: this address at both."
    )
    required_options = (("sdk_app_id",),)
    delivery_codes = ("tencent",)
    reasons = REASONS
    uncertain = UNCERTAIN

    def request(self, action: str, fields: Mapping[str, object]) -> requests.Request:
        """A signed request; the body is written once, as the signature is over its bytes."""
        url, keys, timestamp = self.url("/"), self.account.credentials, int(time.time())
        body, host = compact_json(fields).encode(), self.host(url)
        signed = authorization(keys["secret_id"], keys["secret_key"], SERVICE, host, JSON, body, timestamp)
        headers = {
            "Host": host,
            "Content-Type": JSON,
            "X-TC-Action": action,
            "X-TC-Version": VERSION,
            "X-TC-Timestamp": str(timestamp),
            "X-TC-Region": self.option("region"),
            "Authorization": signed,
        }
        return requests.Request("POST", url, data=body, headers=headers)

    def response(self, answer: Answer) -> JSONObject:
        """The fields of an answer; raises a GatewayError when they are an error."""
        found: JSONObject = json_object(answer)["Response"]
        if error := found.get("Error"):
            raise self.refusal(required_code(error["Code"]), error.get("Message"))
        return found


def authorization(
    secret_id: str, secret_key: str, service: str, host: str, content_type: str, body: bytes, timestamp: int
) -> str:
    """The header Authorization of a POST to the path / by TC3-HMAC-SHA256.

    Source: cloud.tencent.com/document/api/213/30654. Of the headers, content type and host must be signed.
    """
    day, names = f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d}", "content-type;host"
    headers = f"content-type:{content_type}\nhost:{host}\n"
    canonical = f"POST\n/\n\n{headers}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{day}/{service}/tc3_request"
    message = f"{ALGORITHM}\n{timestamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"TC3{secret_key}".encode()
    for part in (day, service, "tc3_request"):
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    signature = hmac.digest(key, message.encode(), hashlib.sha256).hex()
    return f"{ALGORITHM} Credential={secret_id}/{scope}, SignedHeaders={names}, Signature={signature}"
