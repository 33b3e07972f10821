"""Recovery after crashes and missing answers.

Each function is a generator: it does one step when the next result word is requested, and yields the word to count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_noop

from django_smsverify.enums import MessageStatus
from django_smsverify.limits.budget import over_budget
from django_smsverify.messages import settle_as_it_is
from django_smsverify.models import DeliveryReport, Message, Provider
from django_smsverify.models.querysets import MessageQuerySet
from django_smsverify.reports.matching import REPORTS_EXPIRE_AFTER, match_reports
from django_smsverify.sending import circuits
from django_smsverify.sending.worker import send_waiting

FORGOTTEN = timedelta(seconds=60)
"""A process sends or enqueues what it queued at once; after this time it may have died."""
STUCK_AFTER = timedelta(minutes=15)
"""No call to a vendor takes this long: the process that made it has died."""
ORPHANED = timedelta(days=7)
"""How long unmatched reports are tried again, because a crash may have prevented the match."""
QUESTIONS_BEFORE_SETTLING = 3
"""After this many questions a vendor will not answer any more."""
TEXTS_AT_ONCE = 20
"""Notices that are sent before the run checks again whether it should stop."""


def send_forgotten(limit: int) -> Iterator[str]:
    """Sends queued messages whose process or worker died before claiming them, or has a long queue; codes first."""
    queued = Message.objects.filter(status=MessageStatus.QUEUED, created_at__lt=timezone.now() - FORGOTTEN)
    codes = queued.exclude(verification=None).order_by("created_at").values_list("pk", flat=True)[:limit]
    yield from _send(list(codes), 1)
    yield from _send(_notices(queued, limit), TEXTS_AT_ONCE)


def _send(ids: Sequence[UUID], at_once: int) -> Iterator[str]:
    for start in range(0, len(ids), at_once):
        for _ in range(send_waiting(ids[start : start + at_once])):
            yield "taken up"


def _notices(queued: MessageQuerySet, limit: int) -> list[UUID]:
    """The oldest notices that can be sent: a code may use another provider, a notice waits until the circuit of its own
    is closed, and its budget has room."""
    names = ("pk", "provider", "purpose", "segments")
    notices = queued.filter(verification=None).order_by("created_at").values_list(*names)
    while True:
        found = list(notices[:limit])
        circuits_of_found = circuits.open_circuits({provider for _, provider, *_ in found})
        resting = {pk for pk, circuit in circuits_of_found.items() if circuit.is_resting}
        spent = _over_budget({row[1:] for row in found})
        if not resting and not spent:
            return [row[0] for row in found]
        notices = notices.exclude(provider__in=resting)
        for provider, purpose, segments in spent:
            notices = notices.exclude(provider=provider, purpose=purpose, segments=segments)


def _over_budget(kinds: set[tuple[int, str, int]]) -> set[tuple[int, str, int]]:
    """Those of these providers, purposes and segments for which a budget has no room."""
    providers = Provider.objects.in_bulk({pk for pk, *_ in kinds}) if kinds else {}
    return {
        (pk, purpose, segments)
        for pk, purpose, segments in kinds
        if over_budget([providers[pk]], purpose, segments=segments)
    }


def give_up_stuck(limit: int) -> Iterator[str]:
    """Marks messages whose process died while sending as unknown: they may have been sent, and are not sent again."""
    rows = Message.objects.filter(status=MessageStatus.SENDING)
    why = gettext_noop("the process that handed it over ended before the vendor's answer was stored")
    for message in list(rows.filter(claimed_at__lt=timezone.now() - STUCK_AFTER).only("created_at")[:limit]):
        rows.of(message).update(status=MessageStatus.UNKNOWN, values={}, error_message=why)
        yield "stuck"


def match_orphans(limit: int) -> Iterator[str]:
    """Matches reports with existing messages where a crash prevented it."""
    ours = Message.objects.filter(provider=OuterRef("provider"), phone=OuterRef("phone"))
    named = ours.filter(remote_id=OuterRef("remote_id"))
    without_id = ours.filter(remote_id="", status=MessageStatus.UNKNOWN)
    lately = DeliveryReport.objects.filter(message__isnull=True, received_at__gt=timezone.now() - ORPHANED)
    # In the order of the index: there may be many reports on unknown messages, and most reports have a message.
    orphans = lately.filter(Exists(named) | Exists(without_id)).order_by("message_id", "received_at")
    found = list(orphans[:limit])
    for provider in Provider.objects.filter(pk__in={report.provider_id for report in found}):
        own = [report for report in found if report.provider_id == provider.pk]
        unclear = len(match_reports(provider, own))
        yield from ["matched"] * (len(own) - unclear) + ["unclear"] * unclear


def settle_silent(limit: int, providers: Iterable[Provider]) -> Iterator[str]:
    """Settles old messages with their current status.

    Leaves out those of a vendor that can be asked but was not asked often enough, as after an outage of either side.
    """
    old = Message.objects.silent().filter(created_at__lt=timezone.now() - REPORTS_EXPIRE_AFTER)
    # In the order of the index: with the newest first, the database would search all settled messages.
    askable = [provider for provider in providers if _can_be_asked(provider)]
    due = old.exclude(~Q(remote_id=""), provider__in=askable, polls__lt=QUESTIONS_BEFORE_SETTLING).order_by(
        "settled_at", "poll_at"
    )
    for message in due[:limit]:
        settle_as_it_is(message)
        yield "unknown for good" if message.status == MessageStatus.UNKNOWN else "settled"


def _can_be_asked(provider: Provider) -> bool:
    try:
        gateway = provider.gateway_client()
    except ImproperlyConfigured:
        return False
    return gateway.answers_status or gateway.hands_out_reports
