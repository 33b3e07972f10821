"""The encryption key in the admin: what is under an old one is told, and encrypted anew by one button."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_smsverify.admin import encryption
from django_smsverify.models import ClientKey, Message, Provider
from django_smsverify.models.fields import Ciphertext, rotate
from django_smsverify.operations import reencrypting
from django_smsverify.operations.doctor import Action, Kind, what_to_do

from .conftest import PHONE, LogRecorder
from .test_admin import SECRET, Browser, page
from .test_admin_destinations import staff

pytestmark = pytest.mark.django_db(transaction=True)

URL = reverse("admin:smsverify_provider_encryption")


def keys(*secrets: str) -> override_settings:
    return override_settings(SMSVERIFY={"ENCRYPTION_KEYS": secrets})


@pytest.fixture
def rotated(db: None) -> Iterator[Provider]:
    """An account and a message under the old key, after the new one was put before it."""
    with keys("old"):
        secrets = {"account": SECRET, "api_key": SECRET}
        provider = Provider.objects.create(name="Acme", slug="acme", gateway="ihuyi", credentials=secrets)
        template = provider.templates.create(purpose="notice", name="notice", content="{name}")
        fields = {"provider": provider, "template": template, "phone": PHONE, "purpose": "notice"}
        Message.objects.create(**fields, values={"name": SECRET})
    with keys("new", "old"):
        yield provider


@pytest.fixture
def chief(client: Client) -> Browser:
    client.force_login(staff("view_message", "view_provider", "change_credentials"))
    return Browser(client)


def todos(browser: Browser) -> str:
    html = browser.get(reverse("admin:smsverify_overview")).content.decode()
    return str(html[html.index("What to do now") : html.index("sv-windows")])


def pressed(browser: Browser) -> list[str]:
    """The levels of the messages after a press of the button."""
    assert browser.post(URL, {}).status_code == 302
    return re.findall(r'<li class="(success|error|warning)">', browser.get(URL).content.decode())


def told(browser: Browser) -> list[str]:
    """The messages of the page, after a press of the button."""
    assert browser.post(URL, {}).status_code == 302
    html = browser.get(URL).content.decode()
    return re.findall(r'<li class="(?:success|error|warning)">(.*?)</li>', html, re.DOTALL)


def test_the_to_do_list_says_it_and_its_button_encrypts_all_anew(rotated: Provider, chief: Browser) -> None:
    listed = todos(chief)
    assert "Still encrypted with an old encryption key: the credentials of Acme." in listed
    assert f'action="{URL}"' in listed

    assert "Providers 1, Messages 1, Client keys 0, Test numbers 0" in told(chief)[0]

    assert "old encryption key" not in todos(chief)
    with keys("new"):
        assert Provider.objects.get().credentials["account"] == SECRET
        assert Message.objects.get().values == {"name": SECRET}


def test_it_costs_the_to_do_list_no_statement(rotated: Provider, chief: Browser) -> None:
    with CaptureQueriesContext(connection) as with_old:
        assert [one.action for one in what_to_do() if one.kind == Kind.OLD_KEY] == [Action.REENCRYPT]
    told(chief)
    with CaptureQueriesContext(connection) as without:
        assert not [one for one in what_to_do() if one.kind == Kind.OLD_KEY]

    assert len(with_old) == len(without)


def test_a_lost_key_is_not_an_old_one(rotated: Provider) -> None:
    with keys("all new"):
        kinds = {one.kind for one in what_to_do()}

    assert Kind.LOST_KEYS in kinds
    assert Kind.OLD_KEY not in kinds


def test_lost_keys_are_one_thing_to_do_for_all_accounts(rotated: Provider, chief: Browser) -> None:
    second = Provider.objects.get()
    second.pk, second.slug, second.name = None, "second", "Second"
    second.save()

    with keys("all new"):
        lost = [one for one in what_to_do() if one.kind in (Kind.KEYS, Kind.LOST_KEYS)]
        shown = todos(chief)
        levels = pressed(chief)

    assert len(lost) == 1
    assert "Nothing is sent by Acme, Second: The stored keys cannot be decrypted" in shown
    assert "Have the developer put that key back, or enter the credentials again" in shown
    assert f'<a href="{URL}">Nothing is sent by' in shown
    assert levels == ["warning", "error"]


def test_the_page_says_when_the_old_key_can_go(rotated: Provider, chief: Browser, log: LogRecorder) -> None:
    html = chief.get(URL).content.decode()
    assert "Still encrypted with an old key: Acme" in html
    assert f'href="{URL}"' in chief.get(page(Provider)).content.decode()

    assert "the developer can remove the old keys" in told(chief)[-1]

    assert "The credentials of all accounts are encrypted with the newest key" in chief.get(URL).content.decode()
    assert [line for line in log.lines if "encrypted anew: 2 values" in line]


def test_a_value_that_no_key_decrypts_is_named(rotated: Provider, chief: Browser) -> None:
    with keys("lost"):
        ClientKey.objects.create(name="app", key_id="app", secrets={"current": SECRET})

    assert "put their key back or make new ones: client keys: 1" in chief.get(URL).content.decode()
    lines = told(chief)

    assert "Providers 1, Messages 1, Client keys 0" in lines[0]
    assert "No key decrypts these (1): client key" in lines[1]
    assert not [line for line in lines if "can remove" in line]


def test_what_somebody_enters_meanwhile_is_kept(rotated: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    entered = Provider.objects.get()

    def slow(token: Ciphertext) -> Ciphertext:
        if entered.credentials["account"] == SECRET:
            entered.credentials = {"account": "new account", "api_key": SECRET}
            entered.save()
        return rotate(token)

    monkeypatch.setattr(reencrypting, "rotate", slow)

    assert next(reencrypting.reencrypt()).done == 0
    assert Provider.objects.get().credentials["account"] == "new account"


def test_what_takes_long_is_done_in_parts(rotated: Provider, chief: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encryption, "SECONDS", -1)

    assert "Not all is done yet" in told(chief)[-1]
    assert "Still encrypted with an old key: Acme" in chief.get(URL).content.decode()


def test_without_the_permission_there_is_no_button(rotated: Provider, client: Client) -> None:
    client.force_login(staff("view_message", "view_provider", "change_provider"))
    browser = Browser(client)

    assert "Still encrypted" in todos(browser)
    assert URL not in todos(browser)
    assert URL not in browser.get(page(Provider)).content.decode()
    assert [browser.get(URL).status_code, browser.post(URL, {}).status_code] == [403, 403]
