"""Probes: SMS to numbers of the operator, which show what a provider delivers to a carrier, and how soon."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from django_smsverify import phones
from django_smsverify.enums import Alarm, Carrier, MessageStatus, ProbeState

from .accounts import Provider
from .fields import CarrierField, PhoneField
from .querysets import PrimaryManager, RowQuerySet
from .records import Message


class ProbeNumber(models.Model):
    """A number of the operator, to which probes go."""

    phone = PhoneField(_("phone"), unique=True)
    carrier = CarrierField(_("carrier"))
    is_active = models.BooleanField(pgettext_lazy("switched on", "active"), default=True)
    added_by = models.CharField(_("entered by"), max_length=150, editable=False)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)

    objects = PrimaryManager.from_queryset(RowQuerySet)()

    class Meta:
        verbose_name = _("probe number")
        verbose_name_plural = _("probe numbers")
        ordering = ["carrier", "pk"]
        default_permissions = ()
        permissions = [("probe_routes", "Can enter the numbers to which probes go")]

    def __str__(self) -> str:
        return phones.mask(self.phone)


class Probe(models.Model):
    """One SMS to a number of the operator, and what became of it."""

    message = models.OneToOneField(Message, models.CASCADE, related_name="probe", verbose_name=_("message"))
    provider = models.ForeignKey(
        Provider, models.CASCADE, related_name="probes", verbose_name=_("provider"), db_index=False
    )
    carrier = models.CharField(_("carrier"), max_length=16, choices=Carrier.choices)
    number = models.PositiveBigIntegerField(_("number"))
    """Counted from 1 for each provider: of two runs that have read the same probes, one can store the next."""
    state = models.CharField(_("state"), max_length=16, choices=ProbeState.choices, default=ProbeState.UNDER_WAY)
    alarm = models.CharField(max_length=8, choices=Alarm.choices, blank=True, editable=False)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)

    objects = PrimaryManager.from_queryset(RowQuerySet)()

    class Meta:
        verbose_name = _("probe")
        verbose_name_plural = _("probes")
        default_permissions = ()
        indexes = [models.Index(fields=["state", "created_at"])]
        constraints = [models.UniqueConstraint(fields=["provider", "number"], name="smsverify_probe_number")]

    def __str__(self) -> str:
        return f"{self.provider} · {self.get_carrier_display()} · {self.get_state_display()}"

    @property
    def is_bad(self) -> bool:
        """Whether the route is silent, as far as this probe tells."""
        return ProbeState(self.state).is_bad

    @property
    def seconds(self) -> float | None:
        """From the request to the vendor's report; None without a report."""
        message = self.message
        is_reported = message.status in (MessageStatus.DELIVERED, MessageStatus.UNDELIVERED)
        if not is_reported or message.settled_at is None:
            return None
        return round((message.settled_at - message.created_at).total_seconds(), 1)
