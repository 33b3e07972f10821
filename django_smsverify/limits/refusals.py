"""Refused requests for a code are stored, so that an operator can tell why no SMS came.

An attack must not fill the database: of the refusals of one number, reason and hour the first makes a row, which
carries their count; after MOST_ROWS in an hour one row stands for all further numbers.
"""

from __future__ import annotations

import logging
import time
from uuid import UUID

from django.utils import timezone

from django_smsverify.enums import Refused, Scope
from django_smsverify.exceptions import (
    CaptchaRequired,
    InsideTransaction,
    NoRoute,
    PhoneNotSupported,
    Throttled,
    ThrottleUnavailable,
    UnknownPurpose,
)
from django_smsverify.models import Refusal
from django_smsverify.models.inserts import upsert
from django_smsverify.models.statements import count_refusals
from django_smsverify.transactions import require_autocommit

from .cache import digest
from .shared import Charge
from .tally import Tallied, Tally, hour_of

logger = logging.getLogger("django_smsverify")

MOST_ROWS = 1000
"""Rows an hour, as long as the cache is not flushed."""
OUTAGE_PAUSE = 60.0
"""Seconds in which a process stores at most once that the cache does not answer."""
REASONS: dict[type[BaseException], Refused] = {
    CaptchaRequired: Refused.CAPTCHA,
    NoRoute: Refused.NO_ROUTE,
    PhoneNotSupported: Refused.NOT_SUPPORTED,
    UnknownPurpose: Refused.UNKNOWN_PURPOSE,
    ThrottleUnavailable: Refused.NO_CACHE,
}

_outage_stored_at = -OUTAGE_PAUSE


def tally_of(phone: str) -> Tally:
    """Returns what counts the refusals of a number now."""
    return Tally(phone, time.time())


def refund_and_record(phone: str, purpose: str, charge: Charge, error: BaseException) -> None:
    """Gives back all that a send has counted which this error refused, and stores the refusal."""
    reason = Refused(error.scope.value) if isinstance(error, Throttled) else REASONS.get(type(error))
    charge.refund(*Scope, because=reason if reason and not charge.tallied else "")
    if reason == Refused.NO_CACHE:
        _record_outage()
    elif charge.tallied:
        _record(phone, purpose, charge.tallied)


def record(phone: str, purpose: str, reason: Refused) -> None:
    """Counts and stores a refusal that came before anything was counted."""
    charge = Charge(tally_of(phone))
    charge.refund(because=reason)
    if charge.tallied:
        _record(phone, purpose, charge.tallied)


def _record(phone: str, purpose: str, tallied: Tallied) -> None:
    reason, times, subjects = tallied
    row = Refusal(phone=phone, purpose=purpose, reason=reason)
    if subjects > MOST_ROWS:
        row, times = Refusal(reason=Refused.OTHERS), subjects - MOST_ROWS
    if not times & (times - 1):  # 1, 2, 4, 8 …: thousands of refusals are a dozen statements
        _store(row, times)


def _record_outage() -> None:
    global _outage_stored_at
    if time.monotonic() - _outage_stored_at >= OUTAGE_PAUSE:
        _outage_stored_at = time.monotonic()
        _store(Refusal(reason=Refused.NO_CACHE), 1)


def _store(row: Refusal, times: int) -> None:
    """Stores a row or its new count; whatever happens here must not hide the refusal itself."""
    row.first_at = row.last_at = timezone.now()
    value = digest(Scope.PHONE, f"{row.phone}:{row.reason}:{hour_of(row.first_at.timestamp())}")
    row.pk = UUID(hex=value[:32], version=4)  # MariaDB takes none without a version
    try:
        require_autocommit(Refusal)
        if times > 1:
            count_refusals(pk=row.pk, count=times, now=row.last_at)
        elif not upsert(row, "id", "last_at"):
            Refusal.objects.bulk_create([row], ignore_conflicts=True)
    except InsideTransaction:
        return  # which may be rolled back, and would keep the row locked
    except Exception as error:
        logger.warning("A refused request could not be stored (%s).", type(error).__name__)
