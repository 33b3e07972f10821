"""What a gateway asks to learn whether its vendor takes the keys can neither send nor cost anything."""

from __future__ import annotations

import json
import re
from contextlib import suppress

import pytest

from django_smsverify import phones
from django_smsverify.conf import BUILTIN_GATEWAYS
from django_smsverify.enums import Reason
from django_smsverify.exceptions import GatewayError, GatewayRejected, InvalidPhone
from django_smsverify.gateways.aliyun import AliyunGateway
from django_smsverify.gateways.aliyun.identity import AliyunPnvsGateway
from django_smsverify.gateways.base import NOBODY, Gateway
from django_smsverify.models.gateway_classes import gateway_class
from django_smsverify.testing import FakeTransport
from django_smsverify.types import Account, Answer
from tests.conftest import FEW_QUICKLY

from .support import body_of, offline


def aliyun(kind: type[Gateway], transport: FakeTransport) -> Gateway:
    keys = {"access_key_id": "testId", "access_key_secret": "testSecret"}
    return kind(Account(base_url=kind.base_url, credentials=keys), transport)


@pytest.mark.parametrize("gateway", FEW_QUICKLY)
def test_no_question_names_a_number_that_a_person_may_have(gateway: str) -> None:
    asked, sent = offline(gateway, b"{}")

    with suppress(GatewayError):
        asked.ask_question()

    (request,) = sent
    # A digest may have as many digits in a row: it is longer.
    assert not re.search(r"(?<![\da-f])1[3-9]\d{9}(?![\da-f])", f"{request.url} {body_of(request)}")


def test_nobody_has_the_number_that_questions_name() -> None:
    assert not phones.CHINESE_MOBILE.fullmatch(NOBODY)
    with pytest.raises(InvalidPhone):
        phones.parse(NOBODY)


@pytest.mark.parametrize("gateway", ["apispace", "qixuntong", "aliyun_pnvs"])
def test_a_send_that_is_a_question_has_no_number_and_no_text(gateway: str) -> None:
    asked, sent = offline(gateway, b"{}")

    with suppress(GatewayError):
        asked.ask_question()

    (request,) = sent
    fields = json.loads(body_of(request)) if body_of(request) else {}
    assert set(fields.values()) <= {""}
    assert "?" not in str(request.url)


def test_aliyun_is_asked_about_a_message_that_does_not_exist() -> None:
    transport = FakeTransport(b'{"Code":"OK","SmsSendDetailDTOs":{"SmsSendDetailDTO":[]},"TotalCount":0}')

    aliyun(AliyunGateway, transport).ask_question()

    (request,) = transport.requests
    assert request.headers["x-acs-action"] == "QuerySendDetails"
    assert "PhoneNumber=10000000000" in body_of(request)


def test_aliyuns_identity_product_gets_a_send_without_anything() -> None:
    transport = FakeTransport(Answer(400, b'{"Code":"MissingPhoneNumber","Message":"PhoneNumber is mandatory"}'))

    with pytest.raises(GatewayRejected, match="PhoneNumber is mandatory") as caught:
        aliyun(AliyunPnvsGateway, transport).ask_question()

    (request,) = transport.requests
    assert request.headers["x-acs-action"] == "SendSmsVerifyCode"
    assert body_of(request) == ""
    assert caught.value.reason == Reason.OTHER


@pytest.mark.parametrize("name", [name for name in BUILTIN_GATEWAYS if name not in ("console", "memory")])
def test_every_vendor_has_a_question(name: str) -> None:
    kind = gateway_class(name)

    assert kind(Account(base_url="", credentials={})).has_question
