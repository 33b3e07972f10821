"""Keys by which apps sign their requests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from secrets import token_hex, token_urlsafe

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from django_smsverify.exceptions import UndecryptableValue
from django_smsverify.masked import Secret

from .fields import CheckedCharField, EncryptedDictField
from .querysets import PrimaryManager, RowQuerySet

GRACE = timedelta(days=30)
"""How long the secret before works on: so long people take to update an app."""


def new_key_id() -> str:
    """A random name of a key, which is no secret."""
    return token_hex(8)


class ClientKey(models.Model):
    """A key of one app. Its secret is in each copy of the app: whoever takes an app apart has it."""

    name = CheckedCharField(_("name"), max_length=100, help_text=_("Of the app, such as Android."))
    key_id = models.CharField(_("key"), max_length=32, unique=True, default=new_key_id, editable=False)
    secrets = EncryptedDictField(_("secrets"), editable=False)
    """The current one and, after a rotation, the previous one."""
    is_active = models.BooleanField(pgettext_lazy("switched on", "active"), default=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    rotated_at = models.DateTimeField(_("last rotated"), null=True, blank=True, editable=False)
    previous_until = models.DateTimeField(_("previous secret valid until"), null=True, blank=True, editable=False)

    objects = PrimaryManager.from_queryset(RowQuerySet)()

    class Meta:
        verbose_name = _("client key")
        verbose_name_plural = _("client keys")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def new_secret(self, now: datetime) -> Secret:
        """Makes a secret, stores it, and returns it; the one before works on for GRACE."""
        secret, before = Secret(token_urlsafe(32)), self._current()
        self.secrets = {"current": secret, **({"previous": before} if before else {})}
        self.rotated_at, self.previous_until = (now, now + GRACE) if before else (None, None)
        self.save(update_fields=["secrets", "rotated_at", "previous_until"])
        return secret

    def retire_previous(self) -> None:
        """Makes the secret before invalid."""
        self.secrets = {"current": current} if (current := self._current()) else {}
        self.previous_until = None
        self.save(update_fields=["secrets", "previous_until"])

    def _current(self) -> str:
        """The current secret; empty before the first, and where it was encrypted with a key that is lost."""
        try:
            return self.secrets.get("current", "")
        except UndecryptableValue:
            return ""

    def has_previous(self, now: datetime) -> bool:
        """Whether the secret before still works."""
        return self.previous_until is not None and now < self.previous_until

    def valid_secrets(self, now: datetime) -> Iterator[str]:
        """Yields the secrets that work while the key is active, the current one first. Raises UndecryptableValue."""
        names = ("current", "previous") if self.has_previous(now) else ("current",)
        yield from (self.secrets[name] for name in names if name in self.secrets)
