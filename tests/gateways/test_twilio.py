"""Twilio: the form of a send, its codes, and the signature of what it pushes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from django.http import QueryDict

from django_smsverify.enums import DeliveryOutcome, Reason
from django_smsverify.exceptions import ForgedCallback, GatewayError, GatewayRejected, InvalidCallback
from django_smsverify.gateways.twilio import TwilioGateway
from django_smsverify.gateways.twilio.signatures import signature
from django_smsverify.testing import FakeTransport, GatewayContract
from django_smsverify.types import Account, Answer, DeliveryEvent, News, OutgoingSMS, Push, ReplyEvent
from tests.conftest import PHONE
from tests.folding import folded

from .support import FORM, HONG_KONG, Harness, body_of, sent, sms, verdict

SID, TOKEN = f"AC{'0' * 32}", "12345"
MESSAGE = f"SM{'1' * 32}"
SENDER = "+15017122661"
OPTIONS = {"from": SENDER}
URL = "https://example.com/smsverify/twilio/SECRET/"
TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'
SMS = OutgoingSMS(content="Your code is {code}", recipients={PHONE: {"code": "1234"}})
HARNESS = Harness(kind=TwilioGateway, credentials={"account_sid": SID, "auth_token": TOKEN}, sms=SMS)
STATUS = {
    "AccountSid": SID,
    "ApiVersion": "2010-04-01",
    "From": SENDER,
    "MessageSid": MESSAGE,
    "MessageStatus": "delivered",
    "SmsSid": MESSAGE,
    "SmsStatus": "delivered",
    "To": PHONE,
}
REPLY = {
    "ToCountry": "US",
    "ToCity": "",
    "MessageSid": f"SM{'2' * 32}",
    "NumMedia": "0",
    "SmsStatus": "received",
    "Body": "STOP",
    "OptOutType": "STOP",
    "To": SENDER,
    "From": PHONE,
    "AccountSid": SID,
    "ApiVersion": "2010-04-01",
}


def said(**fields: object) -> bytes:
    """The vendor's object of a message."""
    usual: dict[str, object] = {
        "sid": MESSAGE,
        "status": "queued",
        "account_sid": SID,
        "to": PHONE,
        "from": SENDER,
        "body": "Your code is 1234",
        "num_segments": "1",
        "price": None,
        "error_code": None,
        "error_message": None,
        "subresource_uris": {"media": "/2010-04-01/Accounts"},
    }
    return json.dumps({**usual, **fields}).encode()


def refusal(code: int, status: int = 400) -> Answer:
    url = f"https://www.twilio.com/docs/errors/{code}"
    body = {"code": code, "message": "the vendor's words", "more_info": url, "status": status}
    return Answer(status, json.dumps(body).encode(), "application/json")


def push(fields: Mapping[str, str], *, token: str = TOKEN, signed_url: str = URL, url: str = URL) -> Push:
    """A call at `url`, signed as one at `signed_url`."""
    headers = {"x-twilio-signature": signature(token, signed_url, fields.items())}
    return Push(content_type=f"{FORM}; charset=UTF-8", headers=headers, body=urlencode(fields).encode(), url=url)


def read(call: Push, token: str = TOKEN) -> News:
    account = Account(base_url=TwilioGateway.base_url, credentials={"auth_token": token} if token else {})
    return TwilioGateway(account, FakeTransport()).read_push(call)


class TestContract(GatewayContract):
    gateway_class = TwilioGateway
    accepted = said()
    refused = refusal(21211)
    refusals = {
        Reason.ACCOUNT: refusal(20003, 401),
        Reason.CONTENT: refusal(21617),
        Reason.RECIPIENT: refusal(21610),
        Reason.RATE: refusal(20429, 429),
        Reason.OTHER: refusal(21609),
    }
    pushed = (
        push(STATUS, token="SECRET-auth_token"),
        push({**STATUS, "MessageStatus": "undelivered", "ErrorCode": "30003"}, token="SECRET-auth_token"),
        push(REPLY, token="SECRET-auth_token"),
    )
    forged = (push(STATUS), push(REPLY, token=""), replace(push(STATUS, token="SECRET-auth_token"), headers={}))
    options = OPTIONS


# ------------------------------------------------------------------------------------------------------ send


