"""The admin pages: everything can be found and read, no secret is ever shown, and accounts cannot be redirected."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import models
from django.http import HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import reverse

from django_smsverify.admin.records import FirstPages
from django_smsverify.gateways.ihuyi import IhuyiGateway
from django_smsverify.models import (
    Access,
    Alert,
    ClientKey,
    Closure,
    DeliveryReport,
    ListEntry,
    Message,
    OptOut,
    Overview,
    ProbeNumber,
    Provider,
    Recipient,
    Refusal,
    Reply,
    ReportBatch,
    Signature,
    Spending,
    Template,
    TestNumber,
    Verification,
)
from django_smsverify.models.gateway_classes import gateway_class

from .conftest import CODE_TEXT, FEW_QUICKLY, NO_FILINGS, PHONE, MakeProvider
from .test_fields import column
from .test_models import rows_of

pytestmark = pytest.mark.django_db

Row = models.Model
RECORDS = (Recipient, Verification, Message, DeliveryReport, Reply, Refusal)
MODELS = (Provider, Signature, Template, *RECORDS, ReportBatch)
LANGUAGES = ("en", "zh-hans")
SECRET, OTHER = "S3CRET-ORIGINAL", "S3CRET-REPLACED"
BATCH = f'{{"code":"0","data":[{{"mobile":"{PHONE[3:]}","tel":"{PHONE}"}}]}}'
TWIN = {"twin": f"{IhuyiGateway.__module__}.{IhuyiGateway.__name__}"}


class Browser:
    """A client of the admin; every page that it gets is searched for secrets."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def get(self, url: str, language: str = "en", **query: str) -> Any:
        response = self.client.get(url, query, headers={"accept-language": language})
        return searched(response)

    def post(self, url: str, data: dict[str, Any]) -> Any:
        return searched(self.client.post(url, {**data, **NO_FILINGS}))

    def found(self, model: type[Row], **query: str) -> int:
        """Number of rows in a list; the page repeats the search text, so it is not searched for secrets."""
        response: Any = self.client.get(page(model), query)
        assert response.status_code == 200
        return len(response.context["cl"].result_list)


def searched(response: Any) -> Any:
    """The response, in which no secret stands but in the field for those who may see it."""
    html = re.sub(r'<input id="smsverify-webhook"[^>]*>', "", response.content.decode())
    codes = {str(verification.derive_code()) for verification in Verification.objects.all()}
    nonces = set(Verification.objects.values_list("nonce", flat=True))
    addresses = Provider.objects.values_list("webhook_secret", "previous_webhook_secret")
    secrets = {secret for pair in addresses for secret in pair if secret}
    for secret in {SECRET, OTHER, PHONE[3:], "gAAAA", *codes, *nonces, *secrets}:
        assert secret not in html, f"{response.request['PATH_INFO']} shows {secret}"
    return response


def page(of: type[Row] | Row, name: str = "changelist") -> str:
    args = [of.pk] if isinstance(of, Row) else []
    return reverse(f"admin:smsverify_{of._meta.model_name}_{name}", args=args)


@pytest.fixture
def browser(admin_client: Client) -> Browser:
    return Browser(admin_client)


@pytest.fixture
def rows(memory: MakeProvider) -> dict[type[Row], Row]:
    """One row of each model; the provider has related rows of each."""
    provider = memory(slug="acme", price="0.05", balance="12.5")
    batch = ReportBatch.objects.create(provider=provider, body=BATCH, problems="row 1: no id")
    found = [provider, provider.signatures.get(), provider.templates.get(), *rows_of(provider), batch]
    Provider.objects.update(gateway="ihuyi", credentials={"account": SECRET, "api_key": SECRET})
    provider.refresh_from_db()
    return {type(row): row for row in found}


@pytest.fixture
def acme(rows: dict[type[Row], Row]) -> Provider:
    return Provider.objects.get()


def filled_in(gateway: str, *, secret: str = "", **fields: Any) -> dict[str, Any]:
    """The fields of the provider's form, as a browser posts them."""
    kind = gateway_class(gateway)
    return {
        "name": "Acme",
        "slug": "acme",
        "gateway": gateway,
        "base_url": "",
        "is_active": "on",
        "priority": "100",
        "weight": "1",
        **{f"credential_{credential.name}": secret for credential in kind.credentials},
        **{f"option_{option.name}": option.default for option in kind.options},
        **{f"option_{group[0]}": "1400006666" for group in kind.required_options},
        **fields,
    }


def errors(response: Any) -> list[str]:
    assert response.status_code == 200
    return list(response.context["adminform"].form.errors)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("model", MODELS)
def test_every_row_can_be_listed_and_opened(
    model: type[Row], language: str, browser: Browser, rows: dict[type[Row], Row]
) -> None:
    for url in (page(model), page(rows[model], "change"), page(rows[model], "history")):
        response = browser.get(url, language)

        html = response.content.decode()
        assert response.status_code == 200
        assert f'<html lang="{language}"' in html
        assert ">None<" not in html


@pytest.mark.any_database
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("model", MODELS)
def test_an_empty_list_is_shown(model: type[Row], language: str, browser: Browser) -> None:
    assert browser.get(page(model), language).status_code == 200


