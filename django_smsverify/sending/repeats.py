"""A send that its client repeats after a lost answer: the same verification, and no second SMS."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import IntegrityError
from django.utils import timezone

from django_smsverify.conf import conf
from django_smsverify.enums import MessageStatus
from django_smsverify.exceptions import InProgress, SMSVerifyError
from django_smsverify.idempotency import KeyedRequest
from django_smsverify.models import Message, RememberedRequest, Verification

GRACE = timedelta(seconds=5)
"""How much longer than a gateway call a request may be under way; after that its process has died."""


def send_once(request: KeyedRequest | None, send: Callable[[], Verification]) -> Verification:
    """Calls `send`, or returns the verification of an equal request that succeeded, whatever the limits say.

    Raises IdempotencyMismatch, InProgress, and what `send` raises.
    """
    if request is None:
        return send()
    if found := _repeated(request):
        return found
    try:
        return send()
    except (SMSVerifyError, IntegrityError):
        # A concurrent request with the same key may have been faster.
        if found := _repeated(request):
            return found
        raise


def _repeated(request: KeyedRequest) -> Verification | None:
    """The verification of an equal request; None, and forgotten, where that was refused or its code has ended."""
    remembered = RememberedRequest.objects.recall(request)
    if remembered is None:
        return None
    now, verification = timezone.now(), remembered.verification
    sent = Message.objects.filter(verification=verification, created_at__gte=remembered.created_at)
    statuses = list(sent.order_by("created_at").values_list("status", flat=True))
    is_refused = bool(statuses) and set(statuses) == {MessageStatus.NOT_SENT}
    if is_refused or verification.holder.verified_at or not verification.seconds_left(now):
        RememberedRequest.objects.filter(pk=remembered.pk).delete()
        return None
    if statuses and _is_under_way(statuses[-1], remembered.created_at, now):
        raise InProgress
    verification.sms_sent = bool(statuses) or verification.is_reserved or verification.is_simulated
    return verification


def _is_under_way(status: str, since: datetime, now: datetime) -> bool:
    """Whether another process still calls the vendor; with a task queue the answer does not wait for that."""
    if conf.DISPATCH != "inline" or status not in (MessageStatus.QUEUED, MessageStatus.SENDING):
        return False
    return now - since < timedelta(seconds=conf.TIMEOUT[2]) + GRACE
