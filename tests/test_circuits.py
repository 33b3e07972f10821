"""Circuit breakers: a provider that fails repeatedly is skipped, and tried again after ever longer pauses."""

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
from django.core.cache import caches
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
    Throttled,
)
from django_smsverify.gateways.base import Outcome
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.models import Message, Provider, Template
from django_smsverify.sending import choosing, circuits, send_code, send_message
from django_smsverify.signals import circuit_changed
from django_smsverify.types import Acceptance, OutgoingSMS

from .conftest import LogRecorder, MakeProvider, add_template, age_cache
from .test_storing_reports import values_sent

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SITE = {"GATEWAYS": {"flaky": "tests.test_circuits.FlakyGateway"}, "PREFIX_LIMITS": ()}
REFUSED = GatewayUnavailable("connection refused")
BAD = {
    "reach": REFUSED,
    "account": GatewayRejected("余额不足", reason=Reason.ACCOUNT, error_code="405"),
    "unknown": GatewayUncertain("no answer"),
}
_numbers = count()


class FlakyGateway(MemoryGateway):
    """Returns `error` if it is set, and counts the calls."""

    error: ClassVar[GatewayError | None] = None
    calls: ClassVar[int] = 0

    def transmit(self, sms: OutgoingSMS) -> dict[str, Outcome]:
        type(self).calls += 1
        if self.error is not None:
            return dict.fromkeys(sms.recipients, self.error)
        return dict(super().transmit(sms))


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as coordinates, override_settings(SMSVERIFY=SITE):
        FlakyGateway.error, FlakyGateway.calls = None, 0
        yield coordinates


@pytest.fixture
def flaky(memory: MakeProvider) -> Provider:
    provider = memory("login", slug="flaky", priority=1)
    Provider.objects.filter(pk=provider.pk).update(gateway="flaky")
    provider.refresh_from_db()
    return provider


@pytest.fixture
def healthy(memory: MakeProvider) -> Provider:
    return memory("login", slug="healthy", priority=2)


def send() -> list[tuple[str, str]]:
    """Send a code; return provider and status of each attempt."""
    phone = f"+86138{next(_numbers):08}"
    with suppress(NoRoute, PhoneRejected):
        send_code(phone, "login")
    attempts = Message.objects.filter(phone=phone).order_by("attempt")
    assert [message.attempt for message in attempts] == list(range(1, len(attempts) + 1))
    return [(message.provider.slug, message.status) for message in attempts]


def choice(templates: list[Template]) -> Template | None:
    """The template that is chosen, which may begin a trial."""
    chosen = choosing.choose(templates)
    return None if chosen is None else chosen.template


def fail(error: GatewayError = REFUSED, times: int = circuits.FAILURES) -> None:
    FlakyGateway.error = error
    for _ in range(times):
        send()


@pytest.mark.parametrize("error", BAD.values(), ids=BAD)
def test_a_provider_that_fails_repeatedly_is_skipped(error: GatewayError, flaky: Provider, healthy: Provider) -> None:
    fail(error, circuits.FAILURES - 1)
    assert send()[0][0] == "flaky"

    assert [send() for _ in range(3)] == [[("healthy", "accepted")]] * 3
    assert FlakyGateway.calls == circuits.FAILURES


def test_a_success_resets_the_count_of_failures(flaky: Provider, healthy: Provider) -> None:
    for _ in range(3):
        fail(times=circuits.FAILURES - 1)
        FlakyGateway.error = None
        assert send() == [("flaky", "accepted")]


@pytest.mark.parametrize("reason", [Reason.CONTENT, Reason.FREQUENCY, Reason.RATE, Reason.OTHER])
def test_a_refusal_of_a_text_or_a_pace_does_not_open_the_circuit(
    reason: Reason, flaky: Provider, healthy: Provider
) -> None:
    fail(GatewayRejected(reason=reason), 3 * circuits.FAILURES)

    assert send() == [("flaky", "not_sent"), ("healthy", "accepted")]


def test_a_refusal_of_a_number_counts_as_a_success(flaky: Provider, healthy: Provider) -> None:
    for _ in range(3):
        fail(times=circuits.FAILURES - 1)
        fail(GatewayRejected(reason=Reason.RECIPIENT), 1)

    FlakyGateway.error = None
    assert send() == [("flaky", "accepted")]


def test_old_failures_no_longer_count(flaky: Provider, healthy: Provider, clock: time_machine.Traveller) -> None:
    fail(times=circuits.FAILURES - 1)
    clock.shift(circuits.FAILURES_COUNT_FOR + 10)
    fail(times=1)

    assert send()[0][0] == "flaky"


def test_after_the_pause_a_successful_trial_closes_the_circuit(
    flaky: Provider, healthy: Provider, clock: time_machine.Traveller
) -> None:
    fail()
    clock.shift(circuits.FIRST_PAUSE)
    FlakyGateway.error, FlakyGateway.calls = None, 0

    with values_sent(circuit_changed, "circuit") as changes:
        assert send() == [("flaky", "accepted")]

    assert changes == [None]
    assert [send() for _ in range(3)] == [[("flaky", "accepted")]] * 3


