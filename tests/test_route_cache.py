"""Routes are kept in the process, and a change of any row that matters counts for the next request everywhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_smsverify.exceptions import NoRoute, UnknownPurpose
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.models import Message, Provider, Signature, Template
from django_smsverify.sending import route_cache, send_code
from django_smsverify.types import OutgoingSMS

from .conftest import MakeProvider

pytestmark = pytest.mark.django_db(transaction=True)

NUMBERS = (f"+86139{number:04}0000" for number in range(10_000))
"""Each in a number block of its own."""


def send() -> str:
    """Sends a code to a new number; returns the slug of the provider that took it."""
    verification = send_code(next(NUMBERS), "login")
    return Message.objects.select_related("provider").get(verification=verification).provider.slug


def routes_read(act: Callable[[], Any] = send) -> int:
    """How many statements of an act read templates."""
    with CaptureQueriesContext(connection) as queries:
        act()
    return sum('FROM "smsverify_template"' in query["sql"].replace("`", '"') for query in queries)


@contextmanager
def another_process() -> Iterator[None]:
    """A change inside is made by another process, which cannot reach what this one keeps."""
    kept = dict(route_cache._kept)
    yield
    route_cache._kept.update(kept)


def test_routes_are_read_once(memory: MakeProvider) -> None:
    memory()
    assert [routes_read() for _ in range(3)] == [2, 0, 0], "the first one also asks whether the purpose exists"


@pytest.mark.parametrize(
    "change",
    [
        lambda: Template.objects.update(is_active=False),
        lambda: Provider.objects.update(is_active=False),
        lambda: Signature.objects.update(status="rejected"),
        lambda: (Message.objects.all().delete(), Template.objects.get().delete()),
        lambda: Template(pk=Template.objects.get().pk, status="pending").save(update_fields=["status"]),
    ],
    ids=["template", "provider", "signature", "deleted", "saved"],
)
def test_a_change_counts_for_the_next_request_of_another_process(
    change: Callable[[], Any], memory: MakeProvider
) -> None:
    provider = memory()
    Template.objects.update(signature=Signature.objects.create(provider=provider, text="示例站", status="approved"))
    send()
    with another_process():
        change()

    with pytest.raises((NoRoute, UnknownPurpose)):
        send()


def test_a_new_provider_counts_for_the_next_request(memory: MakeProvider) -> None:
    memory(priority=5)
    assert send() == "memory"
    with another_process():
        memory(slug="first", priority=1)

    assert send() == "first"


def test_an_empty_balance_counts_at_once_and_others_are_not_read_again(memory: MakeProvider) -> None:
    provider, _second = memory(priority=1), memory(slug="second", priority=2)
    assert send() == "memory"
    balance = Provider.objects.filter(pk=provider.pk)

    balance.update(balance=Decimal(7), balance_checked_at=timezone.now())
    assert routes_read() == 0
    with another_process():
        balance.update(balance=Decimal(0), balance_checked_at=timezone.now())
    assert send() == "second"
    with another_process():
        balance.update(balance=Decimal(7), balance_checked_at=timezone.now())
    assert send() == "memory"


def test_a_change_that_is_rolled_back_changes_nothing(memory: MakeProvider) -> None:
    memory()
    send()
    with transaction.atomic():
        Template.objects.update(is_active=False)
        transaction.set_rollback(True)

    assert routes_read() == 0


def test_what_is_read_inside_a_transaction_is_not_kept(memory: MakeProvider) -> None:
    """A site's test case runs in a transaction, and rolls back the providers that it makes."""
    memory()
    send()
    version = cache.get(route_cache.VERSION_KEY)
    with transaction.atomic():
        Template.objects.update(is_active=False)
        assert route_cache.templates("login", version) == ()
        transaction.set_rollback(True)

    assert len(route_cache.templates("login", version)) == 1


def test_without_a_shared_cache_a_change_counts_after_ten_seconds(
    memory: MakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    memory()
    send()
    with another_process(), override_settings(RATELIMIT_USE_CACHE="own"):
        Template.objects.update(is_active=False)

    now += 9
    send()
    now += 2
    with pytest.raises(NoRoute):
        send()


def test_after_a_flush_of_the_database_the_routes_are_read_again(memory: MakeProvider) -> None:
    """As between the tests of a site, whose next ones have other rows."""
    memory()
    send()
    call_command("flush", verbosity=0, interactive=False)

    with pytest.raises(UnknownPurpose):
        send()


def test_a_gateway_that_changes_what_it_is_given_changes_no_route(
    memory: MakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory()
    Template.objects.update(variables={"code": "yzm"})
    Provider.objects.update(options={"own": "x"})
    seen: list[object] = []
    transmit = MemoryGateway.transmit

    def take(gateway: MemoryGateway, sms: OutgoingSMS) -> Any:
        seen.append((dict(sms.variables), dict(gateway.account.options)))
        for given in (sms.variables, gateway.account.options, gateway.account.credentials):
            given.clear()  # type: ignore[attr-defined]
        return transmit(gateway, sms)

    monkeypatch.setattr(MemoryGateway, "transmit", take)
    send()
    send()

    assert seen == [({"code": "yzm"}, {"own": "x"})] * 2


def test_a_flushed_cache_has_the_routes_read_again(memory: MakeProvider) -> None:
    memory()
    send()
    cache.clear()

    assert [routes_read() for _ in range(3)] == [1, 1, 0]
    assert len(MemoryGateway.outbox) == 4
