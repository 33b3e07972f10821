"""What stands where a number was: a keyed digest that is short enough for its column.

The same number has the same digest while SECRET_KEY is the same, so that what happened to it still belongs together.
Without the key nobody can try numbers against a digest. Whoever has the key can: as long as it is in SECRET_KEY or its
fallbacks, the number is hidden, and not gone.
"""

from __future__ import annotations

import base64
import secrets

from django_smsverify import codes
from django_smsverify.masked import Secret
from django_smsverify.phones import E164, FORGOTTEN

LETTERS = 15
"""Of five bits each; with the sign before them they fill the column. Of a thousand million numbers two would be alike
once in 75,000 sites."""


def pseudonym(phone: str, key_id: str = "") -> E164:
    """Returns the digest that stands for a number, under the current key or another one of the site."""
    digest = codes.digest(key_id or codes.current_key_id(), Secret(f"forgotten number:{phone}"))
    return _written(bytes.fromhex(digest))


def random_pseudonym() -> E164:
    """Returns one that belongs to no number, so that no key leads back."""
    return _written(secrets.token_bytes(10))


def names_of(phone: str) -> list[E164]:
    """Returns under what a number may be stored: itself, and its digests under all keys of the site."""
    return [E164(phone), *(pseudonym(phone, key_id) for key_id in codes.known_key_ids())]


def _written(digest: bytes) -> E164:
    # Small letters and digits: some collations of MySQL compare without case.
    return E164(FORGOTTEN + base64.b32encode(digest[:10]).decode().lower()[:LETTERS])
