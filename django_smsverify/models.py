"""What is remembered: accounts, approved texts, questions asked, messages sent, and what came back."""

from __future__ import annotations

import math
import re
import secrets
import uuid
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from . import codes, phones, texts
from .conf import conf
from .enums import MessageStatus, Outcome, Reason, ReportSource, ReviewStatus
from .exceptions import InvalidGateway
from .fields import EncryptedDictField
from .gateways import gateway_class
from .gateways.base import Gateway
from .querysets import MessageQuerySet, RowQuerySet, TemplateQuerySet, VerificationQuerySet
from .types import Account

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
SEND_VALUES = ("code", "minutes")
"""What `send/` can fill in; any other placeholder is for `send_message`."""

PURPOSE = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")

purpose_validator = RegexValidator(
    rf"\A{PURPOSE.pattern}\Z",
    _("A purpose is lower-case letters, digits and single hyphens or underscores, such as reset-password."),
)


def new_webhook_secret() -> str:
    return secrets.token_urlsafe(32)


def _is_safe(base_url: str) -> bool:
    """Whether credentials may travel to this address."""
    try:
        url = urlsplit(base_url)
    except ValueError:  # a bracket that is not closed
        return False
    return bool(url.hostname) and (url.scheme == "https" or (url.scheme == "http" and url.hostname in LOOPBACK))


class PhoneField(models.CharField):
    """A number as E.164."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_length"] = 16
        super().__init__(*args, **kwargs)


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


class Signature(models.Model):
    """An approved sender name 【…】."""

    provider = models.ForeignKey(Provider, models.CASCADE, related_name="signatures", verbose_name=_("provider"))
    text = models.CharField(_("text"), max_length=30, help_text=_("Without brackets."))
    remark = models.CharField(_("remark"), max_length=255, blank=True)
    remote_id = models.CharField(_("id at the vendor"), max_length=64, blank=True)
    status = models.CharField(_("review"), max_length=16, choices=ReviewStatus.choices, default=ReviewStatus.DRAFT)
    reason = models.TextField(_("reason"), blank=True)

    class Meta:
        verbose_name = _("signature")
        verbose_name_plural = _("signatures")
        ordering = ["provider", "text"]

    def __str__(self) -> str:
        return f"【{self.text}】"


class Template(models.Model):
    """An approved text at one provider for one purpose."""

    provider = models.ForeignKey(Provider, models.CASCADE, related_name="templates", verbose_name=_("provider"))
    signature = models.ForeignKey(
        Signature,
        models.PROTECT,
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


class Recipient(models.Model):
    """What is known of a number as such: the row on which everything about one number is serialized."""

    phone = PhoneField(_("phone"), unique=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    claimed_at = models.DateTimeField(_("last claimed at"), default=timezone.now)

    objects = RowQuerySet.as_manager()

    class Meta:
        verbose_name = _("recipient")
        verbose_name_plural = _("recipients")

    def __str__(self) -> str:
        return phones.mask(self.phone)


class Verification(models.Model):
    """The question that was asked; what it was started with is stored, so that no changed setting kills it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    recipient = models.ForeignKey(Recipient, models.CASCADE, related_name="verifications", verbose_name=_("recipient"))
    phone = PhoneField(_("phone"))
    purpose = models.CharField(_("purpose"), max_length=64)
    nonce = models.CharField(max_length=64, default=codes.new_nonce, editable=False)
    key_id = models.CharField(max_length=16, default=codes.current_key_id, editable=False)
    code_length = models.PositiveSmallIntegerField(_("code length"))
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires at"))
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    max_attempts = models.PositiveSmallIntegerField(_("attempts allowed"))
    attempted_at = models.DateTimeField(_("last attempt at"), null=True, blank=True)
    verified_at = models.DateTimeField(_("verified at"), null=True, blank=True)
    redeemed_at = models.DateTimeField(_("proof redeemed at"), null=True, blank=True)

    objects = VerificationQuerySet.as_manager()

    class Meta:
        verbose_name = _("verification")
        verbose_name_plural = _("verifications")
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["phone", "expires_at"]),
            models.Index(fields=["phone", "attempted_at"]),
            models.Index(fields=["-created_at"]),
        ]

    def __str__(self) -> str:
        return f"{phones.mask(self.phone)} · {self.purpose}"

    def code(self) -> str:
        """The code, derived anew; raises LookupError when the key it came from is no longer configured."""
        message = f"{self.pk}:{self.phone}:{self.purpose}:{self.nonce}"
        return codes.derive(self.key_id, message, self.code_length)

    def seconds_left(self, now: datetime) -> int:
        return max(0, math.ceil((self.expires_at - now).total_seconds()))


