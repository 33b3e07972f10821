"""What every attack finds: a site with one provider, and a clock that only the attacker moves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine

from django_smsverify.models import Provider
from tests.conftest import MakeProvider

NOON = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture(autouse=True)
def provider(memory: MakeProvider, clock: time_machine.Traveller) -> Provider:
    return memory("login", "payment")