def test_a_send_is_a_form_with_basic_authentication() -> None:
    transport = FakeTransport(said())
    account = Account(
        base_url=TwilioGateway.base_url,
        credentials={"account_sid": SID, "auth_token": TOKEN},
        options=OPTIONS,
        webhook_url=URL,
    )

    outcome = TwilioGateway(account, transport).send(SMS)[PHONE]

    assert verdict(outcome) == ("accepted", MESSAGE)
    (request,) = transport.requests
    assert request.url == f"https://api.twilio.com/2010-04-01/Accounts/{SID}/Messages.json"
    assert request.method == "POST"
    assert request.body == (
        b"To=%2B8613800138000&From=%2B15017122661&Body=Your+code+is+1234"
        b"&StatusCallback=https%3A%2F%2Fexample.com%2Fsmsverify%2Ftwilio%2FSECRET%2F"
    )
    assert dict(request.headers) == {
        "Authorization": "Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDoxMjM0NQ==",
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": str(len(request.body)),
    }


def fields_of(text: OutgoingSMS, **options: str) -> dict[str, str]:
    return dict(parse_qsl(body_of(HARNESS.request(text, **{**OPTIONS, **options}))))


def test_without_an_address_of_this_site_no_status_is_asked_for() -> None:
    assert fields_of(SMS) == {"To": PHONE, "From": SENDER, "Body": "Your code is 1234"}


def test_a_number_of_any_country_gets_the_text_with_its_signature() -> None:
    found = fields_of(sms("您的验证码是{code}。A&B + 😀", HONG_KONG, code="471102"))

    assert found == {"To": HONG_KONG, "From": SENDER, "Body": "【示例站】您的验证码是471102。A&B + 😀"}


@pytest.mark.parametrize("number", ["", SENDER])
def test_a_messaging_service_chooses_the_sender(number: str) -> None:
    found = fields_of(SMS, **{"from": number, "messaging_service_sid": "MG1"})

    assert found == {"To": PHONE, "MessagingServiceSid": "MG1", "Body": "Your code is 1234"}
    answer = said(status="accepted", num_segments="0", messaging_service_sid="MG1")
    assert verdict(HARNESS.outcome(Answer(201, answer), None, **OPTIONS)) == ("accepted", MESSAGE)


@pytest.mark.parametrize("missing", OPTIONS)
def test_nothing_is_sent_without_an_account_or_a_sender(missing: str) -> None:
    assert HARNESS.refused_unsent(SMS, **{**OPTIONS, missing: ""}) == ("rejected", "account", "configuration")


@pytest.mark.parametrize("answer", ["{}", '{"sid":null}', '{"sid":""}', '{"status":"queued"}', "[]", "OK"])
def test_an_answer_without_an_id_is_uncertain(answer: str) -> None:
    assert verdict(HARNESS.outcome(Answer(201, answer.encode()), None, **OPTIONS)) == ("uncertain",)


@folded(
    "code, reason",
    [
        *[
            (code, "account")
            for code in (
                *(20003, 20005, 10001, 20008, 21603, 21606, 21659, 21608, 21408, 21703, 21705, 21212, 30002, 30034),
            )
        ],
        *[(code, "content") for code in (21602, 21617, 21619, 21620, 30007, 30019)],
        *[
            (code, "recipient")
            for code in (21211, 21214, 21217, 21610, 21612, 21614, 21635, 30003, 30004, 30005, 30006)
        ],
        *[(code, "rate") for code in (20429, 21611, 30001)],
        *[(code, "other") for code in (30008, 21604, 21609, 20404, 99999)],
    ],
)
def test_each_code_has_its_reason(code: int, reason: str) -> None:
    outcome = HARNESS.outcome(refusal(code), None, **OPTIONS)

    assert verdict(outcome) == ("rejected", reason, str(code))
    assert str(outcome) == "the vendor's words"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, b"<html>", ("rejected", "account", "401")),
        (429, b"", ("rejected", "rate", "429")),
        (429, b'{"code":20429}', ("rejected", "rate", "20429")),
        (401, b'{"code":20999}', ("rejected", "account", "20999")),
        (400, b'{"message":"no code"}', ("rejected", "other", "400")),
        (500, b'{"code":21211}', ("uncertain",)),
        (503, b"", ("uncertain",)),
    ],
)
def test_the_status_decides_where_there_is_no_code(status: int, body: bytes, expected: tuple[str, ...]) -> None:
    assert verdict(HARNESS.outcome(Answer(status, body), None, **OPTIONS)) == expected


