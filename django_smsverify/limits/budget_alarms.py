"""Alarms about budgets: when 80 % of one are spent, and when it has no room for one more SMS."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from functools import partial

from django.db import transaction
from django.db.models import Q
from django.utils import timezone, translation
from django.utils.translation import gettext

from django_smsverify.enums import AlertKind, BudgetAlarm
from django_smsverify.exceptions import OverBudget
from django_smsverify.models import NewAlert, Provider, Spending
from django_smsverify.models.amounts import plain
from django_smsverify.signals import budget_spent

logger = logging.getLogger("django_smsverify")

NEAR = Decimal("0.8")
"""The part of a budget from which somebody is told."""
LOG_PAUSE = 60.0
"""Seconds."""

_logged: dict[str, float] = {}


def note_spending(row: Spending, budget: Decimal, price: Decimal | None = None) -> None:
    """Raises the alarm that what is spent of a budget asks for, unless it is raised already for this one or a higher.

    `price` is that of one more SMS, where it is to be told that there is no room for one. Of concurrent calls one
    raises the alarm, which is told after the commit.
    """
    alarm = _alarm(row.spent, budget, price)
    known = (alarm, BudgetAlarm.SPENT)
    if not alarm or (row.alarm_budget is not None and row.alarm_budget >= budget and row.alarm in known):
        return
    rows = Spending.objects.filter(pk=row.pk).exclude(Q(alarm_budget__gte=budget, alarm__in=known))
    if rows.update(alarm=alarm, alarm_budget=budget, is_mailed=False):
        row.alarm, row.alarm_budget, row.is_mailed = alarm, budget, False
        transaction.on_commit(partial(_tell, row, budget), using=rows.db, robust=True)


def log_refusal(error: OverBudget) -> None:
    """Logs why nothing is sent, once a minute in each process."""
    now = time.monotonic()
    if now - _logged.get(error.why, -LOG_PAUSE) >= LOG_PAUSE:
        _logged.clear()  # why changes with each amount
        _logged[error.why] = now
        logger.error("An SMS is not sent: %s.", error.why)


def forget_logged() -> None:
    """Has the next refusal be logged at once."""
    _logged.clear()


def _alarm(spent: Decimal, budget: Decimal, price: Decimal | None) -> BudgetAlarm | None:
    if price is not None and spent + price > budget:
        return BudgetAlarm.SPENT
    return BudgetAlarm.NEAR if spent >= NEAR * budget else None


def _tell(row: Spending, budget: Decimal) -> None:
    with translation.override("en"):
        facts = (owner_of(row.subject), row.period, row.starts_on, plain(row.spent), plain(budget))
    if row.alarm == BudgetAlarm.NEAR:
        logger.warning("The budget of %s for the %s since %s is nearly spent: %s of %s yuan.", *facts)
        return
    logger.error("The budget of %s for the %s since %s is spent: %s of %s yuan. It sends nothing more.", *facts)
    budget_spent.send_robust(Spending, spending=row, budget=budget)


def new_alerts() -> Iterator[NewAlert]:
    """Yields an alert, once, about each alarm."""
    # Not about a month that is over, as after the poll did not run.
    lately = timezone.now().date() - timedelta(days=32)
    raised = Spending.objects.filter(starts_on__gte=lately, is_mailed=False)
    for row in raised.exclude(alarm=""):
        about = Spending.objects.filter(pk=row.pk, alarm=row.alarm, alarm_budget=row.alarm_budget)
        if about.filter(is_mailed=False).update(is_mailed=True):
            yield NewAlert(
                kind=AlertKind.BUDGET,
                subject=f"{row.subject or 'site'} {row.period} {row.alarm}",
                text=partial(_text, row),
                page=("spending_changelist",),
                postpone=partial(about.update, is_mailed=False),
            )


def _text(row: Spending) -> tuple[str, str]:
    facts = {
        "whose": owner_of(row.subject),
        "period": row.get_period_display(),
        "since": row.starts_on,
        "spent": plain(row.spent),
        "budget": plain(row.alarm_budget),
    }
    if row.alarm == BudgetAlarm.NEAR:
        subject = gettext("SMS budget of %(whose)s: 80 %% of the %(period)s are spent")
        then = gettext("When all is spent, what needs this budget is not sent until the next period begins.")
    else:
        subject = gettext("SMS budget of %(whose)s: the %(period)s is spent")
        then = gettext("What needs this budget is not sent until the next period begins, or the budget is raised.")
    body = gettext("%(whose)s, %(period)s since %(since)s: %(spent)s of %(budget)s yuan are spent.")
    look = gettext(
        "If it is more than you expect, look at messages and refused requests in the admin: somebody may pump "
        "SMS through the site."
    )
    return subject % facts, f"{body % facts}\n\n{then}\n\n{look}"


def owner_of(subject: str, providers: Mapping[str, str] | None = None) -> str:
    """Returns whose budget it is, for people; `providers` are their slugs by primary key, if they were read before."""
    kind, _, value = subject.rpartition(":")
    if not kind:
        return gettext("the site")
    if kind == "purpose":
        return gettext("the purpose “%(purpose)s”") % {"purpose": value}
    slugs = Provider.objects.filter(pk=value).values_list("slug", flat=True) if providers is None else ()
    name = (providers or {}).get(value) or next(iter(slugs), value)
    return gettext("the provider %(name)s") % {"name": name}
