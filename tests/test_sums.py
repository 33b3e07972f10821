"""Costs answered from daily sums equal a sum over the messages, whatever happens in between."""

from __future__ import annotations

import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Self
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_smsverify.enums import DeliveryOutcome
from django_smsverify.exceptions import GatewayRejected, GatewayUncertain
from django_smsverify.gateways.base import Outcome
from django_smsverify.messages import claim, record_all, withdraw
from django_smsverify.models import DailySum, LateChange, Message, Provider, SummedDay
from django_smsverify.models.compiled import Update
from django_smsverify.models.days import date_of, days_between, hours_of
from django_smsverify.models.late_changes import HOURS_KEPT, LATE_AFTER, SUMMED
from django_smsverify.polling.poll import poll
from django_smsverify.statistics import sums
from django_smsverify.statistics.counting import CLOCKS_DIFFER
from django_smsverify.statistics.questions import count_days
from django_smsverify.statistics.sums import OPEN_FOR, PAUSE, sum_after, sum_days
from django_smsverify.transactions import run_committed
from django_smsverify.types import Acceptance

from . import services
from .conftest import MakeProvider
from .summing import (
    CHANGES,
    PURPOSES,
    SHANGHAI,
    add_accepted,
    add_message,
    add_sending,
    direct,
    report,
    require_exact_details,
    told,
)
from .summing import require_exact as require_exact_sums
from .test_compiled import of_module

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
FIRST, TODAY = date(2026, 11, 1), date(2026, 11, 21)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ALL = ("provider", "purpose", "day")


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def providers(memory: MakeProvider, clock: Any) -> list[Provider]:
    """One bills what it took, the other what was delivered."""
    made = [memory(*PURPOSES, slug=slug, price=price) for slug, price in (("first", "0.0450"), ("second", "0.0333"))]
    Provider.objects.filter(slug="second").update(gateway="topthink")
    made[1].refresh_from_db()
    return made


def sum_all() -> None:
    for _day in sum_days():
        pass


def is_exact(first: date = FIRST, last: date = TODAY, by: Any = ALL, zone: ZoneInfo = SHANGHAI) -> bool:
    """Whether costs are, and how many messages have each status."""
    days, statuses = days_between(first, last), Counter[str]()
    for kind, own in count_days(first, last).items():
        statuses[kind.status] += own.messages
    rows = Message.objects.filter(created_at__gte=days[0].starts_at, created_at__lt=days[-1].ends_at)
    assert statuses == Counter(rows.values_list("status", flat=True))
    parts = days if first != FIRST else days_between(date_of(timezone.now()) - 6 * DAY, date_of(timezone.now()))
    require_exact_details(parts)
    hours = hours_of(parts[-1])
    require_exact_details(hours)
    return told(first, last, by) == direct(first, last, by, zone)


def reads_messages(first: date, last: date, by: Any = ALL) -> int:
    """How many statements of an answer read messages."""
    with CaptureQueriesContext(connection) as queries:
        told(first, last, by)
    return sum("smsverify_message" in query["sql"] for query in queries)


