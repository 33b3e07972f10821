"""TopThink 顶想云, https://api.topthink.com (its page 短信API服务, and the SDK top-think/think-api)."""

from __future__ import annotations

import requests
from django.utils.translation import gettext_lazy as _

from django_smsverify import texts
from django_smsverify.enums import Billing, DeliveryOutcome, Submission
from django_smsverify.exceptions import InvalidCallback
from django_smsverify.gateways.parsing import (
    as_text,
    china_time,
    compact_json,
    e164,
    json_rows,
    lookup,
    named_values,
    parse_rows,
    payload_without,
)
from django_smsverify.linting import TextRules
from django_smsverify.linting.topics import CARRIERS, LISTED
from django_smsverify.types import (
    Acceptance,
    Answer,
    DeliveryEvent,
    Event,
    JSONObject,
    News,
    OutgoingSMS,
    Push,
    SentSMS,
)

from .submissions import TopThinkSubmissions, review_event

OUTCOMES = {"0": None, "1": DeliveryOutcome.DELIVERED, "-1": DeliveryOutcome.UNDELIVERED}
"""By the `status` of a message; 0 is under way."""


class TopThinkGateway(TopThinkSubmissions):
    """Sends the ids of a submitted signature and template, and the values as JSON.

    Reports are pushed once, and can be queried at any time.
    """

    # The vendor's page, 计费规则: 最终的计费也是以发信记录里面的成功次数来计费; 最终按照实际发送成功的短信条数计费.
    billing = Billing.DELIVERED
    cause_field = "detail"  # the code says only whether it arrived
    mainland_only = True
    sends_ids = frozenset(Submission)
    text_rules = TextRules(
        refuses_neutral=True,  # 签名提交注意事项: 过于宽泛的名称
        unwelcome=("测试",),  # 不要使用带有测试字样的签名; 调用步骤 has the same rule for contents
        variable_name="[A-Za-z_]+",  # 模板提交注意事项, also for the rules down to longest_value
        variable_names_are=_("letters and underscores"),
        reserved_names=frozenset({"id", "email", "mobile", "nick", "site"}),
        most_variables=8,
        longest_value=50,
        topics=CARRIERS | LISTED | {"surgery", "medicine"},  # 签名及模板审核要求, and 医疗 at the top of the page
    )

    def build_one(self, sms: OutgoingSMS, phone: str) -> requests.Request:
        fields = {
            "signId": sms.signature_id,
            "templateId": sms.template_id,
            "phone": self.mobile(phone),
        }
        # The vendor refuses "params" for a template without variables.
        if texts.placeholders(sms.content):
            fields["params"] = compact_json(named_values(sms, phone))
        return self.request("/sms/send", fields)

    def parse_one(self, answer: Answer) -> Acceptance:
        data = self.data(answer)
        return Acceptance(remote_id=as_text(data.get("id")) if isinstance(data, dict) else "")

    def parse_push(self, push: Push) -> News:
        if push.headers.get("x-thinkphp-event", "sms").strip().lower() != "sms":
            raise InvalidCallback("the header X-ThinkPHP-Event is not sms")
        return parse_rows(json_rows(push), _event)

    def build_status(self, sent: SentSMS) -> requests.Request:
        return self.request("/sms/query_status", {"id": sent.remote_id})

    def parse_status(self, answer: Answer, sent: SentSMS) -> DeliveryEvent | None:
        return _delivery(self.data(answer))


def _event(row: JSONObject) -> Event | None:
    match as_text(row["action"]):
        case "report":
            return _delivery(row["sms"])
        case "sign":
            return review_event(Submission.SIGNATURE, row["sign"])
        case "template":
            # On the vendor's page the template is under "sign".
            return review_event(Submission.TEMPLATE, row.get("template") or row["sign"])
    raise ValueError("unknown action")


def _delivery(sms: JSONObject) -> DeliveryEvent | None:
    outcome = lookup(OUTCOMES, sms["status"])
    return outcome and DeliveryEvent(
        remote_id=as_text(sms["id"]),
        phone=e164(sms["phone"]),
        outcome=outcome,
        code=as_text(sms["status"]),
        detail=as_text(sms.get("message")),
        # The query misspells the name.
        occurred_at=china_time(sms.get("receiveDate") or sms.get("reveiveDate")),
        payload=payload_without(sms, "content"),
    )
