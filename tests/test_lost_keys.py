"""A provider whose credentials cannot be decrypted: its vendor's reports are stored nevertheless."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.test import Client, override_settings
from django.urls import reverse
from sandbox.server import Sandbox

from django_smsverify.enums import DeliveryOutcome
from django_smsverify.gateways.redaction import hide_tokens
from django_smsverify.models import DeliveryReport, Message, Provider, Reply, ReportBatch
from django_smsverify.polling.poll import poll
from django_smsverify.types import DeliveryEvent
from django_smsverify.webhooks import TEST

from .conftest import CODE_TEXT, PHONE, SECRETS, LogRecorder, MakeProvider, Site, add_template, quickly
from .test_webhooks import (
    IDS,
    PUSHING,
    REPORTS,
    Caller,
    decide,
    ihuyi_reply,
    ihuyi_verdict,
    is_due,
    said,
    sent,
    status_of,
    submitted,
    topthink_report,
    topthink_verdict,
    verdict_on,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def caller(site: Site) -> Caller:
    return Caller(site)


LOST = override_settings(SMSVERIFY={"ENCRYPTION_KEYS": ["a key under which nothing was stored"]})


@pytest.mark.parametrize("gateway", quickly(PUSHING))
def test_its_reports_are_stored_and_acknowledged(
    gateway: str, vendor: MakeProvider, caller: Caller, log: LogRecorder
) -> None:
    message = sent(provider := vendor(gateway), IDS[gateway])

    with LOST:
        caller.taken(provider, REPORTS[gateway](), TEST)

    assert status_of(message) == "delivered"
    report = DeliveryReport.objects.get()
    assert (report.message, report.remote_id) == (message, IDS[gateway])
    lines = [line for line in log.lines if "cannot be decrypted" in line]
    assert len(lines) == 2, "one for each push"
    assert all(f"The credentials of {provider.slug} cannot be decrypted" in line for line in lines)
    assert "ENCRYPTION_KEYS" in lines[0]
    assert "failed with" not in said(log)


def test_its_replies_are_stored(vendor: MakeProvider, caller: Caller) -> None:
    provider = vendor("ihuyi")

    with LOST:
        caller.taken(provider, ihuyi_reply(content="退订 请回复TD1234567890ABCDEF"))

    assert Reply.objects.get().content == "退订 请回复TD1234567890ABCDEF", "a person's reply is not masked"


def test_values_that_may_be_keys_are_masked(vendor: MakeProvider, caller: Caller) -> None:
    provider = vendor("topthink")
    message = f"失败 {SECRETS[0]} 2021-04-20 04:21:30"

    with LOST:
        caller.taken(provider, topthink_report(status=-1, message=message, appCode=SECRETS[0]))

    report = DeliveryReport.objects.get()
    assert SECRETS[0] not in report.detail + json.dumps(report.payload)
    assert report.detail == "失败 *** 2021-04-20 04:21:30"


def test_long_keys_of_each_vendor_are_masked() -> None:
    for secret in (secret for secret in SECRETS if len(secret) > 20):
        event = DeliveryEvent(
            remote_id="1", phone=PHONE, outcome=DeliveryOutcome.DELIVERED, code=secret, detail=f"({secret})"
        )
        hidden: Any = hide_tokens(event)
        assert (hidden.code, hidden.detail) == ("***", "(***)")


def test_a_verdict_is_confirmed_when_the_key_is_back(
    vendor: MakeProvider, caller: Caller, sandbox: Sandbox, log: LogRecorder
) -> None:
    text = submitted(provider := vendor("topthink"), "template")
    decide(sandbox, "template", "approved")
    calls = len(sandbox.exchanges)

    with LOST:
        caller.taken(provider, topthink_verdict("template", 1))
        poll()

    assert len(sandbox.exchanges) == calls, "no call is possible without a key"
    assert "cannot build a request" not in said(log)
    assert (verdict_on(text), is_due(text)) == (("pending", ""), True)

    poll()
    assert verdict_on(text) == ("approved", "")


def test_a_verdict_that_cannot_be_queried_is_stored(vendor: MakeProvider, caller: Caller) -> None:
    template = add_template(provider := vendor("ihuyi"), "payment", CODE_TEXT, "2004", status="pending")

    with LOST:
        caller.taken(provider, ihuyi_verdict())

    assert verdict_on(template)[0] == "approved"


def test_a_stored_batch_is_read(vendor: MakeProvider, sandbox: Sandbox) -> None:
    provider = vendor("apispace", options={"report_host": sandbox.base_urls["apispace"]})
    message = sent(provider, "4711")
    answer = {"code": "000", "data": [{"msgId": "4711", "mobile": PHONE[3:], "status": "DELIVRD"}]}
    ReportBatch.objects.create(provider=provider, body=json.dumps(answer))

    with LOST:
        tally = poll()

    assert (tally, ReportBatch.objects.count(), status_of(message)) == ({"fetched": 1}, 0, "delivered")


@pytest.fixture
def lost_key(vendor: MakeProvider) -> Iterator[None]:
    provider = vendor("ihuyi", balance=1)
    Message.objects.create(provider=provider, template=provider.templates.get(), phone=PHONE, purpose="login")
    with LOST:
        yield


@pytest.mark.parametrize("model", ["provider", "signature", "template", "message", "deliveryreport", "reply"])
def test_the_admin_pages_open(lost_key: None, model: str, admin_client: Client) -> None:
    address = reverse(f"admin:smsverify_{model}_changelist")
    assert admin_client.get(address).status_code == 200
    for row in apps.get_model("smsverify", model)._default_manager.all():
        assert admin_client.get(f"{address}{row.pk}/change/").status_code == 200


def test_the_balance_action_shows_why_it_fails(lost_key: None, admin_client: Client) -> None:
    action = {"action": "ask_balance", "_selected_action": [Provider.objects.get().pk]}
    page = admin_client.post(reverse("admin:smsverify_provider_changelist"), action, follow=True)

    assert "cannot be decrypted" in page.content.decode()


def test_the_webhooks_are_printed(lost_key: None) -> None:
    out = io.StringIO()
    call_command("smsverify_webhooks", "--site", "https://www.example.com", stdout=out)

    assert "https://www.example.com/sms/webhooks/ihuyi/" in out.getvalue()


def test_the_checks_run(lost_key: None) -> None:
    call_command("check", "--database", "default", stdout=io.StringIO())
