"""Balances of the accounts at vendors: store them, query them, and send alarms when they are low.

Parallel sends return balances in any order. `note_balance` stores a balance if its call began after the stored one
was answered. For calls that overlapped, the order at the vendor is unknown: the lower balance is stored, because
without a top-up it is the later one. So a falling balance is never stored as rising, and raises one alarm.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext

from django_smsverify.enums import Alarm, AlertKind, BalanceState
from django_smsverify.exceptions import GatewayError
from django_smsverify.gateways.base import Gateway, Outcome
from django_smsverify.limits.cache import call_cache
from django_smsverify.models import NewAlert, Provider
from django_smsverify.models.amounts import plain
from django_smsverify.models.gateway_classes import gateway_class
from django_smsverify.signals import balance_low
from django_smsverify.transactions import require_autocommit
from django_smsverify.types import Acceptance

logger = logging.getLogger("django_smsverify")

PAUSE = timedelta(minutes=10)
"""The pause between two queries to a vendor whose balance is not empty, unless an answer to a send had a balance."""
TURN = 30
"""Seconds in which no other run of the poll queries the same vendor."""
LONGEST_CALL = timedelta(minutes=2)
"""A call that began longer ago than this does not overlap with a call that is answered now."""
FIELDS = ("balance", "balance_checked_at", "balance_alarm", "balance_alert")
LOW = Q(balance__lt=F("balance_alert"))
NOT_LOW = Q(balance_alert__isnull=True) | Q(balance__gte=F("balance_alert"))


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceCheck:
    """The result of querying one provider, whose stored balance is up to date."""

    provider: Provider
    state: BalanceState
    error: str = ""
    """The vendor's error message, or why it could not be queried."""


def note_balance(provider: Provider, amount: Decimal, asked_at: datetime) -> bool:
    """Stores a balance from the answer to a call that began at `asked_at`; whether it was newer (see above).

    Sends `balance_low` when it fell below the alert.
    """
    noted = _store(provider, amount, asked_at)
    if noted:
        watch(provider)
    return noted


def _store(provider: Provider, amount: Decimal, asked_at: datetime) -> bool:
    """Stores a balance in the row and the object, unless a newer one is stored."""
    rows, now = Provider.objects.filter(pk=provider.pk), timezone.now()
    unknown = Q(balance__isnull=True) | Q(balance_checked_at__isnull=True)
    later = Q(balance_checked_at__lt=asked_at)
    lower = Q(balance__gt=amount, balance_checked_at__lte=asked_at + LONGEST_CALL)
    if not rows.filter(unknown | later | lower).update(balance=amount, balance_checked_at=now):
        return False
    provider.balance, provider.balance_checked_at = amount, now
    return True


def note_outcomes(provider: Provider, outcomes: Iterable[Outcome], asked_at: datetime) -> None:
    """Stores the balance in the outcomes of a send that began at `asked_at`; logs and ignores a database error."""
    taken = [outcome for outcome in outcomes if isinstance(outcome, Acceptance)]
    amounts = [outcome.balance for outcome in taken if outcome.balance is not None]
    try:
        if amounts:
            note_balance(provider, min(amounts), asked_at)
        elif taken and provider.balance is not None and provider.balance <= 0:
            # The vendor accepts SMS, so the stored empty balance is out of date.
            spent = Provider.objects.filter(pk=provider.pk, balance__lte=0, balance_checked_at__lt=asked_at)
            spent.update(balance=None, balance_checked_at=None)
    except (DatabaseError, InterfaceError) as error:
        logger.error("The balance of %s could not be stored (%s).", provider.slug, type(error).__name__)


def watch(provider: Provider) -> None:
    """Raises the alarm when the balance falls below its alert, or ends it; reloads the balance of `provider`."""
    provider.refresh_from_db(using=Provider.objects.db, fields=FIELDS)
    if provider.is_low != bool(provider.balance_alarm):
        _raise_or_end_alarm(provider)


def _raise_or_end_alarm(provider: Provider) -> None:
    """Conditional updates on the stored balance make sure that of concurrent calls only one raises the alarm."""
    rows = Provider.objects.filter(pk=provider.pk)
    if provider.balance_alarm and not provider.is_low:
        if rows.filter(NOT_LOW).update(balance_alarm=""):
            provider.balance_alarm = ""
    elif rows.filter(LOW, balance_alarm="").update(balance_alarm=Alarm.RAISED):
        provider.balance_alarm = Alarm.RAISED
        logger.warning("The balance of %s is low: %s, alert below %s.", *_log_values(provider))
        transaction.on_commit(lambda: balance_low.send_robust(Provider, provider=provider), using=rows.db, robust=True)


def forget_balance(provider: Provider) -> None:
    """Clears the balance: the provider is now another account, whose balance is unknown."""
    Provider.objects.filter(pk=provider.pk).update(balance=None, balance_checked_at=None, balance_alarm="")


def ask_balance(provider: Provider) -> None:
    """Queries the vendor for the balance and stores it; raises a GatewayError or ImproperlyConfigured.

    `provider` must have been read just now. Of an account that has none, it stores only when it was asked.
    """
    gateway, asked_at = provider.gateway_client(), timezone.now()
    amount = gateway.ask_balance()
    if amount is None:
        untold = {"balance": None, "balance_checked_at": timezone.now(), "balance_alarm": ""}
        Provider.objects.filter(pk=provider.pk).update(**untold)
    elif _store(provider, amount, asked_at):
        _raise_or_end_alarm(provider)


