"""What a process keeps in memory of routes, limits and lists, which must not pass from one test to the next."""

from __future__ import annotations

from django_smsverify.limits import budget_alarms
from django_smsverify.limits.guard import figures, watching
from django_smsverify.models import kept
from django_smsverify.sending import route_cache


def forget() -> None:
    """Has this process begin anew. What is in the cache, such as circuits and counters, is not touched."""
    kept.forget_all()
    watching.pace.forget()
    figures.forget()
    route_cache.forget()
    budget_alarms.forget_logged()
