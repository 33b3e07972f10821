"""Law 3 at every gateway: the next provider is tried when certainly nothing was sent, and never when it may have been.

gateways/test_transport.py tests the error that each gateway raises; this module tests what a send does with it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest
from django.test import override_settings
from sandbox.faults import Fault
from sandbox.server import Sandbox

from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.models import Message
from django_smsverify.sending import send_code
from django_smsverify.verifying import verify_code

from .conftest import FEW_QUICKLY, PHONE, MakeProvider, code_in

PATIENT, HASTY, SHORT = (20, 20, 40), (0.3, 0.5, 20), (20, 20, 0.9)
"""Timeouts for vendors that answer, that do not answer, and whose answer never ends."""


@dataclass(frozen=True)
class Failure:
    """A fault at the vendor or, with the name of a fixture or a host, a failure on the way to it."""

    name: str
    fault: Fault | None = None
    host: str = ""
    timeout: tuple[float, float, float] = PATIENT

    def base_url(self, sandbox_url: str, request: pytest.FixtureRequest) -> str:
        match self.host:
            case "":
                return sandbox_url
            case "closed_port":
                return f"http://127.0.0.1:{request.getfixturevalue('closed_port')}"
            case "full_listener":
                return f"http://127.0.0.1:{request.getfixturevalue('full_listener').getsockname()[1]}"
            case "no tls":
                return sandbox_url.replace("http://", "https://")
        return self.host


NOT_SENT = [
    Failure("refused", host="closed_port"),
    Failure("DNS", host="https://nonexistent.invalid"),
    Failure("TLS", host="no tls"),
    Failure("connect timeout", host="full_listener", timeout=HASTY),
    Failure("redirect", Fault.redirect()),
    *(Failure(str(status), Fault.status(status)) for status in (400, 401, 404, 429)),
]
PERHAPS_SENT = [
    Failure("read timeout", Fault.hang(deliver=False), timeout=HASTY),
    Failure("delivered, then read timeout", Fault.hang(), timeout=HASTY),
    Failure("reset after write", Fault.reset()),
    Failure("delivered, then reset", Fault.reset(deliver=True)),
    Failure("500", Fault.status(500)),
    Failure("502", Fault.status(502)),
    Failure("delivered, then 503", Fault.deliver_then_status(503)),
    Failure("garbage", Fault.garbage()),
    Failure("empty", Fault.empty()),
    Failure("huge", Fault.huge()),
    Failure("slow drip", Fault.drip(), timeout=SHORT),
]


def failures(found: list[Failure]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("failure", [pytest.param(one, id=one.name) for one in found])


@pytest.fixture(params=FEW_QUICKLY)
def gateway(request: pytest.FixtureRequest, memory: MakeProvider) -> str:
    """The gateway of the first provider; the second provider works."""
    memory(priority=2)
    return str(request.param)


@pytest.mark.any_database
@failures(NOT_SENT)
def test_a_message_that_was_not_sent_goes_to_the_next_provider(
    failure: Failure, gateway: str, vendor: MakeProvider, sandbox: Sandbox, request: pytest.FixtureRequest
) -> None:
    vendor(gateway, priority=1, base_url=failure.base_url(sandbox.base_urls[gateway], request))
    if failure.fault:
        sandbox.misbehave(gateway, failure.fault)

    with override_settings(SMSVERIFY={"TIMEOUT": failure.timeout}):
        verification = send_code(PHONE, "login")

    attempts = Message.objects.order_by("attempt").values_list("provider__gateway", "status")
    assert list(attempts) == [(gateway, "not_sent"), ("memory", "accepted")]
    assert sandbox.inbox.all() == ()
    (sms,) = MemoryGateway.outbox
    assert verify_code(verification.pk, code_in(sms.text)).verified_at


@pytest.mark.any_database
@pytest.mark.slow
@failures(PERHAPS_SENT)
def test_a_message_that_may_have_been_sent_is_not_sent_again(
    failure: Failure, gateway: str, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    assert failure.fault
    vendor(gateway, priority=1)
    sandbox.misbehave(gateway, failure.fault)
    began = time.monotonic()

    with override_settings(SMSVERIFY={"TIMEOUT": failure.timeout}):
        verification = send_code(PHONE, "login")

    assert time.monotonic() - began < 15
    assert list(Message.objects.values_list("provider__gateway", "status")) == [(gateway, "unknown")]
    assert not MemoryGateway.outbox
    arrived = sandbox.inbox.of(PHONE[3:])
    assert len(arrived) == failure.fault.deliver
    for sms in arrived:
        assert verify_code(verification.pk, code_in(sms.text)).verified_at
