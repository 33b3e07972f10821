"""Vendors that pushed delivery reports before and do so no more, as after a firewall or the site's address was changed.

It is told by the last SMS that are old enough to have a report, so that a site with ten SMS a day and one with ten a
second are judged alike. Reports that the poll has asked for do not count: they come all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product

from django.db.models import Count, Exists, QuerySet, Subquery

from django_smsverify.enums import MessageStatus, ReportSource
from django_smsverify.models import DeliveryReport, Message, Provider
from django_smsverify.models.gateway_classes import gateway_class_or_missing

from .questions import ask_at_once

REPORTED_WITHIN = timedelta(minutes=15)
"""A report that takes longer is late: usually it is pushed within seconds."""
LATELY = timedelta(days=1)
"""Older SMS say nothing of today."""
SMS, NUMBERS = 5, 3
"""So many SMS, to so many numbers, say something: one phone may be switched off."""
TAKEN = [status for status in MessageStatus if status.is_taken]
BEFORE = (timedelta(0), timedelta(days=1), timedelta(days=7), timedelta(days=30))
"""How long before these SMS it is looked whether the vendor pushed then, and …"""
READ = 100
"""… at how many reports each time: all that came since may have been asked for."""


@dataclass(frozen=True, slots=True)
class SilentWebhook:
    """A provider of which nothing is pushed any more."""

    provider: Provider
    since: datetime
    """When the first of the SMS was handed over after which nothing was pushed, though reports were due."""


def silent_webhooks(now: datetime, providers: Iterable[Provider] | None = None) -> list[SilentWebhook]:
    """Returns the active providers whose vendors pushed reports before, and none since some SMS that they took.

    These are two queries, and one for all that are suspected. A caller that has just read all `providers` gives them.
    """
    every = Provider.objects.all() if providers is None else providers
    pushing = {one.pk: one for one in every if one.is_active and gateway_class_or_missing(one.gateway).pushes}
    newest = {pk: Subquery(_due(pk, now)[SMS - 1 : SMS].values("created_at")) for pk in pushing}
    since = {pk: moment for pk, moment in ask_at_once(newest).items() if moment is not None}
    found = _pushed_before(_earlier_reports(since, now))
    return [SilentWebhook(pushing[pk], since[pk]) for pk in found]


def _due(provider: int, now: datetime) -> QuerySet[Message]:
    """The SMS of a provider whose reports are due, newest first."""
    lately = {"created_at__gt": now - LATELY, "created_at__lte": now - REPORTED_WITHIN}
    return Message.objects.filter(**lately, provider=provider, status__in=TAKEN).order_by("-created_at")


def _pushed(reports: QuerySet[DeliveryReport]) -> QuerySet[DeliveryReport]:
    return reports.filter(source=ReportSource.PUSH)


def _numbers(due: QuerySet[Message]) -> Subquery:
    """To how many numbers these SMS of a provider went."""
    by_provider = due.order_by().values("provider")
    return Subquery(by_provider.annotate(numbers=Count("phone", distinct=True)).values("numbers"))


def _earlier_reports(
    since: Mapping[int, datetime], now: datetime
) -> dict[tuple[int, timedelta], QuerySet[DeliveryReport]]:
    """Some reports from before that, of each provider that is suspected: its SMS since then went to enough numbers, and
    nothing was pushed."""
    theirs = {pk: DeliveryReport.objects.filter(provider=pk) for pk in since}
    earlier = {(pk, ago): theirs[pk].filter(received_at__lt=since[pk] - ago) for pk, ago in product(since, BEFORE)}
    oldest = {place: rows.order_by("-received_at")[READ - 1 : READ] for place, rows in earlier.items()}
    told = ask_at_once(
        {
            **{(pk, "pushed"): Exists(_pushed(rows).filter(received_at__gte=since[pk])) for pk, rows in theirs.items()},
            **{(pk, "numbers"): _numbers(_due(pk, now).filter(created_at__gte=since[pk])) for pk in since},
            **{place: Subquery(rows.values("received_at")) for place, rows in oldest.items()},
        }
    )
    suspected = [pk for pk in since if not told[pk, "pushed"] and (told[pk, "numbers"] or 0) >= NUMBERS]
    return {
        (pk, ago): rows.filter(received_at__gte=told[pk, ago]) if told[pk, ago] else rows
        for (pk, ago), rows in earlier.items()
        if pk in suspected
    }


def _pushed_before(reports: Mapping[tuple[int, timedelta], QuerySet[DeliveryReport]]) -> list[int]:
    """The providers of which any of these was pushed; never is no silence: then no webhook was registered."""
    told = ask_at_once({place: Exists(_pushed(rows)) for place, rows in reports.items()})
    return list(dict.fromkeys(pk for (pk, _), was_pushed in told.items() if was_pushed))
