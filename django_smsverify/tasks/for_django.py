"""Tasks of `django.tasks`; before Django 6.0 of its backport, django-tasks."""

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
    """What `manage.py smsverify_poll` does; returns what happened how often."""
    return dict(polling.poll(limit=limit))


@task()
def balance() -> dict[str, str]:
    """What `manage.py smsverify_balance` does; returns for each provider's slug how its balance stands."""
    return {check.provider.slug: check.state.value for check in balances.check_and_mail()}
