"""The phones in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from django_smsverify import phones

from .models import SMSDevice


@admin.register(SMSDevice)
class SMSDeviceAdmin(admin.ModelAdmin):
    """A number is entered once, and masked from then on."""

    list_display = ("user", "name", "masked_phone", "confirmed", "last_used_at")
    list_filter = ("confirmed",)
    raw_id_fields = ("user",)

    def get_fields(self, request: HttpRequest, obj: SMSDevice | None = None) -> Any:
        if obj is None:
            return ("user", "name", "phone")
        return ("user", "name", "masked_phone", "confirmed", "created_at", "last_used_at")

    def get_readonly_fields(self, request: HttpRequest, obj: SMSDevice | None = None) -> Any:
        return ("masked_phone", "confirmed", "created_at", "last_used_at")

    @admin.display(description=_("phone"))
    def masked_phone(self, device: SMSDevice) -> str:
        return phones.mask(device.phone)