@pytest.fixture
def without_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changed days are summed again with each run."""
    monkeypatch.setattr(sums, "PAUSE", timedelta())


@pytest.fixture
def summed(providers: list[Provider], clock: time_machine.Traveller) -> list[Message]:
    """Messages of eight days: the first three are summed, the others by their hours, but for the last one."""
    made = []
    for _day in range(8):
        made += [add_accepted(provider) for provider in providers for _ in range(2)]
        made += [add_message(providers[0]), add_sending(providers[1], price=None)]
        clock.shift(DAY)
    clock.shift(-DAY)
    sum_all()
    return made


END = date(2026, 11, 28)
"""The last day of `summed`."""


def test_whole_days_are_answered_from_their_sums(summed: list[Message]) -> None:
    assert SummedDay.objects.filter(is_hour=False).count() == 3
    assert SummedDay.objects.filter(is_hour=True).count() == 4 * 24 + 19
    assert is_exact(FIRST, END)
    with CaptureQueriesContext(connection) as queries:
        told(date(2026, 11, 21), END, ["provider"])

    # The message's statement names in a subquery the codes that were entered.
    tables = [re.findall(r"FROM \W?smsverify_(?!verification)(\w+)", query["sql"])[0] for query in queries]
    assert tables == ["summedday", "summedday", "message", "provider"], "days, their sums, the rest, names"


def test_what_is_not_summed_is_one_query(summed: list[Message]) -> None:
    assert reads_messages(date(2026, 11, 21), END) == 1
    assert reads_messages(date(2026, 11, 21), date(2026, 11, 27)) == 0
    SummedDay.objects.filter(starts_at=datetime(2026, 11, 21, 16, tzinfo=UTC)).delete()
    for by in (ALL, ["provider"]):
        assert reads_messages(date(2026, 11, 21), END, by) == 1
        assert is_exact(FIRST, END, by)


def test_without_a_poll_everything_is_counted_now(providers: list[Provider], clock: time_machine.Traveller) -> None:
    for _day in range(5):
        add_accepted(providers[0])
        clock.shift(DAY)

    assert is_exact(FIRST, END)
    assert not SummedDay.objects.exists()


@pytest.mark.slow
def test_a_day_is_summed_when_no_change_without_a_mark_can_be_open(
    providers: list[Provider], clock: time_machine.Traveller
) -> None:
    add_accepted(providers[0])
    end = datetime(2026, 11, 21, 16, tzinfo=UTC)
    clock.move_to(end + HOURS_KEPT - timedelta(microseconds=1))
    sum_all()
    assert not SummedDay.objects.filter(is_hour=False).exists()
    clock.move_to(end + HOURS_KEPT)
    sum_all()

    assert [day.ends_at for day in SummedDay.objects.filter(is_hour=False)] == [end]
    assert not SummedDay.objects.filter(is_hour=True, starts_at__lt=end).exists(), "the day tells of them"


@pytest.mark.parametrize(
    ("lifetime", "after"), [(300, timedelta(minutes=40)), (86400, 48 * HOUR + timedelta(minutes=20))]
)
def test_an_hour_is_summed_when_no_change_without_a_mark_can_be_open_and_its_codes_have_ended(
    lifetime: int, after: timedelta, providers: list[Provider], clock: time_machine.Traveller, settings: Any
) -> None:
    settings.SMSVERIFY = {"PURPOSES": {"login": {"CODE_LIFETIME": lifetime}}}
    add_accepted(providers[0])
    end = NOW + HOUR
    clock.move_to(end + after - timedelta(microseconds=1))
    sum_all()
    assert not SummedDay.objects.filter(ends_at=end).exists()
    clock.move_to(end + after)
    sum_all()

    assert SummedDay.objects.get(ends_at=end).is_hour
    assert sum_after() == after >= LATE_AFTER + CLOCKS_DIFFER + OPEN_FOR


@pytest.mark.slow
@pytest.mark.parametrize("is_young", [True, False], ids=["young", "late"])
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_in_the_sums_or_marked(
    name: str, is_young: bool, providers: list[Provider], clock: time_machine.Traveller
) -> None:
    make, change = CHANGES[name]
    messages = [make(providers[0]) for _ in range(3)]
    clock.shift(LATE_AFTER if is_young else 3 * DAY)
    sum_all()
    assert SummedDay.objects.exists() != is_young
    before = count_days(FIRST, END, ["purpose", "part"])

    change(messages)

    moves_back = name in ("a site's own moment", "a clock that was set back")
    assert LateChange.objects.exists() == (not is_young or moves_back)
    assert count_days(FIRST, END, ["purpose", "part"]) != before
    assert is_exact(FIRST, END)
    clock.shift(3 * DAY)
    sum_all()
    assert not LateChange.objects.exists()
    assert is_exact(FIRST, END)
    day = date_of(Message.objects.latest("created_at").created_at)
    assert reads_messages(day, day) == 0


def test_the_kept_statements_that_change_what_is_summed_are_known() -> None:
    """They go past `MessageQuerySet.update`; whoever runs one must mark late changes."""
    changing = set()
    for name, statement in of_module().items():
        if isinstance(statement, Update) and statement.model is Message:
            _, changes = statement.by_orm("default", **dict.fromkeys(statement.fields))
            changing |= {name.split()[0]} if SUMMED & changes.keys() else set()

    assert changing == {"accept_message", "claim_message", "settle_message"}
    assert {"status", "cost", "segments", "provider", "purpose", "created_at"} <= SUMMED


@pytest.mark.slow
def test_an_update_of_other_columns_asks_and_marks_nothing(summed: list[Message]) -> None:
    with CaptureQueriesContext(connection) as queries:
        Message.objects.filter(pk=summed[0].pk).update(settled_at=timezone.now(), values={})

    assert len(queries) == 1


def test_a_late_change_that_is_rolled_back_is_not_marked(summed: list[Message]) -> None:
    with transaction.atomic():
        Message.objects.of(summed[0]).update(cost=Decimal(7))
        assert LateChange.objects.count() == 1
        transaction.set_rollback(True)

    assert not LateChange.objects.exists()
    assert is_exact(FIRST, END)


@pytest.mark.slow
def test_marks_of_many_messages_are_few_and_leave_out_no_day(
    providers: list[Provider], clock: time_machine.Traveller
) -> None:
    messages = []
    for _hour in range(24 * 6 // 5):
        messages.append(add_accepted(providers[0]))
        clock.shift(5 * HOUR)
    clock.shift(3 * DAY)
    sum_all()

    Message.objects.of(*messages).update(cost=Decimal(1))

    assert is_exact(FIRST, date(2026, 11, 30))
    assert LateChange.objects.count() <= 13 + 2 * 24 * 6
    assert reads_messages(date(2026, 11, 21), date(2026, 11, 26)) == 1


@pytest.mark.slow
def test_a_message_that_becomes_one_of_those_changed_only_later_is_left_out(
    summed: list[Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the question when the messages were created, and the change."""
    young, old = summed[-3], summed[0]
    rows = Message.objects.filter(error_code="7")
    Message.objects.filter(pk=young.pk).update(error_code="7")
    of_known_days = type(rows)._of_known_days

    def and_then(self: Any) -> Any:
        known = of_known_days(self)
        Message.objects.filter(pk=old.pk).update(error_code="7")
        return known

    monkeypatch.setattr(type(rows), "_of_known_days", and_then)

    assert rows.update(cost=Decimal(5)) == 1
    assert is_exact(FIRST, END)


