"""What a gateway does that it should not, and what becomes of the SMS."""

from __future__ import annotations

from typing import cast

import pytest
from django.test import Client
from sandbox.faults import Fault
from sandbox.server import Sandbox

from django_smsverify.enums import Reason
from django_smsverify.exceptions import GatewayError, GatewayRejected, GatewayUnavailable, GatewayUncertain
from django_smsverify.sending import send_code
from django_smsverify.types import Acceptance
from tests.conftest import PHONE, MakeProvider

from .support import ACCEPTED, offline, submitted


def outcome_when(method: str, error: GatewayError) -> GatewayError:
    """What becomes of an SMS through TopThink when a method raises something that it should not."""
    gateway, _ = offline("topthink", ACCEPTED["topthink"].encode())

    def fail(*args: object) -> None:
        raise error

    setattr(gateway, method, fail)
    outcome = gateway.send(submitted("topthink"))[PHONE]
    assert isinstance(outcome, GatewayError)
    return outcome


def test_before_the_call_nothing_is_uncertain() -> None:
    """As of a gateway that fetches a token first, and loses the answer to that."""
    outcome = outcome_when("build_send", GatewayUncertain("no token", error_code="504"))
    assert isinstance(outcome, GatewayUnavailable)
    assert (str(outcome), outcome.error_code) == ("no token", "504")


def test_after_the_call_nothing_has_certainly_not_left() -> None:
    outcome = outcome_when("parse_send", GatewayUnavailable("no more", error_code="7"))
    assert isinstance(outcome, GatewayUncertain)
    assert (str(outcome), outcome.error_code) == ("no more", "7")


def test_a_reason_that_does_not_exist_is_none() -> None:
    outcome = outcome_when("parse_send", GatewayRejected("no", reason=cast("Reason", "the weather")))
    assert isinstance(outcome, GatewayRejected)
    assert outcome.reason == Reason.OTHER


def test_an_outcome_that_is_none_is_uncertain() -> None:
    gateway, _ = offline("topthink", ACCEPTED["topthink"].encode())
    setattr(gateway, "parse_send", lambda answer, sms: dict.fromkeys(sms.recipients, "accepted"))  # noqa: B010
    assert isinstance(gateway.send(submitted("topthink"))[PHONE], GatewayUncertain)


def test_ids_and_codes_that_are_no_text_are_read_as_text() -> None:
    gateway, _ = offline("topthink", ACCEPTED["topthink"].encode())
    taken = Acceptance(remote_id=cast("str", 42))
    setattr(gateway, "parse_send", lambda answer, sms: dict.fromkeys(sms.recipients, taken))  # noqa: B010
    outcome = gateway.send(submitted("topthink"))[PHONE]
    assert isinstance(outcome, Acceptance)
    assert outcome.remote_id == "42"


@pytest.mark.parametrize(("fault", "shown"), [(Fault.garbage(), "1 in 24 hours: "), (Fault.status(500), "none in")])
@pytest.mark.django_db(transaction=True)
def test_operators_see_how_many_answers_cannot_be_read(
    fault: Fault, shown: str, sandbox: Sandbox, vendor: MakeProvider, admin_client: Client
) -> None:
    provider = vendor("topthink")
    sandbox.misbehave("topthink", fault)
    send_code(PHONE, "login")

    page = admin_client.get(f"/admin/smsverify/provider/{provider.pk}/change/").content.decode()

    assert shown in page
