"""Signatures and templates at TopThink: submitted, queried, changed, deleted, and reviewed."""

from __future__ import annotations

import re
from collections.abc import Mapping

import requests

from django_smsverify import texts
from django_smsverify.enums import ReviewStatus, Submission
from django_smsverify.exceptions import GatewayRejected
from django_smsverify.gateways.parsing import as_text, lookup
from django_smsverify.types import Answer, Draft, JSONObject, ReviewEvent

from .api import TopThinkAPI

REVIEWS = {
    "0": ReviewStatus.PENDING,
    "1": ReviewStatus.APPROVED,
    "2": ReviewStatus.REJECTED,
    "-1": ReviewStatus.REJECTED,  # according to a third-party plugin that uses the SDK
}
KINDS = {Submission.SIGNATURE: "sign", Submission.TEMPLATE: "template"}
"""The vendor's names in its paths."""
VARIABLE = re.compile(r"\$\{([A-Za-z_]+)\}")


class TopThinkSubmissions(TopThinkAPI):
    """Review results are pushed once, and can be queried at any time."""

    answers_review = submits = resubmits = deletes = frozenset(KINDS)

    def build_review(self, submission: Submission, remote_id: str) -> requests.Request:
        return self._operation("query", submission, {"id": remote_id})

    def parse_review(self, answer: Answer, submission: Submission, remote_id: str) -> ReviewEvent:
        return review_event(submission, self.data(answer))

    def build_submit(self, draft: Draft) -> requests.Request:
        return self._operation("add", draft.submission, _draft_fields(draft))

    def parse_submit(self, answer: Answer, draft: Draft) -> str:
        return as_text(self.data(answer)["id"])

    def build_resubmit(self, draft: Draft) -> requests.Request:
        # The page's sample has the content of a template, its table does not.
        return self._operation("modify", draft.submission, {"id": draft.remote_id, **_draft_fields(draft)})

    def build_delete(self, submission: Submission, remote_id: str) -> requests.Request:
        return self._operation("delete", submission, {"id": remote_id})

    def parse_done(self, answer: Answer) -> None:
        self.data(answer)

    def _operation(self, verb: str, submission: Submission, fields: Mapping[str, str]) -> requests.Request:
        return self.request(f"/sms/{verb}_{KINDS[submission]}", fields)


def review_event(submission: Submission, text: JSONObject) -> ReviewEvent:
    """The state of a review, from the answer to a query or from a push."""
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
        raise GatewayRejected.of_draft(why)
    if draft.submission == Submission.SIGNATURE:
        return {"name": draft.text, "remark": draft.remark}
    content = texts.translate(draft.text, lambda name: f"${{{name}}}")
    return {"name": draft.name, "content": content, "remark": draft.remark}
