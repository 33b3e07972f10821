"""The accounts of the demo, known by their number, and what they buy."""

from __future__ import annotations

from decimal import Decimal

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _

PRICE = Decimal("128.00")


class User(AbstractUser):
    """An account. SMSVERIFY["USER_PHONE_FIELD"] names its column with the number."""

    phone = models.CharField(_("mobile number"), max_length=16, unique=True, null=True, blank=True)


class Order(models.Model):
    """A packet of tea."""

    user = models.ForeignKey(User, models.CASCADE, verbose_name=_("account"))
    amount = models.DecimalField(_("amount"), max_digits=8, decimal_places=2, default=PRICE)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    paid_at = models.DateTimeField(_("paid"), null=True, blank=True)

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.pk}"
