"""Numbers whose owners want no notices."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_smsverify import phones

from .fields import PhoneField
from .querysets import PrimaryManager, RowQuerySet
from .records import Reply


class OptOut(models.Model):
    """A number that gets no notices, because its owner answered so, or an operator entered it; it still gets codes."""

    phone = PhoneField(_("phone"), unique=True)
    reply = models.ForeignKey(
        Reply, models.SET_NULL, null=True, blank=True, editable=False, related_name="+", verbose_name=_("reply")
    )
    """What its owner answered; empty where an operator entered it, or the reply was deleted."""
    note = models.CharField(_("note"), max_length=200, blank=True)
    added_by = models.CharField(_("entered by"), max_length=150, blank=True, editable=False)
    created_at = models.DateTimeField(_("since"), default=timezone.now, editable=False)

    objects = PrimaryManager.from_queryset(RowQuerySet)()

    class Meta:
        verbose_name = _("opt-out of notices")
        verbose_name_plural = _("opt-outs of notices")
        default_permissions = ("view", "add", "delete")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return phones.mask(self.phone)
