"""Tencent Cloud's review of signatures and templates."""

from __future__ import annotations

import re

import requests

from django_smsverify.enums import Reason, ReviewStatus, Submission
from django_smsverify.exceptions import GatewayRejected
from django_smsverify.gateways.parsing import as_text, lookup
from django_smsverify.types import Answer, Draft, ReviewEvent

from .api import TencentAPI
from .placeholders import names_in, numbered

REVIEWS = {
    "0": ReviewStatus.APPROVED,
    "1": ReviewStatus.PENDING,
    "2": ReviewStatus.PENDING,  # approved, and not in force yet
    "-1": ReviewStatus.REJECTED,
}
KINDS = {Submission.SIGNATURE: ("Sign", "SignListStatusSet"), Submission.TEMPLATE: ("Template", "TemplateStatusSet")}
"""The vendor's names of the kinds, and of the list in the answer to a query."""
MAINLAND = 0
NOTICE, CODE = 2, 3
"""The vendor's kinds of templates; its third, marketing, is submitted in its console."""


class TencentSubmissions(TencentAPI):
    """Results are never pushed. A signature needs papers as pictures, so it is submitted in the vendor's console."""

    answers_review = frozenset(KINDS)
    submits = resubmits = deletes = frozenset({Submission.TEMPLATE})

    def build_review(self, submission: Submission, remote_id: str) -> requests.Request:
        kind, _ = KINDS[submission]
        fields = {f"{kind}IdSet": [_number(remote_id)], "International": MAINLAND}
        return self.request(f"DescribeSms{kind}List", fields)

    def parse_review(self, answer: Answer, submission: Submission, remote_id: str) -> ReviewEvent:
        kind, rows = KINDS[submission]
        listed = self.response(answer)[f"Describe{rows}"] or ()
        found = next((row for row in listed if as_text(row[f"{kind}Id"]) == remote_id), None)
        if found is None:
            raise GatewayRejected("the vendor has nothing with this id", reason=Reason.CONTENT, error_code="no-such-id")
        return ReviewEvent(
            submission=submission,
            remote_id=remote_id,
            status=lookup(REVIEWS, found["StatusCode"]),
            reason=as_text(found.get("ReviewReply")),
            # A template's placeholders have numbers there, and only our row knows their names.
            text=as_text(found.get("SignName")),
            name=as_text(found.get("TemplateName")),
        )

    def build_submit(self, draft: Draft) -> requests.Request:
        return self.request("AddSmsTemplate", _fields(draft))

    def parse_submit(self, answer: Answer, draft: Draft) -> str:
        return as_text(self.response(answer)["AddTemplateStatus"]["TemplateId"])

    def build_resubmit(self, draft: Draft) -> requests.Request:
        return self.request("ModifySmsTemplate", {"TemplateId": _number(draft.remote_id), **_fields(draft)})

    def build_delete(self, submission: Submission, remote_id: str) -> requests.Request:
        return self.request("DeleteSmsTemplate", {"TemplateId": _number(remote_id)})

    def parse_done(self, answer: Answer) -> None:
        self.response(answer)


def _fields(draft: Draft) -> dict[str, object]:
    if not draft.remark:
        raise GatewayRejected.of_draft("this vendor wants a remark: what the template is used for")
    ours = {draft.our_names.get(name, name) for name in names_in(draft.text)}
    return {
        "TemplateName": draft.name,
        "TemplateContent": numbered(draft.text),
        "SmsType": CODE if "code" in ours else NOTICE,
        "International": MAINLAND,
        "Remark": draft.remark,
    }


def _number(remote_id: str) -> int:
    if not re.fullmatch("[0-9]{1,18}", remote_id, re.ASCII):
        raise GatewayRejected.of_draft("this vendor's ids of signatures and templates are numbers")
    return int(remote_id)
