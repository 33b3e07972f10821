"""A third-party gateway needs one file, one line in the settings and one test class."""

from __future__ import annotations

import json

import pytest
from django.core.exceptions import ValidationError
from django.test import override_settings

from django_smsverify.conf import BUILTIN_GATEWAYS
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
def test_a_code_that_it_sends_can_be_verified() -> None:
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
def test_its_refusals_are_stored_with_their_reason(code: str, reason: str, raised: type[Exception]) -> None:
    with Vendor(json.dumps({"ok": False, "error": code, "words": "sorry"})) as server:
        acme(server.url)
        with pytest.raises(raised):
            send_code(PHONE[3:], "login")

    message = Message.objects.get()
    assert (message.status, message.error_reason) == ("not_sent", reason)
    assert (message.error_code, message.error_message) == (code, "sorry")


@pytest.mark.django_db
def test_without_the_setting_the_gateway_is_unknown() -> None:
    with pytest.raises(ValidationError, match='There is no gateway "acme"'):
        acme("")


@with_acme
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"queue": "slow"}, "queue: use fast, cheap"),
        ({"speed": "slow"}, "The options of this gateway are: queue, proxy, pace"),
        ({"queue": 1}, "queue: use fast, cheap"),
    ],
)
def test_its_options_are_validated(options: dict[str, object], expected: str) -> None:
    provider = Provider(name="Acme", slug="acme", gateway="acme", credentials={"key": "k"}, options=options)

    with pytest.raises(ValidationError, match=expected):
        provider.full_clean()


@with_acme
def test_it_is_available_with_the_built_in_gateways() -> None:
    assert gateway_class("acme") is AcmeGateway
    assert gateway_class("memory").local


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("tests.acme_sms.Nothing", 'The gateway "bad" cannot be imported from "tests.acme_sms.Nothing"'),
        ("tests.nowhere.Gateway", 'The gateway "bad" cannot be imported from "tests.nowhere.Gateway"'),
        ("nonsense", 'The gateway "bad" cannot be imported from "nonsense"'),
        ("tests.acme_sms.Credential", "not a subclass of Gateway"),
        ("tests.acme_sms.Reason", "not a subclass of Gateway"),
    ],
)
def test_the_error_names_a_path_that_is_not_a_gateway(path: str, expected: str) -> None:
    with override_settings(SMSVERIFY={"GATEWAYS": {"bad": path}}), pytest.raises(InvalidGateway, match=expected):
        gateway_class("bad")


def test_the_error_for_an_unknown_alias_lists_the_known_ones() -> None:
    with pytest.raises(InvalidGateway, match=rf"{', '.join(sorted(BUILTIN_GATEWAYS))}\.$"):
        gateway_class("acme")
