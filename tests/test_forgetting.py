"""Forgetting a number and exporting all about it: complete, at once, and without a loophole in the limits."""

from __future__ import annotations

import io
import json
import stat
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.apps import apps
from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import override_settings
from django.utils import timezone, translation

from django_smsverify.enums import Accessed, MessageStatus, ReportSource
from django_smsverify.exceptions import InsideTransaction, ProofRejected, SMSVerifyError, Throttled
from django_smsverify.management import phones_given
from django_smsverify.messages import record_one_acceptance
from django_smsverify.models import (
    Access,
    DeliveryReport,
    Forgetting,
    KnownNumber,
    ListEntry,
    Message,
    OptOut,
    ProbeNumber,
    Provider,
    Recipient,
    Refusal,
    RememberedRequest,
    Reply,
    TestNumber,
    Verification,
)
from django_smsverify.numbers import requester_of
from django_smsverify.polling.poll import poll
from django_smsverify.privacy import exporting
from django_smsverify.privacy.exporting import COLUMNS, NOT_EXPORTED, export_person
from django_smsverify.privacy.forgetting import _Person, finish_due, forget_person
from django_smsverify.privacy.pseudonyms import pseudonym
from django_smsverify.reports.storing import store_events
from django_smsverify.sending import resend_code, send_code
from django_smsverify.transactions import run_committed
from django_smsverify.types import Acceptance, DeliveryEvent, News
from django_smsverify.verifying import redeem_proof, verify_code
from django_smsverify.verifying.proofs import device_token_of, make_proof

from .conftest import PHONE, MakeProvider, last_code
from .past import RECORDS, past_sms, rows_with

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
DAY = timedelta(days=1)
OTHER = "+8613900139000"
LIMITED = {"RESEND_INTERVAL": 0, "PHONE_LIMITS": ["2/d"], "GUESS_LIMIT": "5/d"}


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller, override_settings(SMSVERIFY={}):
        yield traveller


@pytest.fixture
def provider(memory: MakeProvider) -> Provider:
    return memory(price="0.05")


@pytest.fixture
def sms(provider: Provider) -> Any:
    """Makes what an SMS leaves, of so many days ago."""
    return partial(past_sms, provider)


def later(clock: time_machine.Traveller, by: timedelta = 4 * DAY) -> None:
    clock.shift(by)
    list(finish_due())


