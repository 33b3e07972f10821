"""Codes, derived from a stored nonce and a secret that is not stored: a code itself is never stored."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from functools import lru_cache

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

from .characters import plain
from .masked import Secret

SALT = "django_smsverify.codes"


def new_nonce() -> str:
    """128 random bits as hex."""
    return secrets.token_hex(16)


def current_key_id() -> str:
    """Returns the id of the key that derives new codes."""
    return _key_id(settings.SECRET_KEY)


def is_known(key_id: str) -> bool:
    """Whether the key comes from SECRET_KEY or one of SECRET_KEY_FALLBACKS."""
    return key_id in known_key_ids()


def derive(key_id: str, message: str, length: int) -> Secret:
    """Returns the code of `length` digits for a message, derived with a key.

    256 bits are reduced modulo 10^8 at most: the bias is below 2^-229.

    Raises LookupError when the key is no longer configured.
    """
    digest = hmac.digest(_key(key_id), message.encode(), hashlib.sha256)
    return Secret(str(int.from_bytes(digest) % 10**length).zfill(length))


def known_key_ids() -> list[str]:
    """Returns the ids of the keys from SECRET_KEY and SECRET_KEY_FALLBACKS, the current one first."""
    return [_key_id(secret) for secret in _secrets()]


def digest(key_id: str, message: str) -> str:
    """Returns a keyed digest of a message, as 64 hex digits: without the key nobody can try messages against it.

    Raises LookupError when the key is no longer configured.
    """
    return hmac.digest(_key(key_id, "digest key"), message.encode(), hashlib.sha256).hex()


def as_digits(written: str) -> str:
    """Returns a code as people write it, such as `123 456`, without spaces, dashes and invisible marks, in ASCII
    digits.

    Everything else stays, so that a wrong character is refused and not ignored.
    """
    return re.sub(r"[\s-]", "", plain(written))


def matches(code: str, guess: str) -> bool:
    """Whether a guess equals the code, compared in constant time."""
    return guess.isascii() and constant_time_compare(code, guess)


def _key(key_id: str, use: str = "key") -> bytes:
    for secret in _secrets():
        if _key_id(secret) == key_id:
            return _derived(secret, use)
    raise LookupError("The key of this code is neither SECRET_KEY nor one of SECRET_KEY_FALLBACKS.")


def _secrets() -> tuple[str | bytes, ...]:
    return (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


def _key_id(secret: str | bytes) -> str:
    return _derived(secret, "key id").hex()[:16]


@lru_cache(maxsize=32)
def _derived(secret: str | bytes, use: str) -> bytes:
    """A key for one use; kept in memory, where the settings keep the secret itself."""
    return salted_hmac(SALT, use, secret=secret, algorithm="sha256").digest()
