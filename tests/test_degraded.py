"""ON_CACHE_FAILURE "degrade": while the cache is dead, what the database knows still binds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.test import override_settings

from django_smsverify.enums import ListKind, Scope
from django_smsverify.exceptions import OverBudget, Throttled, ThrottleUnavailable
from django_smsverify.limits.lists import entry_of
from django_smsverify.models import Message, Provider
from django_smsverify.sending import resend_code, send_code
from django_smsverify.verifying import verify_code

from .conftest import PHONE, LogRecorder, MakeProvider, Site, last_code
from .test_limits import NO_LIMITS

pytestmark = pytest.mark.django_db(transaction=True)

OTHER = "+8613900139000"
NOW = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture(params=["DeadCache", "SilentCache"], autouse=True)
def _dead(request: pytest.FixtureRequest, memory: MakeProvider) -> Iterator[None]:
    memory("login")
    with override_settings(CACHES={"default": {"BACKEND": f"tests.test_limits.{request.param}"}}):
        yield


def degraded(**settings: Any) -> Any:
    return override_settings(SMSVERIFY={**NO_LIMITS, "GUARD": "off", "ON_CACHE_FAILURE": "degrade", **settings})


def numbers(count: int, block: str = "") -> list[str]:
    """Numbers of one block, or each of its own."""
    return [f"+86{block}{number:04}" if block else f"+86138{number:04}0000" for number in range(count)]


def sent_to(phones: list[str], ip: str | None = None) -> int:
    """How many of these get a code before a limit refuses one."""
    for place, phone in enumerate(phones):
        try:
            send_code(phone, "login", ip=ip)
        except Throttled:
            return place
    return len(phones)


def test_over_http(site: Site, log: LogRecorder) -> None:
    with degraded():
        assert site.send().status_code == 202

    assert any("what the database knows still binds" in line for line in log.lines)
    assert not any("nothing is sent" in line for line in log.lines)


def test_the_number_s_own_limits_bind() -> None:
    with degraded(RESEND_INTERVAL=60, PHONE_LIMITS=("5/h",)):
        send_code(PHONE, "login")
        with pytest.raises(Throttled) as refused:
            send_code(PHONE, "login")

    assert (refused.value.scope, refused.value.retry_after) == (Scope.RESEND, 60)


def test_the_block_binds_to_the_second(clock: time_machine.Traveller) -> None:
    with degraded(PREFIX_LIMITS=("3/h",)):
        assert sent_to(numbers(3, "1380013")) == 3
        clock.shift(100)
        with pytest.raises(Throttled) as refused:
            send_code("+8613800139999", "login")
        assert (refused.value.scope, refused.value.retry_after) == (Scope.PREFIX, 3500)
        clock.shift(3500)

        send_code("+8613800139999", "login")


def test_the_block_of_a_known_number_does_not() -> None:
    with degraded(PREFIX_LIMITS=("1/h",)):
        verify_code(send_code(PHONE, "login").pk, last_code())

        send_code(PHONE, "login")


@pytest.mark.parametrize(("other", "allowed"), [("203.0.113.99", 20), ("203.0.114.1", 40)])
def test_a_network_has_ten_times_the_limit_of_an_address(other: str, allowed: int) -> None:
    with degraded(IP_LIMITS=("2/h",)):
        first = sent_to(numbers(40)[:20], "203.0.113.7")
        assert first + sent_to(numbers(40)[20:], other) == allowed


@pytest.mark.slow
def test_an_ipv6_network_has_its_own(clock: time_machine.Traveller) -> None:
    with degraded(IP_LIMITS=("1/10m", "2/h")):
        assert sent_to(numbers(150), "2001:db8:0:7::1") == 100
        clock.shift(600)
        assert sent_to(numbers(300)[150:], "2001:db8:0:8::1") == 100
        clock.shift(600)
        assert sent_to(numbers(301)[300:], "2001:db8:0:8::1") == 0


def test_the_site_binds() -> None:
    with degraded(GLOBAL_LIMITS=("2/h",)):
        assert sent_to(numbers(5)) == 2


def test_the_budget_binds() -> None:
    Provider.objects.update(price="0.05")
    with degraded(BUDGET={"day": 0.1}):
        assert sent_to(numbers(2)) == 2
        with pytest.raises(OverBudget):
            send_code(PHONE, "login")


def test_the_lists_bind() -> None:
    entry_of(ListKind.NUMBER, PHONE, action="block").save()
    with degraded(), pytest.raises(Throttled):
        send_code(PHONE, "login")


def test_a_resend_and_a_join_without_an_sms() -> None:
    with degraded(RESEND_INTERVAL=60, IP_LIMITS=("10/h",)):
        verification = send_code(PHONE, "login", ip="203.0.113.7")
        assert not send_code(PHONE, "login", ip="203.0.113.7", trusted=True).sms_sent
        with pytest.raises(Throttled):
            resend_code(verification.pk, ip="203.0.113.7")

    assert Message.objects.count() == 1


@pytest.mark.parametrize("settings", [{}, {"ON_CACHE_FAILURE": "open"}])
def test_else_nothing_is_sent(settings: dict[str, Any]) -> None:
    with override_settings(SMSVERIFY=settings), pytest.raises(ThrottleUnavailable):
        send_code(PHONE, "login")

    assert not Message.objects.exists()
