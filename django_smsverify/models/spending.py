"""What was spent of a budget within a day or a month."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_smsverify.enums import BudgetAlarm, Period

from .querysets import PrimaryManager, RowQuerySet


class Spending(models.Model):
    """What one subject with a budget spent within a period: price × segments of all SMS that were accepted or may have
    been."""

    subject = models.CharField(_("whose budget"), max_length=80, blank=True)
    """Blank: the site; else `purpose:` with a purpose, or `provider:` with a primary key."""
    period = models.CharField(_("period"), max_length=8, choices=Period.choices)
    starts_on = models.DateField(_("since"))
    # SQLite stores 15 digits exactly.
    spent = models.DecimalField(_("spent"), max_digits=15, decimal_places=4, default=Decimal("0.0000"))
    alarm = models.CharField(_("alarm"), max_length=8, choices=BudgetAlarm.choices, blank=True)
    alarm_budget = models.DecimalField(max_digits=15, decimal_places=4, null=True, blank=True, editable=False)
    """The budget that the alarm was about: a raised one has an alarm of its own."""
    is_mailed = models.BooleanField(default=False, editable=False)

    objects = PrimaryManager.from_queryset(RowQuerySet)()

    class Meta:
        verbose_name = _("budget")
        verbose_name_plural = _("budgets")
        ordering = ["-starts_on", "subject", "period"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["starts_on", "subject", "period"], name="smsverify_spending_period")
        ]

    def __str__(self) -> str:
        return f"{self.subject or '*'} · {self.get_period_display()} · {self.starts_on}"
