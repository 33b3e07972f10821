"""Aliyun 短信认证, https://dypnsapi.aliyuncs.com (Dypnsapi 2017-05-25), also for accounts without a company."""

from __future__ import annotations

import requests
from django.utils.translation import gettext_lazy as _

from django_smsverify import texts
from django_smsverify.enums import Billing, Reason, Submission
from django_smsverify.exceptions import GatewayRejected
from django_smsverify.gateways.parsing import as_text, compact_json, named_values
from django_smsverify.types import Acceptance, Answer, Option, OutgoingSMS

from .api import AliyunAPI


class AliyunPnvsGateway(AliyunAPI):
    """Sends our own code with a signature and a template that the vendor gives away.

    Neither its delivery reports nor its error codes beyond those of all Aliyun products are published.
    """

    label = "Aliyun 短信认证"
    base_url = "https://dypnsapi.aliyuncs.com"
    options = (
        Option(
            name="interval",
            label=_("Seconds between two SMS to a number"),
            is_number=True,
            initial="60",
            help_text=_("The vendor refuses a number that gets the next one earlier."),
        ),
    )
    billing = Billing.DELIVERED  # by the carrier's report: help.aliyun.com, api-dypnsapi-2017-05-25-sendsmsverifycode
    mainland_only = True
    needs_signatures = True
    sends_ids = frozenset({Submission.TEMPLATE})

    def build_one(self, sms: OutgoingSMS, phone: str) -> requests.Request:
        if "code" not in texts.placeholders(sms.content):
            raise GatewayRejected("this vendor sends codes only", reason=Reason.CONTENT, error_code="no-code")
        fields = {
            "PhoneNumber": self.mobile(phone),
            "SignName": sms.signature,
            "TemplateCode": sms.template_id,
            "TemplateParam": compact_json(named_values(sms, phone)),
            "Interval": self.option("interval"),
        }
        return self.request("SendSmsVerifyCode", fields | ({"OutId": sms.own_id} if sms.own_id else {}))

    def build_question(self) -> requests.Request:
        """A send without number, signature and template: no query is published that needs none of them."""
        return self.request("SendSmsVerifyCode", {})

    def parse_one(self, answer: Answer) -> Acceptance:
        model = self.data(answer).get("Model")
        return Acceptance(remote_id=as_text(model.get("BizId")) if isinstance(model, dict) else "")
