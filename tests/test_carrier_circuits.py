"""Circuits by carrier: a provider whose SMS do not reach one carrier is left alone for that carrier's numbers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client, override_settings
from django.urls import reverse

from django_smsverify.enums import Carrier, Cause, Reason
from django_smsverify.exceptions import GatewayRejected
from django_smsverify.models import DeliveryReport, Message, Provider
from django_smsverify.sending import arrival, circuits, resend_code, send_code, send_message
from django_smsverify.sending.by_hand import send_code_by
from django_smsverify.sending.worker import run_task
from django_smsverify.signals import circuit_changed

from .conftest import CODE_TEXT, LogRecorder, MakeProvider, add_template
from .test_circuits import REFUSED, FlakyGateway
from .test_storing_reports import DELIVERED, UNDELIVERED, push, report, values_sent

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
BLOCKS = {Carrier.MOBILE: "+86138", Carrier.UNICOM: "+86130", Carrier.TELECOM: "+86189"}
TELECOM, MOBILE = Carrier.TELECOM, Carrier.MOBILE
UNFILED, OFF, FULL = "DB:0151", "MK:0010", "MK:0017"
"""A signature that is not filed, a phone that is off, one whose memory is full."""
_numbers = count(1)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    site = {"GATEWAYS": {"flaky": "tests.test_circuits.FlakyGateway"}, "PREFIX_LIMITS": ()}
    with time_machine.travel(NOW, tick=False) as traveller, override_settings(SMSVERIFY=site):
        FlakyGateway.error, FlakyGateway.calls = None, 0
        yield traveller


@pytest.fixture
def first(memory: MakeProvider) -> Provider:
    return memory(slug="first", priority=1)


@pytest.fixture
def second(memory: MakeProvider) -> Provider:
    return memory(slug="second", priority=2)


def number(carrier: Carrier) -> str:
    return f"{BLOCKS[carrier]}{next(_numbers):08}"


def sent(carrier: Carrier, purpose: str = "login") -> Message:
    """The message by which a code was sent to a new number of the carrier."""
    phone = number(carrier)
    send_code(phone, purpose)
    return Message.objects.filter(phone=phone).latest("attempt")


def tell(message: Message, code: str = "", *, delivered: bool = False) -> None:
    """Has the vendor report on a message."""
    outcome = DELIVERED if delivered else UNDELIVERED
    push(message.provider, report(message.remote_id, outcome, code, phone=message.phone))


def fail(carrier: Carrier = TELECOM, times: int = circuits.FAILURES, code: str = UNFILED) -> None:
    for _ in range(times):
        tell(sent(carrier), code)


def way(carrier: Carrier = TELECOM) -> str:
    """The provider that a code to the carrier takes now."""
    return sent(carrier).provider.slug


def open_by_carrier(provider: int) -> dict[str, circuits.Circuit]:
    """A provider's open circuits by carrier."""
    ways = [circuits.Way(provider, carrier) for carrier in Carrier.values]
    return {found.carrier: circuit for found, circuit in circuits.find_open(ways).items()}


def is_open(provider: Provider, carrier: Carrier = TELECOM) -> bool:
    return carrier in open_by_carrier(provider.pk)


def test_after_five_failures_only_that_carrier_takes_another_way(first: Provider, second: Provider) -> None:
    fail(times=circuits.FAILURES - 1)
    assert way() == "first"

    fail(times=1)

    assert [way(), way(Carrier.UNICOM), way(MOBILE)] == ["second", "first", "first"]
    assert circuits.open_circuits([first.pk]) == {}


def test_the_signal_and_the_log_name_carrier_and_cause(first: Provider, second: Provider, log: LogRecorder) -> None:
    with values_sent(circuit_changed, "circuit") as changed, values_sent(circuit_changed, "carrier") as carriers:
        fail()

    assert [(circuit.cause, circuit.why) for circuit in changed] == [(Cause.SIGNATURE_UNFILED, UNFILED)]
    assert carriers == [TELECOM]
    assert "The circuit of first for telecom is open for 30 s: DB:0151" in log.text


