"""The device of django-otp that gets its codes by SMS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
    InsideTransaction,
    SMSVerifyError,
    TooManyAttempts,
    VerificationNotFound,
)
from django_smsverify.models import Verification
from django_smsverify.models.fields import PhoneField
from django_smsverify.sending import resend_code, send_code
from django_smsverify.verifying import verify_code

OVER = (AlreadyUsed, CodeExpired, TooManyAttempts, VerificationNotFound)
"""Why a code cannot be sent again: the next one is a new one."""


class SMSDevice(TimestampMixin, Device):
    """A phone. Limits, guesses and the life of a code are those of this app; no code is stored.

    It is `confirmed` by the first right code; its number and its user stay. Use it with the forms of
    `django_smsverify.contrib.otp.forms`: those of django-otp call a device inside a transaction, where every call
    raises InsideTransaction.
    """

    purpose = "otp"
    """The purpose of its template; a proxy model may have another."""

    confirmed = models.BooleanField(
        _("confirmed"), default=False, help_text=_("Whether a code that was sent to it has been entered.")
    )
    phone = PhoneField(_("phone"))
    verification = models.UUIDField(null=True, editable=False)
    """What was sent last."""

    class Meta:
        verbose_name = _("phone")
        verbose_name_plural = _("phones")

    def __str__(self) -> str:
        return f"{phones.masked(self.name)} ({phones.mask(self.phone)})"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Stores the number as E.164; raises InvalidPhone, PhoneNotSupported, and ValueError for a number or a user in
        the place of another."""
        self.phone = phones.parse(self.phone)
        stored = type(self).objects.filter(pk=self.pk)
        if self.pk is not None and stored.exclude(phone=self.phone, user=self.user_id).exists():
            # A code has confirmed that this user has this number, and no other.
            raise ValueError(f"{type(self).__name__} keeps its phone and its user: make another device for others.")
        super().save(*args, **kwargs)

    def generate_challenge(self, ip: str | None = None) -> str:
        """Sends a code, or the live one again, and returns a sentence for its owner.

        `ip` is the client's address, whose limits count until the device is confirmed. Raises InsideTransaction and
        what `send_code` raises.
        """
        with _naming_the_forms():
            sent = self._send(ip)
        self._remember(verification=sent.pk)
        return gettext("A code was sent to %s.") % phones.mask(self.phone)

    def verify_is_allowed(self) -> tuple[bool, dict[str, Any] | None]:
        """Whether a code that was sent can be entered now; if not, `error_message` is why."""
        try:
            self._sent().require_live(timezone.now())
        except SMSVerifyError as error:
            return False, {"error_message": str(error)}
        return True, None

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
        with _naming_the_forms():
            verify_code(self._sent().pk, token, context=self._context)
        self._remember(verification=None, confirmed=True, last_used_at=timezone.now())

    def _send(self, ip: str | None) -> Verification:
        # Whoever may use a confirmed phone has given the password: no stranger can use up the limits of its number.
        of_request: dict[str, Any] = {"ip": ip, "trusted": self.confirmed}
        try:
            return resend_code(self._sent().pk, **of_request)
        except OVER:
            return send_code(self.phone, self.purpose, context=self._context, **of_request)

    def _sent(self) -> Verification:
        """What was sent last; raises VerificationNotFound if that is nothing, or was sent to another number."""
        found = None if self.verification is None else Verification.objects.find(self.verification)
        if found is None or found.phone != self.phone:
            raise VerificationNotFound
        return found

    @property
    def _context(self) -> dict[str, Any]:
        """What a code is bound to: it opens no other device with the same number."""
        return {"device": self.persistent_id}

    def _remember(self, **values: Any) -> None:
        type(self).objects.filter(pk=self.pk).update(**values)
        for name, value in values.items():
            setattr(self, name, value)


@contextmanager
def _naming_the_forms() -> Iterator[None]:
    """Says to who wrote the site what to use where a form of django-otp called a device."""
    try:
        yield
    except InsideTransaction as error:
        raise InsideTransaction(
            f"{error} The forms of django-otp call a device in a transaction of their own: use those of "
            "django_smsverify.contrib.otp.forms."
        ) from None
