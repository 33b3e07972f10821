"""Budgets in yuan: what an SMS counts, when it is given back, and what happens when a budget is spent."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.core import mail
from django.core.cache import cache
from django.core.checks import run_checks
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client, override_settings
from django.utils import timezone
from sandbox.server import Fault, Sandbox

from django_smsverify.enums import MessageStatus, Reason, Refused
from django_smsverify.exceptions import GatewayRejected, NoRoute, OverBudget
from django_smsverify.gateways.base import Outcome
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.limits import budget_alarms
from django_smsverify.limits.budget import amount_of, count_after_all, reserve
from django_smsverify.messages import claim
from django_smsverify.models import Message, Provider, Refusal, Spending, Template
from django_smsverify.polling.poll import poll
from django_smsverify.reports.matching import match_messages
from django_smsverify.sending import attempt, choosing, dispatch, resend_code, send_code, send_message, worker
from django_smsverify.sending.batching import send_batch
from django_smsverify.sending.bulk import queue_up, send_bulk
from django_smsverify.sending.bulk_rows import CHUNK
from django_smsverify.sending.by_hand import code_templates, send_code_by
from django_smsverify.sending.worker import send_waiting
from django_smsverify.signals import budget_spent
from django_smsverify.transactions import run_committed
from django_smsverify.types import OutgoingSMS

from .conftest import PHONE, LogRecorder, MakeProvider, add_template, addressee
from .test_limits import NO_LIMITS
from .test_races import at_once
from .test_webhooks import ihuyi_report, path_of

pytestmark = pytest.mark.django_db(transaction=True)

PRICE = Decimal("0.0450")
NOON = datetime(2026, 11, 20, 12, tzinfo=ZoneInfo("Asia/Shanghai"))
Tasks = list[list[str]]
PHONES = tuple(f"+8613{number:09}" for number in range(800100000, 800100400))


class RefusingGateway(MemoryGateway):
    """Refuses the account."""

    def transmit(self, sms: OutgoingSMS) -> Mapping[str, Outcome]:
        return {phone: GatewayRejected("no", reason=Reason.ACCOUNT, error_code="9") for phone in sms.recipients}


def site(**changed: Any) -> Any:
    gateways = {"refusing": f"{__name__}.RefusingGateway"}
    return override_settings(SMSVERIFY={**NO_LIMITS, "GATEWAYS": gateways, **changed})


def budget(day: str, **changed: Any) -> Any:
    """A site with a budget for the day."""
    return site(BUDGET={"day": Decimal(day)}, **changed)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def provider(memory: MakeProvider) -> Provider:
    return memory("login", "payment", price=PRICE)


@pytest.fixture
def notice(provider: Provider) -> Template:
    return add_template(provider, "notice", "系统维护已完成。", "")


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> Tasks:
    """The ids of the messages of each task that a worker has to do."""
    found: Tasks = []
    monkeypatch.setattr(dispatch, "_enqueue", found.append)
    return found


def refusing(memory: MakeProvider, **fields: Any) -> Provider:
    """A provider that refuses every SMS."""
    provider = memory(**fields)
    Provider.objects.filter(pk=provider.pk).update(gateway="refusing")
    provider.refresh_from_db()
    return provider


def spent() -> dict[tuple[str, str], Decimal]:
    """What is stored as spent; each row must be the sum of the messages that are counted in it."""
    counted: Counter[str] = Counter()
    for message in Message.objects.exclude(counted_in=""):
        assert message.status not in (MessageStatus.QUEUED, MessageStatus.NOT_SENT)
        for pk in message.counted_in.split():
            counted[pk] += amount_of(message)  # type: ignore[assignment]
    assert {str(row.pk): row.spent for row in Spending.objects.filter(spent__gt=0)} == dict(counted)
    return {(row.subject, row.period): row.spent for row in Spending.objects.all()}


def send_until_spent(purpose: str = "login", most: int = 50) -> int:
    """How many codes are sent before the first is refused for the budget."""
    for number, phone in enumerate(PHONES[:most]):
        try:
            send_code(phone, purpose)
        except OverBudget:
            return number
    raise AssertionError("no budget was spent")


class TestWhatIsCounted:
    def test_without_a_budget_nothing_is_stored(self, provider: Provider) -> None:
        with site():
            send_code(PHONE, "login")

        assert (Spending.objects.count(), Message.objects.get().counted_in) == (0, "")

    @pytest.mark.parametrize(("day", "fits"), [("0", 0), ("0.04", 0), ("0.045", 1), ("0.08", 1), ("0.09", 2), (1, 22)])
    def test_exactly_as_many_are_sent_as_fit(self, day: Any, fits: int, provider: Provider) -> None:
        with budget(day):
            assert send_until_spent() == fits == len(MemoryGateway.outbox)

        assert spent() == {("", "day"): fits * PRICE}

    def test_a_text_of_two_segments_counts_twice(self, provider: Provider) -> None:
        Template.objects.filter(purpose="login").update(content="您的验证码是{code}，5分钟内有效。" + "请勿泄露" * 15)

        with budget("0.13"):
            assert send_until_spent() == 1

        assert spent() == {("", "day"): 2 * PRICE}

    def test_a_day_and_a_month_of_site_purpose_and_provider_are_counted_together(self, provider: Provider) -> None:
        both = {"day": 50, "month": 1000}
        Provider.objects.update(budget_day=50, budget_month=1000)

        with site(BUDGET=both, PURPOSES={"login": {"BUDGET": both}}):
            send_code(PHONE, "login")
            send_code(PHONE, "payment")

        of_provider = f"provider:{provider.pk}"
        twice = {(subject, period): 2 * PRICE for subject in ("", of_provider) for period in ("day", "month")}
        assert spent() == {**twice, ("purpose:login", "day"): PRICE, ("purpose:login", "month"): PRICE}
        assert {row.starts_on for row in Spending.objects.filter(period="month")} == {date(2026, 11, 1)}

    def test_each_day_of_the_site_has_its_own_budget(self, provider: Provider, clock: time_machine.Traveller) -> None:
        with site(BUDGET={"day": PRICE, "month": 2 * PRICE}):
            clock.move_to(datetime(2026, 11, 20, 23, 59, 59, tzinfo=ZoneInfo("Asia/Shanghai")))
            assert send_until_spent() == 1
            clock.shift(1)
            assert send_until_spent() == 1
            clock.shift(timedelta(days=1))
            assert send_until_spent() == 0  # the month
            clock.move_to(datetime(2026, 12, 1, 0, 0, 0, tzinfo=ZoneInfo("Asia/Shanghai")))
            assert send_until_spent() == 1

        days = Spending.objects.filter(period="day").order_by("starts_on").values_list("starts_on", "spent")
        assert list(days) == [
            (date(2026, 11, 20), PRICE),
            (date(2026, 11, 21), PRICE),
            (date(2026, 11, 22), 0),
            (date(2026, 12, 1), PRICE),
        ]

    @pytest.mark.parametrize(("subject", "counted"), [("", 3), ("purpose:login", 2), ("provider", 3)])
    def test_a_budget_that_is_set_at_noon_knows_what_was_spent(
        self, subject: str, counted: int, provider: Provider
    ) -> None:
        with site():
            for phone, purpose in zip(PHONES, ["login", "login", "payment"], strict=False):
                send_code(phone, purpose)
            refused = Message.objects.create(
                provider=provider,
                template=provider.templates.get(purpose="login"),
                phone=PHONES[9],
                purpose="login",
                price=PRICE,
            )
            refused.status, refused.claimed_at = MessageStatus.NOT_SENT, timezone.now()
            refused.save()
        own: Any = {"day": 4 * PRICE}
        settings = {"": {"BUDGET": own}, "purpose:login": {"PURPOSES": {"login": {"BUDGET": own}}}, "provider": {}}
        Provider.objects.update(budget_day=4 * PRICE if subject == "provider" else None)

        with site(**settings[subject]):
            assert send_until_spent() == 4 - counted

        assert {row.spent for row in Spending.objects.all()} == {4 * PRICE}

    def test_a_budget_that_was_away_knows_what_was_spent_meanwhile(self, provider: Provider) -> None:
        with budget("1"):
            send_code(PHONES[0], "login")
        with site():
            send_code(PHONES[1], "login")
            assert poll()["spending forgotten"] == 1

        with budget("0.135"):
            assert send_until_spent("payment") == 1

    def test_a_day_that_begins_later_is_not_in_the_sum_of_the_one_before(
        self, provider: Provider, clock: time_machine.Traveller
    ) -> None:
        with site():
            send_code(PHONES[0], "login")
            refused = Message.objects.get()
            clock.shift(timedelta(days=1))
            send_code(PHONES[1], "login")
        with site(BUDGET={"day": 1, "month": 1}):
            run_committed(Message, lambda: count_after_all(refused))

        found = {(row.period, str(row.starts_on)): row.spent for row in Spending.objects.all()}
        assert found == {("day", "2026-11-20"): PRICE, ("month", "2026-11-01"): 2 * PRICE}

    def test_a_raised_budget_holds_at_once(self, provider: Provider) -> None:
        with budget("0.045"):
            assert send_until_spent() == 1
        with budget("0.09"):
            assert send_until_spent() == 1

    def test_a_price_that_changes_counts_from_then_on(self, provider: Provider) -> None:
        with budget("0.2"):
            send_code(PHONES[0], "login")
            provider.price = Decimal("0.1")
            provider.save()
            assert send_until_spent() == 1

        assert spent() == {("", "day"): PRICE + Decimal("0.1")}

    def test_tests_by_hand_and_notices_cost_money_too(self, provider: Provider, notice: Template) -> None:
        with budget("0.09"):
            send_code_by(code_templates(provider)[0], PHONE)
            send_message(notice, {PHONES[1]: {}})
            with pytest.raises(OverBudget, match="could not be sent"):
                send_code_by(code_templates(provider)[0], PHONES[2])

        assert spent() == {("", "day"): 2 * PRICE}


class TestGivenBack:
    def test_what_was_certainly_not_sent(self, memory: MakeProvider) -> None:
        refusing(memory, price=PRICE)

        with budget("1"), pytest.raises(NoRoute):
            send_code(PHONE, "login")

        assert spent() == {("", "day"): 0}

    def test_a_second_provider_counts_in_place_of_the_first(self, memory: MakeProvider) -> None:
        first = refusing(memory, slug="first", price=PRICE, priority=1, budget_day=1)
        second = memory(slug="second", price=Decimal("0.05"), priority=2, budget_day=1)

        with budget("0.05"):
            send_code(PHONE, "login")

        counts = {"": "0.05", f"provider:{first.pk}": "0", f"provider:{second.pk}": "0.05"}
        assert spent() == {(subject, "day"): Decimal(amount) for subject, amount in counts.items()}

    def test_on_the_day_from_which_it_was_taken(
        self, memory: MakeProvider, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refusing(memory, price=PRICE)
        refuse = RefusingGateway.transmit

        def refuse_after_midnight(self: RefusingGateway, sms: OutgoingSMS) -> Mapping[str, Outcome]:
            clock.move_to(NOON + timedelta(hours=12, seconds=1))
            Spending.objects.create(subject="", period="day", starts_on=date(2026, 11, 21), spent=1)
            return refuse(self, sms)

        monkeypatch.setattr(RefusingGateway, "transmit", refuse_after_midnight)
        clock.move_to(NOON + timedelta(hours=11, minutes=59, seconds=59))
        with budget("1"), pytest.raises(NoRoute):
            send_code(PHONE, "login")

        days = Spending.objects.order_by("starts_on").values_list("starts_on", "spent")
        assert list(days) == [(date(2026, 11, 20), Decimal(0)), (date(2026, 11, 21), Decimal(1))]

    def test_a_code_that_is_queued_counts_when_a_worker_claims_it(self, provider: Provider, tasks: Tasks) -> None:
        with budget("1", DISPATCH="celery"):
            send_code(PHONE, "login")
            assert spent() == {("", "day"): 0}
            send_waiting(tasks.pop())

        assert spent() == {("", "day"): PRICE}

    def test_what_a_worker_claimed_and_could_not_send_for_a_bug(
        self, provider: Provider, tasks: Tasks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*args: Any) -> None:
            assert spent() == {("", "day"): PRICE}
            raise ZeroDivisionError

        monkeypatch.setattr(worker, "send_queued", fail)
        with budget("1", DISPATCH="celery"):
            send_code(PHONE, "login")
            send_waiting(tasks.pop())

        assert Message.objects.get().status == "not_sent"
        assert spent() == {("", "day"): 0}

    def test_a_lost_answer_counts(self, vendor: MakeProvider, sandbox: Sandbox) -> None:
        vendor("ihuyi", price=PRICE)
        sandbox.misbehave("ihuyi", Fault.status(500))

        with budget("1"):
            send_code(PHONE, "login")

        assert Message.objects.get().status == "unknown"
        assert spent() == {("", "day"): PRICE}

    def test_a_refused_batch(self, memory: MakeProvider) -> None:
        template = add_template(refusing(memory, price=PRICE), "notice", "系统维护已完成。", "")

        with budget("10"):
            send_message(template, {phone: {} for phone in PHONES[:150]})

        assert Counter(Message.objects.values_list("status", flat=True)) == {"not_sent": 150}
        assert spent() == {("", "day"): 0}

    @pytest.mark.parametrize("reported", [{"code": "2"}, {"code": "3", "msg": "UNDELIV"}], ids=["delivered", "failed"])
    @pytest.mark.parametrize("is_alone", [True, False], ids=["alone", "with-others"])
    def test_what_its_vendor_reports_after_all_counts_again(
        self, reported: dict[str, str], is_alone: bool, vendor: MakeProvider, client: Client
    ) -> None:
        provider = vendor("ihuyi", price=PRICE)
        with budget("0.045"):
            send_code(PHONE, "login")
            message = Message.objects.get()
            rows = Message.objects.filter(pk=message.pk)
            rows.update(status=MessageStatus.NOT_SENT, counted_in="", remote_id=message.remote_id if is_alone else "")
            Spending.objects.update(spent=0)
            body = ihuyi_report(smsid=message.remote_id, **reported)
            client.post(path_of(provider), body, content_type="application/x-www-form-urlencoded")
            if not is_alone:  # the vendor's id is stored after its report
                rows.update(remote_id=message.remote_id)
                match_messages([Message.objects.get()])

        assert Message.objects.get().status in ("delivered", "undelivered")
        assert spent() == {("", "day"): PRICE}

    def test_two_reports_at_once_count_it_once(self, vendor: MakeProvider) -> None:
        vendor("ihuyi", price=PRICE)
        with site():
            send_code(PHONE, "login")
        with budget("1"):
            for _ in range(2):
                run_committed(Message, lambda: count_after_all(Message.objects.get()))

        assert spent() == {("", "day"): PRICE}


class TestSpent:
    def test_the_visitor_learns_nothing_of_money(self, provider: Provider, log: LogRecorder) -> None:
        with budget("0"):
            answer = Client().post("/sms/send/", {"phone": PHONE, "purpose": "login"}, "application/json")

        assert (answer.status_code, answer.json()["code"]) == (503, "gateway_unavailable")
        assert answer.json() == {"code": "gateway_unavailable", "detail": str(NoRoute())}
        assert "The budget of the site for the day since 2026-11-20 is spent: 0 of 0 yuan." in log.text

    def test_nothing_is_left_of_the_request(self, provider: Provider) -> None:
        with budget("0"):
            assert send_until_spent() == 0

        assert not Message.objects.exists()
        assert Refusal.objects.get().reason == Refused.BUDGET

    def test_a_resend_waits_for_the_budget_too(self, provider: Provider, clock: time_machine.Traveller) -> None:
        with budget("0.045"):
            verification = send_code(PHONE, "login")
            clock.shift(61)
            with pytest.raises(OverBudget):
                resend_code(verification.pk)

        assert len(MemoryGateway.outbox) == 1

    def test_purposes_with_a_budget_left_go_on(self, provider: Provider) -> None:
        with site(PURPOSES={"login": {"BUDGET": {"day": PRICE}}}):
            assert send_until_spent("login") == 1
            send_code(PHONE, "payment")

        assert len(MemoryGateway.outbox) == 2

    def test_a_provider_without_a_budget_left_is_no_route(self, memory: MakeProvider) -> None:
        memory(slug="first", price=PRICE, priority=1, budget_day=2 * PRICE)
        memory(slug="second", price=PRICE, priority=2)

        with site():
            for phone in PHONES[:5]:
                send_code(phone, "login")

        assert Counter(Message.objects.values_list("provider__slug", flat=True)) == {"first": 2, "second": 3}

    @pytest.mark.parametrize("queued", [False, True])
    def test_a_text_that_no_longer_fits_takes_the_other_provider(
        self, queued: bool, memory: MakeProvider, tasks: Tasks
    ) -> None:
        """One segment would fit, and it has two."""
        memory(slug="first", price=PRICE, priority=1, budget_day=3 * PRICE)
        memory(slug="second", price=PRICE, priority=2)
        Template.objects.update(content="您的验证码是{code}，5分钟内有效。" + "请勿泄露" * 15)

        with site(DISPATCH="celery" if queued else "inline"):
            for phone in PHONES[:3]:
                send_code(phone, "login")
            for ids in tasks:
                send_waiting(ids)

        assert Counter(Message.objects.values_list("provider__slug", "status")) == {
            ("first", "accepted"): 1,
            ("second", "accepted"): 2,
        }

    def test_a_code_fails_over_to_the_third_provider_if_the_second_cannot_pay_its_two_segments(
        self, memory: MakeProvider
    ) -> None:
        refusing(memory, slug="first", price=PRICE, priority=1)
        memory(slug="second", price=PRICE, priority=2, budget_day=PRICE)
        memory(slug="third", price=PRICE, priority=3)
        Template.objects.update(content="您的验证码是{code}，5分钟内有效。" + "请勿泄露" * 15)

        with site():
            send_code(PHONE, "login")

        found = Message.objects.order_by("attempt").values_list("provider__slug", "status")
        assert list(found) == [("first", "not_sent"), ("third", "accepted")]

    def test_why_nothing_is_sent_stands_in_the_log_once_a_minute(
        self, provider: Provider, log: LogRecorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(budget_alarms, "_logged", {})
        Provider.objects.update(price=None)
        with budget("1"):
            for phone in PHONES[:3]:
                with pytest.raises(OverBudget):
                    send_code(phone, "login")

        assert log.text.count("An SMS is not sent: memory has no price, without which nothing is sent by it") == 1

    def test_a_provider_without_a_price_is_no_route_while_a_budget_is_set(
        self, memory: MakeProvider, provider: Provider
    ) -> None:
        memory("login", "other", slug="unpriced", priority=1)

        with budget("1"):
            send_code(PHONE, "login")
            with pytest.raises(OverBudget) as caught:
                send_code(PHONE, "other")

        assert Message.objects.get().provider == provider
        assert caught.value.why == "unpriced has no price, without which nothing is sent by it while a budget is set"

    def test_a_queued_code_is_withdrawn_and_the_operator_told_why(
        self, provider: Provider, client: Client, log: LogRecorder, tasks: Tasks
    ) -> None:
        with budget("0.045", DISPATCH="celery"):
            send_code(PHONES[0], "login")
            verification = send_code(PHONES[1], "login")
            for ids in tasks:
                send_waiting(ids)

        statuses = Counter(Message.objects.values_list("status", "error_message"))
        assert statuses == {("accepted", ""): 1, ("not_sent", "while it was queued the budget was spent"): 1}
        assert client.get(f"/sms/send/{verification.pk}/").json()["code"] == "gateway_unavailable"
        assert "is not sent: the budget of the site" in log.text
        assert spent() == {("", "day"): PRICE}

    def test_a_queued_code_for_which_the_budget_ends_before_it_is_claimed(
        self, provider: Provider, tasks: Tasks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        choose = choosing.choose

        def choose_too_late(*args: Any) -> Any:
            Spending.objects.update(spent=PRICE)
            return choose(*args)

        with budget("0.045", DISPATCH="celery"):
            send_code(PHONE, "login")
            monkeypatch.setattr(worker, "choose", choose_too_late)
            send_waiting(tasks.pop())

        message = Message.objects.get()
        assert (message.status, message.error_message) == ("not_sent", "while it was queued the budget was spent")
        assert not MemoryGateway.outbox

    def test_a_code_does_not_fail_over_to_what_it_cannot_pay(self, memory: MakeProvider) -> None:
        refusing(memory, slug="first", price=PRICE, priority=1)
        memory(slug="second", price=Decimal("0.05"), priority=2)

        with budget("0.045"), pytest.raises(NoRoute):
            send_code(PHONE, "login")

        assert [message.provider.slug for message in Message.objects.all()] == ["first"]
        assert spent() == {("", "day"): 0}

    def test_explain_only_reads(self, provider: Provider) -> None:
        with budget("0"):
            call_command("smsverify_explain", PHONE, stdout=io.StringIO())

        assert not Spending.objects.exists()

    def test_explain_says_so(self, provider: Provider, capsys: pytest.CaptureFixture[str]) -> None:
        with budget("0"):
            assert send_until_spent() == 0
            call_command("smsverify_explain", PHONES[0])

        told = capsys.readouterr().out
        assert "a budget was spent (BUDGET, or that of the provider)" in told
        assert "A budget is spent, or a provider has no price, so that no code is sent for: login, payment" in told

    @pytest.mark.parametrize("command", ["smsverify_send", "smsverify_check"])
    def test_commands_name_the_budget(self, command: str, provider: Provider) -> None:
        arguments = [PHONE, "--purpose", "login"] if command == "smsverify_send" else ["memory", "--send", PHONE]

        with budget("0"), pytest.raises(CommandError, match="the budget of the site for the day since 2026-11-20"):
            call_command(command, *arguments, stdout=io.StringIO())


class TestBulk:
    @pytest.mark.slow
    def test_a_batch_sends_what_fits_and_goes_on_when_there_is_money(
        self, notice: Template, clock: time_machine.Traveller
    ) -> None:
        pairs: list[tuple[str, dict[str, str]]] = [(phone, {}) for phone in PHONES]
        with budget("13.5"):
            first = send_bulk(notice, pairs, name="b")
            assert first.counts == {"accepted": 300, "queued": 100}
            assert "the budget of the site for the day since 2026-11-20 has no room for 9 yuan" in first.why_over
            again = send_bulk(notice, pairs, name="b")
            assert (again.counts, again.reached) == (first.counts, 0)
            clock.move_to(NOON + timedelta(hours=13))
            assert send_bulk(notice, pairs, name="b").counts == {"accepted": 400}

        assert sorted(row.spent for row in Spending.objects.all()) == [100 * PRICE, 300 * PRICE]

    @pytest.mark.slow
    def test_a_budget_that_an_operator_enters_stops_a_run(self, notice: Template) -> None:
        def pairs() -> Iterator[tuple[str, dict[str, str]]]:
            for number in range(3 * CHUNK):
                if number == CHUNK:
                    Provider.objects.update(budget_day=CHUNK * PRICE + 1)
                yield f"138{number:08}", {}

        with site():
            result = send_bulk(notice, pairs(), name="b")

        assert 0 < result.counts["accepted"] < 2 * CHUNK
        assert result.why_over.startswith("the budget of provider:memory for the day since 2026-11-20 has no room for ")

    def test_the_poll_sends_what_fits_of_what_waits(
        self, notice: Template, tasks: Tasks, clock: time_machine.Traveller
    ) -> None:
        with site(DISPATCH="celery"):
            send_bulk(notice, [(phone, {}) for phone in PHONES[:30]], name="a")
        clock.shift(120)

        with budget("0.3"):
            poll()

        assert Counter(Message.objects.values_list("status", flat=True)) == {"queued": 24, "accepted": 6}
        assert spent() == {("", "day"): 6 * PRICE}

    def test_long_notices_that_do_not_fit_do_not_hold_up_the_others(
        self, notice: Template, provider: Provider, tasks: Tasks, clock: time_machine.Traveller
    ) -> None:
        other = add_template(provider, "other", "系统维护已完成。", "")
        Template.objects.filter(pk=notice.pk).update(content="系统维护已完成。" * 10)
        notice.refresh_from_db()
        with site(DISPATCH="celery"):
            send_bulk(notice, [(phone, {}) for phone in PHONES[:30]], name="a")
            send_bulk(other, [(phone, {}) for phone in PHONES[30:33]], name="b")
        clock.shift(120)

        with site(PURPOSES={"notice": {"BUDGET": {"day": PRICE}}}):
            poll(limit=10)

        found = Counter(Message.objects.values_list("purpose", "status"))
        assert found == {("notice", "queued"): 30, ("other", "accepted"): 3}

    def test_from_the_admin_nothing_is_queued_without_a_budget(self, notice: Template) -> None:
        with budget("0"), pytest.raises(OverBudget):
            queue_up(notice, {PHONE: {}}, "b")

        assert not Message.objects.exists()

    def test_without_a_name_nothing_is_begun(self, notice: Template) -> None:
        with budget("0.04"), pytest.raises(OverBudget):
            send_message(notice, {phone: {} for phone in PHONES[:3]})

        assert not Message.objects.exists()

    def test_the_poll_leaves_out_what_has_no_budget_and_sends_the_rest(
        self, notice: Template, provider: Provider, tasks: Tasks, clock: time_machine.Traveller
    ) -> None:
        other = add_template(provider, "other", "系统维护已完成。", "")
        with site(DISPATCH="celery"):
            send_bulk(notice, [(phone, {}) for phone in PHONES[:30]], name="a")
            send_bulk(other, [(phone, {}) for phone in PHONES[30:33]], name="b")
        clock.shift(120)

        with site(PURPOSES={"notice": {"BUDGET": {"day": 0}}}):
            poll(limit=10)

        found = Counter(Message.objects.values_list("purpose", "status"))
        assert found == {("notice", "queued"): 30, ("other", "accepted"): 3}

    def test_what_is_claimed_is_sent_when_the_rest_of_its_batch_does_not_fit(self, notice: Template) -> None:
        fields = {"provider": notice.provider, "template": notice, "purpose": "notice"}
        messages = [Message.objects.create(phone=phone, **fields) for phone in PHONES[:3]]
        Message.objects.filter(pk=messages[0].pk).update(status=MessageStatus.SENDING)  # by another process

        with budget("0.045"):
            outcomes = send_batch(messages)

        assert len(outcomes) == 1
        assert Counter(Message.objects.values_list("status", flat=True)) == {"sending": 1, "accepted": 1, "queued": 1}

    def test_two_of_a_batch_that_another_process_claims_meanwhile(self, notice: Template) -> None:
        fields = {"provider": notice.provider, "template": notice, "purpose": "notice"}
        messages = [Message.objects.create(phone=phone, **fields) for phone in PHONES[:3]]

        with budget("0.09"):
            assert [claim(message) for message in messages[:2]] == [True, True]
            assert not claim(messages[0])
            with pytest.raises(OverBudget) as caught:
                claim(messages[2])

        assert caught.value.fits == 0
        assert spent() == {("", "day"): 2 * PRICE}


class TestPages:
    """What operators see and enter."""

    @pytest.mark.parametrize(
        ("language", "words"),
        [
            ("en", ("the site", "the purpose “login”", "the provider memory", "0.09", "0.1", "90 %", "80 % are spent")),
            ("zh-hans", ("全站", "用途“login”", "服务商账号 memory", "90 %", "已用 80 %")),
        ],
    )
    def test_the_list_tells_whose_budget_is_how_far_spent(
        self, language: str, words: Sequence[str], provider: Provider, admin_client: Client
    ) -> None:
        Provider.objects.update(budget_month=100)
        with site(BUDGET={"day": 0.1}, PURPOSES={"login": {"BUDGET": {"day": 7}}}):
            for phone in PHONES[:2]:
                send_code(phone, "login")
            answer = admin_client.get("/admin/smsverify/spending/", headers={"accept-language": language})

        html = answer.content.decode()
        assert [word for word in words if word not in html] == []
        assert "Add spending" not in html

    def test_an_empty_list_says_where_budgets_are_set(self, provider: Provider, admin_client: Client) -> None:
        address, where = "/admin/smsverify/spending/", "page of each, those of the site and of purposes in the settings"
        html = admin_client.get(address).content.decode()
        assert where in html
        assert "SMSVERIFY[&quot;BUDGET&quot;]" in html

        Spending.objects.create(subject="", period="day", starts_on=date(2026, 11, 21), spent=1)

        assert where not in admin_client.get(address).content.decode()

    def test_a_row_of_a_budget_that_is_no_more(self, provider: Provider, admin_client: Client) -> None:
        with budget("1"):
            send_code(PHONE, "login")
        row = Spending.objects.create(subject="provider:0", period="day", starts_on=date(2026, 11, 20))

        with site():
            html = admin_client.get(
                f"/admin/smsverify/spending/{Spending.objects.get(subject='').pk}/change/"
            ).content.decode()
            gone = admin_client.get(f"/admin/smsverify/spending/{row.pk}/change/").content.decode()

        assert "0.045" in html
        assert "the provider 0" in gone

    def test_a_budget_of_a_provider_needs_its_price(self, provider: Provider) -> None:
        provider.budget_day, provider.price = Decimal(5), None

        with pytest.raises(ValidationError) as caught:
            provider.full_clean()

        assert caught.value.message_dict == {"price": ["Enter the price, by which the budget is spent."]}

    @pytest.mark.parametrize(
        ("settings", "of_provider", "named"),
        [
            ({"BUDGET": {"day": 5}}, None, "login, payment"),
            ({"PURPOSES": {"payment": {"BUDGET": {"month": 5}}}}, None, "payment"),
            ({}, 5, "login, payment"),
            ({}, None, None),
        ],
    )
    def test_a_check_demands_prices(
        self, settings: dict[str, Any], of_provider: int | None, named: str | None, provider: Provider
    ) -> None:
        Provider.objects.update(price=None, budget_day=of_provider)

        with site(**settings):
            found = [one.msg for one in run_checks(databases=["default"]) if one.id == "smsverify.E014"]

        why = f"memory has no price, and a budget is set: it sends nothing for {named}."
        assert found == ([why] if named else [])
        Provider.objects.update(price=PRICE)
        with site(**settings):
            assert [one for one in run_checks(databases=["default"]) if one.id == "smsverify.E014"] == []


class TestAlarms:
    @pytest.fixture
    def heard(self) -> Iterator[list[tuple[str, Decimal]]]:
        found: list[tuple[str, Decimal]] = []

        def receive(spending: Spending, budget: Decimal, **kwargs: Any) -> None:
            found.append((spending.subject, budget))

        budget_spent.connect(receive)
        yield found
        budget_spent.disconnect(receive)

    def test_each_step_is_told_once_and_again_after_the_budget_was_raised(
        self, provider: Provider, heard: list[Any], log: LogRecorder
    ) -> None:
        with budget("0.225"):  # five
            for number, phone in enumerate(PHONES[:5]):
                assert ("nearly spent" in log.text) == (number > 3)
                assert heard == []
                send_code(phone, "login")
            assert send_until_spent() == 0
        assert heard == [("", Decimal("0.225"))]
        with budget("0.27"):
            assert send_until_spent() == 1

        assert heard == [("", Decimal("0.225")), ("", Decimal("0.27"))]
        assert log.text.count("nearly spent: 0.18 of 0.225 yuan") == 1
        assert log.text.count("is spent: 0.225 of 0.225 yuan. It sends nothing more.") == 1

    @override_settings(MANAGERS=[addressee("manager@example.com")])
    def test_the_poll_mails_each_alarm_once(self, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
        Provider.objects.update(budget_month=Decimal("0.09"))
        with budget("0.09"):
            send_code(PHONES[0], "login")
            poll()
            assert mail.outbox == []
            assert send_until_spent() == 1
            assert poll()["mailed"] == 2
            poll()

        subjects = sorted(one.subject for one in mail.outbox)
        assert [subject.partition("] ")[2] for subject in subjects] == [
            "SMS budget of the provider memory: the month is spent",
            "SMS budget of the site: the day is spent",
        ]
        bodies = "".join(str(one.body) for one in mail.outbox)
        assert "the site, day since 2026-11-20: 0.09 of 0.09 yuan are spent." in bodies

    @override_settings(MANAGERS=[addressee("manager@example.com")])
    def test_a_mail_that_failed_is_sent_by_the_next_run(
        self, provider: Provider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with budget("0.05"):
            assert send_until_spent() == 1
            with monkeypatch.context() as broken:
                broken.setattr("django_smsverify.operations.channels.mail_managers", lambda *args: 1 / 0)
                assert poll()["mail failed"] == 1
            assert poll()["mailed"] == 1

    def test_of_two_that_have_read_the_same_row_one_tells(self, heard: list[Any]) -> None:
        Spending.objects.create(subject="", period="day", starts_on=date(2026, 11, 20), spent=1)
        stale = [Spending.objects.get() for _ in range(2)]

        for row in stale:
            budget_alarms.note_spending(row, Decimal(1), PRICE)

        assert heard == [("", Decimal(1))]

    def test_processes_with_two_budgets_do_not_tell_in_turn(self, provider: Provider, heard: list[Any]) -> None:
        """As while a site is restarted, or a run goes on with what it knew."""
        for _ in range(3):
            with budget("0.06"):
                send_until_spent()
            with budget("0.05"):
                send_until_spent()

        assert heard == [("", Decimal("0.06"))]

    def test_a_budget_that_suffices_for_the_cheaper_provider_is_not_spent(
        self, memory: MakeProvider, provider: Provider, heard: list[Any]
    ) -> None:
        memory("login", slug="dear", price=Decimal("0.6"), priority=1)

        with budget("0.5"):
            for phone in PHONES[:11]:
                assert heard == []
                send_code(phone, "login")
            assert send_until_spent() == 0

        assert heard == [("", Decimal("0.5"))]

    def test_old_rows_are_deleted(self, provider: Provider, clock: time_machine.Traveller) -> None:
        with budget("1"):
            send_code(PHONE, "login")
            clock.shift(timedelta(days=222))
            assert poll()["spending forgotten"] == 1

        assert budget_alarms.owner_of("provider:0") == "the provider 0"


class TestRaces:
    @pytest.mark.slow
    def test_of_parallel_sends_exactly_as_many_fit(self, provider: Provider) -> None:
        with time_machine.travel(NOON, tick=True), budget("0.45"):
            outcomes = at_once(40, lambda index: send_code(PHONES[index], "login"))

        assert outcomes == {"done": 10, "gateway_unavailable": 30}
        assert spent() == {("", "day"): 10 * PRICE}

    def test_the_first_of_a_day_do_not_begin_it_twice(self, provider: Provider) -> None:
        with site():
            send_code(PHONE, "login")
        Provider.objects.update(budget_day=1)

        with time_machine.travel(NOON, tick=True), site(BUDGET={"day": 1, "month": 1}):
            assert at_once(8, lambda index: send_code(PHONES[index], "login")) == {"done": 8}

        assert {row.spent for row in Spending.objects.all()} == {9 * PRICE}

    def test_a_flushed_cache_changes_nothing(self, provider: Provider) -> None:
        sent = 0
        with budget("0.45"):
            for phone in PHONES[:30]:
                cache.clear()
                try:
                    send_code(phone, "login")
                    sent += 1
                except OverBudget:
                    continue

        assert sent == 10

    def test_a_budget_that_ends_between_the_choice_and_the_claim(
        self, memory: MakeProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another process takes the rest after the next route was chosen; the refusal is stored all the same."""
        refusing(memory, slug="first", price=PRICE, priority=1)
        second = memory(slug="second", price=PRICE, priority=2, budget_day=PRICE)
        find = attempt.untried

        def find_too_early(*args: Any) -> Any:
            found = find(*args)
            Spending.objects.filter(subject=f"provider:{second.pk}").update(spent=PRICE)
            return found

        monkeypatch.setattr(attempt, "untried", find_too_early)
        with site(), pytest.raises(NoRoute):
            send_code(PHONE, "login")

        assert [(one.provider.slug, one.status) for one in Message.objects.all()] == [("first", "not_sent")]


def test_a_reservation_is_rolled_back_with_its_transaction(provider: Provider) -> None:
    with budget("1"):
        message = Message(provider=provider, template=Template.objects.first(), phone=PHONE, purpose="login")
        message.status, message.price, message.claimed_at = MessageStatus.SENDING, PRICE, timezone.now()

        def work() -> None:
            reserve([message])
            message.save(force_insert=True)
            raise NoRoute

        with pytest.raises(NoRoute):
            run_committed(Message, work)

    assert not Spending.objects.filter(spent__gt=0).exists()
