"""Device tokens: a client that keeps the one that `verify/` answered is known to be the owner's."""

from __future__ import annotations

from datetime import datetime

from django.core import signing

from django_smsverify import codes
from django_smsverify.masked import Secret
from django_smsverify.models import KnownNumber

SALT = "django_smsverify.device"


def make_device_token(phone: str, verified_at: datetime) -> Secret:
    """Returns the signed token of a number that was verified at a moment; always the same one."""
    number = KnownNumber.digest_of(codes.current_key_id(), phone)
    return Secret(signing.Signer(salt=SALT).sign_object({"number": number, "at": verified_at.timestamp()}))


def is_device_of(token: str, phone: str, known: KnownNumber, since: datetime) -> bool:
    """Whether a token is of this number, was made after a moment, and is not revoked; never raises."""
    try:
        content = signing.Signer(salt=SALT).unsign_object(token)
        number, made_at = str(content["number"]), float(content["at"])
    except (signing.BadSignature, KeyError, TypeError, ValueError):
        return False
    first = max(filter(None, (since, known.devices_from))).timestamp()
    return number in KnownNumber.digests_of(phone) and made_at > first