@pytest.mark.any_database
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_index_names_every_model(language: str, browser: Browser) -> None:
    for url in (reverse("admin:index"), reverse("admin:app_list", args=["smsverify"])):
        html = browser.get(url, language).content.decode()

        assert all(page(model) in html for model in MODELS)


@pytest.mark.parametrize(
    "typed",
    [
        "13800138000",
        " 138 0013 8000",
        "138-0013-8000",
        "+86 138 0013 8000",
        "008613800138000",
        "１３８００１３８０００",
    ],
)
@pytest.mark.parametrize("model", RECORDS)
def test_a_record_is_found_by_its_number_in_any_format(
    model: type[Row], typed: str, browser: Browser, rows: dict[type[Row], Row]
) -> None:
    assert browser.found(model, q=typed) == 1


@pytest.mark.parametrize("typed", ["14900138000", "+86 149 0013 8000", "008614900138000"])
def test_a_number_without_metadata_is_found(typed: str, browser: Browser, rows: dict[type[Row], Row]) -> None:
    Message.objects.update(phone="+8614900138000")

    assert browser.found(Message, q=typed) == 1


def test_a_vendors_id_that_looks_like_a_number_is_found(browser: Browser, rows: dict[type[Row], Row]) -> None:
    Message.objects.update(remote_id="13900139000")

    assert browser.found(Message, q="13900139000") == 1


@pytest.mark.parametrize("typed", ["13900139000", "8001", "1380013", "+861380013800", "138****8001", "010-62781234"])
@pytest.mark.parametrize("model", RECORDS)
def test_a_record_is_not_found_by_another_or_a_partial_number(
    model: type[Row], typed: str, browser: Browser, rows: dict[type[Row], Row]
) -> None:
    assert browser.found(model, q=typed) == 0


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("typed", ["'", '"', "%", "\\", "a b", "😀", "x" * 500, "-1", "9" * 30, "\x00"])
def test_no_search_text_causes_an_error(
    typed: str, model: type[Row], browser: Browser, rows: dict[type[Row], Row]
) -> None:
    assert browser.found(model, q=typed) <= 1


@pytest.mark.parametrize(
    ("model", "typed"),
    [
        (Provider, "acm"),
        (Signature, "示例"),
        (Template, "login"),
        (Template, "验证码"),
        (Verification, "00000000-0000-0000-0000-000000000001"),
        (Verification, "00000000000000000000000000000001"),
        (Message, "SMS-42"),
        (DeliveryReport, "SMS-42"),
        (Reply, "SMS-42"),
    ],
)
def test_a_row_is_found_by_its_text_and_ids(
    model: type[Row], typed: str, browser: Browser, rows: dict[type[Row], Row]
) -> None:
    for record in (Message, DeliveryReport, Reply):
        record.objects.update(remote_id="SMS-42")

    assert browser.found(model, q=typed) == 1
    assert browser.found(model, q="something else") == 0


def list_links(browser: Browser, model: type[Row]) -> Iterator[str]:
    """Every link in the filters, dates and column headings of a list."""
    cl = browser.get(page(model)).context["cl"]
    for spec in cl.filter_specs:
        yield from (choice["query_string"] for choice in spec.choices(cl))
    for column_ in range(1, len(cl.list_display) + 1):
        yield from (f"?o={column_}", f"?o=-{column_}")
    if cl.date_hierarchy:
        yield f"?{cl.date_hierarchy}__year=2026&{cl.date_hierarchy}__month=1"


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_every_filter_and_order_of_a_list_works(model: type[Row], browser: Browser, rows: dict[type[Row], Row]) -> None:
    links = list(list_links(browser, model))

    assert links
    for link in links:
        assert browser.get(page(model) + link).status_code == 200, link


@pytest.mark.parametrize(
    ("model", "hit", "miss"),
    [
        (Provider, {"gateway": "ihuyi"}, {"gateway": "memory"}),
        (Signature, {"status__exact": "approved"}, {"status__exact": "draft"}),
        (Template, {"purpose": "login"}, {"is_active__exact": "0"}),
        (Verification, {"purpose": "login"}, {"verified_at__isempty": "0"}),
        (Message, {"status__exact": "queued"}, {"status__exact": "accepted"}),
        (DeliveryReport, {"outcome__exact": "delivered"}, {"outcome__exact": "undelivered"}),
        (DeliveryReport, {"message__isempty": "0"}, {"message__isempty": "1"}),
        (Reply, {"received_at__gte": "2020-01-01 00:00Z"}, {"received_at__lt": "2020-01-01 00:00Z"}),
    ],
)
def test_a_filter_narrows_the_list(
    model: type[Row], hit: dict[str, str], miss: dict[str, str], browser: Browser, rows: dict[type[Row], Row]
) -> None:
    assert (browser.found(model, **hit), browser.found(model, **miss)) == (1, 0)


def test_a_list_counts_only_its_first_pages(acme: Provider, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FirstPages, "most", 3)
    monkeypatch.setattr(admin.site._registry[Reply], "list_per_page", 2)
    for number in range(5):
        Reply.objects.create(provider=acme, phone=PHONE, content="T", fingerprint=UUID(int=number + 100))

    first, second = (browser.get(page(Reply), p=number).context["cl"] for number in ("1", "2"))

    assert (first.result_count, len(first.result_list), len(second.result_list)) == (3, 2, 1)
    assert "the newest 3 at most" in browser.get(page(Reply)).content.decode()
    assert browser.client.get(page(Reply), {"p": "3"}).status_code == 302


