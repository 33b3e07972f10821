"""Wrong codes in a row: after a hundred of them each code of a number has one guess (NIST SP 800-63B-4).

Guesses of the last days are in the number's history. Older ones are added up on its Recipient row: by the send that is
the last to see them, or by the poll where no code was asked for in between.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from django_smsverify.models import Recipient, Verification

from .cache import call_cache
from .per_number import LONGEST_LIFE, NumberHistory

OLDEST = LONGEST_LIFE + timedelta(days=4)
"""How far back the poll looks: so long it may have stood still."""
AT_ONCE, PAUSE = 1000, 3600
"""Verifications that one run of the poll adds up, and the seconds until it looks again after all are."""
LOOKED = "smsverify:failures"


def with_failures(history: NumberHistory, recipient: Recipient, verified_at: datetime | None) -> NumberHistory:
    """Returns the history with the wrong codes since the number's last success, which was at `verified_at` or later.

    The number's row must be locked. Only where older ones were added up, or are to be, it costs a statement.
    """
    if recipient.failures is not None:
        recipient.refresh_from_db(fields=["failures", "failures_until"])
    judged, changes = _judge(history, recipient, verified_at)
    if changes is not None:
        Recipient.objects.filter(pk=recipient.pk).update(**changes)
    return judged


def failures_of(recipient: Recipient, history: NumberHistory, verified_at: datetime | None) -> int:
    """Returns how many wrong codes in a row were entered for a number whose row was just read."""
    return _judge(history, recipient, verified_at)[0].failures


def lift(recipients: QuerySet[Recipient]) -> int:
    """Forgets the wrong codes of these numbers, so that codes that are asked for have all their guesses again; returns
    for how many numbers."""
    return recipients.update(failures=0, failures_until=timezone.now())


def _judge(
    history: NumberHistory, recipient: Recipient, verified_at: datetime | None
) -> tuple[NumberHistory, dict[str, Any] | None]:
    """The history with its failures, and what is to be stored of them."""
    success = max(filter(None, (verified_at, *(past.verified_at for past in history.verifications))), default=None)
    until = recipient.failures_until
    is_void = _is_void(until, success)
    older = 0 if is_void else recipient.failures or 0
    failed = [
        (past.created_at, _failed(past, success))
        for past in history.verifications
        if until is None or past.created_at > until
    ]
    judged = replace(history, failures=older + sum(count for _, count in failed))
    over = [(at, count) for at, count in failed if count and at <= history.now - LONGEST_LIFE]
    if over:
        return judged, {"failures": older + sum(count for _, count in over), "failures_until": max(over)[0]}
    return judged, {"failures": None, "failures_until": None} if is_void else None


def _is_void(until: datetime | None, success: datetime | None) -> bool:
    """Whether the number was verified after what was added up."""
    return until is not None and success is not None and success > until


def _failed(past: Any, success: datetime | None) -> int:
    """The wrong codes of a verification, all of them if the last one came after the number's last success."""
    if past.attempted_at is None or (success is not None and past.attempted_at <= success):
        return 0
    return int(past.attempts) - (1 if past.verified_at else 0)


def add_up_failures() -> Iterator[str]:
    """Adds the wrong codes up of verifications that leave the history of their number, of AT_ONCE at most.

    Yields the word that the poll counts, for each number. Does nothing while the cache fails: there is time.
    """
    try:
        if call_cache(lambda cache: cache.get(LOOKED)):
            return
    except Exception:
        return
    rows = list(_not_added_up(timezone.now())[:AT_ONCE])
    if len(rows) < AT_ONCE:
        with suppress(Exception):
            call_cache(lambda cache: cache.set(LOOKED, 1, PAUSE))
    by_recipient: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        by_recipient[row.recipient_id].append(row)
    for found in by_recipient.values():
        if _add_up(found[-1].recipient, found):
            yield "wrong codes added up"


def _not_added_up(now: datetime) -> QuerySet[Verification]:
    """The verifications with wrong codes after their number's last success, in the order of their creation."""
    last = Verification.objects.filter(recipient=OuterRef("recipient"), verified_at__isnull=False)
    return (
        Verification.objects.filter(created_at__gt=now - OLDEST, created_at__lte=now - LONGEST_LIFE, attempts__gt=0)
        .filter(Q(recipient__failures_until__isnull=True) | Q(recipient__failures_until__lt=F("created_at")))
        .annotate(success=Subquery(last.order_by("-verified_at").values("verified_at")[:1]))
        .filter(Q(success__isnull=True) | Q(success__lt=F("attempted_at")))
        .select_related("recipient")
        .order_by("created_at")
    )


def _add_up(recipient: Recipient, found: list[Any]) -> bool:
    """Stores the sum, unless a send has changed it meanwhile; then the next run does it."""
    success = found[-1].success
    older = 0 if _is_void(recipient.failures_until, success) else recipient.failures or 0
    unchanged = Recipient.objects.filter(pk=recipient.pk, failures_until=recipient.failures_until)
    count = sum(_failed(row, success) for row in found)
    return bool(unchanged.update(failures=older + count, failures_until=found[-1].created_at))
