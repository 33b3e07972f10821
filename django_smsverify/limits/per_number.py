"""The limits of one number: exact, read from the database while the number's row is locked."""

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
    """Locks the number's row for the rest of the transaction.

    It writes first: under load SQLite refuses to turn a read transaction into a write transaction.
    """
    Recipient.objects.filter(pk=recipient.pk).update(claimed_at=timezone.now())


def check_number(phone: str, now: datetime, *, but: Message | None = None) -> None:
    """Checks the number's own limits over all rolling windows, without the message `but`.

    Raises Throttled with the longest wait.
    """
    limits = [
        (Scope.RESEND, Limit(1, conf.RESEND_INTERVAL)),
        *((Scope.PHONE, limit) for limit in conf.PHONE_LIMITS),
    ]
    longest = timedelta(seconds=max(limit.seconds for _, limit in limits))
    messages = Message.objects.exclude(pk=but.pk) if but else Message.objects.all()
    spent = _charged(messages, phone, now - longest, now)
    waits = [(_wait(spent, limit, now), scope) for scope, limit in limits]
    seconds, scope = max(waits, key=lambda wait: wait[0])
    if seconds > 0:
        raise Throttled(scope, seconds)


def _charged(messages: MessageQuerySet, phone: str, since: datetime, now: datetime) -> list[datetime]:
    """The times at which the number's allowance was used, newest first.

    If the clock was set back, some SMS lie in the future and their real age is unknown; they are moved back until the
    newest is at the present time. Thus no wait is longer than its window, and no window exceeds its limit.
    """
    spent = messages.charged(phone, since)
    if spent and spent[0] > now + MAX_CLOCK_SKEW:
        messages.move_back(phone, spent[0] - now, now)
        spent = messages.charged(phone, since)
    return spent


def _wait(spent: Sequence[datetime], limit: Limit, now: datetime) -> int:
    """Whole seconds until one more SMS fits into the window, at most its length; `spent` is newest first."""
    if len(spent) < limit.times:
        return 0
    free_at = spent[limit.times - 1] + timedelta(seconds=limit.seconds)
    return min(limit.seconds, max(0, math.ceil((free_at - now).total_seconds())))


def resend_wait(verification: Verification, now: datetime) -> int:
    """Returns the whole seconds until a verification's code may be sent again; 0 once it can no longer verify.

    Only SMS with this code count: otherwise anyone with an id, even an old one, could watch the number's other SMS.
    """
    if not verification.is_live(now):
        return 0
    pause = Limit(1, conf.RESEND_INTERVAL)
    if verification.last_sent_at is not None:
        return _wait([verification.last_sent_at], pause, now)
    own = Message.objects.carrying(verification.holder)
    return _wait(own.charged(verification.phone, now - timedelta(seconds=pause.seconds)), pause, now)


def allowed_guesses(phone: str, purpose: str, now: datetime) -> int:
    """Returns how many guesses an SMS adds; at least one, so that no stranger can lock the owner out."""
    return int(max(1, min(conf.of(purpose).MAX_ATTEMPTS, guesses_left(phone, now))))


def guesses_left(phone: str, now: datetime) -> int:
    """Returns how many guesses the number has left; 0 or less: none. Exact while the number's row is locked."""
    limit = conf.GUESS_LIMIT
    return limit.times - Verification.objects.guesses(phone, now - timedelta(seconds=limit.seconds), now)