def test_a_delivery_in_between_starts_the_count_again(first: Provider, second: Provider) -> None:
    for _ in range(3):
        fail(times=circuits.FAILURES - 1)
        tell(sent(TELECOM), delivered=True)

    assert way() == "first"


def test_what_is_under_way_does_not_interrupt_the_count(first: Provider, second: Provider) -> None:
    under_way = [sent(TELECOM) for _ in range(9)]
    for message in under_way[:5]:
        tell(message, UNFILED)

    assert way() == "second"


def test_a_message_counts_once_whatever_is_reported_of_it(first: Provider, second: Provider) -> None:
    fail(times=1)
    message = sent(TELECOM)
    for code in (UNFILED, "DB:0302", "DB:0309", "MA:0051", "DB:0105"):
        tell(message, code)

    assert way() == "first"


def test_one_number_alone_opens_nothing(first: Provider) -> None:
    tell(sent(TELECOM), delivered=True)
    with override_settings(SMSVERIFY={"RESEND_INTERVAL": 0, "PHONE_LIMITS": (), "PREFIX_LIMITS": ()}):
        message = sent(TELECOM)
        for _ in range(circuits.FAILURES):
            send_code(message.phone, "login")
        for one in Message.objects.filter(phone=message.phone):
            tell(one, UNFILED)
        assert not is_open(first)

        fail(times=1)

    assert is_open(first)


def test_failures_of_different_carriers_are_not_added_up(first: Provider, second: Provider) -> None:
    for carrier in BLOCKS:
        fail(carrier, circuits.FAILURES - 1)

    assert [way(carrier) for carrier in BLOCKS] == ["first"] * 3


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("DB:0302", Cause.TEMPLATE_UNFILED),
        ("DB:0309", Cause.CONTENT_BLOCKED),
        ("MA:0051", Cause.ROUTE_FAULT),
        ("DB:0105", Cause.ACCOUNT),
    ],
)
def test_causes_that_the_next_message_would_meet_too_open_it(
    code: str, cause: Cause, first: Provider, second: Provider
) -> None:
    fail(code=code)

    assert open_by_carrier(first.pk)[TELECOM].cause == cause


@pytest.mark.parametrize("code", [OFF, FULL, "MK:0001", "DB:0141", "MK:0002", "DB:0143", "MI:0079", "what?"])
def test_what_lies_with_the_phone_its_number_or_its_network_never_opens_it(
    code: str, first: Provider, second: Provider
) -> None:
    """With nothing delivered elsewhere, so that they are not suspected by count either."""
    fail(times=3 * circuits.FAILURES, code=code)

    assert way() == "first"


def test_notices_say_nothing_of_codes(first: Provider, second: Provider) -> None:
    notice = add_template(first, "notice", "您的订单已发货。", "")
    for _ in range(circuits.FAILURES):
        (message,) = send_message(notice, {number(TELECOM): {}})
        tell(message, UNFILED)

    fail(times=1)
    assert way() == "first"
    fail()
    circuits.close(first)
    (message,) = send_message(notice, {number(TELECOM): {}})
    tell(message, UNFILED)
    assert way() == "first", "old failures are not judged anew"


def test_numbers_abroad_have_no_carrier(first: Provider, second: Provider) -> None:
    with override_settings(SMSVERIFY={"REGIONS": ("CN", "HK"), "PREFIX_LIMITS": ()}):
        for line in range(circuits.FAILURES):
            send_code(f"+8525123456{line}", "login")
            tell(Message.objects.latest("created_at", "phone"), UNFILED)

    assert not any(is_open(first, carrier) for carrier in Carrier)


