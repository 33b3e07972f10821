"""Numbers for probes in the admin: who may enter them, that they are masked; and the probes on a provider's page."""

from __future__ import annotations

import html
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.test import Client, override_settings
from django.urls import reverse

from django_smsverify.exceptions import GatewayRejected
from django_smsverify.models import Message, ProbeNumber, Provider
from django_smsverify.operations.canary import probe
from django_smsverify.polling.poll import poll
from django_smsverify.sending import send_code

from .conftest import PHONE, MakeProvider
from .test_admin_destinations import staff
from .test_canary import SITE, TellingGateway, tell

pytestmark = pytest.mark.django_db(transaction=True)

LIST, ADD = "/admin/smsverify/probenumber/", "/admin/smsverify/probenumber/add/"
NATIONAL = PHONE[3:]


@pytest.fixture(autouse=True)
def clock() -> Any:
    TellingGateway.error = None
    moment = datetime(2026, 11, 27, 12, tzinfo=UTC)
    with time_machine.travel(moment, tick=False) as traveller, override_settings(SMSVERIFY=SITE):
        yield traveller


@pytest.fixture
def prober(client: Client) -> Client:
    """A user who may enter numbers, and nothing else."""
    client.force_login(staff("probe_routes", username="13900139000"))
    return client


@pytest.fixture
def number(db: None) -> ProbeNumber:
    return ProbeNumber.objects.create(phone=PHONE, added_by="boss")


def page(client: Client, url: str) -> str:
    response = client.get(url, headers={"accept-language": "en"})
    assert response.status_code == 200
    return html.unescape(response.content.decode())


def change(number: ProbeNumber) -> str:
    return reverse("admin:smsverify_probenumber_change", args=[number.pk])


def test_a_number_is_entered_as_people_write_it_and_masked_from_then_on(prober: Client) -> None:
    assert LIST in page(prober, reverse("admin:index"))
    assert prober.post(ADD, {"phone": " +86 138-0013-8000", "is_active": "on"}).status_code == 302

    number = ProbeNumber.objects.get()
    assert (number.phone, number.carrier, number.is_active) == (PHONE, "mobile", True)
    assert number.added_by == "139****9000", "the name of a user may be a number"
    for url in (LIST, change(number), reverse("admin:smsverify_probenumber_history", args=[number.pk])):
        assert NATIONAL not in page(prober, url)
    assert "138****8000" in page(prober, LIST)
    assert str(LogEntry.objects.get().object_repr) == "138****8000"


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("hello", "not a phone number"),
        ("+85291234567", "Write a number of a carrier of mainland China."),
        (PHONE, "already exists"),
    ],
)
def test_what_cannot_be_probed_is_refused(typed: str, why: str, prober: Client, number: ProbeNumber) -> None:
    with override_settings(SMSVERIFY={**SITE, "REGIONS": ["CN", "HK"]}):
        response = prober.post(ADD, {"phone": typed}, headers={"accept-language": "en"})

    assert why in str(response.context["adminform"].form.errors)
    assert ProbeNumber.objects.count() == 1


def test_a_number_is_changed_and_deleted(prober: Client, number: ProbeNumber) -> None:
    prober.post(change(number), {"phone": "13900139000"})
    number.refresh_from_db()
    assert (number.phone, number.is_active, number.added_by) == (PHONE, False, "boss")

    prober.post(reverse("admin:smsverify_probenumber_delete", args=[number.pk]), {"post": "yes"})
    assert not ProbeNumber.objects.exists()


@pytest.mark.parametrize("codenames", [(), ("view_provider", "change_provider", "send_message", "test_provider")])
def test_without_the_permission_nothing_is_shown_or_entered(
    codenames: tuple[str, ...], client: Client, number: ProbeNumber
) -> None:
    client.force_login(staff(*codenames))

    assert LIST not in page(client, reverse("admin:index"))
    for url in (LIST, ADD, change(number)):
        assert client.get(url).status_code == 403
    assert client.post(ADD, {"phone": "13900139000"}).status_code == 403
    assert client.post(change(number), {}).status_code == 403
    assert client.post(LIST, {"action": "delete_selected", "_selected_action": number.pk}).status_code == 403
    assert ProbeNumber.objects.get().is_active


@pytest.mark.parametrize("lookup", ["phone__startswith", "phone", "added_by__startswith"])
def test_no_lookup_reveals_a_number(lookup: str, prober: Client, number: ProbeNumber) -> None:
    assert prober.get(LIST, {lookup: "+86138"}).status_code in (302, 400)


@pytest.fixture
def acme(memory: MakeProvider) -> Provider:
    provider = memory("login", slug="acme")
    Provider.objects.update(gateway="telling")
    return provider


def test_the_page_of_a_provider_shows_the_last_probe_to_each_carrier(
    number: ProbeNumber, acme: Provider, admin_client: Client, clock: time_machine.Traveller
) -> None:
    url = reverse("admin:smsverify_provider_change", args=[acme.pk])
    assert "none yet" in page(admin_client, url)

    probe()
    clock.shift(2.5)
    tell()
    poll()
    delivered = "<td>2026-11-27 20:00:00</td><td>delivered</td><td>2.5</td></tr>"
    assert f"<tr><td>China Mobile</td>{delivered}" in page(admin_client, url)

    TellingGateway.error = GatewayRejected("no")
    ProbeNumber.objects.create(phone="+8618600138001", added_by="boss")
    probe()
    text = page(admin_client, url)
    failed = "<td>2026-11-27 20:00:02</td><td><strong>⚠ failed: not sent · no</strong></td><td>-</td></tr>"
    assert f"<tr><td>China Mobile</td>{delivered}" in text
    assert f"<tr><td>China Unicom</td>{failed}" in text
    assert NATIONAL not in text


def test_messages_are_filtered_by_probe(number: ProbeNumber, acme: Provider, admin_client: Client) -> None:
    send_code("+8613700137000", "login")
    probe()
    (message,) = Message.objects.filter(is_probe=True)

    response: Any = admin_client.get("/admin/smsverify/message/", {"probe": "yes"})

    assert list(response.context["cl"].result_list) == [message]
    text = page(admin_client, reverse("admin:smsverify_message_change", args=[message.pk]))
    assert "Probe" in text
