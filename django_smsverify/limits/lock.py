"""A lock in the cache, so that only one request at a time works on a number."""

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
"""Seconds until a lock left by a dead process expires; a normal hold takes milliseconds."""


LOCK_WAIT, LOCK_PAUSE = 2.0, 0.02
"""Seconds that a request waits for a lock, and seconds between two attempts to get it."""


@contextmanager
def number_lock(phone: str) -> Iterator[None]:
    """Locks a number for the body, so that one request at a time checks it in the database, where the exact limits are.

    Other requests wait for this short time, to get a correct answer. Raises ThrottleUnavailable, and Throttled when it
    takes much longer, as after a crash.
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
    """Whether this request got the lock.

    For a dead server some backends return False and None, as they do for a lock that was released in between. Whether
    another key, which no other process uses, can be stored tells the two cases apart.
    """
    if cache.add(key, token, LOCK_SECONDS):
        return True
    if cache.get(key) is None and not cache.add(f"{key}:{uuid4().hex}", 1, 1):
        raise ConnectionError("the cache keeps no lock")
    return False


def _release(cache: BaseCache, key: str, token: str) -> None:
    if cache.get(key) == token:
        cache.delete(key)
