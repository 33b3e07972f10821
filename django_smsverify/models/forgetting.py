"""What is left to forget: numbers whose owners asked for it, and how far the clean-up has come."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_smsverify import phones

from .fields import PhoneField
from .querysets import PrimaryManager, RowQuerySet


class Forgetting(models.Model):
    """A number that was forgotten, and is still needed for a few days: for its limits, and for SMS under way."""

    phone = PhoneField(_("phone"), unique=True)
    asked_at = models.DateTimeField(_("asked at"))
    """What came later, as from an owner who is back, is not forgotten."""
    due_at = models.DateTimeField(_("due at"), db_index=True)
    deletes_records = models.BooleanField(_("records too"), default=False)

    objects = PrimaryManager.from_queryset(RowQuerySet)()

    class Meta:
        verbose_name = _("number to be forgotten")
        verbose_name_plural = _("numbers to be forgotten")
        default_permissions = ()

    def __str__(self) -> str:
        return phones.mask(self.phone)


class PruneMark(models.Model):
    """Up to which moment no row of a table has a number any more, so that the next run need not look there."""

    table = models.CharField(_("table"), max_length=32, unique=True)
    until = models.DateTimeField(_("until"))

    objects = PrimaryManager.from_queryset(RowQuerySet)()

    class Meta:
        verbose_name = _("progress of the clean-up")
        verbose_name_plural = _("progress of the clean-up")
        default_permissions = ()

    def __str__(self) -> str:
        return self.table
