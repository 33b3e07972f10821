"""What a test number gets in place of an SMS: a verification alone. No limit of sending counts it, and no budget."""

from __future__ import annotations

from functools import partial

from django.utils import timezone

from django_smsverify.conf import conf
from django_smsverify.exceptions import CodeExpired
from django_smsverify.idempotency import KeyedRequest
from django_smsverify.limits.failures import with_failures
from django_smsverify.limits.flood import check_flood
from django_smsverify.limits.per_number import NumberHistory
from django_smsverify.models import Recipient, RememberedRequest, Verification
from django_smsverify.numbers.test_numbers import is_test_number
from django_smsverify.transactions import run_committed

from .joining import extend_or_refuse
from .new_code import create_code
from .request import CodeRequest


def simulate_code(request: CodeRequest) -> Verification:
    """Returns a verification as `send_code` does; every one has the number's own code.

    A vendor, a provider and an approved template are not needed. Raises Throttled for a flood of requests.
    """
    _check_flood(request.ip)
    return run_committed(Verification, partial(_create, request))


def simulate_resend(verification: Verification, ip: str | None, keyed: KeyedRequest | None) -> Verification:
    """Extends the life of a live code as `resend_code` does; raises CodeExpired once the number gets SMS again."""
    _check_flood(ip)
    if not is_test_number(verification.phone):
        raise CodeExpired
    run_committed(Verification, partial(_extend, verification, keyed))
    return verification


def _check_flood(ip: str | None) -> None:
    """Protects the database: each request makes a row, and no limit of sending stops it."""
    if ip is not None:
        check_flood("simulated", ip)


def _create(request: CodeRequest) -> Verification:
    recipient, now = Recipient.objects.lock(request.phone), timezone.now()
    history = NumberHistory.read(request.phone, now)
    is_locked = with_failures(history, recipient, request.requester.verified_at).is_locked
    # Nothing is reserved: no SMS adds a guess, so each must be one that the number has left. After too many wrong ones
    # it has none: its code stays the same.
    attempts = 0 if is_locked else conf.of(request.purpose).MAX_ATTEMPTS
    own = {"max_attempts": attempts, "is_reserved": False, "simulated_at": now}
    verification = create_code(recipient, request, now, **own)
    RememberedRequest.objects.remember(request.keyed, verification, now)
    return verification


def _extend(verification: Verification, keyed: KeyedRequest | None) -> None:
    now = timezone.now()
    extend_or_refuse(verification, now, simulated_at=now)
    verification.simulated_at = now
    RememberedRequest.objects.remember(keyed, verification, now)
