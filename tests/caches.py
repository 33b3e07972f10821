"""Caches that the app takes for shared between processes, each with the behaviour that a test needs."""

from __future__ import annotations

from threading import Event
from typing import Any, ClassVar

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.cache.backends.locmem import LocMemCache


class SharedCache(BaseCache):
    """Counts as Redis does; its values are stored in this process."""

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._store = LocMemCache(f"shared {location}", params)

    def add(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        return self._store.add(key, value, timeout, version)

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        return self._store.get(key, default, version)

    def set(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        self._store.set(key, value, timeout, version)

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        return self._store.incr(key, delta, version)

    def delete(self, key: str, version: int | None = None) -> bool:
        return self._store.delete(key, version)

    def clear(self) -> None:
        self._store.clear()


class HangingCache(SharedCache):
    """Blocks while its server does not respond, and then runs the command, as Redis does."""

    answers: ClassVar[Event] = Event()
    closed: ClassVar[Event] = Event()

    def add(self, *args: Any, **kwargs: Any) -> bool:
        self.answers.wait()
        return super().add(*args, **kwargs)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        self.answers.wait()
        return super().get(*args, **kwargs)

    def close(self, **kwargs: Any) -> None:
        self.closed.set()


class UncountingCache(SharedCache):
    """Stores values and cannot count, like HerdClient of django-redis."""

    def incr(self, *args: Any, **kwargs: Any) -> int:
        raise NotImplementedError


class ReadOnlyError(Exception):
    """The error of a Redis replica."""


class ReplicaCache(SharedCache):
    """Adds on the primary and counts on a replica."""

    def incr(self, *args: Any, **kwargs: Any) -> int:
        raise ReadOnlyError("You can't write against a read only replica.")


class SwallowingCache(SharedCache):
    """A client that hides that its server is down."""

    def add(self, *args: Any, **kwargs: Any) -> bool:
        return False


class AbsentCache(SharedCache):
    """A client that raises an error when its server is down."""

    def add(self, *args: Any, **kwargs: Any) -> bool:
        raise ConnectionRefusedError("redis://:password@10.0.0.1")


class NothingCountedCache(SharedCache):
    """A client that hides that it cannot count."""

    def incr(self, *args: Any, **kwargs: Any) -> Any:
        return None


class AlwaysAddingCache(SharedCache):
    """Gives the same lock to every caller."""

    def add(self, *args: Any, **kwargs: Any) -> bool:
        super().add(*args, **kwargs)
        return True
