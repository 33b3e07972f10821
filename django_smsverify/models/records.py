"""Records: numbers, verifications, messages, delivery reports and replies."""

from __future__ import annotations

import math
from datetime import datetime

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from django_smsverify import codes, phones
from django_smsverify.enums import Cause, DeliveryOutcome, MessageStatus, Reason, ReportSource
from django_smsverify.exceptions import AlreadyUsed, CodeExpired, CodeRejected, TooManyAttempts
from django_smsverify.masked import Secret

from .accounts import Provider
from .fields import CarrierField, EncryptedDictField, PhoneField, VendorCharField, VendorTextField
from .history import MAX_CLOCK_SKEW
from .identifiers import new_id
from .querysets import (
    MessageQuerySet,
    PrimaryManager,
    RecipientQuerySet,
    RowQuerySet,
    VerificationQuerySet,
)
from .texts import Polled, Template


class Recipient(models.Model):
    """A phone number; its row is locked to serialize all changes about this number."""

    phone = PhoneField(_("phone"), unique=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    claimed_at = models.DateTimeField(_("last claimed at"), default=timezone.now)
    failures = models.PositiveIntegerField(null=True, editable=False)
    """Wrong codes in a row, of verifications that are older than the number's history; None for a number without."""
    failures_until = models.DateTimeField(null=True, editable=False)
    """When the last verification was created that they may be of."""

    objects = PrimaryManager.from_queryset(RecipientQuerySet)()

    class Meta:
        verbose_name = _("recipient")
        verbose_name_plural = _("recipients")
        default_permissions = ("view", "change")
        permissions = [
            ("export_person", "Can export all that is stored about a number"),
            ("forget_person", "Can have a number forgotten"),
        ]

    def __str__(self) -> str:
        return phones.mask(self.phone)


class Verification(models.Model):
    """A request for a code. Its limits are stored, so that a changed setting does not break it.

    While a code is live, another request for the same number, purpose and context gets a verification of its own for
    the same code. The first one, the root, holds nonce, key, end of life and success; the others read them there.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    root = models.ForeignKey(
        "self",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="joined",
        verbose_name=_("holder of the code"),
        help_text=_("Another verification, whose code is valid for this one too."),
    )
    recipient = models.ForeignKey(
        Recipient, models.CASCADE, related_name="verifications", verbose_name=_("recipient"), db_index=False
    )
    phone = PhoneField(_("phone"))
    purpose = models.CharField(_("purpose"), max_length=64)
    context = models.CharField(max_length=64, blank=True, editable=False)
    """A keyed digest of what the code is bound to; empty for nothing."""
    nonce = models.CharField(max_length=64, blank=True, default=codes.new_nonce, editable=False)
    key_id = models.CharField(max_length=16, blank=True, default=codes.current_key_id, editable=False)
    code_length = models.PositiveSmallIntegerField(_("code length"))
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires at"))
    """Counts only where the verification holds the code."""
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    max_attempts = models.PositiveSmallIntegerField(_("attempts allowed"))
    is_reserved = models.BooleanField(_("attempts reserved"), default=True, editable=False)
    """Whether the attempts were set aside from the number's allowance, as for an SMS; else each guess asks whether the
    number has one left."""
    simulated_at = models.DateTimeField(
        _("simulated at"), null=True, blank=True, help_text=_("Nothing was sent, as it was a test number then.")
    )
    """When an SMS would have been sent last, to a test number; None for all others."""
    by_stranger = models.BooleanField(_("by a stranger"), default=False, editable=False)
    """Whether the request may spend only half of what a known number has."""
    by_solver = models.BooleanField(default=False, db_default=False, editable=False)
    """Whether a captcha was solved for it: then its SMS can be sent again without another one."""
    known_at = models.DateTimeField(null=True, editable=False)
    """When the number had been verified here last, as it asked."""
    source = models.CharField(_("source"), max_length=32, blank=True, default="", db_default="", editable=False)
    """By what else than an SMS the site knows the number, such as `wechat`; empty for a code."""
    block = models.CharField(max_length=16, blank=True, default="", db_default="", editable=False)
    """The block of a number that was new here when it asked; empty for one that was known."""
    network = models.CharField(max_length=32, blank=True, default="", db_default="", editable=False)
    """A keyed digest of the network that asked; empty where the address is not known."""
    attempted_at = models.DateTimeField(_("last attempt at"), null=True, blank=True)
    verified_at = models.DateTimeField(_("verified at"), null=True, blank=True)
    redeemed_at = models.DateTimeField(_("proof redeemed at"), null=True, blank=True)

    last_sent_at: datetime | None = None
    """When the last SMS with the code was sent, known where that was done just now; no column."""
    sms_sent: bool = True
    """False for a request that joined a live code without an SMS; no column."""

    objects = PrimaryManager.from_queryset(VerificationQuerySet)()

    class Meta:
        verbose_name = _("verification")
        verbose_name_plural = _("verifications")
        default_permissions = ("view",)
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["recipient", "created_at"]),
            models.Index(fields=["purpose", "created_at"]),
            models.Index(fields=["created_at"]),
            models.Index(fields=["block", "created_at"]),
            models.Index(fields=["network", "created_at"]),
        ]

    def __str__(self) -> str:
        return f"{phones.mask(self.phone)} · {self.purpose}"

    @property
    def holder(self) -> Verification:
        """The verification that holds the code: the root, or this one."""
        return self if self.root_id is None else self.root or self

    @property
    def is_simulated(self) -> bool:
        """Whether it is of a test number: it has the code of that, and no SMS ever carries it."""
        return self.simulated_at is not None

    def derive_code(self) -> Secret:
        """Derives the code; raises LookupError when its key is no longer configured, and for a test number."""
        if self.is_simulated:
            raise LookupError("The code of a test number is not derived: it is stored with the number.")
        holder = self.holder
        message = Secret(f"{holder.phone}:{holder.purpose}:{holder.context}:{holder.nonce}")
        return codes.derive(holder.key_id, message, holder.code_length)

    def require_live(self, now: datetime) -> None:
        """Raises AlreadyUsed, TooManyAttempts or CodeExpired when no code can verify this any more.

        Expired is also a code whose key is no longer configured, or that was created before the clock was set back.
        """
        if self.holder.verified_at is not None:
            raise AlreadyUsed
        if self.attempts >= self.max_attempts:
            raise TooManyAttempts
        if not self.seconds_left(now) or not codes.is_known(self.holder.key_id):
            raise CodeExpired

    def is_live(self, now: datetime) -> bool:
        """Whether the correct code would still verify this."""
        try:
            self.require_live(now)
        except CodeRejected:
            return False
        return True

    def seconds_left(self, now: datetime) -> int:
        """Whole seconds, rounded up; 0 when the age is unknown because the clock was set back."""
        if self.holder.created_at > now + MAX_CLOCK_SKEW:
            return 0
        return max(0, math.ceil((self.holder.expires_at - now).total_seconds()))

    def reload(self) -> None:
        """Reads again what concurrent requests may have changed."""
        self.refresh_from_db(fields=["attempts", "max_attempts", "is_reserved"])
        self.holder.refresh_from_db(fields=["expires_at", "verified_at"])


class Message(Polled):
    """One attempt to send one SMS through one provider."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    verification = models.ForeignKey(
        Verification,
        models.PROTECT,  # without it, the message would not count for the number's limits
        null=True,
        blank=True,
        related_name="messages",
        verbose_name=_("verification"),
    )
    provider = models.ForeignKey(
        Provider, models.PROTECT, related_name="messages", verbose_name=_("provider"), db_index=False
    )
    template = models.ForeignKey(Template, models.PROTECT, related_name="messages", verbose_name=_("template"))
    phone = PhoneField(_("phone"))
    purpose = models.CharField(_("purpose"), max_length=64)
    attempt = models.PositiveSmallIntegerField(
        _("attempt"), default=1, help_text=_("Counted from 1 for each request; the next one goes to another provider.")
    )
    by_stranger = models.BooleanField(_("by a stranger"), default=False, editable=False)
    is_trial = models.BooleanField(_("trial"), default=False, db_default=False, editable=False)
    """Whether it tries a way on which SMS to its carrier were not delivered: its report closes that circuit or not."""
    is_probe = models.BooleanField(_("probe"), default=False, db_default=False, editable=False)
    """Whether it went to an operator's own number, to see whether it arrives; see `Probe`."""
    follows = models.UUIDField(null=True, blank=True, default=None, editable=False)
    """The message with the same code that its vendor reported as not delivered, after which this one is sent."""
    batch = models.CharField(  # noqa: DJ001 - NULL: messages without a batch are not unique
        _("batch"), max_length=64, null=True, blank=True, default=None, help_text=_("At most one message to a number.")
    )
    values = EncryptedDictField(_("values"))
    segments = models.PositiveSmallIntegerField(_("segments"), default=1)
    price = models.DecimalField(
        _("price of a segment"),
        max_digits=8,
        decimal_places=4,
        null=True,
        blank=True,
        help_text=_("When it was handed over, in yuan."),
    )
    cost = models.DecimalField(_("cost"), max_digits=10, decimal_places=4, null=True, blank=True)
    counted_in = models.CharField(max_length=120, blank=True, default="", db_default="", editable=False)
    """The primary keys of each Spending that counts price × segments of it, apart by spaces; see `limits.budget`."""
    remote_id = VendorCharField(_("id at the vendor"), max_length=64, blank=True)
    status = models.CharField(_("status"), max_length=16, choices=MessageStatus.choices, default=MessageStatus.QUEUED)
    error_reason = models.CharField(_("reason"), max_length=16, choices=Reason.choices, blank=True)
    error_code = VendorCharField(_("vendor's code"), max_length=64, blank=True)
    error_message = VendorTextField(_("vendor's words"), blank=True)
    carrier = CarrierField(_("carrier"), help_text=_("By the number's block; about 3 in 100 numbers were ported."))
    cause = models.CharField(
        _("cause"), max_length=24, choices=Cause.choices, blank=True, default="", db_default="", editable=False
    )
    """That of the report that gave it its status."""
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    claimed_at = models.DateTimeField(_("claimed at"), null=True, blank=True)
    sent_at = models.DateTimeField(_("handed over at"), null=True, blank=True)
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)
    delivery_seconds = models.PositiveIntegerField(_("seconds to delivery"), null=True, blank=True, editable=False)
    """From its acceptance until it reached the phone, as its vendor says; None where that is not known."""

    is_claimed: bool = False
    """Whether this process stored the row as claimed by itself, and has not sent it yet; no column."""

    objects = PrimaryManager.from_queryset(MessageQuerySet)()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        default_permissions = ("view",)
        ordering = ["-created_at"]
        permissions = [("view_full_phone", "Can see whole phone numbers")]
        indexes = [
            models.Index(fields=["phone", "created_at"]),
            models.Index(fields=["remote_id", "phone"]),
            models.Index(fields=["settled_at", "poll_at"]),
            models.Index(fields=["status", "created_at"]),
            models.Index(fields=["provider", "created_at"]),
            models.Index(fields=["purpose", "created_at"]),
            models.Index(fields=["error_reason", "created_at"]),
            models.Index(fields=["follows"]),
            models.Index(fields=["created_at"]),
        ]
        constraints = [models.UniqueConstraint(fields=["batch", "phone"], name="smsverify_message_batch_phone")]

    def __str__(self) -> str:
        return f"{phones.mask(self.phone)} · {self.purpose} · {self.get_status_display()}"

    @property
    def own_id(self) -> str:
        """What a vendor that takes our ids knows it by."""
        return self.pk.hex


