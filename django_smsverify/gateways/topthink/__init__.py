"""TopThink 顶想云, https://api.topthink.com (its page 短信API服务, and the SDK top-think/think-api)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import requests
from django.utils.translation import gettext_lazy as _

from django_smsverify import texts
from django_smsverify.enums import Billing, DeliveryOutcome, Reason, ReviewStatus, Submission
from django_smsverify.exceptions import GatewayRejected, InvalidCallback
from django_smsverify.linting import TextRules
from django_smsverify.linting.topics import CARRIERS, LISTED
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
    ReviewEvent,
)

from .base import Gateway
from .parsing import (
    as_text,
    china_time,
    e164,
    json_object,
    json_rows,
    lookup,
    named_values,
    parse_rows,
    payload_without,
    required_code,
)

OUTCOMES = {"0": None, "1": DeliveryOutcome.DELIVERED, "-1": DeliveryOutcome.UNDELIVERED}
"""By the `status` of a message; 0 is under way."""
REVIEWS = {
    "0": ReviewStatus.PENDING,
    "1": ReviewStatus.APPROVED,
    "2": ReviewStatus.REJECTED,
    "-1": ReviewStatus.REJECTED,  # according to a third-party plugin that uses the SDK
}
KINDS = {Submission.SIGNATURE: "sign", Submission.TEMPLATE: "template"}
"""The vendor's names in its paths."""
VARIABLE = re.compile(r"\$\{([A-Za-z_]+)\}")


class TopThinkGateway(Gateway):
    """Sends the ids of a submitted signature and template, and the values as JSON.

    Code 0 is success; the other codes are not published. Reports and review results are pushed once, and can be
    queried at any time.
    """

    label = "TopThink 顶想云"
    base_url = "https://api.topthink.com"
    credentials = (Credential(name="app_code", label=_("AppCode"), help_text=_("From the console's 安全信息.")),)
    options = (
        Option(
            name="http_method",
            label=_("HTTP method"),
            choices=("POST", "GET"),
            help_text=_("POST, which the vendor's SDK uses, keeps number and code out of URLs; GET is documented."),
        ),
        Option(
            name="auth",
            label=_("Where the AppCode goes"),
            choices=("header", "query"),
            help_text=_("“header”, which the vendor recommends, keeps it out of URLs."),
        ),
    )
    # The vendor's page, 计费规则: 最终的计费也是以发信记录里面的成功次数来计费; 最终按照实际发送成功的短信条数计费.
    billing = Billing.DELIVERED
    mainland_only = True
    answers_review = submits = resubmits = deletes = frozenset(KINDS)
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
            fields["params"] = json.dumps(named_values(sms, phone), ensure_ascii=False, separators=(",", ":"))
        return self.request("/sms/send", fields)

    def request(self, path: str, fields: Mapping[str, str]) -> requests.Request:
        """A request for any operation, with the HTTP method and authorization that the operator chose."""
        app_code = self.account.credentials["app_code"]
        headers = {}
        if self.option("auth") == "header":
            headers["Authorization"] = f"AppCode {app_code}"
        else:
            fields = {"appCode": app_code, **fields}
        if self.option("http_method") == "POST":
            return requests.Request("POST", self.url(path), data=fields, headers=headers)
        return requests.Request("GET", self.url(path), params=fields, headers=headers)

    def parse_one(self, answer: Answer) -> Acceptance:
        data = self._data(answer)
        return Acceptance(remote_id=as_text(data.get("id")) if isinstance(data, dict) else "")

    def parse_push(self, push: Push) -> News:
        if push.headers.get("x-thinkphp-event", "sms").strip().lower() != "sms":
            raise InvalidCallback("the header X-ThinkPHP-Event is not sms")
        return parse_rows(json_rows(push), _event)

    def build_status(self, remote_id: str, phone: str) -> requests.Request:
        return self.request("/sms/query_status", {"id": remote_id})

    def parse_status(self, answer: Answer, remote_id: str, phone: str) -> DeliveryEvent | None:
        return _delivery(self._data(answer))

    def build_review(self, submission: Submission, remote_id: str) -> requests.Request:
        return self._submission_request("query", submission, {"id": remote_id})

    def parse_review(self, answer: Answer, submission: Submission, remote_id: str) -> ReviewEvent:
        return _review(submission, self._data(answer))

    def build_submit(self, draft: Draft) -> requests.Request:
        return self._submission_request("add", draft.submission, _draft_fields(draft))

    def parse_submit(self, answer: Answer, draft: Draft) -> str:
        return as_text(self._data(answer)["id"])

    def build_resubmit(self, draft: Draft) -> requests.Request:
        # The page's sample has the content of a template, its table does not.
        return self._submission_request("modify", draft.submission, {"id": draft.remote_id, **_draft_fields(draft)})

    def parse_resubmit(self, answer: Answer, draft: Draft) -> None:
        self._data(answer)

    def build_delete(self, submission: Submission, remote_id: str) -> requests.Request:
        return self._submission_request("delete", submission, {"id": remote_id})

    def parse_delete(self, answer: Answer, submission: Submission, remote_id: str) -> None:
        self._data(answer)

    def _submission_request(self, verb: str, submission: Submission, fields: Mapping[str, str]) -> requests.Request:
        return self.request(f"/sms/{verb}_{KINDS[submission]}", fields)

    def _data(self, answer: Answer) -> Any:
        """The data of an answer; raises GatewayRejected when the answer is a refusal."""
        found = json_object(answer)
        code = required_code(found["code"])
        if code != "0":
            raise self.refusal(code, found.get("message"))
        return found.get("data")


def _event(row: JSONObject) -> Event | None:
    match as_text(row["action"]):
        case "report":
            return _delivery(row["sms"])
        case "sign":
            return _review(Submission.SIGNATURE, row["sign"])
        case "template":
            # On the vendor's page the template is under "sign".
            return _review(Submission.TEMPLATE, row.get("template") or row["sign"])
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


def _review(submission: Submission, text: JSONObject) -> ReviewEvent:
    name = as_text(text.get("name"))
    is_template = submission == Submission.TEMPLATE
    return ReviewEvent(
        submission=submission,
        remote_id=as_text(text["id"]),
        status=lookup(REVIEWS, text["status"]),
        reason=as_text(text.get("error")),
        text=VARIABLE.sub(r"{\1}", as_text(text.get("content"))) if is_template else name,
        name=name if is_template else "",
        remark=as_text(text.get("remark")),
    )


def _draft_fields(draft: Draft) -> dict[str, str]:
    """A draft in the vendor's fields, without those that only the SDK has: their meaning is not documented."""
    if not draft.remark:
        why = "this vendor wants a remark: what the text is used for, with the site's address"
        raise GatewayRejected(why, reason=Reason.CONTENT, error_code="remark")
    if draft.submission == Submission.SIGNATURE:
        return {"name": draft.text, "remark": draft.remark}
    content = texts.translate(draft.text, lambda name: f"${{{name}}}")
    return {"name": draft.name, "content": content, "remark": draft.remark}
