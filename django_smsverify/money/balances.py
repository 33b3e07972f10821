"""What is left on the accounts at the vendors, and who is told when it is little.

Readings race: answers to parallel sends come in any order. `note_balance` keeps the latest as far as can be known: a
reading counts when its call began after the stored one had been answered. Of calls that overlapped nobody knows which
the vendor served first, so of these the lower reading counts: without a top-up it is the later one. Thus a balance that
only falls is never stored as rising, and falls below its alert once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import mail_admins, mail_managers
from django.db import DatabaseError, InterfaceError, transaction
from django.db.models import F, Q
from django.utils import timezone, translation
from django.utils.translation import gettext

from django_smsverify.enums import Alarm, BalanceState
from django_smsverify.exceptions import GatewayError
from django_smsverify.gateways.base import Gateway, Outcome
from django_smsverify.limits.cache import call_cache
from django_smsverify.models import Provider
from django_smsverify.models.gateway_classes import gateway_class
from django_smsverify.signals import balance_low
from django_smsverify.transactions import run_committed
from django_smsverify.types import Acceptance

logger = logging.getLogger("django_smsverify")

PAUSE = timedelta(minutes=10)
"""Between two questions to a vendor that has something left, and has not told of its own accord meanwhile."""
TURN = 30
"""Seconds in which no other run of the poll asks the same vendor."""
LONGEST_CALL = timedelta(minutes=2)
"""Calls that began longer ago than this overlap with none that is answered now."""
FIELDS = ("balance", "balance_checked_at", "balance_alarm", "balance_alert")
LOW = Q(balance__lt=F("balance_alert"))
NOT_LOW = Q(balance_alert__isnull=True) | Q(balance__gte=F("balance_alert"))


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceCheck:
    """What came of asking one provider, whose balance is as it is stored now."""

    provider: Provider
    state: BalanceState
    error: str = ""
    """The vendor's words, or what keeps us from asking."""


def note_balance(provider: Provider, amount: Decimal, asked_at: datetime) -> bool:
    """Stores what a vendor said is left, to a call that began at `asked_at`; whether that was news (see above).

    Sends `balance_low` when it has fallen below the alert.
    """
    rows = Provider.objects.primary().filter(pk=provider.pk)
    unknown = Q(balance__isnull=True) | Q(balance_checked_at__isnull=True)
    later = Q(balance_checked_at__lt=asked_at)
    lower = Q(balance__gt=amount, balance_checked_at__lte=asked_at + LONGEST_CALL)
    noted = rows.filter(unknown | later | lower).update(balance=amount, balance_checked_at=timezone.now())
    if noted:
        watch(provider)
    return bool(noted)


def note_outcomes(provider: Provider, outcomes: Iterable[Outcome], asked_at: datetime) -> None:
    """What a send, begun at `asked_at`, says of what is left; a database that fails now costs only this news."""
    taken = [outcome for outcome in outcomes if isinstance(outcome, Acceptance)]
    amounts = [outcome.balance for outcome in taken if outcome.balance is not None]
    try:
        if amounts:
            note_balance(provider, min(amounts), asked_at)
        elif taken and provider.balance is not None and provider.balance <= 0:
            # The vendor takes SMS: what it said before no longer holds.
            spent = Provider.objects.primary().filter(pk=provider.pk, balance__lte=0, balance_checked_at__lt=asked_at)
            spent.update(balance=None, balance_checked_at=None)
    except (DatabaseError, InterfaceError) as error:
        logger.error("The balance of %s could not be stored (%s).", provider.slug, type(error).__name__)


def watch(provider: Provider) -> None:
    """Raises the alarm of a balance below its alert, once, or ends it; loads what is stored into `provider`.

    The balance that is stored decides, whoever comes to it, so that of many at once one raises it.
    """
    rows = Provider.objects.primary().filter(pk=provider.pk)
    provider.refresh_from_db(using=rows.db, fields=FIELDS)
    if provider.is_low and not provider.balance_alarm:
        if rows.filter(LOW, balance_alarm="").update(balance_alarm=Alarm.RAISED):
            provider.balance_alarm = Alarm.RAISED
            logger.warning("The balance of %s is low: %s, alert below %s.", *_facts(provider))
            transaction.on_commit(
                lambda: balance_low.send_robust(Provider, provider=provider), using=rows.db, robust=True
            )
    elif provider.balance_alarm and not provider.is_low and rows.filter(NOT_LOW).update(balance_alarm=""):
        provider.balance_alarm = ""


