"""No page of the admin shows a phone number that stands in a text from outside."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.db import models
from django.test import Client

from django_smsverify.exceptions import GatewayRejected
from django_smsverify.gateways.base import Gateway
from django_smsverify.models import (
    DeliveryReport,
    Message,
    Provider,
    Recipient,
    Reply,
    ReportBatch,
    Signature,
    Template,
    Verification,
)
from django_smsverify.phones import masked

from .conftest import CODE_TEXT, NO_FILINGS, PHONE, MakeProvider, add_template
from .test_admin import page
from .test_models import rows_of

pytestmark = pytest.mark.django_db

SPELLINGS = [
    "13800138000",
    "+86 138-0013-8000",
    "138 0013 8000",
    "１３８００１３８０００",
    "138\u200b0013\u200b8000",
    "138，0013，8000",
]
APP_COLUMNS = {
    "block",
    "network",
    "added_by",
    "counted_in",
    "phone",
    "status",
    "outcome",
    "source",
    "purpose",
    "batch",
    "error_reason",
    "fingerprint",
    "key_id",
    "nonce",
    "context",
}
"""Columns that the app writes itself."""
OPERATOR_COLUMNS = {
    "name",
    "slug",
    "gateway",
    "base_url",
    "text",
    "remark",
    "content",
    "webhook_secret",
    "balance_alarm",
}
"""Columns that the operator writes; the `content` of a reply is written by its sender."""
ID_COLUMNS = {"remote_id"}
MODELS = (Provider, Signature, Template, Recipient, Verification, Message, DeliveryReport, Reply, ReportBatch)


def text_columns(model: type[models.Model]) -> set[str]:
    """The columns of a model that contain text from vendors or from senders of replies."""
    kinds = (models.CharField, models.TextField, models.JSONField)
    named = {field.name for field in model._meta.fields if isinstance(field, kinds) and not field.choices}
    outside = (
        named - APP_COLUMNS - ID_COLUMNS - (OPERATOR_COLUMNS if model in (Provider, Signature, Template) else set())
    )
    return outside - {"credentials", "options", "regions", "variables", "values", "previous_webhook_secret"}


def test_the_columns_with_text_from_outside_are_these() -> None:
    assert {model.__name__: text_columns(model) for model in MODELS if text_columns(model)} == {
        "Signature": {"reason"},
        "Template": {"reason"},
        "Message": {"error_code", "error_message"},
        "DeliveryReport": {"code", "detail", "payload"},
        "Reply": {"content", "payload"},
        "ReportBatch": {"body", "problems"},
    }


@pytest.fixture
def rows(memory: MakeProvider) -> list[models.Model]:
    provider = memory()
    texts = [provider.signatures.get(), provider.templates.get()]
    batch = ReportBatch.objects.create(provider=provider, body="", problems="row 1")
    return [provider, *texts, *rows_of(provider), batch]


def fill(rows: list[models.Model], words: str) -> None:
    for row in rows:
        model = type(row)
        values: dict[str, Any] = dict.fromkeys(text_columns(model), words)
        values |= {"payload": {"mobile": words}} if "payload" in values else {}
        if values:
            model._default_manager.update(**values)


def assert_masked(client: Client, url: str, spelling: str, **query: str) -> str:
    html = client.get(url, query, follow=True).content.decode()
    plain = "".join(str(int(c)) if c.isdigit() else c for c in html)
    assert spelling not in html, f"{url} shows {spelling}"
    assert PHONE[3:] not in plain, url
    return html


@pytest.mark.any_database
@pytest.mark.slow
@pytest.mark.parametrize(
    "spelling", [SPELLINGS[0], *(pytest.param(one, marks=pytest.mark.slow) for one in SPELLINGS[1:])]
)
def test_no_page_shows_a_number_that_stands_in_a_text(
    spelling: str, rows: list[models.Model], admin_client: Client
) -> None:
    fill(rows, f"号码{spelling}欠费 E42")

    shown = 0
    for row in rows:
        for url in (page(type(row)), *(page(row, name) for name in ("change", "history", "delete"))):
            shown += assert_masked(admin_client, url, spelling).count("E42")
    for model in (Message, Reply, DeliveryReport):
        model._default_manager.update(remote_id="V1")
        assert "1 result" in assert_masked(admin_client, page(model), spelling, q="V1")
    assert_masked(admin_client, "/admin/", spelling)

    assert shown >= 14, "the text is shown"


@pytest.mark.any_database
@pytest.mark.slow
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_user_who_may_only_view_sees_no_number_either(
    spelling: str, rows: list[models.Model], client: Client
) -> None:
    fill(rows, f"号码{spelling}欠费 E42")
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(user)

    for row in rows:
        for url in (page(type(row)), page(row, "change")):
            assert_masked(client, url, spelling)


def test_a_reason_that_is_not_edited_is_stored_unmasked(memory: MakeProvider, admin_client: Client) -> None:
    template = memory().templates.get()
    Template.objects.update(reason="号码13800138000欠费")
    url = page(template, "change")
    form = admin_client.get(url).context["adminform"].form
    assert form.initial["reason"] == "号码138****8000欠费"
    posted = {name: "" if value is None else value for name, value in form.initial.items()}
    posted |= {"name": "Another", "variables": "{}", "is_active": "on", **NO_FILINGS}

    assert admin_client.post(url, posted).status_code == 302

    template.refresh_from_db()
    assert (template.name, template.reason) == ("Another", "号码13800138000欠费")


def test_a_vendors_error_message_is_masked(
    vendor: MakeProvider, admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = vendor("topthink")
    add_template(provider, "register", CODE_TEXT, "238", status="pending")

    def refuse(*args: Any) -> Any:
        raise GatewayRejected("请联系 139-0013-9000", error_code="7")

    monkeypatch.setattr(Gateway, "ask_review", refuse)
    action = {"action": "fetch", "_selected_action": [Template.objects.get(remote_id="238").pk]}
    html = admin_client.post(page(Template), action, follow=True).content.decode()

    assert "请联系 139****9000" in html


def test_the_reason_of_an_open_circuit_is_masked(memory: MakeProvider, admin_client: Client) -> None:
    provider = memory()
    cache.set(f"smsverify:circuit:state:{provider.pk}", (time.time() + 60, 1, "请联系 13900139000"))

    html = admin_client.get(page(provider, "change")).content.decode()

    assert "139****9000" in html
    assert "13900139000" not in html


@pytest.mark.any_database
@pytest.mark.parametrize(
    "words",
    [
        "IP受限 192.168.100.101，请加白名单",
        "2026-11-21 08:00:00 E42",
        "HTTP 503: gateway",
        "代码 isv.123456",
    ],
)
def test_a_text_without_a_phone_number_is_not_masked(words: str) -> None:
    assert masked(words) == words


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("2026-11-21 13800138000", "2026-11-21 138****8000"),
        ("from 10.0.0.1: 13800138000.", "from 10.0.0.1: 138****8000."),
        ("138.0013.8000", "138****8000"),
        ("0086 138 0013 8000 和 010-12345678", "138****8000 和 010****5678"),
        ("+86（138）0013—8000", "+138****8000"),
    ],
)
def test_a_possible_phone_number_is_masked(words: str, shown: str) -> None:
    assert masked(words) == shown