# ---------------------------------------------------------------------------------------------- the signature

CALL = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+12349013030",
    "Digits": "1234",
    "From": "+12349013030",
    "To": "+18005551212",
}
OTHER_CALL = {**CALL, "Caller": "+14158675309", "From": "+14158675309"}
DOCUMENTED = "https://mycompany.com/myapp.php?foo=1&bar=2"
WITH_PORT = URL.replace("example.com", "example.com:443")
VECTORS = [
    (DOCUMENTED, CALL, "0/KCTR6DLpKmkAf8muzZqo1nDgQ="),
    (DOCUMENTED, OTHER_CALL, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
    (URL, STATUS, "Tr24X8Uq5j9V5RHqBLDzcQOu0co="),
    (WITH_PORT, STATUS, "kiX/Wm7eF/Y4oz+zbE+tTjPu6d8="),
]
BY_SHARED_KEY = "GqoEubR5Sqzr79l+B/O9P/z49bWXsUh+3/5dZ4tIth4="
"""The third with HMAC_SHA256, as calls are signed with a shared key of the account."""
SIGNED_TEXT = (
    "https://example.com/smsverify/twilio/SECRET/AccountSidAC00000000000000000000000000000000ApiVersion2010-04-01"
    "From+15017122661MessageSidSM11111111111111111111111111111111MessageStatusdelivered"
    "SmsSidSM11111111111111111111111111111111SmsStatusdeliveredTo+8613800138000"
)


@pytest.mark.parametrize(("url", "fields", "expected"), VECTORS)
def test_the_signature_of_known_calls(url: str, fields: Mapping[str, str], expected: str) -> None:
    backwards = list(fields.items())[::-1]

    assert signature(TOKEN, url, backwards) == expected


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_the_signed_text_is_the_url_and_the_sorted_fields(algorithm: str) -> None:
    signed = base64.b64encode(hmac.digest(TOKEN.encode(), SIGNED_TEXT.encode(), algorithm)).decode()

    assert signed == {"sha1": VECTORS[2][2], "sha256": BY_SHARED_KEY}[algorithm]


@pytest.mark.parametrize("values", [["b", "a", "b"], ["a", "b"], ["b", "b", "a", "a"]])
def test_each_value_of_a_repeated_name_counts_once(values: list[str]) -> None:
    pairs = [*STATUS.items(), *(("Tag", value) for value in values)]

    text = f"{SIGNED_TEXT.removesuffix(f'To{PHONE}')}TagaTagbTo{PHONE}"
    expected = base64.b64encode(hmac.digest(TOKEN.encode(), text.encode(), hashlib.sha1)).decode()
    assert signature(TOKEN, URL, pairs) == expected
    call = replace(push({}), headers={"x-twilio-signature": expected}, body=urlencode(pairs).encode())
    assert len(read(call).events) == 1


def test_signatures_equal_those_of_the_vendors_sdk() -> None:
    validator = pytest.importorskip("twilio.request_validator", reason="pip install twilio").RequestValidator(TOKEN)
    fields = [("b", "2"), ("B", "é 你"), ("a", ""), ("b", "1"), ("b", "2")]
    for url in (DOCUMENTED, URL, WITH_PORT, "http://example.com:8000/?q=%E4%BD%A0"):
        assert signature(TOKEN, url, fields) == validator.compute_signature(url, QueryDict(urlencode(fields)))


HOSTS = ["https://example.com", "https://example.com:443", "https://example.com:8443"]
HOSTS += ["http://example.com", "http://example.com:80"]


@folded("signed", HOSTS)
@folded("called", HOSTS)
def test_the_same_ports_are_taken_as_by_the_vendors_sdk(signed: str, called: str) -> None:
    validator = pytest.importorskip("twilio.request_validator", reason="pip install twilio").RequestValidator(TOKEN)
    call = push(STATUS, signed_url=f"{signed}/p/?a=:1", url=f"{called}/p/?a=:1")

    is_theirs = validator.validate(call.url, STATUS, call.headers["x-twilio-signature"])
    try:
        taken = bool(read(call).events)
    except ForgedCallback:
        taken = False
    assert taken is is_theirs


@pytest.mark.parametrize(
    ("signed", "called"),
    [
        (URL, WITH_PORT),
        (WITH_PORT, URL),
        ("http://[::1]/", "http://[::1]:80/"),
        ("http://[::1]:8000/?a=:1", "http://[::1]:8000/?a=:1"),
    ],
)
def test_a_port_does_not_matter_where_it_is_the_usual_one(signed: str, called: str) -> None:
    assert read(push(STATUS, signed_url=signed, url=called)).events


FORGED = {
    "another token": push(STATUS, token="12346"),
    "no token": push(STATUS, token=""),
    "http": push(STATUS, signed_url=URL.replace("https", "http")),
    "another secret": push(STATUS, signed_url=URL.replace("SECRET", "OTHER")),
    "a query": push(STATUS, url=f"{URL}?a=1"),
    "another port": push(STATUS, signed_url=URL.replace(".com", ".com:8443")),
    "a field added": replace(push(STATUS), body=urlencode({**STATUS, "ErrorCode": "30003"}).encode()),
    "a blank field added": replace(push(STATUS), body=push(STATUS).body + b"&ErrorCode="),
    "a field changed": replace(push(STATUS), body=push(STATUS).body.replace(b"=delivered", b"=undelivered")),
    "no signature": replace(push(STATUS), headers={}),
    "an empty signature": replace(push(STATUS), headers={"x-twilio-signature": ""}),
    "no base64": replace(push(STATUS), headers={"x-twilio-signature": "é"}),
    "JSON": replace(push(STATUS), body=json.dumps(STATUS).encode(), content_type="application/json"),
    "no body": replace(push(STATUS), body=b""),
}


@pytest.mark.parametrize("name", FORGED)
def test_any_other_signature_is_forged(name: str) -> None:
    assert read(push(STATUS)).events
    with pytest.raises(ForgedCallback):
        read(FORGED[name])


def test_a_signature_over_the_body_as_it_was_sent_is_forged() -> None:
    text = URL + "".join(f"{name}{value.replace('+', '%2B')}" for name, value in sorted(STATUS.items()))
    undecoded = base64.b64encode(hmac.digest(TOKEN.encode(), text.encode(), hashlib.sha1)).decode()

    with pytest.raises(ForgedCallback):
        read(replace(push(STATUS), headers={"x-twilio-signature": undecoded}))


def test_a_call_that_is_signed_with_a_shared_key_is_refusal() -> None:
    settings = {"x-twilio-webhooks-signature-settings": "key=SK1,algorithm=HMAC_SHA256"}

    with pytest.raises(ForgedCallback):
        read(replace(push(STATUS), headers={"x-twilio-signature": BY_SHARED_KEY, **settings}))


def test_without_the_token_nobodys_call_is_taken() -> None:
    for call in (push(STATUS), push(STATUS, token="")):
        with pytest.raises(ForgedCallback, match="credentials cannot be read"):
            read(call, token="")


def with_fields(count: int) -> Push:
    return push({**STATUS, **{f"Field{place}": "" for place in range(count - len(STATUS))}})


@pytest.mark.parametrize("call", [replace(push(STATUS), body=b"\xff\xfe"), with_fields(101)], ids=["bytes", "fields"])
def test_what_is_no_form_or_a_very_long_one_is_not_read(call: Push) -> None:
    assert read(with_fields(100)).events
    with pytest.raises(InvalidCallback) as caught:
        read(call)

    assert not isinstance(caught.value, ForgedCallback)


# ------------------------------------------------------------------------------------------ what is reported


def event_of(**fields: str) -> Any:
    events = read(push({**STATUS, **fields})).events
    assert len(events) <= 1
    return events[0] if events else None


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        *[(status, None) for status in ("accepted", "scheduled", "queued", "sending", "sent")],
        *[(status, DeliveryOutcome.DELIVERED) for status in ("delivered", "read", "partially_delivered")],
        *[(status, DeliveryOutcome.UNDELIVERED) for status in ("undelivered", "failed", "canceled")],
    ],
)
def test_a_status_that_is_not_the_last_is_no_event(status: str, outcome: DeliveryOutcome | None) -> None:
    pushed = read(push({**STATUS, "MessageStatus": status, "SmsStatus": status}))
    gateway = HARNESS.gateway(FakeTransport(said(status=status)), OPTIONS)
    asked = gateway.ask_status(sent(MESSAGE))

    assert pushed.problems == ()
    assert [getattr(event, "outcome", None) for event in pushed.events] == ([outcome] if outcome else [])
    assert (asked and asked.outcome) == outcome


