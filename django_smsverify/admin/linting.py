"""Checks signatures and templates in the admin: a text that the vendor would certainly refuse is not saved."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_smsverify.enums import ReviewStatus
from django_smsverify.linting import Finding, Level, marked_html
from django_smsverify.models import Signature, Template

from .looks import ModelAdmin

TEXT = {Signature: "text", Template: "content"}
"""The field that is checked."""
WEIGH = {"provider", "signature", "text", "content", "variables", "status"}
"""Fields that change the result."""
TOLD_AS = {Level.ERROR: messages.WARNING, Level.WARNING: messages.WARNING, Level.HINT: messages.INFO}


class LintedForm(forms.ModelForm):
    """Refuses a text that the vendor would certainly refuse, unless the vendor has approved it.

    Errors of a stored text do not prevent changes to other fields.
    """

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # Django's hook: the instance now has the form's values
        row, field = self.instance, TEXT[type(self.instance)]
        touched = WEIGH & set(self.changed_data)
        known = field in self.fields and not {field, "provider"} & self.errors.keys()
        if touched and known and row.status != ReviewStatus.APPROVED:
            errors = [finding for finding in row.lint() if finding.level is Level.ERROR]
            if errors:
                self.add_error(field, [ValidationError(shown(getattr(row, field), finding)) for finding in errors])


class LintedAdmin(ModelAdmin):
    """Shows findings in the form and after saving."""

    form = LintedForm

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return fields if obj is None else [*fields, "lint"]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        # Changed fields only: the row may have been submitted or reviewed since it was loaded.
        obj.save(update_fields=form.changed_data if change else None)
        if not change or WEIGH & set(form.changed_data):
            approved = obj.status == ReviewStatus.APPROVED
            for finding in obj.lint():
                if approved and finding.level is Level.HINT:
                    continue  # an approved text is not rewritten because of a hint
                line = shown(getattr(obj, TEXT[type(obj)]), finding)
                if finding.level is Level.ERROR:
                    line = format_html("{} {}", gettext("Saved, because the vendor has approved it; yet:"), line)
                self.message_user(request, line, TOLD_AS[finding.level])

    @admin.display(description=_("found in the text"))
    def lint(self, row: Any) -> str:
        """All findings with their places."""
        findings = row.lint()
        if not findings:
            return gettext("nothing")
        text = getattr(row, TEXT[type(row)])
        return format_html_join("", "<div>{} · {}</div>", ((f.level.label, shown(text, f)) for f in findings))


def shown(text: str, finding: Finding) -> SafeString:
    """The marked place and the message of a finding."""
    place = marked_html(text, finding)
    return format_html("{} — {}", place, finding.message) if place else format_html("{}", finding.message)
