"""The app `smsverify_otp`."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OTPConfig(AppConfig):
    name = "django_smsverify.contrib.otp"
    label = "smsverify_otp"
    verbose_name = _("SMS as a second factor")
    default_auto_field = "django.db.models.BigAutoField"
