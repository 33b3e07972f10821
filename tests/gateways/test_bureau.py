"""The codes, answers and pushes of a vendor that says more than yes and no."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from django_smsverify.enums import Reason
from django_smsverify.exceptions import GatewayRejected, GatewayUncertain
from django_smsverify.gateways.base import Outcome
from django_smsverify.testing import FakeTransport, GatewayContract
from django_smsverify.types import Account, Answer
from tests.bureau_sms import BureauGateway, push_of
from tests.conftest import PHONE

from .support import sms

URL = "https://www.example.com/sms/webhooks/bureau/secret/"
KEY = "SECRET-key"
PUSHED = push_of(KEY, URL)


def said(code: str) -> bytes:
    return json.dumps({"code": code, "words": "the vendor's words", "id": "42"}).encode()


class TestBureau(GatewayContract):
    gateway_class = BureauGateway
    accepted = said("ok")
    refused = said("Template.Unknown")
    refusals = {
        Reason.ACCOUNT: Answer(403, said("Auth.Expired")),
        Reason.FREQUENCY: said("Limit.Number.Day"),
        Reason.RECIPIENT: Answer(400, said("Limit.Number.Country")),
        Reason.RATE: said("Limit.Day"),
        Reason.OTHER: Answer(400, said("Auth")),
    }
    uncertain = (said("Timeout"), said("Internal.Lost"), Answer(400, said("Internal.")))
    pushed = (PUSHED, push_of(KEY, URL, state="lost"))
    forged = (
        push_of("other-key", URL),
        replace(PUSHED, url=URL + "?a=1"),
        replace(PUSHED, body=PUSHED.body + b" "),
        replace(PUSHED, headers={}),
        replace(PUSHED, headers={"x-signature": "é"}),
    )

    def test_a_push_without_an_event_is_refused(self) -> None:
        for body in (b"", b"[]", b"null", b"{}"):
            signed = replace(push_of(KEY, URL), body=body)
            assert self.refuses(signed), body


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        ({"refusals": {Reason.CONTENT: said("Auth.Expired")}}, "test_each_refusal_has_its_reason"),
        ({"refusals": {Reason.OTHER: said("ok")}}, "test_each_refusal_has_its_reason"),
        ({"uncertain": (said("Auth.Expired"),)}, "test_an_answer_that_leaves_it_open_is_uncertain"),
        ({"forged": (PUSHED,)}, "test_a_forged_push_is_refused"),
    ],
)
def test_the_contract_finds_what_a_vendor_did_not_say(broken: dict[str, Any], test: str) -> None:
    with pytest.raises(AssertionError):
        getattr(type("Contract", (TestBureau,), broken)(), test)()


def outcome_of(answer: Answer) -> Outcome:
    account = Account(base_url=BureauGateway.base_url, credentials={"key": "k"})
    outcomes = BureauGateway(account, FakeTransport(answer)).send(sms("{code}", code="471102"))
    return outcomes[PHONE]


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [(401, "Odd", Reason.ACCOUNT), (429, "Odd", Reason.RATE), (403, "Limit.Number.Day", Reason.FREQUENCY)],
)
def test_the_status_gives_the_reason_that_the_code_does_not_give(status: int, code: str, reason: Reason) -> None:
    outcome = outcome_of(Answer(status, said(code)))

    assert isinstance(outcome, GatewayRejected)
    assert (outcome.reason, outcome.error_code, str(outcome)) == (reason, code, "the vendor's words")


@pytest.mark.parametrize(("code", "kind"), [("Internal.Key", GatewayRejected), ("Internal.Keys", GatewayUncertain)])
def test_a_longer_key_goes_before_a_shorter_one_that_leaves_it_open(code: str, kind: type[Outcome]) -> None:
    assert isinstance(outcome_of(Answer(200, said(code))), kind)


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"code": ', b"[1]"])
def test_an_answer_that_cannot_be_read_is_a_refusal_by_its_status(body: bytes) -> None:
    outcome = outcome_of(Answer(403, body))

    assert isinstance(outcome, GatewayRejected)
    assert (outcome.reason, outcome.error_code) == (Reason.ACCOUNT, "403")


@pytest.mark.parametrize("status", [302, 500, 503])
def test_only_a_refusal_by_status_is_read(status: int) -> None:
    outcome = outcome_of(Answer(status, said("Auth.Expired")))

    assert isinstance(outcome, GatewayUncertain if status >= 500 else GatewayRejected)
    assert outcome.error_code == str(status)
