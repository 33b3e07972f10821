"""Pumping: as many SMS as possible, to whatever numbers, so that the site pays for them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import time_machine

from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.models import Message, Provider
from tests.test_guard import address, apart, in_block

from .visitors import Visitor, at_once, pump, told

pytestmark = pytest.mark.django_db(transaction=True)


def in_network(number: int) -> str:
    return f"203.0.113.{number}"


@pytest.mark.slow
def test_one_block_slowly(clock: time_machine.Traveller) -> None:
    """Go through one block, a number a minute, from everywhere: the guard closes it, as no code comes back."""
    assert pump(clock, 240, every=60) == 60


def test_one_block_fast(clock: time_machine.Traveller) -> None:
    """Go through one block before anybody can see that no code comes back: a block has a limit in an hour."""
    assert pump(clock, 80, every=1) == 60


@pytest.mark.slow
def test_three_hundred_blocks(clock: time_machine.Traveller) -> None:
    """Take another block and another network for each number: the guard closes the site to new numbers."""
    assert pump(clock, 300, apart, every=20) == 200


def test_one_network(clock: time_machine.Traveller) -> None:
    """Use all addresses of one network, and numbers of many blocks: the guard closes the network."""
    assert pump(clock, 60, apart, in_network) == 20


def test_racing_the_budget(provider: Provider, settings: Any) -> None:
    """Spend the last yuan of the day eight times at once: what an SMS costs is counted before it leaves."""
    Provider.objects.update(price=Decimal("0.05"))
    settings.SMSVERIFY = {"BUDGET": {"day": 0.15}}

    assert at_once(8, lambda index: Visitor(address(index)).ask(apart(index))) == {"ok": 3, "gateway_unavailable": 5}


def test_expensive_regions() -> None:
    """Ask for numbers of other countries, and for ones that are no mobile phones: REGIONS says which get SMS."""
    numbers = ("+85251234567", "+12025550123", "+447400123456", "+881612345678", "+979123456789", "+862112345678")

    assert {told(Visitor().ask(number)) for number in numbers} <= {"phone_not_supported", "invalid"}
    assert not MemoryGateway.outbox


def test_virtual_operators(settings: Any) -> None:
    """Ask for numbers of virtual operators, which are cheap by the thousand: NUMBER_KINDS can refuse them."""
    settings.SMSVERIFY = {"NUMBER_KINDS": {"virtual": "refuse"}}
    answers = [told(Visitor(address(number)).ask(f"+86{number}00138000"[:14])) for number in (162, 165, 167, 170, 171)]

    assert answers == ["phone_not_supported"] * 5


def test_the_guard_as_a_weapon(clock: time_machine.Traveller) -> None:
    """Ask for a block's numbers from one network, so that the block is closed to others: one network closes none."""
    pump(clock, 40, in_block, in_network)

    assert told(Visitor("198.51.100.7").ask(in_block(5000))) == "ok"


def test_shutting_people_out(clock: time_machine.Traveller) -> None:
    """Have a block closed by pumping it from everywhere: a number that was verified here gets its code all the same."""
    Visitor("198.51.100.7").verify(in_block(7000))
    clock.shift(3600)
    pump(clock, 25)

    assert told(Visitor("198.51.100.8").ask(in_block(7001))) == "prefix"
    assert told(Visitor("198.51.100.7").ask(in_block(7000))) == "ok"
    assert Message.objects.count() == 22
