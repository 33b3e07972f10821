"""Numbers whose code is known and never sent, such as for those who review an app before a store offers it."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_smsverify import phones
from django_smsverify.masked import Secret

from .fields import CheckedCharField, EncryptedDictField, PhoneField
from .querysets import PrimaryManager, RowQuerySet

CODE_LENGTHS = range(4, 9)
"""All that CODE_LENGTH may be."""


def new_codes() -> dict[str, str]:
    """Returns a random code of each length: what purposes have another CODE_LENGTH ask for another one."""
    return {str(length): Secret(str(secrets.randbelow(10**length)).zfill(length)) for length in CODE_LENGTHS}


class TestNumberQuerySet(RowQuerySet["TestNumber"]):
    """Test numbers, by whether they have expired."""

    def live(self, now: datetime) -> TestNumberQuerySet:
        """Those that have not expired."""
        return self.filter(expires_at__gt=now)


class TestNumber(models.Model):
    """A number that gets no SMS until it expires, because its code is known."""

    __test__ = False  # pytest takes any class of such a name for a test

    phone = PhoneField(_("phone"), unique=True)
    codes = EncryptedDictField(_("codes"), editable=False)
    """By their length."""
    expires_at = models.DateTimeField(
        _("expires at"), help_text=_("At most 90 days ahead. From then on it gets SMS as any number.")
    )
    note = CheckedCharField(_("note"), max_length=200, blank=True)
    added_by = models.CharField(_("entered by"), max_length=150, blank=True, editable=False)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)

    objects = PrimaryManager.from_queryset(TestNumberQuerySet)()

    class Meta:
        verbose_name = _("test number")
        verbose_name_plural = _("test numbers")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return phones.mask(self.phone)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Stores the row; a new one gets its codes."""
        if self._state.adding and not self.codes:
            self.codes = new_codes()
        super().save(*args, **kwargs)

    def code(self, length: int) -> Secret:
        """Returns the code of a length; raises UndecryptableValue when no key fits."""
        return Secret(self.codes[str(length)])
