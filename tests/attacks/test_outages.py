"""Outages: what an attacker gets who brings the cache of the limits down first."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from django.test import override_settings

from django_smsverify.gateways.local import MemoryGateway
from tests.conftest import PHONE
from tests.test_guard import address, apart, in_block

from .visitors import Visitor, pump, told

pytestmark = pytest.mark.django_db(transaction=True)


def no_cache() -> Any:
    return override_settings(CACHES={"default": {"BACKEND": "tests.test_limits.DeadCache"}})


def test_without_a_cache() -> None:
    """Kill the cache, so that nothing is counted any more: nothing is sent without it."""
    with no_cache():
        assert told(Visitor().ask()) == "throttle_unavailable"
    assert not MemoryGateway.outbox


@pytest.mark.slow
def test_one_number_without_a_cache(clock: time_machine.Traveller, settings: Any) -> None:
    """Bomb a number of a site that sends without its cache: a number's own limits need none."""
    settings.SMSVERIFY = {"ON_CACHE_FAILURE": "degrade"}
    with no_cache():
        assert pump(clock, 58, lambda number: PHONE, every=61) == 5


def test_many_numbers_without_a_cache(clock: time_machine.Traveller, settings: Any) -> None:
    """Pump a site that sends without its cache: block, network and site are counted from rows."""
    settings.SMSVERIFY = {"ON_CACHE_FAILURE": "degrade", "PREFIX_LIMITS": ("3/h",), "IP_LIMITS": ("1/h",)}
    with no_cache():
        assert pump(clock, 6, in_block, every=1) == 3
        assert pump(clock, 12, apart, lambda number: f"203.0.113.{number}", every=1) == 10


def test_a_replayed_ticket_without_a_cache(clock: time_machine.Traveller, settings: Any) -> None:
    """Replay a ticket while nobody can tell that it was used: no ticket is good then."""
    settings.SMSVERIFY = {"ON_CACHE_FAILURE": "degrade", "CAPTCHA": "altcha"}
    ticket = Visitor(address(1)).ticket()
    clock.shift(5)
    with no_cache():
        answers = [told(Visitor(address(1)).ask(apart(number), ticket=ticket)) for number in range(2)]

    assert answers == ["captcha_required"] * 2
