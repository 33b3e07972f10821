"""The limits of one number: exact, read from the database while the number's row is held."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils import timezone

from django_smsverify.conf import Limit, conf
from django_smsverify.enums import Scope
from django_smsverify.exceptions import Throttled
from django_smsverify.models import Message, Recipient, Verification
from django_smsverify.models.querysets import MAX_CLOCK_SKEW, MessageQuerySet


def lock_number(recipient: Recipient) -> None:
    """Takes the number's row for the rest of the transaction.

    A write comes first: SQLite refuses to turn a reader into a writer under load.
    """
    Recipient.objects.primary().filter(pk=recipient.pk).update(claimed_at=timezone.now())


def check_number(phone: str, now: datetime, *, but: Message | None = None) -> None:
    """The number's own limits over every rolling window, without one message; raises Throttled with the longest
    wait."""
    limits = [
        (Scope.RESEND, Limit(1, conf.RESEND_INTERVAL)),
        *((Scope.PHONE, limit) for limit in conf.PHONE_LIMITS),
    ]
    longest = timedelta(seconds=max(limit.seconds for _, limit in limits))
    messages = Message.objects.primary().exclude(pk=but.pk) if but else Message.objects.primary()
    spent = _charged(messages, phone, now - longest, now)
    waits = [(_wait(spent, limit, now), scope) for scope, limit in limits]
    seconds, scope = max(waits, key=lambda wait: wait[0])
    if seconds > 0:
        raise Throttled(scope, seconds)


def _charged(messages: MessageQuerySet, phone: str, since: datetime, now: datetime) -> list[datetime]:
    """When the number's allowance was spent, newest first.

    Where the clock was set back, SMS lie ahead of it. Nobody can say how long ago they were sent; they are moved back
    until the newest is of this moment. Thus no wait is longer than its window, and no window holds one more.
    """
    spent = messages.charged(phone, since)
    if spent and spent[0] > now + MAX_CLOCK_SKEW:
        messages.move_back(phone, spent[0] - now, now)
        spent = messages.charged(phone, since)
    return spent


def _wait(spent: Sequence[datetime], limit: Limit, now: datetime) -> int:
    """Whole seconds until one more fits into the window, never more than it has; `spent` is newest first."""
    if len(spent) < limit.times:
        return 0
    free_at = spent[limit.times - 1] + timedelta(seconds=limit.seconds)
    return min(limit.seconds, max(0, math.ceil((free_at - now).total_seconds())))


def resend_wait(verification: Verification, now: datetime) -> int:
    """Whole seconds until the pause after a verification's own last SMS is over; 0 once it can no longer verify.

    Other SMS to the number do not count: whoever has an id, maybe of long ago, would be told of each of them.
    """
    if not verification.is_live(now):
        return 0
    pause = Limit(1, conf.RESEND_INTERVAL)
    if verification.last_sent_at is not None:
        return _wait([verification.last_sent_at], pause, now)
    own = Message.objects.primary().filter(verification=verification)
    return _wait(own.charged(verification.phone, now - timedelta(seconds=pause.seconds)), pause, now)


def allowed_guesses(phone: str, purpose: str, now: datetime) -> int:
    """How many guesses a new verification gets; at least one, so that no stranger locks the owner out."""
    limit = conf.GUESS_LIMIT
    since = now - timedelta(seconds=limit.seconds)
    spent = Verification.objects.primary().guesses(phone, since, now)
    return int(max(1, min(conf.of(purpose).MAX_ATTEMPTS, limit.times - spent)))
