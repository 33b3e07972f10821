"""Providers for some regions only: who gets a code, and which number is supported by nobody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client, override_settings

from django_smsverify.admin.provider_form import form_for
from django_smsverify.exceptions import NoRoute, PhoneNotSupported
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.models import Message, Provider
from django_smsverify.sending import send_code

from .conftest import PHONE, MakeProvider, add_template

HONG_KONG, AMERICAN = "+85261234567", "+12015550123"
SITE = {
    "REGIONS": ("CN", "HK", "US"),
    "GATEWAYS": {"mainland": f"{__name__}.MainlandGateway"},
}
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("_site")]


class MainlandGateway(MemoryGateway):
    mainland_only = True


@pytest.fixture
def _site() -> Any:
    with override_settings(SMSVERIFY=SITE):
        yield


@pytest.fixture
def serving(memory: MakeProvider) -> Callable[..., Provider]:
    def make(slug: str, *regions: str, **fields: Any) -> Provider:
        provider = memory(slug=slug, regions=list(regions))
        Provider.objects.filter(pk=provider.pk).update(**fields)
        if not provider.templates.exists():
            add_template(provider, "login", "您的验证码是{code}。", "")
        provider.refresh_from_db()
        return provider

    return make


def sent_by(phone: str) -> list[str]:
    return list(Message.objects.filter(phone=phone).values_list("provider__slug", flat=True))


def test_a_code_goes_to_the_provider_that_serves_the_numbers_region(serving: Callable[..., Provider]) -> None:
    serving("china", "CN", priority=1)
    serving("abroad", "HK", "US", priority=2)

    for phone in (PHONE, HONG_KONG, AMERICAN):
        send_code(phone, "login")

    assert [sent_by(phone) for phone in (PHONE, HONG_KONG, AMERICAN)] == [["china"], ["abroad"], ["abroad"]]


def test_a_provider_without_regions_serves_what_its_gateway_can(serving: Callable[..., Provider]) -> None:
    serving("own", priority=1, gateway="mainland")
    serving("any", priority=2)

    send_code(HONG_KONG, "login")

    assert sent_by(HONG_KONG) == ["any"]


@pytest.mark.parametrize(
    "fields", [{"regions": ["CN"]}, {"gateway": "mainland"}, {"gateway": "mainland", "regions": ["US"]}]
)
def test_a_number_that_nobody_serves_is_not_supported(
    fields: dict[str, Any], serving: Callable[..., Provider], client: Client
) -> None:
    serving("one", **fields)

    with pytest.raises(PhoneNotSupported):
        send_code(HONG_KONG, "login")
    answer = client.post("/sms/send/", {"phone": HONG_KONG, "purpose": "login"}, content_type="application/json")

    assert (answer.status_code, answer.json()["code"]) == (400, "phone_not_supported")
    assert not Message.objects.exists()


def test_a_number_whose_providers_rest_is_told_to_come_back(serving: Callable[..., Provider]) -> None:
    serving("abroad", "HK", is_active=False)
    serving("china", "CN", is_active=False)

    with pytest.raises(NoRoute):
        send_code(HONG_KONG, "login")


def test_a_refused_code_is_not_tried_by_a_provider_of_another_region(
    serving: Callable[..., Provider], monkeypatch: pytest.MonkeyPatch
) -> None:
    serving("abroad", "HK", priority=1, gateway="unknown")
    serving("china", "CN", priority=2)

    with pytest.raises(NoRoute):
        send_code(HONG_KONG, "login")

    assert sent_by(HONG_KONG) == ["abroad"]


@pytest.mark.parametrize(
    ("written", "stored"),
    [("", []), ("cn", ["CN"]), (" CN, hk,CN ", ["CN", "HK"]), ("CN，US；HK", ["CN", "US", "HK"])],
)
def test_an_operator_writes_regions_by_their_letters(written: str, stored: list[str]) -> None:
    field = form_for(MemoryGateway, {}, {}).base_fields["regions"]

    assert field.clean(written) == stored
    assert field.clean(field.prepare_value(stored)) == stored
    assert not field.has_changed(stored, written)
    assert field.has_changed(["JP"], written)


@pytest.mark.parametrize("regions", ["CN", ["China"], ["XX"], [1], {"CN": 1}])
def test_what_is_no_region_is_refused(regions: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        Provider(name="one", slug="one", gateway="memory", regions=regions).full_clean()

    assert "regions" in caught.value.message_dict
