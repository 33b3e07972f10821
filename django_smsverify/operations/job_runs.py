"""Whether the periodic jobs run: each notes when it began and when it came to its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.utils import timezone

from django_smsverify.models import JobRun

POLL, PROBE, PRUNE = "poll", "probe", "prune"


@contextmanager
def noted(job: str) -> Iterator[None]:
    """Notes a run of a job; one that breaks off has no end."""
    now = timezone.now()
    if not JobRun.objects.filter(job=job).update(started_at=now):
        JobRun.objects.get_or_create({"started_at": now}, job=job)
    yield
    JobRun.objects.filter(job=job).update(ended_at=timezone.now())


def last_run(job: str) -> JobRun | None:
    """Returns the last run of a job; None if it never ran."""
    return JobRun.objects.filter(job=job).first()