@pytest.mark.parametrize("model", [Verification, Message])
def test_the_purpose_filter_lists_the_purposes_of_the_templates(
    model: type[Row], browser: Browser, rows: dict[type[Row], Row], memory: MakeProvider
) -> None:
    memory("payment", "login")

    (purposes,) = (spec for spec in browser.get(page(model)).context["cl"].filter_specs if spec.title == "purpose")

    assert list(purposes.lookup_choices) == ["login", "payment"]


@pytest.mark.parametrize("model", RECORDS)
def test_a_record_list_has_no_link_that_reads_the_whole_table(
    model: type[Row], browser: Browser, rows: dict[type[Row], Row]
) -> None:
    html = browser.get(page(model)).content.decode()

    assert "?o=" not in html, "another order"
    assert "_facets" not in html, "a count of each filter"


@pytest.mark.parametrize("model", RECORDS)
def test_a_record_cannot_be_added_changed_or_deleted(
    model: type[Row], browser: Browser, rows: dict[type[Row], Row]
) -> None:
    row = rows[model]
    before = list(model._default_manager.values())

    answers = [
        browser.get(page(model, "add")),
        browser.post(page(model, "add"), {"phone": "x"}),
        browser.post(page(row, "change"), {"phone": "x"}),
        browser.get(page(row, "delete")),
        browser.post(page(row, "delete"), {"post": "yes"}),
    ]
    browser.post(page(model), {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"})

    assert [answer.status_code for answer in answers] == [403] * 5
    assert list(model._default_manager.values()) == before
    html = browser.get(page(row, "change")).content.decode()
    assert 'name="_save"' not in html
    assert page(row, "delete") not in html


@pytest.mark.parametrize("model", RECORDS)
def test_a_record_shows_its_number_masked(model: type[Row], browser: Browser, rows: dict[type[Row], Row]) -> None:
    for url in (page(model), page(rows[model], "change")):
        assert "138****8000" in browser.get(url).content.decode()


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "open"),
        ({"attempts": 5}, "used up"),
        ({"expires_at": "2020-01-01T00:00Z"}, "expired"),
        ({"verified_at": "2020-01-01T00:00Z", "attempts": 5, "expires_at": "2020-01-01T00:00Z"}, "verified"),
    ],
)
def test_a_verification_shows_its_state(
    fields: dict[str, Any], state: str, browser: Browser, rows: dict[type[Row], Row]
) -> None:
    Verification.objects.update(**fields)

    html = browser.get(page(Verification)).content.decode()

    assert re.findall(r'<td class="field-state"><span class="smsverify-state \w+">(.*?)</span></td>', html) == [state]


def test_a_verification_shows_its_messages(browser: Browser, rows: dict[type[Row], Row]) -> None:
    Message.objects.update(status="not_sent", error_code="4030", error_message="手机号码已被列入黑名单")

    html = browser.get(page(rows[Verification], "change")).content.decode()

    assert "手机号码已被列入黑名单" in html
    assert page(rows[Message], "change") in html


@pytest.mark.any_database
@pytest.mark.parametrize("query", [{}, {"gateway": "nonsense"}, {"gateway": ""}])
@pytest.mark.parametrize("language", LANGUAGES)
def test_adding_a_provider_starts_with_the_choice_of_a_gateway(
    language: str, query: dict[str, str], browser: Browser
) -> None:
    html = browser.get(page(Provider, "add"), language, **query).content.decode()

    assert re.findall(r'name="gateway" value="(\w+)"', html) == [
        "topthink",
        "veesing",
        "apispace",
        "ihuyi",
        "qixuntong",
        "aliyun",
        "aliyun_pnvs",
        "tencent",
        "twilio",
        "console",
        "memory",
    ]
    assert 'type="password"' not in html


@pytest.mark.any_database
def test_a_gateway_that_cannot_be_imported_is_not_offered(browser: Browser) -> None:
    with override_settings(SMSVERIFY={"GATEWAYS": {"acme": "no.such.Gateway", **TWIN}}):
        html = browser.get(page(Provider, "add")).content.decode()

    assert 'value="twin"' in html
    assert 'value="acme"' not in html


@pytest.mark.any_database
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("gateway", FEW_QUICKLY)
def test_the_form_has_each_secret_and_option_of_the_gateway(gateway: str, language: str, browser: Browser) -> None:
    kind = gateway_class(gateway)

    html = browser.get(page(Provider, "add"), language, gateway=gateway).content.decode()

    secrets = {f"credential_{credential.name}" for credential in kind.credentials}
    assert set(re.findall(r'<input type="password" name="(\w+)"', html)) == secrets
    assert set(re.findall(r'name="(option_\w+)"', html)) == {f"option_{option.name}" for option in kind.options}
    for credential in kind.credentials:
        assert re.search(rf'<label[^>]* for="id_credential_{credential.name}"[^>]*>\s*{credential.label}:', html)
    assert f'<option value="{gateway}" selected>' in html


