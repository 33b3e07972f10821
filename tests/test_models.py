"""Validation of rows, their text form, and the rank of a message's status."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import override_settings
from django.utils import timezone

from django_smsverify.enums import MessageStatus, ReviewStatus
from django_smsverify.models import (
    DeliveryReport,
    Message,
    Provider,
    Recipient,
    Refusal,
    Reply,
    Signature,
    Template,
    TestNumber,
    Verification,
)
from django_smsverify.models.gateway_classes import gateway_class
from tests.folding import folded

from .conftest import CODE_TEXT, PHONE, VENDORS, MakeProvider

pytestmark = pytest.mark.django_db


def provider_with(**fields: Any) -> Provider:
    return Provider(**{"name": "Acme", "slug": "acme", "gateway": "topthink", **fields})


def refused(row: Provider | Template | Signature) -> dict[str, list[str]]:
    with pytest.raises(ValidationError) as caught:
        row.full_clean()
    return caught.value.message_dict


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "https://sms.example.com",
        "HTTPS://sms.example.com/path/",
        "https://sms.example.com:8443",
        "http://127.0.0.1:8099",
        "http://localhost",
        "http://LOCALHOST:1/x",
        "http://[::1]:8099",
    ],
)
def test_a_base_url_is_https_or_loopback(base_url: str) -> None:
    provider_with(base_url=base_url).full_clean()


@folded(
    "base_url",
    [
        "http://sms.example.com",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://127.0.0.1@example.com",
        "http://10.0.0.5",
        "ftp://127.0.0.1",
        "//sms.example.com",
        "sms.example.com",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://",
        "https:sms.example.com",
        "https://[",
        "http://[::1",
        "http://attacker.example\\@127.0.0.1/",
        "https://user:password@sms.example.com",
        "https://sms.example.com/?to=",
        "https://sms.example.com/?",
        "https://sms.example.com/#",
        "https://sms.example.com\n",
        "https://sms.example.com/ x",
        "https://еxample.com",
    ],
)
def test_any_other_base_url_is_refused(base_url: str) -> None:
    assert list(refused(provider_with(base_url=base_url))) == ["base_url"]


def test_an_unknown_gateway_is_refused_and_the_existing_ones_are_named() -> None:
    message = refused(provider_with(gateway="acme"))

    assert list(message) == ["gateway"]
    assert all(name in message["gateway"][0] for name in ('"acme"', 'SMSVERIFY["GATEWAYS"]', *VENDORS))


def test_a_gateway_that_cannot_be_imported_is_refused() -> None:
    with override_settings(SMSVERIFY={"GATEWAYS": {"acme": "no.such.Gateway"}}):
        assert "no.such.Gateway" in refused(provider_with(gateway="acme"))["gateway"][0]


def options_of(gateway: str) -> list[tuple[str, str, str]]:
    return [(gateway, o.name, choice) for o in gateway_class(gateway).options for choice in (*o.choices, o.default)]


@folded("gateway, name, value", [case for vendor in VENDORS for case in options_of(vendor)])
def test_each_choice_of_a_gateways_options_is_valid(gateway: str, name: str, value: str) -> None:
    needed = {group[0]: "1400006666" for group in gateway_class(gateway).required_options}
    provider_with(gateway=gateway, options=needed | ({name: value} if value else {})).full_clean()


@folded(
    "gateway, options, message",
    [
        ("topthink", {"auth": "cookie"}, "auth: use header, query."),
        ("topthink", {"auth": 1}, "auth: use header, query."),
        ("topthink", {"mode": "content"}, "The options of this gateway are: http_method, auth, proxy, pace."),
        ("topthink", ["auth"], "The options of this gateway are: http_method, auth, proxy, pace."),
        ("ihuyi", {"password": "md5"}, "password: use dynamic, plain."),
        ("ihuyi", {"mode": "Content"}, "mode: use content, template."),
        ("apispace", {"success_codes": 0}, "success_codes: use text."),
        ("veesing", {"proxy": None}, "proxy: use text."),
        ("qixuntong", {"auth": "query"}, "The options of this gateway are: proxy, pace."),
        ("console", {"proxy": "x"}, "The options of this gateway are: -."),
        ("veesing", {"pace": "0"}, "Write a whole number from 1 to 999."),
        ("veesing", {"pace": "1000"}, "Write a whole number from 1 to 999."),
    ],
)
def test_options_are_validated_by_the_gateway(gateway: str, options: Any, message: str) -> None:
    assert refused(provider_with(gateway=gateway, options=options)) == {"options": [message]}


def test_a_price_is_not_negative() -> None:
    assert list(refused(provider_with(price="-0.01"))) == ["price"]


def test_a_slug_is_unique(memory: MakeProvider) -> None:
    memory(slug="acme")

    assert list(refused(provider_with())) == ["slug"]


def test_each_provider_has_its_own_webhook_secret() -> None:
    first, second = provider_with().webhook_secret, provider_with().webhook_secret

    assert first != second
    assert min(len(first), len(second)) >= 43  # 256 bits


@pytest.mark.parametrize("gateway", VENDORS)
def test_a_blank_base_url_means_the_vendors_default(gateway: str) -> None:
    own = provider_with(gateway=gateway).gateway_client().account.base_url
    other = provider_with(gateway=gateway, base_url="https://x.example").gateway_client().account.base_url

    assert own == gateway_class(gateway).base_url != ""
    assert other == "https://x.example"


@pytest.fixture
def signature(memory: MakeProvider) -> Signature:
    return memory().signatures.get()


def template_with(own: Signature, **fields: Any) -> Template:
    defaults = {"name": "code", "purpose": "login", "content": CODE_TEXT}
    return Template(**{"provider": own.provider, "signature": own, **defaults, **fields})


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"content": "您的验证码是{code}"},
        {"content": "{code} {code}"},
        {"content": "系统维护已完成。"},
        {"content": "{name}，您的订单{order_no}已发货，{minutes}分钟内到。"},
        {"variables": {"code": "yzm", "minutes": "t"}},
        {"signature": None},
    ],
)
def test_a_template_that_can_be_sent_is_valid(fields: dict[str, Any], signature: Signature) -> None:
    template_with(signature, **fields).full_clean()


@pytest.mark.parametrize("purpose", ["login", "reset-password", "a", "2fa", "change_phone", "a1-b2_c3", "x" * 64])
def test_a_purpose_is_a_lower_case_slug(purpose: str, signature: Signature) -> None:
    template_with(signature, purpose=purpose).full_clean()


@pytest.mark.parametrize(
    "purpose",
    [
        "",
        "Login",
        "LOGIN",
        "log in",
        "login\n",
        "login ",
        "-login",
        "login-",
        "a--b",
        "a-_b",
        "登录",
        "ｌogin",
        "x" * 65,
    ],
)
def test_any_other_purpose_is_refused(purpose: str, signature: Signature) -> None:
    assert list(refused(template_with(signature, purpose=purpose))) == ["purpose"]


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"content": "{code"}, "content", "Write placeholders as {name}"),
        ({"content": "code}"}, "content", "Write placeholders as {name}"),
        ({"content": "{{code}}"}, "content", "Write placeholders as {name}"),
        ({"content": "{验证码}"}, "content", "Write placeholders as {name}"),
        ({"content": "{code} {name}"}, "content", "nothing fills in: name."),
        ({"content": "{code} {z} {a} {minutes}"}, "content", "nothing fills in: a, z."),
        ({"variables": {"yzm": "code"}}, "variables", "Use a placeholder of the content"),
        ({"variables": {"code": ""}}, "variables", "Use a placeholder of the content"),
        ({"variables": {"code": 1}}, "variables", "Use a placeholder of the content"),
        ({"variables": ["code"]}, "variables", "Use a placeholder of the content"),
        ({"variables": "code"}, "variables", "Use a placeholder of the content"),
    ],
)
def test_a_template_that_cannot_be_filled_in_is_refused(
    fields: dict[str, Any], field: str, message: str, signature: Signature
) -> None:
    errors = refused(template_with(signature, **fields))

    assert list(errors) == [field]
    assert message in errors[field][0]


def test_a_signature_of_another_provider_is_refused(signature: Signature, memory: MakeProvider) -> None:
    other = memory(slug="other")

    errors = refused(template_with(signature, provider=other))

    assert errors == {"signature": ["This signature belongs to another provider."]}


@pytest.mark.parametrize(
    ("content", "carries"), [(CODE_TEXT, True), ("{code}", True), ("{minutes}", False), ("{codes} {Code}", False)]
)
def test_a_template_carries_a_code_if_it_has_the_placeholder(content: str, carries: bool) -> None:
    assert Template(content=content).carries_code is carries


@pytest.mark.parametrize(
    ("fields", "routable"),
    [
        ({}, True),
        ({"signature": None}, True),
        ({"is_active": False}, False),
        ({"status": ReviewStatus.DRAFT}, False),
        ({"status": ReviewStatus.PENDING}, False),
        ({"status": ReviewStatus.REJECTED}, False),
    ],
)
def test_a_route_is_an_approved_active_template(fields: dict[str, Any], routable: bool, memory: MakeProvider) -> None:
    Template.objects.filter(provider=memory()).update(**fields)

    assert Template.objects.routable().exists() is routable


@pytest.mark.parametrize("status", [s for s in ReviewStatus if s != ReviewStatus.APPROVED])
def test_no_route_has_an_unapproved_signature(status: ReviewStatus, signature: Signature) -> None:
    Signature.objects.update(status=status)

    assert not Template.objects.routable().exists()


def test_no_route_has_an_inactive_provider(memory: MakeProvider) -> None:
    memory(is_active=False)

    assert not Template.objects.routable().exists()


def rows_of(provider: Provider) -> list[Any]:
    """One row of each model that has a number; always with the same code."""
    now = timezone.now()
    recipient = Recipient.objects.create(phone=PHONE)
    verification = Verification.objects.create(
        id=UUID(int=1),
        nonce="0123456789abcdef" * 2,
        recipient=recipient,
        phone=PHONE,
        purpose="login",
        code_length=6,
        max_attempts=5,
        expires_at=now + timedelta(minutes=5),
    )
    common: dict[str, Any] = {"provider": provider, "phone": PHONE}
    message = Message.objects.create(
        verification=verification, template=provider.templates.get(), purpose="login", values={"name": "王"}, **common
    )
    common["message"] = message
    report = DeliveryReport.objects.create(outcome="delivered", source="push", fingerprint=UUID(int=1), **common)
    return [
        recipient,
        verification,
        message,
        report,
        Reply.objects.create(content="T", fingerprint=UUID(int=1), **common),
        Refusal.objects.create(id=UUID(int=1), phone=PHONE, reason="resend", first_at=now, last_at=now),
        TestNumber.objects.create(phone=PHONE, expires_at=now),
    ]


def test_no_row_shows_a_full_number_or_a_code(memory: MakeProvider) -> None:
    rows = rows_of(memory())
    verification = rows[1]

    for row in rows:
        shown = f"{row} {row!r} {type(row).objects.all()!r}"
        assert "138****8000" in shown
        assert PHONE[3:] not in shown
        assert str(verification.derive_code()) not in shown
        assert verification.nonce not in shown


def test_the_text_form_of_each_row(memory: MakeProvider) -> None:
    provider = memory()
    texts = [str(row) for row in (*rows_of(provider), provider, provider.signatures.get(), provider.templates.get())]

    assert texts == [
        "138****8000",
        "138****8000 · login",
        "138****8000 · login · queued",
        "138****8000 · delivered",
        "138****8000",
        "138****8000 · pause between two SMS",
        "138****8000",
        "memory",
        "【示例站】",
        "memory login",
    ]


def test_a_code_depends_on_its_verification(memory: MakeProvider) -> None:
    _, verification, *_ = rows_of(memory())
    own = verification.derive_code()

    assert len(own) == 6
    assert Verification.objects.get().derive_code() == own
    changes = {"context": "c" * 64, "nonce": "0" * 32, "phone": "+8613900139000", "purpose": "payment"}
    for name, value in changes.items():
        other = Verification.objects.get()
        setattr(other, name, value)
        assert other.derive_code() != own


def test_a_code_cannot_be_derived_without_its_key(memory: MakeProvider) -> None:
    _, verification, *_ = rows_of(memory())

    with override_settings(SECRET_KEY="all new"), pytest.raises(LookupError, match="SECRET_KEY_FALLBACKS"):
        verification.derive_code()


def test_no_column_of_a_verification_holds_its_code(memory: MakeProvider) -> None:
    _, verification, *_ = rows_of(memory())
    columns = [str(value) for value in Verification.objects.values_list().get()]

    assert not any(verification.derive_code() in column for column in columns if "-" not in column)


@pytest.mark.parametrize(("seconds", "left"), [(300, 300), (0.1, 1), (0, 0), (-5, 0)])
def test_the_seconds_left_are_rounded_up_and_never_negative(seconds: float, left: int) -> None:
    now = timezone.now()

    assert Verification(expires_at=now + timedelta(seconds=seconds)).seconds_left(now) == left


def test_a_number_has_one_row() -> None:
    Recipient.objects.create(phone=PHONE)

    with pytest.raises(IntegrityError), transaction.atomic():
        Recipient.objects.create(phone=PHONE)


RANK = ["queued", "sending", "unknown", "not_sent", "accepted", "undelivered", "delivered"]


@pytest.mark.parametrize(("place", "status"), list(enumerate(RANK)))
def test_a_status_replaces_only_statuses_of_lower_rank(place: int, status: str) -> None:
    assert [str(below) for below in MessageStatus(status).below()] == RANK[:place]


def test_every_status_has_a_rank() -> None:
    assert sorted(MessageStatus.values) == sorted(RANK)


@pytest.mark.parametrize(
    "proxy", ["10.0.0.5:3128", "socks5://10.0.0.5", "http://user:password@10.0.0.5:3128", "http://", "x"]
)
def test_a_proxy_is_a_plain_address_without_a_password(proxy: str) -> None:
    assert list(refused(provider_with(options={"proxy": proxy}))) == ["options"]


def test_a_proxy_can_be_set() -> None:
    provider_with(options={"proxy": "http://10.0.0.5:3128"}).full_clean()


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:8080", "HTTP://127.0.0.1:8080", "http://localhost"])
def test_a_proxy_cannot_be_used_for_http(base_url: str) -> None:
    proxy = {"proxy": "http://10.0.0.5:3128"}

    assert refused(provider_with(base_url=base_url, options=proxy)) == {
        "options": ["A proxy carries https only: remove it, or use an https:// URL."]
    }
    options = {**proxy, "report_host": base_url}
    assert list(refused(provider_with(gateway="apispace", options=options))) == ["options"]


PRIVATE_HOSTS = [
    "https://127.0.0.1",
    "https://localhost:8443",
    "https://[::1]",
    "https://10.0.0.1",
    "https://192.168.1.1/sms",
    "https://169.254.169.254/latest",
    "https://2130706433",
    "https://0x7f.1",
    "https://[fd00::1]",
    "https://[::ffff:10.0.0.1]",
]


@folded("allowed", ["loopback", False])
@folded("base_url", PRIVATE_HOSTS)
def test_a_private_address_is_refused(base_url: str, allowed: object) -> None:
    with override_settings(SMSVERIFY={"ALLOW_PRIVATE_HOSTS": allowed}):
        of_base_url = refused(provider_with(base_url=base_url))
        of_options = refused(provider_with(gateway="apispace", options={"report_host": base_url}))

    message = 'This address is not on the internet; SMSVERIFY["ALLOW_PRIVATE_HOSTS"] says what is allowed.'
    assert of_base_url == {"base_url": [message]}
    assert of_options == {"options": [message]}


@pytest.mark.parametrize("base_url", PRIVATE_HOSTS)
def test_a_site_may_allow_its_own_network(base_url: str) -> None:
    with override_settings(SMSVERIFY={"ALLOW_PRIVATE_HOSTS": True}):
        provider_with(base_url=base_url, options={"proxy": "http://10.0.0.5:3128"}).full_clean()
        assert list(refused(provider_with(base_url="http://10.0.0.1"))) == ["base_url"], "http is always refused"


def test_a_site_may_refuse_even_loopback() -> None:
    with override_settings(SMSVERIFY={"ALLOW_PRIVATE_HOSTS": False}):
        assert list(refused(provider_with(base_url="http://127.0.0.1:8080"))) == ["base_url"]


def test_a_gateway_receives_the_network_settings() -> None:
    with override_settings(SMSVERIFY={"ALLOW_PRIVATE_HOSTS": False, "CA_BUNDLE": "/etc/ssl/company.pem"}):
        account = provider_with().gateway_client().account

    assert (account.private_hosts, account.ca_bundle) == (False, "/etc/ssl/company.pem")
