"""Celery tasks: acknowledged after they have run, and safe to run again."""

from __future__ import annotations

from celery import shared_task

from django_smsverify.operations import canary, watching
from django_smsverify.operations.job_runs import PRUNE, noted
from django_smsverify.polling import poll as polling
from django_smsverify.privacy import pruning
from django_smsverify.sending.queues.celery import deliver as deliver


@shared_task(name="smsverify.poll", acks_late=True, ignore_result=True)
def poll(limit: int = polling.LIMIT) -> dict[str, int]:
    """Does the same as `manage.py smsverify_poll`; returns how often each result occurred."""
    return dict(polling.poll(limit=limit))


@shared_task(name="smsverify.balance", acks_late=True, ignore_result=True)
def balance() -> dict[str, str]:
    """Does the same as `manage.py smsverify_balance`; returns the state of the balance by provider slug."""
    return {check.provider.slug: check.state.value for check in watching.check_balances_and_tell()}


@shared_task(name="smsverify.probe", acks_late=True, ignore_result=True)
def probe(a_day: int = canary.A_DAY) -> dict[str, str]:
    """Does the same as `manage.py smsverify_probe`; returns the state of each route by provider slug and carrier."""
    found = canary.probe(a_day=a_day)
    return {f"{route.provider.slug} {route.carrier}": route.probe.state for route in found if route.probe}


@shared_task(name="smsverify.prune", acks_late=True, ignore_result=True)
def prune() -> dict[str, int]:
    """Does the same as `manage.py smsverify_prune`; returns how many rows of each kind were changed."""
    with noted(PRUNE):
        return dict(pruning.prune())
