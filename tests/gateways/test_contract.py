"""The contract finds the bugs of a third-party gateway."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import requests

from django_smsverify.enums import DeliveryOutcome, ReviewStatus, Submission
from django_smsverify.exceptions import InvalidCallback
from django_smsverify.gateways.base import Gateway
from django_smsverify.gateways.parsing import form_row, json_object, json_rows, parse_rows
from django_smsverify.testing import GatewayContract
from django_smsverify.types import Answer, DeliveryEvent, News, Push, ReviewEvent, SentSMS
from tests.acme_sms import AcmeGateway

from .support import FORM

PUSH = Push(content_type=FORM, headers={}, body=b"id=42&to=13800138000")
INCOMPLETE = Push(content_type=FORM, headers={}, body=b"id=42")


def event(row: Any) -> DeliveryEvent:
    phone = f"+86{row['to']}"
    return DeliveryEvent(remote_id=row["id"], phone=phone, outcome=DeliveryOutcome.DELIVERED)


class PushingGateway(AcmeGateway):
    """Has pushes and every query."""

    answers_review = frozenset(Submission)

    def parse_push(self, push: Push) -> News:
        return parse_rows([form_row(push)], event)

    def build_status(self, sent: SentSMS) -> requests.Request:
        return requests.Request("GET", self.url(f"/messages/{sent.remote_id}"))

    def parse_status(self, answer: Answer, sent: SentSMS) -> DeliveryEvent | None:
        return None

    def build_reports(self) -> requests.Request:
        return requests.Request("GET", self.url("/reports"))

    def parse_reports(self, answer: Answer) -> News:
        return News()

    def build_review(self, submission: Submission, remote_id: str) -> requests.Request:
        return requests.Request("GET", self.url(f"/{submission}/{remote_id}"))

    def parse_review(self, answer: Answer, submission: Submission, remote_id: str) -> ReviewEvent:
        return ReviewEvent(submission=submission, remote_id=remote_id, status=ReviewStatus.PENDING)

    def build_balance(self) -> requests.Request:
        return requests.Request("GET", self.url("/balance"))

    def parse_balance(self, answer: Answer) -> Decimal:
        return Decimal(json_object(answer)["left"])


class QuietGateway(PushingGateway):
    """Can read a push, but declares that it gets none."""

    pushes = False


class TestPushing(GatewayContract):
    gateway_class = PushingGateway
    accepted = b'{"ok": true, "id": "42"}'
    refused = b'{"ok": false, "error": "no such template"}'
    pushed = (PUSH,)


def contract(kind: type[AcmeGateway], *pushed: Push, **attributes: Any) -> GatewayContract:
    """The contract of a gateway with a bug."""
    gateway = type("Broken", (kind,), attributes)
    made = type("Contract", (GatewayContract,), {"gateway_class": gateway, "pushed": pushed})
    return made()  # type: ignore[no-any-return]


def returning(*events: DeliveryEvent) -> Callable[..., News]:
    return lambda self, push: News(events=events)


def raising(error: Exception) -> Callable[..., News]:
    def parse(self: object, push: Push) -> News:
        raise error

    return parse


def nothing(self: object, *args: object) -> None:
    """A method without a return value."""


@pytest.mark.parametrize(
    "broken",
    [
        contract(PushingGateway),
        contract(AcmeGateway, PUSH),
        contract(PushingGateway, PUSH, pushes=False),
        contract(PushingGateway, PUSH, parse_push=returning()),
        contract(PushingGateway, PUSH, parse_push=raising(InvalidCallback())),
        contract(PushingGateway, INCOMPLETE),
        contract(PushingGateway, PUSH, INCOMPLETE),
        contract(PushingGateway, PUSH, parse_push=lambda self, push: parse_rows(json_rows(push), event)),
    ],
    ids=["no call", "undeclared", "declared false", "no event", "refused", "unread", "one unread", "wrong format"],
)
def test_a_push_that_is_not_read_is_found(broken: GatewayContract) -> None:
    with pytest.raises((AssertionError, InvalidCallback)):
        broken.test_each_push_has_an_event()


@pytest.mark.parametrize(
    ("parse_push", "found"),
    [
        (returning(), AssertionError),
        (
            returning(DeliveryEvent(remote_id="1", phone="+8613800138000", outcome=DeliveryOutcome.DELIVERED)),
            AssertionError,
        ),
        (raising(ZeroDivisionError()), ZeroDivisionError),
        (raising(AssertionError()), AssertionError),
        (
            lambda self, push: parse_rows([dict(pair.split(b"=") for pair in push.body.split(b"&"))], nothing),
            AssertionError,
        ),
    ],
    ids=["no event", "an invented event", "a crash", "an assertion", "an ignored row"],
)
def test_a_gateway_that_accepts_junk_is_found(parse_push: object, found: type[Exception]) -> None:
    broken = contract(PushingGateway, PUSH, parse_push=parse_push)

    with pytest.raises(found):
        broken.test_a_push_without_an_event_is_refused()


def test_a_gateway_that_accepts_one_kind_of_junk_is_found() -> None:
    def parse(self: object, push: Push) -> News:
        if push.body == b"null":
            return News()
        raise InvalidCallback

    with pytest.raises(AssertionError):
        contract(PushingGateway, PUSH, parse_push=parse).test_a_push_without_an_event_is_refused()


def test_a_gateway_without_pushes_refuses_junk_by_default() -> None:
    contract(AcmeGateway).test_a_push_without_an_event_is_refused()
    contract(AcmeGateway).test_each_push_has_an_event()


@pytest.mark.parametrize("name", ["build_status", "build_reports", "build_review", "build_balance"])
@pytest.mark.parametrize("method", [nothing, lambda self, *args: "https://sms.acme.example/"])
def test_a_query_that_is_not_a_request_is_found(name: str, method: object) -> None:
    broken = contract(PushingGateway, **{name: method})

    with pytest.raises(AssertionError):
        broken.test_each_query_is_a_request()


@pytest.mark.parametrize(
    "declared",
    [
        {"answers_status": True},
        {"hands_out_reports": True},
        {"answers_review": frozenset({Submission.TEMPLATE})},
        {"answers_balance": True},
    ],
)
def test_a_declared_query_without_a_request_is_found(declared: dict[str, Any]) -> None:
    with pytest.raises(NotImplementedError):
        contract(AcmeGateway, **declared).test_each_query_is_a_request()


def test_each_declared_query_has_a_request() -> None:
    questions = contract(PushingGateway).questions()

    paths = ("signature/234", "template/234", *("messages/42",) * 3, "reports", "balance")
    assert [question.url for question in questions] == [f"https://sms.acme.example/v1/{path}" for path in paths]


def test_a_gateway_that_declares_no_query_has_no_request() -> None:
    assert contract(AcmeGateway).questions() == []


@pytest.mark.parametrize("method", ["build_status", "parse_reports", "parse_review", "build_balance", "parse_push"])
def test_a_missing_method_is_found(method: str) -> None:
    broken = contract(PushingGateway, **{method: getattr(Gateway, method)}, pushes=True)

    with pytest.raises(AssertionError, match=method):
        broken.test_no_method_is_missing()


@pytest.mark.parametrize("method", ["build_one", "parse_one"])
def test_a_gateway_that_cannot_send_is_found(method: str) -> None:
    with pytest.raises(AssertionError, match=method):
        contract(AcmeGateway, **{method: getattr(Gateway, method)}).test_no_method_is_missing()


def test_the_capabilities_follow_from_the_methods() -> None:
    assert (PushingGateway.pushes, PushingGateway.answers_status, PushingGateway.hands_out_reports) == (True,) * 3
    assert not AcmeGateway.pushes
    assert not QuietGateway.pushes
    assert [option.name for option in PushingGateway.options] == ["queue", "proxy", "pace"]
