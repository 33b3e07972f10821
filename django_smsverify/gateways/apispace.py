"""APISpace (Eolink) 验证码短信, https://eolink.o.apispace.com.

The vendor documents no answers. Its fields, placeholder and limits are identical to those of Chuanglan's variable
SMS: this file parses Chuanglan's answers, and the envelope of other APISpace products.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests
from django.utils.translation import gettext_lazy as _

from django_smsverify import texts
from django_smsverify.enums import Billing, DeliveryOutcome, Reason
from django_smsverify.exceptions import GatewayUncertain
from django_smsverify.linting import TextRules
from django_smsverify.linting.topics import CARRIERS, LISTED
from django_smsverify.types import (
    Acceptance,
    Answer,
    Credential,
    DeliveryEvent,
    JSONObject,
    News,
    Option,
    OutgoingSMS,
)

from .base import Gateway, Outcome
from .parsing import as_text, china_time, e164, json_object, ordered_values, parse_rows, payload_without, required_code

REPORTS = 50
"""Delivery reports in one answer; each has a few hundred bytes, so the answer stays below MAX_ANSWER."""


class APISpaceGateway(Gateway):
    """Sends the full text with positional `{$var}` and groups `phone,value;phone,value`: many numbers in one call."""

    label = "APISpace (Eolink)"
    base_url = "https://eolink.o.apispace.com"
    credentials = (
        Credential(
            name="token", label="X-APISpace-Token", help_text=_("The key of the account, from www.apispace.com.")
        ),
    )
    options = (
        Option(
            name="success_codes",
            label=_("Success codes"),
            initial="0,200000",
            help_text=_("Separated by commas; the vendor documents none."),
        ),
        Option(
            name="report_host",
            label=_("Report host"),
            initial="https://cb.o.apispace.com",
            is_address=True,
            help_text=_("Where delivery reports are fetched."),
        ),
    )
    reasons = {"002": Reason.ACCOUNT, "003": Reason.ACCOUNT}
    # The vendor's page: 按照号码个数以及短信长度扣除实际请求次数, so by request and not by delivery.
    billing = Billing.SUBMITTED
    mainland_only = True
    max_recipients = 500
    text_rules = TextRules(
        signature_length=(2, 20),  # 签名规范, also for the rules down to refuses_neutral
        signature_refuses="-+*&%#@~ ",
        refuses_neutral=True,
        longest=536,  # of msg, according to an article of the vendor and Chuanglan's interface
        counts_signature=True,
        spaced_urls=True,  # 模板规范: 需在链接前后添加空格
        topics=CARRIERS | LISTED | {"points"},  # 签名规范 and 模板规范
        value_refuses=",;",  # they separate values and numbers
    )

    def build_send(self, sms: OutgoingSMS) -> requests.Request:
        groups = [",".join([self.mobile(phone), *ordered_values(sms, phone)]) for phone in sms.recipients]
        text = texts.translate(sms.content, lambda name: "{$var}")
        return self.request(texts.signed(sms.signature, text), ";".join(groups))

    def build_question(self) -> requests.Request:
        """A send without text and number: the vendor has no query that can be asked without losing reports."""
        return self.request("", "")

    def request(self, text: str, params: str) -> requests.Request:
        """A request that sends a text with groups of a number and its values."""
        body = {"msg": text, "params": params, "sendtime": "", "extend": "", "uid": ""}
        return requests.Request("POST", self.url("/sms-code/verifycode"), json=body, headers=self.authorization())

    def authorization(self) -> dict[str, str]:
        """The headers with the token."""
        return {"X-APISpace-Token": self.account.credentials["token"], "Authorization-Type": "apikey"}

    def parse_send(self, answer: Answer, sms: OutgoingSMS) -> Mapping[str, Outcome]:
        found = json_object(answer)
        data = found.get("data")
        inner: JSONObject = data if isinstance(data, dict) else {}
        remote_id = _first_text(found, inner, "msgId", "msgid")
        codes = [required_code(level["code"]) for level in (found, inner) if "code" in level]
        failed = [code for code in codes if code not in self._success()]
        if not codes or (failed and remote_id):
            raise GatewayUncertain(
                "the answer says neither yes nor no", error_code="".join(codes[:1]), remote_id=remote_id
            )
        if failed:
            raise self.refusal(failed[0], _first_text(found, inner, "errorMsg", "msg", "message", "desc"))
        outcome = self._outcome_by_counters({**inner, **found}, remote_id, codes[0])
        return dict.fromkeys(sms.recipients, outcome)

    def build_reports(self) -> requests.Request:
        """The vendor deletes reports when it returns them, or after 72 hours."""
        url = self.option("report_host").rstrip("/") + "/api/sms/report"
        return requests.Request("GET", url, params={"count": str(REPORTS)}, headers=self.authorization())

    def parse_reports(self, answer: Answer) -> News:
        found = json_object(answer)
        code = required_code(found["code"])
        # The success codes are not documented: reports are parsed whatever the code is.
        if not found.get("data") and code not in self._success() | {"000"}:
            raise self.refusal(code, _first_text(found, {}, "errorMsg", "msg", "message", "desc"))
        rows = found["data"] or []
        if not isinstance(rows, list):
            raise TypeError("data is no list")
        return parse_rows(rows, _report)

    def _success(self) -> set[str]:
        return {as_text(code) for code in self.option("success_codes").split(",")}

    def _outcome_by_counters(self, found: Mapping[str, Any], remote_id: str, code: str) -> Outcome:
        """The outcome of a success: its counters may report that all or some numbers failed, without naming them."""
        refused, taken = as_text(found.get("failNum")), as_text(found.get("successNum"))
        if refused in {"", "0"}:
            return Acceptance(remote_id=remote_id)
        if taken in {"", "0"}:
            return self.refusal(code, found.get("errorMsg"))
        return GatewayUncertain("some numbers of the batch were refused", error_code=code, remote_id=remote_id)


def _report(row: JSONObject) -> DeliveryEvent:
    status = required_code(row["status"])
    return DeliveryEvent(
        remote_id=as_text(row["msgId"]),
        phone=e164(row["mobile"]),
        outcome=DeliveryOutcome.DELIVERED if status == "DELIVRD" else DeliveryOutcome.UNDELIVERED,
        code=status,
        detail=as_text(row.get("statusDesc")),
        occurred_at=china_time(row.get("reportTime")),
        payload=payload_without(row, "content", "msg", "params"),
    )


def _first_text(found: JSONObject, inner: JSONObject, *names: str) -> str:
    """The first of these fields that is not empty, searched in the envelope and then in its data."""
    return next((as_text(level[n]) for n in names for level in (found, inner) if as_text(level.get(n))), "")
