"""Signed requests of apps, which have no page: they count as a fresh page ticket.

The client signs by HMAC-SHA256, with its secret, five lines: method, path with query, timestamp, nonce, and the SHA-256
of the body in hex.
"""

from __future__ import annotations

import hmac
import re
import time
from typing import NamedTuple

from django.utils import timezone

from django_smsverify.exceptions import UndecryptableValue
from django_smsverify.http.json_body import JSONRequest
from django_smsverify.limits.cache import ask_or_refuse
from django_smsverify.models import ClientKey

HEADERS = ("X-SMSVerify-Key", "X-SMSVerify-Timestamp", "X-SMSVerify-Nonce", "X-SMSVerify-Signature")
SPELLING = re.compile(r"([0-9a-f]{16}) ([0-9]{10}) ([A-Za-z0-9_-]{16,64}) ([0-9a-f]{64})", re.ASCII)
"""Of the four headers, with a space between them; a database may ignore case, the name of a nonce must not."""
WINDOW = 300
"""Seconds by which the clock of a client may be wrong."""
REMEMBERED = 2 * WINDOW + 60
"""Seconds for which a nonce is remembered: a request from a clock that is ahead is valid for so long."""


class Signed(NamedTuple):
    """What the headers say."""

    key: str
    timestamp: str
    nonce: str
    signature: str


def is_signed(request: JSONRequest) -> bool:
    """Whether an app signed this request with a valid key, and it came for the first time.

    A request that is not signed, or wrongly, costs no statement unless it names a key. Raises ThrottleUnavailable if
    the cache does not tell whether it is a repetition.
    """
    signed = _headers_of(request)
    return signed is not None and _is_genuine(request, signed) and _is_new(signed)


def _headers_of(request: JSONRequest) -> Signed | None:
    """The headers; None without them, if one is malformed, or too old."""
    found = SPELLING.fullmatch(" ".join(request.headers.get(name, "") for name in HEADERS))
    if found is None or abs(time.time() - int(found[2])) > WINDOW:
        return None
    return Signed(*found.groups())


def _is_genuine(request: JSONRequest, signed: Signed) -> bool:
    key = ClientKey.objects.filter(key_id=signed.key, is_active=True).first()
    if key is None:
        return False
    lines = [str(request.method), request.get_full_path(), signed.timestamp, signed.nonce, request.body_digest]
    message = "\n".join(lines).encode()
    try:
        secrets = list(key.valid_secrets(timezone.now()))
    except UndecryptableValue:  # an operator is told where the key is shown
        return False
    expected = [hmac.digest(secret.encode(), message, "sha256").hex() for secret in secrets]
    return any(hmac.compare_digest(one, signed.signature) for one in expected)


def _is_new(signed: Signed) -> bool:
    name = f"smsverify:nonce:{signed.key}:{signed.nonce}"
    return bool(ask_or_refuse(lambda cache: cache.add(name, 1, REMEMBERED), lambda cache: cache.delete(name)))