@pytest.mark.parametrize("gateway", FEW_QUICKLY)
def test_a_saved_provider_is_complete_and_its_secrets_are_encrypted(gateway: str, browser: Browser) -> None:
    kind = gateway_class(gateway)

    saved = browser.post(page(Provider, "add"), filled_in(gateway, secret=SECRET, price="0.045"))

    assert saved.status_code == 302
    provider = Provider.objects.get()
    assert (provider.gateway, str(provider.price), provider.is_active) == (gateway, "0.0450", True)
    assert provider.credentials == {credential.name: SECRET for credential in kind.credentials}
    defaults = {option.name: option.default for option in kind.options if option.default}
    assert provider.options == defaults | {group[0]: "1400006666" for group in kind.required_options}
    assert SECRET not in column(provider)
    assert browser.client.get(saved.url).status_code == 200


def test_the_choice_of_an_option_is_saved_and_shown(browser: Browser) -> None:
    browser.post(page(Provider, "add"), filled_in("ihuyi", secret=SECRET, option_mode="template", option_proxy=""))

    provider = Provider.objects.get()
    html = browser.get(page(provider, "change")).content.decode()

    assert provider.options == {"password": "dynamic", "mode": "template", "format": "json", "pace": "10"}
    assert '<option value="template" selected>' in html


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"credential_api_key": ""}, "credential_api_key"),
        ({"credential_account": ""}, "credential_account"),
        ({"option_mode": "nonsense"}, "option_mode"),
        ({"base_url": "http://sms.example.com"}, "base_url"),
        ({"base_url": "https://["}, "base_url"),
        ({"option_proxy": "http://user:password@10.0.0.5"}, "option_proxy"),
        ({"gateway": "nonsense"}, "gateway"),
        ({"gateway": ""}, "gateway"),
        ({"name": ""}, "name"),
        ({"price": "-1"}, "price"),
    ],
)
def test_an_invalid_form_is_shown_again_without_its_secrets(
    fields: dict[str, str], wrong: str, browser: Browser
) -> None:
    data = {**filled_in("ihuyi", secret=SECRET), **fields}

    assert errors(browser.post(page(Provider, "add"), data)) == [wrong]
    assert not Provider.objects.exists()


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("gateway", "why"),
    [
        ("tencent", "Nothing can be sent without this: SmsSdkAppId."),
        ("twilio", "Nothing can be sent without one of these, and one is enough: Sender / Messaging Service SID."),
    ],
)
def test_the_form_asks_for_what_a_vendor_cannot_do_without(gateway: str, why: str, browser: Browser) -> None:
    field = f"option_{gateway_class(gateway).required_options[0][0]}"

    shown = browser.post(page(Provider, "add"), filled_in(gateway, secret=SECRET) | {field: ""})

    assert errors(shown) == [field]
    assert shown.context["adminform"].form.errors[field] == [why]


def test_keys_that_a_form_with_an_error_does_not_repeat(browser: Browser) -> None:
    url, lost = page(Provider, "add"), "The keys that you entered are not shown again"

    shown = browser.post(url, filled_in("topthink", secret=SECRET, name=""))
    assert lost in shown.content.decode()

    shown = browser.post(url, filled_in("topthink"))
    assert lost not in shown.content.decode()
    assert shown.context["adminform"].form.errors == {"credential_app_code": ["Please enter it."]}


@pytest.mark.any_database
def test_one_of_two_options_is_enough(browser: Browser) -> None:
    fields = {"option_from": "", "option_messaging_service_sid": "MG1"}

    assert browser.post(page(Provider, "add"), filled_in("twilio", secret=SECRET) | fields).status_code == 302


def test_the_form_shows_only_that_a_secret_is_stored(acme: Provider, browser: Browser) -> None:
    html = browser.get(page(acme, "change")).content.decode()
    inputs = re.findall(r'<input type="password"[^>]*>', html)

    assert len(inputs) == 2
    assert all("leave blank to keep" in field and "value=" not in field for field in inputs)


def test_a_blank_field_keeps_its_secret_and_a_value_replaces_it(acme: Provider, browser: Browser) -> None:
    data = filled_in("ihuyi", name="Renamed", credential_api_key=OTHER)

    saved = browser.post(page(acme, "change"), data)

    assert saved.status_code == 302
    acme.refresh_from_db()
    assert (acme.name, acme.credentials) == ("Renamed", {"account": SECRET, "api_key": OTHER})


def test_fields_that_the_form_does_not_show_are_unchanged(acme: Provider, browser: Browser) -> None:
    shown = {"name", "slug", "gateway", "options", "base_url", "is_active", "priority", "weight", "price"}
    hidden = [f.attname for f in Provider._meta.concrete_fields if f.name not in shown | {"credentials"}]
    before = Provider.objects.values(*hidden).get()

    browser.post(page(acme, "change"), filled_in("ihuyi", balance_alert=""))

    assert Provider.objects.values(*hidden).get() == before
    assert "webhook_secret" in hidden


REDIRECTIONS: list[dict[str, str]] = [
    {"base_url": "https://attacker.example"},
    {"base_url": "http://127.0.0.1:8099"},
    {"base_url": IhuyiGateway.base_url},
    {"gateway": "twin"},
    {"gateway": "twin", "base_url": "https://attacker.example"},
    {"base_url": "https://attacker.example", "credential_account": "guessed"},
    {"option_proxy": "http://attacker.example:3128"},
]


