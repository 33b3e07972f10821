"""Signatures and templates, which vendors review."""

from __future__ import annotations

import re

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from django_smsverify import texts
from django_smsverify.conf import conf
from django_smsverify.enums import ReviewStatus
from django_smsverify.linting import Finding, lint_content, lint_signature

from .accounts import Provider
from .fields import CheckedCharField, CheckedTextField, VendorCharField, VendorTextField
from .querysets import PolledQuerySet, PrimaryManager, TemplateQuerySet

SEND_VALUES = ("code", "minutes")
"""Placeholders that `send/` can fill in; others are for `send_message` only."""

PURPOSE = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")

purpose_validator = RegexValidator(
    rf"\A{PURPOSE.pattern}\Z",
    _("A purpose is lower-case letters, digits and single hyphens or underscores, such as reset-password."),
)


class Polled(models.Model):
    """A row whose state the vendor is asked for at growing intervals; see `querysets.PolledQuerySet`."""

    poll_at = models.DateTimeField(_("ask the vendor again at"), null=True, blank=True, editable=False)
    polls = models.PositiveSmallIntegerField(_("times asked"), default=0, editable=False)

    class Meta:
        abstract = True


class Signature(Polled):
    """A sender name 【…】 at one provider."""

    provider = models.ForeignKey(Provider, models.CASCADE, related_name="signatures", verbose_name=_("provider"))
    text = CheckedCharField(_("text"), max_length=30, help_text=_("Without brackets."))
    remark = CheckedCharField(_("remark"), max_length=255, blank=True)
    remote_id = VendorCharField(_("id at the vendor"), max_length=64, blank=True)
    status = models.CharField(_("review"), max_length=16, choices=ReviewStatus.choices, default=ReviewStatus.DRAFT)
    reason = VendorTextField(_("reason"), blank=True)

    objects = PrimaryManager.from_queryset(PolledQuerySet)()

    class Meta:
        verbose_name = _("signature")
        verbose_name_plural = _("signatures")
        ordering = ["provider", "text"]

    def __str__(self) -> str:
        return f"【{self.text}】"

    @property
    def vendors_content(self) -> str:
        """The text that the vendor reviews."""
        return self.text

    def lint(self) -> list[Finding]:
        """What the provider's vendor would refuse in the name, the most severe first."""
        return lint_signature(self.text, self.provider.text_rules)


class Template(Polled):
    """A content at one provider for one purpose."""

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
    name = CheckedCharField(_("name"), max_length=100)
    content = CheckedTextField(
        pgettext_lazy("of an SMS", "content"),
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
    remark = CheckedCharField(_("remark"), max_length=255, blank=True)
    remote_id = VendorCharField(_("id at the vendor"), max_length=64, blank=True)
    status = models.CharField(_("review"), max_length=16, choices=ReviewStatus.choices, default=ReviewStatus.DRAFT)
    reason = VendorTextField(_("reason"), blank=True)
    is_active = models.BooleanField(pgettext_lazy("switched on", "active"), default=True)

    objects = PrimaryManager.from_queryset(TemplateQuerySet)()

    class Meta:
        verbose_name = _("template")
        verbose_name_plural = _("templates")
        ordering = ["provider", "purpose", "name"]
        permissions = [("send_message", "Can send an SMS without a code to many numbers")]
        indexes = [models.Index(fields=["purpose", "status"])]

    def __str__(self) -> str:
        return self.name

    @property
    def carries_code(self) -> bool:
        """Whether the content has `{code}` and serves `send/`; without it, it serves `send_message`."""
        return "code" in texts.placeholders(self.content)

    @property
    def vendors_content(self) -> str:
        """The text that the vendor reviews: the content with the vendor's names of the placeholders."""
        return texts.renamed(self.content, self._names)

    def lint(self) -> list[Finding]:
        """What the provider's vendor would refuse in the content with its signature, the most severe first."""
        signature = self.signature.text if self.signature is not None else ""
        return lint_content(
            self.content,
            self.provider.text_rules,
            signature=signature,
            variables=self._names,
            code_length=conf.of(self.purpose).CODE_LENGTH,
        )

    @property
    def _names(self) -> dict[str, str]:
        """The valid entries of `variables`."""
        pairs = self.variables.items() if isinstance(self.variables, dict) else ()
        return {ours: theirs for ours, theirs in pairs if isinstance(theirs, str)}

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
