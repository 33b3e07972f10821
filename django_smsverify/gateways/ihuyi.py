"""ihuyi 互亿无线, https://106.ihuyi.com (its interface document v3.3 of 2018-05-16, and its current page)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import requests
from django.utils.translation import gettext_lazy as _

from django_smsverify import texts
from django_smsverify.enums import Billing, DeliveryOutcome, Reason, ReviewStatus, Submission
from django_smsverify.linting import TextRules
from django_smsverify.types import (
    Acceptance,
    Answer,
    Credential,
    DeliveryEvent,
    Draft,
    Event,
    JSONObject,
    News,
    Option,
    OutgoingSMS,
    Push,
    ReplyEvent,
    ReviewEvent,
)

from .base import Gateway
from .parsing import (
    amount,
    as_text,
    china_time,
    e164,
    flat_object,
    form_row,
    full_text,
    lookup,
    ordered_values,
    parse_rows,
    payload_without,
    required_code,
)

REVIEWS = {"2": ReviewStatus.APPROVED, "0": ReviewStatus.REJECTED}


class IhuyiGateway(Gateway):
    """Sends the full text, equal to a submitted one, or a template id with values; only code 2 is success."""

    label = "ihuyi 互亿无线"
    base_url = "https://106.ihuyi.com"
    credentials = (
        Credential(name="account", label="APIID", help_text=_("At 用户中心 → 验证码短信 → 产品总览.")),
        Credential(name="api_key", label="APIKEY", help_text=_("Beside the APIID.")),
    )
    webhook_place = _("The push addresses in the console: this address for reports, replies and templates.")
    options = (
        Option(
            name="password",
            label=_("Password"),
            choices=("dynamic", "plain"),
            help_text=_("“dynamic” signs each request with MD5; “plain” sends the APIKEY itself."),
        ),
        Option(
            name="mode",
            label=_("What is sent"),
            choices=("content", "template"),
            help_text=_(
                "“content”: the full text, equal to the submitted one to the letter; “template”: id and values."
            ),
        ),
        Option(name="format", label=_("Answer format"), choices=("json", "xml")),
        Option(
            name="longest_value",
            label=_("Longest value"),
            is_number=True,
            help_text=_("Characters; the vendor names the account's limit when it refuses with 40722. Blank: none."),
        ),
    )
    reasons = {
        **dict.fromkeys(("400", "401", "402", "405", "4050", "40501", "40502", "40505"), Reason.ACCOUNT),
        **dict.fromkeys(("4051", "4052", "4053"), Reason.ACCOUNT),
        **dict.fromkeys(("404", "407", "4070", "4071", "4072", "40722", "4073", "4074", "4075"), Reason.CONTENT),
        **dict.fromkeys(("4030", "406"), Reason.RECIPIENT),
        **dict.fromkeys(("4080", "4082", "4085"), Reason.FREQUENCY),
        "408": Reason.RATE,
        **dict.fromkeys(("0", "403"), Reason.OTHER),
    }
    # The vendor's guide of 2018: charged when submitted, refunded when the submission fails.
    billing = Billing.SUBMITTED
    cause_field = "detail"  # the code says only whether it arrived
    mainland_only = True
    submits = frozenset({Submission.TEMPLATE})
    text_rules = TextRules(
        signature_length=(2, 30),  # user guide of 2018, also for the next rule
        signature_refuses="()（）{}<>《》〈〉「」『』",  # no brackets
        longest=500,  # 短信内容 on the current page; 300 on the older page
        safe_length=300,
        refuses_emoji=True,  # code 4074
    )

    @classmethod
    def sends_ids_with(cls, options: Mapping[str, str]) -> frozenset[Submission]:
        return frozenset({Submission.TEMPLATE} if options.get("mode") == "template" else ())

    @classmethod
    def rules_for(cls, options: Mapping[str, str]) -> TextRules:
        longest = options.get("longest_value") or ""
        return replace(
            cls.text_rules,
            longest_value=int(longest) if longest.isdecimal() else None,
            value_refuses="|" if options.get("mode") == "template" else "",  # it separates values
        )

    def build_one(self, sms: OutgoingSMS, phone: str) -> requests.Request:
        mobile, template = self.mobile(phone), self.option("mode") == "template"
        # The vendor adds the signature itself.
        content = "|".join(ordered_values(sms, phone)) if template else full_text(sms, phone)
        fields = self.authorized(mobile, content, {"mobile": mobile, "content": content})
        if template:
            fields["templateid"] = sms.template_id
        return self.request("Submit", fields)

    def authorized(self, mobile: str, content: str, fields: Mapping[str, str]) -> dict[str, str]:
        """Adds account and password to the fields; a dynamic password is valid for one request and one second."""
        account, api_key = self.account.credentials["account"], self.account.credentials["api_key"]
        if self.option("password") == "plain":
            return {"account": account, "password": api_key, **fields}
        now = str(int(time.time()))
        signed = hashlib.md5(f"{account}{api_key}{mobile}{content}{now}".encode(), usedforsecurity=False)
        return {"account": account, "password": signed.hexdigest(), **fields, "time": now}

    def request(self, method: str, fields: Mapping[str, str]) -> requests.Request:
        """A request for one of the vendor's methods, such as Submit."""
        return requests.Request(
            "POST",
            self.url("/webservice/sms.php"),
            params={"method": method},
            data={**fields, "format": self.option("format")},
        )

    def parse_one(self, answer: Answer) -> Acceptance:
        return Acceptance(remote_id=as_text(self.successful(answer).get("smsid")))

    def build_balance(self) -> requests.Request:
        return self.request("GetNum", self.authorized("", "", {}))

    def parse_balance(self, answer: Answer) -> Decimal:
        return amount(self.successful(answer)["num"])

    def successful(self, answer: Answer) -> JSONObject:
        """The fields of an answer that means success; raises a GatewayError for any other."""
        found = flat_object(answer)  # the content type is not documented
        code = required_code(found["code"])
        if code != "2":
            raise self.refusal(code, found.get("msg"))
        return found

    def build_submit(self, draft: Draft) -> requests.Request:
        """Numbers the placeholders unless there is only one; the password is the key, or its digest without a time."""
        account, api_key = self.account.credentials["account"], self.account.credentials["api_key"]
        digest = hashlib.md5(api_key.encode(), usedforsecurity=False).hexdigest()
        password = api_key if self.option("password") == "plain" else digest
        names = texts.placeholders(draft.text)
        numbers = iter([""] if len(names) == 1 else map(str, range(1, len(names) + 1)))
        content = texts.translate(draft.text, lambda name: f"【变量{next(numbers)}】")
        return self.request("AddTemplate", {"account": account, "password": password, "content": content})

    def parse_submit(self, answer: Answer, draft: Draft) -> str:
        return as_text(self.successful(answer)["templateid"])

    def parse_push(self, push: Push) -> News:
        return parse_rows([form_row(push)], _event)


def _event(row: Mapping[str, str]) -> Event:
    """An operator may register one address for reports, replies and review results."""
    if "templateid" in row:
        status = lookup(REVIEWS, row["code"])
        remote_id = as_text(row["templateid"])
        reason = "" if status == ReviewStatus.APPROVED else as_text(row.get("msg"))
        return ReviewEvent(submission=Submission.TEMPLATE, remote_id=remote_id, status=status, reason=reason)
    if "reply_time" in row:
        return ReplyEvent(
            remote_id=as_text(row.get("smsid")),
            phone=e164(row["mobilephone"]),
            content=row["content"],
            occurred_at=china_time(row["reply_time"]),
            payload=payload_without(row, "content"),
        )
    return DeliveryEvent(
        remote_id=as_text(row["smsid"]),
        phone=e164(row["mobilephone"]),
        outcome=DeliveryOutcome.DELIVERED if required_code(row["code"]) == "2" else DeliveryOutcome.UNDELIVERED,
        code=as_text(row["code"]),
        detail=as_text(row.get("msg")),
        occurred_at=china_time(row["report_time"]),
        payload=payload_without(row, "content"),
    )
