"""What operators have listed, and what the guard has closed."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_smsverify import phones
from django_smsverify.enums import Guarded, ListAction, ListKind

from .querysets import PrimaryManager, RowQuerySet


class ListEntryQuerySet(RowQuerySet["ListEntry"]):
    """Entries of the lists."""

    def live(self) -> ListEntryQuerySet:
        """Those that have not expired."""
        return self.filter(models.Q(expires_at=None) | models.Q(expires_at__gt=timezone.now()))


class ListEntry(models.Model):
    """A number, a block of numbers, a network or a region that the site refuses, challenges or allows."""

    kind = models.CharField(_("kind"), max_length=8, choices=ListKind.choices)
    subject = models.CharField(_("subject"), max_length=64)
    """`+8613800138000`, `+8613800`, `203.0.113.0/24` or `CN`."""
    length = models.PositiveSmallIntegerField(editable=False)
    """How much of a number or an address the subject names: characters, or bits of a network."""
    action = models.CharField(
        _("action"),
        max_length=16,
        choices=ListAction.choices,
        help_text=_("Allowed: no captcha, no limit that is shared, no guard; the number's own limits hold."),
    )
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True, help_text=_("Blank: never."))
    note = models.CharField(_("note"), max_length=200, blank=True)
    added_by = models.CharField(_("entered by"), max_length=150, blank=True, editable=False)
    created_at = models.DateTimeField(_("since"), default=timezone.now, editable=False)

    objects = PrimaryManager.from_queryset(ListEntryQuerySet)()

    class Meta:
        verbose_name = _("entry of the block and allow list")
        verbose_name_plural = _("block and allow list")
        default_permissions = ("view", "add", "delete")
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["subject", "kind"], name="smsverify_listentry_once")]

    def __str__(self) -> str:
        return f"{self.get_action_display()} · {self.shown_subject}"

    @property
    def shown_subject(self) -> str:
        """The subject as people may see it."""
        return phones.mask(self.subject) if self.kind == ListKind.NUMBER else self.subject


class Closure(models.Model):
    """A time for which the guard closes something to numbers that are new here, and what it saw."""

    kind = models.CharField(_("kind"), max_length=8, choices=Guarded.choices)
    subject = models.CharField(_("subject"), max_length=64, blank=True)
    """`+8613800`, `203.0.113.0/24` or the text of a signature; blank for the site."""
    level = models.PositiveSmallIntegerField(_("level"), default=0)
    """How often in a row it was closed before."""
    follows = models.PositiveBigIntegerField(default=0, editable=False)
    """The closure of the same before, or 0: so that of two concurrent requests one makes the next."""
    sent = models.PositiveIntegerField(_("sent"))
    verified = models.PositiveIntegerField(_("verified"))
    is_watched = models.BooleanField(_("only watched"), default=False)
    """Nothing is refused, because the guard only watches."""
    binds_solvers = models.BooleanField(_("refuses solved captchas too"), default=False)
    """Those who solve captchas enter no codes either."""
    mailed_at = models.DateTimeField(null=True, editable=False)
    since = models.DateTimeField(_("since"))
    until = models.DateTimeField(_("until"))
    lifted_at = models.DateTimeField(_("lifted at"), null=True, blank=True)
    lifted_by = models.CharField(_("lifted by"), max_length=150, blank=True)

    objects = PrimaryManager.from_queryset(RowQuerySet)()

    class Meta:
        verbose_name = _("closure by the guard")
        verbose_name_plural = _("closures by the guard")
        ordering = ["-since"]
        default_permissions = ("view", "change")
        indexes = [models.Index(fields=["until"])]
        constraints = [models.UniqueConstraint(fields=["subject", "kind", "follows"], name="smsverify_closure_once")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.subject}".rstrip()
