"""Signatures and templates in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from django_smsverify.models import Signature, Template

from .deleting import KeptByRecords
from .filings import ShowsFilings
from .segments import told_segments
from .sending import SendsToMany
from .submission import SubmissionAdmin
from .submission_forms import ImportTemplateForm, SignatureField, SignatureForm, TemplateForm


@admin.register(Signature)
class SignatureAdmin(ShowsFilings, SubmissionAdmin):
    form = SignatureForm
    list_display = ("__str__", "review", "held_back", "provider", "remote_id")
    list_filter = ("provider", "status", "filings__status")
    list_select_related = ("provider",)
    search_fields = ("text", "remote_id")


@admin.register(Template)
class TemplateAdmin(ShowsFilings, SendsToMany, SubmissionAdmin, KeptByRecords):
    form = TemplateForm
    import_form = ImportTemplateForm
    actions = (*SubmissionAdmin.actions, "send_to_many")
    kept_by = ("messages",)
    list_display = ("name", "purpose", "review", "held_back", "is_active", "provider", "remote_id")
    list_filter = ("provider", "status", "is_active", "purpose")
    list_select_related = ("provider",)
    search_fields = ("name", "purpose", "content", "remote_id")

    def get_readonly_fields(self, request: HttpRequest, obj: Template | None = None) -> Any:  # type: ignore[override]
        fields = super().get_readonly_fields(request, obj)
        return fields if obj is None else (*fields, "billed")

    @admin.display(description=_("billed as"))
    def billed(self, row: Template) -> str:
        """How many SMS the carriers bill for it."""
        return told_segments(row)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "signature":
            kwargs |= {"form_class": SignatureField, "queryset": Signature.objects.select_related("provider")}
        return super().formfield_for_foreignkey(db_field, request, **kwargs)
