"""Callbacks: calls of the webhooks that no vendor has made."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from sandbox.server import Sandbox

from django_smsverify.enums import MessageStatus
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.models import DeliveryReport, Message, Provider, Reply, Template
from tests.conftest import MakeProvider
from tests.joined_threads import threads
from tests.test_twilio_pushes import accepted
from tests.test_twilio_pushes import told as twilio_status
from tests.test_webhooks import FORM, JSON, form, ihuyi_reply, ihuyi_report, path_of, sent, topthink_verdict

from .visitors import Visitor, told

pytestmark = pytest.mark.django_db(transaction=True)

FAILED = {"code": "0", "msg": "SIGNERR"}
"""A failure after which another vendor is tried."""


@pytest.fixture
def ihuyi(vendor: MakeProvider) -> Provider:
    return vendor("ihuyi", priority=1)


def push(provider: Provider, body: bytes, secret: str | None = None, kind: str = FORM, **headers: str) -> int:
    """The status of the answer."""
    path, named = path_of(provider, secret), {name.replace("_", "-"): value for name, value in headers.items()}
    answer = Client(raise_request_exception=False).post(path, body, kind, headers=named)
    return int(answer.status_code)


def stored() -> int:
    return DeliveryReport.objects.count() + Reply.objects.count()


def test_a_wrong_secret(ihuyi: Provider) -> None:
    """Report without the secret of the webhook: nothing is read without it."""
    message = sent(ihuyi, "1")

    statuses = [push(ihuyi, ihuyi_report(smsid="1"), secret) for secret in ("x", "0" * 40, "\x00", "🔑", "None")]

    assert statuses == [404] * 5
    message.refresh_from_db()
    assert (stored(), message.status) == (0, MessageStatus.ACCEPTED)


def test_trying_secrets(ihuyi: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Try one secret after the other: calls without the right one are limited by their address."""
    monkeypatch.setattr("django_smsverify.limits.flood.RATE", "5/m")

    assert [push(ihuyi, b"", str(number)) for number in range(8)] == [404] * 5 + [429] * 3
    assert push(ihuyi, ihuyi_report()) == 200, "a vendor is never limited"


def test_reports_that_have_us_send_again(ihuyi: Provider, vendor: MakeProvider) -> None:
    """Report each SMS of a code as failed, knowing the secrets: a code is followed by one more SMS at most."""
    vendor("ihuyi", slug="second", priority=2)
    Visitor().ask()
    for _ in range(3):
        for message in list(Message.objects.exclude(provider__gateway="memory").select_related("provider")):
            assert push(message.provider, ihuyi_report(smsid=message.remote_id, **FAILED)) == 200
            threads.join()

    assert set(Message.objects.values_list("provider__slug", "status")) == {
        ("ihuyi", "undelivered"),
        ("second", "undelivered"),
    }
    assert not MemoryGateway.outbox


def test_a_replayed_report(ihuyi: Provider) -> None:
    """Repeat a report, each time with another time in it: equal reports are stored once."""
    sent(ihuyi, "1")

    assert {push(ihuyi, ihuyi_report(smsid="1", report_time=f"2026-11-20 12:00:{n % 60:02}")) for n in range(99)} == {
        200
    }
    assert stored() == 1


def test_a_replayed_reply(ihuyi: Provider) -> None:
    """Repeat a reply of an owner: equal replies are stored once."""
    assert {push(ihuyi, ihuyi_reply()) for _ in range(20)} == {200}
    assert stored() == 1


def test_a_report_on_another_accounts_sms(ihuyi: Provider, vendor: MakeProvider) -> None:
    """Report on the SMS of another provider, by the secret of one's own: a report is about its provider's SMS."""
    message = sent(ihuyi, "1")

    assert push(vendor("ihuyi", slug="own"), ihuyi_report(smsid="1", **FAILED)) == 200
    message.refresh_from_db()
    assert message.status == MessageStatus.ACCEPTED


def test_a_report_without_the_vendors_signature(vendor: MakeProvider) -> None:
    """Report with the secret of a webhook whose vendor signs, and no signature: it is asked for too."""
    message = accepted(provider := vendor("twilio"))

    assert push(provider, form(twilio_status("delivered"))) == 403
    assert push(provider, form(twilio_status("delivered")), X_Twilio_Signature="Zm9yZ2Vk") == 403
    message.refresh_from_db()
    assert (stored(), message.status) == (0, MessageStatus.ACCEPTED)


def test_a_forged_verdict(vendor: MakeProvider, sandbox: Sandbox) -> None:
    """Tell that a template was rejected, so that nothing can be sent: the vendor is asked whether that is true."""
    provider = vendor("topthink")
    template = provider.templates.get()
    verdict = topthink_verdict("template", 2, id=template.remote_id, error="forged")

    assert push(provider, verdict, kind=JSON, X_ThinkPHP_Event="sms") == 200
    assert Template.objects.routable().filter(pk=template.pk).exists()


def test_a_huge_body(ihuyi: Provider) -> None:
    """Push a megabyte: no more than 256 KiB are read, and nothing is stored."""
    assert push(ihuyi, ihuyi_report(padding="x" * 2**20)) == 413
    assert stored() == 0


def test_a_broken_body(ihuyi: Provider, vendor: MakeProvider) -> None:
    """Push what is no report: it is refused with 400, and nothing is stored."""
    broken = (b"\x00", b"\xff\xfe\xfd", b"[" * 9999, b"{}", b"code=2", b"smsid=%00&code=%ff&mobilephone=1")
    topthink: dict[str, Any] = {"provider": vendor("topthink"), "kind": JSON, "X_ThinkPHP_Event": "sms"}

    assert {push(ihuyi, body) for body in broken} == {400}
    assert {push(body=body, **topthink) for body in broken} == {400}
    assert stored() == 0
    assert told(Visitor().ask()) == "ok"