def test_of_parallel_requests_after_the_pause_one_is_the_trial(
    flaky: Provider, healthy: Provider, clock: time_machine.Traveller
) -> None:
    fail()
    clock.shift(circuits.FIRST_PAUSE)
    FlakyGateway.calls = 0

    def one(_: int) -> None:
        try:
            send()
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(8)))

    assert FlakyGateway.calls == 1
    assert Message.objects.filter(provider=healthy, status="accepted").count() == circuits.FAILURES + 8


def test_a_trial_that_never_ends_is_followed_by_another(
    flaky: Provider, healthy: Provider, clock: time_machine.Traveller
) -> None:
    fail()
    clock.shift(circuits.FIRST_PAUSE)
    templates = list(flaky.templates.all())
    assert choice(templates) == templates[0]
    assert choice(templates) is None

    clock.shift(circuits.TRY_SECONDS + 1)

    assert choice(templates) == templates[0]


def test_a_trial_without_a_clear_result_is_followed_by_another(
    flaky: Provider, healthy: Provider, clock: time_machine.Traveller
) -> None:
    fail()
    clock.shift(circuits.FIRST_PAUSE)
    fail(GatewayRejected(reason=Reason.RATE), 2)

    assert FlakyGateway.calls == circuits.FAILURES + 2


def test_a_refused_request_leaves_the_trial_to_another(
    flaky: Provider, healthy: Provider, clock: time_machine.Traveller
) -> None:
    """Whoever keeps asking for a number that must wait cannot keep a provider out of use."""
    send_code("+8613912345678", "login")
    fail()
    clock.shift(circuits.FIRST_PAUSE)
    FlakyGateway.error = None

    with pytest.raises(Throttled):
        send_code("+8613912345678", "login")

    assert send() == [("flaky", "accepted")]


def test_the_pause_grows_with_each_failed_trial_up_to_a_limit(
    flaky: Provider, healthy: Provider, clock: time_machine.Traveller
) -> None:
    fail()
    pauses = []
    for _ in range(7):
        resting_until = circuits.open_circuits([flaky.pk])[flaky.pk].until
        pauses.append(round(resting_until - datetime.now(UTC).timestamp()))
        clock.shift(pauses[-1] - 1)
        assert send() == [("healthy", "accepted")]
        clock.shift(1)
        assert send() == [("flaky", "not_sent"), ("healthy", "accepted")]

    assert pauses == [30, 60, 120, 240, 480, 600, 600]


def test_if_all_circuits_are_open_the_one_due_first_is_tried(
    flaky: Provider, memory: MakeProvider, clock: time_machine.Traveller
) -> None:
    other = memory("login", slug="other", priority=2)
    Provider.objects.filter(pk=other.pk).update(gateway="flaky")
    fail()
    clock.shift(circuits.FIRST_PAUSE)
    assert send() == [("flaky", "not_sent"), ("other", "not_sent")], "each has one trial, and its circuit opens again"

    assert send() == [("flaky", "not_sent")], "only the provider that is due first is tried"
    clock.shift(1)
    fail(times=circuits.FAILURES)
    FlakyGateway.error = None
    assert [len(send()) for _ in range(2)] == [1, 1]


def test_a_failure_does_not_fail_over_to_an_open_circuit(
    flaky: Provider, memory: MakeProvider, clock: time_machine.Traveller
) -> None:
    fail()
    fresh = memory("login", slug="fresh", priority=0)
    Provider.objects.filter(pk=fresh.pk).update(gateway="flaky")

    assert send() == [("fresh", "not_sent")]


def test_a_batch_counts_as_one_failure(flaky: Provider) -> None:
    template = add_template(flaky, "notice", "{name}，您好。", "")
    FlakyGateway.error = REFUSED
    send_message(template, {f"1390013{number:04}": {"name": "王"} for number in range(20)})

    assert circuits.open_circuits([flaky.pk]) == {}


def test_both_changes_are_signalled_and_logged(
    flaky: Provider, healthy: Provider, clock: Any, log: LogRecorder
) -> None:
    with values_sent(circuit_changed, "circuit") as changes:
        fail(BAD["account"], circuits.FAILURES + 3)
        clock.shift(circuits.FIRST_PAUSE)
        FlakyGateway.error = None
        send()

    (opened, closed) = changes
    assert (opened.trips, opened.why, closed) == (1, "余额不足", None)
    assert "django_smsverify ERROR The circuit of flaky is open for 30 s: 余额不足" in log.lines
    assert "django_smsverify WARNING The circuit of flaky is closed." in log.lines


@override_settings(
    CACHES={"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:9"}}
)
def test_a_failing_cache_changes_no_circuit(flaky: Provider, healthy: Provider, log: LogRecorder) -> None:
    templates = list(flaky.templates.all())

    assert choice(templates) == templates[0]
    circuits.note(flaky, [REFUSED])
    circuits.close(flaky)

    assert "circuit breakers are left as they are" in log.text