def test_a_report_has_the_vendors_code_and_no_time() -> None:
    found = event_of(MessageStatus="undelivered", ErrorCode="30003", RawDlrDoneDate="2611210000", Body="x")

    assert found == DeliveryEvent(
        remote_id=MESSAGE,
        phone=PHONE,
        outcome=DeliveryOutcome.UNDELIVERED,
        code="30003",
        payload={**STATUS, "MessageStatus": "undelivered", "ErrorCode": "30003", "RawDlrDoneDate": "2611210000"},
    )
    assert event_of().code == ""


@pytest.mark.parametrize("fields", [{"MessageStatus": "received"}, {"MessageStatus": ""}, {"To": "Sender"}])
def test_a_report_that_says_nothing_is_refusal(fields: dict[str, str]) -> None:
    with pytest.raises(InvalidCallback) as caught:
        event_of(**fields)

    assert not isinstance(caught.value, ForgedCallback)


@pytest.mark.parametrize("content", ["STOP", "好的 👍", "", "a=b&c+d\n%2B"])
def test_a_reply_has_its_own_id_and_is_acknowledged_with_no_words(content: str) -> None:
    call = push({**REPLY, "Body": content})

    (found,) = read(call).events
    assert isinstance(found, ReplyEvent)
    assert (found.remote_id, found.phone, found.content) == (REPLY["MessageSid"], PHONE, content)
    assert "Body" not in found.payload
    assert found.payload["OptOutType"] == "STOP"
    gateway = HARNESS.gateway(FakeTransport(), OPTIONS)
    assert gateway.acknowledge(call) == (TWIML, "text/xml; charset=utf-8")


