"""The commands as background tasks of `django.tasks`; before Django 6.0 of its backport, django-tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import django

from . import polling

if TYPE_CHECKING or django.VERSION < (6, 0):
    from django_tasks import task
else:
    from django.tasks import task


@task()
def poll(limit: int = polling.LIMIT) -> dict[str, int]:
    """What `manage.py smsverify_poll` does; returns what happened how often."""
    return dict(polling.poll(limit=limit))
