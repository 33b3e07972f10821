"""Storing vendors' events: each is stored once, however often, however early and in whatever order it arrives."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from django_smsverify import phones
from django_smsverify.enums import MessageStatus, ReportSource
from django_smsverify.gateways.redaction import hide_tokens
from django_smsverify.models import DeliveryReport, Message, Provider, Reply
from django_smsverify.numbers.opt_outs import note_reply
from django_smsverify.reviews.verdicts import store_review_result
from django_smsverify.signals import reply_received
from django_smsverify.transactions import retry_on_conflict
from django_smsverify.types import DeliveryEvent, News, ReplyEvent, ReviewEvent

from .matching import CLOCKS_DIFFER, chunks, log_unknown, match_reports
from .rows import fingerprint_of, report_fields, storable_time
from .single import store_report

logger = logging.getLogger("django_smsverify")

SEARCHED = 100
"""Messages to a number among which a reply's is searched; not by the provider, see `statements.find_messages`."""
REPEATED_WITHIN = timedelta(days=1)
"""How long a vendor repeats a reply that was not acknowledged."""
BULK_ATTEMPTS = 3
"""How often to try a bulk insert while other processes store some of the same reports; then one by one."""


def store_events(provider: Provider, news: News, source: ReportSource, about: Message | None = None) -> int:
    """Stores a vendor's events and returns how many reports and replies were new.

    `about` is the message that the vendor was asked about, if any. When it returns, everything is committed. After an
    interruption it can be repeated as a whole.
    """
    if not provider.has_keys:  # unreadable keys cannot be searched for in the payload
        news = replace(news, events=tuple(map(hide_tokens, news.events)))
    reported = [event for event in news.events if isinstance(event, DeliveryEvent)]
    if len(reported) == 1:
        report = DeliveryReport(**report_fields(provider, reported[0], source))
        report.own_id = reported[0].own_id
        new = int(store_report(provider, report, about))
    else:
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
    fields: dict[UUID, dict[str, Any]] = {}
    own_ids: dict[UUID, str] = {}
    for event in events:
        own = report_fields(provider, event, source)
        fields.setdefault(own["fingerprint"], own)
        own_ids[own["fingerprint"]] = event.own_id
    stored: list[DeliveryReport] = []
    new: set[UUID] = set()
    for some in chunks(fields):
        rows, fresh = _store_reports({fingerprint: fields[fingerprint] for fingerprint in some})
        stored += rows
        new |= fresh
    for report in stored:
        report.own_id = own_ids[report.fingerprint]
    unknown = match_reports(provider, [report for report in stored if report.message_id is None])
    log_unknown(provider, [report for report in unknown if report.fingerprint in new])
    return len(new)


def _store_reports(fields: Mapping[UUID, dict[str, Any]]) -> tuple[list[DeliveryReport], set[UUID]]:
    """The rows with these fingerprints, in order, and the fingerprints that are new."""
    rows = DeliveryReport.objects.all()
    equal = Q(*(Q(**_identity(own)) for own in fields.values()), _connector=Q.OR)
    for _attempt in range(BULK_ATTEMPTS if len(fields) > 1 else 0):
        known = {report.fingerprint: report for report in rows.filter(equal)}
        fresh = {name: DeliveryReport(**own) for name, own in fields.items() if name not in known}
        try:
            # Sorted, so that two processes with the same reports do not deadlock.
            _insert(sorted(fresh.values(), key=lambda report: report.fingerprint))
        except IntegrityError:  # another process is storing some of them
            continue
        return [known.get(name) or fresh[name] for name in fields], set(fresh)
    stored = [rows.get_or_create(**_identity(own), defaults=own) for own in fields.values()]
    return [report for report, _ in stored], {report.fingerprint for report, is_new in stored if is_new}


def _identity(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: fields[name] for name in ("phone", "fingerprint")}


def _insert(reports: Sequence[DeliveryReport]) -> None:
    rows = DeliveryReport.objects.all()

    def insert() -> None:
        with transaction.atomic(using=rows.db):
            rows.bulk_create(reports)

    if reports:
        retry_on_conflict(insert, rows.db)


def _store_reply(provider: Provider, event: ReplyEvent) -> bool:
    when = event.occurred_at.isoformat() if event.occurred_at else ""
    fingerprint = fingerprint_of("reply", provider, event.remote_id, event.phone, event.content, when)
    defaults = {
        "provider": provider,
        "message": _answered_message(provider, event),
        "remote_id": event.remote_id,
        "phone": phones.E164(event.phone),
        "content": event.content,
        "occurred_at": storable_time(event.occurred_at),
        "payload": dict(event.payload),
    }
    reply, is_new = Reply.objects.get_or_create(fingerprint=fingerprint, defaults=defaults)
    if is_new or reply.received_at > timezone.now() - REPEATED_WITHIN:  # a process may have died in between
        note_reply(reply)
    if is_new:
        reply_received.send_robust(Reply, reply=reply)
    return is_new


def _answered_message(provider: Provider, event: ReplyEvent) -> Message | None:
    """The message that the vendor names; else the last one that this provider sent to the phone before the reply."""
    sent = Message.objects.filter(phone=event.phone).order_by("-created_at")
    named = sent.filter(remote_id=event.remote_id) if event.remote_id else sent.none()
    got = sent.exclude(status__in=(MessageStatus.QUEUED, MessageStatus.NOT_SENT))
    by_then = storable_time(event.occurred_at and event.occurred_at + CLOCKS_DIFFER)
    before = got.filter(created_at__lt=by_then) if by_then else got.none()
    newest = (one for rows in (named, before, got) for one in rows[:SEARCHED] if one.provider_id == provider.pk)
    return next(newest, None)