class Message(models.Model):
    """One attempt to hand one SMS to one provider."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    verification = models.ForeignKey(
        Verification,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="messages",
        verbose_name=_("verification"),
    )
    provider = models.ForeignKey(Provider, models.PROTECT, related_name="messages", verbose_name=_("provider"))
    template = models.ForeignKey(Template, models.PROTECT, related_name="messages", verbose_name=_("template"))
    phone = PhoneField(_("phone"))
    purpose = models.CharField(_("purpose"), max_length=64)
    values = EncryptedDictField(_("values"))
    segments = models.PositiveSmallIntegerField(_("segments"), default=1)
    cost = models.DecimalField(_("cost"), max_digits=10, decimal_places=4, null=True, blank=True)
    remote_id = models.CharField(_("id at the vendor"), max_length=64, blank=True)
    status = models.CharField(_("status"), max_length=16, choices=MessageStatus.choices, default=MessageStatus.QUEUED)
    error_reason = models.CharField(_("reason"), max_length=16, choices=Reason.choices, blank=True)
    error_code = models.CharField(_("vendor's code"), max_length=64, blank=True)
    error_message = models.TextField(_("vendor's words"), blank=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    sent_at = models.DateTimeField(_("handed over at"), null=True, blank=True)
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["phone", "created_at"]),
            models.Index(fields=["provider", "remote_id"]),
            models.Index(fields=["status", "created_at"]),
            models.Index(fields=["-created_at"]),
        ]

    def __str__(self) -> str:
        return f"{phones.mask(self.phone)} · {self.purpose} · {self.get_status_display()}"


class DeliveryReport(models.Model):
    """The vendor's later word about one message."""

    provider = models.ForeignKey(Provider, models.PROTECT, related_name="reports", verbose_name=_("provider"))
    message = models.ForeignKey(
        Message, models.SET_NULL, null=True, blank=True, related_name="reports", verbose_name=_("message")
    )
    remote_id = models.CharField(_("id at the vendor"), max_length=64)
    phone = PhoneField(_("phone"))
    outcome = models.CharField(_("outcome"), max_length=16, choices=Outcome.choices)
    code = models.CharField(_("vendor's code"), max_length=64, blank=True)
    detail = models.TextField(_("detail"), blank=True)
    occurred_at = models.DateTimeField(_("occurred at"), null=True, blank=True)
    received_at = models.DateTimeField(_("received at"), default=timezone.now)
    source = models.CharField(_("source"), max_length=8, choices=ReportSource.choices)
    payload = models.JSONField(_("payload"), default=dict)
    fingerprint = models.CharField(max_length=64, unique=True, editable=False)

    class Meta:
        verbose_name = _("delivery report")
        verbose_name_plural = _("delivery reports")
        ordering = ["-received_at"]
        indexes = [models.Index(fields=["provider", "remote_id"]), models.Index(fields=["-received_at"])]

    def __str__(self) -> str:
        return f"{phones.mask(self.phone)} · {self.get_outcome_display()}"


class Reply(models.Model):
    """A text that the phone's owner sent back."""

    provider = models.ForeignKey(Provider, models.PROTECT, related_name="replies", verbose_name=_("provider"))
    message = models.ForeignKey(
        Message, models.SET_NULL, null=True, blank=True, related_name="replies", verbose_name=_("message")
    )
    remote_id = models.CharField(_("id at the vendor"), max_length=64, blank=True)
    phone = PhoneField(_("phone"))
    content = models.TextField(_("content"))
    occurred_at = models.DateTimeField(_("occurred at"), null=True, blank=True)
    received_at = models.DateTimeField(_("received at"), default=timezone.now)
    payload = models.JSONField(_("payload"), default=dict)
    fingerprint = models.CharField(max_length=64, unique=True, editable=False)

    class Meta:
        verbose_name = _("reply")
        verbose_name_plural = _("replies")
        ordering = ["-received_at"]
        indexes = [models.Index(fields=["-received_at"])]

    def __str__(self) -> str:
        return phones.mask(self.phone)
