"""Circuit breakers: who fails again and again is left alone, and tried again ever less often."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, ClassVar

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client, override_settings
from django.urls import reverse

from django_smsverify.enums import Reason
from django_smsverify.exceptions import (
    GatewayError,
    GatewayRejected,
    GatewayUnavailable,
    GatewayUncertain,
    NoRoute,
    PhoneRejected,
)
from django_smsverify.gateways.base import Outcome
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.models import Message, Provider
from django_smsverify.sending import circuits, send_code, send_message
from django_smsverify.signals import circuit_changed
from django_smsverify.types import OutgoingSMS

from .conftest import LogRecorder, MakeProvider, add_template
from .test_storing_reports import values_sent

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SITE = {"GATEWAYS": {"moody": "tests.test_circuits.MoodyGateway"}, "PREFIX_LIMITS": ()}
REFUSED = GatewayUnavailable("connection refused")
BAD = {
    "reach": REFUSED,
    "account": GatewayRejected("余额不足", reason=Reason.ACCOUNT, error_code="405"),
    "unknown": GatewayUncertain("no answer"),
}
_numbers = count()


class MoodyGateway(MemoryGateway):
    """Does as its mood is, and counts who asks."""

    mood: ClassVar[GatewayError | None] = None
    calls: ClassVar[int] = 0

    def transmit(self, sms: OutgoingSMS) -> dict[str, Outcome]:
        type(self).calls += 1
        if self.mood is not None:
            return dict.fromkeys(sms.recipients, self.mood)
        return dict(super().transmit(sms))


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as coordinates, override_settings(SMSVERIFY=SITE):
        MoodyGateway.mood, MoodyGateway.calls = None, 0
        yield coordinates


@pytest.fixture
def moody(memory: MakeProvider) -> Provider:
    provider = memory("login", slug="moody", priority=1)
    Provider.objects.filter(pk=provider.pk).update(gateway="moody")
    provider.refresh_from_db()
    return provider


@pytest.fixture
def healthy(memory: MakeProvider) -> Provider:
    return memory("login", slug="healthy", priority=2)


def ask() -> list[tuple[str, str]]:
    """Somebody asks for a code; provider and status of each attempt."""
    phone = f"+86138{next(_numbers):08}"
    with suppress(NoRoute, PhoneRejected):
        send_code(phone, "login")
    attempts = Message.objects.filter(phone=phone).order_by("attempt")
    assert [message.attempt for message in attempts] == list(range(1, len(attempts) + 1))
    return [(message.provider.slug, message.status) for message in attempts]


def fail(mood: GatewayError = REFUSED, times: int = circuits.FAILURES) -> None:
    MoodyGateway.mood = mood
    for _ in range(times):
        ask()


@pytest.mark.parametrize("mood", BAD.values(), ids=BAD)
def test_who_fails_again_and_again_is_skipped(mood: GatewayError, moody: Provider, healthy: Provider) -> None:
    fail(mood, circuits.FAILURES - 1)
    assert ask()[0][0] == "moody"

    assert [ask() for _ in range(3)] == [[("healthy", "accepted")]] * 3
    assert MoodyGateway.calls == circuits.FAILURES


def test_one_success_between_makes_the_failures_no_row(moody: Provider, healthy: Provider) -> None:
    for _ in range(3):
        fail(times=circuits.FAILURES - 1)
        MoodyGateway.mood = None
        assert ask() == [("moody", "accepted")]


@pytest.mark.parametrize("reason", [Reason.CONTENT, Reason.RATE, Reason.OTHER])
def test_a_refusal_of_a_text_or_a_pace_opens_nothing(reason: Reason, moody: Provider, healthy: Provider) -> None:
    fail(GatewayRejected(reason=reason), 3 * circuits.FAILURES)

    assert ask() == [("moody", "not_sent"), ("healthy", "accepted")]


def test_a_refusal_of_a_number_is_a_sign_of_health(moody: Provider, healthy: Provider) -> None:
    for _ in range(3):
        fail(times=circuits.FAILURES - 1)
        fail(GatewayRejected(reason=Reason.RECIPIENT), 1)

    MoodyGateway.mood = None
    assert ask() == [("moody", "accepted")]


def test_failures_long_ago_no_longer_count(moody: Provider, healthy: Provider, clock: time_machine.Traveller) -> None:
    fail(times=circuits.FAILURES - 1)
    clock.shift(circuits.FAILURES_COUNT_FOR + 10)
    fail(times=1)

    assert ask()[0][0] == "moody"


def test_after_the_pause_one_request_tries_and_its_success_closes(
    moody: Provider, healthy: Provider, clock: time_machine.Traveller
) -> None:
    fail()
    clock.shift(circuits.FIRST_PAUSE)
    MoodyGateway.mood, MoodyGateway.calls = None, 0

    with values_sent(circuit_changed, "circuit") as changes:
        assert ask() == [("moody", "accepted")]

    assert changes == [None]
    assert [ask() for _ in range(3)] == [[("moody", "accepted")]] * 3


def test_of_many_requests_after_the_pause_one_tries(
    moody: Provider, healthy: Provider, clock: time_machine.Traveller
) -> None:
    fail()
    clock.shift(circuits.FIRST_PAUSE)
    MoodyGateway.calls = 0

    def one(_: int) -> None:
        try:
            ask()
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(8)))

    assert MoodyGateway.calls == 1
    assert Message.objects.filter(provider=healthy, status="accepted").count() == circuits.FAILURES + 8


def test_a_try_that_never_ends_makes_room_for_another(
    moody: Provider, healthy: Provider, clock: time_machine.Traveller
) -> None:
    fail()
    clock.shift(circuits.FIRST_PAUSE)
    templates = list(moody.templates.all())
    assert circuits.choose(templates) == templates[0]
    assert circuits.choose(templates) is None

    clock.shift(circuits.TRY_SECONDS + 1)

    assert circuits.choose(templates) == templates[0]


def test_a_try_that_tells_nothing_makes_room_for_another(
    moody: Provider, healthy: Provider, clock: time_machine.Traveller
) -> None:
    fail()
    clock.shift(circuits.FIRST_PAUSE)
    fail(GatewayRejected(reason=Reason.RATE), 2)

    assert MoodyGateway.calls == circuits.FAILURES + 2


def test_the_pause_grows_with_every_try_that_fails_up_to_a_limit(
    moody: Provider, healthy: Provider, clock: time_machine.Traveller
) -> None:
    fail()
    pauses = []
    for _ in range(7):
        resting_until = circuits.open_circuits([moody.pk])[moody.pk].until
        pauses.append(round(resting_until - datetime.now(UTC).timestamp()))
        clock.shift(pauses[-1] - 1)
        assert ask() == [("healthy", "accepted")]
        clock.shift(1)
        assert ask() == [("moody", "not_sent"), ("healthy", "accepted")]

    assert pauses == [30, 60, 120, 240, 480, 600, 600]


def test_when_all_are_open_the_least_bad_is_tried_once(
    moody: Provider, memory: MakeProvider, clock: time_machine.Traveller
) -> None:
    other = memory("login", slug="other", priority=2)
    Provider.objects.filter(pk=other.pk).update(gateway="moody")
    fail()
    clock.shift(circuits.FIRST_PAUSE)
    assert ask() == [("moody", "not_sent"), ("other", "not_sent")], "each has its one try, and rests again"

    assert ask() == [("moody", "not_sent")], "of the two, that which will be due first; the other is spared"
    clock.shift(1)
    fail(times=circuits.FAILURES)
    MoodyGateway.mood = None
    assert [len(ask()) for _ in range(2)] == [1, 1]


def test_an_open_circuit_is_no_way_out_of_another_failure(
    moody: Provider, memory: MakeProvider, clock: time_machine.Traveller
) -> None:
    fail()
    fresh = memory("login", slug="fresh", priority=0)
    Provider.objects.filter(pk=fresh.pk).update(gateway="moody")

    assert ask() == [("fresh", "not_sent")]


def test_a_batch_says_once_how_the_provider_is(moody: Provider) -> None:
    template = add_template(moody, "notice", "{name}，您好。", "")
    MoodyGateway.mood = REFUSED
    send_message(template, {f"1390013{number:04}": {"name": "王"} for number in range(20)})

    assert circuits.open_circuits([moody.pk]) == {}


def test_both_changes_are_told_and_logged(moody: Provider, healthy: Provider, clock: Any, log: LogRecorder) -> None:
    with values_sent(circuit_changed, "circuit") as changes:
        fail(BAD["account"], circuits.FAILURES + 3)
        clock.shift(circuits.FIRST_PAUSE)
        MoodyGateway.mood = None
        ask()

    (opened, closed) = changes
    assert (opened.trips, opened.why, closed) == (1, "余额不足", None)
    assert "django_smsverify ERROR The circuit of moody is open for 30 s: 余额不足" in log.lines
    assert "django_smsverify WARNING The circuit of moody is closed." in log.lines


@override_settings(
    CACHES={"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:9"}}
)
def test_a_cache_that_fails_leaves_all_as_it_is(moody: Provider, healthy: Provider, log: LogRecorder) -> None:
    templates = list(moody.templates.all())

    assert circuits.choose(templates) == templates[0]
    circuits.note(moody, [REFUSED])
    circuits.close(moody)

    assert "circuit breakers are left as they are" in log.text


class TestAdmin:
    @pytest.fixture
    def desk(self, admin_client: Client) -> Client:
        return admin_client

    def shown(self, desk: Client, moody: Provider) -> str:
        pages = [reverse("admin:smsverify_provider_changelist"), moody_page(moody)]
        texts = [desk.get(page, headers={"accept-language": "en"}).content.decode() for page in pages]
        told = {
            line for text in texts for line in ("closed: in use", "open: left alone", "open: the next") if line in text
        }
        assert len(told) == 1, "both pages say the same"
        return told.pop()

    def test_shows_how_it_stands(self, desk: Client, moody: Provider, clock: time_machine.Traveller) -> None:
        assert self.shown(desk, moody) == "closed: in use"
        fail()
        assert self.shown(desk, moody) == "open: left alone"
        assert "until 20:00:30 (pause 1): connection refused" in desk.get(moody_page(moody)).content.decode()
        clock.shift(timedelta(seconds=circuits.FIRST_PAUSE))
        assert self.shown(desk, moody) == "open: the next"

    def test_closes_it_at_a_click(self, desk: Client, moody: Provider) -> None:
        fail()
        action = {"action": "close_circuit", "_selected_action": [moody.pk]}

        desk.post(reverse("admin:smsverify_provider_changelist"), action)

        assert self.shown(desk, moody) == "closed: in use"

    def test_a_provider_that_was_changed_is_tried_at_once(self, desk: Client, moody: Provider) -> None:
        fail()
        form = {"name": "m", "slug": "moody", "gateway": "moody", "is_active": "on", "priority": 1, "weight": 1}

        assert desk.post(moody_page(moody), {**form, "option_proxy": ""}).status_code == 302

        assert self.shown(desk, moody) == "closed: in use"

    def test_somebody_who_may_only_look_closes_nothing(self, client: Client, moody: Provider) -> None:
        fail()
        user = User.objects.create_user("viewer", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename="view_provider"))
        client.force_login(user)

        client.post(
            reverse("admin:smsverify_provider_changelist"), {"action": "close_circuit", "_selected_action": [moody.pk]}
        )

        assert circuits.open_circuits([moody.pk])


def moody_page(moody: Provider) -> str:
    return reverse("admin:smsverify_provider_change", args=[moody.pk])
