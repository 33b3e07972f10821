"""Probes to an operator's own numbers: when they are sent, what became of them, and one alarm for each silence."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import override_settings
from django.utils import timezone, translation

from django_smsverify import tasks
from django_smsverify.enums import Alarm, DeliveryOutcome, MessageStatus, ProbeState
from django_smsverify.exceptions import ContextMismatch, GatewayRejected, GatewayUncertain, InsideTransaction
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.models import Message, Probe, ProbeNumber, Provider, Template
from django_smsverify.money.costs import costs, today
from django_smsverify.operations import canary, channels, route_alarms
from django_smsverify.operations.canary import A_DAY, probe
from django_smsverify.operations.route_alarms import SILENT_AFTER
from django_smsverify.polling.poll import poll
from django_smsverify.polling.recovery import STUCK_AFTER
from django_smsverify.sending import circuits, send_code
from django_smsverify.signals import route_silent
from django_smsverify.statistics.sums import sum_after
from django_smsverify.types import News
from django_smsverify.verifying import verify_code

from .conftest import LogRecorder, MakeProvider, addressee, last_code
from .test_circuits import FlakyGateway
from .test_storing_reports import DELIVERED, UNDELIVERED, in_parallel, push, report

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
NUMBERS = {"mobile": "+8613800138000", "unicom": "+8618600138001", "telecom": "+8618900138002"}
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
SITE = {"GATEWAYS": {"telling": "tests.test_canary.TellingGateway"}, "RESEND_INTERVAL": 0, "PHONE_LIMITS": ["99/h"]}
BOSS = [addressee("boss@example.com")]


class TellingGateway(FlakyGateway):
    """Its vendor pushes reports."""

    def parse_push(self, request: Any) -> News:
        raise NotImplementedError


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[time_machine.Traveller]:
    monkeypatch.setattr("django_smsverify.operations.watching.poll_is_late", lambda now: False)
    with (
        time_machine.travel(NOW, tick=False) as traveller,
        override_settings(SMSVERIFY=SITE, MANAGERS=BOSS, LANGUAGE_CODE="en"),
    ):
        TellingGateway.error, TellingGateway.calls = None, 0
        yield traveller


@pytest.fixture
def numbers(db: None) -> None:
    for phone in NUMBERS.values():
        ProbeNumber.objects.create(phone=phone, added_by="boss")


@pytest.fixture
def mobile(db: None) -> ProbeNumber:
    return ProbeNumber.objects.create(phone=NUMBERS["mobile"], added_by="boss")


@pytest.fixture
def telling(memory: MakeProvider) -> Callable[..., Provider]:
    """Makes a provider whose vendor pushes reports."""

    def make(slug: str = "acme", **fields: Any) -> Provider:
        provider = memory("login", slug=slug, **fields)
        Provider.objects.filter(pk=provider.pk).update(gateway="telling")
        return Provider.objects.get(pk=provider.pk)

    return make


MakeTelling = Callable[..., Provider]


@pytest.fixture
def acme(telling: MakeTelling) -> Provider:
    return telling()


@pytest.fixture
def raised() -> Iterator[list[tuple[str, str, str]]]:
    """Provider, carrier and reason of each alarm."""
    found: list[tuple[str, str, str]] = []

    def receive(provider: Provider, carrier: str, message: Message, why: str, **fields: Any) -> None:
        assert message.is_probe
        found.append((provider.slug, carrier, why))

    route_silent.connect(receive)
    yield found
    route_silent.disconnect(receive)


Raised = list[tuple[str, str, str]]


def sent() -> list[tuple[str, str]]:
    """Provider and carrier of each probe, in order."""
    return [(one.provider.slug, one.carrier) for one in Probe.objects.order_by("pk")]


def last() -> Probe:
    return Probe.objects.select_related("message", "provider").latest("pk")


def tell(outcome: DeliveryOutcome = DELIVERED) -> None:
    """The vendor reports on the last probe."""
    message = last().message
    push(message.provider, report(message.remote_id, outcome, phone=message.phone))


def run_probes(a_day: int) -> None:
    probe(a_day=a_day)


def run_poll() -> None:
    poll()


def state() -> str:
    return last().state


class TestSchedule:
    def test_each_provider_sends_to_each_carrier(self, numbers: None, telling: MakeTelling) -> None:
        telling("first", priority=1), telling("second", priority=2)

        probe()

        assert sent() == [(slug, carrier) for slug in ("first", "second") for carrier in sorted(NUMBERS)]
        assert {(one.phone, one.carrier) for one in Message.objects.filter(is_probe=True)} == {
            (phone, carrier) for carrier, phone in NUMBERS.items()
        }

    @pytest.mark.any_database
    @pytest.mark.slow
    def test_no_provider_sends_more_than_three_in_any_24_hours(
        self, numbers: None, acme: Provider, clock: time_machine.Traveller
    ) -> None:
        for _hour in range(72):
            probe()
            if Probe.objects.filter(state=ProbeState.UNDER_WAY).exists():
                for one in Probe.objects.filter(state=ProbeState.UNDER_WAY):
                    push(acme, report(one.message.remote_id, phone=one.message.phone))
            clock.shift(timedelta(hours=1))

        moments = list(Probe.objects.order_by("pk").values_list("created_at", flat=True))
        assert 3 <= len(moments) // 3 <= 4
        assert all(later - earlier >= DAY for earlier, later in zip(moments, moments[A_DAY:], strict=False))

    def test_another_limit_may_be_given(self, numbers: None, acme: Provider) -> None:
        probe(a_day=1)
        routes = probe(a_day=2)
        assert len(sent()) == 2
        assert "2 probes in 24 hours are enough" in {route.waits for route in routes}

    def test_the_longest_not_probed_comes_first(
        self, numbers: None, acme: Provider, clock: time_machine.Traveller
    ) -> None:
        for _day in range(6):
            probe(a_day=1)
            tell()
            clock.shift(DAY)

        assert [carrier for _, carrier in sent()] == sorted(NUMBERS) * 2

    def test_no_second_probe_is_sent_while_one_is_under_way(
        self, mobile: ProbeNumber, acme: Provider, clock: time_machine.Traveller
    ) -> None:
        (first,) = probe()
        (second,) = probe()
        assert (len(sent()), first.waits, second.waits) == (1, "", "a probe is under way")

        Message.objects.update(status=MessageStatus.SENDING)
        clock.shift(DAY)
        (third,) = probe()
        assert (len(sent()), third.waits) == (1, "a probe is under way")

    @pytest.mark.any_database
    @pytest.mark.slow
    def test_those_to_one_carrier_are_spread_over_the_day(
        self, mobile: ProbeNumber, acme: Provider, clock: time_machine.Traveller
    ) -> None:
        for _ in range(6 * 24):
            probe()
            if state() == ProbeState.UNDER_WAY:
                tell(UNDELIVERED)
            clock.shift(10 * MINUTE)

        moments = list(Probe.objects.order_by("pk").values_list("created_at", flat=True))
        assert [moment - NOW for moment in moments] == [timedelta(hours=hours) for hours in (0, 8, 16)]
        clock.move_to(NOW + timedelta(hours=18))
        (route,) = probe()
        assert route.waits == "the last one was sent less than 8 hours ago"
        probe(a_day=100)
        assert len(sent()) == 4

    @pytest.mark.slow
    def test_two_runs_at_once_double_no_probe(self, numbers: None, acme: Provider, clock: Any) -> None:
        for _round in range(5):
            clock.shift(timedelta(hours=1))
            in_parallel(*[partial(run_probes, 99)] * 4)
            assert Message.objects.filter(is_probe=True).count() == Probe.objects.count() == len(MemoryGateway.outbox)
            open_ones = Probe.objects.filter(state=ProbeState.UNDER_WAY).values_list("carrier", flat=True)
            assert len(open_ones) == len(set(open_ones))
            for one in Probe.objects.filter(state=ProbeState.UNDER_WAY):
                push(acme, report(one.message.remote_id, phone=one.message.phone))

    @pytest.mark.slow
    def test_many_runs_at_once_keep_the_limit_of_a_day(self, numbers: None, acme: Provider) -> None:
        in_parallel(*[partial(run_probes, 2)] * 6)
        probe(a_day=2)

        assert Probe.objects.count() == TellingGateway.calls == 2

    def test_a_run_that_was_too_late_stores_and_charges_nothing(
        self, mobile: ProbeNumber, acme: Provider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = canary._phones

        def overtaken(carrier: str) -> Iterator[str]:
            monkeypatch.setattr(canary, "_phones", real)
            probe()
            return real(carrier)

        monkeypatch.setattr(canary, "_phones", overtaken)
        (route,) = probe()

        assert route.waits == "another run has just sent one"
        assert (Message.objects.count(), TellingGateway.calls) == (1, 1)

    def test_another_error_of_the_database_is_raised(
        self, mobile: ProbeNumber, acme: Provider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*args: object) -> None:
            raise IntegrityError("what is this?")

        monkeypatch.setattr(canary, "_store", fail)
        with pytest.raises(IntegrityError):
            probe()
        assert (Message.objects.count(), TellingGateway.calls) == (0, 0)

    def test_an_open_circuit_is_no_reason_to_wait(self, mobile: ProbeNumber, acme: Provider) -> None:
        for _ in range(circuits.FAILURES):
            circuits.note(acme, [GatewayUncertain("timeout")])

        probe()

        assert sent() == [("acme", "mobile")]

    def test_it_does_not_fail_over(self, mobile: ProbeNumber, acme: Provider, memory: MakeProvider) -> None:
        memory("login", slug="other")
        TellingGateway.error = GatewayRejected("no")

        probe()

        assert {(one.provider.slug, one.attempt) for one in Message.objects.all()} == {("acme", 1), ("other", 1)}

    def test_workers_do_not_take_it(self, mobile: ProbeNumber, acme: Provider) -> None:
        with override_settings(SMSVERIFY={**SITE, "DISPATCH": "celery"}):
            probe()

        assert last().message.status == MessageStatus.ACCEPTED

    @pytest.mark.parametrize("change", ["number", "provider", "template", "none"])
    def test_what_is_inactive_gets_none(self, change: str, mobile: ProbeNumber, acme: Provider) -> None:
        model: Any = {"number": ProbeNumber, "provider": Provider, "template": Template}.get(change)
        if model:
            model.objects.update(is_active=False)

        found = probe()

        assert len(sent()) == (change == "none")
        if change == "template":
            assert [route.waits for route in found] == ["no template with a code is approved and active"]

    def test_the_numbers_own_limits_count(self, mobile: ProbeNumber, acme: Provider) -> None:
        with override_settings(SMSVERIFY={**SITE, "RESEND_INTERVAL": 60}):
            send_code(mobile.phone, "login")
            (route,) = probe()
            assert (sent(), "(throttled)" in route.waits) == ([], True)

            other = ProbeNumber.objects.create(phone="+8613900139000", added_by="boss")
            probe()
        assert last().message.phone == other.phone

    def test_inside_a_transaction_it_is_refused(self, mobile: ProbeNumber, acme: Provider) -> None:
        with pytest.raises(InsideTransaction), transaction.atomic():
            probe()
        assert TellingGateway.calls == 0

    def test_it_stops_between_two_probes(self, numbers: None, acme: Provider) -> None:
        probe(stopped=lambda: TellingGateway.calls == 1)
        assert len(sent()) == 1


def test_the_code_of_a_probe_opens_nothing(mobile: ProbeNumber, acme: Provider) -> None:
    probe()

    verification = last().message.verification
    assert verification
    with pytest.raises(ContextMismatch):
        verify_code(verification.pk, last_code())


class TestSilence:
    def test_a_report_ends_it_with_its_seconds(
        self, mobile: ProbeNumber, acme: Provider, raised: Raised, clock: time_machine.Traveller
    ) -> None:
        probe()
        clock.shift(4.2)
        tell()
        poll()

        assert (state(), last().seconds, raised, mail.outbox) == (ProbeState.DELIVERED, 4.2, [], [])
        with translation.override("en"):
            assert str(last()) == "acme · China Mobile · delivered"

    @pytest.mark.parametrize("run", [poll, probe])
    def test_without_a_report_one_signal_and_one_mail_tell_it(
        self, run: Callable[[], object], mobile: ProbeNumber, acme: Provider, raised: Raised, clock: Any
    ) -> None:
        probe(a_day=1)
        clock.shift(SILENT_AFTER - timedelta(seconds=1))
        poll()
        assert (state(), raised) == (ProbeState.UNDER_WAY, [])

        clock.shift(1)
        run(a_day=1) if run is probe else run()
        for _ in range(3):
            poll()
        assert raised == [("acme", "mobile", "no report came in 10 minutes")]
        (sent_mail,) = mail.outbox
        assert sent_mail.subject == "[Django] SMS of acme do not arrive at China Mobile"
        assert sent_mail.to == ["boss@example.com"]
        for words in ("138****8000", "no report came in 10 minutes", "smsverify_check acme --send", "told once"):
            assert words in sent_mail.body
        assert mobile.phone[3:] not in sent_mail.body

    @pytest.mark.parametrize(
        ("error", "why"),
        [
            (GatewayRejected("bad key 13800138000", error_code="401"), "not sent · 401 · bad key ***"),
            (GatewayUncertain("timeout"), "unknown · timeout"),
        ],
    )
    def test_a_failure_is_told_at_once(
        self, error: Any, why: str, mobile: ProbeNumber, acme: Provider, raised: Raised, log: LogRecorder
    ) -> None:
        TellingGateway.error = error

        (route,) = probe()

        assert route.is_silent
        assert (state(), raised, len(mail.outbox)) == (ProbeState.FAILED, [("acme", "mobile", why)], 1)
        assert f"Probes of acme to mobile do not arrive: {why}" in log.text

    def test_an_undelivered_one_is_told_by_the_poll(self, mobile: ProbeNumber, acme: Provider, raised: Raised) -> None:
        probe()
        tell(UNDELIVERED)

        assert poll()["route alert"] == 1
        assert (state(), len(mail.outbox)) == (ProbeState.FAILED, 1)
        assert raised == [("acme", "mobile", "undelivered · not known")]

    @pytest.mark.slow
    def test_it_is_told_again_only_after_one_arrived(
        self, mobile: ProbeNumber, acme: Provider, raised: Raised, clock: Any
    ) -> None:
        counts = []
        for arrives in (False, False, False, True, False, True, True, False):
            probe()
            tell(DELIVERED if arrives else UNDELIVERED)
            poll()
            counts.append(len(raised))
            clock.shift(DAY)

        assert counts == [1, 1, 1, 1, 2, 2, 2, 3]
        assert len(mail.outbox) == 3

    @pytest.mark.slow
    def test_a_late_report_ends_the_silence(
        self, mobile: ProbeNumber, acme: Provider, raised: Raised, clock: Any
    ) -> None:
        probe()
        clock.shift(SILENT_AFTER)
        poll()
        assert state() == ProbeState.SILENT
        clock.shift(5 * MINUTE)
        tell()
        poll()
        assert (state(), last().seconds) == (ProbeState.DELIVERED, 900)

        clock.shift(DAY)
        probe()
        tell(UNDELIVERED)
        poll()
        assert len(raised) == 2

    @pytest.mark.slow
    def test_a_probe_that_arrives_after_the_next_one_has_failed_ends_the_silence_too(
        self, mobile: ProbeNumber, acme: Provider, raised: Raised, clock: Any
    ) -> None:
        counts = []
        for _ in range(2):
            probe()
            clock.shift(DAY)
            poll()
            counts.append(len(raised))
        first = Probe.objects.earliest("pk").message
        push(acme, report(first.remote_id, phone=first.phone))
        for _ in range(2):
            probe()
            clock.shift(DAY)
            poll()
            counts.append(len(raised))
        assert counts == [1, 1, 2, 2]

    def test_each_carrier_has_an_alarm_of_its_own(self, numbers: None, acme: Provider, raised: Raised) -> None:
        TellingGateway.error = GatewayRejected("no")
        probe()
        assert [carrier for _, carrier, _ in raised] == sorted(NUMBERS)

    def test_a_vendor_that_tells_nothing_is_not_silent(
        self, mobile: ProbeNumber, memory: MakeProvider, raised: Raised, clock: Any
    ) -> None:
        provider = memory("login")
        probe()
        clock.shift(DAY)
        poll()
        assert (state(), raised) == (ProbeState.ACCEPTED, [])
        assert not route_alarms.tells_reports(provider)

    def test_parallel_runs_raise_and_mail_one_alarm(self, mobile: ProbeNumber, acme: Provider, raised: Raised) -> None:
        probe()
        tell(UNDELIVERED)
        in_parallel(*[run_poll] * 6)
        assert (len(raised), len(mail.outbox)) == (1, 1)

    def test_a_failed_mail_is_tried_again(
        self, mobile: ProbeNumber, acme: Provider, monkeypatch: pytest.MonkeyPatch, log: LogRecorder
    ) -> None:
        def fail(*words: str) -> None:
            raise OSError("login hunter2 refused")

        TellingGateway.error = GatewayRejected("no")
        with monkeypatch.context() as patch:
            patch.setattr(channels, "mail_managers", fail)
            probe()
        assert "The mail about route acme mobile failed with OSError" in log.text
        assert poll()["mailed"] == 1
        assert (last().alarm, len(mail.outbox)) == (Alarm.MAILED, 1)

    def test_after_a_recovery_no_mail_is_sent(
        self, mobile: ProbeNumber, acme: Provider, monkeypatch: pytest.MonkeyPatch, clock: Any
    ) -> None:
        probe()
        clock.shift(SILENT_AFTER)
        monkeypatch.setattr(route_alarms, "_take_alert", lambda probe: False)
        poll()
        Probe.objects.update(alarm=Alarm.RAISED)
        tell()
        monkeypatch.undo()
        poll()
        assert mail.outbox == []

    @override_settings(MANAGERS=[], ADMINS=[])
    def test_without_recipients_the_log_says_so_once(
        self, mobile: ProbeNumber, acme: Provider, raised: Raised, log: LogRecorder
    ) -> None:
        TellingGateway.error = GatewayRejected("no")
        probe()
        poll()
        assert len(raised) == 1
        assert log.text.count("MANAGERS and ADMINS are empty") == 1


class TestDeath:
    """A process that is killed: an exception that nothing catches stands for it."""

    @pytest.fixture
    def kill(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, str], None]:
        def kill(where: Any, name: str) -> None:
            def die(*args: Any, **kwargs: Any) -> None:
                raise KeyboardInterrupt

            with monkeypatch.context() as patch:
                patch.setattr(where, name, die)
                with pytest.raises(KeyboardInterrupt):
                    probe()

        return kill

    def test_before_the_vendor_is_called_it_becomes_unknown_and_an_alarm(
        self, kill: Any, mobile: ProbeNumber, acme: Provider, raised: Raised, clock: Any
    ) -> None:
        kill(TellingGateway, "transmit")
        assert (last().message.status, TellingGateway.calls) == (MessageStatus.SENDING, 0)

        clock.shift(SILENT_AFTER)
        (route,) = probe()
        assert route.waits == "a probe is under way"
        clock.shift(STUCK_AFTER)
        poll()
        assert (last().message.status, len(raised), len(mail.outbox)) == (MessageStatus.UNKNOWN, 1, 1)
        assert TellingGateway.calls == 0

    def test_before_it_is_stored_nothing_was_sent(self, kill: Any, mobile: ProbeNumber, acme: Provider) -> None:
        kill(canary, "_store")
        assert (Message.objects.count(), Probe.objects.count(), TellingGateway.calls) == (0, 0, 0)
        probe()
        assert TellingGateway.calls == 1

    def test_before_it_is_judged_the_poll_tells_it(
        self, kill: Any, mobile: ProbeNumber, acme: Provider, raised: Raised
    ) -> None:
        TellingGateway.error = GatewayRejected("no")
        kill(canary, "judge")
        assert state() == ProbeState.UNDER_WAY
        poll()
        assert (state(), len(raised), len(mail.outbox)) == (ProbeState.FAILED, 1, 1)

    def test_before_it_is_mailed_the_poll_mails_it(
        self, kill: Any, mobile: ProbeNumber, acme: Provider, raised: Raised
    ) -> None:
        TellingGateway.error = GatewayRejected("no")
        kill(route_alarms, "_take_alert")
        assert (len(raised), mail.outbox) == (1, [])
        poll()
        poll()
        assert (len(raised), len(mail.outbox)) == (1, 1)


def test_costs_name_what_probes_cost(numbers: None, telling: MakeTelling, clock: Any) -> None:
    telling("acme", price="0.05")
    send_code("+8613700137000", "login")
    probe()

    def told() -> list[tuple[int, str, str]]:
        rows = costs(today() - 5 * DAY, today())
        return [(row.messages, str(row.cost), str(row.probes)) for row in rows]

    assert told() == [(4, "0.2000", "0.1500")]
    clock.shift(DAY + sum_after())
    poll()
    assert told() == [(4, "0.2000", "0.1500")], "from the sums of that day"
    out = io.StringIO()
    call_command("smsverify_costs", "--from", f"{NOW:%Y-%m-%d}", stdout=out)
    assert "0.20 yuan, 0.15 of it for probes" in out.getvalue()


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("smsverify_probe", *arguments, stdout=out)
    return out.getvalue()


class TestCommand:
    def test_prints_a_line_for_each_route(self, mobile: ProbeNumber, acme: Provider, clock: Any) -> None:
        line = "acme             mobile    {} · sent at 2026-11-27T20:00:00+08:00{}\n"
        assert run() == line.format("under way", "")
        clock.shift(3)
        tell()
        assert run("--a-day", "1") == line.format(
            "delivered", " · report after 3.0 s · no new probe: the last one was sent less than 24 hours ago"
        )

    def test_a_silent_route_is_an_error(self, mobile: ProbeNumber, acme: Provider) -> None:
        TellingGateway.error = GatewayRejected("no")
        out = io.StringIO()
        with pytest.raises(CommandError, match="Probes do not arrive: acme mobile"):
            call_command("smsverify_probe", stdout=out)
        assert "failed · sent at 2026-11-27T20:00:00+08:00 · not sent · no" in out.getvalue()

    def test_json(self, mobile: ProbeNumber, acme: Provider) -> None:
        assert json.loads(run("--json")) == [
            {
                "provider": "acme",
                "carrier": "mobile",
                "state": "under way",
                "sent_at": "2026-11-27T20:00:00+08:00",
                "seconds": None,
                "why": None,
                "waits": None,
            }
        ]

    def test_without_a_number_it_says_where_to_enter_one(self, acme: Provider) -> None:
        with pytest.raises(CommandError, match=r"Enter one of your own at each carrier.*probe_routes"):
            run()

    def test_without_a_provider_it_says_so(self, mobile: ProbeNumber) -> None:
        assert run() == "there is no active provider\n"

    def test_without_a_template_it_says_so(self, mobile: ProbeNumber, acme: Provider) -> None:
        Template.objects.update(is_active=False)
        assert "never probed · no new probe: no template with a code is approved" in run()

    def test_a_limit_of_zero_is_refused(self, mobile: ProbeNumber) -> None:
        with pytest.raises(CommandError, match="at least 1, not 0"):
            run("--a-day", "0")


def test_celery_runs_it_as_a_task(mobile: ProbeNumber, acme: Provider) -> None:
    celery = pytest.importorskip("django_smsverify.tasks.for_celery")

    assert celery.probe.name == "smsverify.probe"
    assert celery.probe() == {"acme mobile": "under way"}


def test_django_tasks_runs_it_as_a_task(mobile: ProbeNumber, acme: Provider) -> None:
    enqueue: Callable[[], Any] = tasks.probe.enqueue

    assert enqueue().return_value == {"acme mobile": "under way"}


def test_a_provider_at_a_real_vendor_is_probed(mobile: ProbeNumber, vendor: MakeProvider, sandbox: Any) -> None:
    vendor("aliyun")

    (route,) = probe()

    assert route.probe
    assert route.probe.message.status == MessageStatus.ACCEPTED
    assert [sms.phone for sms in sandbox.inbox.all()] == [mobile.phone[3:]]
    assert timezone.now() == NOW
