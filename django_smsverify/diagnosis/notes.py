"""What is remembered of a provider between two pages, in the throttle's cache: nothing that must not be lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.cache import BaseCache
from django.utils.crypto import salted_hmac

from django_smsverify.limits.cache import call_cache

KEPT_FOR = 90 * 24 * 3600
"""Seconds."""


def write_note(provider: int, what: str, value: Mapping[str, Any]) -> None:
    """Remembers something of a provider; where the cache fails it is not remembered."""

    def write(cache: BaseCache) -> None:
        cache.set(_key(provider, what), {**value}, KEPT_FOR)

    _call(write)


def delete_note(provider: int, what: str) -> None:
    """Forgets something of a provider."""

    def delete(cache: BaseCache) -> None:
        cache.delete(_key(provider, what))

    _call(delete)


def read_notes(wanted: Iterable[tuple[int, str]]) -> Mapping[tuple[int, str], Mapping[str, Any]]:
    """Returns what is remembered of these, by one trip to the cache; nothing where it fails."""
    keys = {_key(*place): place for place in wanted}

    def read(cache: BaseCache) -> Mapping[str, Mapping[str, Any]]:
        return cache.get_many(keys)

    return {keys[key]: value for key, value in ((_call(read) if keys else None) or {}).items()}


def moment_in(note: Mapping[str, Any]) -> datetime:
    """When it was written, for notes with the time `at`."""
    return datetime.fromtimestamp(note["at"], UTC if settings.USE_TZ else None)


def fingerprint(*words: str) -> str:
    """A keyed hash that tells whether these are the same as before, and not what they are."""
    return salted_hmac("django_smsverify.diagnosis.notes", "\0".join(words), algorithm="sha256").hexdigest()[:32]


def _call(work: Any) -> Any:
    try:
        return call_cache(work)
    except Exception:  # a page is shown without its notes; the doctor says what is wrong with the cache
        return None


def _key(provider: int, what: str) -> str:
    return f"smsverify:noted:{what}:{provider}"
