"""Accounts at vendors and the texts that they have approved."""

from __future__ import annotations

import re
import secrets

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F
from django.utils.translation import gettext_lazy as _
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from django_smsverify import texts
from django_smsverify.conf import conf
from django_smsverify.enums import ReviewStatus
from django_smsverify.exceptions import InvalidGateway
from django_smsverify.fields import EncryptedDictField
from django_smsverify.gateways import gateway_class
from django_smsverify.gateways.base import PROXY, Gateway
from django_smsverify.querysets import PolledQuerySet, RowQuerySet, TemplateQuerySet
from django_smsverify.types import Account

LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}
SEND_VALUES = ("code", "minutes")
"""What `send/` can fill in; any other placeholder is for `send_message`."""

PURPOSE = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")

purpose_validator = RegexValidator(
    rf"\A{PURPOSE.pattern}\Z",
    _("A purpose is lower-case letters, digits and single hyphens or underscores, such as reset-password."),
)


def new_webhook_secret() -> str:
    return secrets.token_urlsafe(32)


def _is_plain(url: str) -> bool:
    """Whether a URL is scheme, host and path alone, by the parser that will dial it."""
    try:
        parsed = parse_url(url)
    except LocationParseError:
        return False
    surplus = parsed.auth or parsed.query or parsed.fragment or "?" in url or "#" in url
    return url.isascii() and url.isprintable() and not set(url) & set(" \\@") and bool(parsed.host) and not surplus


def _is_safe(base_url: str) -> bool:
    """Whether credentials may travel to this address."""
    url = parse_url(base_url) if _is_plain(base_url) else None
    return url is not None and (url.scheme == "https" or (url.scheme == "http" and url.host in LOOPBACK))