@pytest.mark.any_database
@pytest.mark.parametrize("redirection", REDIRECTIONS)
def test_stored_secrets_cannot_be_sent_to_another_address(
    redirection: dict[str, str], acme: Provider, browser: Browser
) -> None:
    before = Provider.objects.values().get()

    with override_settings(SMSVERIFY={"GATEWAYS": TWIN}):
        answer = browser.post(page(acme, "change"), {**filled_in("ihuyi", name="Renamed"), **redirection})

        missing = {"credential_account", "credential_api_key"} - redirection.keys()
        assert set(errors(answer)) == missing
        assert "again" in answer.content.decode()
    assert Provider.objects.values().get() == before


def test_a_custom_base_url_is_protected_like_the_vendors(acme: Provider, browser: Browser) -> None:
    Provider.objects.update(base_url="https://proxy.example")

    answer = browser.post(page(acme, "change"), filled_in("ihuyi"))

    assert errors(answer) == ["credential_account", "credential_api_key"]
    kept = browser.post(page(acme, "change"), filled_in("ihuyi", base_url="https://proxy.example"))
    assert kept.status_code == 302
    acme.refresh_from_db()
    assert acme.credentials == {"account": SECRET, "api_key": SECRET}


@pytest.mark.any_database
@pytest.mark.parametrize("gateway", FEW_QUICKLY)
def test_a_provider_can_be_moved_with_new_secrets(gateway: str, acme: Provider, browser: Browser) -> None:
    data = filled_in(gateway, secret=OTHER, base_url="https://sms.example.com")

    assert browser.post(page(acme, "change"), data).status_code == 302

    acme.refresh_from_db()
    assert (acme.gateway, acme.base_url) == (gateway, "https://sms.example.com")
    assert acme.credentials == {c.name: OTHER for c in gateway_class(gateway).credentials}


def test_another_gateway_requires_its_own_secrets(acme: Provider, browser: Browser) -> None:
    answer = browser.post(page(acme, "change"), {**filled_in("ihuyi"), "gateway": "qixuntong"})

    assert {"credential_secret_id", "credential_secret_key"} == set(errors(answer))
    assert 'name="credential_secret_key"' in answer.content.decode()
    assert 'name="credential_api_key"' not in answer.content.decode()


def test_a_provider_with_a_lost_key_can_be_opened_and_repaired(acme: Provider, browser: Browser) -> None:
    with override_settings(SMSVERIFY={"ENCRYPTION_KEYS": ["all new"]}):
        assert browser.found(Provider) == 1
        html = browser.get(page(acme, "change")).content.decode()
        assert html.count('type="password"') == 2
        assert "leave blank to keep" not in html

        blank = browser.post(page(acme, "change"), filled_in("ihuyi"))
        assert errors(blank) == ["credential_account", "credential_api_key"]

        assert browser.post(page(acme, "change"), filled_in("ihuyi", secret=OTHER)).status_code == 302
        assert Provider.objects.get().credentials == {"account": OTHER, "api_key": OTHER}


@pytest.mark.parametrize("alias", ["gone", "broken"])
def test_a_provider_whose_gateway_is_gone_can_be_opened_and_repaired(
    alias: str, acme: Provider, browser: Browser
) -> None:
    Provider.objects.update(gateway=alias)

    with override_settings(SMSVERIFY={"GATEWAYS": {"broken": "no.such.Gateway"}}):
        html = browser.get(page(acme, "change")).content.decode()
        assert 'type="password"' not in html
        assert browser.found(Provider) == 1

        assert errors(browser.post(page(acme, "change"), {**filled_in("memory"), "gateway": alias})) == ["gateway"]
        assert browser.post(page(acme, "change"), filled_in("veesing", secret=OTHER)).status_code == 302

    acme.refresh_from_db()
    assert acme.credentials == {"app_id": OTHER, "app_key": OTHER}


@pytest.mark.any_database
@pytest.mark.parametrize("model", MODELS)
def test_a_user_who_may_only_view_sees_no_credentials_and_cannot_save(
    model: type[Row], client: Client, rows: dict[type[Row], Row]
) -> None:
    Provider.objects.update(base_url="https://proxy.example", options={"proxy": "http://10.9.8.7:3128"})
    client.force_login(staff("view"))
    browser, before = Browser(client), list(model._default_manager.values())

    for url in (page(model), page(rows[model], "change")):
        html = browser.get(url).content.decode()
        assert not any(
            word in html for word in ("Credentials", "credential_", 'type="password"', "10.9.8.7", "proxy.example")
        )
    answers = [browser.post(page(rows[model], "change"), filled_in("ihuyi")), browser.get(page(model, "add"))]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert list(model._default_manager.values()) == before


@pytest.mark.any_database
@pytest.mark.parametrize("model", MODELS)
def test_a_user_without_permission_gets_no_page(model: type[Row], client: Client, rows: dict[type[Row], Row]) -> None:
    client.force_login(staff())
    browser = Browser(client)

    for url in (page(model), page(model, "add"), page(rows[model], "change"), page(rows[model], "delete")):
        assert browser.get(url).status_code == 403


def staff(*actions: str) -> User:
    user = User.objects.create_user("staff", is_staff=True)
    codenames = [f"{action}_{model._meta.model_name}" for action in actions for model in MODELS]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


