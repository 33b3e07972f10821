"""Filings with carriers on the pages of signatures and templates."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from django_smsverify.characters import listed
from django_smsverify.enums import FilingSource, FilingStatus
from django_smsverify.models import CarrierFiling

from .columns import cut, masked_column
from .looks import ModelAdmin, TabularInline

NOTE = masked_column(CarrierFiling, "note")


class FilingForm(forms.ModelForm):
    class Meta:
        model = CarrierFiling
        fields = ("carrier", "status")

    def save(self, commit: bool = True) -> CarrierFiling:
        """What an operator changes is his word from now on."""
        if self.has_changed():
            self.instance.source, self.instance.note = FilingSource.HAND, ""
            self.instance.changed_at = timezone.now()
        filing: CarrierFiling = super().save(commit)
        return filing


class FilingInline(TabularInline):
    model = CarrierFiling
    form = FilingForm
    extra = 0
    fields = ("carrier", "status", "source", NOTE, "changed_at")
    readonly_fields = ("source", NOTE, "changed_at")


class ShowsFilings(ModelAdmin):
    """A list of texts with the carriers that hold them back, and a page with all filings."""

    inlines = (FilingInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("filings")

    @admin.display(description=_("held back at"))
    def held_back(self, row: Any) -> SafeString | str:
        """The carriers at which it is not filed."""
        stopped = [filing for filing in row.filings.all() if FilingStatus(filing.status).stops_sms]
        return cut(listed(stopped))
