"""Signatures and templates in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from django_smsverify.models import Signature, Template

from .deleting import KeptByRecords
from .filings import ShowsFilings
from .masking import masked_column
from .sending import SendsToMany
from .submission import SubmissionAdmin
from .submission_forms import ImportTemplateForm, SignatureField


@admin.register(Signature)
class SignatureAdmin(ShowsFilings, SubmissionAdmin):
    list_display = ("__str__", "provider", "remote_id", "status", "held_back", masked_column(Signature, "reason"))
    list_filter = ("provider", "status", "filings__status")
    list_select_related = ("provider",)
    search_fields = ("text", "remote_id")


@admin.register(Template)
class TemplateAdmin(ShowsFilings, SendsToMany, SubmissionAdmin, KeptByRecords):
    import_form = ImportTemplateForm
    actions = (*SubmissionAdmin.actions, "send_to_many")
    kept_by = ("messages",)
    list_display = (
        "name",
        "purpose",
        "provider",
        "signature",
        "remote_id",
        "status",
        "held_back",
        masked_column(Template, "reason"),
        "is_active",
    )
    list_filter = ("provider", "status", "is_active", "purpose")
    list_select_related = ("provider", "signature")
    search_fields = ("name", "purpose", "content", "remote_id")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "signature":
            kwargs |= {"form_class": SignatureField, "queryset": Signature.objects.select_related("provider")}
        return super().formfield_for_foreignkey(db_field, request, **kwargs)
