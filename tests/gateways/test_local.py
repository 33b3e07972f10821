from __future__ import annotations

import pytest

from django_smsverify.gateways.base import Gateway
from django_smsverify.gateways.local import ConsoleGateway, KeptSMS, MemoryGateway
from django_smsverify.testing import FakeTransport
from django_smsverify.types import Acceptance, Account, OutgoingSMS
from tests.conftest import PHONE

from .support import CODE, HONG_KONG, sms

both = pytest.mark.parametrize("kind", [ConsoleGateway, MemoryGateway])
SMS = OutgoingSMS(
    content="您的验证码是{code}。", signature="示例站", recipients={PHONE: {"code": CODE}, HONG_KONG: {"code": "0042"}}
)


def local(kind: type[Gateway]) -> Gateway:
    """The gateway without anything that could reach a network."""
    return kind(Account(base_url="", credentials={}), FakeTransport())


@both
def test_it_is_for_development_and_needs_nothing(kind: type[Gateway]) -> None:
    assert kind.local
    assert not kind.credentials
    assert not kind.options
    assert str(kind.label)


@both
def test_every_number_of_any_region_is_accepted_with_an_id_of_its_own(kind: type[Gateway]) -> None:
    outcomes = local(kind).send(SMS)

    assert list(outcomes) == [PHONE, HONG_KONG]
    ids = [outcome.remote_id for outcome in outcomes.values() if isinstance(outcome, Acceptance)]
    assert len(set(ids)) == 2
    assert all(ids)


def test_the_console_shows_each_sms_as_it_is_read_on_the_phone(capsys: pytest.CaptureFixture[str]) -> None:
    local(ConsoleGateway).send(SMS)

    assert capsys.readouterr().out.splitlines() == [
        f"SMS to {PHONE}: 【示例站】您的验证码是{CODE}。",
        f"SMS to {HONG_KONG}: 【示例站】您的验证码是0042。",
    ]


def test_the_memory_keeps_each_sms_newest_last() -> None:
    local(MemoryGateway).send(SMS)
    local(MemoryGateway).send(sms("维护完成"))

    assert list(MemoryGateway.outbox) == [
        KeptSMS(phone=PHONE, text=f"【示例站】您的验证码是{CODE}。"),
        KeptSMS(phone=HONG_KONG, text="【示例站】您的验证码是0042。"),
        KeptSMS(phone=PHONE, text="【示例站】维护完成"),
    ]


def test_the_memory_forgets_the_oldest_of_more_than_a_thousand() -> None:
    gateway = local(MemoryGateway)
    for n in range(1001):
        gateway.send(sms("{n}", n=str(n)))

    assert len(MemoryGateway.outbox) == 1000
    assert MemoryGateway.outbox[0].text == "【示例站】1"


def test_a_kept_sms_does_not_show_its_text() -> None:
    local(MemoryGateway).send(SMS)

    assert CODE not in repr(MemoryGateway.outbox)


def test_the_console_shows_nothing_when_the_memory_sends(capsys: pytest.CaptureFixture[str]) -> None:
    local(MemoryGateway).send(SMS)

    assert capsys.readouterr().out == ""
