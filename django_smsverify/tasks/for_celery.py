"""Tasks of Celery: acknowledged when they are done, and harmless when they are run again."""

from __future__ import annotations

from celery import shared_task

from django_smsverify.money import balances
from django_smsverify.polling import poll as polling
from django_smsverify.sending.queues.celery import deliver as deliver


@shared_task(name="smsverify.poll", acks_late=True, ignore_result=True)
def poll(limit: int = polling.LIMIT) -> dict[str, int]:
    """What `manage.py smsverify_poll` does; returns what happened how often."""
    return dict(polling.poll(limit=limit))


@shared_task(name="smsverify.balance", acks_late=True, ignore_result=True)
def balance() -> dict[str, str]:
    """What `manage.py smsverify_balance` does; returns for each provider's slug how its balance stands."""
    return {check.provider.slug: check.state.value for check in balances.check_and_mail()}