class Provider(models.Model):
    """One configured account at a gateway."""

    name = models.CharField(_("name"), max_length=100)
    slug = models.SlugField(_("slug"), unique=True, help_text=_("Part of the webhook URL."))
    gateway = models.CharField(_("gateway"), max_length=64)
    credentials = EncryptedDictField(_("credentials"))
    options = models.JSONField(_("options"), default=dict, blank=True)
    base_url = models.CharField(
        _("base URL"), max_length=255, blank=True, help_text=_("Blank: the vendor's own. https only.")
    )
    is_active = models.BooleanField(_("active"), default=True)
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
    webhook_secret = models.CharField(_("webhook secret"), max_length=64, default=new_webhook_secret)
    previous_webhook_secret = models.CharField(_("previous webhook secret"), max_length=64, blank=True)
    balance = models.DecimalField(_("balance"), max_digits=14, decimal_places=4, null=True, blank=True)
    balance_checked_at = models.DateTimeField(_("balance checked at"), null=True, blank=True)
    balance_alert = models.DecimalField(_("alert below"), max_digits=14, decimal_places=4, null=True, blank=True)

    objects = RowQuerySet.as_manager()

    class Meta:
        verbose_name = _("provider")
        verbose_name_plural = _("providers")
        ordering = ["priority", "name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        try:
            gateway = gateway_class(self.gateway)
        except InvalidGateway as error:
            raise ValidationError({"gateway": str(error)}) from None
        if self.base_url and not _is_safe(self.base_url):
            raise ValidationError({"base_url": _("Use an https:// URL; http is allowed for loopback only.")})
        self._clean_options(gateway)

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
            if value and known[name].is_address:
                self._clean_address(name, value)

    def _clean_address(self, name: str, value: str) -> None:
        if name != PROXY.name:
            safe, why = _is_safe(value), _("Use an https:// URL; http is allowed for loopback only.")
        else:
            # A password would be shown: options are no secrets.
            safe = _is_plain(value) and value.startswith(("http://", "https://"))
            why = _("Write a proxy as http://host:port, without a user or a password.")
        if not safe:
            raise ValidationError({"options": ValidationError(why, code=name)})

    def connect(self) -> Gateway:
        """The gateway with this account; raises InvalidGateway or UndecryptableValue."""
        found = gateway_class(self.gateway)
        account = Account(
            base_url=self.base_url or found.base_url,
            credentials=self.credentials,
            options=self.options,
            timeout=conf.TIMEOUT,
        )
        return found(account)

    def rotate_webhook_secret(self) -> None:
        """A new secret for the webhook; the one before works until it is retired.

        Raises ValueError while an older one still works: the vendor may know no other.
        """
        fields = ["previous_webhook_secret", "webhook_secret"]
        # The row decides, not what was loaded of it. MySQL assigns from left to right.
        rows = Provider.objects.primary().filter(pk=self.pk, previous_webhook_secret="")
        rotated = rows.update(previous_webhook_secret=F("webhook_secret"), webhook_secret=new_webhook_secret())
        self.refresh_from_db(using=rows.db, fields=fields)
        if not rotated:
            raise ValueError(f"The previous webhook secret of {self.slug} still works: retire it first.")

    def retire_webhook_secret(self) -> None:
        self.previous_webhook_secret = ""
        self.save(update_fields=["previous_webhook_secret"])


class Polled(models.Model):
    """A row whose fate the vendor is asked about, at growing intervals; `querysets.PolledQuerySet` keeps them."""

    poll_at = models.DateTimeField(_("ask the vendor again at"), null=True, blank=True, editable=False)
    polls = models.PositiveSmallIntegerField(_("times asked"), default=0, editable=False)

    class Meta:
        abstract = True


class Signature(Polled):
    """An approved sender name 【…】."""

    provider = models.ForeignKey(Provider, models.CASCADE, related_name="signatures", verbose_name=_("provider"))
    text = models.CharField(_("text"), max_length=30, help_text=_("Without brackets."))
    remark = models.CharField(_("remark"), max_length=255, blank=True)
    remote_id = models.CharField(_("id at the vendor"), max_length=64, blank=True)
    status = models.CharField(_("review"), max_length=16, choices=ReviewStatus.choices, default=ReviewStatus.DRAFT)
    reason = models.TextField(_("reason"), blank=True)

    objects = PolledQuerySet.as_manager()

    class Meta:
        verbose_name = _("signature")
        verbose_name_plural = _("signatures")
        ordering = ["provider", "text"]

    def __str__(self) -> str:
        return f"【{self.text}】"


class Template(Polled):
    """An approved text at one provider for one purpose."""

    provider = models.ForeignKey(Provider, models.CASCADE, related_name="templates", verbose_name=_("provider"))
    signature = models.ForeignKey(
        Signature,
        models.RESTRICT,
        null=True,
        blank=True,
        related_name="templates",
        verbose_name=_("signature"),
    )
    purpose = models.CharField(
        _("purpose"),
        max_length=64,
        validators=[purpose_validator],
        help_text=_("Such as login or reset-password."),
    )
    name = models.CharField(_("name"), max_length=100)
    content = models.TextField(
        _("content"),
        help_text=_(
            "The approved text without the signature, its placeholders in braces: "
            "您的验证码是{code}，{minutes}分钟内有效。"
        ),
    )
    variables = models.JSONField(
        _("variables"),
        default=dict,
        blank=True,
        help_text=_('Our names to the vendor\'s where they differ: {"code": "yzm"}'),
    )
    remark = models.CharField(_("remark"), max_length=255, blank=True)
    remote_id = models.CharField(_("id at the vendor"), max_length=64, blank=True)
    status = models.CharField(_("review"), max_length=16, choices=ReviewStatus.choices, default=ReviewStatus.DRAFT)
    reason = models.TextField(_("reason"), blank=True)
    is_active = models.BooleanField(_("active"), default=True)

    objects = TemplateQuerySet.as_manager()

    class Meta:
        verbose_name = _("template")
        verbose_name_plural = _("templates")
        ordering = ["provider", "purpose", "name"]
        indexes = [models.Index(fields=["purpose", "status"])]

    def __str__(self) -> str:
        return self.name

    @property
    def carries_code(self) -> bool:
        """Whether the text serves `send/` (it has `{code}`) or `send_message` (it has not)."""
        return "code" in texts.placeholders(self.content)

    def clean(self) -> None:
        names = set(texts.placeholders(self.content))
        if texts.stray_braces(self.content):
            raise ValidationError({"content": _("Write placeholders as {name}: letters, digits and underscores.")})
        if "code" in names and not names <= set(SEND_VALUES):
            unknown = ", ".join(sorted(names - set(SEND_VALUES)))
            message = _("A text with {code} can only have {minutes} beside it; nothing fills in: %s.")
            raise ValidationError({"content": message % unknown})
        pairs = self.variables.items() if isinstance(self.variables, dict) else [(None, None)]
        if not all(ours in names and isinstance(theirs, str) and theirs for ours, theirs in pairs):
            raise ValidationError({"variables": _("Use a placeholder of the content and the vendor's name for it.")})
        if self.signature is not None and self.signature.provider_id != self.provider_id:
            raise ValidationError({"signature": _("This signature belongs to another provider.")})
