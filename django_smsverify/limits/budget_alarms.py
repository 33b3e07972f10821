"""Alarms about budgets: when 80 % of one are spent, and when it has no room for one more SMS."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partial

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext

from django_smsverify.alarms import mail_alarm
from django_smsverify.conf import conf
from django_smsverify.enums import BudgetAlarm
from django_smsverify.models import Provider, Spending
from django_smsverify.models.amounts import plain
from django_smsverify.signals import budget_spent

logger = logging.getLogger("django_smsverify")

NEAR = Decimal("0.8")
"""The part of a budget from which somebody is told."""
OLD_AT_ONCE = 1000
"""Rows that one run of the poll deletes."""


def note_spending(row: Spending, budget: Decimal, price: Decimal | None) -> None:
    """Raises the alarm that what is spent of a budget asks for, unless it is raised already.

    `price` is that of one more SMS. Of concurrent calls one raises the alarm, which is told after the commit.
    """
    alarm = _alarm(row.spent, budget, price)
    if not alarm or (row.alarm_budget == budget and row.alarm in (alarm, BudgetAlarm.SPENT)):
        return
    raised = Q(alarm_budget=budget, alarm__in=(alarm, BudgetAlarm.SPENT))
    rows = Spending.objects.filter(pk=row.pk).exclude(raised)
    if rows.update(alarm=alarm, alarm_budget=budget, is_mailed=False):
        row.alarm, row.alarm_budget, row.is_mailed = alarm, budget, False
        transaction.on_commit(partial(_tell, row, budget), using=rows.db, robust=True)


def _alarm(spent: Decimal, budget: Decimal, price: Decimal | None) -> BudgetAlarm | None:
    if price is not None and spent + price > budget:
        return BudgetAlarm.SPENT
    return BudgetAlarm.NEAR if spent >= NEAR * budget else None


def _tell(row: Spending, budget: Decimal) -> None:
    facts = (row.subject or "the site", row.period, row.starts_on, plain(row.spent), plain(budget))
    if row.alarm == BudgetAlarm.NEAR:
        logger.warning("The budget of %s for the %s since %s is nearly spent: %s of %s yuan.", *facts)
        return
    logger.error("The budget of %s for the %s since %s is spent: %s of %s yuan. It sends nothing more.", *facts)
    budget_spent.send_robust(Spending, spending=row, budget=budget)


def mail_alarms() -> Iterator[str]:
    """Mails the site's MANAGERS, or else its ADMINS, once about each alarm; yields the word that the poll counts."""
    # Not about a month that is over, as after the poll did not run.
    lately = timezone.now().date() - timedelta(days=32)
    raised = Spending.objects.filter(starts_on__gte=lately, is_mailed=False)
    for row in raised.exclude(alarm=""):
        about = Spending.objects.filter(pk=row.pk, alarm=row.alarm, alarm_budget=row.alarm_budget)
        if about.filter(is_mailed=False).update(is_mailed=True):
            undo = partial(about.update, is_mailed=False)
            yield mail_alarm(f"the budget {row.subject or 'of the site'}", partial(_mail_text, row), undo)


def _mail_text(row: Spending) -> tuple[str, str]:
    """Subject and body."""
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
        "If it is more than you expect, look at messages and refusals in the admin: somebody may pump SMS through the "
        "site."
    )
    return subject % facts, f"{body % facts}\n\n{then}\n\n{look}"


def owner_of(subject: str) -> str:
    """Returns whose budget it is, for people."""
    kind, _, value = subject.rpartition(":")
    if not kind:
        return gettext("the site")
    if kind == "purpose":
        return gettext("the purpose “%(purpose)s”") % {"purpose": value}
    provider = Provider.objects.filter(pk=value).first()
    return gettext("the provider %(name)s") % {"name": provider.slug if provider else value}


def forget_old() -> Iterator[str]:
    """Deletes rows older than RETENTION_DAYS; yields the word that the poll counts, for each."""
    old = Spending.objects.filter(starts_on__lt=timezone.now().date() - timedelta(days=conf.RETENTION_DAYS + 31))
    for pk in list(old.order_by("starts_on").values_list("pk", flat=True)[:OLD_AT_ONCE]):
        if Spending.objects.filter(pk=pk).delete()[0]:
            yield "spending forgotten"
