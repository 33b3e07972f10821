"""Changing where SMS go needs a permission of its own, and each change is logged and mailed."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core import mail
from django.test import Client, override_settings

from django_smsverify.gateways.ihuyi import IhuyiGateway
from django_smsverify.models import Provider

from .conftest import PHONE, LogRecorder, addressee
from .test_admin import OTHER, SECRET, Browser, errors, filled_in, page

pytestmark = pytest.mark.django_db

ROOT = [addressee("root@example.com")]
PROXY = "http://10.9.8.7:3128"


@pytest.fixture
def acme(db: None) -> Provider:
    secrets = {"account": SECRET, "api_key": SECRET}
    return Provider.objects.create(name="Acme", slug="acme", gateway="ihuyi", credentials=secrets)


def staff(*codenames: str, username: str = "clerk") -> User:
    user = User.objects.create_user(username, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames, content_type__app_label="smsverify"))
    assert user.user_permissions.count() == len(codenames)
    return user


@pytest.fixture
def clerk(client: Client) -> Browser:
    """A user who may add and change providers, but not where SMS go."""
    client.force_login(staff("view_provider", "add_provider", "change_provider", "change_credentials"))
    return Browser(client)


@pytest.fixture
def chief(client: Client) -> Browser:
    client.force_login(
        staff("view_provider", "add_provider", "change_provider", "change_credentials", "change_destination")
    )
    return Browser(client)


REDIRECTIONS: list[dict[str, str]] = [
    {"base_url": "https://attacker.example"},
    {"base_url": "http://127.0.0.1:8099"},
    {"base_url": IhuyiGateway.base_url},
    {"option_proxy": "http://attacker.example:3128"},
    {"gateway": "veesing", "credential_app_id": OTHER, "credential_app_key": OTHER},
    {"gateway": "console"},
    {"gateway": "nonsense"},
    {"gateway": ""},
]


@pytest.mark.parametrize("redirection", REDIRECTIONS)
def test_without_the_permission_the_destination_is_unchanged(
    redirection: dict[str, str], acme: Provider, clerk: Browser, django_capture_on_commit_callbacks: Any
) -> None:
    Provider.objects.update(base_url="https://own.example", options={"proxy": PROXY, "mode": "template"})
    invented = {"credential_account": OTHER, "credential_api_key": OTHER}
    posted = {**filled_in("ihuyi", name="Renamed"), **invented, **redirection}

    with django_capture_on_commit_callbacks(execute=True):
        for query in ("", "?gateway=veesing&base_url=https://attacker.example"):
            assert clerk.post(page(acme, "change") + query, posted).status_code == 302

    acme.refresh_from_db()
    assert acme.name == "Renamed", "the other fields can be changed"
    assert (acme.gateway, acme.base_url, acme.options["proxy"]) == ("ihuyi", "https://own.example", PROXY)
    assert acme.credentials == {"account": OTHER, "api_key": OTHER}
    assert mail.outbox == []


def test_without_the_permission_the_fields_are_disabled(acme: Provider, clerk: Browser) -> None:
    Provider.objects.update(base_url="https://own.example", options={"proxy": PROXY})

    html = clerk.get(page(acme, "change")).content.decode()

    for name in ("gateway", "base_url", "option_proxy"):
        assert re.search(rf'<(input|select)[^>]* name="{name}"[^>]* disabled', html), name
    assert not re.search(r'<select[^>]* name="option_mode"[^>]* disabled', html)
    assert html.count("To change where SMS go needs a permission of its own.") == 3
    assert "https://own.example" in html


def test_without_the_permission_a_blank_field_keeps_its_secret(acme: Provider, clerk: Browser) -> None:
    Provider.objects.update(base_url="https://own.example")

    assert clerk.post(page(acme, "change"), filled_in("ihuyi", name="Renamed")).status_code == 302

    assert Provider.objects.get().credentials == {"account": SECRET, "api_key": SECRET}


@pytest.mark.parametrize("query", ["", "?base_url=https://attacker.example&option_proxy=http://attacker.example:3128"])
def test_without_the_permission_a_new_provider_has_its_vendors_address(
    query: str, clerk: Browser, django_capture_on_commit_callbacks: Any
) -> None:
    asked = {"base_url": "https://attacker.example", "option_proxy": "http://attacker.example:3128"}
    hidden = {"option_report_host": "https://attacker.example"}

    with django_capture_on_commit_callbacks(execute=True):
        answer = clerk.post(page(Provider, "add") + query, filled_in("apispace", secret=SECRET, **asked, **hidden))

    assert answer.status_code == 302
    provider = Provider.objects.get()
    assert (provider.gateway, provider.base_url) == ("apispace", "")
    assert provider.options == {"success_codes": "0,200000", "report_host": "https://cb.o.apispace.com", "pace": "10"}
    assert mail.outbox == []


def test_a_user_who_may_only_view_can_open_a_provider(acme: Provider, client: Client) -> None:
    client.force_login(staff("view_provider"))

    assert Browser(client).get(page(acme, "change")).status_code == 200


def test_the_permission_alone_changes_nothing(acme: Provider, client: Client) -> None:
    client.force_login(staff("view_provider", "change_destination"))

    answer = Browser(client).post(
        page(acme, "change"), filled_in("ihuyi", base_url="https://new.example", secret=OTHER)
    )

    assert answer.status_code == 403
    assert Provider.objects.get().base_url == ""


@pytest.mark.parametrize(
    ("fields", "changes"),
    [
        ({"base_url": "https://new.example:8443/path"}, "base URL 106.ihuyi.com -> new.example:8443"),
        ({"base_url": "https://106.ihuyi.com/path"}, "base URL 106.ihuyi.com -> 106.ihuyi.com (another path)"),
        ({"option_proxy": PROXY}, "proxy none -> 10.9.8.7:3128"),
        (
            {"base_url": "https://new.example", "option_proxy": PROXY},
            "base URL 106.ihuyi.com -> new.example; proxy none -> 10.9.8.7:3128",
        ),
        (
            {
                "gateway": "topthink",
                "credential_app_code": OTHER,
                "option_http_method": "POST",
                "option_auth": "header",
            },
            "gateway ihuyi -> topthink; base URL 106.ihuyi.com -> api.topthink.com",
        ),
        (
            {"gateway": "console"},
            "gateway ihuyi -> console; base URL 106.ihuyi.com -> none",
        ),
    ],
)
def test_a_change_of_destination_is_logged_and_mailed(
    fields: dict[str, str],
    changes: str,
    acme: Provider,
    chief: Browser,
    log: LogRecorder,
    django_capture_on_commit_callbacks: Any,
) -> None:
    with override_settings(ADMINS=ROOT), django_capture_on_commit_callbacks(execute=True):
        answer = chief.post(page(acme, "change"), filled_in("ihuyi", secret=OTHER) | fields)
        assert answer.status_code == 302, errors(answer)
        assert mail.outbox == [], "not before it is committed"

    who = f"clerk (id {User.objects.get().pk})"
    line = f"django_smsverify WARNING {who} changed where SMS of provider acme go: {changes}."
    assert line in log.lines
    (sent,) = mail.outbox
    assert sent.to == ["root@example.com"]
    assert "SMS of provider acme go elsewhere now" in sent.subject
    assert all(part in sent.body for part in (who, "Acme (acme)", *changes.split("; "), "change_destination"))
    for secret in (SECRET, OTHER):
        assert secret not in sent.body + log.text


@pytest.mark.parametrize("fields", [{"base_url": "https://new.example"}, {"option_proxy": PROXY}])
def test_a_new_provider_with_a_custom_address_is_mailed(
    fields: dict[str, str], chief: Browser, django_capture_on_commit_callbacks: Any
) -> None:
    with override_settings(ADMINS=ROOT), django_capture_on_commit_callbacks(execute=True):
        assert chief.post(page(Provider, "add"), filled_in("ihuyi", secret=SECRET, **fields)).status_code == 302

    (sent,) = mail.outbox
    assert "Acme (acme)" in sent.body
    assert any(host in sent.body for host in ("106.ihuyi.com -> new.example", "none -> 10.9.8.7:3128"))


def test_a_change_that_keeps_the_destination_is_not_reported(
    acme: Provider, chief: Browser, log: LogRecorder, django_capture_on_commit_callbacks: Any
) -> None:
    new = filled_in("topthink", secret=SECRET, slug="new", name="New", base_url="https://api.topthink.com")
    with override_settings(ADMINS=ROOT), django_capture_on_commit_callbacks(execute=True):
        for fields in ({"name": "Renamed"}, {"credential_api_key": OTHER}, {"option_mode": "template"}):
            assert chief.post(page(acme, "change"), filled_in("ihuyi") | fields).status_code == 302
        same = filled_in("ihuyi", secret=OTHER, base_url=IhuyiGateway.base_url)
        assert chief.post(page(acme, "change"), same).status_code == 302
        assert chief.post(page(Provider, "add"), new).status_code == 302

    assert not [sent for sent in mail.outbox if "go elsewhere" in sent.subject]
    assert "where SMS of provider" not in log.text


def test_a_refused_form_is_not_reported(
    acme: Provider, chief: Browser, django_capture_on_commit_callbacks: Any
) -> None:
    with override_settings(ADMINS=ROOT), django_capture_on_commit_callbacks(execute=True):
        answer = chief.post(page(acme, "change"), filled_in("ihuyi", base_url="https://new.example"))

    assert errors(answer) == ["credential_account", "credential_api_key"]
    assert mail.outbox == []


@pytest.mark.parametrize(
    ("username", "shown"), [(PHONE, "+*** (id "), (PHONE[3:], "*** (id "), ("line\nfeed", "line feed (id ")]
)
def test_a_user_name_that_is_a_number_is_masked_in_the_report(
    username: str,
    shown: str,
    acme: Provider,
    client: Client,
    log: LogRecorder,
    django_capture_on_commit_callbacks: Any,
) -> None:
    client.force_login(
        staff("view_provider", "change_provider", "change_credentials", "change_destination", username=username)
    )
    posted = filled_in("ihuyi", secret=OTHER, base_url="https://new.example")

    with override_settings(ADMINS=ROOT), django_capture_on_commit_callbacks(execute=True):
        client.post(page(acme, "change"), posted)

    assert mail.outbox[0].body.startswith(shown)
    assert f"django_smsverify WARNING {shown}" in log.text


def test_a_failed_mail_does_not_stop_the_change(
    acme: Provider,
    chief: Browser,
    log: LogRecorder,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OSError("smtp://login:PASSWORD@mail.example")

    monkeypatch.setattr("django_smsverify.admin.change_mails.mail_admins", refuse)
    posted = filled_in("ihuyi", secret=OTHER, base_url="https://new.example")
    with override_settings(ADMINS=ROOT), django_capture_on_commit_callbacks(execute=True):
        assert chief.post(page(acme, "change"), posted).status_code == 302

    assert Provider.objects.get().base_url == "https://new.example"
    assert "The mail that SMS of provider acme go elsewhere failed with OSError." in log.text
    assert "PASSWORD" not in log.text


def test_a_provider_whose_gateway_is_gone_can_be_opened_without_the_permission(acme: Provider, clerk: Browser) -> None:
    Provider.objects.update(gateway="gone")

    assert clerk.get(page(acme, "change")).status_code == 200
    assert errors(clerk.post(page(acme, "change"), filled_in("veesing", secret=OTHER))) == ["gateway"]
    assert Provider.objects.get().gateway == "gone"
