"""Aliyun 阿里云短信服务, https://dysmsapi.aliyuncs.com (Dysmsapi 2017-05-25)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import requests
from django.utils.translation import gettext_lazy as _

from django_smsverify import texts
from django_smsverify.enums import Billing, Submission
from django_smsverify.gateways.base import Outcome
from django_smsverify.gateways.parsing import CHINA, as_text, compact_json, json_rows, named_values, parse_rows
from django_smsverify.types import Acceptance, Answer, DeliveryEvent, News, OutgoingSMS, Push, SentSMS

from .api import AliyunAPI
from .reports import asked_event, pushed_event
from .submissions import AliyunSubmissions

ROWS = "50"
"""The most rows of a query; a number gets no more in a day."""


class AliyunGateway(AliyunSubmissions):
    """Sends a signature's text, a template's code and values as JSON, to up to 100 numbers with their own values.

    One id stands for all numbers of a call. Reports are pushed, and can be queried by number and day.
    """

    label = "Aliyun 阿里云"
    base_url = "https://dysmsapi.aliyuncs.com"
    # SendSms, help.aliyun.com/document_detail/419273: by the carrier's receipt; of other countries nothing is said.
    billing = Billing.DELIVERED
    max_recipients = 100
    finds_own_ids = True
    needs_signatures = True
    sends_ids = frozenset({Submission.TEMPLATE})
    webhook_place = _("系统设置 → 接收短信回执, HTTP 批量推送 in the console: this address for all four kinds.")
    acknowledgement = '{"code":0,"msg":"接收成功"}'
    acknowledgement_type = "application/json; charset=utf-8"
    text_rules = replace(
        AliyunAPI.text_rules,
        signature_length=(2, 12),  # the rules of signatures, templates and variables, /44335 and /2806243
        signature_refuses="[]() ",
        unwelcome=("测试",),
        variable_name="[A-Za-z][A-Za-z0-9_]*",
        longest=500,
        longest_value=35,
        longest_code=6,  # numberCaptcha: 4 to 6 digits
    )

    def build_send(self, sms: OutgoingSMS) -> requests.Request:
        values = [named_values(sms, phone) for phone in sms.recipients]
        numbers = [_plain(phone) for phone in sms.recipients]
        if len(numbers) > 1:
            fields = {
                "PhoneNumberJson": compact_json(numbers),
                "SignNameJson": compact_json([sms.signature] * len(numbers)),
                "TemplateCode": sms.template_id,
                "TemplateParamJson": compact_json(values),
            }
            return self.request("SendBatchSms", fields)
        fields = {"PhoneNumbers": numbers[0], "SignName": sms.signature, "TemplateCode": sms.template_id}
        if texts.placeholders(sms.content):
            fields["TemplateParam"] = compact_json(values[0])
        if sms.own_id:
            fields["OutId"] = sms.own_id
        return self.request("SendSms", fields)

    def parse_send(self, answer: Answer, sms: OutgoingSMS) -> Mapping[str, Outcome]:
        return dict.fromkeys(sms.recipients, Acceptance(remote_id=as_text(self.data(answer).get("BizId"))))

    def parse_push(self, push: Push) -> News:
        return parse_rows(json_rows(push), pushed_event)

    def build_status(self, sent: SentSMS) -> requests.Request:
        # The vendor keeps messages by their day; around midnight its day may be another than ours.
        days = {f"{(sent.sent_at + timedelta(minutes=shift)).astimezone(CHINA):%Y%m%d}" for shift in (-1, 1)}
        day = sorted(days)[sent.asked % len(days)]
        fields = {"PhoneNumber": _plain(sent.phone), "SendDate": day, "PageSize": ROWS, "CurrentPage": "1"}
        return self.request("QuerySendDetails", fields | ({"BizId": sent.remote_id} if sent.remote_id else {}))

    def parse_status(self, answer: Answer, sent: SentSMS) -> DeliveryEvent | None:
        rows = (self.data(answer).get("SmsSendDetailDTOs") or {}).get("SmsSendDetailDTO") or []
        return asked_event(rows, sent)


def _plain(phone: str) -> str:
    """A number as the vendor wants it: of the mainland without the country's code, of others without the plus."""
    return phone.removeprefix("+86") if phone.startswith("+86") else phone.removeprefix("+")
