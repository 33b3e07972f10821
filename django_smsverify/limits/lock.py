"""One request at a time for each number, by a lock in the cache."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import uuid4

from django.core.cache import BaseCache

from django_smsverify.enums import Scope
from django_smsverify.exceptions import Throttled

from .cache import ask_or_refuse, call_cache, digest

LOCK_SECONDS = 10
"""A claim takes milliseconds; after this a lock that a dead process left is void."""


LOCK_WAIT, LOCK_PAUSE = 2.0, 0.02
"""Seconds that a request waits for a lock, and between two looks at it."""


@contextmanager
def number_lock(phone: str) -> Iterator[None]:
    """Lets one request at a time ask the database about a number; what is exact is decided there.

    The others wait for the moment that this takes, to be told the truth. Raises Throttled when it takes much
    longer, as after a crash.
    """
    key, token = f"smsverify:number:{digest(Scope.PHONE, phone)}", uuid4().hex
    until = time.monotonic() + LOCK_WAIT
    while not ask_or_refuse(
        lambda cache: _acquire(cache, key, token), lambda cache: _release(cache, key, token), is_poll=True
    ):
        if time.monotonic() > until:
            raise Throttled(Scope.RESEND, LOCK_SECONDS)
        time.sleep(LOCK_PAUSE)
    try:
        yield
    finally:
        with suppress(Exception):
            call_cache(lambda cache: _release(cache, key, token))


def _acquire(cache: BaseCache, key: str, token: str) -> bool:
    """Whether the lock is ours. Some backends answer a dead server with False and None, as they do a lock that was
    let go in between: whether a key that nobody else has can be kept tells the two apart."""
    if cache.add(key, token, LOCK_SECONDS):
        return True
    if cache.get(key) is None and not cache.add(f"{key}:{uuid4().hex}", 1, 1):
        raise ConnectionError("the cache keeps no lock")
    return False


def _release(cache: BaseCache, key: str, token: str) -> None:
    if cache.get(key) == token:
        cache.delete(key)
