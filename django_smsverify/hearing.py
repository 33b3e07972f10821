"""What vendors say afterwards, stored once however often, however early and in whatever order it is said."""

from __future__ import annotations

import hashlib
import json
import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from . import phones
from .enums import MessageStatus, ReportSource
from .models import DeliveryReport, Message, Provider, Reply
from .querysets import MessageQuerySet
from .recording import adopt
from .reviewing import hear_review
from .signals import reply_received
from .types import DeliveryEvent, News, ReplyEvent, ReviewEvent

logger = logging.getLogger("django_smsverify")

SILENCE = timedelta(hours=72)
"""After this no vendor reports any more: it is as long as they keep their reports."""
CLOCKS_DIFFER = timedelta(minutes=5)
"""How much a vendor's clock may be behind ours; nobody answers an SMS that is sent later."""


def hear(provider: Provider, news: News, source: ReportSource) -> int:
    """Stores a vendor's news and returns how many reports and replies of it were new.

    When it returns all is committed; interrupted, it can be done again as a whole.
    """
    new, verdicts = 0, {}
    for event in news.events:
        match event:
            case DeliveryEvent():
                new += _hear_report(provider, event, source)
            case ReplyEvent():
                new += _hear_reply(provider, event)
            case ReviewEvent():
                verdicts[event.filing, event.remote_id] = event
    for verdict in verdicts.values():  # each may be a question to the vendor
        hear_review(provider, verdict)
    for problem in news.problems:
        logger.warning("A part of what %s says cannot be read: %s", provider.slug, problem)
    return new


def adopt_report(report: DeliveryReport) -> bool:
    """Gives a report to its message; False when there is no such message yet."""
    about = Message.objects.primary().filter(provider=report.provider_id, phone=report.phone)
    # A vendor that counts its ids anew means the newest.
    message = about.filter(remote_id=report.remote_id).order_by("-created_at").first()
    message = message or _named_by(report, about)
    if message is not None:
        adopt(message)
    return message is not None


def _named_by(report: DeliveryReport, about: MessageQuerySet) -> Message | None:
    """The message whose id the vendor told in an answer that was lost, when it can be only one."""
    by_then = (report.occurred_at or report.received_at) + CLOCKS_DIFFER
    nameless = about.filter(remote_id="", created_at__range=(by_then - SILENCE, by_then))
    # One that is under way is about to get an id of its own, which may be this one.
    rivals = nameless.filter(status__in=(MessageStatus.SENDING, MessageStatus.UNKNOWN))[:2]
    unknown = [message for message in rivals if message.status == MessageStatus.UNKNOWN]
    if len(rivals) != 1 or not unknown:
        return None
    rows = nameless.filter(pk=unknown[0].pk)
    if not rows.update(remote_id=report.remote_id):
        return None
    unknown[0].remote_id = report.remote_id
    return unknown[0]


def _hear_report(provider: Provider, event: DeliveryEvent, source: ReportSource) -> bool:
    fingerprint = _fingerprint("report", provider, event.remote_id, event.phone, event.outcome, event.code)
    report, is_new = DeliveryReport.objects.primary().get_or_create(
        fingerprint=fingerprint,
        defaults={
            "provider": provider,
            "remote_id": event.remote_id,
            "phone": phones.E164(event.phone),
            "outcome": event.outcome,
            "code": event.code,
            "detail": event.detail,
            "occurred_at": _storable_time(event.occurred_at),
            "source": source,
            "payload": dict(event.payload),
        },
    )
    if report.message_id is None and not adopt_report(report) and is_new:
        logger.info("%s reports on a message that is not known (yet): %s", provider.slug, event.remote_id)
    return is_new


def _hear_reply(provider: Provider, event: ReplyEvent) -> bool:
    when = event.occurred_at.isoformat() if event.occurred_at else ""
    fingerprint = _fingerprint("reply", provider, event.remote_id, event.phone, event.content, when)
    reply, is_new = Reply.objects.primary().get_or_create(
        fingerprint=fingerprint,
        defaults={
            "provider": provider,
            "message": _answered(provider, event),
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


def _answered(provider: Provider, event: ReplyEvent) -> Message | None:
    """The message that the vendor names; else the last that this phone had got from this provider by then."""
    sent = Message.objects.primary().filter(provider=provider, phone=event.phone).order_by("-created_at")
    named = sent.filter(remote_id=event.remote_id).first() if event.remote_id else None
    if named is not None:
        return named
    got = sent.exclude(status__in=(MessageStatus.QUEUED, MessageStatus.NOT_SENT))
    by_then = _storable_time(event.occurred_at and event.occurred_at + CLOCKS_DIFFER)
    return (got.filter(created_at__lt=by_then).first() if by_then else None) or got.first()


def _fingerprint(kind: str, provider: Provider, *words: str) -> str:
    """What makes a piece of news the same as one that was heard before, by whatever way it came."""
    return hashlib.sha256(json.dumps([kind, provider.pk, *map(str, words)]).encode()).hexdigest()


def _storable_time(moment: datetime | None) -> datetime | None:
    return moment if moment is None or settings.USE_TZ else timezone.make_naive(moment)
