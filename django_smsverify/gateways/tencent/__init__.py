"""Tencent Cloud SMS 腾讯云短信, https://sms.tencentcloudapi.com (API 2021-01-11)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import requests

from django_smsverify import texts
from django_smsverify.enums import Billing, Submission
from django_smsverify.exceptions import GatewayRejected
from django_smsverify.gateways.base import Outcome
from django_smsverify.gateways.parsing import as_text, json_rows, parse_rows
from django_smsverify.linting import TextRules
from django_smsverify.types import Acceptance, Answer, DeliveryEvent, JSONObject, News, OutgoingSMS, Push, SentSMS

from .packages import TencentPackages
from .placeholders import parameters
from .reports import asked_event, pushed_event
from .submissions import TencentSubmissions

MOST_STATUSES = 100
SKEW = timedelta(minutes=5)
"""How far the vendor's clock may be from ours."""
REMEMBERED = timedelta(days=7) - SKEW
"""How long the vendor can be asked about a message."""


class TencentGateway(TencentSubmissions, TencentPackages):
    """Sends a signature's text, a template's id and values by position, to up to 200 numbers with the same values.

    Each number has its own verdict and id. Reports are pushed, and can be queried by number and time.
    """

    label = "Tencent Cloud 腾讯云"
    base_url = "https://sms.tencentcloudapi.com"
    # Only an article of its community says so (techpedia 1295/9417): also what the carrier then fails to deliver.
    billing = Billing.SUBMITTED
    max_recipients = 200
    same_text = True
    needs_signatures = True
    sends_ids = frozenset({Submission.TEMPLATE})
    finds_own_ids = True
    acknowledgement = '{"result":0,"errmsg":"OK"}'
    acknowledgement_type = "application/json"
    # cloud.tencent.com/document/product/382/39023
    text_rules = TextRules(signature_length=(2, 12), longest=500, longest_code=6)

    def check_recipient(self, sms: OutgoingSMS, phone: str) -> None:
        if not phone.startswith("+86") and any(other.startswith("+86") for other in sms.recipients):
            why = "this vendor takes mainland numbers and others in separate calls only"
            raise GatewayRejected(why, error_code="mixed-numbers")

    def build_send(self, sms: OutgoingSMS) -> requests.Request:
        fields: dict[str, object] = {
            "PhoneNumberSet": list(sms.recipients),
            "SmsSdkAppId": self.option("sdk_app_id"),
            "SignName": sms.signature,
            "TemplateId": sms.template_id,
        }
        if texts.placeholders(sms.content):
            fields["TemplateParamSet"] = parameters(sms)
        if sms.own_id:
            fields["SessionContext"] = sms.own_id
        return self.request("SendSms", fields)

    def parse_send(self, answer: Answer, sms: OutgoingSMS) -> Mapping[str, Outcome]:
        rows = self.response(answer)["SendStatusSet"] or ()
        return {as_text(row.get("PhoneNumber")): self._outcome(row) for row in rows if as_text(row.get("Code"))}

    def _outcome(self, row: JSONObject) -> Outcome:
        if as_text(row["Code"]) == "Ok":
            return Acceptance(remote_id=as_text(row.get("SerialNo")))
        return self.refusal(row["Code"], row.get("Message"))

    def parse_push(self, push: Push) -> News:
        return parse_rows(json_rows(push), pushed_event)

    def build_status(self, sent: SentSMS) -> requests.Request:
        now = datetime.fromtimestamp(time.time(), UTC)
        begin = max(sent.sent_at - SKEW, now - REMEMBERED)
        fields = {"PhoneNumber": sent.phone, "BeginTime": int(begin.timestamp()), "EndTime": int(now.timestamp())}
        page = {"SmsSdkAppId": self.option("sdk_app_id"), "Offset": 0, "Limit": MOST_STATUSES}
        return self.request("PullSmsSendStatusByPhoneNumber", fields | page)

    def parse_status(self, answer: Answer, sent: SentSMS) -> DeliveryEvent | None:
        return asked_event(self.response(answer)["PullSmsSendStatusSet"] or (), sent)
