"""The signed token that proves that a number was just verified; it can be redeemed once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core import signing
from django.utils import timezone

from django_smsverify.conf import conf
from django_smsverify.exceptions import ProofRejected
from django_smsverify.masked import Secret
from django_smsverify.models import Verification
from django_smsverify.models.history import MAX_CLOCK_SKEW
from django_smsverify.numbers.devices import make_device_token

from .context import canonical, has_context

PROOF_SALT = "django_smsverify.proof"


def make_proof(verification: Verification) -> Secret:
    """Returns the signed token that proves that this number was verified for this purpose; always the same one."""
    code = verification.holder
    return Secret(SignerAt(code.verified_at or timezone.now()).sign_object(str(code.pk)))


def device_token_of(verification: Verification) -> Secret:
    """Returns the token by which a client shows later that the number's owner uses it; always the same one."""
    return make_device_token(verification.phone, verification.holder.verified_at or timezone.now())


def proof_seconds_left(verification: Verification, now: datetime) -> int:
    """Returns for how many whole seconds the proof of a verification can be redeemed; 0 where there is none."""
    verified_at = verification.holder.verified_at
    if verified_at is None:
        return 0
    return max(0, math.ceil(conf.PROOF_LIFETIME - (now - verified_at).total_seconds()))


class SignerAt(signing.TimestampSigner):
    """Signs for a given moment, so that the answer to a repeated request has no fresher proof."""

    def __init__(self, moment: datetime) -> None:
        super().__init__(salt=PROOF_SALT)
        self._moment = moment

    def timestamp(self) -> str:
        return signing.b62_encode(int(self._moment.timestamp()))


def redeem_proof(proof: str, purpose: str, *, context: Mapping[str, Any] | None = None) -> str:
    """Returns the verified number as E.164, once for each proof.

    `context` must be the one that the code was sent for. May run inside the caller's transaction: if it is rolled back,
    the proof can be redeemed again.

    Raises InvalidContext, and ProofRejected for a proof that is forged, older than PROOF_LIFETIME, for another purpose
    or context, or used.
    """
    proof, wanted = Secret(proof), canonical(context)
    try:
        pk = UUID(signing.loads(proof, salt=PROOF_SALT, max_age=conf.PROOF_LIFETIME))
    except (signing.BadSignature, TypeError, ValueError):
        raise ProofRejected from None
    now = timezone.now()
    # Without verifications from before the clock was set back: the age of their proofs is unknown.
    rows = Verification.objects.filter(pk=pk, verified_at__lte=now + MAX_CLOCK_SKEW)
    verification = rows.first()
    if verification is None or verification.purpose != purpose or not _fits(verification, wanted):
        raise ProofRejected
    if not rows.filter(redeemed_at__isnull=True).update(redeemed_at=now):
        raise ProofRejected
    return verification.phone


def _fits(verification: Verification, context: str) -> bool:
    try:
        return has_context(verification, context)
    except LookupError:  # its key is no longer configured
        return False
