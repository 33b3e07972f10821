"""The phones in the admin, and the login of django-otp's own admin with them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django_otp.admin import OTPAdminAuthenticationForm, OTPAdminSite

from django_smsverify import phones
from django_smsverify.exceptions import SMSVerifyError
from django_smsverify.http.endpoints import endpoint

from .forms import SMSFormMixin
from .models import SMSDevice


class SMSAdminAuthenticationForm(SMSFormMixin, OTPAdminAuthenticationForm):
    """User name, password, and a code, of somebody who may see the admin."""


@method_decorator(endpoint, name="login")
class SMSAdminSite(OTPAdminSite):
    """The admin of django-otp, whose login is outside ATOMIC_REQUESTS and asks phones, too."""

    login_form = SMSAdminAuthenticationForm


class SMSDeviceForm(forms.ModelForm):
    """A number as people write it."""

    phone = forms.CharField(label=_("phone"), max_length=32)

    class Meta:
        model = SMSDevice
        fields = ("user", "name", "phone")

    def clean_phone(self) -> str:
        """The number in E.164."""
        try:
            return phones.parse(self.cleaned_data["phone"])
        except SMSVerifyError as error:
            raise ValidationError(str(error)) from None


@admin.register(SMSDevice)
class SMSDeviceAdmin(admin.ModelAdmin):
    """A number is entered once, and masked from then on; its owner confirms it by a code."""

    list_display = ("name", "masked_user", "masked_phone", "confirmed", "last_used_at")
    list_filter = ("confirmed",)
    list_select_related = ("user",)
    raw_id_fields = ("user",)
    form = SMSDeviceForm

    def get_fields(self, request: HttpRequest, obj: SMSDevice | None = None) -> Any:
        if obj is None:
            return ("user", "name", "phone")
        return ("name", "masked_user", "masked_phone", "confirmed", "created_at", "last_used_at")

    def get_readonly_fields(self, request: HttpRequest, obj: SMSDevice | None = None) -> Any:
        return () if obj is None else self.get_fields(request, obj)[1:]

    @admin.display(description=_("user"))
    def masked_user(self, device: SMSDevice) -> str:
        """The user's name, which may be a number."""
        return phones.masked(str(device.user))

    @admin.display(description=_("phone"))
    def masked_phone(self, device: SMSDevice) -> str:
        """The number without its middle digits."""
        return phones.mask(device.phone)