def test_the_admin_log_contains_no_secret(browser: Browser) -> None:
    browser.post(page(Provider, "add"), filled_in("ihuyi", secret=SECRET))
    provider = Provider.objects.get()
    browser.post(page(provider, "change"), filled_in("ihuyi", name="Renamed", credential_api_key=OTHER))

    entries = [f"{entry.object_repr} {entry.change_message} {entry}" for entry in LogEntry.objects.all()]

    assert len(entries) == 2
    assert "Renamed" in entries[0]
    assert not any(secret in entry for secret in (SECRET, OTHER) for entry in entries)
    assert "APIKEY" in browser.get(page(provider, "history")).content.decode()


@pytest.mark.any_database
@pytest.mark.parametrize("name", ["add", "change"])
def test_an_error_report_hides_the_posted_fields(name: str, acme: Provider, browser: Browser) -> None:
    url = page(Provider, "add") if name == "add" else page(acme, "change")

    answer = browser.post(url, {**filled_in("ihuyi", secret=SECRET), "name": ""})

    assert answer.wsgi_request.sensitive_post_parameters == "__ALL__"


def test_a_provider_that_has_sent_cannot_be_deleted(acme: Provider, browser: Browser) -> None:
    kept = browser.get(page(acme, "delete")).context["protected"]

    assert kept == ["acme: messages", "acme: delivery reports", "acme: replies"], "not each record, of millions"
    browser.post(page(acme, "delete"), {"post": "yes"})
    browser.post(page(Provider), {"action": "delete_selected", "_selected_action": [acme.pk], "post": "yes"})
    assert Provider.objects.exists()


def test_a_template_that_was_sent_cannot_be_deleted(acme: Provider, browser: Browser) -> None:
    template = acme.templates.get()

    assert browser.get(page(template, "delete")).context["protected"] == ["acme login: messages"]
    browser.post(page(template, "delete"), {"post": "yes"})
    assert Template.objects.exists()


def test_a_signature_that_is_in_use_cannot_be_deleted(memory: MakeProvider, browser: Browser) -> None:
    signature = memory().signatures.get()

    assert browser.post(page(signature, "delete"), {"post": "yes"}).status_code == 200
    assert Signature.objects.exists()


def test_a_provider_that_never_sent_can_be_deleted_with_its_texts(memory: MakeProvider, browser: Browser) -> None:
    provider = memory()

    assert browser.post(page(provider, "delete"), {"post": "yes"}).status_code == 302
    assert not Provider.objects.exists()


def template_form(own: Provider, **fields: Any) -> dict[str, Any]:
    return {
        "provider": own.pk,
        "signature": "",
        "purpose": "payment",
        "name": "payment",
        "content": CODE_TEXT,
        "variables": '{"code": "yzm"}',
        "status": "approved",
        "is_active": "on",
        **fields,
    }


def test_a_slug_that_no_address_may_hold_is_told_what_it_may(browser: Browser) -> None:
    html = browser.post(page(Provider, "add"), filled_in("ihuyi", secret=SECRET, slug="互亿")).content.decode()

    assert "Only Latin letters, digits, hyphens and underscores" in html
    assert not Provider.objects.exists()


def test_a_template_can_be_added(memory: MakeProvider, browser: Browser) -> None:
    assert browser.post(page(Template, "add"), template_form(memory())).status_code == 302

    template = Template.objects.routable().get(purpose="payment")
    assert (template.content, template.variables) == (CODE_TEXT, {"code": "yzm"})


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"content": "{code} {name}", "variables": "{}"}, "content"),
        ({"content": "{code", "variables": "{}"}, "content"),
        ({"content": ""}, "content"),
        ({"variables": "["}, "variables"),
        ({"variables": "[1]"}, "variables"),
        ({"variables": '{"x": "y"}'}, "variables"),
        ({"purpose": "Payment"}, "purpose"),
        ({"provider": ""}, "provider"),
    ],
)
def test_a_wrong_template_is_explained(
    fields: dict[str, str], wrong: str, memory: MakeProvider, browser: Browser
) -> None:
    answer = browser.post(page(Template, "add"), template_form(memory(), **fields))

    assert wrong in errors(answer)
    assert not Template.objects.filter(name="payment").exists()


def test_a_signature_can_be_added_and_belongs_to_its_provider(memory: MakeProvider, browser: Browser) -> None:
    one, two = memory(slug="one"), memory(slug="two")
    form = {"provider": one.pk, "text": "新站", "status": "approved"}

    assert browser.post(page(Signature, "add"), form).status_code == 302

    signature = Signature.objects.get(text="新站")
    answer = browser.post(page(Template, "add"), template_form(two, signature=signature.pk))
    assert errors(answer) == ["signature"]


@pytest.mark.django_db
def test_no_list_can_be_asked_for_what_it_hides() -> None:
    """`?secrets__startswith=…` would tell a ciphertext letter by letter."""
    request = RequestFactory().get("/")
    asked = {
        (model.__name__, field.name, lookup)
        for model, own in admin.site._registry.items()
        for field in model._meta.concrete_fields
        for lookup in ("startswith", "contains", "regex", "gt", "iexact")
        if model._meta.app_label == "smsverify" and own.lookup_allowed(f"{field.name}__{lookup}", "a", request)
    }

    assert asked == set()


