"""Queued messages through `django.tasks`, or its backport django-tasks before Django 6.0."""

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
    """Sends those of these messages that are still queued; returns how many were handled."""
    return worker.run_task(ids)