@pytest.mark.slow
class TestZones:
    """A day is found by both of its ends, as moments."""

    def test_after_a_change_of_the_time_zone_nothing_is_answered_by_other_days(self, summed: list[Message]) -> None:
        for zone in ("America/New_York", "Asia/Shanghai", "Asia/Kathmandu", "UTC"):
            with override_settings(TIME_ZONE=zone):
                assert is_exact(FIRST, END, zone=ZoneInfo(zone))
                sum_all()
                assert is_exact(FIRST, END, zone=ZoneInfo(zone))
                assert reads_messages(date(2026, 11, 22), date(2026, 11, 22)) == 0

    def test_days_of_another_zone_are_forgotten_because_nobody_would_keep_their_marks(
        self, summed: list[Message]
    ) -> None:
        with override_settings(TIME_ZONE="America/New_York"):
            report([summed[0]])
            sum_all()

        assert is_exact(FIRST, END)

    def test_two_zones_may_begin_a_day_together_and_end_it_apart(
        self, providers: list[Provider], clock: time_machine.Traveller
    ) -> None:
        clock.move_to(datetime(2026, 11, 1, 4, 30, tzinfo=UTC))
        for _hour in range(27):
            add_accepted(providers[0])
            clock.shift(HOUR)
        clock.shift(3 * DAY)
        for zone in ("America/New_York", "America/La_Paz", "America/New_York"):  # 25 hours, 24 hours
            with override_settings(TIME_ZONE=zone):
                assert is_exact(date(2026, 10, 31), date(2026, 11, 2), zone=ZoneInfo(zone))
                sum_all()
                assert is_exact(date(2026, 10, 31), date(2026, 11, 2), zone=ZoneInfo(zone))

    @pytest.mark.parametrize(
        ("zone", "month", "day"), [("Africa/Cairo", 4, 24), ("America/Havana", 11, 1), ("America/New_York", 3, 8)]
    )
    def test_days_on_which_clocks_are_changed(
        self, zone: str, month: int, day: int, providers: list[Provider], clock: time_machine.Traveller
    ) -> None:
        with override_settings(TIME_ZONE=zone):
            clock.move_to(datetime(2026, month, day, 12, tzinfo=UTC) - 2 * DAY)
            for _hour in range(24 * 5):
                add_accepted(providers[0])
                clock.shift(HOUR)
            first, last = date(2026, month, day) - 2 * DAY, date(2026, month, day) + 2 * DAY
            clock.shift(3 * DAY)
            sum_all()

            assert is_exact(first, last, zone=ZoneInfo(zone))
            assert reads_messages(first + DAY, last) == 0

    def test_without_time_zones(self, providers: list[Provider], clock: time_machine.Traveller) -> None:
        with override_settings(USE_TZ=False):
            messages = [add_accepted(providers[0])]
            clock.shift(4 * DAY)
            sum_all()
            assert is_exact(FIRST, END)
            assert reads_messages(date(2026, 11, 21), date(2026, 11, 21)) == 0
            report(messages, DeliveryOutcome.UNDELIVERED)
            Message.objects.update(cost=Decimal(3))
            assert is_exact(FIRST, END)
            clock.shift(HOUR)
            sum_all()
            assert not LateChange.objects.exists()
            assert is_exact(FIRST, END)