def test_every_model_is_registered() -> None:
    registered = {model for model in admin.site._registry if model._meta.app_label == "smsverify"}

    elsewhere = {Access, Alert, ClientKey, Closure, ListEntry, OptOut, Overview, ProbeNumber, Spending, TestNumber}
    assert registered == {*MODELS, *elsewhere}, "with tests here, or in a file of their own"


def test_the_search_for_secrets_finds_them(rows: dict[type[Row], Row]) -> None:
    response = HttpResponse(f"<td>{SECRET}</td>")
    response.request = {"PATH_INFO": "/"}  # type: ignore[attr-defined]

    with pytest.raises(AssertionError, match="shows"):
        searched(response)


@pytest.mark.any_database
@pytest.mark.parametrize(
    "query",
    [
        "smsverify_message_changelist:phone__startswith=%2B8613800138",
        "smsverify_verification_changelist:nonce__startswith=a",
        "smsverify_recipient_changelist:phone=%2B8613800138000",
        "smsverify_provider_changelist:webhook_secret__startswith=a",
        "smsverify_provider_changelist:credentials__startswith=g",
        "smsverify_provider_changelist:previous_webhook_secret__startswith=a",
        "smsverify_deliveryreport_changelist:phone__startswith=%2B8613800138",
        "smsverify_deliveryreport_changelist:message__phone__startswith=%2B8613800138",
        "smsverify_deliveryreport_changelist:message__verification__nonce__startswith=a",
        "smsverify_deliveryreport_changelist:provider__webhook_secret__startswith=a",
        "smsverify_message_changelist:provider__webhook_secret__startswith=a",
        "smsverify_message_changelist:provider__previous_webhook_secret__startswith=a",
        "smsverify_message_changelist:reports__phone__startswith=%2B8613800138",
        "smsverify_reply_changelist:provider__webhook_secret__startswith=a",
        "smsverify_reply_changelist:message__phone__startswith=%2B8613800138",
        "smsverify_reportbatch_changelist:provider__webhook_secret__startswith=a",
        "smsverify_reportbatch_changelist:body__contains=13800138",
        "smsverify_signature_changelist:provider__webhook_secret__startswith=a",
        "smsverify_template_changelist:provider__webhook_secret__startswith=a",
    ],
)
def test_a_list_cannot_be_filtered_by_a_hidden_field(query: str, client: Client, rows: dict[type[Row], Row]) -> None:
    client.force_login(staff("view"))
    name, _, lookup = query.partition(":")

    answer = client.get(f"{reverse(f'admin:{name}')}?{lookup}")

    assert answer.status_code in {302, 400}, "not a list that is shorter when the guess is right"


# ----------------------------------------------------------------------------------------- webhooks


def secrets_of(provider: Provider) -> tuple[str, str]:
    provider.refresh_from_db()
    return provider.webhook_secret, provider.previous_webhook_secret


def act(browser: Browser, action: str, *providers: Provider) -> list[str]:
    """The messages that the page shows after an action on the list of providers."""
    data = {"action": f"{action}_webhook_secret", "_selected_action": [provider.pk for provider in providers]}
    answer = searched(browser.client.post(page(Provider), data, follow=True))
    return [str(message) for message in answer.context["messages"]]


def test_a_webhook_secret_can_be_rotated_and_retired(acme: Provider, memory: MakeProvider, browser: Browser) -> None:
    other = memory(slug="other")
    old, others = acme.webhook_secret, secrets_of(other)

    todo = (
        "The webhook of acme has a new address now; the one before works on. Register the new one with the vendor, "
        "then retire the previous secret."
    )
    assert act(browser, "rotate", acme) == [todo]
    new, previous = secrets_of(acme)
    assert previous == old != new

    why = "acme: the previous webhook secret still works; retire it first."
    assert act(browser, "rotate", acme) == [why]
    assert secrets_of(acme) == (new, old)

    assert act(browser, "retire", acme) == [
        "Only the newest webhook secrets work now.",
        "acme: no push came by the new address yet. See that it is the one registered with the vendor.",
    ]
    assert secrets_of(acme) == (new, "")
    assert secrets_of(other) == others


def test_the_action_rotates_each_provider_that_can_be_rotated(
    acme: Provider, memory: MakeProvider, browser: Browser
) -> None:
    other = memory(slug="other")
    acme.rotate_webhook_secret()
    before, others = secrets_of(acme), other.webhook_secret

    messages = act(browser, "rotate", acme, other)

    assert len(messages) == 2
    assert secrets_of(acme) == before
    assert secrets_of(other)[1] == others


def test_a_user_who_may_not_change_a_provider_changes_no_secret(
    acme: Provider, memory: MakeProvider, client: Client
) -> None:
    client.force_login(staff("view"))
    acme.rotate_webhook_secret()
    other = memory(slug="other")
    before = secrets_of(acme), secrets_of(other)

    for action in ("rotate", "retire"):
        act(Browser(client), action, acme, other)

    assert (secrets_of(acme), secrets_of(other)) == before
    assert "rotate_webhook_secret" not in client.get(page(Provider)).content.decode()


