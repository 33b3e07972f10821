"""The outcome of an SMS when a gateway has a bug."""

from __future__ import annotations

from typing import cast

import pytest
from django.test import Client
from sandbox.faults import Fault
from sandbox.server import Sandbox

from django_smsverify.enums import Reason
from django_smsverify.exceptions import GatewayError, GatewayRejected, GatewayUnavailable, GatewayUncertain
from django_smsverify.gateways.parsing import UNREADABLE
from django_smsverify.sending import send_code
from django_smsverify.types import Acceptance
from tests.conftest import PHONE, MakeProvider

from .support import ACCEPTED, offline, submitted


def outcome_when(method: str, error: GatewayError) -> GatewayError:
    """The outcome of an SMS through TopThink when a method raises a wrong error."""
    gateway, _ = offline("topthink", ACCEPTED["topthink"].encode())

    def fail(*args: object) -> None:
        raise error

    setattr(gateway, method, fail)
    outcome = gateway.send(submitted("topthink"))[PHONE]
    assert isinstance(outcome, GatewayError)
    return outcome


def test_an_uncertain_error_before_the_call_becomes_unavailable() -> None:
    """For example, of a gateway that first requests a token and gets no answer."""
    outcome = outcome_when("build_send", GatewayUncertain("no token", error_code="504"))
    assert isinstance(outcome, GatewayUnavailable)
    assert (str(outcome), outcome.error_code) == ("no token", "504")


def test_an_unavailable_error_after_the_call_becomes_uncertain() -> None:
    outcome = outcome_when("parse_send", GatewayUnavailable("no more", error_code="7"))
    assert isinstance(outcome, GatewayUncertain)
    assert (str(outcome), outcome.error_code) == ("no more", "7")


def test_an_unknown_reason_becomes_other() -> None:
    outcome = outcome_when("parse_send", GatewayRejected("no", reason=cast("Reason", "the weather")))
    assert isinstance(outcome, GatewayRejected)
    assert outcome.reason == Reason.OTHER


def test_an_invalid_outcome_is_uncertain() -> None:
    gateway, _ = offline("topthink", ACCEPTED["topthink"].encode())
    setattr(gateway, "parse_send", lambda answer, sms: dict.fromkeys(sms.recipients, "accepted"))  # noqa: B010
    assert isinstance(gateway.send(submitted("topthink"))[PHONE], GatewayUncertain)


def test_an_id_that_is_not_text_becomes_text() -> None:
    gateway, _ = offline("topthink", ACCEPTED["topthink"].encode())
    acceptance = Acceptance(remote_id=cast("str", 42))
    setattr(gateway, "parse_send", lambda answer, sms: dict.fromkeys(sms.recipients, acceptance))  # noqa: B010
    outcome = gateway.send(submitted("topthink"))[PHONE]
    assert isinstance(outcome, Acceptance)
    assert outcome.remote_id == "42"


@pytest.mark.parametrize(("fault", "shown"), [(Fault.garbage(), "1 in 24 hours: "), (Fault.status(500), "none in")])
@pytest.mark.django_db(transaction=True)
def test_the_admin_shows_how_many_answers_cannot_be_read(
    fault: Fault, shown: str, sandbox: Sandbox, vendor: MakeProvider, admin_client: Client
) -> None:
    provider = vendor("topthink")
    sandbox.misbehave("topthink", fault)
    send_code(PHONE, "login")

    page = admin_client.get(f"/admin/smsverify/provider/{provider.pk}/change/").content.decode()

    assert shown in page


@pytest.mark.parametrize("body", [b'{"another": "shape"}', b"no JSON", b""])
def test_an_answer_of_an_unknown_shape_has_a_code_of_its_own(body: bytes) -> None:
    gateway, _ = offline("topthink", body)

    outcome = gateway.send(submitted("topthink"))[PHONE]

    assert isinstance(outcome, GatewayUncertain)
    assert outcome.error_code == UNREADABLE