def is_due(provider: Provider, gateway: Gateway) -> bool:
    """Whether the poll is to query the balance: after PAUSE, and always when it is empty or was never told."""
    if not provider.is_active or not gateway.answers_balance:
        return False
    checked_at, balance = provider.balance_checked_at, provider.balance
    if checked_at is None or (balance is not None and balance <= 0):
        return True
    return checked_at <= timezone.now() - PAUSE


def take_turn(provider: Provider, gateway: Gateway) -> bool:
    """Reserves the next query for this run of the poll; whether the query is still due."""
    try:
        free = call_cache(lambda cache: cache.add(f"smsverify:balance:{provider.pk}", 1, TURN))
    except Exception as error:
        logger.error("The throttle's cache failed (%s): a balance may be asked for twice.", type(error).__name__)
        free = True
    if free:
        provider.refresh_from_db(using=Provider.objects.db, fields=FIELDS)
    return free and is_due(provider, gateway)


def check_balances(
    providers: Iterable[Provider] | None = None,
    *,
    stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[BalanceCheck]:
    """Queries the balances of these providers, or of all active ones, and returns the results.

    Stops when `stopped()` is true before a query; calls `progress(done, total)` after each one. Raises
    InsideTransaction, because no transaction may be open during network calls.
    """
    require_autocommit(Provider)
    chosen = list(Provider.objects.filter(is_active=True) if providers is None else providers)
    return list(_checks(chosen, stopped, progress))


def _checks(
    chosen: Sequence[Provider], stopped: Callable[[], bool], progress: Callable[[int, int], None]
) -> Iterator[BalanceCheck]:
    for done, provider in enumerate(chosen, 1):
        if stopped():
            return
        yield _check(provider)
        progress(done, len(chosen))


def _check(provider: Provider) -> BalanceCheck:
    try:
        if not provider.gateway_client().answers_balance:
            return BalanceCheck(provider=provider, state=BalanceState.UNASKABLE)
        ask_balance(provider)
    except GatewayError as error:
        words = f"{error.error_code} {error}".strip()
        logger.warning("%s does not tell its balance: %s", provider.slug, words)
        return BalanceCheck(provider=provider, state=BalanceState.ERROR, error=words)
    except ImproperlyConfigured as error:
        return BalanceCheck(provider=provider, state=BalanceState.ERROR, error=str(error))
    watch(provider)
    if provider.balance is None:
        return BalanceCheck(provider=provider, state=BalanceState.UNASKABLE)
    if provider.is_empty:
        return BalanceCheck(provider=provider, state=BalanceState.EMPTY)
    return BalanceCheck(provider=provider, state=BalanceState.LOW if provider.is_low else BalanceState.OK)


def new_alerts(providers: Iterable[Provider] | None = None) -> Iterator[NewAlert]:
    """Yields an alert, once, about each balance that fell below its own.

    A caller that has just read all `providers` gives them, and those without an alarm are not asked for again.
    """
    if providers is not None and not any(one.is_low and one.balance_alarm == Alarm.RAISED for one in providers):
        return
    rows = Provider.objects.all()
    for provider in rows.filter(LOW, balance_alarm=Alarm.RAISED):
        raised = rows.filter(pk=provider.pk, balance_alarm=Alarm.RAISED)
        if raised.update(balance_alarm=Alarm.MAILED):
            told = rows.filter(pk=provider.pk, balance_alarm=Alarm.MAILED)
            yield NewAlert(
                kind=AlertKind.BALANCE,
                subject=provider.slug,
                text=partial(_text, provider),
                page=("provider_change", str(provider.pk)),
                postpone=partial(told.update, balance_alarm=Alarm.RAISED),
            )


def _text(provider: Provider) -> tuple[str, str]:
    when = provider.balance_checked_at
    facts = {
        "name": provider.name,
        "slug": provider.slug,
        "balance": plain(provider.balance),
        "alert": plain(provider.balance_alert),
        "unit": unit_of(provider),
        "when": when and f"{local(when):%Y-%m-%d %H:%M:%S}",
    }
    subject = gettext("SMS balance of %(slug)s is low: %(balance)s %(unit)s")
    body = gettext(
        "%(name)s (%(slug)s) had %(balance)s %(unit)s left at %(when)s. You asked to be told below %(alert)s.\n\n"
        "Top up the account with the vendor. When nothing is left, codes go through other providers, where there are "
        "any; what only this provider can send is not sent.\n\n"
        "You are told once, and again only after the balance was at the alert or over it."
    )
    return subject % facts, body % facts


def _log_values(provider: Provider) -> tuple[str, object, object]:
    return provider.slug, plain(provider.balance), plain(provider.balance_alert)


def unit_of(provider: Provider) -> str:
    """The unit of the provider's balance; empty when its gateway is missing."""
    try:
        return str(gateway_class(provider.gateway).balance_unit)
    except ImproperlyConfigured:
        return ""


def local(moment: datetime) -> datetime:
    """A time in the site's zone, if it uses zones."""
    return timezone.localtime(moment) if timezone.is_aware(moment) else moment
