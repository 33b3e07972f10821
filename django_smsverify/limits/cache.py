"""The cache that all processes share, with a limit on how long a request waits for it.

The site decides how long a client waits for an unresponsive server: some clients wait forever, others swallow the error
so that the next call waits again. So each call runs in another thread, for which nobody waits when the time is up.
Local memory, files and a database are called directly: they have their own timeouts, and a database connection belongs
to its thread.
"""

from __future__ import annotations

import hmac
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.core.cache import BaseCache, caches
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.db import connections
from django.utils.crypto import salted_hmac

from django_smsverify.conf import conf
from django_smsverify.enums import Scope
from django_smsverify.exceptions import ThrottleUnavailable

from .threads import cache_threads

R = TypeVar("R")
logger = logging.getLogger("django_smsverify")

MAX_SECONDS = 2.0
"""Seconds that all cache calls of one request may take."""
MAX_HUNG_CALLS = 32
"""At most this many calls of one process may hang; then further calls fail at once, until one of them ends."""
CALLED_DIRECTLY = (LocMemCache, DummyCache, FileBasedCache, DatabaseCache)


@dataclass(slots=True)
class TimeLeft:
    """The seconds that the cache may still take. Only the wait for the cache counts, not the wait for a vendor."""

    seconds: float


_time_left: ContextVar[TimeLeft] = ContextVar("smsverify_cache_time_left")
_hung: set[_Call[Any]] = set()
if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=_hung.clear)


def cache_alias() -> str:
    """Returns the alias of the cache that keeps the limits: the one that django-ratelimit uses."""
    return str(getattr(settings, "RATELIMIT_USE_CACHE", "default"))


@contextmanager
def time_limit(seconds: float | None = None) -> Iterator[None]:
    """Limits all cache calls in the body to MAX_SECONDS, or these, in total; inside another limit, to what is left of
    that."""
    if _time_left.get(None) is not None:
        yield
        return
    token = _time_left.set(TimeLeft(MAX_SECONDS if seconds is None else seconds))
    try:
        yield
    finally:
        _time_left.reset(token)


def call_cache(work: Callable[[BaseCache], R], undo: Callable[[BaseCache], object] | None = None) -> R:
    """Calls `work` with the cache and returns its result; raises what it raises, and TimeoutError when the time is up.

    `work` may run in another thread: it must not use the database or send signals. If it succeeds too late, `undo`
    reverts it.
    """
    alias = cache_alias()
    cache = caches[alias]
    if isinstance(cache, CALLED_DIRECTLY):
        return work(cache)
    with time_limit():
        call = _Call(cache, work, undo)
        if not _is_answered(call):
            _hung.add(call)
            # The hung call keeps its connection: no other call may read the answer meant for it.
            caches[alias] = caches.create_connection(alias)
            raise TimeoutError(f"the cache did not answer within {MAX_SECONDS:g} seconds")
    return call.result()


def _is_answered(call: _Call[R]) -> bool:
    """Whether a call ended within the time left; raises TimeoutError when it cannot even start."""
    left = _time_left.get()
    if left.seconds <= 0:
        raise TimeoutError("the cache has used up the time of this request")
    _require_room()
    started = time.monotonic()
    cache_threads.run(call.run)
    in_time = call.is_answered(left.seconds)
    # A call that was not answered has used up the time.
    left.seconds = left.seconds - (time.monotonic() - started) if in_time else 0
    return in_time


def _require_room() -> None:
    """Raises TimeoutError when too many calls hang."""
    if len(_hung) >= MAX_HUNG_CALLS:
        _hung.difference_update([call for call in tuple(_hung) if call.wait(0)])
    if len(_hung) >= MAX_HUNG_CALLS:
        raise TimeoutError(f"{MAX_HUNG_CALLS} calls of the cache hang")


class _Call(Generic[R]):
    """A cache call in another thread; the caller can stop waiting for it."""

    def __init__(
        self, cache: BaseCache, work: Callable[[BaseCache], R], undo: Callable[[BaseCache], object] | None
    ) -> None:
        self._cache, self._work, self._undo = cache, work, undo
        # A tracing library or a KEY_FUNCTION needs the caller's context variables.
        self._context = copy_context()
        self._settled, self._under_way = Lock(), Lock()
        self._under_way.acquire()
        self._error: BaseException | None = None

    def wait(self, seconds: float) -> bool:
        """Whether it ended in time."""
        if not self._under_way.acquire(timeout=seconds):
            return False
        self._under_way.release()
        return True

    def is_answered(self, seconds: float) -> bool:
        """Whether it ended in time; if not, its result is discarded."""
        return self.wait(seconds) or not self._settle()

    def result(self) -> R:
        """What `work` returned; raises what it raised, which is not kept."""
        error, self._error = self._error, None
        if error is None:
            return self._answer
        try:
            raise error
        finally:
            del error, self  # its traceback refers to both: a cache with open sockets would wait for the collector

    def run(self) -> None:
        try:
            self._context.run(self._run_and_settle)
        finally:
            with suppress(Exception):
                connections.close_all()  # a cache's client or its key function may have opened one in this thread
            self._under_way.release()

    def _run_and_settle(self) -> None:
        try:
            self._answer = self._work(self._cache)
        except BaseException as error:
            self._error = error
        if not self._settle():
            self._revert()

    def _settle(self) -> bool:
        """Whether this thread is the first one here: the thread of the call, or the caller that stops waiting."""
        return self._settled.acquire(blocking=False)

    def _revert(self) -> None:
        with suppress(Exception):
            if self._error is None and self._undo is not None:
                self._undo(self._cache)
        with suppress(Exception):
            self._cache.close()
        self._error = None  # see `result`


COUNT_ATTEMPTS = 5
"""How often to try, because the cache may be flushed between two calls, such as `add` and `incr`."""


def digest(scope: Scope, subject: str) -> str:
    """Returns a keyed hash in hex, of 128 bits, that stands for a number or an address in a cache key: Django looks at
    every character of a key."""
    key = _key(f"django_smsverify.throttling.{scope}", settings.SECRET_KEY)
    return hmac.digest(key, subject.encode(), "sha256")[:16].hex()


@lru_cache(maxsize=16)
def _key(salt: str, secret: str | bytes) -> bytes:
    """The key of a scope; kept in memory, where the settings keep the secret itself."""
    return salted_hmac(salt, "key", secret=secret, algorithm="sha256").digest()


def increment(cache: BaseCache, key: str, seconds: int) -> int:
    """Adds one to a counter, from 1, and returns the count; it expires `seconds` after the first count.

    Raises ConnectionError when the cache does not count.
    """
    for _attempt in range(COUNT_ATTEMPTS):
        if cache.add(key, 1, seconds):
            return 1
        with suppress(ValueError):  # the key is gone, for example after a flush
            count: int | None = cache.incr(key)
            if count is not None and count is not False:
                return count
    raise ConnectionError("the cache does not count")


def ask_or_refuse(ask: Callable[[BaseCache], R], undo: Callable[[BaseCache], object] | None = None) -> R:
    """Calls the cache; raises ThrottleUnavailable when it fails or does not answer in time, whatever its client raises.

    `undo` reverts a call that succeeds too late.
    """
    try:
        return call_cache(ask, undo)
    except Exception as error:
        then = "nothing is sent" if conf.ON_CACHE_FAILURE == "refuse" else "what the database knows still binds"
        logger.error("The throttle's cache %r failed (%s): %s.", cache_alias(), type(error).__name__, then)
    raise ThrottleUnavailable
