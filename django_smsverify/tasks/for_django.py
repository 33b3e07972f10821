"""Tasks of `django.tasks`, or of its backport django-tasks before Django 6.0."""

from __future__ import annotations

from typing import TYPE_CHECKING

import django

from django_smsverify.money import balances
from django_smsverify.polling import poll as polling

if TYPE_CHECKING or django.VERSION < (6, 0):
    from django_tasks import task
else:
    from django.tasks import task


@task()
def poll(limit: int = polling.LIMIT) -> dict[str, int]:
    """Does the same as `manage.py smsverify_poll`; returns how often each result occurred."""
    return dict(polling.poll(limit=limit))


@task()
def balance() -> dict[str, str]:
    """Does the same as `manage.py smsverify_balance`; returns the state of the balance by provider slug."""
    return {check.provider.slug: check.state.value for check in balances.check_and_mail()}