class DeliveryReport(models.Model):
    """A vendor's later report about one message."""

    provider = models.ForeignKey(
        Provider, models.PROTECT, related_name="reports", verbose_name=_("provider"), db_index=False
    )
    message = models.ForeignKey(
        Message,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="reports",
        verbose_name=_("message"),
        db_index=False,
    )
    remote_id = VendorCharField(_("id at the vendor"), max_length=64)
    phone = PhoneField(_("phone"))
    outcome = models.CharField(_("outcome"), max_length=16, choices=DeliveryOutcome.choices)
    code = VendorCharField(_("vendor's code"), max_length=64, blank=True)
    detail = VendorTextField(_("detail"), blank=True)
    cause = models.CharField(_("cause"), max_length=24, choices=Cause.choices, blank=True, default="", db_default="")
    occurred_at = models.DateTimeField(_("occurred at"), null=True, blank=True)
    received_at = models.DateTimeField(_("received at"), default=timezone.now)
    source = models.CharField(_("source"), max_length=8, choices=ReportSource.choices)
    payload = models.JSONField(_("payload"), default=dict)
    fingerprint = models.UUIDField(editable=False)

    own_id: str = ""
    """Our id of the message, where the vendor returned it just now; no column."""

    objects = PrimaryManager.from_queryset(RowQuerySet)()

    class Meta:
        verbose_name = _("delivery report")
        verbose_name_plural = _("delivery reports")
        default_permissions = ("view",)
        ordering = ["-received_at"]
        indexes = [
            models.Index(fields=["remote_id", "phone"]),
            models.Index(fields=["message", "received_at"]),
            models.Index(fields=["provider", "received_at"]),
            models.Index(fields=["outcome", "received_at"]),
            models.Index(fields=["received_at"]),
        ]
        # The number first: one index also finds the reports on a number.
        constraints = [models.UniqueConstraint(fields=["phone", "fingerprint"], name="smsverify_report_once")]

    def __str__(self) -> str:
        return f"{phones.mask(self.phone)} · {self.get_outcome_display()}"


