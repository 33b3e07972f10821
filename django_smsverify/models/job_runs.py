"""When a periodic job ran last."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .querysets import PrimaryManager, RowQuerySet


class JobRun(models.Model):
    """The last run of one job, such as the poll."""

    job = models.CharField(_("job"), max_length=32, unique=True)
    started_at = models.DateTimeField(_("started at"))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    """When a run came to its end last; None if none ever did."""

    objects = PrimaryManager.from_queryset(RowQuerySet)()

    class Meta:
        verbose_name = _("run of a job")
        verbose_name_plural = _("runs of jobs")
        default_permissions = ()

    def __str__(self) -> str:
        return self.job
