"""Requests that a client may repeat after a lost answer: they carry an Idempotency-Key, of which digests are stored."""

from __future__ import annotations

import re
from dataclasses import dataclass

from . import codes
from .exceptions import InvalidIdempotencyKey
from .masked import Secret

HEADER = "Idempotency-Key"
KEY = re.compile(r"[A-Za-z0-9_-]{8,64}")


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """Keyed digests of a request: one under each key of the site, the current one first."""

    keys: tuple[str, ...]
    """Of the endpoint and the Idempotency-Key."""
    bodies: tuple[str, ...]
    """Of what the client asked for, in one spelling."""


def keyed_request(endpoint: str, key: str, body: str) -> KeyedRequest:
    """Returns the digests of a request; raises InvalidIdempotencyKey."""
    if not KEY.fullmatch(key):
        raise InvalidIdempotencyKey
    site_keys = codes.known_key_ids()
    return KeyedRequest(
        keys=tuple(codes.digest(each, f"{endpoint} key:{key}") for each in site_keys),
        bodies=tuple(codes.digest(each, Secret(f"{endpoint} body:{body}")) for each in site_keys),
    )