class TestAdmin:
    @pytest.fixture
    def browser(self, admin_client: Client) -> Client:
        return admin_client

    def shown(self, browser: Client, flaky: Provider) -> str:
        shown = browser.get(flaky_page(flaky), headers={"accept-language": "en"}).content.decode()
        (state,) = (line for line in ("none is open", "open: left alone", "open: the next") if line in shown)
        return state

    def test_the_state_is_shown(self, browser: Client, flaky: Provider, clock: time_machine.Traveller) -> None:
        assert self.shown(browser, flaky) == "none is open"
        fail()
        assert self.shown(browser, flaky) == "open: left alone"
        assert "until 20:00:30 (pause 1): connection refused" in browser.get(flaky_page(flaky)).content.decode()
        clock.shift(timedelta(seconds=circuits.FIRST_PAUSE))
        assert self.shown(browser, flaky) == "open: the next"

    def test_the_action_closes_it(self, browser: Client, flaky: Provider) -> None:
        fail()
        action = {"action": "close_circuit", "_selected_action": [flaky.pk]}

        browser.post(reverse("admin:smsverify_provider_changelist"), action)

        assert self.shown(browser, flaky) == "none is open"

    def test_a_provider_that_was_changed_is_tried_at_once(self, browser: Client, flaky: Provider) -> None:
        fail()
        form = {"name": "m", "slug": "flaky", "gateway": "flaky", "is_active": "on", "priority": 1, "weight": 1}

        assert browser.post(flaky_page(flaky), {**form, "option_proxy": ""}).status_code == 302

        assert self.shown(browser, flaky) == "none is open"

    def test_a_user_who_may_only_view_cannot_close_it(self, client: Client, flaky: Provider) -> None:
        fail()
        user = User.objects.create_user("viewer", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename="view_provider"))
        client.force_login(user)

        client.post(
            reverse("admin:smsverify_provider_changelist"), {"action": "close_circuit", "_selected_action": [flaky.pk]}
        )

        assert circuits.open_circuits([flaky.pk])


def flaky_page(flaky: Provider) -> str:
    return reverse("admin:smsverify_provider_change", args=[flaky.pk])


class TestMark:
    """A provider is marked as long as anything of its circuits is kept: requests ask for no more than the mark."""

    def is_marked(self, provider: Provider) -> bool:
        (key,) = circuits.marks_of([provider.pk])
        return provider.pk not in circuits.without_failures([provider.pk], circuits.read([key]))

    def test_it_is_there_from_the_first_failure_to_the_next_success(self, flaky: Provider, healthy: Provider) -> None:
        assert not self.is_marked(flaky)
        fail(times=1)
        assert self.is_marked(flaky)
        FlakyGateway.error = None
        send()

        assert not self.is_marked(flaky)

    def test_it_outlives_the_circuit(self, flaky: Provider, healthy: Provider, clock: time_machine.Traveller) -> None:
        fail()
        clock.shift(circuits.FIRST_PAUSE + circuits.CLOSED_AFTER - 1)
        age_cache(circuits.FIRST_PAUSE + circuits.CLOSED_AFTER - 1)
        assert circuits.open_circuits([flaky.pk])
        assert self.is_marked(flaky)

    def test_a_failure_while_it_is_deleted_brings_it_back(
        self, flaky: Provider, healthy: Provider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fail(times=1)
        FlakyGateway.error = None
        kind: Any = type(caches["default"])
        delete = kind.delete

        def fail_meanwhile(cache: Any, key: str, **options: Any) -> Any:
            if [key] == circuits.marks_of([flaky.pk]):
                monkeypatch.undo()
                circuits.note(flaky, [REFUSED])
            return delete(cache, key, **options)

        monkeypatch.setattr(kind, "delete", fail_meanwhile)
        circuits.note(flaky, [Acceptance(remote_id="1")], phone="+8613800000000")

        assert kind.delete is delete, "the mark was deleted meanwhile"
        assert self.is_marked(flaky)

    def test_a_trial_that_cannot_be_made_on_every_way_is_made_on_none(self, flaky: Provider) -> None:
        ways = circuits.ways_of(flaky.pk, "+8618900000000")
        assert circuits.may_try(ways[1:])

        assert not circuits.may_try(ways)
        assert circuits.may_try(ways[:1])

    def test_one_way_that_works_does_not_unmark_another(self, flaky: Provider, healthy: Provider) -> None:
        telecom, mobile = "+8618900000000", "+8613800000000"
        circuits.note(flaky, [REFUSED], phone=telecom)
        circuits.open_by_reports(flaky, circuits.Way(flaky.pk, "telecom"), "account", "DB:0105")
        circuits.note(flaky, [Acceptance(remote_id="1")], phone=mobile)

        assert self.is_marked(flaky)
        assert choosing.choose(list(flaky.templates.all()), telecom) is None
        assert choosing.choose(list(flaky.templates.all()), mobile) is not None
