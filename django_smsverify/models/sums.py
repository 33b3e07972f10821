"""Sums of the messages and requests of days that are over; `statistics` makes and reads them."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_smsverify.enums import Carrier, Cause, MessageStatus

from .accounts import Provider
from .querysets import PrimaryManager, RowQuerySet


class SummedDay(models.Model):
    """A day whose messages are summed, or an hour of one that is not yet.

    Both of its ends are stored: in another time zone a day may begin at the same moment and end at another.
    """

    starts_at = models.DateTimeField(_("starts at"))
    ends_at = models.DateTimeField(_("ends at"))
    summed_at = models.DateTimeField(_("summed at"))
    is_hour = models.BooleanField(_("hour"), default=False, db_default=False)
    closed_at = models.DateTimeField(null=True, editable=False)
    """From then on its messages may be deleted, and it is not summed again; see `statistics.closing`."""
    version = models.PositiveSmallIntegerField(default=1, db_default=1, editable=False)
    """What is summed; an older one is summed again while its messages are there."""

    objects = PrimaryManager.from_queryset(RowQuerySet)()

    class Meta:
        verbose_name = _("summed day")
        verbose_name_plural = _("summed days")
        default_permissions = ()
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
    has_code = models.BooleanField(_("with a code"), default=True, db_default=True)
    carrier = models.CharField(
        _("carrier"), max_length=16, choices=Carrier.choices, blank=True, default="", db_default=""
    )
    cause = models.CharField(_("cause"), max_length=24, choices=Cause.choices, blank=True, default="", db_default="")
    messages = models.PositiveBigIntegerField(_("messages"))
    segments = models.PositiveBigIntegerField(_("segments"))
    # SQLite stores 15 digits exactly.
    cost = models.DecimalField(_("cost"), max_digits=15, decimal_places=4)
    unpriced = models.PositiveBigIntegerField(_("without a price"))
    """Messages whose cost is not known."""
    converted = models.PositiveBigIntegerField(_("whose code was entered"), default=0, db_default=0)
    delays = models.JSONField(_("seconds to delivery"), null=True, default=None)
    """How many messages took so many seconds: `[[3, 120], [4, 96], …]`; see `statistics.delays`."""

    objects = PrimaryManager.from_queryset(RowQuerySet)()

    class Meta:
        verbose_name = _("daily sum")
        verbose_name_plural = _("daily sums")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.day} · {self.purpose} · {self.get_status_display()}"


class RequestSum(models.Model):
    """How many requests for a code of one purpose had one result on a day."""

    day = models.ForeignKey(SummedDay, models.CASCADE, related_name="requests", verbose_name=_("day"))
    purpose = models.CharField(_("purpose"), max_length=64)
    result = models.CharField(_("result"), max_length=24)
    """What Requested says, or why it was refused: Refused."""
    requests = models.PositiveBigIntegerField(_("requests"))

    objects = PrimaryManager.from_queryset(RowQuerySet)()

    class Meta:
        verbose_name = _("sum of requests")
        verbose_name_plural = _("sums of requests")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.day} · {self.purpose} · {self.result}"
