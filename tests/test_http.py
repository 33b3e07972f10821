"""The HTTP interface for front ends, over real HTTP: every refusal, every field, every kind of invalid input."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import time_machine
from django.core.cache.backends.locmem import LocMemCache
from django.test import Client, override_settings
from django.utils import timezone
from sandbox.faults import Fault
from sandbox.server import Sandbox

from django_smsverify.exceptions import AlreadyUsed
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.models import Message, Verification
from django_smsverify.sending import resend_code, send_code

from .conftest import PHONE, MakeProvider, Site, add_template, code_in, last_code, refusal, wrong

UNKNOWN_ID = str(uuid.UUID(int=0))


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(timezone.now(), tick=False) as traveller:
        yield traveller


class VerifiedMeanwhile(LocMemCache):
    """The code is verified while the limits are checked."""

    def add(self, *args: Any, **kwargs: Any) -> bool:
        Verification.objects.update(verified_at=timezone.now())
        return super().add(*args, **kwargs)


def accept_ticket(request: object, data: dict[str, Any]) -> bool:
    return data.get("ticket") == "good"


# ------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("", "invalid"),
        ("hello", "invalid"),
        ("1380013", "invalid"),
        ("138001380001", "invalid"),
        ("📱13800138000", "invalid"),
        ("13800138000\x00", "invalid"),
        ("1" * 5000, "invalid"),
        ("\ud800", "invalid"),
        (13800138000, "invalid"),
        (None, "invalid"),
        (True, "invalid"),
        (["13800138000"], "invalid"),
        ({"number": "13800138000"}, "invalid"),
        ("02112345678", "phone_not_supported"),
        ("12345678901", "invalid"),
        ("+85261234567", "phone_not_supported"),
    ],
)
def test_an_invalid_number_is_refused_and_nothing_is_sent(
    written: object, code: str, site: Site, memory: MakeProvider
) -> None:
    memory()

    response = site.post("send", {"phone": written, "purpose": "login"})

    assert refusal(response) == (400, code)
    if code == "invalid":
        assert response.json()["errors"]["phone"]
    assert not Message.objects.exists()
    assert not MemoryGateway.outbox


@pytest.mark.parametrize("phone", ["14900138000", "14600138000", "14800138000", "14000138000", "19800138000"])
@pytest.mark.parametrize("spelled", ["{}", "+86 {}", "0086{}", "86-{}"])
def test_the_vendor_decides_which_chinese_number_exists(
    phone: str, spelled: str, site: Site, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")

    sent = site.send(spelled.format(phone))

    assert (sent.status_code, sent.json()["phone"]) == (202, f"{phone[:3]}****8000")
    (sms,) = sandbox.inbox.of(phone)
    assert site.verify(sent.json()["verification_id"], code_in(sms.text)).status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "non_field_errors"),
        ("text", "non_field_errors"),
        (7, "non_field_errors"),
        (None, "phone"),
        ({}, "phone"),
        ({"phone": "13800138000"}, "purpose"),
        ({"purpose": "login"}, "phone"),
        ({"phone": "13800138000", "purpose": 1}, "purpose"),
        ({"phone": "13800138000", "purpose": "x" * 65}, "purpose"),
        ({"phone": "13800138000", "purpose": "login", "colour": "red"}, "colour"),
        ({"phone": "13800138000", "purpose": "login", "\ud83d\ude00": 1}, "\\U0001f600"),
        ({"phone": "13800138000", "verification_id": UNKNOWN_ID}, "phone"),
        ({"verification_id": "not-a-uuid"}, "verification_id"),
        ({"verification_id": 12}, "verification_id"),
    ],
)
def test_an_invalid_send_request_names_the_field(body: Any, field: str, site: Site, memory: MakeProvider) -> None:
    memory()

    response = site.post("send", body)

    assert refusal(response) == (400, "invalid")
    assert field in response.json()["errors"]
    assert not MemoryGateway.outbox


@pytest.mark.parametrize(
    "code",
    [
        *(
            "",
            "123",
            "123456789",
            "1 2 3",
            "1234-56789",
            "\u200b",
            "---",
            "12345a",
            "123.456",
            "123456\x00",
            "🔑🔑🔑🔑",
        ),
        *("١٢٣٤٥٦", "\ud800", 123456, None, ["1"]),
    ],
)
def test_an_invalid_code_is_refused_and_costs_no_attempt(code: object, site: Site, memory: MakeProvider) -> None:
    memory()
    verification_id = site.send().json()["verification_id"]

    response = site.post("verify", {"verification_id": verification_id, "code": code})

    assert refusal(response) == (400, "invalid")
    assert response.json()["errors"]["code"]
    assert Verification.objects.get().attempts == 0


@pytest.mark.parametrize(
    "spelled",
    [
        "{a} {b}",
        "{a}-{b}",
        "{a}\u2013{b}",
        "{a}\u2212{b}",
        "{a}\u3000{b}",
        "\u202a{a}{b}\u202c",
        "{a}\u200b{b}",
        "\ufeff{a}{b}\n",
        " {a} - {b} ",
        "full-width",
    ],
)
def test_a_code_is_accepted_in_every_common_spelling(spelled: str, site: Site, memory: MakeProvider) -> None:
    memory()
    verification_id = site.send().json()["verification_id"]

    def written(code: str) -> str:
        if spelled == "full-width":
            return code.translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)})
        return spelled.format(a=code[:3], b=code[3:])

    refused = site.verify(verification_id, written(wrong(last_code())))
    assert (refusal(refused), refused.json()["attempts_left"]) == ((400, "wrong_code"), 4)
    assert site.verify(verification_id, written(last_code())).status_code == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"[" * 10_000,
        b'{"a":' * 3000,
        b"\xff\xfe\x00",
        b'{"phone": NaN}',
        b'{"phone": ' + b"9" * 5000 + b"}",
        b'{"phone": "' + b"1" * 10_000_000 + b'"}',
        b"\x00",
    ],
    ids=["cut", "deep-list", "deep-dict", "not-utf8", "nan", "long-int", "10MB", "null-byte"],
)
def test_a_body_that_is_not_small_json_is_refused(raw: bytes, site: Site, memory: MakeProvider) -> None:
    memory()

    response = requests.post(f"{site.url}/sms/send/", raw, headers={"Content-Type": "application/json"}, timeout=60)

    assert refusal(response) == (400, "invalid")


@pytest.mark.parametrize("charset", ["zlib", "utf-7", "base64", "gbk", "nonsense"])
def test_json_is_read_as_utf8_whatever_the_charset(charset: str, site: Site, memory: MakeProvider) -> None:
    memory()
    headers = {"Content-Type": f"application/json; charset={charset}", "Accept": "text/html"}

    response = requests.post(
        f"{site.url}/sms/send/", b'{"phone": "13800138000", "purpose": "login"}', headers=headers, timeout=60
    )

    assert response.status_code == 202


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"])
@pytest.mark.parametrize("path", ["send", "verify"])
def test_only_json_is_accepted(kind: str, path: str, site: Site, db: None) -> None:
    response = requests.post(f"{site.url}/sms/{path}/", b"phone=1", headers={"Content-Type": kind}, timeout=60)

    assert refusal(response) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "send"), ("PUT", "send"), ("DELETE", "verify"), ("GET", "verify")]
)
def test_other_methods_are_refused(method: str, path: str, site: Site, db: None) -> None:
    assert refusal(requests.request(method, f"{site.url}/sms/{path}/", timeout=60)) == (405, "method_not_allowed")


def test_an_unknown_verification_is_not_found(site: Site, memory: MakeProvider) -> None:
    memory()

    assert refusal(site.verify(UNKNOWN_ID, "123456")) == (404, "not_found")
    assert refusal(site.resend(UNKNOWN_ID)) == (404, "not_found")
    for written in (UNKNOWN_ID, "garbage"):
        assert refusal(requests.get(f"{site.url}/sms/send/{written}/", timeout=60)) == (404, "not_found")


@pytest.mark.parametrize("purpose", ["payment", "Login", "login ", "log\x00in", "登录", "\ud800", "notice"])
def test_a_purpose_exists_if_a_code_template_has_exactly_that_purpose(
    purpose: str, site: Site, memory: MakeProvider
) -> None:
    provider = memory()
    add_template(provider, "notice", "{name}，您的订单已发货。", "")

    status, code = refusal(site.send(purpose=purpose))

    assert status == 400
    assert code in {"unknown_purpose", "invalid"}
    assert code == "unknown_purpose" or "\x00" in purpose or "\ud800" in purpose
    assert not MemoryGateway.outbox


def test_the_captcha_is_checked_before_a_message_is_stored(site: Site, memory: MakeProvider) -> None:
    memory("login", "payment")
    body = {"phone": "13800138000", "purpose": "login", "ticket": "bad"}
    settings = {"CAPTCHA": "tests.test_http.accept_ticket", "PURPOSES": {"payment": {"CAPTCHA": None}}}

    with override_settings(SMSVERIFY=settings):
        assert refusal(site.post("send", body)) == (400, "captcha_required")
        assert not Message.objects.exists()
        sent = site.post("send", body | {"ticket": "good"})
        assert sent.status_code == 202
        resent = site.resend(sent.json()["verification_id"])
        assert resent.status_code == 429, "who solved one needs no other, but waits"
        assert site.send("13900139000", "payment").status_code == 202


@pytest.mark.parametrize("broken", ["no.such.function", 7, "tests.test_http", "tests.breaks_on_import.captcha"])
def test_a_captcha_that_cannot_be_called_refuses_the_request(broken: object, site: Site, memory: MakeProvider) -> None:
    memory()

    with override_settings(SMSVERIFY={"CAPTCHA": broken}):
        assert refusal(site.send()) == (400, "captcha_required")


def test_a_number_that_the_vendor_rejects_is_refused(
    site: Site, vendor: MakeProvider, memory: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("ihuyi", priority=1)
    memory()
    sandbox.misbehave("ihuyi", Fault.refuse("4030"))

    assert refusal(site.send()) == (400, "phone_rejected")

    message = Message.objects.get()
    assert (message.status, message.error_reason, message.error_code) == ("not_sent", "recipient", "4030")
    assert message.error_message == "手机号码已被列入黑名单"
    sandbox.behave()
    assert site.send().status_code == 202, "a refused SMS does not use up the number's allowance"


def test_the_gateway_is_unavailable_if_every_provider_refuses(
    site: Site, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("ihuyi")
    vendor("topthink")
    sandbox.misbehave("ihuyi", Fault.refuse("4051"))
    sandbox.misbehave("topthink", Fault.status(403))

    with override_settings(SMSVERIFY={"IP_LIMITS": ("4/h",), "PREFIX_LIMITS": ("1/h",), "GLOBAL_LIMITS": ("1/h",)}):
        for _ in range(3):
            assert refusal(site.send()) == (503, "gateway_unavailable")
        assert {m.error_reason for m in Message.objects.all()} == {"account"}
        assert not Verification.objects.with_live_code(timezone.now()).exists()
        sandbox.behave()
        assert site.send().status_code == 202


def test_an_address_is_limited_although_the_vendor_is_broken(
    site: Site, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink")
    sandbox.misbehave("topthink", Fault.status(403))

    with override_settings(SMSVERIFY={"IP_LIMITS": ("3/h",)}):
        answers = [site.send().status_code for _ in range(5)]

    assert answers == [503, 503, 503, 429, 429]
    assert Message.objects.count() == 3


def test_the_gateway_is_unavailable_without_an_active_provider(site: Site, memory: MakeProvider) -> None:
    memory(is_active=False)

    assert refusal(site.send()) == (503, "gateway_unavailable")


def test_an_unknown_outcome_returns_202_and_the_delivered_code_verifies(
    site: Site, vendor: MakeProvider, memory: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("ihuyi", priority=1)
    memory()
    sandbox.misbehave("ihuyi", Fault.deliver_then_status(502))

    sent = site.send()

    assert sent.status_code == 202
    assert not MemoryGateway.outbox, "a second SMS is never sent"
    verification_id = sent.json()["verification_id"]
    assert requests.get(f"{site.url}/sms/send/{verification_id}/", timeout=60).json()["status"] == "unknown"
    (sms,) = sandbox.inbox.of(PHONE[3:])
    assert site.verify(verification_id, code_in(sms.text)).status_code == 200


# --------------------------------------------------------------------------------------------- verify


def test_each_wrong_code_costs_an_attempt_until_none_is_left(site: Site, memory: MakeProvider) -> None:
    memory()
    verification_id = site.send().json()["verification_id"]
    code = last_code()

    left = []
    for _ in range(5):
        response = site.verify(verification_id, wrong(code))
        assert refusal(response) == (400, "wrong_code")
        left.append(response.json()["attempts_left"])

    assert left == [4, 3, 2, 1, 0]
    assert refusal(site.verify(verification_id, code)) == (400, "too_many_attempts")
    assert refusal(site.resend(verification_id)) == (400, "too_many_attempts")


def test_a_code_verifies_once(site: Site, memory: MakeProvider) -> None:
    memory()
    verification_id = site.send().json()["verification_id"]

    assert site.verify(verification_id, last_code()).status_code == 200
    assert refusal(site.verify(verification_id, last_code())) == (400, "already_used")
    assert refusal(site.resend(verification_id)) == (400, "already_used")


def test_a_code_expires_after_its_lifetime(site: Site, memory: MakeProvider, clock: time_machine.Traveller) -> None:
    memory()
    first = site.send().json()["verification_id"]
    code = last_code()

    clock.shift(299)
    assert refusal(site.verify(first, wrong(code))) == (400, "wrong_code")
    clock.shift(1)

    assert refusal(site.verify(first, code)) == (400, "expired")
    assert refusal(site.resend(first)) == (400, "expired")


def test_purposes_have_their_own_settings(site: Site, memory: MakeProvider) -> None:
    memory("payment")

    with override_settings(
        SMSVERIFY={"PURPOSES": {"payment": {"CODE_LENGTH": 8, "CODE_LIFETIME": 120, "MAX_ATTEMPTS": 1}}}
    ):
        body = site.send(purpose="payment").json()
        assert (body["code_length"], body["expires_in"]) == (8, 120)
        assert len(last_code()) == 8
        assert site.verify(body["verification_id"], wrong(last_code())).json()["attempts_left"] == 0


def test_a_changed_setting_does_not_affect_live_codes(site: Site, memory: MakeProvider) -> None:
    memory()
    verification_id = site.send().json()["verification_id"]

    with override_settings(SMSVERIFY={"CODE_LENGTH": 8, "MAX_ATTEMPTS": 1, "CODE_LIFETIME": 60}):
        assert site.verify(verification_id, wrong(last_code())).json()["attempts_left"] == 4
        assert site.verify(verification_id, last_code()).status_code == 200


def test_a_live_code_verifies_after_the_secret_key_is_rotated(site: Site, memory: MakeProvider) -> None:
    from django.conf import settings

    memory()
    old = settings.SECRET_KEY
    verification_id = site.send().json()["verification_id"]
    code = last_code()

    with override_settings(SECRET_KEY="another"):
        assert refusal(site.verify(verification_id, code)) == (400, "expired")
    with override_settings(SECRET_KEY="another", SECRET_KEY_FALLBACKS=[old]):
        assert site.verify(verification_id, code).status_code == 200


# --------------------------------------------------------------------------------------------- resend


def test_a_resend_sends_the_same_code_and_extends_its_lifetime(
    site: Site, memory: MakeProvider, clock: time_machine.Traveller
) -> None:
    memory()
    first = site.send().json()
    clock.shift(60)

    again = site.resend(first["verification_id"])

    assert again.status_code == 202
    assert again.json() == first
    one, two = MemoryGateway.outbox
    assert code_in(one.text) == code_in(two.text)
    clock.shift(299)
    assert site.verify(first["verification_id"], last_code()).status_code == 200


def test_resends_extend_a_code_to_twice_its_lifetime_at_most(
    site: Site, memory: MakeProvider, clock: time_machine.Traveller
) -> None:
    memory()
    verification_id = site.send().json()["verification_id"]

    for _ in range(2):
        clock.shift(250)
        assert site.resend(verification_id).status_code == 202
    assert site.resend(verification_id).status_code == 429
    clock.shift(60)
    assert refusal(site.resend(verification_id)) == (400, "expired"), "no SMS is sent for the last forty seconds"
    clock.shift(39)
    assert site.verify(verification_id, wrong(last_code())).json()["code"] == "wrong_code"
    clock.shift(1)
    assert refusal(site.verify(verification_id, last_code())) == (400, "expired")


def test_a_resend_does_not_reset_the_attempts(site: Site, memory: MakeProvider, clock: time_machine.Traveller) -> None:
    memory()
    verification_id = site.send().json()["verification_id"]
    for _ in range(4):
        site.verify(verification_id, wrong(last_code()))
    clock.shift(60)
    assert site.resend(verification_id).status_code == 202

    assert site.verify(verification_id, wrong(last_code())).json()["attempts_left"] == 0
    assert refusal(site.verify(verification_id, last_code())) == (400, "too_many_attempts")


def test_a_resend_skips_a_provider_with_an_unknown_outcome(
    site: Site, vendor: MakeProvider, memory: MakeProvider, sandbox: Sandbox, clock: time_machine.Traveller
) -> None:
    vendor("topthink", priority=1)
    memory()
    sandbox.misbehave("topthink", Fault.status(500), times=1)
    verification_id = site.send().json()["verification_id"]
    clock.shift(60)

    assert site.resend(verification_id).status_code == 202

    assert len(MemoryGateway.outbox) == 1
    assert site.verify(verification_id, last_code()).status_code == 200


def test_a_resend_does_not_skip_the_only_provider(
    site: Site, vendor: MakeProvider, sandbox: Sandbox, clock: time_machine.Traveller
) -> None:
    vendor("topthink")
    sandbox.misbehave("topthink", Fault.status(500), times=1)
    verification_id = site.send().json()["verification_id"]
    clock.shift(60)

    assert site.resend(verification_id).status_code == 202
    assert len(sandbox.inbox.of(PHONE[3:])) == 1


def test_a_resend_that_no_provider_accepts_is_not_counted(
    site: Site, vendor: MakeProvider, sandbox: Sandbox, clock: time_machine.Traveller
) -> None:
    vendor("topthink")
    with override_settings(SMSVERIFY={"PREFIX_LIMITS": ("2/h",)}):
        verification_id = site.send().json()["verification_id"]
        clock.shift(60)
        sandbox.misbehave("topthink", Fault.status(403))
        for _ in range(3):
            assert refusal(site.resend(verification_id)) == (503, "gateway_unavailable")
        sandbox.behave()
        assert site.resend(verification_id).status_code == 202
    first, again = sandbox.inbox.of(PHONE[3:])
    assert code_in(first.text) == code_in(again.text)


def test_a_code_that_is_verified_during_its_resend_is_not_sent(
    memory: MakeProvider, clock: time_machine.Traveller
) -> None:
    """It is verified after the verification was read and before the number is locked."""
    memory()
    verification = send_code(PHONE, "login")
    clock.shift(60)

    with (
        override_settings(CACHES={"default": {"BACKEND": "tests.test_http.VerifiedMeanwhile"}}),
        pytest.raises(AlreadyUsed),
    ):
        resend_code(verification.pk)

    assert len(MemoryGateway.outbox) == 1


def buggy_captcha(request: Any, data: Any) -> bool:
    raise RuntimeError("a bug of the site")


def test_an_unexpected_exception_is_a_status_500(client: Client, memory: MakeProvider) -> None:
    memory()
    client.raise_request_exception = False

    with override_settings(SMSVERIFY={"CAPTCHA": f"{__name__}.buggy_captcha"}):
        response = client.post("/sms/send/", {"phone": PHONE, "purpose": "login"}, "application/json")

    assert response.status_code == 500


# ------------------------------------------------------------------------------------------- language


def test_errors_of_a_field_are_in_the_language_of_each_client(site: Site) -> None:
    too_long = {"phone": PHONE, "purpose": "x" * 65}
    errors = [site.post("send", too_long, Accept_Language=language).json()["errors"] for language in ("zh-CN", "en")]

    assert "64" in errors[0]["purpose"][0]
    assert not errors[0]["purpose"][0].isascii()
    assert errors[1] == {"purpose": ["Ensure this field has no more than 64 characters."]}


def test_messages_are_in_the_language_of_the_client(site: Site, memory: MakeProvider) -> None:
    memory()
    verification_id = site.send().json()["verification_id"]

    response = site.post(
        "verify", {"verification_id": verification_id, "code": wrong(last_code())}, Accept_Language="zh-CN"
    )

    assert response.json()["detail"] == "验证码错误，还可以尝试 4 次。"
