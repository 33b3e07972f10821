"""Law 3 at every gateway: the next provider is tried when certainly nothing was sent, and never when it may have been.

What each gateway makes of a fault stands in gateways/test_transport.py; here is what a send makes of it.
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

from .conftest import PHONE, VENDORS, MakeProvider, code_in

PATIENT, HASTY, SHORT = (20, 20, 40), (0.3, 0.5, 20), (20, 20, 0.9)
"""For vendors that answer, that do not, and that never come to an end."""


@dataclass(frozen=True)
class Trouble:
    """What goes wrong: at the vendor, or, with the name of a fixture or a host, on the way there."""

    name: str
    fault: Fault | None = None
    there: str = ""
    timeout: tuple[float, float, float] = PATIENT

    def base_url(self, sandbox_url: str, request: pytest.FixtureRequest) -> str:
        match self.there:
            case "":
                return sandbox_url
            case "closed_port":
                return f"http://127.0.0.1:{request.getfixturevalue('closed_port')}"
            case "full_listener":
                return f"http://127.0.0.1:{request.getfixturevalue('full_listener').getsockname()[1]}"
            case "no tls":
                return sandbox_url.replace("http://", "https://")
        return self.there


NOT_SENT = [
    Trouble("refused", there="closed_port"),
    Trouble("DNS", there="https://nonexistent.invalid"),
    Trouble("TLS", there="no tls"),
    Trouble("connect timeout", there="full_listener", timeout=HASTY),
    Trouble("redirect", Fault.redirect()),
    *(Trouble(str(status), Fault.status(status)) for status in (400, 401, 404, 429)),
]
PERHAPS_SENT = [
    Trouble("read timeout", Fault.hang(deliver=False), timeout=HASTY),
    Trouble("delivered, then read timeout", Fault.hang(), timeout=HASTY),
    Trouble("reset after write", Fault.reset()),
    Trouble("delivered, then reset", Fault.reset(deliver=True)),
    Trouble("500", Fault.status(500)),
    Trouble("502", Fault.status(502)),
    Trouble("delivered, then 503", Fault.deliver_then_status(503)),
    Trouble("garbage", Fault.garbage()),
    Trouble("empty", Fault.empty()),
    Trouble("huge", Fault.huge()),
    Trouble("slow drip", Fault.drip(), timeout=SHORT),
]


def troubles(found: list[Trouble]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("trouble", [pytest.param(one, id=one.name) for one in found])


@pytest.fixture(params=VENDORS)
def gateway(request: pytest.FixtureRequest, memory: MakeProvider) -> str:
    """The first choice; the second is in good health."""
    memory(priority=2)
    return str(request.param)


@troubles(NOT_SENT)
def test_what_was_certainly_not_sent_goes_to_the_next_provider(
    trouble: Trouble, gateway: str, vendor: MakeProvider, sandbox: Sandbox, request: pytest.FixtureRequest
) -> None:
    vendor(gateway, priority=1, base_url=trouble.base_url(sandbox.base_urls[gateway], request))
    if trouble.fault:
        sandbox.misbehave(gateway, trouble.fault)

    with override_settings(SMSVERIFY={"TIMEOUT": trouble.timeout}):
        verification = send_code(PHONE, "login")

    attempts = Message.objects.order_by("attempt").values_list("provider__gateway", "status")
    assert list(attempts) == [(gateway, "not_sent"), ("memory", "accepted")]
    assert sandbox.inbox.all() == ()
    (sms,) = MemoryGateway.outbox
    assert verify_code(verification.pk, code_in(sms.text)).verified_at


@troubles(PERHAPS_SENT)
def test_what_may_have_been_sent_is_sent_by_nobody_else(
    trouble: Trouble, gateway: str, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    assert trouble.fault
    vendor(gateway, priority=1)
    sandbox.misbehave(gateway, trouble.fault)
    began = time.monotonic()

    with override_settings(SMSVERIFY={"TIMEOUT": trouble.timeout}):
        verification = send_code(PHONE, "login")

    assert time.monotonic() - began < 15
    assert list(Message.objects.values_list("provider__gateway", "status")) == [(gateway, "unknown")]
    assert not MemoryGateway.outbox
    arrived = sandbox.inbox.of(PHONE[3:])
    assert len(arrived) == trouble.fault.deliver
    for sms in arrived:
        assert verify_code(verification.pk, code_in(sms.text)).verified_at