@pytest.mark.slow
def test_a_poll_sums_and_stops_when_it_is_told(providers: list[Provider], clock: time_machine.Traveller) -> None:
    for _day in range(8):
        add_accepted(providers[0])
        clock.shift(DAY)

    poll(stopped=lambda: SummedDay.objects.count() == 2)
    assert SummedDay.objects.count() == 2
    for _run in range(3):
        poll()

    assert SummedDay.objects.filter(is_hour=False).count() == 4
    assert is_exact(FIRST, END)


@pytest.mark.slow
def test_a_run_sums_so_many_days_and_the_next_goes_on(
    providers: list[Provider], clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sums, "AT_ONCE", 60)
    for _day in range(12):
        add_accepted(providers[0])
        clock.shift(DAY)
    counts = []
    for _run in range(4):
        sum_all()
        counts.append(SummedDay.objects.count())
        assert is_exact(FIRST, date(2026, 12, 3))

    assert counts == [60, 120, 4 * 24 + 19 + 8, 4 * 24 + 19 + 8]


@pytest.mark.slow
def test_after_a_clock_was_ahead_its_days_are_forgotten(
    providers: list[Provider], clock: time_machine.Traveller
) -> None:
    add_accepted(providers[0])
    clock.shift(20 * DAY)
    sum_all()
    clock.shift(-20 * DAY)
    add_accepted(providers[0])

    assert is_exact(FIRST, END)
    sum_all()
    assert not SummedDay.objects.filter(summed_at__gt=timezone.now()).exists()
    clock.shift(40 * DAY)
    sum_all()
    assert is_exact(FIRST, END)


def test_a_marked_day_is_summed_again_after_a_pause(summed: list[Message], clock: time_machine.Traveller) -> None:
    report([summed[0]])
    clock.shift(PAUSE - timedelta(microseconds=1))
    sum_all()
    assert LateChange.objects.exists()
    assert is_exact(FIRST, END)
    clock.shift(timedelta(microseconds=1))
    sum_all()

    assert not LateChange.objects.exists()
    assert is_exact(FIRST, END)


@pytest.mark.slow
def test_a_message_with_a_wrong_clock_makes_no_rows_and_no_queries_for_empty_years(
    summed: list[Message], clock: time_machine.Traveller
) -> None:
    add_accepted(Provider.objects.all()[0], created_at=datetime(2020, 2, 29, tzinfo=UTC))
    SummedDay.objects.all().delete()
    sum_all()
    sum_all()

    assert SummedDay.objects.filter(is_hour=False).count() == 4
    assert is_exact(date(2020, 1, 1), END)
    assert reads_messages(date(2020, 1, 1), END, ["provider"]) == 1
    assert reads_messages(date(2020, 1, 1), END) <= 6, "two for each empty run: its first days, and the next message"


@pytest.mark.slow
def test_days_without_messages_between_others_are_summed(
    providers: list[Provider], clock: time_machine.Traveller
) -> None:
    for days in (5, 5, 5):
        add_accepted(providers[0])
        clock.shift(days * DAY)
    sum_all()

    assert SummedDay.objects.filter(is_hour=False).count() == 11
    assert reads_messages(date(2026, 11, 21), date(2026, 12, 1)) == 0
    assert is_exact(FIRST, date(2026, 12, 6))


def test_a_day_that_another_run_has_just_inserted_is_left_to_it(
    providers: list[Provider], clock: time_machine.Traveller
) -> None:
    add_accepted(providers[0])
    clock.shift(3 * DAY)
    (day,) = days_between(TODAY, TODAY)
    SummedDay.objects.create(starts_at=day.starts_at, ends_at=day.ends_at, summed_at=NOW)

    run_committed(SummedDay, partial(sums._sum, day, None, timezone.now()))

    assert not DailySum.objects.exists()


