"""An address may make 600 free calls a minute; a push with the right secret is always accepted."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import time_machine
from django.test import override_settings
from django.utils import timezone

from django_smsverify.limits import flood
from django_smsverify.models import Provider
from django_smsverify.sending import send_code

from .conftest import PHONE, MakeProvider, Site, refusal

FEW = "5/m"

pytestmark = pytest.mark.any_database  # these calls are counted in the cache alone


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Few calls a minute, and a stopped clock: django-ratelimit starts a new count in each minute."""
    monkeypatch.setattr(flood, "RATE", FEW)
    with time_machine.travel(timezone.now(), tick=False):
        yield


def push(site: Site, provider: Provider, secret: str) -> Any:

    url = f"{site.url}/sms/webhooks/{provider.slug}/{secret}/"
    return requests.post(url, data=b"smsverify=test", timeout=60)


def test_the_limit_is_600_calls_a_minute() -> None:
    assert flood.RATE == "600/m"


def test_a_status_that_is_requested_too_often_is_refused(few: None, site: Site, memory: MakeProvider) -> None:

    memory()
    url = f"{site.url}/sms/send/{send_code(PHONE, 'login').pk}/"
    assert [requests.get(url, timeout=60).status_code for _ in range(5)] == [200] * 5

    answer = requests.get(url, timeout=60)

    assert refusal(answer) == (429, "throttled")
    assert answer.json()["scope"] == "ip"
    assert answer.headers["Retry-After"] == str(answer.json()["retry_after"])
    assert 0 < answer.json()["retry_after"] <= 60
    assert site.verify(str(uuid.uuid4()), "123456").status_code == 404, "a guess has a limit of its own"


def test_too_many_wrong_secrets_are_refused_and_a_right_one_never(few: None, site: Site, vendor: MakeProvider) -> None:
    provider = vendor("ihuyi")
    assert [push(site, provider, "wrong").status_code for _ in range(6)] == [404] * 5 + [429]

    refused, accepted = push(site, provider, "wrong"), push(site, provider, provider.webhook_secret)

    assert refusal(refused) == (429, "throttled")
    assert refused.json()["scope"] == "ip"
    assert accepted.status_code == 200


def test_another_address_is_not_refused(few: None, client: Any, memory: MakeProvider) -> None:
    memory()
    url = f"/sms/send/{send_code(PHONE, 'login').pk}/"
    for _ in range(6):
        client.get(url, REMOTE_ADDR="203.0.113.7")

    assert client.get(url, REMOTE_ADDR="203.0.113.7").status_code == 429
    assert client.get(url, REMOTE_ADDR="203.0.113.8").status_code == 200


@pytest.mark.parametrize("backend", ["DeadCache", "SilentCache"])
@pytest.mark.parametrize("fail_open", [True, False])
def test_a_dead_cache_refuses_no_call(
    backend: str, fail_open: bool, few: None, client: Any, memory: MakeProvider
) -> None:
    memory()
    url = f"/sms/send/{send_code(PHONE, 'login').pk}/"
    dead = {"default": {"BACKEND": f"tests.test_limits.{backend}"}}
    with override_settings(CACHES=dead, RATELIMIT_FAIL_OPEN=fail_open):
        assert {client.get(url).status_code for _ in range(10)} == {200}
