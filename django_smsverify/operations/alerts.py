"""Telling operators: each cause at most once an hour, by every channel, with a link into the admin.

An alert is stored before it is sent, with the channels that wait for it: one that fails does not stop the others, and
the next run tries it again. After a crash in between a channel may be told twice, and none is left out.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Container, Iterable, Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q
from django.urls import NoReverseMatch, reverse
from django.utils import timezone, translation

from django_smsverify import events
from django_smsverify.conf import conf
from django_smsverify.models import Alert, NewAlert
from django_smsverify.models.history import MAX_CLOCK_SKEW

from .channels import MAIL, Channel, configured, has_recipients, send_mail, send_to

logger = logging.getLogger("django_smsverify")

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TAKEN_FOR = timedelta(minutes=2)
"""How long a run may take with one alert before another run tries it."""
SECONDS = 30.0
"""After this time a run leaves what waits to the next one."""
KEPT_FOR = timedelta(days=90)
OLD_AT_ONCE = 1000
"""Rows that one run of the poll deletes."""


def tell(alerts: Iterable[NewAlert]) -> Iterator[str]:
    """Stores these alerts, but for those that were told within the hour, and sends what waits for a channel; yields the
    words to count."""
    for alert in alerts:
        if _store(alert, timezone.now()):
            events.emit("alert.told", kind=alert.kind.value, subject=alert.subject or None)
            yield f"{alert.kind} alert"
        else:
            alert.postpone()
    yield from _send_waiting()


def end_all_but(lasting: Container[tuple[str, str]]) -> None:
    """Notes what is over, so that it is told again when it comes back; `lasting` are kinds and subjects."""
    known = Alert.objects.filter(lasts=True).values_list("pk", "kind", "subject")
    if over := [pk for pk, *cause in known if tuple(cause) not in lasting]:
        Alert.objects.filter(pk__in=over).update(lasts=False)


def forget_old() -> Iterator[str]:
    """Deletes alerts of causes that did not come back for long; yields the word that the poll counts, for each."""
    old = Alert.objects.filter(told_at__lt=timezone.now() - KEPT_FOR)
    for pk in list(old.order_by("told_at").values_list("pk", flat=True)[:OLD_AT_ONCE]):
        if Alert.objects.filter(pk=pk).delete()[0]:
            yield "alert forgotten"


def _store(alert: NewAlert, now: datetime) -> bool:
    """Whether this caller, and no other, is to tell it now."""
    rows = Alert.objects.filter(kind=alert.kind, subject=alert.subject)
    is_known = rows.exists()
    if is_known and not rows.filter(_may_be_told(now)).exists():
        return False
    values = {**_written(alert), "told_at": now, "lasts": alert.lasts, "waiting": _all_channels(alert)}
    if is_known:
        return bool(rows.filter(_may_be_told(now)).update(**values, taken_until=None))
    return Alert.objects.get_or_create(values, kind=alert.kind, subject=alert.subject)[1]


def _written(alert: NewAlert) -> dict[str, str]:
    with translation.override(settings.LANGUAGE_CODE):
        title, body = alert.text()
    return {"title": title[:200], "body": "\n\n".join(filter(None, [body, link_to(*alert.page)]))}


def _all_channels(alert: NewAlert) -> str:
    names = [*([MAIL] if has_recipients() else []), *(channel.name for channel in configured())]
    if not names:
        why = 'MANAGERS and ADMINS are empty, and SMSVERIFY["ALERTS"] too'
        logger.warning("Nobody is told of %s: %s.", _name(alert), why)
    return " ".join(names)


def _may_be_told(now: datetime) -> Q:
    """Unless it was told within the hour, or the day while it lasts; a moment in the future is of a clock that was set
    back."""
    once = Q(told_at__lte=now - HOUR, lasts=False) | Q(told_at__lte=now - DAY)
    return once | Q(told_at__gt=now + MAX_CLOCK_SKEW)


def link_to(page: str = "", *args: str) -> str:
    """Returns the URL of a page of the admin; only its path without SITE_URL, and blank where there is none."""
    try:
        path = reverse(f"admin:smsverify_{page}", args=args) if page else reverse("admin:app_list", args=["smsverify"])
    except NoReverseMatch:
        return ""
    return f"{conf.SITE_URL or ''}{path}"


def _send_waiting() -> Iterator[str]:
    channels = {channel.name: channel for channel in configured()}
    failed: set[str] = set()
    deadline = time.monotonic() + SECONDS
    now = timezone.now()
    free = Q(taken_until__isnull=True) | Q(taken_until__lt=now) | Q(taken_until__gt=now + TAKEN_FOR + MAX_CLOCK_SKEW)
    for alert in Alert.objects.exclude(waiting="").filter(free, told_at__gt=now - DAY).order_by("told_at"):
        if time.monotonic() > deadline:
            return
        as_read = Alert.objects.filter(free, pk=alert.pk, waiting=alert.waiting, told_at=alert.told_at)
        if as_read.update(taken_until=now + TAKEN_FOR):
            yield from _send(alert, channels, failed)


def _send(alert: Alert, channels: dict[str, Channel], failed: set[str]) -> Iterator[str]:
    """Sends an alert to the channels that wait for it, but for those that `failed` in this run already."""
    waiting = [name for name in alert.waiting.split() if name == MAIL or name in channels]
    now = [name for name in waiting if name not in failed]
    whys: dict[str, str] = {}
    if MAIL in now and has_recipients():
        with translation.override(settings.LANGUAGE_CODE):
            whys = {MAIL: send_mail(alert.title, alert.body)}
        yield "mail failed" if whys[MAIL] else "mailed"
    others = [channels[name] for name in now if name != MAIL]
    refused = send_to(others, alert.title, alert.body) if others else {}
    for channel in others:
        yield "alert failed" if channel.name in refused else "alert sent"
    for name, why in {**whys, **refused}.items():
        if why:
            failed.add(name)
            place = "The mail" if name == MAIL else channels[name].place
            logger.error("%s about %s failed with %s; the next run tries again.", place, _name(alert), why)
    left = " ".join(name for name in waiting if name in failed)
    Alert.objects.filter(pk=alert.pk, told_at=alert.told_at).update(waiting=left, taken_until=None)


def _name(alert: Alert | NewAlert) -> str:
    """What it is about, for the log."""
    return f"{alert.kind} {alert.subject}".rstrip()
