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


def check_number(phone: str, now: datetime, *, by_stranger: bool = False, but: Message | None = None) -> None:
    """Checks the number's own limits over all rolling windows, without the message `but`.

    Strangers together may spend half, rounded up, of what a known number has. Raises Throttled with the longest wait.
    """
    limits = [
        (Scope.RESEND, Limit(1, conf.RESEND_INTERVAL)),
        *((Scope.PHONE, limit) for limit in conf.PHONE_LIMITS),
    ]
    longest = timedelta(seconds=max(limit.seconds for _, limit in limits))
    messages = Message.objects.exclude(pk=but.pk) if but else Message.objects.all()
    spent = _charged(messages, phone, now - longest, now)
    all_sent = [created_at for created_at, _ in spent]
    waits = [(_wait(all_sent, limit, now), scope) for scope, limit in limits]
    if by_stranger:
        theirs = [created_at for created_at, is_theirs in spent if is_theirs]
        waits += [(_wait(theirs, _half(limit), now), Scope.PHONE) for limit in conf.PHONE_LIMITS]
    seconds, scope = max(waits, key=lambda wait: wait[0])
    if seconds > 0:
        raise Throttled(scope, seconds)


def _half(limit: Limit) -> Limit:
    return Limit(math.ceil(limit.times / 2), limit.seconds)


def _charged(messages: MessageQuerySet, phone: str, since: datetime, now: datetime) -> list[tuple[datetime, bool]]:
    """When the number's allowance was used, newest first, and whether by a stranger.

    If the clock was set back, some SMS lie in the future and their real age is unknown; they are moved back until the
    newest is at the present time. Thus no wait is longer than its window, and no window exceeds its limit.
    """
    spent = messages.charged(phone, since)
    if spent and spent[0][0] > now + MAX_CLOCK_SKEW:
        messages.move_back(phone, spent[0][0] - now, now)
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
    own = Message.objects.carrying(verification.holder).charged(
        verification.phone, now - timedelta(seconds=pause.seconds)
    )
    return _wait([created_at for created_at, _ in own], pause, now)


def allowed_guesses(phone: str, purpose: str, now: datetime, *, by_stranger: bool) -> int:
    """Returns how many guesses an SMS adds; at least one, so that no stranger can lock the owner out."""
    return int(max(1, min(conf.of(purpose).MAX_ATTEMPTS, guesses_left(phone, now, by_stranger=by_stranger))))


def guesses_left(phone: str, now: datetime, *, by_stranger: bool) -> int:
    """Returns how many guesses the number has left; 0 or less: none. Exact while the number's row is locked.

    Strangers together have half of those of a known number, rounded up.
    """
    limit = conf.GUESS_LIMIT
    spent, by_strangers = Verification.objects.guesses(phone, now - timedelta(seconds=limit.seconds), now)
    left = limit.times - spent
    return min(left, _half(limit).times - by_strangers) if by_stranger else left
