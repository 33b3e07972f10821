"""The token that says that a number was verified just now: signed, and redeemed once."""

from __future__ import annotations

from uuid import UUID

from django.core import signing
from django.utils import timezone

from django_smsverify.conf import conf
from django_smsverify.exceptions import ProofRejected
from django_smsverify.masked import Secret
from django_smsverify.models import Verification
from django_smsverify.models.querysets import MAX_CLOCK_SKEW

PROOF_SALT = "django_smsverify.proof"


def make_proof(verification: Verification) -> Secret:
    """A signed token that says "this number was verified for this purpose just now"."""
    return Secret(signing.dumps(str(verification.pk), salt=PROOF_SALT))


def redeem_proof(proof: str, purpose: str) -> str:
    """The verified number as E.164, once.

    May run inside the caller's transaction: rolled back with it, the proof can be redeemed again.

    Raises ProofRejected for a proof that is forged, older than PROOF_LIFETIME, for another purpose or used.
    """
    proof = Secret(proof)
    try:
        pk = UUID(signing.loads(proof, salt=PROOF_SALT, max_age=conf.PROOF_LIFETIME))
    except (signing.BadSignature, TypeError, ValueError):
        raise ProofRejected from None
    now = timezone.now()
    # Not what was verified before the clock was set back: the age of its proof cannot be told.
    rows = Verification.objects.primary().filter(pk=pk, verified_at__lte=now + MAX_CLOCK_SKEW)
    verification = rows.first()
    if verification is None or verification.purpose != purpose:
        raise ProofRejected
    if not rows.filter(redeemed_at__isnull=True).update(redeemed_at=now):
        raise ProofRejected
    return verification.phone
