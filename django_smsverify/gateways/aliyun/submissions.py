"""What is filed with Aliyun for review: templates, and signatures with a qualification that was approved before."""

from __future__ import annotations

from collections.abc import Mapping

import requests
from django.utils.translation import gettext_lazy as _

from django_smsverify import texts
from django_smsverify.enums import Submission
from django_smsverify.exceptions import GatewayRejected
from django_smsverify.gateways.parsing import as_text, compact_json
from django_smsverify.types import Answer, Draft, Option, ReviewEvent

from .api import AliyunAPI
from .verdicts import KINDS, asked_verdict

LONGEST_NAME = 30
RULES = {"code": "numberCaptcha", "minutes": "other_number2"}
"""The vendor's kinds of our values; that of the minutes is inferred from the list of kinds."""


class AliyunSubmissions(AliyunAPI):
    options = (
        Option(
            name="qualification_id",
            label=_("Qualification ID"),
            help_text=_(
                "资质ID; needed only to submit signatures from here. The vendor's console lists it under 资质管理, "
                "once the company's papers are approved there."
            ),
        ),
        Option(
            name="sign_source",
            label=_("Origin of signatures"),
            choices=("0", "5", "2"),
            help_text=_("0: the company's name, 5: a registered trademark, 2: an app."),
        ),
    )
    answers_review = submits = resubmits = deletes = frozenset(KINDS)

    def build_review(self, submission: Submission, remote_id: str) -> requests.Request:
        return self._operation("Get", submission, {KINDS[submission][1]: remote_id})

    def parse_review(self, answer: Answer, submission: Submission, remote_id: str) -> ReviewEvent:
        return asked_verdict(submission, {KINDS[submission][1]: remote_id, **self.data(answer)})

    def build_submit(self, draft: Draft) -> requests.Request:
        return self._operation("Create", draft.submission, self._fields(draft))

    def parse_submit(self, answer: Answer, draft: Draft) -> str:
        return as_text(self.data(answer)[KINDS[draft.submission][1]])

    def build_resubmit(self, draft: Draft) -> requests.Request:
        fields = self._fields(draft) | {KINDS[draft.submission][1]: draft.remote_id}
        return self._operation("Update", draft.submission, fields)

    def build_delete(self, submission: Submission, remote_id: str) -> requests.Request:
        return self._operation("Delete", submission, {KINDS[submission][1]: remote_id})

    def parse_done(self, answer: Answer) -> None:
        self.data(answer)

    def _operation(self, verb: str, submission: Submission, fields: Mapping[str, str]) -> requests.Request:
        return self.request(f"{verb}Sms{KINDS[submission][0]}", fields)

    def _fields(self, draft: Draft) -> dict[str, str]:
        if draft.submission == Submission.TEMPLATE:
            return _template_fields(draft)
        if not (qualification := self.option("qualification_id")):
            why = "enter the option Qualification ID (资质ID), or submit it in the console"
            raise GatewayRejected.of_draft(why, option="qualification_id")
        fields = {"SignName": draft.text, "SignSource": self.option("sign_source"), "SignType": "1"}
        return fields | {"QualificationId": qualification, "Remark": draft.remark}


def _template_fields(draft: Draft) -> dict[str, str]:
    if not draft.signature:
        raise GatewayRejected.of_draft("this vendor reviews a template together with a signature: choose one")
    kinds = {theirs: RULES.get(draft.our_names.get(theirs, theirs), "") for theirs in texts.placeholders(draft.text)}
    if strange := [name for name, kind in kinds.items() if not kind]:
        raise GatewayRejected.of_draft(f"submit it in the console, where {', '.join(strange)} can be given a kind")
    fields = {
        "TemplateName": draft.name[:LONGEST_NAME],
        "TemplateContent": texts.translate(draft.text, lambda name: f"${{{name}}}"),
        "TemplateType": "0" if RULES["code"] in kinds.values() else "1",
        "RelatedSignName": draft.signature,
        "Remark": draft.remark,
    }
    return fields | ({"TemplateRule": compact_json(kinds)} if kinds else {})
