"""Numbers that carriers gave to somebody else (二次号): noticed by a long time without a success here."""

from __future__ import annotations

import logging
from datetime import datetime

from django.utils.timezone import is_naive

from django_smsverify.conf import conf
from django_smsverify.exceptions import StalePhone, describe
from django_smsverify.models import KnownNumber
from django_smsverify.models.numbers import shortest_silence

logger = logging.getLogger("django_smsverify")


def require_same_owner(phone: str, known_since: datetime) -> None:
    """Raises StalePhone for a number that was just verified, if it was silent for too long after `known_since`.

    STALE_PHONE_CHECK is asked before. Raises ValueError for a time without a time zone.
    """
    if is_naive(known_since):
        raise ValueError("known_since has no time zone: use django.utils.timezone.make_aware().")
    silent_since = _silent_since(phone, known_since)
    if silent_since is None:
        return
    if not _has_same_owner(phone, silent_since):
        raise StalePhone(silent_since)
    confirm_owner(phone)


def confirm_owner(phone: str) -> None:
    """Forgets that a number was silent: the site knows by other means than a code that its owner is still the same."""
    KnownNumber.objects.of(phone).update(silent_since=None, silent_until=None)


def _silent_since(phone: str, known_since: datetime) -> datetime | None:
    """The beginning of the last silence after a moment, if that was long enough for another owner."""
    known = KnownNumber.objects.of(phone).order_by("-verified_at").first()
    if known is None or known.silent_until is None:
        return None
    since = max(known_since, known.silent_since or known_since)
    return since if known.silent_until - since >= shortest_silence() else None


def _has_same_owner(phone: str, silent_since: datetime) -> bool:
    """What the site's own check says; no, where there is none or it fails."""
    check, failure = conf.STALE_PHONE_CHECK, ""
    if check is None:
        return False
    try:
        return check(phone, silent_since) is True
    except Exception as error:
        failure = describe(error)
    logger.error("STALE_PHONE_CHECK failed, so the number counts as somebody else's: %s", failure)
    return False
