"""The cache that all processes share, asked for no longer than a request can wait.

How long a client waits for a silent server is up to the site: some clients wait for ever, others swallow the error
so that the next call waits again. So each call is made in a thread of its own, which is left behind when the time is
up. Local memory, files and a database are called directly: they have time-outs of their own, and a database
connection belongs to its thread.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Generic, TypeVar

from django.conf import settings
from django.core.cache import BaseCache, caches
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.db import connections
from django.utils.crypto import salted_hmac

from django_smsverify.enums import Scope
from django_smsverify.exceptions import ThrottleUnavailable

R = TypeVar("R")
logger = logging.getLogger("django_smsverify")

MAX_SECONDS = 2.0
"""What all cache work of one request may take."""
MAX_HUNG_CALLS = 32
"""So many calls of one process may hang; then further calls fail at once, until one of them ends."""
CALLED_DIRECTLY = (LocMemCache, DummyCache, FileBasedCache, DatabaseCache)


@dataclass(slots=True)
class TimeLeft:
    """The seconds that the cache may still take. Only waiting for the cache counts, not the vendor's time."""

    seconds: float


_time_left: ContextVar[TimeLeft] = ContextVar("smsverify_cache_time_left")
_hung: set[Thread] = set()


def cache_alias() -> str:
    """The cache that keeps the limits: django-ratelimit's."""
    return str(getattr(settings, "RATELIMIT_USE_CACHE", "default"))


def the_cache() -> BaseCache:
    return caches[cache_alias()]


@contextmanager
def time_limit() -> Iterator[None]:
    """All calls in the body together may take MAX_SECONDS; inside another limit, what is left of that one."""
    if _time_left.get(None) is not None:
        yield
        return
    token = _time_left.set(TimeLeft(MAX_SECONDS))
    try:
        yield
    finally:
        _time_left.reset(token)


def call_cache(
    work: Callable[[BaseCache], R],
    undo: Callable[[BaseCache], object] | None = None,
    *,
    is_poll: bool = False,
) -> R:
    """What `work` returns, which is given the cache; raises what it raises, and TimeoutError when the time is up.

    `work` may run in another thread: it must not use the database or send signals. When it succeeds too late,
    `undo` takes back what it did. A poll, which is made again and again until somebody else is ready, takes nothing
    of the time when it is answered: how long it goes on is for the caller to bound.
    """
    alias = cache_alias()
    cache = caches[alias]
    if isinstance(cache, CALLED_DIRECTLY):
        return work(cache)
    with time_limit():
        call = _Call(cache, work, undo)
        if not _is_answered(call, is_poll):
            _hung.add(call)
            # The hung call keeps its connection: nobody else may read an answer that was meant for it.
            caches[alias] = caches.create_connection(alias)
            raise TimeoutError(f"the cache did not answer within {MAX_SECONDS:g} seconds")
    return call.result()


def _is_answered(call: _Call[R], is_poll: bool) -> bool:
    """Whether a call has ended within what is left of the time; raises TimeoutError when it cannot even begin."""
    left = _time_left.get()
    if left.seconds <= 0:
        raise TimeoutError("the cache has used up the time of this request")
    _require_room()
    started = time.monotonic()
    call.start()
    in_time = call.wait(left.seconds)
    if not (is_poll and in_time):
        left.seconds -= time.monotonic() - started
    return in_time


def _require_room() -> None:
    """Raises TimeoutError when too many calls hang. After a fork, those of the parent do not."""
    if len(_hung) >= MAX_HUNG_CALLS:
        _hung.difference_update([call for call in tuple(_hung) if not call.is_alive()])
    if len(_hung) >= MAX_HUNG_CALLS:
        raise TimeoutError(f"{MAX_HUNG_CALLS} calls of the cache hang")


class _Call(Thread, Generic[R]):
    """Work on the cache in a thread of its own, for which the caller may cease to wait."""

    def __init__(
        self, cache: BaseCache, work: Callable[[BaseCache], R], undo: Callable[[BaseCache], object] | None
    ) -> None:
        super().__init__(name="smsverify-cache", daemon=True)
        self._cache, self._work, self._undo = cache, work, undo
        # What a tracing library or a KEY_FUNCTION keeps there is the caller's.
        self._context = copy_context()
        self._settled = Lock()
        self._error: BaseException | None = None

    def wait(self, seconds: float) -> bool:
        """Whether it has ended in time; if not, its result is of no use to anybody."""
        self.join(seconds)
        return not (self.is_alive() and self._settle())

    def result(self) -> R:
        if self._error is not None:
            raise self._error
        return self._answer

    def run(self) -> None:
        try:
            self._context.run(self._do)
        finally:
            connections.close_all()  # a cache's client or its key function may have opened one in this thread

    def _do(self) -> None:
        try:
            self._answer = self._work(self._cache)
        except BaseException as error:
            self._error = error
        if not self._settle():
            self._take_back()

    def _settle(self) -> bool:
        """Whether this side is the first: the one that ends the call, or the one that ceases to wait for it."""
        return self._settled.acquire(blocking=False)

    def _take_back(self) -> None:
        with suppress(Exception):
            if self._error is None and self._undo is not None:
                self._undo(self._cache)
        with suppress(Exception):
            self._cache.close()


COUNT_ATTEMPTS = 5
"""A counter may be flushed between the question whether it is there and the counting."""


def digest(scope: Scope, subject: str) -> str:
    """What stands for a number or an address in a cache key."""
    return salted_hmac(f"django_smsverify.throttling.{scope}", subject, algorithm="sha256").hexdigest()


def increment(cache: BaseCache, key: str, seconds: int) -> int:
    """Counts one more, from 1, for so many seconds after the first; raises when the cache does not count."""
    for _attempt in range(COUNT_ATTEMPTS):
        if cache.add(key, 1, seconds):
            return 1
        with suppress(ValueError):  # gone since, as after a flush
            count: int | None = cache.incr(key)
            if count is not None and count is not False:
                return count
    raise ConnectionError("the cache does not count")


def ask_or_refuse(ask: Callable[[BaseCache], R], undo: Callable[[BaseCache], object], *, is_poll: bool = False) -> R:
    """Asks the cache; raises ThrottleUnavailable when it does not answer in time, whatever its client raises.

    `undo` takes back what an answer that comes too late has taken.
    """
    try:
        return call_cache(ask, undo, is_poll=is_poll)
    except Exception as error:
        logger.error("The throttle's cache %r failed (%s): nothing is sent.", cache_alias(), type(error).__name__)
    raise ThrottleUnavailable
