"""A gateway from outside needs one file, one line of settings and one test class."""

from __future__ import annotations

import json

import pytest
from django.core.exceptions import ValidationError
from django.test import override_settings

from django_smsverify.exceptions import InvalidGateway, NoRoute, PhoneRejected
from django_smsverify.models import Message, Provider
from django_smsverify.models.gateway_classes import gateway_class
from django_smsverify.sending import send_code
from django_smsverify.testing import GatewayContract
from django_smsverify.verifying import verify_code
from tests.acme_sms import AcmeGateway
from tests.conftest import CODE_TEXT, PHONE, add_template, code_in

from .support import Vendor

with_acme = override_settings(SMSVERIFY={"GATEWAYS": {"acme": "tests.acme_sms.AcmeGateway"}})
OK = '{"ok": true, "id": 42}'


class TestContract(GatewayContract):
    gateway_class = AcmeGateway
    accepted = OK.encode()
    refused = b'{"ok": false, "error": "no such template"}'


def acme(base_url: str) -> Provider:
    provider = Provider(
        name="Acme",
        slug="acme",
        gateway="acme",
        base_url=base_url,
        credentials={"key": "k"},
        options={"queue": "cheap"},
    )
    provider.full_clean()
    provider.save()
    add_template(provider, "login", CODE_TEXT, "")
    return provider


@with_acme
@pytest.mark.django_db(transaction=True)
def test_a_code_goes_out_through_it_and_comes_back_verified() -> None:
    with Vendor(OK) as server:
        acme(server.url + "/v1/")
        verification = send_code(PHONE[3:], "login")

    (call,) = server.received
    sent = json.loads(call.body)
    assert call.line == "POST /v1/messages HTTP/1.1"
    assert call.headers["X-Key"] == "k"
    assert (sent["to"], sent["queue"]) == (PHONE, "cheap")
    message = Message.objects.get()
    assert (message.status, message.remote_id) == ("accepted", "42")
    assert verify_code(verification.pk, code_in(sent["text"])).verified_at is not None


@with_acme
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("code", "reason", "raised"),
    [("bad-number", "recipient", PhoneRejected), ("no-credit", "account", NoRoute), ("whatever", "other", NoRoute)],
)
def test_its_refusals_are_remembered_with_their_reason(code: str, reason: str, raised: type[Exception]) -> None:
    with Vendor(json.dumps({"ok": False, "error": code, "words": "sorry"})) as server:
        acme(server.url)
        with pytest.raises(raised):
            send_code(PHONE[3:], "login")

    message = Message.objects.get()
    assert (message.status, message.error_reason) == ("not_sent", reason)
    assert (message.error_code, message.error_message) == (code, "sorry")


@pytest.mark.django_db
def test_without_the_line_in_the_settings_there_is_no_such_gateway() -> None:
    with pytest.raises(ValidationError, match='There is no gateway "acme"'):
        acme("")


@with_acme
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"queue": "slow"}, "queue: use fast, cheap"),
        ({"speed": "slow"}, "The options of this gateway are: queue, proxy, pace"),
        ({"queue": 1}, "queue: use fast, cheap"),
    ],
)
def test_its_options_are_validated(options: dict[str, object], words: str) -> None:
    provider = Provider(name="Acme", slug="acme", gateway="acme", credentials={"key": "k"}, options=options)

    with pytest.raises(ValidationError, match=words):
        provider.full_clean()


@with_acme
def test_it_stands_beside_the_gateways_that_come_along() -> None:
    assert gateway_class("acme") is AcmeGateway
    assert gateway_class("memory").local


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("tests.acme_sms.Nothing", 'The gateway "bad" cannot be imported from "tests.acme_sms.Nothing"'),
        ("tests.nowhere.Gateway", 'The gateway "bad" cannot be imported from "tests.nowhere.Gateway"'),
        ("nonsense", 'The gateway "bad" cannot be imported from "nonsense"'),
        ("tests.acme_sms.Credential", "not a subclass of Gateway"),
        ("tests.acme_sms.Reason", "not a subclass of Gateway"),
    ],
)
def test_a_path_that_leads_to_no_gateway_is_named(path: str, words: str) -> None:
    with override_settings(SMSVERIFY={"GATEWAYS": {"bad": path}}), pytest.raises(InvalidGateway, match=words):
        gateway_class("bad")


def test_an_unknown_alias_names_those_that_exist() -> None:
    with pytest.raises(InvalidGateway, match=r"apispace, console, ihuyi, memory, qixuntong, topthink, veesing\.$"):
        gateway_class("acme")
