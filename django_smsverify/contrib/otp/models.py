"""The device of django-otp that gets its codes by SMS."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device, TimestampMixin

from django_smsverify import phones
from django_smsverify.exceptions import (
    AlreadyUsed,
    CodeExpired,
    SMSVerifyError,
    TooManyAttempts,
    VerificationNotFound,
)
from django_smsverify.models import Verification
from django_smsverify.sending import resend_code, send_code
from django_smsverify.verifying import verify_code

OVER = (AlreadyUsed, CodeExpired, TooManyAttempts, VerificationNotFound)
"""Why a code cannot be sent again: the next one is a new one."""


class SMSDevice(TimestampMixin, Device):
    """A phone. Limits, guesses and the life of a code are those of this app; no code is stored.

    It is `confirmed` by the first right code. Use it with the forms of `django_smsverify.contrib.otp.forms`: those of
    django-otp call a device inside a transaction, where every call raises InsideTransaction.
    """

    purpose = "otp"
    """The purpose of its template; a proxy model may have another."""

    confirmed = models.BooleanField(
        _("confirmed"), default=False, help_text=_("Whether a code that was sent to it has been entered.")
    )
    phone = models.CharField(_("phone"), max_length=16)
    verification = models.UUIDField(null=True, editable=False)
    """What was sent last."""

    class Meta:
        verbose_name = _("phone")
        verbose_name_plural = _("phones")

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Stores the number as E.164; raises InvalidPhone and PhoneNotSupported."""
        self.phone = phones.parse(self.phone)
        super().save(*args, **kwargs)

    def generate_challenge(self, ip: str | None = None) -> str:
        """Sends a code, or the live one again, and returns a sentence for its owner.

        `ip` is the client's address, whose limits then count. Raises InsideTransaction and what `send_code` raises.
        """
        sent = self._send(ip)
        self._remember(verification=sent.pk)
        return gettext("A code was sent to %s.") % phones.mask(self.phone)

    def verify_token(self, token: str) -> bool:
        """Whether it is the code that was sent last; a right one is used up. Raises InsideTransaction."""
        try:
            self.check_token(token)
        except SMSVerifyError:
            return False
        return True

    def check_token(self, token: str) -> None:
        """Takes the code that was sent last, and confirms the device.

        Raises InsideTransaction and what `verify_code` raises, such as WrongCode and TooManyAttempts.
        """
        if self.verification is None or Verification.objects.find(self.verification).phone != self.phone:
            raise VerificationNotFound
        verify_code(self.verification, token, context=self._context)
        self._remember(verification=None, confirmed=True, last_used_at=timezone.now())

    def _send(self, ip: str | None) -> Verification:
        if self.verification is not None and Verification.objects.filter(pk=self.verification, phone=self.phone):
            try:
                return resend_code(self.verification, ip=ip)
            except OVER:
                pass
        return send_code(self.phone, self.purpose, context=self._context, ip=ip)

    @property
    def _context(self) -> dict[str, Any]:
        """What a code is bound to: it opens no other device with the same number."""
        return {"device": self.persistent_id}

    def _remember(self, **values: Any) -> None:
        type(self).objects.filter(pk=self.pk).update(**values)
        for name, value in values.items():
            setattr(self, name, value)