def test_an_error_of_the_sums_is_not_taken_for_another_run(
    providers: list[Provider], clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(row: SummedDay, day: object) -> None:
        raise IntegrityError("a cause")

    add_accepted(providers[0])
    clock.shift(3 * DAY)
    monkeypatch.setattr(sums, "_store_sums", fail)

    with pytest.raises(IntegrityError, match="a cause"):
        sum_all()
    assert not SummedDay.objects.exists()


@pytest.mark.slow
def test_a_day_that_another_run_sums_meanwhile_is_not_forgotten(summed: list[Message]) -> None:
    read = list(SummedDay.objects.order_by("starts_at"))
    SummedDay.objects.filter(pk=read[0].pk).update(summed_at=timezone.now() + HOUR)

    run_committed(SummedDay, partial(sums._forget, read))

    assert SummedDay.objects.get().pk == read[0].pk


class _DeathError(BaseException):
    """The end of a process."""


def die_at(number: int) -> Callable[..., Any]:
    """Ends the process before its statement with this number."""
    left = [number]

    def wrapper(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        left[0] -= 1
        if left[0] < 0 and not sql.startswith(("ROLLBACK", "RELEASE")):
            raise _DeathError
        return execute(sql, params, many, context)

    return wrapper


@pytest.mark.slow
@pytest.mark.parametrize("age", [3 * DAY, 6 * DAY], ids=["hours", "days"])
@pytest.mark.parametrize("act", ["sum", "one report", "many reports"])
def test_a_death_between_any_two_statements_leaves_exact_answers(
    act: str, age: timedelta, providers: list[Provider], clock: time_machine.Traveller, without_pause: None
) -> None:
    messages = [add_accepted(provider) for provider in providers for _ in range(3)]
    clock.shift(3 * DAY)
    sum_all()
    clock.shift(age - 3 * DAY)
    deaths = 0
    while True:
        report([add_accepted(providers[0], created_at=NOW)])  # so that there is something to sum
        acts: dict[str, Callable[[], None]] = {
            "sum": sum_all,
            "one report": lambda: report(messages[:1]),
            "many reports": lambda: report(messages),
        }
        try:
            with connection.execute_wrapper(die_at(deaths)):
                acts[act]()
            break
        except _DeathError:
            deaths += 1
        assert is_exact()
        sum_all()
        assert is_exact()

    assert is_exact()
    assert deaths >= {"sum": 8, "one report": 4, "many reports": 7}[act]


SEEDS = 8


class Site:
    """Messages by their status, and what may happen to some of them."""

    def __init__(self, rng: random.Random, providers: list[Provider], clock: time_machine.Traveller) -> None:
        self._rng, self._providers, self._clock = rng, providers, clock
        self._queued: list[Message] = []
        self._sending: list[Message] = []
        self._accepted: list[Message] = []

    def do_one(self) -> None:
        often = [self._send, self._claim, self._answer, self._report, self._report_many, self._end, sum_all, self._wait]
        acts = [*often, self._send, sum_all, self._wait]
        self._rng.choice([*acts, self._set_back] if self._rng.random() < 0.1 else acts)()

    def _some(self, messages: list[Message]) -> list[Message]:
        chosen = self._rng.sample(messages, min(len(messages), self._rng.randint(1, 4)))
        for message in chosen:
            messages.remove(message)
        return chosen

    def _send(self) -> None:
        self._queued.extend(add_message(self._rng.choice(self._providers)) for _ in range(self._rng.randint(1, 3)))

    def _claim(self) -> None:
        self._sending.extend(message for message in self._some(self._queued) if claim(message))

    def _answer(self) -> None:
        accepted = Acceptance(remote_id=str(self._rng.random()))
        outcomes: list[Outcome] = [accepted, accepted, accepted, GatewayRejected("no"), GatewayUncertain("?")]
        for message in self._some(self._sending):
            outcome = self._rng.choice(outcomes)
            record_all([(message, outcome)])
            self._accepted.extend([message] if outcome is accepted else [])

    def _report(self) -> None:
        for message in self._some(self._accepted):
            report([message], self._rng.choice(list(DeliveryOutcome)))

    def _report_many(self) -> None:
        of_one = [message for message in self._accepted if message.provider_id == self._providers[0].pk]
        if of_one:
            report(of_one, self._rng.choice(list(DeliveryOutcome)))

    def _end(self) -> None:
        for message in self._some(self._queued):
            withdraw(message, "")

    def _set_back(self) -> None:
        self._clock.shift(-timedelta(hours=self._rng.uniform(0, 80)))
        sum_all()

    def _wait(self) -> None:
        self._clock.shift(timedelta(hours=self._rng.choice([self._rng.uniform(0, 3), self._rng.uniform(0, 60)])))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.any_database) for seed in range(1, SEEDS))])