def test_a_user_who_may_change_credentials_can_rotate(acme: Provider, client: Client) -> None:
    user = staff("view", "change")
    client.force_login(user)
    old = acme.webhook_secret
    act(Browser(client), "rotate", acme)
    assert secrets_of(acme)[0] == old
    user.user_permissions.add(Permission.objects.get(codename="change_credentials"))

    act(Browser(client), "rotate", acme)

    assert secrets_of(acme)[1] == old


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("actions", [("view",), ("view", "change")])
def test_a_providers_page_shows_its_webhook_without_the_secret(
    actions: tuple[str, ...], language: str, acme: Provider, client: Client
) -> None:
    client.force_login(staff(*actions))
    acme.rotate_webhook_secret()

    html = Browser(client).get(page(acme, "change"), language).content.decode()

    assert "/sms/webhooks/acme/…/" in html
    assert "smsverify_webhooks" not in html, "an operator has no shell"


def test_a_providers_page_shows_whether_an_older_secret_still_works(acme: Provider, browser: Browser) -> None:
    assert "the previous secret still works" not in browser.get(page(acme, "change")).content.decode()

    acme.rotate_webhook_secret()

    assert "the previous secret still works" in browser.get(page(acme, "change")).content.decode()


@pytest.mark.any_database
@pytest.mark.parametrize("gateway", ["apispace", "qixuntong", "memory"])
def test_no_webhook_is_shown_for_a_vendor_without_pushes(gateway: str, acme: Provider, browser: Browser) -> None:
    Provider.objects.update(gateway=gateway)

    assert "/sms/webhooks/" not in browser.get(page(acme, "change")).content.decode()


def test_a_posted_form_cannot_set_a_webhook_secret(acme: Provider, browser: Browser) -> None:
    before = secrets_of(acme)

    saved = browser.post(page(acme, "change"), filled_in("ihuyi", webhook_secret="x", previous_webhook_secret="x"))

    assert saved.status_code == 302
    assert secrets_of(acme) == before


# ------------------------------------------------------------------------------ reports and replies


def test_a_message_shows_its_reports_and_replies(browser: Browser, rows: dict[type[Row], Row]) -> None:
    DeliveryReport.objects.update(detail="号码无法接通", code="UNDELIV")
    Reply.objects.update(content="请退订，谢谢")

    html = browser.get(page(rows[Message], "change")).content.decode()

    assert all(words in html for words in ("号码无法接通", "UNDELIV", "请退订，谢谢"))


@pytest.mark.parametrize("written", ["13800138000", "+8613800138000", "8613800138000", "x13800138000x"])
def test_a_fetched_batch_is_shown_with_its_numbers_masked(
    written: str, browser: Browser, rows: dict[type[Row], Row]
) -> None:
    ReportBatch.objects.update(body=f'{{"mobile":"{written}","status":"DELIVRD"}}', problems="row 1: no id")

    html = browser.get(page(rows[ReportBatch], "change")).content.decode()

    assert "138****8000" in html
    assert "DELIVRD" in html
    assert "row 1: no id" in html


def test_a_fetched_batch_cannot_be_added_or_changed(browser: Browser, rows: dict[type[Row], Row]) -> None:
    row = rows[ReportBatch]
    before = list(ReportBatch.objects.values())

    answers = [
        browser.get(page(ReportBatch, "add")),
        browser.post(page(ReportBatch, "add"), {"body": "x"}),
        browser.post(page(row, "change"), {"body": "x", "problems": ""}),
    ]

    assert [answer.status_code for answer in answers] == [403] * 3
    assert list(ReportBatch.objects.values()) == before
    assert 'name="_save"' not in browser.get(page(row, "change")).content.decode()


def test_a_fetched_batch_can_be_deleted(browser: Browser, rows: dict[type[Row], Row]) -> None:
    answer = browser.post(page(rows[ReportBatch], "delete"), {"post": "yes"})

    assert answer["Location"] == page(ReportBatch, "changelist"), (
        "nobody may change one, so Django would leave its lists"
    )
    assert not ReportBatch.objects.exists()


@pytest.mark.parametrize(("empty", "found"), [("1", 1), ("0", 2)])
def test_reports_on_unknown_messages_can_be_filtered(empty: str, found: int, acme: Provider, browser: Browser) -> None:
    common: dict[str, Any] = {"provider": acme, "phone": PHONE, "outcome": "delivered", "source": "push"}
    DeliveryReport.objects.create(message=acme.messages.get(), fingerprint=UUID(int=2), **common)
    DeliveryReport.objects.create(message=None, fingerprint=UUID(int=3), **common)

    assert browser.found(DeliveryReport, message__isempty=empty) == found


def test_a_vendors_id_in_the_format_of_the_apps_ids_is_found(memory: MakeProvider, admin_client: Client) -> None:
    provider = memory()
    remote_id = "0123456789abcdef" * 2
    template = provider.templates.all()[0]
    Message.objects.create(provider=provider, template=template, phone=PHONE, purpose="login", remote_id=remote_id)

    page = admin_client.get("/admin/smsverify/message/", {"q": remote_id})

    assert "138****8000" in page.content.decode()


@pytest.mark.parametrize("written", ["138 0013 8000", "138-0013-8000", "(138) 0013.8000", "１３８００１３８０００"])
def test_a_fetched_batch_hides_a_number_in_any_format(memory: MakeProvider, admin_client: Client, written: str) -> None:
    batch = ReportBatch.objects.create(provider=memory(), body=f'{{"mobile": "{written}"}}', problems="row 1")

    page = admin_client.get(f"/admin/smsverify/reportbatch/{batch.pk}/change/").content.decode()

    assert written not in page
    assert "****" in page
