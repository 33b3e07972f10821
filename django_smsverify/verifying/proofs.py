"""The signed token that proves that a number was just verified; it can be redeemed once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.core import signing
from django.db import router, transaction
from django.utils import timezone

from django_smsverify import codes, phones
from django_smsverify.conf import conf
from django_smsverify.exceptions import ProofRejected
from django_smsverify.masked import Secret
from django_smsverify.models import PURPOSE, KnownNumber, Recipient, Verification
from django_smsverify.models.history import MAX_CLOCK_SKEW
from django_smsverify.models.inserts import insert
from django_smsverify.numbers import requester_of
from django_smsverify.numbers.devices import make_device_token
from django_smsverify.numbers.recycling import require_same_owner
from django_smsverify.signals import phone_verified

from .context import canonical, context_digest, has_context

PROOF_SALT = "django_smsverify.proof"
MAX_SOURCE = 32


def issue(phone: str, purpose: str, *, source: str, context: Mapping[str, Any] | None = None) -> Secret:
    """Returns a proof for a number that the site knows from elsewhere, without a code: from the carrier or from WeChat.

    `phone` may be written as people write it; `source` names where it comes from, in 1 to 32 characters, and is stored.
    May run inside the caller's transaction; the signal `phone_verified` is sent after its commit.

    Raises InvalidPhone, PhoneNotSupported, InvalidContext, and ValueError for a purpose that is no slug, or a source
    that is empty or too long.
    """
    if not PURPOSE.fullmatch(purpose):
        raise ValueError(f"{purpose!r} is no purpose: use a-z, 0-9, _ and -, such as “login”.")
    if not 1 <= len(source) <= MAX_SOURCE:
        raise ValueError(f"The source has {len(source)} characters: name it in 1 to {MAX_SOURCE}, such as “wechat”.")
    number, bound = phones.parse(phone), canonical(context)
    with transaction.atomic(using=router.db_for_write(Verification)):
        verification = _store_issued(number, purpose, bound, source)
        signal = partial(phone_verified.send_robust, Verification, verification=verification)
        transaction.on_commit(signal, using=router.db_for_write(Verification), robust=True)
    return make_proof(verification)


def _store_issued(phone: str, purpose: str, context: str, source: str) -> Verification:
    recipient, now, key_id = Recipient.objects.lock(phone), timezone.now(), codes.current_key_id()
    known_at = requester_of(phone).verified_at
    verification = Verification(
        recipient=recipient,
        phone=phone,
        purpose=purpose,
        context=context_digest(key_id, phone, purpose, context),
        key_id=key_id,
        code_length=conf.of(purpose).CODE_LENGTH,
        created_at=now,
        expires_at=now,
        max_attempts=0,
        is_reserved=False,
        known_at=known_at,
        verified_at=now,
        source=source,
    )
    insert(verification)
    KnownNumber.objects.remember(phone, now, before=known_at)
    return verification


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


def redeem_proof(
    proof: str,
    purpose: str,
    *,
    context: Mapping[str, Any] | None = None,
    known_since: datetime | None = None,
) -> str:
    """Returns the verified number as E.164, once for each proof.

    `context` must be the one that the code was sent for. `known_since` is when the account that the number leads to was
    last known to have it, such as when it was made. May run inside the caller's transaction: if it is rolled back, the
    proof can be redeemed again.

    Raises InvalidContext; ProofRejected for a proof that is forged, older than PROOF_LIFETIME, for another purpose or
    context, or used; and StalePhone, which leaves the proof as it was, if the number was not verified here for
    STALE_PHONE_DAYS (90, if that is None) at any time after `known_since`.
    """
    verification = _verified(proof, purpose, context)
    if known_since is not None:
        require_same_owner(verification.phone, known_since)
    if not Verification.objects.filter(pk=verification.pk, redeemed_at__isnull=True).update(redeemed_at=timezone.now()):
        raise ProofRejected
    return verification.phone


def read_proof(proof: str, purpose: str, *, context: Mapping[str, Any] | None = None) -> str:
    """Returns the number of a proof that could be redeemed now, as E.164, and leaves the proof as it is.

    Raises InvalidContext and ProofRejected, as `redeem_proof` does.
    """
    verification = _verified(proof, purpose, context)
    if verification.redeemed_at is not None:
        raise ProofRejected
    return verification.phone


def _verified(proof: str, purpose: str, context: Mapping[str, Any] | None) -> Verification:
    """The verification that a proof is of, whether it was redeemed or not."""
    proof, wanted = Secret(proof), canonical(context)
    try:
        pk = UUID(signing.loads(proof, salt=PROOF_SALT, max_age=conf.PROOF_LIFETIME))
    except (signing.BadSignature, TypeError, ValueError):
        raise ProofRejected from None
    # Without verifications from before the clock was set back: the age of their proofs is unknown.
    verification = Verification.objects.filter(pk=pk, verified_at__lte=timezone.now() + MAX_CLOCK_SKEW).first()
    if verification is None or verification.purpose != purpose or not _fits(verification, wanted):
        raise ProofRejected
    return verification


def _fits(verification: Verification, context: str) -> bool:
    try:
        return has_context(verification, context)
    except LookupError:  # its key is no longer configured
        return False
