"""Codes: derived from a stored nonce and a secret that is not stored, so that no code ever lies at rest."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac
from django.views.decorators.debug import sensitive_variables

SALT = "django_smsverify.codes"


def new_nonce() -> str:
    """128 random bits as hex."""
    return secrets.token_hex(16)


def current_key_id() -> str:
    """Names the key that new codes are derived with."""
    return _key_id(settings.SECRET_KEY)


@sensitive_variables()
def derive(key_id: str, message: str, length: int) -> str | None:
    """The code of `length` digits for a message, or None when the key `key_id` is no longer configured.

    The key comes from SECRET_KEY or one of SECRET_KEY_FALLBACKS. 256 bits reduced modulo 10^8 at most:
    the bias is below 2^-229.
    """
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        if _key_id(secret) == key_id:
            key = salted_hmac(SALT, "key", secret=secret, algorithm="sha256").digest()
            digest = hmac.digest(key, message.encode(), hashlib.sha256)
            return str(int.from_bytes(digest) % 10**length).zfill(length)
    return None


@sensitive_variables()
def matches(code: str | None, guess: str) -> bool:
    """Whether a guess is the code, in a time that tells nothing; no code matches nothing."""
    return code is not None and constant_time_compare(code, guess)


@sensitive_variables()
def _key_id(secret: str | bytes) -> str:
    return salted_hmac(SALT, "key id", secret=secret, algorithm="sha256").hexdigest()[:16]
