"""Queued messages through `django.tasks`; before Django 6.0 of its backport, django-tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import django

from django_smsverify.sending import worker

if TYPE_CHECKING or django.VERSION < (6, 0):
    from django_tasks import task
else:
    from django.tasks import task


@task()
def deliver(ids: list[str]) -> int:
    """Delivers those of these messages that still are queued; returns how many were."""
    return worker.send_waiting(ids)
