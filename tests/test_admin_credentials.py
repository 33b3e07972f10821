"""Changing the credentials of a provider needs a permission of its own, and each change is logged and mailed."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.admin import site
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.core.exceptions import PermissionDenied
from django.test import Client, override_settings

from django_smsverify.models import Provider

from .conftest import LogRecorder
from .test_admin import OTHER, SECRET, Browser, errors, filled_in, page
from .test_admin_destinations import ROOT, acme, staff  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db

OF_PROVIDERS = ("view_provider", "add_provider", "change_provider")


@pytest.fixture
def clerk(client: Client) -> Browser:
    """A user who may add and change providers, but not their credentials."""
    client.force_login(staff(*OF_PROVIDERS))
    return Browser(client)


@pytest.fixture
def chief(client: Client) -> Browser:
    client.force_login(staff(*OF_PROVIDERS, "change_credentials"))
    return Browser(client)


def test_without_the_permission_posted_credentials_are_ignored(
    acme: Provider,  # noqa: F811
    clerk: Browser,
    django_capture_on_commit_callbacks: Any,
) -> None:
    with override_settings(ADMINS=ROOT), django_capture_on_commit_callbacks(execute=True):
        assert clerk.post(page(acme, "change"), filled_in("ihuyi", secret=OTHER, name="Renamed")).status_code == 302

    acme.refresh_from_db()
    assert (acme.name, acme.credentials) == ("Renamed", {"account": SECRET, "api_key": SECRET})
    assert mail.outbox == []


def test_without_the_permission_the_fields_are_disabled_and_say_why(acme: Provider, clerk: Browser) -> None:  # noqa: F811
    html = clerk.get(page(acme, "change")).content.decode()

    for name in ("credential_account", "credential_api_key"):
        assert re.search(rf'<input[^>]* name="{name}"[^>]* disabled', html), name
    assert html.count("To change the credentials needs a permission of its own") == 2


def test_without_the_permission_a_provider_with_lost_keys_can_be_renamed(acme: Provider, clerk: Browser) -> None:  # noqa: F811
    with override_settings(SMSVERIFY={"ENCRYPTION_KEYS": ["all new"]}):
        assert clerk.post(page(acme, "change"), filled_in("ihuyi", name="Renamed")).status_code == 302

    assert Provider.objects.get().name == "Renamed"
    assert Provider.objects.get().credentials == {"account": SECRET, "api_key": SECRET}


def test_without_the_permission_the_address_cannot_be_moved(acme: Provider, client: Client) -> None:  # noqa: F811
    client.force_login(staff("view_provider", "change_provider", "change_destination"))

    answer = Browser(client).post(page(acme, "change"), filled_in("ihuyi", base_url="https://new.example"))

    assert errors(answer) == ["__all__"]
    assert Provider.objects.get().base_url == ""


def test_without_the_permission_there_is_no_new_provider(clerk: Browser) -> None:
    add = page(Provider, "add")
    answers = [clerk.get(add), clerk.post(add, filled_in("ihuyi", secret=OTHER))]

    assert [answer.status_code for answer in answers] == [403, 403]
    with pytest.raises(PermissionDenied, match="needs the permission “Can change the credentials of a provider”"):
        site._registry[Provider].add_view(answers[0].wsgi_request)
    assert not Provider.objects.exists()
    assert page(Provider, "add") not in clerk.get(page(Provider)).content.decode()


def test_with_the_permission_a_provider_can_be_added(chief: Browser) -> None:
    assert chief.post(page(Provider, "add"), filled_in("ihuyi", secret=SECRET)).status_code == 302

    assert Provider.objects.get().credentials == {"account": SECRET, "api_key": SECRET}


def test_a_change_is_logged_and_mailed_by_the_names_of_its_fields(
    acme: Provider,  # noqa: F811
    chief: Browser,
    log: LogRecorder,
    django_capture_on_commit_callbacks: Any,
) -> None:
    with override_settings(ADMINS=ROOT), django_capture_on_commit_callbacks(execute=True):
        posted = filled_in("ihuyi", credential_api_key=OTHER)
        assert chief.post(page(acme, "change"), posted).status_code == 302
        assert mail.outbox == [], "not before it is committed"

    line = "changed the credentials of provider acme: api_key."
    assert [one for one in log.lines if one.endswith(line)]
    (sent,) = mail.outbox
    assert sent.subject.endswith("Credentials of the SMS provider acme were changed")
    assert "change_credentials" in sent.body
    told = sent.body + log.text + "".join(entry.change_message for entry in LogEntry.objects.all())
    assert not any(secret in told for secret in (SECRET, OTHER))


def test_a_change_of_the_address_too_is_one_mail(
    acme: Provider,  # noqa: F811
    client: Client,
    django_capture_on_commit_callbacks: Any,
) -> None:
    client.force_login(staff(*OF_PROVIDERS, "change_credentials", "change_destination"))

    with override_settings(ADMINS=ROOT), django_capture_on_commit_callbacks(execute=True):
        Browser(client).post(page(acme, "change"), filled_in("ihuyi", secret=OTHER, base_url="https://new.example"))

    assert ["go elsewhere" in sent.subject for sent in mail.outbox] == [True]


def test_a_change_of_something_else_is_not_mailed(
    acme: Provider,  # noqa: F811
    chief: Browser,
    django_capture_on_commit_callbacks: Any,
) -> None:
    with override_settings(ADMINS=ROOT), django_capture_on_commit_callbacks(execute=True):
        assert chief.post(page(acme, "change"), filled_in("ihuyi", name="Renamed")).status_code == 302

    assert mail.outbox == []
