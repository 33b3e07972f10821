"""Thousands of mutated calls and answers of the vendors."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from django_smsverify.enums import Submission
from django_smsverify.exceptions import GatewayError, InvalidCallback
from django_smsverify.gateways.base import Gateway
from django_smsverify.types import Answer, DeliveryEvent, News, Push, ReviewEvent

from .calls import CALLS
from .fuzzing import PHONE, mutated, with_phone
from .storable import assert_storable, assert_text, shown
from .support import FORM, JSON, offline, sent

pytestmark = pytest.mark.slow

ROUNDS = 1000
CONTENT_TYPES = ["", FORM, JSON, f"{FORM}; charset=gbk", "application/json;charset=GB2312", "\0", "charset=gb" * 100]
STATUS = (
    '{"code":0,"message":"查询成功","data":{"id":"6055075678d9","phone":13509898765,"content":"短信内容",'
    '"sendDate":"2021-04-20 04:19:33","reveiveDate":"2021-04-20 04:21:30","status":-1,"message":"空号"}}'
)
REVIEW = '{"code":0,"message":"查询成功","data":{"id":"471","name":"顶想云","status":2,"error":"请提供网址"}}'
REPORTS = json.dumps(
    {
        "code": "0",
        "data": [
            {"msgId": str(n), "mobile": PHONE, "status": value, "statusDesc": "", "reportTime": "1704101038"}
            for n, value in enumerate(["DELIVRD", "UNDELIV", "EXPIRED"])
        ],
    }
)


def status(gateway: Gateway) -> News:
    event = gateway.ask_status(sent("6055075678d9", f"+86{PHONE}"))
    return News(events=(event,) if event else ())


def review(gateway: Gateway) -> News:
    return News(events=(gateway.ask_review(Submission.SIGNATURE, "471"),))


def reports(gateway: Gateway) -> News:
    return gateway.read_reports(gateway.pull_reports())


@pytest.mark.parametrize("vendor", ["topthink", "veesing", "ihuyi"])
@pytest.mark.parametrize("seed", range(3))
def test_a_mutated_push_is_stored_or_refused_and_shows_no_number(vendor: str, seed: int) -> None:
    gateway, random = offline(vendor)[0], Random(seed)
    bodies = [with_phone(call.body) for call in CALLS if call.vendor == vendor]
    read = refused = 0
    for _ in range(ROUNDS):
        headers = random.choice([{}, {"x-thinkphp-event": "sms"}])
        body = mutated(random, random.choice(bodies))
        push = Push(content_type=random.choice(CONTENT_TYPES), headers=headers, body=body)
        try:
            news = gateway.read_push(push)
        except InvalidCallback as error:
            refused += 1
            for problem in str(error).split("; "):
                assert_text(problem, 500)
            found = repr(error)
        else:
            read += len(news.events)
            assert_storable(news)
            found = shown(without_reasons(news))
        assert PHONE not in found + repr(push), push.body

    assert min(read, refused) > ROUNDS // 10


@pytest.mark.parametrize(
    ("vendor", "sample", "ask"),
    [("topthink", STATUS, status), ("topthink", REVIEW, review), ("apispace", REPORTS, reports)],
    ids=["status", "review", "reports"],
)
@pytest.mark.parametrize("seed", range(2))
def test_a_mutated_answer_is_stored_or_an_error(
    vendor: str, sample: str, ask: Callable[[Gateway], News], seed: int
) -> None:
    random = Random(seed)
    read = refused = 0
    for _ in range(ROUNDS):
        body = mutated(random, with_phone(sample))
        try:
            news = ask(offline(vendor, Answer(200, body))[0])
        except GatewayError:
            refused += 1
        else:
            read += len(news.events)
            assert_storable(news)
            assert all(isinstance(event, DeliveryEvent | ReviewEvent) for event in news.events)

    assert min(read, refused) > ROUNDS // 10


def without_reasons(news: News) -> News:
    """The events without the reasons of reviews: real ones have no phone number, mutated ones may."""
    events = (replace(event, reason="") if isinstance(event, ReviewEvent) else event for event in news.events)
    return replace(news, events=tuple(events))
