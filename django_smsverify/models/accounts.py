"""Provider: an account at a vendor, with its credentials, options and balance."""

from __future__ import annotations

import re
import secrets
from copy import copy
from datetime import timedelta
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from django_smsverify import phones
from django_smsverify.conf import Budget, conf
from django_smsverify.enums import Alarm, Billing, Period
from django_smsverify.exceptions import InvalidGateway, UndecryptableValue
from django_smsverify.gateways.base import PROXY, PUBLIC_URL, Gateway
from django_smsverify.gateways.hosts import Objection, objection
from django_smsverify.linting import TextRules
from django_smsverify.types import Account

from .fields import CheckedCharField, Ciphertext, EncryptedDictField, RegionsField, is_current
from .gateway_classes import gateway_class, gateway_class_or_missing
from .querysets import PrimaryManager, RowQuerySet

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise
    from urllib3.util import Url

BELIEVED = timedelta(hours=1)
"""How long a provider is skipped because its balance is empty."""
NUMBER = re.compile("[1-9][0-9]{0,2}", re.ASCII)
LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}
WORDS = {
    Objection.INSECURE: _("Use an https:// URL; http is allowed for loopback only."),
    Objection.PRIVATE: _('This address is not on the internet; SMSVERIFY["ALLOW_PRIVATE_HOSTS"] says what is allowed.'),
    Objection.PROXIED: _("A proxy carries https only: remove it, or use an https:// URL."),
}
"""Error messages for forms."""


def new_webhook_secret() -> str:
    """A random secret for a webhook URL."""
    return secrets.token_urlsafe(32)


def _parsed(url: str) -> Url | None:
    """The parts of a URL according to the parser that opens the connection."""
    import urllib3  # here, because only forms need it in a process that calls no vendor

    try:
        return urllib3.util.parse_url(url)
    except urllib3.exceptions.LocationParseError:
        return None


def _has_only_path(url: str) -> bool:
    """Whether a URL has only scheme, host and path."""
    parsed = _parsed(url)
    if parsed is None:
        return False
    surplus = parsed.auth or parsed.query or parsed.fragment or "?" in url or "#" in url
    return url.isascii() and url.isprintable() and not set(url) & set(" \\@") and bool(parsed.host) and not surplus


def _address_problem(url: str) -> StrOrPromise | None:
    """Why credentials may not be sent to this address, as far as is known before its name is resolved."""
    parsed = _parsed(url) if _has_only_path(url) else None
    scheme, host = (parsed.scheme or "", parsed.host or "") if parsed else ("", "")
    if scheme != "https" and (scheme != "http" or host not in LOOPBACK):
        return WORDS[Objection.INSECURE]
    found = objection(scheme, host, private_hosts=conf.ALLOW_PRIVATE_HOSTS, proxied=False)
    return WORDS[found] if found else None