class TestSuspicion:
    """Codes that hide the cause: a way on which most numbers get nothing, while others get theirs."""

    def test_most_of_the_last_numbers(self, first: Provider, second: Provider) -> None:
        for outcome in (True, False, False, True, False, False, True):
            tell(sent(TELECOM), OFF, delivered=outcome)
        tell(sent(MOBILE), delivered=True)
        assert way() == "first"

        tell(sent(TELECOM), OFF)

        found = open_by_carrier(first.pk)[TELECOM]
        assert (found.cause, found.why) == (Cause.UNKNOWN, "5/8")
        assert [way(), way(MOBILE)] == ["second", "first"]

    def test_one_number_counts_once(self, first: Provider, second: Provider) -> None:
        tell(sent(MOBILE), delivered=True)
        message = sent(TELECOM)
        with override_settings(SMSVERIFY={"RESEND_INTERVAL": 0, "PHONE_LIMITS": ("99/h",)}):
            for _ in range(9):
                send_code(message.phone, "login")
        for one in Message.objects.filter(phone=message.phone):
            tell(one, OFF)

        assert not is_open(first)

    def test_a_limit_of_the_number_does_not_count(self, first: Provider, second: Provider) -> None:
        tell(sent(MOBILE), delivered=True)
        fail(times=9, code="MI:0079")

        assert not is_open(first)

    def test_a_trial_that_fails_for_any_reason_extends_it(
        self, first: Provider, second: Provider, clock: time_machine.Traveller
    ) -> None:
        tell(sent(MOBILE), delivered=True)
        fail(code=OFF)
        clock.shift(circuits.FIRST_PAUSE)

        tell(sent(TELECOM), OFF)

        assert open_by_carrier(first.pk)[TELECOM].trips == 2

    def test_a_trial_that_fails_by_a_limit_of_the_number_lets_another_try(
        self, first: Provider, second: Provider, clock: time_machine.Traveller
    ) -> None:
        tell(sent(MOBILE), delivered=True)
        fail(code=OFF)
        clock.shift(circuits.FIRST_PAUSE)

        tell(sent(TELECOM), "MI:0079")

        assert open_by_carrier(first.pk)[TELECOM].trips == 1
        assert way() == "first"

    def test_another_signature_is_another_matter(self, first: Provider, second: Provider) -> None:
        add_template(first, "register", CODE_TEXT, "")
        other = first.signatures.create(text="另一个", status="approved")
        first.templates.filter(purpose="register").update(signature=other)
        tell(sent(MOBILE), delivered=True)
        for purpose in ("login", "register"):
            for _ in range(4):
                tell(sent(TELECOM, purpose), OFF)

        assert not is_open(first)

    def test_what_was_reported_before_it_was_closed_does_not_count_again(
        self, first: Provider, second: Provider, clock: time_machine.Traveller
    ) -> None:
        tell(sent(MOBILE), delivered=True)
        fail(code=OFF)
        clock.shift(circuits.FIRST_PAUSE)
        tell(sent(TELECOM), delivered=True)
        fail(times=circuits.FAILURES - 1, code=OFF)
        tell(sent(MOBILE), delivered=True)
        assert not is_open(first)
        fail(times=1, code=OFF)

        assert is_open(first)

    def test_old_reports_do_not_count(self, first: Provider, second: Provider, clock: time_machine.Traveller) -> None:
        fail(times=4, code=OFF)
        clock.shift(arrival.LATELY)
        tell(sent(MOBILE), delivered=True)

        fail(times=4, code=OFF)

        assert not is_open(first)


