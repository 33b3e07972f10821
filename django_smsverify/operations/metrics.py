"""Metrics for Prometheus, read from the database and the cache when they are asked for.

So they are right whichever process answers, under gunicorn, uwsgi and several hosts, with workers and after a crash,
where counters in memory would be those of one process. A request that sends or verifies pays nothing for them. They
speak of the last WINDOW minutes: a scrape reads so much and no more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import reduce
from typing import Any, NamedTuple

from django.db.models import Count, DurationField, ExpressionWrapper, F, Q, Sum
from django.db.models.lookups import LessThanOrEqual
from django.utils import timezone
from prometheus_client.core import GaugeHistogramMetricFamily, GaugeMetricFamily

from django_smsverify.enums import Carrier, MessageStatus
from django_smsverify.limits import budget
from django_smsverify.limits.budget import PROVIDER
from django_smsverify.models import Closure, JobRun, Message, Provider, Refusal, Verification
from django_smsverify.models.gateway_classes import gateway_class_or_missing
from django_smsverify.sending.circuits import Way, find_open

from .webhook_silence import silent_webhooks

WINDOW = timedelta(minutes=15)
ENTERED_WITHIN = timedelta(minutes=5)
"""Codes that are younger are not judged: people are about to enter them."""
REFUSED_WITHIN = timedelta(hours=1)
"""A row of refusals is about one hour."""
WAITING_SINCE = timedelta(hours=1)
VENDOR_SECONDS = (0.1, 0.2, 0.5, 1, 2, 3, 5, 10)
DELIVERY_SECONDS = (2, 5, 10, 20, 30, 60, 120, 300, 600)


class Durations(NamedTuple):
    """How many took at most so many seconds, in all, and how long all took together."""

    buckets: tuple[int, ...]
    total: int
    seconds: float

    def __add__(self, other: Any) -> Durations:
        buckets = tuple(map(sum, zip(self.buckets, other.buckets, strict=True)))
        return Durations(buckets, self.total + other.total, self.seconds + other.seconds)


class Collector:
    """Asks for everything anew at each scrape; labels are names of rows and words of this app."""

    def collect(self) -> Iterator[Any]:
        """Yields the families of metrics."""
        now, providers = timezone.now(), list(Provider.objects.all())
        slugs = {provider.pk: provider.slug for provider in providers}
        yield from _of_messages(now, slugs)
        yield from _of_requests(now)
        yield from _of_circuits(providers)
        yield from _of_money(providers, slugs)
        yield from _of_operations(now, providers)


def _gauge(name: str, help_text: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> Any:
    family = GaugeMetricFamily(f"smsverify_{name}", help_text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, float(value))
    return family


def _histogram(
    name: str, help_text: str, limits: Iterable[float], labels: tuple[str, ...], values: Mapping[Any, Durations]
) -> Any:
    family = GaugeHistogramMetricFamily(f"smsverify_{name}", help_text, labels=labels)
    for key, durations in values.items():
        buckets = [(str(float(limit)), count) for limit, count in zip(limits, durations.buckets, strict=True)]
        family.add_metric(key, [*buckets, ("+Inf", durations.total)], durations.seconds)
    return family


def _of_messages(now: datetime, slugs: Mapping[int, str]) -> Iterator[Any]:
    recent = Message.objects.filter(created_at__gt=now - WINDOW, is_probe=False).order_by()
    rows = list(
        recent.values("provider", "carrier", "status").annotate(count=Count("pk"), **_of_vendor(), **_of_delivery())
    )

    def labels_of(row: Mapping[str, Any]) -> tuple[str, str]:
        return slugs.get(row["provider"], ""), row["carrier"] or ""

    counts = {(*labels_of(row), row["status"]): row["count"] for row in rows}
    yield _gauge("recent_messages", "SMS of the last 15 minutes.", ("provider", "carrier", "status"), counts)
    by_vendor = _added(((labels_of(row)[0],), _read(row, "vendor", VENDOR_SECONDS)) for row in rows)
    words = "Seconds until a vendor took an SMS, of the last 15 minutes."
    yield _histogram("vendor_seconds", words, VENDOR_SECONDS, ("provider",), by_vendor)
    by_way = _added((labels_of(row), _read(row, "delivery", DELIVERY_SECONDS)) for row in rows)
    words = "Seconds until an SMS reached the phone, as its vendor says, of the last 15 minutes."
    yield _histogram("delivery_seconds", words, DELIVERY_SECONDS, ("provider", "carrier"), by_way)


def _of_vendor() -> dict[str, Any]:
    """What is asked of each group: the counts below each limit, the count, and the sum."""
    which = Q(sent_at__isnull=False, claimed_at__isnull=False)
    took = ExpressionWrapper(F("sent_at") - F("claimed_at"), output_field=DurationField())
    below = {
        f"vendor_{place}": Count("pk", filter=which & Q(LessThanOrEqual(took, timedelta(seconds=limit))))
        for place, limit in enumerate(VENDOR_SECONDS)
    }
    return {**below, "vendor_count": Count("pk", filter=which), "vendor_sum": Sum(took, filter=which)}


def _of_delivery() -> dict[str, Any]:
    """The same of deliveries."""
    below = {
        f"delivery_{place}": Count("pk", filter=Q(delivery_seconds__lte=limit))
        for place, limit in enumerate(DELIVERY_SECONDS)
    }
    return {**below, "delivery_count": Count("delivery_seconds"), "delivery_sum": Sum("delivery_seconds")}


def _read(row: Mapping[str, Any], name: str, limits: tuple[float, ...]) -> Durations:
    buckets = tuple(row[f"{name}_{place}"] for place in range(len(limits)))
    total = row[f"{name}_sum"] or 0
    seconds = total.total_seconds() if isinstance(total, timedelta) else float(total)
    return Durations(buckets, row[f"{name}_count"], seconds)


def _added(found: Iterable[tuple[Any, Durations]]) -> dict[Any, Durations]:
    by_key: dict[Any, list[Durations]] = {}
    for key, durations in found:
        if durations.total:
            by_key.setdefault(key, []).append(durations)
    return {key: reduce(Durations.__add__, some) for key, some in by_key.items()}


def _of_requests(now: datetime) -> Iterator[Any]:
    refused = Refusal.objects.filter(first_at__gt=now - WINDOW - REFUSED_WITHIN, last_at__gt=now - WINDOW).order_by()
    reasons = {(reason,): count for reason, count in refused.values_list("reason").annotate(Count("pk"))}
    yield _gauge("recent_refusals", "Numbers that were refused in the last 15 minutes.", ("reason",), reasons)
    until = now - ENTERED_WITHIN
    asked = Verification.objects.filter(
        created_at__gt=until - WINDOW, created_at__lte=until, source="", simulated_at__isnull=True
    )
    is_verified = Q(verified_at__isnull=False) | Q(root__verified_at__isnull=False)
    counted = {"started": Count("pk"), "verified": Count("pk", filter=is_verified)}
    rows = asked.order_by().values_list("purpose").annotate(**counted)
    found = {purpose: (started, verified) for purpose, started, verified in rows}
    results = {
        (purpose, result): count
        for purpose, counts in found.items()
        for result, count in zip(("started", "verified"), counts, strict=True)
    }
    words = "Codes that were asked for 5 to 20 minutes ago, and those of them that were entered."
    yield _gauge("recent_verifications", words, ("purpose", "result"), results)
    ratios = {(purpose,): verified / started for purpose, (started, verified) in found.items()}
    yield _gauge("conversion_ratio", "The part of these codes that was entered.", ("purpose",), ratios)


def _of_circuits(providers: Iterable[Provider]) -> Iterator[Any]:
    ways = {
        Way(provider.pk, carrier): (provider.slug, carrier)
        for provider in providers
        if provider.is_active
        for carrier in ("", *Carrier.values)
    }
    is_open = find_open(ways) if ways else {}
    values = {labels: way in is_open for way, labels in ways.items()}
    words = "1 while a provider is left alone; for one carrier, where that is named."
    yield _gauge("circuit_open", words, ("provider", "carrier"), values)


def _of_money(providers: Iterable[Provider], slugs: Mapping[int, str]) -> Iterator[Any]:
    active = [provider for provider in providers if provider.is_active]
    left = {(one.slug,): float(one.balance) for one in active if one.balance is not None}
    yield _gauge("balance", "What is left on an account, in the vendor's unit.", ("provider",), left)
    alerts = {(one.slug,): float(one.balance_alert) for one in active if one.balance_alert is not None}
    yield _gauge("balance_alert", "Below this balance operators are told.", ("provider",), alerts)
    budgets = {
        (_subject(ceiling.subject, slugs), ceiling.period.value): float(amount)
        for ceiling, amount in budget.seen_left(active).items()
    }
    yield _gauge("budget_left_yuan", "What is left of a budget.", ("subject", "period"), budgets)


def _subject(subject: str, slugs: Mapping[int, str]) -> str:
    """Whose budget it is: `site`, `purpose:login` or `provider:acme`."""
    if subject.startswith(PROVIDER):
        return f"{PROVIDER}{slugs[int(subject.removeprefix(PROVIDER))]}"
    return subject or "site"


def _of_operations(now: datetime, providers: Iterable[Provider]) -> Iterator[Any]:
    ages = {(run.job,): (now - run.started_at).total_seconds() for run in JobRun.objects.all()}
    yield _gauge("job_age_seconds", "Since a periodic job began last, such as the poll.", ("job",), ages)
    waiting = Message.objects.filter(
        status=MessageStatus.QUEUED, verification__isnull=False, created_at__gt=now - WAITING_SINCE
    )
    oldest = waiting.order_by("created_at").values_list("created_at", flat=True).first()
    age = (now - oldest).total_seconds() if oldest else 0.0
    yield _gauge("queue_age_seconds", "How long the oldest queued code waits for a worker.", (), {(): age})
    silent = {one.provider.pk for one in silent_webhooks(now, providers)}
    pushing = [one for one in providers if one.is_active and gateway_class_or_missing(one.gateway).pushes]
    values = {(one.slug,): one.pk in silent for one in pushing}
    words = "1 while a vendor that pushed reports before does so no more."
    yield _gauge("webhook_silent", words, ("provider",), values)
    closed = Counter(Closure.objects.filter(until__gt=now, lifted_at=None).values_list("kind"))
    yield _gauge("guard_closed", "What the guard has closed now.", ("kind",), closed)
