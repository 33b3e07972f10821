"""A second SMS with the same code, by another provider, after the vendor of the first has reported that it failed.

Its row is committed together with the status of the first, so that a report is followed once, whatever happens. It is
sent afterwards, by a thread or a worker, or by the poll.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.db import transaction
from django.utils import timezone

from django_smsverify.conf import conf
from django_smsverify.enums import DeliveryOutcome, MessageStatus
from django_smsverify.exceptions import NoRoute, PhoneNotSupported, Throttled, UnknownPurpose
from django_smsverify.limits.per_number import NumberHistory, lock_number
from django_smsverify.models import DeliveryReport, Message, Provider, Verification
from django_smsverify.reports.causes import meaning_of
from django_smsverify.verifying.context import is_of_test

from . import routing
from .attempt import queue_next
from .choosing import Chosen, choose
from .content import least_life
from .dispatch import dispatch_later
from .earlier_tries import is_overtaken, other_ways


def second_of(report: DeliveryReport, message: Message) -> SecondRoute | None:
    """Returns what may follow a report that its message was not delivered; None where nothing does.

    Only a cause of the vendor, the signature, the template or the carrier, that another vendor is likely not to meet.
    """
    if report.outcome != DeliveryOutcome.UNDELIVERED or not meaning_of(report.provider, report).another_vendor_helps:
        return None
    if message.verification_id is None:
        return None
    # The report knows its message in brief only.
    first = Message.objects.filter(pk=message.pk).select_related("provider").first()
    if first is None or not conf.of(first.purpose).REPORT_FAILOVER:
        return None
    chosen = _other_route(first)
    return SecondRoute(first, chosen) if chosen else None


def _other_route(first: Message) -> Chosen | None:
    verification = Verification.objects.find(first.verification_id)
    try:
        templates = routing.routes(first.purpose, first.phone, but={first.provider_id})
    except (NoRoute, PhoneNotSupported, UnknownPurpose):
        return None
    left = other_ways(verification, templates, but=first)
    return choose(left, first.phone, is_sender=False) if left else None


@dataclass(frozen=True, slots=True)
class SecondRoute:
    """The way that a code takes after its first SMS was not delivered."""

    first: Message
    chosen: Chosen

    def lock(self) -> None:
        """Locks the number for the rest of the transaction, which has done nothing yet."""
        lock_number(self.first.phone)

    def queue(self) -> None:
        """Stores the second SMS, in the transaction that stores the failure of the first, if it is still wanted."""
        first, verification = self.first, Verification.objects.find(self.first.verification_id)
        if not _is_wanted(verification, first):
            return
        second = queue_next(self.chosen, verification, first, is_claimed=False, follows=first.pk)
        transaction.on_commit(partial(dispatch_later, second), using=Message.objects.db, robust=True)


def _is_wanted(verification: Verification, first: Message) -> bool:
    """False when the code has ended or is about to, when it was sent again, also by this rule, when the number may get
    no SMS now, or when an operator tests this provider and no other."""
    now = timezone.now()
    if not verification.is_live(now) or verification.holder.expires_at - now < least_life(first.purpose):
        return False
    if is_overtaken(verification, first) or _has_followed(verification):
        return False
    if is_of_test(verification.holder, first.provider.slug):
        return False
    try:
        history = NumberHistory.read(first.phone, now)
        history.require_allowance(by_stranger=first.by_stranger, pauses=False)
    except Throttled:
        return False
    return True


def _has_followed(verification: Verification) -> bool:
    return Message.objects.carrying(verification.holder).filter(follows__isnull=False).exists()


def followed(provider: Provider, since: datetime) -> tuple[int, int]:
    """Returns how many codes took another way, since a moment, after this provider had reported a failure; and of how
    many both SMS arrived."""
    sent = Message.objects.filter(follows__isnull=False, created_at__gte=since).exclude(status=MessageStatus.NOT_SENT)
    seconds = {one.follows: one.status for one in sent.only("follows", "status") if one.follows}
    firsts = dict(Message.objects.filter(pk__in=list(seconds), provider=provider).values_list("pk", "status"))
    both = [pk for pk, status in firsts.items() if status == seconds[pk] == MessageStatus.DELIVERED]
    return len(firsts), len(both)