class Reply(models.Model):
    """An SMS that the phone's owner sent back."""

    provider = models.ForeignKey(
        Provider, models.PROTECT, related_name="replies", verbose_name=_("provider"), db_index=False
    )
    message = models.ForeignKey(
        Message, models.SET_NULL, null=True, blank=True, related_name="replies", verbose_name=_("message")
    )
    remote_id = VendorCharField(_("id at the vendor"), max_length=64, blank=True)
    phone = PhoneField(_("phone"))
    content = VendorTextField(pgettext_lazy("of an SMS", "content"))
    occurred_at = models.DateTimeField(_("occurred at"), null=True, blank=True)
    received_at = models.DateTimeField(_("received at"), default=timezone.now)
    payload = models.JSONField(_("payload"), default=dict)
    fingerprint = models.UUIDField(unique=True, editable=False)

    objects = PrimaryManager.from_queryset(RowQuerySet)()

    class Meta:
        verbose_name = _("reply")
        verbose_name_plural = _("replies")
        default_permissions = ("view",)
        ordering = ["-received_at"]
        indexes = [
            models.Index(fields=["phone", "received_at"]),
            models.Index(fields=["remote_id"]),
            models.Index(fields=["provider", "received_at"]),
            models.Index(fields=["received_at"]),
        ]

    def __str__(self) -> str:
        return phones.mask(self.phone)


class ReportBatch(models.Model):
    """Delivery reports as they were fetched from a vendor that deletes them afterwards.

    Kept until all of them are stored as DeliveryReport rows; if a part cannot be read, kept for an operator.
    """

    provider = models.ForeignKey(Provider, models.PROTECT, related_name="report_batches", verbose_name=_("provider"))
    body = VendorTextField(_("body"))
    problems = VendorTextField(_("problems"), blank=True)
    received_at = models.DateTimeField(_("received at"), default=timezone.now)

    objects = PrimaryManager.from_queryset(RowQuerySet)()

    class Meta:
        verbose_name = _("fetched reports")
        verbose_name_plural = _("fetched reports")
        default_permissions = ("view", "delete")
        ordering = ["-received_at"]

    def __str__(self) -> str:
        return f"{self.provider} · {self.pk}"
