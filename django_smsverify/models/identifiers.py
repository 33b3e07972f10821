"""Ids in the order of time, so that new rows stand together in an index and old pages of it are not read."""

from __future__ import annotations

import secrets
import time
from uuid import UUID

RANDOM_BITS = 74


def new_id() -> UUID:
    """Returns a UUID of version 7 (RFC 9562): the milliseconds since 1970, and 74 random bits.

    All of them are new for each id, without a counter: who knows the id of a verification may guess its code.
    """
    milliseconds, random = time.time_ns() // 1_000_000, secrets.randbits(RANDOM_BITS)
    first, rest = random >> 62, random & ((1 << 62) - 1)
    return UUID(int=(milliseconds & ((1 << 48) - 1)) << 80 | 7 << 76 | first << 64 | 2 << 62 | rest)