class Provider(models.Model):
    """One configured account at a gateway."""

    name = CheckedCharField(_("name"), max_length=100)
    slug = models.SlugField(_("slug"), unique=True, help_text=_("Part of the webhook URL."))
    gateway = models.CharField(_("gateway"), max_length=64)
    credentials = EncryptedDictField(_("credentials"))
    options = models.JSONField(_("options"), default=dict, blank=True)
    base_url = models.CharField(
        _("base URL"), max_length=255, blank=True, help_text=_("Blank: the vendor's own. https only.")
    )
    regions = RegionsField(
        _("regions"),
        default=list,
        blank=True,
        help_text=_("To which it sends codes, such as CN, HK. Blank: all that its gateway can."),
    )
    is_active = models.BooleanField(pgettext_lazy("switched on", "active"), default=True)
    priority = models.PositiveSmallIntegerField(
        _("priority"), default=100, help_text=_("Providers with the lowest number are tried first.")
    )
    weight = models.PositiveSmallIntegerField(
        _("weight"),
        default=1,
        help_text=_("Share of the traffic among providers of one priority; 0: only when the others fail."),
    )
    price = models.DecimalField(
        _("price of a segment"),
        max_digits=8,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("In yuan, such as 0.0450."),
    )
    budget_day = models.DecimalField(
        _("budget of a day"),
        max_digits=12,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("In yuan: when it is spent, codes take other providers. Blank: none but those of the settings."),
    )
    budget_month = models.DecimalField(
        _("budget of a month"),
        max_digits=12,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
    )
    webhook_secret = models.CharField(_("webhook secret"), max_length=64, default=new_webhook_secret)
    previous_webhook_secret = models.CharField(_("previous webhook secret"), max_length=64, blank=True)
    balance = models.DecimalField(_("balance"), max_digits=14, decimal_places=4, null=True, blank=True)
    balance_checked_at = models.DateTimeField(_("balance checked at"), null=True, blank=True)
    balance_alarm = models.CharField(max_length=8, choices=Alarm.choices, blank=True, editable=False)
    balance_alert = models.DecimalField(_("alert below"), max_digits=14, decimal_places=4, null=True, blank=True)

    objects = PrimaryManager.from_queryset(RowQuerySet)()

    class Meta:
        verbose_name = _("provider")
        verbose_name_plural = _("providers")
        ordering = ["priority", "name"]
        permissions = [
            ("change_credentials", "Can change the credentials of a provider"),
            ("change_destination", "Can change where SMS go: base URL, proxy and gateway"),
            ("test_provider", "Can ask a vendor whether a provider works"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def budget(self) -> Budget:
        """Its own budget, beside those of the settings."""
        amounts = {Period.DAY: self.budget_day, Period.MONTH: self.budget_month}
        return {period: amount for period, amount in amounts.items() if amount is not None}

    def serves(self, phone: str) -> bool:
        """Whether a code for this number, in E.164, may be sent by it."""
        region = phones.region(phone)
        if self.regions and region not in self.regions:
            return False
        return region == "CN" or not gateway_class_or_missing(self.gateway).mainland_only

    @property
    def is_low(self) -> bool:
        """Whether the stored balance is below its alert."""
        return self.balance is not None and self.balance_alert is not None and self.balance < self.balance_alert

    @property
    def is_empty(self) -> bool:
        """Whether the stored balance is empty and newer than BELIEVED.

        After that time the next SMS is sent to the provider again, in case nothing else updates the balance.
        """
        if self.balance is None or self.balance > 0:
            return False
        return self.balance_checked_at is None or self.balance_checked_at > timezone.now() - BELIEVED

    def clean(self) -> None:
        try:
            gateway = gateway_class(self.gateway)
        except InvalidGateway as error:
            raise ValidationError({"gateway": str(error)}) from None
        if self.base_url and (why := _address_problem(self.base_url)):
            raise ValidationError({"base_url": why})
        if self.budget and self.price is None:
            raise ValidationError({"price": _("Enter the price, by which the budget is spent.")})
        self._clean_options(gateway)
        self._clean_proxy(gateway)

    def _clean_proxy(self, gateway: type[Gateway]) -> None:
        """Refuses a proxy with http: it could read everything, or fetch pages of its own network for a form's user."""
        others = [option for option in gateway.options if option.is_address and option.name != PROXY.name]
        addresses = [self.base_url or gateway.base_url]
        addresses += [self.options.get(option.name) or option.default for option in others]
        if self.options.get(PROXY.name) and any(address.lower().startswith("http:") for address in addresses):
            raise ValidationError({"options": ValidationError(WORDS[Objection.PROXIED], code=PROXY.name)})

    def _clean_options(self, gateway: type[Gateway]) -> None:
        known = {option.name: option for option in gateway.options}
        if not isinstance(self.options, dict) or not self.options.keys() <= known.keys():
            names = ", ".join(known) or "-"
            raise ValidationError({"options": _("The options of this gateway are: %s.") % names})
        for name, value in self.options.items():
            choices = known[name].choices
            if not isinstance(value, str) or (choices and value and value not in choices):
                allowed = ", ".join(choices) or "text"
                raise ValidationError({"options": _("%(name)s: use %(allowed)s.") % {"name": name, "allowed": allowed}})
            if value and known[name].is_number and not NUMBER.fullmatch(value):
                why = ValidationError(_("Write a whole number from 1 to 999."), code=name)
                raise ValidationError({"options": why})
            if value and known[name].is_address:
                self._clean_address(name, value)
        for group in gateway.lacking_options(self.options):
            labels = " / ".join(str(known[name].label) for name in group)
            words = _("Nothing can be sent without this: %s.")
            if len(group) > 1:
                words = _("Nothing can be sent without one of these, and one is enough: %s.")
            missing = ValidationError(words % labels, code=group[0])
            raise ValidationError({"options": missing})

    def _clean_address(self, name: str, value: str) -> None:
        if name != PROXY.name:
            why = _address_problem(value)
        elif _has_only_path(value) and value.startswith(("http://", "https://")):
            why = None
        else:
            # Options are shown in the admin, so they must not hold a password.
            why = _("Write a proxy as http://host:port, without a user or a password.")
        if why:
            raise ValidationError({"options": ValidationError(why, code=name)})

    @property
    def has_keys(self) -> bool:
        """Whether the credentials can be decrypted."""
        try:
            return isinstance(self.credentials, dict)
        except UndecryptableValue:
            return False

    @property
    def is_under_old_key(self) -> bool:
        """Whether the credentials can be decrypted, but not with the first key.

        Only the column tells, so it is False for a row of which the credentials were read or set already.
        """
        token = self.__dict__.get("credentials")
        return isinstance(token, Ciphertext) and not is_current(token) and self.has_keys

    def gateway_client(self, *, with_keys: bool = True) -> Gateway:
        """The gateway with this account; raises InvalidGateway or UndecryptableValue.

        Without the keys it can parse pushes, but not call the vendor.
        """
        found = gateway_class(self.gateway)
        account = Account(
            base_url=self.base_url or found.base_url,
            credentials=copy(self.credentials) if with_keys else {},
            options=copy(self.options),
            timeout=conf.TIMEOUT,
            private_hosts=conf.ALLOW_PRIVATE_HOSTS,
            ca_bundle=conf.CA_BUNDLE,
            webhook_url=self._public_webhook_url(found),
        )
        return found(account)

    @property
    def webhook_path(self) -> str:
        """The path of the webhook, with its secret; raises NoReverseMatch when the site does not include the URLs."""
        return reverse("smsverify:webhook", args=[self.slug, self.webhook_secret])

    def _public_webhook_url(self, gateway: type[Gateway]) -> str:
        public = self.options.get(PUBLIC_URL.name, "") if PUBLIC_URL in gateway.options else ""
        return public.rstrip("/") + self.webhook_path if public else ""

    @property
    def billing(self) -> Billing:
        """Which messages are charged; the most expensive rule if the gateway is missing."""
        return gateway_class_or_missing(self.gateway).billing

    @property
    def text_rules(self) -> TextRules:
        """The vendor's rules for texts; the default rules if the gateway is missing."""
        return gateway_class_or_missing(self.gateway).rules_for(self.options)

    def rotate_webhook_secret(self) -> None:
        """Creates a new webhook secret; the previous one stays valid until it is retired.

        Raises ValueError while an older one is still valid: the vendor may use it.
        """
        fields = ["previous_webhook_secret", "webhook_secret"]
        # The stored row decides, not the loaded one. MySQL assigns from left to right.
        rows = Provider.objects.filter(pk=self.pk, previous_webhook_secret="")
        rotated = rows.update(previous_webhook_secret=F("webhook_secret"), webhook_secret=new_webhook_secret())
        self.refresh_from_db(using=rows.db, fields=fields)
        if not rotated:
            raise ValueError(f"The previous webhook secret of {self.slug} still works: retire it first.")

    def retire_webhook_secret(self) -> None:
        """Makes the previous webhook secret invalid."""
        self.previous_webhook_secret = ""
        self.save(update_fields=["previous_webhook_secret"])