class TestTrial:
    """After the pause one message tries the way, and its report decides."""

    @pytest.fixture(autouse=True)
    def _open(self, first: Provider, second: Provider, clock: time_machine.Traveller) -> None:
        fail()
        clock.shift(circuits.FIRST_PAUSE)

    def test_one_message_tries_it_and_its_delivery_closes_it(self, first: Provider, log: LogRecorder) -> None:
        trial = sent(TELECOM)
        assert (trial.provider, trial.is_trial) == (first, True)
        assert way() == "second", "its acceptance says nothing"

        with values_sent(circuit_changed, "circuit") as changed:
            tell(trial, delivered=True)

        assert changed == [None]
        assert "The circuit of first for telecom is closed" in log.text
        assert way() == "first"

    def test_its_failure_extends_the_pause(self, first: Provider, clock: time_machine.Traveller) -> None:
        tell(sent(TELECOM), UNFILED)

        found = open_by_carrier(first.pk)[TELECOM]
        assert (found.trips, found.until) == (2, NOW.timestamp() + 3 * circuits.FIRST_PAUSE)
        clock.shift(2 * circuits.FIRST_PAUSE)
        assert way() == "first"

    def test_a_phone_that_is_off_lets_another_try(self) -> None:
        tell(sent(TELECOM), OFF)

        assert [way(), way()] == ["first", "second"]

    def test_a_trial_without_a_report_is_followed_by_another(self, clock: time_machine.Traveller) -> None:
        assert [way(), way()] == ["first", "second"]
        clock.shift(circuits.TRY_SECONDS + 1)

        assert way() == "first"

    def test_failures_from_before_do_not_extend_it(self, first: Provider, clock: time_machine.Traveller) -> None:
        for message in Message.objects.filter(provider=first, is_trial=False):
            DeliveryReport.objects.filter(message=message).delete()
            tell(message, "DB:0302")

        assert open_by_carrier(first.pk)[TELECOM].trips == 1

    def test_other_carriers_are_no_trial(self) -> None:
        assert not sent(MOBILE).is_trial

    def test_a_provider_that_fails_altogether_is_left_alone_by_its_own_circuit(
        self, first: Provider, second: Provider
    ) -> None:
        Provider.objects.filter(pk=first.pk).update(gateway="flaky")
        FlakyGateway.error = REFUSED
        for _ in range(circuits.FAILURES):
            sent(MOBILE)

        assert circuits.open_circuits([first.pk])
        assert way() == "second"

    def test_a_worker_marks_its_trial(self, first: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
        ids: list[str] = []
        monkeypatch.setattr("django_smsverify.sending.dispatch._enqueue", ids.extend)
        with override_settings(SMSVERIFY={"DISPATCH": "celery", "PREFIX_LIMITS": ()}):
            queued = sent(TELECOM)
            assert not queued.is_trial
            run_task(ids)

        queued.refresh_from_db()
        assert (queued.provider, queued.is_trial) == (first, True)

    @pytest.mark.parametrize("arrives", [True, False])
    def test_what_an_operator_sends_by_it_is_a_trial(self, arrives: bool, first: Provider) -> None:
        message = send_code_by(first.templates.get(), number(TELECOM))
        tell(message, UNFILED, delivered=arrives)

        assert is_open(first) != arrives

    def test_an_operator_closes_it(self, first: Provider, client: Client) -> None:
        client.force_login(User.objects.create_superuser("boss"))
        page = reverse("admin:smsverify_provider_change", args=[first.pk])
        shown = client.get(page, headers={"accept-language": "en"}).content.decode()
        assert "China Telecom" in shown
        assert "the signature is not filed with the carrier" in shown

        url = reverse("admin:smsverify_provider_changelist")
        client.post(url, {"action": "close_circuit", "_selected_action": [first.pk]})

        assert not is_open(first)


def test_when_every_way_is_closed_the_least_bad_is_taken_and_its_report_decides(
    first: Provider, second: Provider
) -> None:
    fail()
    fail()  # by the second provider
    assert is_open(first)
    assert is_open(second)

    message = sent(TELECOM)
    assert (message.provider, message.is_trial) == (first, True)
    tell(message, delivered=True)

    assert not is_open(first)


class TestAnswers:
    """A vendor that refuses one carrier's messages at once, and takes those of others."""

    @pytest.fixture(autouse=True)
    def _flaky(self, first: Provider) -> None:
        Provider.objects.filter(pk=first.pk).update(gateway="flaky")

    def refuse(self, times: int = 1) -> None:
        for _ in range(times):
            FlakyGateway.error = REFUSED
            sent(TELECOM)
            FlakyGateway.error = None
            sent(MOBILE)

    def test_five_failures_in_a_row_open_it_and_an_acceptance_closes_it(
        self, first: Provider, second: Provider, clock: time_machine.Traveller
    ) -> None:
        self.refuse(circuits.FAILURES)
        assert open_by_carrier(first.pk)[TELECOM].cause == ""
        assert [way(), way(MOBILE)] == ["second", "first"]
        clock.shift(circuits.FIRST_PAUSE)

        trial = sent(TELECOM)

        assert (trial.provider, trial.is_trial) == (first, False)
        assert not is_open(first)

    def test_an_acceptance_in_between_starts_the_count_again(self, first: Provider, second: Provider) -> None:
        for _ in range(3):
            self.refuse(circuits.FAILURES - 1)
            sent(TELECOM)

        assert not is_open(first)

    def test_a_refused_text_lets_another_try(
        self, first: Provider, second: Provider, clock: time_machine.Traveller
    ) -> None:
        self.refuse(circuits.FAILURES)
        clock.shift(circuits.FIRST_PAUSE)
        FlakyGateway.error = GatewayRejected(reason=Reason.CONTENT)
        sent(TELECOM)
        FlakyGateway.error = None

        assert way() == "first"


class TestSecondTry:
    """A code that is sent again goes another way, by what became of its last SMS at each provider."""

    @pytest.fixture
    def third(self, memory: MakeProvider) -> Provider:
        return memory(slug="third", priority=3)

    @pytest.mark.parametrize(
        ("became", "expected"),
        [
            ({"first": "accepted"}, "second"),
            ({"first": "accepted", "second": "accepted"}, "third"),
            ({"first": "accepted", "second": "delivered", "third": "accepted"}, "second"),
            ({"first": "not_sent", "second": "accepted", "third": "undelivered"}, "second"),
            ({"first": "undelivered", "second": "not_sent", "third": "unknown"}, "second"),
            ({"first": "unknown", "second": "undelivered", "third": "sending"}, "second"),
            ({"first": "unknown", "second": "sending", "third": "sending"}, "first"),
        ],
    )
    def test_order(
        self, became: dict[str, str], expected: str, first: Provider, second: Provider, third: Provider
    ) -> None:
        verification = send_code(number(TELECOM), "login")
        sent_first = Message.objects.get()
        Message.objects.all().delete()
        for line, (slug, status) in enumerate(became.items()):
            provider = Provider.objects.get(slug=slug)
            Message.objects.create(
                provider=provider,
                template=provider.templates.get(),
                verification=verification,
                phone=sent_first.phone,
                purpose="login",
                status=status,
                created_at=datetime.fromtimestamp(NOW.timestamp() - 300 + line, UTC),
            )

        resend_code(verification.pk)

        assert Message.objects.latest("created_at").provider.slug == expected


def test_only_sms_with_the_same_code_decide_on_the_other_way(
    first: Provider, second: Provider, clock: time_machine.Traveller
) -> None:
    add_template(second, "register", CODE_TEXT, "")
    phone = sent(MOBILE).phone
    with override_settings(SMSVERIFY={"RESEND_INTERVAL": 0, "PREFIX_LIMITS": ()}):
        for purpose in ("register", "login"):
            clock.shift(1)
            send_code(phone, purpose)

    assert [one.provider.slug for one in Message.objects.filter(phone=phone).order_by("created_at")] == [
        *("first", "second", "second")
    ]


def test_a_failing_cache_and_a_bug_lose_no_report(
    first: Provider, second: Provider, log: LogRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = sent(TELECOM)
    monkeypatch.setattr(circuits, "find_open", lambda ways: 1 / 0)

    tell(message, UNFILED)

    message.refresh_from_db()
    assert (message.status, message.cause) == ("undelivered", Cause.SIGNATURE_UNFILED)
    assert "could not be followed up: ZeroDivisionError" in log.text
