"""What operators are told of at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_smsverify.enums import AlertKind

from .querysets import PrimaryManager, RowQuerySet


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAlert:
    """What operators should hear now; kind and subject are its cause, of which they hear at most once an hour."""

    kind: AlertKind
    subject: str = ""
    """What it is about, such as the slug of a provider."""
    text: Callable[[], tuple[str, str]]
    """Makes the title, and what happened and what to do, in the active language and without whole numbers."""
    page: tuple[str, ...] = ()
    """The page of the admin to look at: its name, and the primary key of what it is about."""
    postpone: Callable[[], object] = lambda: None
    """Has it be told later; called if they heard of the same within the hour."""
    lasts: bool = False
    """Whether it is found by every run while it lasts: then they hear of it once a day."""


class Alert(models.Model):
    """The last alert of one cause, and who still waits for it."""

    kind = models.CharField(_("kind"), max_length=16, choices=AlertKind.choices)
    subject = models.CharField(_("about"), max_length=120, blank=True)
    title = models.CharField(_("title"), max_length=200)
    body = models.TextField(_("text"))
    told_at = models.DateTimeField(_("told at"), db_index=True)
    lasts = models.BooleanField(_("lasts"), default=False)
    """Whether the last run has found it too; always false for what happens at one moment."""
    waiting = models.CharField(_("not told yet"), max_length=1000, blank=True)
    """The names of the channels that could not be told yet, apart by spaces; see `operations.channels`."""
    taken_until = models.DateTimeField(null=True, editable=False)
    """Until then another run tells them; after a crash the next run does."""

    objects = PrimaryManager.from_queryset(RowQuerySet)()

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ["-told_at"]
        default_permissions = ("view",)
        constraints = [models.UniqueConstraint(fields=["kind", "subject"], name="smsverify_alert_cause")]

    def __str__(self) -> str:
        return self.title
