"""Requests for a code that were refused before there was a message."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_smsverify import phones
from django_smsverify.enums import Refused

from .fields import PhoneField
from .querysets import PrimaryManager, RowQuerySet


class Refusal(models.Model):
    """The refusals of one number within one hour, for one reason; or of all numbers, where the number is blank."""

    id = models.UUIDField(primary_key=True, editable=False)
    """A keyed digest of number, reason and hour: one statement makes the row or finds it."""
    phone = PhoneField(_("phone"), blank=True)
    purpose = models.CharField(_("purpose"), max_length=64, blank=True)
    """That of the first."""
    reason = models.CharField(_("reason"), max_length=16, choices=Refused.choices)
    count = models.PositiveIntegerField(_("count"), default=1, help_text=_("At least; stored at 1, 2, 4, 8 …"))
    first_at = models.DateTimeField(_("first at"))
    last_at = models.DateTimeField(_("last at"))

    objects = PrimaryManager.from_queryset(RowQuerySet)()

    class Meta:
        verbose_name = _("refused request")
        verbose_name_plural = _("refused requests")
        ordering = ["-first_at"]
        default_permissions = ("view",)
        indexes = [models.Index(fields=["phone", "first_at"]), models.Index(fields=["first_at"])]

    def __str__(self) -> str:
        return f"{phones.mask(self.phone) if self.phone else '*'} · {self.get_reason_display()}"
