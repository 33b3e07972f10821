"""Storing vendors' events: each is stored once, however often, however early and in whatever order it arrives."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from django_smsverify import phones
from django_smsverify.enums import MessageStatus, ReportSource
from django_smsverify.gateways.redaction import hide_tokens
from django_smsverify.models import DeliveryReport, Message, Provider, Reply
from django_smsverify.reviews.verdicts import store_review_result
from django_smsverify.signals import reply_received
from django_smsverify.transactions import retry_on_conflict
from django_smsverify.types import DeliveryEvent, News, ReplyEvent, ReviewEvent

from .matching import CLOCKS_DIFFER, chunks, match_reports

logger = logging.getLogger("django_smsverify")

BULK_ATTEMPTS = 3
"""How often to try a bulk insert while other processes store some of the same reports; then one by one."""
MOST_NAMED = 10
"""Ids in one log line."""


def store_events(provider: Provider, news: News, source: ReportSource) -> int:
    """Stores a vendor's events and returns how many reports and replies were new.

    When it returns, everything is committed. After an interruption it can be repeated as a whole.
    """
    if not provider.has_keys:  # unreadable keys cannot be searched for in the payload
        news = replace(news, events=tuple(map(hide_tokens, news.events)))
    reported = [event for event in news.events if isinstance(event, DeliveryEvent)]
    new = _store_and_match_reports(provider, reported, source)
    verdicts = {}
    for event in news.events:
        match event:
            case ReplyEvent():
                new += _store_reply(provider, event)
            case ReviewEvent():
                verdicts[event.submission, event.remote_id] = event
    for verdict in verdicts.values():  # each may cause a request to the vendor
        store_review_result(provider, verdict)
    for problem in news.problems:
        logger.warning("A part of what %s says cannot be read: %s", provider.slug, problem)
    return new


def _store_and_match_reports(provider: Provider, events: Iterable[DeliveryEvent], source: ReportSource) -> int:
    """Stores all reports first, so that none is lost, and then matches them with their messages."""
    fields: dict[str, dict[str, Any]] = {}
    for event in events:
        fingerprint = _fingerprint("report", provider, event.remote_id, event.phone, event.outcome, event.code)
        fields.setdefault(fingerprint, _report_fields(provider, event, source))
    stored: list[DeliveryReport] = []
    new: set[str] = set()
    for some in chunks(fields):
        rows, fresh = _store_reports({fingerprint: fields[fingerprint] for fingerprint in some})
        stored += rows
        new |= fresh
    unknown = match_reports(provider, [report for report in stored if report.message_id is None])
    if ids := [report.remote_id for report in unknown if report.fingerprint in new]:
        named = ", ".join(ids[:MOST_NAMED]) + (f" and {len(ids) - MOST_NAMED} more" if len(ids) > MOST_NAMED else "")
        logger.info("%s reports on a message that is not known (yet): %s", provider.slug, named)
    return len(new)


def _report_fields(provider: Provider, event: DeliveryEvent, source: ReportSource) -> dict[str, Any]:
    return {
        "provider": provider,
        "remote_id": event.remote_id,
        "phone": phones.E164(event.phone),
        "outcome": event.outcome,
        "code": event.code,
        "detail": event.detail,
        "occurred_at": _storable_time(event.occurred_at),
        "source": source,
        "payload": dict(event.payload),
    }


def _store_reports(fields: Mapping[str, dict[str, Any]]) -> tuple[list[DeliveryReport], set[str]]:
    """The rows with these fingerprints, in order, and the fingerprints that are new."""
    rows = DeliveryReport.objects.all()
    for _attempt in range(BULK_ATTEMPTS if len(fields) > 1 else 0):
        known = {report.fingerprint: report for report in rows.filter(fingerprint__in=fields)}
        fresh = {name: DeliveryReport(fingerprint=name, **own) for name, own in fields.items() if name not in known}
        try:
            # Sorted, so that two processes with the same reports do not deadlock.
            _insert(sorted(fresh.values(), key=lambda report: report.fingerprint))
        except IntegrityError:  # another process is storing some of them
            continue
        return [known.get(name) or fresh[name] for name in fields], set(fresh)
    stored = [rows.get_or_create(fingerprint=name, defaults=own) for name, own in fields.items()]
    return [report for report, _ in stored], {report.fingerprint for report, is_new in stored if is_new}


def _insert(reports: Sequence[DeliveryReport]) -> None:
    rows = DeliveryReport.objects.all()

    def insert() -> None:
        with transaction.atomic(using=rows.db):
            rows.bulk_create(reports)

    if reports:
        retry_on_conflict(insert, rows.db)


def _store_reply(provider: Provider, event: ReplyEvent) -> bool:
    when = event.occurred_at.isoformat() if event.occurred_at else ""
    fingerprint = _fingerprint("reply", provider, event.remote_id, event.phone, event.content, when)
    reply, is_new = Reply.objects.get_or_create(
        fingerprint=fingerprint,
        defaults={
            "provider": provider,
            "message": _answered_message(provider, event),
            "remote_id": event.remote_id,
            "phone": phones.E164(event.phone),
            "content": event.content,
            "occurred_at": _storable_time(event.occurred_at),
            "payload": dict(event.payload),
        },
    )
    if is_new:
        reply_received.send_robust(Reply, reply=reply)
    return is_new


def _answered_message(provider: Provider, event: ReplyEvent) -> Message | None:
    """The message that the vendor names; else the last one that this provider sent to the phone before the reply."""
    sent = Message.objects.filter(provider=provider, phone=event.phone).order_by("-created_at")
    named = sent.filter(remote_id=event.remote_id).first() if event.remote_id else None
    if named is not None:
        return named
    got = sent.exclude(status__in=(MessageStatus.QUEUED, MessageStatus.NOT_SENT))
    by_then = _storable_time(event.occurred_at and event.occurred_at + CLOCKS_DIFFER)
    return (got.filter(created_at__lt=by_then).first() if by_then else None) or got.first()


def _fingerprint(kind: str, provider: Provider, *words: str) -> str:
    """The same hash for the same event, whichever way it arrives."""
    return hashlib.sha256(json.dumps([kind, provider.pk, *map(str, words)]).encode()).hexdigest()


def _storable_time(moment: datetime | None) -> datetime | None:
    return moment if moment is None or settings.USE_TZ else timezone.make_naive(moment)
