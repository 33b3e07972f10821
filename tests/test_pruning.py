"""The clean-up: numbers are forgotten, records are deleted, and what limits and sums need stays."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, cast
from unittest.mock import patch

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import Model
from django.test import override_settings

from benchmarks.plan_reader import Watch
from django_smsverify import phones, tasks
from django_smsverify.enums import Accessed, MessageStatus
from django_smsverify.exceptions import InsideTransaction, Throttled
from django_smsverify.models import (
    Access,
    DailySum,
    DeliveryReport,
    JobRun,
    LateChange,
    Message,
    OptOut,
    Probe,
    PruneMark,
    Recipient,
    RememberedRequest,
    Reply,
    ReportBatch,
    SummedDay,
    Verification,
)
from django_smsverify.money.costs import costs
from django_smsverify.operations.job_runs import PRUNE
from django_smsverify.privacy import batches, recipients
from django_smsverify.privacy.access_log import log_access
from django_smsverify.privacy.batches import LONG, MOST, SHORT, Pace
from django_smsverify.privacy.pruning import prune
from django_smsverify.privacy.pseudonyms import names_of, pseudonym, random_pseudonym
from django_smsverify.sending import send_code
from django_smsverify.statistics import sums
from django_smsverify.statistics.sums import sum_days
from django_smsverify.transactions import run_committed
from django_smsverify.verifying import verify_code

from .conftest import PHONE, MakeProvider, last_code
from .past import RECORDS, past_sms, rows_with
from .test_storing_reports import in_parallel

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SITE: dict[str, Any] = {"NUMBER_DAYS": 30, "RETENTION_DAYS": 190}
HASTY: dict[str, Any] = {"NUMBER_DAYS": 1, "RETENTION_DAYS": 1, "RESEND_INTERVAL": 0, "PHONE_LIMITS": ["2/3d"]}
OTHER = "+8613900139000"


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller, override_settings(SMSVERIFY=SITE):
        yield traveller


@pytest.fixture
def sms(memory: MakeProvider) -> Any:
    """Makes what an SMS leaves, of so many days ago."""
    return partial(past_sms, memory(price="0.05"))


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("smsverify_prune", *arguments, stdout=out)
    return out.getvalue()


def sum_all() -> None:
    """As the poll does in some runs; here a day need not wait for its reports, so that few hours are summed."""
    with patch.object(sums, "HOURS_KEPT", timedelta(hours=1)):
        while any(True for _ in sum_days()):
            pass


class TestNumbers:
    def test_an_old_number_is_nowhere_any_more_and_what_happened_is(self, sms: Any) -> None:
        message = sms(31)
        prune()

        assert rows_with(PHONE[3:]) == set()
        name = pseudonym(PHONE)
        for model in RECORDS:
            assert [str(row.phone) for row in model._default_manager.all()] == [name]
        message.refresh_from_db()
        assert (message.status, message.cost, message.purpose) == ("delivered", Decimal("0.0500"), "login")
        assert message.created_at == NOW - 31 * DAY
        assert message.error_message == "*** 欠费 E42"
        assert Verification.objects.get().block == "~"
        assert Reply.objects.get().content == ""
        assert (message.reports.get().payload, message.carrier) == ({}, "mobile")

    def test_a_younger_number_stays(self, sms: Any) -> None:
        sms(29)

        assert prune() == {}
        assert set(Message.objects.values_list("phone", flat=True)) == {PHONE}

    def test_without_the_setting_numbers_stay_as_long_as_their_records(self, sms: Any) -> None:
        sms(100)
        with override_settings(SMSVERIFY={}):
            assert prune() == {}

    def test_one_number_has_one_digest_and_another_has_another(self, sms: Any) -> None:
        for days, phone in ((40, PHONE), (35, PHONE), (33, OTHER)):
            sms(days, phone)
        prune()

        names = list(Message.objects.order_by("created_at").values_list("phone", flat=True))
        assert names[0] == names[1] != names[2]
        assert all(len(name) == 16 and phones.is_forgotten(name) for name in names)

    def test_a_number_that_comes_back_is_forgotten_into_the_same_row(
        self, sms: Any, clock: time_machine.Traveller
    ) -> None:
        sms(31)
        prune()
        sms(0)
        assert Recipient.objects.count() == 2
        clock.shift(31 * DAY)
        prune()

        (number,) = Recipient.objects.all()
        assert number.verifications.count() == 2

    def test_a_digest_under_another_key_breaks_nothing(self, sms: Any) -> None:
        sms(31)
        prune()
        old = pseudonym(PHONE)
        with override_settings(SECRET_KEY="a new key of this site 0123456789", SECRET_KEY_FALLBACKS=["x"]):
            sms(31)
            prune()
            assert {str(one.phone) for one in Recipient.objects.all()} == {old, pseudonym(PHONE)}
            assert old not in names_of(PHONE)

    def test_a_vendors_fingerprint_tells_no_number(self, sms: Any) -> None:
        sms(31)
        before = {DeliveryReport.objects.get().fingerprint, Reply.objects.get().fingerprint}
        prune()

        assert before.isdisjoint({DeliveryReport.objects.get().fingerprint, Reply.objects.get().fingerprint})

    def test_an_answer_that_ends_notices_stays_readable(self, sms: Any) -> None:
        sms(31)
        Reply.objects.update(content="退订。")
        OptOut.objects.create(phone=PHONE, reply=Reply.objects.get())
        prune()

        assert OptOut.objects.get().phone == PHONE
        assert OptOut.objects.get().reply.content == "退订。"  # type: ignore[union-attr]

    def test_an_sms_that_waits_keeps_its_number_and_is_found_later(
        self, sms: Any, clock: time_machine.Traveller
    ) -> None:
        sms(50)
        waiting = sms(40, OTHER, status=MessageStatus.QUEUED, settled_at=None)
        sms(35)
        prune()
        waiting.refresh_from_db()
        assert waiting.phone == OTHER
        assert Message.objects.filter(phone=PHONE).count() == 0

        Message.objects.filter(pk=waiting.pk).update(status=MessageStatus.NOT_SENT, settled_at=NOW)
        prune()
        waiting.refresh_from_db()
        assert waiting.phone == pseudonym(OTHER)

    def test_a_number_with_wrong_codes_in_a_row_keeps_them(self, sms: Any) -> None:
        sms(31)
        Recipient.objects.update(failures=100, failures_until=NOW - 31 * DAY)
        prune()

        assert Recipient.objects.get().phone == PHONE
        assert Message.objects.get().phone == pseudonym(PHONE)

    def test_a_batch_that_was_gone_on_with_is_no_obstacle(self, sms: Any) -> None:
        sms(40, batch="news")
        prune()
        sms(35, batch="news")
        PruneMark.objects.all().delete()
        prune()

        assert sorted(map(str, Message.objects.values_list("batch", flat=True))) == ["None", "news"]
        assert set(Message.objects.values_list("phone", flat=True)) == {pseudonym(PHONE)}

    def test_fetched_reports_that_nobody_could_read_go_with_the_numbers(self, memory: MakeProvider) -> None:
        provider = memory()
        for problems, days in (("row 1", 31), ("row 1", 29), ("", 31), ("", 191)):
            at = NOW - days * DAY
            ReportBatch.objects.create(provider=provider, body=PHONE, problems=problems, received_at=at)

        assert prune() == {"fetched reports deleted": 2}
        assert sorted(ReportBatch.objects.values_list("problems", flat=True)) == ["", "row 1"]


class TestLimits:
    @override_settings(
        SMSVERIFY={"NUMBER_DAYS": 1, "RETENTION_DAYS": 1, "RESEND_INTERVAL": 0, "PHONE_LIMITS": ["2/3d"]}
    )
    def test_what_limits_count_stays_whatever_the_settings_say(
        self, memory: MakeProvider, clock: time_machine.Traveller
    ) -> None:
        memory()
        for _ in range(2):
            send_code(PHONE, "login")
        clock.shift(2 * DAY)
        assert prune() == {}

        with pytest.raises(Throttled):
            send_code(PHONE, "login")

    def test_a_number_is_known_after_it_was_forgotten(
        self, memory: MakeProvider, clock: time_machine.Traveller
    ) -> None:
        memory()
        verify_code(send_code(PHONE, "login").pk, last_code())
        clock.shift(31 * DAY)
        prune()

        again = send_code(PHONE, "login")
        assert again.known_at == NOW
        assert again.phone == PHONE


class TestRecords:
    @pytest.fixture(autouse=True)
    def site(self) -> Iterator[None]:
        with override_settings(SMSVERIFY={"RETENTION_DAYS": 190}):
            yield

    def test_old_records_are_deleted_with_all_that_refers_to_them(
        self, sms: Any, clock: time_machine.Traveller
    ) -> None:
        message = sms(192)
        probe = {"carrier": "mobile", "number": 1}
        Probe.objects.create(message=message, provider=message.provider, **probe)
        RememberedRequest.objects.create(key="k", body="b", verification=message.verification)
        OptOut.objects.create(phone=PHONE, reply=Reply.objects.get())
        log_access("boss", Accessed.VIEWED_NUMBER, PHONE)
        Access.objects.update(at=NOW - 191 * DAY)
        Reply.objects.update(received_at=NOW)
        sms(100, OTHER)
        sum_all()
        prune()

        for kept in (Verification, Message, DeliveryReport, Recipient):
            assert [str(row.phone) for row in kept._default_manager.all()] == [OTHER]
        for gone in (Probe, RememberedRequest, Access):
            assert not gone._default_manager.exists()
        assert Reply.objects.get(phone=PHONE).message is None
        assert OptOut.objects.get().reply is not None

        clock.shift(191 * DAY)
        prune()
        assert OptOut.objects.get().reply is None

    @pytest.mark.slow
    def test_the_costs_of_a_month_are_the_same_afterwards(self, sms: Any) -> None:
        for days in (260, 250, 240, 191.2, 100):
            sms(days)
        sum_all()
        first, last = (NOW - 300 * DAY).date(), NOW.date()
        before = [row.figures() for row in costs(first, last, ["provider", "purpose", "day"])]
        prune()

        assert Message.objects.count() == 1
        assert [row.figures() for row in costs(first, last, ["provider", "purpose", "day"])] == before

    def test_a_day_that_is_not_summed_stays(self, sms: Any) -> None:
        sms(200)
        assert "messages deleted" not in prune()
        assert Message.objects.count() == Verification.objects.count() == 1

        sum_all()
        assert prune()["messages deleted"] == 1
        assert not Verification.objects.exists()

    def test_a_day_that_was_changed_since_stays_until_it_is_summed_again(
        self, sms: Any, clock: time_machine.Traveller
    ) -> None:
        message = sms(200, status=MessageStatus.ACCEPTED)
        sum_all()
        Message.objects.filter(pk=message.pk).update(status=MessageStatus.UNDELIVERED)
        assert LateChange.objects.exists()
        assert "messages deleted" not in prune()

        clock.shift(timedelta(hours=2))
        sum_all()
        assert prune()["messages deleted"] == 1
        assert [row.status for row in DailySum.objects.all()] == ["undelivered"]

    def test_the_sums_of_a_closed_day_stay_whatever_comes_later(self, sms: Any, clock: time_machine.Traveller) -> None:
        sms(200)
        sum_all()
        prune()
        sums = list(DailySum.objects.values())
        LateChange.objects.create(moment=NOW - 200 * DAY)
        first = (NOW - 201 * DAY).date()
        assert sum(row.messages for row in costs(first, NOW.date(), [])) == 1

        clock.shift(timedelta(days=2))
        sum_all()
        assert list(DailySum.objects.values()) == sums
        prune()
        assert not LateChange.objects.exists()

    @pytest.mark.slow
    def test_a_clock_that_is_set_back_forgets_no_closed_day(self, sms: Any, clock: time_machine.Traveller) -> None:
        sms(200)
        sum_all()
        prune()
        SummedDay.objects.update(summed_at=NOW + DAY)
        sum_all()

        assert DailySum.objects.count() == 1

    def test_a_code_that_another_verification_holds_goes_with_it(self, sms: Any) -> None:
        root = sms(200).verification
        joined = Verification.objects.get(pk=sms(199.999).verification.pk)
        Verification.objects.filter(pk=joined.pk).update(root=root)
        sum_all()

        assert prune()["verifications deleted"] == 2

    def test_a_root_stays_as_long_as_one_that_needs_its_code(self, sms: Any) -> None:
        root, young = sms(200).verification, sms(100).verification
        sms(199, OTHER)
        Verification.objects.filter(pk=young.pk).update(root=root)
        sum_all()

        assert prune()["verifications deleted"] == 1
        assert set(Verification.objects.all()) == {root, young}

    def test_every_relation_to_what_is_deleted_is_known(self) -> None:
        """Rows are deleted by their ids alone, so that whatever else refers to them would be an obstacle."""
        deleted: tuple[type[Model], ...] = (Message, Verification, Recipient, DeliveryReport, Reply)
        found = {
            (model.__name__, relation.related_model.__name__, relation.field.name)
            for model in deleted
            for relation in cast("list[Any]", model._meta.get_fields(include_hidden=True))
            if relation.auto_created and not relation.concrete
        }
        assert found == {
            ("Message", "DeliveryReport", "message"),
            ("Message", "Probe", "message"),
            ("Message", "Reply", "message"),
            ("Recipient", "Verification", "recipient"),
            ("Reply", "OptOut", "reply"),
            ("Verification", "Message", "verification"),
            ("Verification", "RememberedRequest", "verification"),
            ("Verification", "Verification", "root"),
        }


class TestRuns:
    def test_the_command_says_what_it_did(self, sms: Any) -> None:
        sms(31)

        assert run("--dry-run") == "numbers forgotten 6\n"
        assert Message.objects.get().phone == PHONE
        assert run().startswith("numbers forgotten 6; the longest transaction took ")
        assert run("--dry-run") == "nothing is old enough\n"
        assert run().startswith("nothing is old enough; ")
        job = JobRun.objects.get(job=PRUNE)
        assert job.ended_at == NOW

    def test_a_dry_run_counts_what_would_be_deleted_and_changes_nothing(self, sms: Any) -> None:
        sms(200)
        sms(31, OTHER)
        sum_all()
        words = (
            "messages deleted 1, numbers forgotten 7, replies deleted 1, reports deleted 1, verifications deleted 1\n"
        )

        assert run("--dry-run") == words
        assert not SummedDay.objects.filter(closed_at__isnull=False).exists()

    @pytest.mark.parametrize("batch", ["0", "501"])
    def test_a_batch_out_of_range_is_refused(self, batch: str) -> None:
        with pytest.raises(CommandError, match=f"--batch must be from 1 to 500, not {batch}"):
            run("--batch", batch)

    def test_it_runs_in_no_transaction(self) -> None:
        with transaction.atomic(), pytest.raises(InsideTransaction):
            prune()

    def test_it_stops_after_a_transaction_and_the_next_run_goes_on(self, sms: Any) -> None:
        for _ in range(5):
            sms(31)
        pace = Pace(most=2)
        told: list[tuple[int, int]] = []

        assert prune(pace=pace, stopped=lambda: True, progress=lambda *done: told.append(done)) == {
            "numbers forgotten": 2
        }
        assert told == [(2, 26)]
        assert Verification.objects.filter(phone=PHONE).count() == 3
        assert prune(pace=Pace(most=2))["numbers forgotten"] == 24
        assert rows_with(PHONE[3:]) == set()

    @pytest.mark.parametrize("kill_at", range(1, 12))
    def test_a_run_that_dies_anywhere_loses_nothing(
        self, kill_at: int, sms: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sms(200)
        sms(31, OTHER)
        sum_all()
        with override_settings(SMSVERIFY=SITE):
            count = 0

            def die(*args: Any, **kwargs: Any) -> Any:
                nonlocal count
                count += 1
                if count == kill_at:
                    raise KeyboardInterrupt
                return committed(*args, **kwargs)

            committed = run_committed
            monkeypatch.setattr(batches, "run_committed", die)
            with pytest.raises(KeyboardInterrupt):
                prune()
            monkeypatch.undo()
            prune()

        assert rows_with(PHONE[3:]) == rows_with(OTHER[3:]) == set()
        assert [str(one.phone) for one in Message.objects.all()] == [pseudonym(OTHER)]
        assert sum(row.messages for row in DailySum.objects.all()) == 2

    def test_the_next_run_does_not_look_where_this_one_was(self, sms: Any) -> None:
        sms(50)
        sms(31)
        prune()

        marks = dict(PruneMark.objects.values_list("table", "until"))
        assert set(marks) == {"verification", "message", "deliveryreport", "reply", "refusal"}
        assert set(marks.values()) == {NOW - 31 * DAY}

    def test_a_step_that_clashes_again_and_again_is_left_to_the_next_run(
        self, sms: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sms(31)

        def clash(*args: Any) -> None:
            raise IntegrityError

        with monkeypatch.context() as patch:
            patch.setattr(batches, "run_committed", clash)
            assert prune() == {}
        assert prune()["numbers forgotten"] == 6

    def test_celery_runs_it_as_a_task(self, sms: Any) -> None:
        celery = pytest.importorskip("django_smsverify.tasks.for_celery")
        sms(31)

        assert celery.prune.name == "smsverify.prune"
        assert celery.prune() == {"numbers forgotten": 6}
        assert JobRun.objects.get(job=PRUNE).ended_at == NOW

    def test_django_tasks_runs_it_as_a_task(self, sms: Any) -> None:
        sms(31)

        assert tasks.prune.enqueue().return_value == {"numbers forgotten": 6}


class TestAtOnce:
    @pytest.mark.slow
    def test_two_runs_at_once_do_the_work_once(self, sms: Any) -> None:
        for days in range(200, 195, -1):
            sms(days)
        for days in range(60, 40, -1):
            sms(days, OTHER)
        sum_all()
        runs: list[Counter[str]] = []
        in_parallel(*[lambda: runs.append(prune(pace=Pace(most=3)))] * 3)

        assert rows_with(PHONE[3:]) == rows_with(OTHER[3:]) == set()
        assert {str(one.phone) for one in Message.objects.all()} == {pseudonym(OTHER)}
        assert sum(done["messages deleted"] for done in runs) == 5
        assert sum(row.messages for row in DailySum.objects.all()) == 25

    def test_a_number_that_was_used_since_it_was_read_keeps_its_row(self, sms: Any) -> None:
        sms(31)
        (page,) = recipients.pages()
        sms(0)
        for work in (recipients.delete, partial(recipients.hide, names=pseudonym)):
            assert run_committed(Recipient, partial(work, page, before=NOW - DAY)) == 0

        assert Recipient.objects.get().phone == PHONE

    @override_settings(SMSVERIFY={**SITE, "RESEND_INTERVAL": 0})
    def test_a_number_that_comes_back_during_the_run_keeps_its_row(self, sms: Any) -> None:
        sms(31)
        asked: list[Verification] = []

        def clean_up() -> None:
            prune(pace=Pace(most=1))

        in_parallel(lambda: asked.append(send_code(PHONE, "login")), clean_up, clean_up)

        verification = Verification.objects.get(pk=asked[0].pk)
        assert verification.phone == verification.recipient.phone == PHONE
        assert Message.objects.get(phone=PHONE).status == MessageStatus.ACCEPTED
        assert verify_code(verification.pk, last_code()).phone == PHONE


class TestPace:
    def test_a_long_transaction_halves_the_next_one_and_a_short_one_makes_it_bigger(self) -> None:
        pace = Pace()
        for seconds, size in ((SHORT / 2, 63), (SHORT, 63), (LONG * 2, 31), (LONG, 31), (LONG * 2, 15)):
            pace.note(seconds)
            assert pace.size == size
        for _ in range(99):
            pace.note(0.0)
        assert (pace.size, pace.longest) == (MOST, LONG * 2)
        for _ in range(12):
            pace.note(LONG * 2)
        assert pace.size == 1
        pace.note(0.0)
        assert pace.size == 2


@pytest.mark.any_database
def test_a_digest_is_no_number_and_shows_none() -> None:
    name = pseudonym(PHONE)

    assert (phones.mask(name), repr(name)) == (f"forgotten ({name[1:5]})", f"<forgotten ({name[1:5]})>")
    assert phones.region(name) == ""
    assert len({pseudonym(PHONE), pseudonym(OTHER), random_pseudonym(), random_pseudonym()}) == 4
    assert phones.without_numbers(f"10.0.0.1 号码{PHONE[3:]}欠费") == "10.0.0.1 号码***欠费"


def test_no_statement_reads_a_whole_table(sms: Any) -> None:
    """As far as a planner tells with a few rows: on big tables tests/test_plans.py looks."""
    if connection.vendor != "sqlite":
        pytest.skip("with so few rows its planner reads the table")
    sms(200)
    sms(31, OTHER)
    sum_all()
    watch = Watch(connection)
    with override_settings(SMSVERIFY=SITE), connection.execute_wrapper(watch):
        prune()

    big = {model._meta.db_table for model in (*RECORDS, Access, Probe, RememberedRequest)}
    assert {sql: faults for sql, each in watch.seen.items() if (faults := each.faults(big, most=100))} == {}