class TestForget:
    def test_nothing_names_an_old_number_any_more(self, sms: Any) -> None:
        message = sms(20)
        sms(20, OTHER)
        result = forget_person(PHONE)

        assert rows_with(PHONE[3:]) == set()
        assert rows_with(OTHER[3:]) >= {"message", "recipient", "reply"}
        tables = {str(model._meta.verbose_name_plural) for model in RECORDS if model is not Recipient}
        assert result.records == dict.fromkeys(tables, 1)
        assert (result.due_at, result.was_known) == (None, False)
        message.refresh_from_db()
        assert (message.phone, message.status) == (pseudonym(PHONE), "delivered")
        assert not Forgetting.objects.exists()

    def test_of_a_number_in_use_only_its_own_row_stays_for_some_days(
        self, sms: Any, clock: time_machine.Traveller
    ) -> None:
        sms(0.5)
        result = forget_person(PHONE)

        assert rows_with(PHONE[3:]) == {"recipient", "forgetting"}
        assert result.due_at == NOW + 4 * DAY
        clock.shift(4 * DAY - timedelta(seconds=1))
        assert list(finish_due()) == []
        clock.shift(timedelta(seconds=1))
        assert list(finish_due()) == ["number forgotten for good"]
        assert rows_with(PHONE[3:]) == set()

    @pytest.mark.slow
    def test_the_poll_does_the_rest(self, sms: Any, clock: time_machine.Traveller) -> None:
        sms(0.5)
        forget_person(PHONE)
        clock.shift(4 * DAY)

        assert poll()["number forgotten for good"] == 1
        assert poll()["number forgotten for good"] == 0

    @override_settings(SMSVERIFY=LIMITED)
    @pytest.mark.parametrize("deletes_records", [False, True])
    def test_nobody_gets_more_sms_or_guesses_by_it(self, deletes_records: bool, provider: Provider) -> None:
        first = send_code(PHONE, "login")
        for _ in range(5):
            with pytest.raises(SMSVerifyError):
                verify_code(first.pk, "x")
        send_code(PHONE, "login")
        forget_person(PHONE, deletes_records=deletes_records)

        with pytest.raises(Throttled):
            send_code(PHONE, "login")

    @override_settings(SMSVERIFY={**LIMITED, "PHONE_LIMITS": ["9/d"]})
    def test_wrong_codes_count_on(self, provider: Provider) -> None:
        first = send_code(PHONE, "login")
        for _ in range(4):
            with pytest.raises(SMSVerifyError):
                verify_code(first.pk, "x")
        forget_person(PHONE)

        assert send_code(PHONE, "login").max_attempts == 1

    def test_a_live_code_ends(self, provider: Provider) -> None:
        verification = send_code(PHONE, "login")
        code = last_code()
        forget_person(PHONE)

        for act in (lambda: verify_code(verification.pk, code), lambda: resend_code(verification.pk)):
            with pytest.raises(SMSVerifyError):
                act()

    def test_a_proof_that_nobody_redeemed_ends(self, provider: Provider) -> None:
        verification = verify_code(send_code(PHONE, "login").pk, last_code())
        proof = make_proof(verification)
        forget_person(PHONE)

        with pytest.raises(ProofRejected):
            redeem_proof(proof, "login")

    def test_its_device_tokens_end_and_so_do_remembered_requests(self, provider: Provider) -> None:
        verification = verify_code(send_code(PHONE, "login").pk, last_code())
        token = device_token_of(verification)
        RememberedRequest.objects.create(key="k", body="b", verification=verification)
        assert requester_of(PHONE, device=token).is_owner

        assert forget_person(PHONE).was_known
        assert not requester_of(PHONE, device=token).is_owner
        assert not KnownNumber.objects.exists()
        assert not RememberedRequest.objects.exists()

    def test_an_sms_under_way_keeps_its_number_until_its_report_is_here(
        self, sms: Any, clock: time_machine.Traveller
    ) -> None:
        message = sms(0.01, status=MessageStatus.SENDING, settled_at=None, remote_id="")
        DeliveryReport.objects.all().delete()
        forget_person(PHONE)
        message.refresh_from_db()
        assert message.phone == PHONE

        record_one_acceptance(message, Acceptance(remote_id="42"))
        event = DeliveryEvent(remote_id="42", phone=PHONE, outcome="undelivered")  # type: ignore[arg-type]
        store_events(message.provider, News(events=(event,)), ReportSource.PUSH)
        message.refresh_from_db()
        assert message.status == MessageStatus.UNDELIVERED
        later(clock)
        assert rows_with(PHONE[3:]) == set()
        assert DeliveryReport.objects.get().message == message

    def test_a_notice_that_waits_is_not_sent(self, sms: Any) -> None:
        message = sms(0.1, status=MessageStatus.QUEUED, settled_at=None)
        forget_person(PHONE)
        message.refresh_from_db()

        assert (message.status, message.error_message) == (
            "not_sent",
            "its owner asked that the number be forgotten",
        )

    def test_an_owner_who_is_back_is_not_forgotten_with_it(self, sms: Any, clock: time_machine.Traveller) -> None:
        sms(0.5)
        forget_person(PHONE)
        clock.shift(DAY)
        again = send_code(PHONE, "login")
        sent = Message.objects.get(verification=again)
        DeliveryReport.objects.create(
            provider=sent.provider, message=sent, phone=PHONE, outcome="delivered", source="push", fingerprint=uuid4()
        )
        later(clock, 3 * DAY)

        assert Verification.objects.get(pk=again.pk).recipient.phone == PHONE
        sent.refresh_from_db()
        assert sent.phone == sent.reports.get().phone == PHONE
        assert Verification.objects.filter(phone=pseudonym(PHONE)).count() == 1

    def test_who_asks_twice_is_forgotten_as_of_the_second_time(self, sms: Any, clock: time_machine.Traveller) -> None:
        sms(0.5)
        forget_person(PHONE)
        clock.shift(DAY)
        send_code(PHONE, "login")
        assert forget_person(PHONE).due_at == NOW + 5 * DAY
        later(clock, 3 * DAY)
        assert Forgetting.objects.exists()
        later(clock, DAY)

        assert rows_with(PHONE[3:]) == set()

    def test_a_run_that_has_read_the_first_time_leaves_the_second_alone(
        self, sms: Any, clock: time_machine.Traveller
    ) -> None:
        sms(0.5)
        forget_person(PHONE)
        clock.shift(DAY)
        forget_person(PHONE)

        assert not run_committed(Forgetting, _Person(PHONE, NOW, deletes_records=False).finish)
        assert Forgetting.objects.get().asked_at == NOW + DAY

    def test_what_was_entered_on_purpose_is_told_and_stays(self, sms: Any) -> None:
        OptOut.objects.create(phone=PHONE)
        TestNumber.objects.create(phone=PHONE, expires_at=NOW + DAY)
        ProbeNumber.objects.create(phone=PHONE)
        ListEntry.objects.create(kind="number", subject=PHONE, length=14, action="block")
        result = forget_person(PHONE)

        assert result.kept == [str(model._meta.verbose_name) for model in (OptOut, TestNumber, ProbeNumber, ListEntry)]
        assert rows_with(PHONE[3:]) == {"optout", "testnumber", "probenumber", "listentry"}

    def test_entries_of_the_admins_log_show_the_digest(self, sms: Any) -> None:
        sms(20)
        number, user = Recipient.objects.get(), User.objects.create_user("boss")
        kind = ContentType.objects.get_for_model(Recipient)
        LogEntry.objects.create(
            user=user, content_type=kind, object_id=str(number.pk), object_repr=str(number), action_flag=CHANGE
        )
        forget_person(PHONE)

        assert LogEntry.objects.get().object_repr == f"forgotten ({pseudonym(PHONE)[1:5]})"

    def test_it_works_without_djangos_admin(self, sms: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        sms(20)
        monkeypatch.setattr(apps, "is_installed", lambda name: False)
        forget_person(PHONE)

        assert rows_with(PHONE[3:]) == set()

    def test_it_runs_in_no_transaction(self) -> None:
        with transaction.atomic(), pytest.raises(InsideTransaction):
            forget_person(PHONE)


class TestWithTheRecords:
    def test_no_key_leads_back(self, sms: Any, clock: time_machine.Traveller) -> None:
        message = sms(20, batch="debtors")
        sms(0.5)
        before = Message.objects.values_list("status", "cost", "created_at")
        accounts = sorted(before)
        forget_person(PHONE, deletes_records=True)
        later(clock)

        assert rows_with(PHONE[3:]) == rows_with(pseudonym(PHONE)) == set()
        for model in (DeliveryReport, Reply, Refusal):
            assert not model._default_manager.exists()
        assert sorted(before) == accounts
        message.refresh_from_db()
        assert (message.remote_id, message.batch, message.error_message) == ("", None, "")
        assert {(one.context, one.network, one.source) for one in Verification.objects.all()} == {("", "", "")}

    def test_what_was_forgotten_before_loses_its_digest_too(self, sms: Any) -> None:
        sms(20)
        forget_person(PHONE)
        assert rows_with(pseudonym(PHONE)) == {
            "recipient",
            "verification",
            "message",
            "deliveryreport",
            "reply",
            "refusal",
        }
        forget_person(PHONE, deletes_records=True)

        assert rows_with(pseudonym(PHONE)) == set()
        assert Message.objects.count() == Verification.objects.count() == Recipient.objects.count() == 1

    def test_an_opt_out_loses_the_words_of_its_reply(self, sms: Any) -> None:
        sms(20)
        OptOut.objects.create(phone=PHONE, reply=Reply.objects.get())
        forget_person(PHONE, deletes_records=True)

        assert OptOut.objects.get().reply is None


def type_in(monkeypatch: pytest.MonkeyPatch, text: str, *, is_terminal: bool = False) -> None:
    typed = io.StringIO(text)
    typed.isatty = lambda: is_terminal  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdin", typed)


def run(name: str, *arguments: str) -> str:
    out = io.StringIO()
    call_command(name, *arguments, stdout=out)
    return out.getvalue()


class TestCommands:
    def test_forget_tells_what_it_did_and_is_logged(self, sms: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("getpass.getuser", lambda: "root")
        type_in(monkeypatch, "")
        sms(0.5)
        OptOut.objects.create(phone=PHONE)

        parts = [
            "138****8000: was not known",
            f"verifications 1, messages 1, delivery reports 1, replies 1, {Refusal._meta.verbose_name_plural} 1",
            "its own row and SMS under way until 2026-12-03 20:00:00",
            f"kept, as it was entered on purpose: {OptOut._meta.verbose_name}",
        ]
        assert run("smsverify_forget", "13800138000") == "; ".join(parts) + "\n"
        access = Access.objects.get()
        assert (access.who, access.what, access.about) == ("manage.py (root)", Accessed.FORGOT_PERSON, "138****8000")

    def test_records_are_an_option(self, sms: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        type_in(monkeypatch, "")
        sms(20)
        run("smsverify_forget", "13800138000", "--records")

        assert not Reply.objects.exists()

    def test_on_a_terminal_it_asks(self, sms: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        sms(20)
        type_in(monkeypatch, "no\n", is_terminal=True)
        with pytest.raises(CommandError, match="Nothing was forgotten"):
            run("smsverify_forget", "13800138000")
        assert Message.objects.get().phone == PHONE

        type_in(monkeypatch, "yes\n", is_terminal=True)
        output = run("smsverify_forget", "13800138000")
        assert output.splitlines()[0] == "This cannot be undone: 138****8000. Write yes to forget."
        assert Message.objects.get().phone == pseudonym(PHONE)

    def test_with_yes_it_does_not(self, sms: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        sms(20)
        type_in(monkeypatch, "no\n", is_terminal=True)
        run("smsverify_forget", "13800138000", "--yes")

        assert Message.objects.get().phone == pseudonym(PHONE)

    def test_export_prints_json_and_is_logged(self, sms: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        sms(20)
        monkeypatch.setattr(phones_given, "getpass", None)  # as where a process has no user
        data = json.loads(run("smsverify_export", "138-0013-8000"))

        assert data["phone"] == PHONE
        assert data["messages"][0]["provider"] == "memory"
        access = Access.objects.get()
        assert (access.who, access.what, access.about) == ("manage.py", Accessed.EXPORTED_PERSON, "138****8000")

    def test_export_writes_a_file_that_only_its_owner_reads(self, sms: Any, tmp_path: Path) -> None:
        sms(20)
        path = tmp_path / "person.json"

        assert run("smsverify_export", PHONE, "--output", str(path)) == f"138****8000: {path}\n"
        assert json.loads(path.read_text(encoding="utf-8"))["phone"] == PHONE
        if sys.platform != "win32":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with pytest.raises(CommandError, match="exists: name a new file"):
            run("smsverify_export", PHONE, "--output", str(path))
        with pytest.raises(CommandError, match="cannot be written"):
            run("smsverify_export", PHONE, "--output", str(tmp_path / "none" / "person.json"))

    def test_export_takes_one_number(self, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
        type_in(monkeypatch, f"{PHONE}\n{OTHER}\n")
        with pytest.raises(CommandError, match="has 2 numbers"):
            run("smsverify_export", "-")
        with pytest.raises(CommandError, match=r"Number 1 of 1, \*\*\*\*: .* Nothing was exported\."):
            run("smsverify_export", "")


class TestExport:
    @pytest.fixture
    def all_about(self, sms: Any) -> dict[str, Any]:
        """An export of a number of which there is a row of each table, and that was forgotten in part."""
        sms(20, OTHER)
        sms(20)
        forget_person(PHONE)
        KnownNumber.objects.remember(PHONE, timezone.now(), before=None)
        message = sms(
            1, values={"name": "王"}, remote_id="1234567890", error_message=f"+86 {PHONE[3:]}; {OTHER[3:]} {PHONE[3:]}"
        )
        Verification.objects.filter(pk=message.verification_id).update(nonce="n" * 32, network="w" * 32)
        Reply.objects.filter(message=message).update(content="我是王，13700137000")
        OptOut.objects.create(phone=PHONE, note=f"by {OTHER[3:]}")
        TestNumber.objects.create(phone=PHONE, expires_at=NOW + DAY)
        ProbeNumber.objects.create(phone=PHONE)
        ListEntry.objects.create(kind="number", subject=PHONE, length=14, action="allow")
        Forgetting.objects.create(phone=PHONE, asked_at=NOW, due_at=NOW)
        return export_person(PHONE)

    def test_it_has_each_row_once(self, all_about: dict[str, Any]) -> None:
        counts = {name: len(rows) for name, rows in all_about.items() if isinstance(rows, list)}

        assert counts == {
            **dict.fromkeys(("recipients", "verifications", "messages", "delivery_reports", "replies", "refusals"), 2),
            **dict.fromkeys(("known_numbers", "forgettings", "opt_outs", "test_numbers"), 1),
            **dict.fromkeys(("probe_numbers", "list_entries"), 1),
        }

    def test_people_can_read_it(self, all_about: dict[str, Any]) -> None:
        message = all_about["messages"][1]

        assert message["created_at"] == "2026-11-28T20:00:00+08:00"
        assert all_about["exported_at"].endswith("+08:00")
        assert next(iter(all_about)) == "about"
        with translation.override(settings.LANGUAGE_CODE):
            assert all_about["about"] == translation.gettext(
                "All that this site stores about the phone number below, for its owner."
            )
        assert (message["values"], message["cost"], message["remote_id"]) == ({"name": "王"}, "0.0500", "1234567890")
        assert message["template"] == "memory login"
        assert "王" in exporting.as_json(all_about)

    def test_numbers_of_others_are_masked_and_the_own_one_is_not(self, all_about: dict[str, Any]) -> None:
        assert all_about["messages"][1]["error_message"] == f"+86 {PHONE[3:]}; 138****8000"
        assert all_about["delivery_reports"][1]["payload"] == {"mobile": PHONE[3:]}
        assert all_about["opt_outs"][0]["note"] == "by 139****9000"
        assert all_about["replies"][1]["content"] == "我是王，13700137000"
        assert OTHER[3:] not in exporting.as_json(all_about)

    def test_no_code_and_no_key_is_in_it(self, all_about: dict[str, Any]) -> None:
        text = exporting.as_json(all_about)
        number = TestNumber.objects.get()

        for secret in ("n" * 32, "w" * 32, "gAAAA", number.code(6), number.code(8), KnownNumber.objects.get().digest):
            assert secret not in text

    def test_a_value_that_no_key_decrypts_is_told(self, sms: Any) -> None:
        with override_settings(SMSVERIFY={"ENCRYPTION_KEYS": ["lost"]}):
            sms(1, values={"name": "王"})

        assert export_person(PHONE)["messages"][0]["values"] == "cannot be decrypted any more"

    def test_every_column_is_exported_or_has_a_reason(self) -> None:
        for model, columns in COLUMNS.items():
            left = {field.name for field in model._meta.concrete_fields if not field.primary_key} - set(columns)
            assert left <= NOT_EXPORTED.keys(), model
        named = {field.name for model in COLUMNS for field in model._meta.concrete_fields}
        assert NOT_EXPORTED.keys() <= named

    def test_every_table_with_a_number_is_exported(self) -> None:
        with_number = {
            model
            for model in apps.get_app_config("smsverify").get_models()
            if not model._meta.proxy
            and any(type(field).__name__ == "PhoneField" for field in model._meta.concrete_fields)
        }
        assert with_number <= set(COLUMNS)
        assert set(RECORDS) <= with_number
