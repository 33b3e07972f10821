"""Qixuntong 企讯通 on the Tencent Cloud market, one endpoint of Tencent's API gateway.

Tencent announced that it will stop this gateway in batches from 2026-10-30; hence the base URL is a setting.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any

import requests
from django.utils.translation import gettext_lazy as _

from django_smsverify import texts
from django_smsverify.enums import Billing, Reason
from django_smsverify.exceptions import GatewayRejected, GatewayUncertain
from django_smsverify.types import Acceptance, Answer, Credential, OutgoingSMS

from .base import Gateway, Outcome
from .parsing import as_text, full_text, json_object, required_code

ITEM_REASONS = {
    "10": Reason.ACCOUNT,
    "12": Reason.RECIPIENT,
    "15": Reason.ACCOUNT,
    "17": Reason.CONTENT,
}


class QixuntongGateway(Gateway):
    """Sends the full signed text in the query, with HMAC-SHA1 over date and source; returns a result per number."""

    label = "Qixuntong 企讯通"
    base_url = "https://service-4lwag7c4-1253285064.gz.apigw.tencentcs.com/release/qxt_yzm_sms/"
    credentials = (
        Credential(
            name="secret_id",
            label="SecretID",
            help_text=_("Of the pair that Tencent's 云市场 gave you for this product; those of 访问管理 are others."),
        ),
        Credential(name="secret_key", label="SecretKey", help_text=_("Of the same pair.")),
    )
    # 1, 4 and 102 are Qixuntong's own; the others belong to the platform whose answer format it uses.
    reasons = {
        **dict.fromkeys(("2", "3", "6", "7", "10", "15"), Reason.ACCOUNT),
        **dict.fromkeys(("9", "17", "20"), Reason.CONTENT),
        **dict.fromkeys(("1", "4", "5", "8", "12", "30", "31", "34", "100", "102"), Reason.OTHER),
        "21": Reason.RATE,
    }
    billing = Billing.SUBMITTED  # not documented; there are no delivery reports
    mainland_only = True
    max_recipients = 200
    same_text = True

    def build_send(self, sms: OutgoingSMS) -> requests.Request:
        text = full_text(sms, next(iter(sms.recipients)))
        query = {
            "content": texts.signed(sms.signature, text),
            "mobile": ",".join(self.mobile(phone) for phone in sms.recipients),
        }
        return self.request(query)

    def build_question(self) -> requests.Request:
        """A send without text and number: there is no query."""
        return self.request({})

    def parse_question(self, answer: Answer) -> None:
        """Tencent's gateway checks the keys, and refuses with HTTP 401 or 403 before the vendor sees the request."""
        error = self.refusal(required_code(json_object(answer)["status"]), "")
        if isinstance(error, GatewayRejected) and error.reason == Reason.ACCOUNT:
            raise error

    def request(self, query: Mapping[str, str]) -> requests.Request:
        """A signed request."""
        headers = {"Content-Type": "application/x-www-form-urlencoded", **self.authorization()}
        return requests.Request("POST", self.account.base_url, params=query, headers=headers)

    def authorization(self) -> dict[str, str]:
        """Headers of Tencent's key-pair authentication; the date is English in every locale."""
        date, source = formatdate(usegmt=True), "market"
        message = f"x-date: {date}\nx-source: {source}"
        key = self.account.credentials["secret_key"].encode()
        digest = base64.b64encode(hmac.digest(key, message.encode(), hashlib.sha1)).decode()
        secret_id = self.account.credentials["secret_id"]
        value = f'hmac id="{secret_id}", algorithm="hmac-sha1", headers="x-date x-source", signature="{digest}"'
        return {"X-Source": source, "X-Date": date, "Authorization": value}

    def parse_send(self, answer: Answer, sms: OutgoingSMS) -> Mapping[str, Outcome]:
        found = json_object(answer)
        status = required_code(found["status"])
        if status != "0":
            raise self.refusal(status, f"status {status}")  # the vendor sends no message
        items = {as_text(item["mobile"]): item for item in found["list"]}
        named = {phone: items.get(self.mobile(phone)) for phone in sms.recipients}
        return {phone: self._item(item) for phone, item in named.items() if item is not None}

    def _item(self, item: Mapping[str, Any]) -> Outcome:
        result = as_text(item.get("result"))
        if result == "0":
            return Acceptance(remote_id=as_text(item.get("mid")))
        if not result:
            return GatewayUncertain("the answer gives no result for this number")
        reason = ITEM_REASONS.get(result, Reason.OTHER)
        return GatewayRejected(f"result {result} for this number", reason=reason, error_code=result)
