"""When calls of a provider's webhook came: test pushes of our own, and the vendor's while two secrets work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from django_smsverify.models import Provider

from .notes import fingerprint, moment_in, read_notes, write_note

TEST_PUSH = "test_push"


@dataclass(frozen=True, slots=True)
class LastPushes:
    """When the vendor last called each address, as far as is known since the secret was changed."""

    by_new: datetime | None
    by_previous: datetime | None


def note_test_push(provider: Provider) -> None:
    """Remembers that a test push arrived."""
    write_note(provider.pk, TEST_PUSH, {"at": timezone.now().timestamp()})


def note_push(provider: Provider, secret: str) -> None:
    """Remembers by which secret the vendor called, while two work; it costs nothing otherwise."""
    if provider.previous_webhook_secret:
        write_note(provider.pk, _by(secret), {"at": timezone.now().timestamp()})


def test_pushes(providers: Iterable[Provider]) -> Mapping[int, datetime]:
    """Returns when a test push last arrived, by primary key; by one trip to the cache."""
    notes = read_notes((one.pk, TEST_PUSH) for one in providers)
    return {pk: moment_in(note) for (pk, _what), note in notes.items()}


def last_pushes(provider: Provider) -> LastPushes:
    """Returns when the vendor last called the new address, and when the previous one; by one trip to the cache."""
    new, previous = ((provider.pk, _by(one)) for one in (provider.webhook_secret, provider.previous_webhook_secret))
    found = {place: moment_in(note) for place, note in read_notes([new, previous]).items()}
    return LastPushes(found.get(new), found.get(previous))


def _by(secret: str) -> str:
    return f"push:{fingerprint(secret)}"
