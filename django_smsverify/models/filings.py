"""Filings of signatures and templates with the carriers, each of which decides for itself."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_smsverify.enums import Carrier, FilingSource, FilingStatus

from .fields import VendorTextField
from .querysets import PrimaryManager, RowQuerySet
from .texts import Signature, Template


class CarrierFiling(models.Model):
    """What is known of one signature, or of one template, at one carrier; without a row, nothing is."""

    signature = models.ForeignKey(
        Signature, models.CASCADE, null=True, blank=True, related_name="filings", verbose_name=_("signature")
    )
    template = models.ForeignKey(
        Template, models.CASCADE, null=True, blank=True, related_name="filings", verbose_name=_("template")
    )
    carrier = models.CharField(_("carrier"), max_length=16, choices=Carrier.choices)
    status = models.CharField(_("filing"), max_length=16, choices=FilingStatus.choices)
    source = models.CharField(_("source"), max_length=16, choices=FilingSource.choices, default=FilingSource.HAND)
    note = VendorTextField(_("note"), blank=True)
    changed_at = models.DateTimeField(_("changed at"), default=timezone.now)

    objects = PrimaryManager.from_queryset(RowQuerySet)()

    class Meta:
        verbose_name = _("filing with a carrier")
        verbose_name_plural = _("filings with carriers")
        ordering = ["carrier"]
        constraints = [
            models.UniqueConstraint(fields=["signature", "carrier"], name="smsverify_filing_of_signature"),
            models.UniqueConstraint(fields=["template", "carrier"], name="smsverify_filing_of_template"),
        ]

    def __str__(self) -> str:
        return f"{self.get_carrier_display()}: {self.get_status_display()}"
