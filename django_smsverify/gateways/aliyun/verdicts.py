"""Aliyun's verdicts on signatures and templates, as they are asked for and as they are pushed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django_smsverify.enums import Carrier, FilingStatus, ReviewStatus, Submission
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
REGISTERED = {
    "3": FilingStatus.FILED,
    "1": FilingStatus.PENDING,
    "-1": FilingStatus.PENDING,
    "0": FilingStatus.REFUSED,
    "2": FilingStatus.EXPIRED,
    "-2": FilingStatus.UNFILED,
}
"""By the `RegisterStatus` of a signature at a carrier."""
OPERATORS = {
    "mobile": Carrier.MOBILE,
    "unicom": Carrier.UNICOM,
    "telecom": Carrier.TELECOM,
    "broadnet": Carrier.BROADNET,
}
"""By the `OperatorCode`; the vendor's page shows none, so these are inferred and others are left out."""
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
        filings=dict(_filings(found.get("SignIspRegisterDetailList"))),
    )


def _filings(told: object) -> Iterator[tuple[Carrier, FilingStatus]]:
    """The state at each carrier; what has another shape, or a carrier that is not known, is left out."""
    for row in told if isinstance(told, list) else ():
        carrier = OPERATORS.get(as_text(row.get("OperatorCode")).lower()) if isinstance(row, dict) else None
        status = REGISTERED.get(as_text(row["RegisterStatus"])) if carrier and "RegisterStatus" in row else None
        if carrier and status:
            yield carrier, status


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
