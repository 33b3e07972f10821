"""The forms of django-otp for devices that get their codes by SMS, beside any others that a user has."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django_otp import forms as otp
from django_otp.models import Device

from django_smsverify.exceptions import SMSVerifyError
from django_smsverify.http.client_address import client_ip

from .models import SMSDevice


class SMSFormMixin(otp.OTPAuthenticationFormMixin):
    """Asks an SMS device outside a transaction, so that each guess counts; leaves other devices to django-otp.

    Inherit it before a form of django-otp. The view must be outside ATOMIC_REQUESTS
    (`django.db.transaction.non_atomic_requests`).
    """

    request: Any = None
    """Whose client's address counts, if it is there."""

    def clean_otp(self, user: Any) -> None:
        """Does what django-otp's does; raises ValidationError."""
        device = Device.from_persistent_id(self.cleaned_data.get("otp_device") or "")
        if isinstance(device, SMSDevice) and not device.confirmed:
            device = self.cleaned_data["otp_device"] = None  # django-otp's forms offer none, but take one all the same
        if user is None or not isinstance(device, SMSDevice) or device.user_id != user.pk:
            super().clean_otp(user)
            return
        user.otp_device = None
        try:
            self._ask(device)
            user.otp_device = device
        except SMSVerifyError as error:
            if not self.cleaned_data.get("otp_challenge"):
                otp.otp_verification_failed.send(sender=type(self), user=user)
            raise ValidationError(str(error), code=error.code) from None
        finally:
            if user.otp_device is None:
                self._show_again(user)

    def _ask(self, device: SMSDevice) -> None:
        if self.cleaned_data.get("otp_challenge"):
            challenge = device.generate_challenge(ip=client_ip(self.request) if self.request else None)
            raise ValidationError(challenge, code="challenge_message")
        if not self.cleaned_data.get("otp_token"):
            raise ValidationError(self.otp_error_messages["token_required"], code="token_required")
        device.check_token(self.cleaned_data["otp_token"])

    def _show_again(self, user: Any) -> None:
        """Offers the devices, and keeps the password that was right."""
        if "otp_device" in self.fields:
            self.fields["otp_device"].widget.choices = self.device_choices(user)
        if "password" in self.fields:
            self.fields["password"].widget.render_value = True


class SMSAuthenticationForm(SMSFormMixin, otp.OTPAuthenticationForm):
    """User name, password, and a code."""


class SMSTokenForm(SMSFormMixin, otp.OTPTokenForm):
    """A code, of somebody who is logged in."""

    def __init__(self, user: Any, request: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(user, request, *args, **kwargs)
        self.request = request
