"""What Twilio pushes to a site: signed calls, in any order, that each get the answer that it wants."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

import pytest
from django.http import HttpResponse
from django.test import Client, override_settings
from sandbox.catalogue import OPTIONS
from sandbox.server import Sandbox, Travel
from sandbox.vendors.twilio import signature

from django_smsverify.enums import MessageStatus
from django_smsverify.models import DeliveryReport, Message, Provider, Reply

from .conftest import PHONE, LogRecorder, MakeProvider, Site

pytestmark = pytest.mark.django_db(transaction=True)
TWIML = b'<?xml version="1.0" encoding="UTF-8"?><Response></Response>'
PUBLIC = "https://www.example.com"


@pytest.fixture
def provider(vendor: MakeProvider) -> Provider:
    return vendor("twilio", options={**OPTIONS["twilio"], "public_url": PUBLIC})


def accepted(provider: Provider) -> Message:
    fields = {"phone": PHONE, "purpose": "login", "status": MessageStatus.ACCEPTED, "remote_id": "SM1"}
    return Message.objects.create(provider=provider, template=provider.templates.get(), **fields)


def call(provider: Provider, fields: Mapping[str, str], public: str = PUBLIC) -> HttpResponse:
    path, form = provider.webhook_path, "application/x-www-form-urlencoded; charset=UTF-8"
    headers = {"X-Twilio-Signature": signature(public + path, fields)}
    return Client().post(path, urlencode(fields), content_type=form, headers=headers)  # type: ignore[return-value]


def told(status: str, **more: str) -> dict[str, str]:
    return {"MessageSid": "SM1", "MessageStatus": status, "To": PHONE, "From": OPTIONS["twilio"]["from"], **more}


def said(content: str, sid: str) -> dict[str, str]:
    return {"MessageSid": sid, "SmsStatus": "received", "Body": content, "From": PHONE, "FromCity": ""}


def status_of(message: Message) -> str:
    message.refresh_from_db()
    return message.status


@pytest.mark.parametrize("status", ["queued", "sending", "sent"])
def test_a_status_on_the_way_is_acknowledged_and_changes_nothing(provider: Provider, status: str) -> None:
    message = accepted(provider)

    answer = call(provider, told(status))

    assert (answer.status_code, answer.content) == (200, b"")
    assert status_of(message) == MessageStatus.ACCEPTED
    assert not DeliveryReport.objects.exists()


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (["queued", "sent", "delivered"], "delivered"),
        (["delivered", "sent", "queued"], "delivered"),
        (["sent", "undelivered", "sent"], "undelivered"),
        (["delivered", "undelivered"], "delivered"),
        (["delivered", "delivered"], "delivered"),
    ],
)
def test_statuses_in_any_order_never_lower_a_status(provider: Provider, order: list[str], expected: str) -> None:
    message = accepted(provider)

    assert {call(provider, told(status)).status_code for status in order} == {200}

    assert status_of(message) == expected
    assert DeliveryReport.objects.count() == len(set(order) & {"delivered", "undelivered"})


def test_a_failure_is_stored_with_its_code(provider: Provider) -> None:
    message = accepted(provider)

    call(provider, told("undelivered", ErrorCode="30003"))

    assert (status_of(message), DeliveryReport.objects.get().code) == ("undelivered", "30003")


def test_each_reply_is_stored_once_and_answered_without_words(provider: Provider) -> None:
    message = accepted(provider)

    answers = [call(provider, said("STOP", sid)) for sid in ("SM7", "SM7", "SM8")]

    assert {(one.status_code, one.content, one["Content-Type"]) for one in answers} == {
        (200, TWIML, "text/xml; charset=utf-8")
    }
    assert [(one.content, one.message, one.phone) for one in Reply.objects.all()] == [("STOP", message, PHONE)] * 2


@pytest.mark.parametrize("public", ["http://www.example.com", "https://testserver", f"{PUBLIC}/app"])
def test_a_forged_call_is_refused_and_not_stored(provider: Provider, public: str) -> None:
    message = accepted(provider)

    for fields in (told("delivered"), said("STOP", "SM7")):
        answer = call(provider, fields, public)
        assert (answer.status_code, answer.content) == (403, b"This call is not signed by the vendor.")

    assert status_of(message) == MessageStatus.ACCEPTED
    assert not Reply.objects.exists()


def test_without_the_keys_nothing_is_believed(provider: Provider, log: LogRecorder) -> None:
    message = accepted(provider)

    with override_settings(SMSVERIFY={"ENCRYPTION_KEYS": ["a key under which nothing was stored"]}):
        answer = call(provider, told("delivered"))

    assert (answer.status_code, b"credentials cannot be read" in answer.content) == (403, True)
    assert status_of(message) == MessageStatus.ACCEPTED
    assert "unless it must be signed" in log.text


def test_the_statuses_of_a_code_may_come_backwards(vendor: MakeProvider, sandbox: Sandbox, site: Site) -> None:
    provider = vendor("twilio")
    sandbox.webhooks["twilio"] = site.url + provider.webhook_path
    sandbox.travel("twilio", Travel(delay=3600, backwards=True, copies=2))

    site.send()
    sandbox.flush()

    assert Message.objects.get().status == MessageStatus.DELIVERED
    assert [(pushed.status, pushed.answer) for pushed in sandbox.pushes] == [(200, "")] * 6
    assert DeliveryReport.objects.count() == 1


def test_stop_is_stored_and_refuses_the_next_code(vendor: MakeProvider, sandbox: Sandbox, site: Site) -> None:
    provider = vendor("twilio")
    sandbox.webhooks["twilio"] = site.url + provider.webhook_path
    site.send()
    assert sandbox.reply(PHONE[3:], "STOP")
    sandbox.flush()

    with override_settings(SMSVERIFY={"RESEND_INTERVAL": 0}):
        site.send()

    assert Reply.objects.get().content == "STOP"
    refused = Message.objects.latest("created_at")
    assert (refused.status, refused.error_code, refused.error_reason) == ("not_sent", "21610", "recipient")
