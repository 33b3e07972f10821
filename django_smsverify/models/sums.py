"""Sums of the messages of days that are over; `statistics` makes and reads them."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_smsverify.enums import MessageStatus

from .accounts import Provider
from .querysets import PrimaryManager, RowQuerySet


class SummedDay(models.Model):
    """A day whose messages are summed.

    Both of its ends are stored: in another time zone a day may begin at the same moment and end at another.
    """

    starts_at = models.DateTimeField(_("starts at"))
    ends_at = models.DateTimeField(_("ends at"))
    summed_at = models.DateTimeField(_("summed at"))

    objects = PrimaryManager.from_queryset(RowQuerySet)()

    class Meta:
        verbose_name = _("summed day")
        verbose_name_plural = _("summed days")
        constraints = [models.UniqueConstraint(fields=["starts_at", "ends_at"], name="smsverify_summedday_ends")]

    def __str__(self) -> str:
        return f"{self.starts_at}"


class DailySum(models.Model):
    """The sums of a day's messages with one provider, purpose and status."""

    day = models.ForeignKey(SummedDay, models.CASCADE, related_name="sums", verbose_name=_("day"))
    provider = models.ForeignKey(Provider, models.PROTECT, related_name="daily_sums", verbose_name=_("provider"))
    purpose = models.CharField(_("purpose"), max_length=64)
    status = models.CharField(_("status"), max_length=16, choices=MessageStatus.choices)
    is_probe = models.BooleanField(_("probe"), default=False, db_default=False)
    messages = models.PositiveBigIntegerField(_("messages"))
    segments = models.PositiveBigIntegerField(_("segments"))
    # SQLite stores 15 digits exactly.
    cost = models.DecimalField(_("cost"), max_digits=15, decimal_places=4)
    unpriced = models.PositiveBigIntegerField(_("without a price"))
    """Messages whose cost is not known."""

    objects = PrimaryManager.from_queryset(RowQuerySet)()

    class Meta:
        verbose_name = _("daily sum")
        verbose_name_plural = _("daily sums")

    def __str__(self) -> str:
        return f"{self.day} · {self.purpose} · {self.get_status_display()}"
