"""The numbers that get no notices."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from django_smsverify import phones
from django_smsverify.exceptions import SMSVerifyError
from django_smsverify.models import OptOut

from .columns import NOTHING, masked_column, time_column
from .entered import Entered

NOTE = masked_column(OptOut, "note")
SINCE = time_column(OptOut, "created_at")


class OptOutForm(forms.ModelForm):
    """A number, as people write it, whose owner said so elsewhere, such as to the hotline."""

    phone = forms.CharField(
        label=_("phone"),
        max_length=32,
        help_text=_(
            "Of an owner who wants no notices and said so elsewhere, such as to the hotline. It stops notices only: "
            "codes are sent all the same."
        ),
    )

    class Meta:
        model = OptOut
        fields = ("phone", "note")

    def clean_phone(self) -> str:
        """The number in E.164."""
        try:
            number = phones.parse(self.cleaned_data["phone"])
        except SMSVerifyError as error:
            raise ValidationError(str(error)) from None
        if OptOut.objects.filter(phone=number).exists():
            raise ValidationError(_("It gets no notices already."))
        return number


@admin.register(OptOut)
class OptOutAdmin(Entered):
    """A number is entered once, and masked from then on. When its owner wants notices again, it is deleted."""

    list_display = ("masked_phone", "said", NOTE, "added_by", SINCE)
    list_filter = ("created_at",)
    list_select_related = ("reply",)
    search_fields = ("phone__exact",)
    search_help_text = _("A whole number, as people write it")
    form = OptOutForm

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        try:
            return queryset.filter(phone=phones.parse(search_term)), False
        except SMSVerifyError:
            return (queryset.none() if search_term else queryset), False

    def get_fields(self, request: HttpRequest, obj: OptOut | None = None) -> Any:
        return ("phone", "note") if obj is None else ("masked_phone", "said", NOTE, "added_by", SINCE)

    def get_readonly_fields(self, request: HttpRequest, obj: OptOut | None = None) -> Any:
        return () if obj is None else self.get_fields(request, obj)

    @admin.display(description=_("phone"))
    def masked_phone(self, row: OptOut) -> str:
        """The number without its middle digits."""
        return phones.mask(row.phone)

    @admin.display(description=_("reply"), empty_value=NOTHING)
    def said(self, row: OptOut) -> str | None:
        """What its owner answered."""
        return phones.masked(row.reply.content) if row.reply else None