@pytest.mark.parametrize("status", ["sent", "delivered"])
def test_a_status_is_acknowledged_with_an_empty_body(status: str) -> None:
    gateway = HARNESS.gateway(FakeTransport(), OPTIONS)

    assert gateway.acknowledge(push({**STATUS, "MessageStatus": status}))[0] == ""


def test_a_status_is_asked_by_id() -> None:
    transport = FakeTransport(said(status="failed", error_code=30006, error_message="Landline", price="-0.00750"))
    gateway = HARNESS.gateway(transport, OPTIONS)

    found = gateway.ask_status(sent(MESSAGE))

    (request,) = transport.requests
    assert (request.method, request.body) == ("GET", None)
    assert request.url == f"https://api.twilio.com/2010-04-01/Accounts/{SID}/Messages/{MESSAGE}.json"
    assert request.headers["Authorization"].startswith("Basic ")
    assert found is not None
    assert (found.outcome, found.code, found.detail) == (DeliveryOutcome.UNDELIVERED, "30006", "Landline")
    assert {"body", "subresource_uris"}.isdisjoint(found.payload)
    assert found.payload["price"] == "-0.00750"


def test_a_message_that_the_vendor_does_not_know_is_rejected() -> None:
    gateway = HARNESS.gateway(FakeTransport(refusal(20404, 404)), OPTIONS)

    with pytest.raises(GatewayRejected) as caught:
        gateway.ask_status(sent(MESSAGE))
    assert caught.value.error_code == "20404"


@pytest.mark.parametrize(
    ("written", "left"), [("9.97", "9.97"), ("-1.23455", "-1.2345"), ("0", "0"), ("12.000", "12.000")]
)
def test_the_balance_is_money(written: str, left: str) -> None:
    transport = FakeTransport(json.dumps({"account_sid": SID, "balance": written, "currency": "USD"}).encode())

    assert HARNESS.gateway(transport, OPTIONS).ask_balance() == Decimal(left)
    assert transport.requests[0].url == f"https://api.twilio.com/2010-04-01/Accounts/{SID}/Balance.json"


@pytest.mark.parametrize("body", [b"{}", b'{"balance":null}', b'{"balance":"1.x"}', b'{"balance":"1,5"}'])
def test_another_balance_is_an_error(body: bytes) -> None:
    with pytest.raises(GatewayError):
        HARNESS.gateway(FakeTransport(body), OPTIONS).ask_balance()
