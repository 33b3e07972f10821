"""10658 中昱维信 (VeeSing), https://cloud.10658.com.cn (its page 短信验证码接口文档 of 2024-07-25)."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from decimal import Decimal

import requests
from django.utils.translation import gettext_lazy as _

from django_smsverify import texts
from django_smsverify.enums import Billing, DeliveryOutcome, Reason, Submission
from django_smsverify.exceptions import GatewayRejected, GatewayUncertain
from django_smsverify.linting import TextRules
from django_smsverify.types import (
    Acceptance,
    Answer,
    Credential,
    DeliveryEvent,
    Event,
    JSONObject,
    News,
    Option,
    OutgoingSMS,
    Push,
    ReplyEvent,
)

from .base import Gateway
from .parsing import (
    amount,
    amount_if_any,
    as_text,
    china_time,
    e164,
    form_row,
    json_object,
    lookup,
    ordered_values,
    parse_rows,
    payload_without,
)

OUTCOMES = {"1": DeliveryOutcome.DELIVERED, "0": DeliveryOutcome.UNDELIVERED}


class VeeSingGateway(Gateway):
    """Sends a submitted template whose only variable is the code; every refusal has status 0 and its own message."""

    label = "10658 中昱维信 (VeeSing)"
    base_url = "https://cloud.10658.com.cn"
    credentials = (
        Credential(
            name="app_id",
            label="appId",
            help_text=_("At cloud.10658.com.cn, on the first page after the login, in the column 账号信息."),
        ),
        Credential(
            name="app_key",
            label="appKey",
            help_text=_("In the same column 账号信息; it is shown after a check of who you are (校验身份)."),
        ),
    )
    webhook_place = _("The account's push address for 回执 and 回复: this address for both.")
    options = (
        Option(
            name="balance_auth",
            label=_("Keys when the balance is asked for"),
            choices=("form", "query"),
            help_text=_("The vendor documents a form, and sends the keys in the address itself: use what works."),
        ),
    )
    # Keys are parts of the message in NFKC: the vendor's own samples differ in punctuation.
    reasons = {
        "账号或密码错误": Reason.ACCOUNT,
        "锁定": Reason.ACCOUNT,
        "IP受限": Reason.ACCOUNT,
        "余额不足": Reason.ACCOUNT,
        "模板不存在": Reason.CONTENT,
        "模板id格式": Reason.CONTENT,
        "手机号码格式": Reason.RECIPIENT,
        "一分钟之内": Reason.FREQUENCY,
        "今日发送次数": Reason.FREQUENCY,
        "当日发送量": Reason.RATE,
        "缺少参数": Reason.OTHER,
        "参数错误": Reason.OTHER,
    }
    # Not documented; the answer to each accepted send has the new balance (remainPoint).
    billing = Billing.SUBMITTED
    cause_field = ""  # its 0 and 1 are no carrier's codes
    mainland_only = True
    sends_ids = frozenset({Submission.TEMPLATE})
    text_rules = TextRules(
        exact_variables=1,  # the only parameter for a value, "variables", is the code
        value_pattern="[0-9]{2,8}",  # 支持2-8位纯数字
        values_are="2 to 8 digits",
        refuses_emoji=True,  # 短信内容不支持插入表情符号
    )

    def check_recipient(self, sms: OutgoingSMS, phone: str) -> None:
        super().check_recipient(sms, phone)
        if len(texts.placeholders(sms.content)) != 1:
            why = "this vendor's templates have exactly one variable, the code"
            raise GatewayRejected(why, reason=Reason.CONTENT, error_code="template")

    def build_one(self, sms: OutgoingSMS, phone: str) -> requests.Request:
        (value,) = ordered_values(sms, phone)
        fields = {"phone": self.mobile(phone), "templateId": sms.template_id, "variables": value}
        return self.form("/smsApi/verifyCode", {**self.keys(), **fields})

    def keys(self) -> dict[str, str]:
        """The account's keys as fields of a request."""
        return {"appId": self.account.credentials["app_id"], "appKey": self.account.credentials["app_key"]}

    def form(self, path: str, fields: Mapping[str, str]) -> requests.Request:
        """A POST of these fields as an HTML form."""
        headers = {"Content-Type": "application/x-www-form-urlencoded;charset=utf-8"}
        return requests.Request("POST", self.url(path), data=fields, headers=headers)

    def parse_one(self, answer: Answer) -> Acceptance:
        found = self.successful(answer)
        return Acceptance(remote_id=as_text(found.get("taskId")), balance=amount_if_any(found.get("remainPoint")))

    def build_balance(self) -> requests.Request:
        path = "/smsApi/verifyCode/getBalance"
        if self.option("balance_auth") == "query":
            return requests.Request("POST", self.url(path), params=self.keys())
        return self.form(path, self.keys())

    def parse_balance(self, answer: Answer) -> Decimal:
        return amount(self.successful(answer)["remainPoint"])

    def successful(self, answer: Answer) -> JSONObject:
        """The fields of an answer that means success; raises a GatewayError for any other."""
        found = json_object(answer)
        status = as_text(found["returnStatus"])  # "1 " in the vendor's samples
        if status == "1":
            return found
        if status == "0":
            raise self.refusal(status, found.get("message"))
        # In an older edition of the interface "2000" was success (veesing, 2018).
        raise GatewayUncertain(f"unknown returnStatus, message: {as_text(found.get('message'))}", error_code=status)

    def refusal(self, code: object, message: object) -> GatewayRejected:
        """The error for a refusal, with the reason that `reasons` has for a part of the message."""
        plain = unicodedata.normalize("NFKC", as_text(message))
        reason = next((reason for part, reason in self.reasons.items() if part in plain), Reason.OTHER)
        return GatewayRejected(as_text(message), reason=reason, error_code=as_text(code))

    def parse_push(self, push: Push) -> News:
        return parse_rows([form_row(push)], _event)


def _event(row: Mapping[str, str]) -> Event:
    # "taskid" in a push, "taskId" in the answer to a send.
    fields = {name.lower(): value for name, value in row.items()}
    phone, occurred_at = e164(fields["mobile"]), china_time(fields.get("receivetime"))
    if "status" not in fields:
        return ReplyEvent(
            remote_id=as_text(fields.get("taskid")),
            phone=phone,
            content=fields["content"],
            occurred_at=occurred_at,
            payload=payload_without(fields, "content"),
        )
    return DeliveryEvent(
        remote_id=as_text(fields["taskid"]),
        phone=phone,
        outcome=lookup(OUTCOMES, fields["status"]),
        code=as_text(fields["status"]),
        occurred_at=occurred_at,
        payload=payload_without(fields, "content"),
    )
