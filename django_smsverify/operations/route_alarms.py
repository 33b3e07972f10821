"""What became of probes, and the alarm of a route whose probes do not arrive: one signal and one alert."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import Max, Q
from django.utils import timezone, translation
from django.utils.translation import gettext

from django_smsverify import phones
from django_smsverify.enums import Alarm, AlertKind, MessageStatus, ProbeState
from django_smsverify.journal.own_words import said_of
from django_smsverify.models import NewAlert, Probe, Provider
from django_smsverify.models.gateway_classes import gateway_class_or_missing
from django_smsverify.reports.matching import REPORTS_EXPIRE_AFTER
from django_smsverify.signals import route_silent

logger = logging.getLogger("django_smsverify")

SILENT_AFTER = timedelta(minutes=10)
"""A probe that its vendor took, and that has no report after this time, is silent."""
GOOD = (ProbeState.DELIVERED, ProbeState.ACCEPTED)
BAD = [state for state in ProbeState if state.is_bad]
REFUSED = (MessageStatus.NOT_SENT, MessageStatus.UNDELIVERED, MessageStatus.UNKNOWN)


def watch_probes() -> Iterator[NewAlert]:
    """Judges the probes that may have news, and raises the alarms; yields an alert about each that has none yet.

    A probe that failed may arrive later.
    """
    lately = Q(state__in=BAD, created_at__gt=timezone.now() - REPORTS_EXPIRE_AFTER)
    to_mail = Q(state__in=BAD, alarm=Alarm.RAISED)
    open_probes = Probe.objects.filter(Q(state=ProbeState.UNDER_WAY) | lately | to_mail)
    for probe in open_probes.select_related("message", "provider").order_by("pk"):
        judge(probe)
        if probe.is_bad and probe.alarm == Alarm.RAISED and _take_alert(probe):
            yield _alert(probe)


def judge(probe: Probe) -> bool:
    """Stores what became of a probe, by its message; whether this caller, and no other, began an alarm by it.

    An alarm begins with the first bad probe of a provider and a carrier after a good one.
    """
    state = _state_of(probe, timezone.now())
    if state == probe.state:
        return False
    begins = state.is_bad and not probe.is_bad and not _is_told(probe)
    changes = {"state": state, **({"alarm": Alarm.RAISED} if begins else {})}
    # Of two runs with the same news, one changes the row.
    if not Probe.objects.filter(pk=probe.pk, state=probe.state).update(**changes):
        probe.refresh_from_db(fields=["state", "alarm"])
        return False
    for name, value in changes.items():
        setattr(probe, name, value)
    if begins:
        transaction.on_commit(partial(_raise_alarm, probe), using=Probe.objects.db, robust=True)
    return begins


def _state_of(probe: Probe, now: datetime) -> ProbeState:
    message = probe.message
    if message.status == MessageStatus.DELIVERED:
        return ProbeState.DELIVERED
    if message.status in REFUSED:
        return ProbeState.FAILED
    if message.status != MessageStatus.ACCEPTED:
        return ProbeState.UNDER_WAY
    if not tells_reports(probe.provider):
        return ProbeState.ACCEPTED
    is_overdue = now - (message.sent_at or message.created_at) >= SILENT_AFTER
    return ProbeState.SILENT if is_overdue else ProbeState.UNDER_WAY


def tells_reports(provider: Provider) -> bool:
    """Whether the provider's vendor says what became of an SMS, by itself or when it is asked."""
    gateway = gateway_class_or_missing(provider.gateway)
    return gateway.pushes or gateway.answers_status or gateway.hands_out_reports


def _is_told(probe: Probe) -> bool:
    """Whether an earlier probe of the same provider and carrier has raised the alarm, and none has arrived since."""
    earlier = Probe.objects.filter(provider=probe.provider_id, carrier=probe.carrier, number__lt=probe.number)
    last_good = earlier.filter(state__in=GOOD).aggregate(last=Max("number"))["last"] or 0
    return earlier.filter(number__gt=last_good).exclude(alarm="").exists()


def _raise_alarm(probe: Probe) -> None:
    with translation.override("en"):
        why = why_of(probe)
    logger.error("Probes of %s to %s do not arrive: %s", probe.provider.slug, probe.carrier, why)
    route_silent.send_robust(Provider, provider=probe.provider, carrier=probe.carrier, message=probe.message, why=why)


def why_of(probe: Probe) -> str:
    """Why a probe is bad, in the active language and without numbers."""
    message = probe.message
    if probe.state == ProbeState.SILENT:
        return gettext("no report came in %d minutes") % (SILENT_AFTER.total_seconds() // 60)
    said = said_of(message)
    why = [message.get_cause_display()] if message.status == MessageStatus.UNDELIVERED else [said.code, said.words]
    return " · ".join(filter(None, (message.get_status_display(), *why)))


def _take_alert(probe: Probe) -> bool:
    """Whether this caller, and no other, is to tell of the alarm."""
    raised = Probe.objects.filter(pk=probe.pk, alarm=Alarm.RAISED, state__in=BAD)
    return bool(raised.update(alarm=Alarm.MAILED))


def _alert(probe: Probe) -> NewAlert:
    told = Probe.objects.filter(pk=probe.pk, alarm=Alarm.MAILED)
    return NewAlert(
        kind=AlertKind.ROUTE,
        subject=f"{probe.provider.slug} {probe.carrier}",
        text=partial(_text, probe),
        page=("provider_change", str(probe.provider_id)),
        postpone=partial(told.update, alarm=Alarm.RAISED),
    )


def _text(probe: Probe) -> tuple[str, str]:
    facts = {
        "name": probe.provider.name,
        "slug": probe.provider.slug,
        "carrier": probe.get_carrier_display(),
        "phone": phones.mask(probe.message.phone),
        "when": f"{_local(probe.created_at):%Y-%m-%d %H:%M:%S}",
        "why": why_of(probe),
    }
    subject = gettext("SMS of %(slug)s do not arrive at %(carrier)s")
    body = gettext(
        "The probe of %(name)s (%(slug)s) to %(phone)s of %(carrier)s at %(when)s did not arrive: %(why)s.\n\n"
        "Send an SMS to another number of this carrier: “Send a test SMS” on the provider's page in the admin, or "
        "`manage.py smsverify_check %(slug)s --send PHONE`. If it "
        "does not arrive either, ask the vendor, and deactivate the provider meanwhile, where there are others.\n\n"
        "You are told once, and again only after a probe of this provider to this carrier has arrived."
    )
    return subject % facts, body % facts


def _local(moment: datetime) -> datetime:
    return timezone.localtime(moment) if timezone.is_aware(moment) else moment
