"""Who looked at personal data, took it away or had it forgotten."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_smsverify.enums import Accessed

from .querysets import PrimaryManager, RowQuerySet


class Access(models.Model):
    """One look at, or use of, personal data by a person of the site; the log itself holds no whole number."""

    at = models.DateTimeField(_("at"), default=timezone.now, db_index=True)
    who = models.CharField(_("who"), max_length=150)
    """The user's name, in which a number is masked."""
    what = models.CharField(_("action"), max_length=16, choices=Accessed.choices)
    about = models.CharField(_("about"), max_length=100, blank=True)
    """A masked number, or the name of a list."""
    rows = models.PositiveIntegerField(_("rows"), default=1)

    objects = PrimaryManager.from_queryset(RowQuerySet)()

    class Meta:
        verbose_name = _("entry of the access log")
        verbose_name_plural = _("access log")
        ordering = ["-at"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        at = timezone.localtime(self.at) if timezone.is_aware(self.at) else self.at
        return f"{at:%Y-%m-%d %H:%M:%S} · {self.who} · {self.get_what_display()}"