def forget_balance(provider: Provider) -> None:
    """The provider is another account now: what is left there is not known."""
    Provider.objects.primary().filter(pk=provider.pk).update(balance=None, balance_checked_at=None, balance_alarm="")


def ask_balance(provider: Provider) -> None:
    """Asks the vendor what is left and stores it; raises a GatewayError or ImproperlyConfigured."""
    gateway, asked_at = provider.gateway_client(), timezone.now()
    note_balance(provider, gateway.ask_balance(), asked_at)


def is_due(provider: Provider, gateway: Gateway) -> bool:
    """Whether the poll is to ask: from time to time, and always where nothing was left, as that may have changed."""
    if not provider.is_active or not gateway.answers_balance:
        return False
    checked_at, balance = provider.balance_checked_at, provider.balance
    if checked_at is None or balance is None or balance <= 0:
        return True
    return checked_at <= timezone.now() - PAUSE


def take_turn(provider: Provider, gateway: Gateway) -> bool:
    """Whether this run of the poll, and no other, may ask now."""
    try:
        free = call_cache(lambda cache: cache.add(f"smsverify:balance:{provider.pk}", 1, TURN))
    except Exception as error:
        logger.error("The throttle's cache failed (%s): a balance may be asked for twice.", type(error).__name__)
        free = True
    if free:
        provider.refresh_from_db(using=Provider.objects.primary().db, fields=FIELDS)
    return free and is_due(provider, gateway)


def check_balances(
    providers: Iterable[Provider] | None = None,
    *,
    stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[BalanceCheck]:
    """Asks these providers, or all active ones, what is left, and returns what came of it.

    `stopped` is asked between two questions; `progress` is told how many are done, of how many. Raises
    InsideTransaction, as none may be held over the network.
    """
    run_committed(Provider, lambda: None)
    chosen = list(Provider.objects.primary().filter(is_active=True) if providers is None else providers)
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
    if provider.is_empty:
        return BalanceCheck(provider=provider, state=BalanceState.EMPTY)
    return BalanceCheck(provider=provider, state=BalanceState.LOW if provider.is_low else BalanceState.OK)


def check_and_mail(
    providers: Iterable[Provider] | None = None,
    *,
    stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[BalanceCheck]:
    """What `check_balances` does, and then the mails about what is low."""
    checks = check_balances(providers, stopped=stopped, progress=progress)
    for _word in mail_alarms():
        pass
    return checks


def mail_alarms() -> Iterator[str]:
    """Mails the site's MANAGERS, or else its ADMINS, about each balance that fell below its alert, once.

    Does one after the other as it is asked for the word under which the next is counted. A mail that fails is
    tried again by the next run.
    """
    rows = Provider.objects.primary()
    for provider in rows.filter(LOW, balance_alarm=Alarm.RAISED):
        raised = rows.filter(pk=provider.pk, balance_alarm=Alarm.RAISED)
        if raised.update(balance_alarm=Alarm.MAILED):
            yield _mail(provider)


def _mail(provider: Provider) -> str:
    if not (settings.MANAGERS or settings.ADMINS):
        logger.warning("Nobody is mailed that the balance of %s is low: MANAGERS and ADMINS are empty.", provider.slug)
        return "nobody to mail"
    send = mail_managers if settings.MANAGERS else mail_admins
    try:
        with translation.override(settings.LANGUAGE_CODE):
            send(*_mail_text(provider))
    except Exception as error:
        mailed = Provider.objects.primary().filter(pk=provider.pk, balance_alarm=Alarm.MAILED)
        mailed.update(balance_alarm=Alarm.RAISED)
        # Without its words, which may hold the mail server's login.
        name = type(error).__name__
        logger.error("The mail about %s failed with %s; the next run tries again.", provider.slug, name)
        return "mail failed"
    return "mailed"


def _mail_text(provider: Provider) -> tuple[str, str]:
    """Subject and body."""
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


def _facts(provider: Provider) -> tuple[str, object, object]:
    return provider.slug, plain(provider.balance), plain(provider.balance_alert)


def unit_of(provider: Provider) -> str:
    """What the provider's balance counts; empty when its gateway is gone."""
    try:
        return str(gateway_class(provider.gateway).balance_unit)
    except ImproperlyConfigured:
        return ""


def local(moment: datetime) -> datetime:
    """A moment in the site's zone, where it has zones."""
    return timezone.localtime(moment) if timezone.is_aware(moment) else moment


def plain(amount: Decimal | None) -> str:
    """An amount as a person writes it: 241 and not 241.0000; empty for none."""
    return "" if amount is None else f"{amount.normalize():f}"