def test_after_any_sequence_of_events_the_costs_are_exact(
    seed: int, providers: list[Provider], clock: time_machine.Traveller
) -> None:
    rng = random.Random(seed)
    site = Site(rng, providers, clock)
    for _step in range(100):
        site.do_one()
        require_exact_sums(rng)
    assert SummedDay.objects.exists()
    assert DailySum.objects.exists()


@pytest.mark.slow
@pytest.mark.skipif(services.DATABASE == "sqlite", reason="SQLite has one writer at a time")
class TestRaces:
    """What happens before, between and after the statements of a run, on connections of their own."""

    @pytest.mark.parametrize(
        ("others", "age"),
        [
            *(
                pytest.param(one, age, marks=pytest.mark.further_case)
                for one, age in [("report", 3), ("run", 6), ("open", 6)]
            ),
            *[("report run", 6), ("run report", 3), ("open run", 3)],
        ],
    )
    def test_another_process_at_any_point_of_a_run(
        self,
        others: str,
        age: int,
        providers: list[Provider],
        clock: time_machine.Traveller,
        without_pause: None,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        messages = [add_accepted(provider) for provider in providers for _ in range(80)]
        clock.shift(age * DAY)
        sum_all()
        monkeypatch.setattr(sums, "_new_hours", lambda *_some: iter(()))
        at = 0
        while True:
            if age == 6:  # the day of the messages has hours, which it replaces
                SummedDay.objects.all().delete()
                (day,) = days_between(TODAY, TODAY)
                for hour in hours_of(day)[19:22]:
                    run_committed(SummedDay, partial(sums._sum, hour, None, timezone.now()))
            report([messages.pop()])  # so that there is something to sum
            with Others(others.split(), messages.pop()) as running, connection.execute_wrapper(running.at(at)):
                sum_all()
            assert is_exact()
            sum_all()
            assert is_exact()
            assert not LateChange.objects.exists()
            if not running.has_begun:
                break
            at += 1
        assert at >= 8


class Others:
    """Other processes, as threads: they do their acts at a certain statement of this one.

    Where one waits for a lock that this one has, this one goes on. For `open`, a message was changed before, which is
    committed now.
    """

    def __init__(self, acts: list[str], message: Message) -> None:
        self._message, self._acts = message, acts
        self._changed, self._commit = threading.Event(), threading.Event()
        self._threads: list[threading.Thread] = []
        self._errors: list[BaseException] = []
        self.has_begun = False

    def __enter__(self) -> Self:
        if "open" in self._acts:
            self._start(self._change)
            assert self._changed.wait(60)
        return self

    def __exit__(self, *_error: object) -> None:
        self._commit.set()
        for thread in self._threads:
            thread.join(60)
        assert self._errors == []

    def at(self, number: int) -> Callable[..., Any]:
        """Does the acts before the statement with this number."""
        left = [number]

        def wrapper(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            left[0] -= 1
            if left[0] == -1:
                self._do()
            return execute(sql, params, many, context)

        return wrapper

    def _do(self) -> None:
        self.has_begun = True
        acts = {"report": lambda: report([self._message]), "run": sum_all, "open": self._commit.set}
        for act in self._acts:
            self._start(acts[act]).join(0.5)
        if not any(thread.is_alive() for thread in self._threads):
            self._start(self._require_exact).join(60)

    def _change(self) -> None:
        with transaction.atomic():
            Message.objects.of(self._message).update(cost=Decimal(9))
            self._changed.set()
            assert self._commit.wait(60)

    def _require_exact(self) -> None:
        assert is_exact()

    def _start(self, act: Callable[[], object]) -> threading.Thread:
        def run() -> None:
            try:
                act()
            except BaseException as error:
                self._errors.append(error)
            finally:
                connection.close()

        thread = threading.Thread(target=run)
        self._threads.append(thread)
        thread.start()
        return thread
