"""Ids of verifications and messages: in the order of time, and hard to guess."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import RFC_4122

import time_machine

from django_smsverify.models.identifiers import RANDOM_BITS, new_id

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_an_id_is_a_uuid_of_version_7_with_its_time() -> None:
    with time_machine.travel(NOON, tick=False):
        made = new_id()

    assert (made.version, made.variant) == (7, RFC_4122)
    assert made.int >> 80 == NOON.timestamp() * 1000


def test_a_later_id_is_greater() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        made = []
        for _ in range(100):
            made.append(new_id())
            clock.shift(timedelta(milliseconds=1))

    assert made == sorted(made)


def test_every_random_bit_is_new_for_each_id() -> None:
    """Within a millisecond, too: an id says nothing about the next one."""
    with time_machine.travel(NOON, tick=False):
        made = [new_id().int for _ in range(500)]

    ones = [sum(number >> bit & 1 for number in made) for bit in range(80)]
    changing = [bit for bit, count in enumerate(ones) if count not in (0, len(made))]
    assert len(changing) == RANDOM_BITS
    assert all(150 < ones[bit] < 350 for bit in changing), "each of them is set in about one half"
    differences = {after - before for before, after in pairwise(made)}
    assert len(differences) == len(made) - 1, "no counter"
