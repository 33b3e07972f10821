"""What reports on codes say of the way that they took: the circuits of a provider for the numbers of one carrier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import takewhile

from django.db.models import F
from django.utils import timezone

from django_smsverify.carriers.blocks import carrier_of
from django_smsverify.enums import Cause, DeliveryOutcome
from django_smsverify.models import DeliveryReport, Message
from django_smsverify.reports.causes import meaning_of
from django_smsverify.reviews import carrier_filing

from . import circuits
from .circuits import FAILURES, Way

LATELY = timedelta(days=1)
"""Older reports say nothing of today."""
READ = 20
"""The last reports of a way, among which are those that say something."""
NUMBERS, FAILED = 8, 5
"""A way on which so many of the last different numbers got nothing is suspected, whatever the codes say."""


def note_report(report: DeliveryReport, message: Message) -> None:
    """Opens, extends or closes the circuit of the way that a message took, by a report on it.

    Notices say nothing of codes: they have other texts.
    """
    carrier_filing.note_failure(report, message)
    carrier = carrier_of(report.phone)
    if carrier is None or message.verification_id is None:
        return
    way = Way(report.provider_id, carrier)
    if message.is_trial:
        _end_trial(report, message, way)
    elif report.outcome == DeliveryOutcome.UNDELIVERED and not circuits.find_open([way]):
        _open_if_failing(report, message, way)


def _end_trial(report: DeliveryReport, message: Message, way: Way) -> None:
    """A failure that says nothing of the way lets another message try it, unless the count is against it anyway."""
    meaning = meaning_of(report.provider, report)
    if report.outcome == DeliveryOutcome.DELIVERED:
        circuits.close_by_report(report.provider, way)
        carrier_filing.note_delivery(message, way.carrier)
    elif meaning.blames_the_route or (report.cause != Cause.FREQUENCY and _count_against(_last_reports(way), way)):
        circuits.extend_by_report(report.provider, way, _words(report))
    else:
        circuits.release_trial([way])


def _open_if_failing(report: DeliveryReport, message: Message, way: Way) -> None:
    last = _last_reports(way)
    blamed = list(_blamed_in_a_row(report, last)) if meaning_of(report.provider, report).blames_the_route else []
    if len(blamed) >= FAILURES and len({report.phone for report in blamed}) > 1:
        circuits.open_by_reports(report.provider, way, blamed[0].cause, _words(report))
    elif count := _count_against(last, way):
        circuits.open_by_reports(report.provider, way, Cause.UNKNOWN, count)
        carrier_filing.suspect(message, way.carrier, count)


def _words(report: DeliveryReport) -> str:
    return report.code or report.detail


def _last_reports(way: Way) -> list[DeliveryReport]:
    """The last report on each of the last codes that took this way, newest first."""
    rows = DeliveryReport.objects.filter(
        provider=way.provider,
        message__carrier=way.carrier,
        message__verification__isnull=False,
        received_at__gt=timezone.now() - LATELY,
    )
    names = ("provider", "message", "phone", "outcome", "cause", "code", "detail", "received_at")
    found = (
        rows.order_by("-received_at", "-pk")
        .only(*names)
        .annotate(signature=F("message__template__signature"), is_trial=F("message__is_trial"))
    )
    by_message: dict[object, DeliveryReport] = {}
    for report in found[:READ]:
        by_message.setdefault(report.message_id, report)
    return list(by_message.values())


def _blamed_in_a_row(newest: DeliveryReport, last: Sequence[DeliveryReport]) -> Iterator[DeliveryReport]:
    """The last reports that blame the way, up to the last delivery."""
    for report in last:
        if report.outcome == DeliveryOutcome.DELIVERED:
            return
        if meaning_of(newest.provider, report).blames_the_route:
            yield report


def _count_against(last: Sequence[DeliveryReport], way: Way) -> str:
    """How many of the last different numbers got nothing, where they are too many and others get theirs; else blank.

    A code may hide its cause: Aliyun says that what fails for want of filing can come with any code (help page 101347).
    """
    by_number: dict[str, DeliveryReport] = {}
    for report in takewhile(lambda report: not _has_closed(report), last):
        if report.cause != Cause.FREQUENCY and _signature(report) == _signature(last[0]):
            by_number.setdefault(report.phone, report)
    numbers = list(by_number.values())[:NUMBERS]
    failed = sum(report.outcome == DeliveryOutcome.UNDELIVERED for report in numbers)
    if failed < FAILED or not _others_deliver(way, numbers[-1]):
        return ""
    return f"{failed}/{len(numbers)}"


def _has_closed(report: DeliveryReport) -> bool:
    """Whether it closed the circuit: what was reported before does not count again."""
    return report.outcome == DeliveryOutcome.DELIVERED and bool(getattr(report, "is_trial"))  # noqa: B009


def _signature(report: DeliveryReport) -> object:
    return getattr(report, "signature")  # noqa: B009 - an annotation


def _others_deliver(way: Way, since: DeliveryReport) -> bool:
    """Whether a code was delivered meanwhile at another provider, or to another carrier's number."""
    delivered = DeliveryReport.objects.filter(
        outcome=DeliveryOutcome.DELIVERED, received_at__gte=since.received_at, message__verification__isnull=False
    )
    return delivered.exclude(provider=way.provider, message__carrier=way.carrier).exists()
