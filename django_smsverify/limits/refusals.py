"""Refused requests for a code are stored, so that an operator can tell why no SMS came.

An attack must not fill the database: of the refusals of one number, reason and hour the first makes a row, which
carries their count; after MOST_SUBJECTS in an hour one row stands for all further refusals.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from django_smsverify import events
from django_smsverify.conf import conf
from django_smsverify.enums import Refused, Scope
from django_smsverify.exceptions import (
    CaptchaRequired,
    InsideTransaction,
    NoRoute,
    OverBudget,
    PhoneNotSupported,
    SMSVerifyError,
    Throttled,
    ThrottleUnavailable,
    UnknownPurpose,
)
from django_smsverify.models import PURPOSE, Refusal
from django_smsverify.models.inserts import upsert
from django_smsverify.models.statements import count_refusals
from django_smsverify.transactions import require_autocommit

from .cache import digest, time_limit
from .shared import Charge
from .tally import HOUR, MOST_SUBJECTS, Tally

logger = logging.getLogger("django_smsverify")

PATIENCE = 0.2
"""Seconds that the cache may take to count a refusal for which nothing else is asked of it."""
MOST_DIGITS = 4
"""Of a purpose that does not exist, so that no number is stored as one."""
OUTAGE_PAUSE = 60.0
"""Seconds in which a process stores at most once that the cache does not answer."""
OLD_AT_ONCE = 1000
"""Rows that one run of the poll deletes."""
REASONS: dict[type[BaseException], Refused] = {
    NoRoute: Refused.NO_ROUTE,
    OverBudget: Refused.BUDGET,
    PhoneNotSupported: Refused.NOT_SUPPORTED,
    UnknownPurpose: Refused.UNKNOWN_PURPOSE,
}

_outage_stored_at = -OUTAGE_PAUSE


def tally_of(phone: str) -> Tally:
    """Returns what counts the refusals of a number now."""
    return Tally(phone, time.time())


def refund_and_record(phone: str, purpose: str, charge: Charge, error: BaseException) -> None:
    """Gives back all that a send has counted which this error refused, and stores the refusal, if the charge has a
    tally."""
    reason = error.because if isinstance(error, (CaptchaRequired, Throttled)) else REASONS.get(type(error), "")
    charge.refund(*Scope, because="" if charge.tallied else reason)
    if charge.tally is not None and isinstance(error, SMSVerifyError):
        _emit(phone, purpose, reason or error.code)
    if isinstance(error, ThrottleUnavailable):
        _record_outage()
    else:
        _record(phone, purpose, charge)


def record(phone: str, purpose: str, reason: Refused) -> None:
    """Counts and stores a refusal that came before anything was counted."""
    _emit(phone, purpose, reason)
    charge = Charge(tally_of(phone))
    with time_limit(PATIENCE):
        charge.refund(because=reason)
    _record(phone, purpose, charge)


def _emit(phone: str, purpose: str, reason: str) -> None:
    # Anything may have been posted as a purpose that does not exist, such as a number.
    known = None if reason == Refused.UNKNOWN_PURPOSE else purpose
    events.emit("code.asked", result="refused", reason=str(reason), phone=phone, purpose=known)


def _record(phone: str, purpose: str, charge: Charge) -> None:
    if charge.tally is None or charge.tallied is None:
        return
    reason, times, subjects = charge.tallied
    row = Refusal(phone=phone, purpose=_stored_purpose(purpose, reason), reason=reason)
    if not times:
        row, times = Refusal(reason=Refused.OTHERS), subjects - MOST_SUBJECTS
    if not times & (times - 1):  # 1, 2, 4, 8 …: thousands of refusals are a dozen statements
        _store(row, times, charge.tally.hour)


def _stored_purpose(purpose: str, reason: str) -> str:
    """The purpose, or nothing: anything may have been posted as one that does not exist, such as a number."""
    may_be_number = reason == Refused.UNKNOWN_PURPOSE and sum(map(str.isdigit, purpose)) > MOST_DIGITS
    return purpose if PURPOSE.fullmatch(purpose) and not may_be_number else ""


def _record_outage() -> None:
    global _outage_stored_at
    now = time.time()
    if time.monotonic() - _outage_stored_at >= OUTAGE_PAUSE and _store(
        Refusal(reason=Refused.NO_CACHE), 1, int(now // HOUR)
    ):
        _outage_stored_at = time.monotonic()


def _store(row: Refusal, times: int, hour: int) -> bool:
    """Stores a row or its new count, and returns whether it could; a failure must not hide the refusal itself."""
    row.first_at = row.last_at = timezone.now()
    value = digest(Scope.PHONE, f"{row.phone}:{row.reason}:{hour}")
    row.pk = UUID(hex=value[:32], version=4)  # MariaDB takes none without a version
    try:
        require_autocommit(Refusal)
        if times > 1:
            count_refusals(pk=row.pk, count=times, now=row.last_at)
        elif not upsert(row, "id", "last_at"):
            Refusal.objects.bulk_create([row], ignore_conflicts=True)
    except InsideTransaction:
        return False  # it may be rolled back, and would keep the row locked
    except Exception as error:
        logger.warning("A refused request could not be stored (%s).", type(error).__name__)
        return False
    return True


def forget_old() -> Iterator[str]:
    """Deletes refusals older than RETENTION_DAYS; yields the word that the poll counts, for each."""
    old = Refusal.objects.filter(first_at__lt=timezone.now() - timedelta(days=conf.RETENTION_DAYS))
    for pk in list(old.order_by("first_at").values_list("pk", flat=True)[:OLD_AT_ONCE]):
        if Refusal.objects.filter(pk=pk).delete()[0]:
            yield "refusal forgotten"
