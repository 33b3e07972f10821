from __future__ import annotations

import pytest

from django_smsverify.gateways.base import Gateway
from django_smsverify.gateways.local import ConsoleGateway, KeptSMS, MemoryGateway
from django_smsverify.testing import FakeTransport
from django_smsverify.types import Acceptance, Account, OutgoingSMS
from tests.conftest import PHONE

from .support import CODE, HONG_KONG, sms

each_gateway = pytest.mark.parametrize("kind", [ConsoleGateway, MemoryGateway])
SMS = OutgoingSMS(
    content="您的验证码是{code}。", signature="示例站", recipients={PHONE: {"code": CODE}, HONG_KONG: {"code": "0042"}}
)


def local(kind: type[Gateway]) -> Gateway:
    """The gateway without a network."""
    return kind(Account(base_url="", credentials={}), FakeTransport())


@each_gateway
def test_it_is_local_and_needs_no_credentials_or_options(kind: type[Gateway]) -> None:
    assert kind.local
    assert not kind.credentials
    assert not kind.options
    assert str(kind.label)


@each_gateway
def test_a_number_of_any_region_is_accepted_with_its_own_id(kind: type[Gateway]) -> None:
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


def test_the_memory_keeps_each_sms_in_order() -> None:
    local(MemoryGateway).send(SMS)
    local(MemoryGateway).send(sms("维护完成"))

    assert list(MemoryGateway.outbox) == [
        KeptSMS(phone=PHONE, text=f"【示例站】您的验证码是{CODE}。"),
        KeptSMS(phone=HONG_KONG, text="【示例站】您的验证码是0042。"),
        KeptSMS(phone=PHONE, text="【示例站】维护完成"),
    ]


def test_the_memory_keeps_the_newest_thousand_sms() -> None:
    gateway = local(MemoryGateway)
    for n in range(1001):
        gateway.send(sms("{n}", n=str(n)))

    assert len(MemoryGateway.outbox) == 1000
    assert MemoryGateway.outbox[0].text == "【示例站】1"


def test_the_repr_of_a_kept_sms_does_not_show_its_text() -> None:
    local(MemoryGateway).send(SMS)

    assert CODE not in repr(MemoryGateway.outbox)


def test_the_memory_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    local(MemoryGateway).send(SMS)

    assert capsys.readouterr().out == ""
