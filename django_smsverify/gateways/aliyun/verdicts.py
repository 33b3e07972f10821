"""Aliyun's verdicts on signatures and templates, as they are asked for and as they are pushed."""

from __future__ import annotations

import re

from django_smsverify.enums import ReviewStatus, Submission
from django_smsverify.gateways.parsing import as_text, lookup
from django_smsverify.types import JSONObject, ReviewEvent

KINDS = {Submission.SIGNATURE: ("Sign", "SignName"), Submission.TEMPLATE: ("Template", "TemplateCode")}
"""The vendor's names of the kinds, and of the field that identifies one: a signature goes by its text."""
ASKED = {
    "0": ReviewStatus.PENDING,
    "1": ReviewStatus.APPROVED,
    "2": ReviewStatus.REJECTED,
    "10": ReviewStatus.REJECTED,  # withdrawn
}
PUSHED = {"approving": ReviewStatus.PENDING, "approved": ReviewStatus.APPROVED, "rejected": ReviewStatus.REJECTED}
VARIABLE = re.compile(r"\$\{(\w+)\}", re.ASCII)


def asked_verdict(submission: Submission, found: JSONObject) -> ReviewEvent:
    """The verdict in the answer to a question."""
    kind, key = KINDS[submission]
    return ReviewEvent(
        submission=submission,
        remote_id=as_text(found[key]),
        status=lookup(ASKED, found[f"{kind}Status"]),
        reason=as_text((found.get("AuditInfo") or {}).get("RejectInfo")),
        text=VARIABLE.sub(r"{\1}", as_text(found.get("TemplateContent"))),
        name=as_text(found.get("TemplateName")),
    )


def pushed_verdict(row: JSONObject) -> ReviewEvent | None:
    """The verdict in a row of a push; None for a row that has none."""
    for submission, kind, key in (
        (Submission.SIGNATURE, "sign", "sign_name"),
        (Submission.TEMPLATE, "template", "template_code"),
    ):
        if f"{kind}_status" in row:
            return ReviewEvent(
                submission=submission,
                remote_id=as_text(row[key]),
                status=lookup(PUSHED, row[f"{kind}_status"]),
                reason=as_text(row.get("reason")),
                text=VARIABLE.sub(r"{\1}", as_text(row.get("template_content"))),
                name=as_text(row.get("template_name")),
                remark=as_text(row.get("remark")),
            )
    return None
