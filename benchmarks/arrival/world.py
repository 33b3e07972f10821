"""A world on a virtual clock: people ask the app for codes, one after another; what happens later is an event."""

from __future__ import annotations

import heapq
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any, NamedTuple
from uuid import UUID

import time_machine
from django.core.cache import cache
from django.test import override_settings

from django_smsverify.enums import Carrier
from django_smsverify.exceptions import NoRoute, Throttled
from django_smsverify.models import Provider
from django_smsverify.sending import resend_code, send_code
from django_smsverify.signals import circuit_changed
from django_smsverify.verifying import verify_code

BLOCKS = {Carrier.MOBILE: "138", Carrier.UNICOM: "130", Carrier.TELECOM: "189"}
START = 1_795_000_000.0
PATIENCE, MAX_RESENDS = 61.0, 2
"""Seconds after which a person without a code asks for it again, and how often."""
TYPING = 4.0
"""Seconds from the arrival of an SMS until its code is typed in."""


@dataclass
class Person:
    """Somebody who asks for a code, and how it went."""

    phone: str
    carrier: Carrier
    asked_at: float
    verification_id: UUID | None = None
    got_at: float | None = None
    is_verified: bool = False
    resends: int = 0

    @property
    def waited(self) -> float:
        """Seconds until the code arrived."""
        return float("inf") if self.got_at is None else self.got_at - self.asked_at


class Turn(NamedTuple):
    """A circuit was opened or closed."""

    at: float
    provider: str
    carrier: str
    is_open: bool


def seconds_of(moment: datetime) -> float:
    """Seconds since the beginning."""
    return moment.timestamp() - START


@dataclass
class World:
    """The people, the clock and the events; all times are seconds since the beginning."""

    seed: int = 0
    people: dict[str, Person] = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)  # noqa: S311 - it only has to repeat
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._clock: Any = None

    @property
    def now(self) -> float:
        return time.time() - START

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        """Has something happen later."""
        heapq.heappush(self._events, (self.now + seconds, next(self._order), event))

    def wait(self, seconds: float) -> None:
        """Lets time pass for what happens now; other events keep their moments, as in other threads."""
        self._clock.shift(seconds)

    def run(self, people: int, pause: float, settings: Mapping[str, Any]) -> None:
        """Lets so many people of each carrier ask, with a pause between two of one carrier, until nothing is left."""
        with self._in_place(settings):
            for number in range(people):
                for place, carrier in enumerate(BLOCKS):
                    person = Person(f"+86{BLOCKS[carrier]}{number:08}", carrier, number * pause + place)
                    self.people[person.phone] = person
                    self.after(person.asked_at, lambda person=person: self._ask(person))  # type: ignore[misc]
            while self._events:
                moment, _, event = heapq.heappop(self._events)
                self._clock.move_to(START + moment)
                event()

    @contextmanager
    def _in_place(self, settings: Mapping[str, Any]) -> Iterator[None]:
        def note(provider: Provider, circuit: Any, carrier: str, **more: Any) -> None:
            self.turns.append(Turn(self.now, provider.slug, carrier, circuit is not None))

        circuit_changed.connect(note)
        cache.clear()
        try:
            with time_machine.travel(START, tick=False) as self._clock, override_settings(SMSVERIFY=settings):
                yield
        finally:
            circuit_changed.disconnect(note)

    def _ask(self, person: Person) -> None:
        self.after(PATIENCE, lambda: self._ask_again(person))
        with suppress(NoRoute):
            person.verification_id = send_code(person.phone, "login").pk

    def _ask_again(self, person: Person) -> None:
        if person.got_at is not None or person.resends == MAX_RESENDS or person.verification_id is None:
            return
        person.resends += 1
        self.after(PATIENCE, lambda: self._ask_again(person))
        with suppress(NoRoute, Throttled):
            resend_code(person.verification_id)

    def arrive(self, phone: str, code: str) -> None:
        """The phone has an SMS; its owner types the first code that comes."""
        person = self.people[phone]
        if person.got_at is None:
            person.got_at = self.now
            self.after(TYPING, lambda: self._verify(person, code))

    def _verify(self, person: Person, code: str) -> None:
        if person.verification_id is not None:
            verify_code(person.verification_id, code)
            person.is_verified = True
