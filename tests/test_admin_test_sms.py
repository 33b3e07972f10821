"""The button that sends a test SMS from a provider's page: who may press it, what it sends, and where it leads."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from django_smsverify.enums import ListAction, ListKind
from django_smsverify.limits.lists import entry_of
from django_smsverify.models import ListEntry, Message, Provider, Template, Verification
from django_smsverify.verifying.context import is_of_test

from .conftest import PHONE, MakeProvider, last_code
from .test_admin import page
from .test_admin_destinations import staff

pytestmark = pytest.mark.django_db(transaction=True)

ALL = ("view_provider", "test_provider", "send_message", "view_message")


@pytest.fixture
def provider(memory: MakeProvider) -> Provider:
    memory("login", slug="other", priority=1)
    return memory("login", slug="acme", priority=2)


def press(client: Client, provider: Provider, phone: str = PHONE) -> Any:
    address = reverse("admin:smsverify_provider_test_sms", args=[provider.pk])
    return client.post(address, {"phone": phone}, follow=True, headers={"accept-language": "en"})


def test_it_sends_a_code_by_this_provider_and_leads_to_its_story(provider: Provider, client: Client) -> None:
    client.force_login(staff(*ALL))

    answer = press(client, provider)

    sms = Message.objects.get()
    assert sms.provider == provider
    assert is_of_test(Verification.objects.get(), provider.slug)
    assert answer.redirect_chain[-1][0] == page(sms, "change")
    html = answer.content.decode()
    assert "Test SMS by acme to 138****8000: accepted" in html
    assert PHONE[3:] not in html
    assert last_code() not in html


@pytest.mark.parametrize("lacking", ["test_provider", "send_message", "view_provider"])
def test_it_needs_the_rights_to_test_and_to_send(lacking: str, provider: Provider, client: Client) -> None:
    client.force_login(staff(*(one for one in ALL if one != lacking)))

    assert press(client, provider).status_code == 403
    assert not Message.objects.exists()
    if lacking != "view_provider":
        assert "test_sms" not in client.get(page(provider, "change")).content.decode()


def test_who_may_not_see_messages_comes_back_to_the_provider(provider: Provider, client: Client) -> None:
    client.force_login(staff(*(one for one in ALL if one != "view_message")))
    assert "test_sms" in client.get(page(provider, "change")).content.decode()

    assert press(client, provider).redirect_chain[-1][0] == page(provider, "change")


def test_what_cannot_be_sent_is_told_with_its_reason(provider: Provider, client: Client) -> None:
    client.force_login(staff(*ALL))

    assert "No SMS was sent: " in press(client, provider, "12").content.decode()
    assert "The setting REGIONS names the regions" in press(client, provider, "+85261234567").content.decode()
    press(client, provider)
    assert "No SMS was sent: " in press(client, provider).content.decode(), "in the pause after the one before"
    Template.objects.update(is_active=False)
    assert "no template of acme can send a code now" in press(client, provider, "13900139000").content.decode()
    assert Message.objects.count() == 1


def test_a_blocked_number_gets_no_test_either(provider: Provider, client: Client) -> None:
    client.force_login(staff(*ALL))
    entry_of(ListKind.NUMBER, PHONE, action=ListAction.BLOCK).save()

    assert "The number is on the block list" in press(client, provider).content.decode()
    assert not Message.objects.exists()

    ListEntry.objects.all().delete()
    assert "Test SMS by acme to 138****8000: accepted" in press(client, provider).content.decode()


def test_an_address_alone_sends_nothing(provider: Provider, client: Client) -> None:
    client.force_login(staff(*ALL))

    assert client.get(reverse("admin:smsverify_provider_test_sms", args=[provider.pk])).status_code == 405
