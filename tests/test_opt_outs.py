"""Opting out: an answer of one word ends notices to a number, and codes go on."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_smsverify.enums import ListKind, MessageStatus
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.journal.advice import LISTED
from django_smsverify.journal.timeline import of_message
from django_smsverify.limits.lists import entry_of
from django_smsverify.models import ListEntry, Message, OptOut, Provider, Reply, Template
from django_smsverify.polling.poll import poll
from django_smsverify.reports import storing
from django_smsverify.sending import dispatch, send_code, send_message
from django_smsverify.sending.bulk import send_bulk
from django_smsverify.sending.number_list import unsent
from django_smsverify.signals import message_settled

from .conftest import PHONE, MakeProvider, add_template
from .test_limits import NO_LIMITS
from .test_webhooks import ihuyi_reply, path_of

pytestmark = pytest.mark.django_db(transaction=True)

OTHER = "+8613900139000"
PAGE = "/admin/smsverify/optout/"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def notice(memory: MakeProvider) -> Template:
    return add_template(memory("login"), "notice", "系统维护已完成。", "")


@pytest.fixture
def ihuyi(vendor: MakeProvider) -> Provider:
    return vendor("ihuyi")


def say(provider: Provider, client: Client, content: str) -> None:
    answer = client.post(path_of(provider), ihuyi_reply(content=content), content_type=FORM)
    assert answer.status_code == 200


def statuses() -> Counter[tuple[str, str]]:
    return Counter(Message.objects.values_list("status", "error_message"))


@pytest.mark.parametrize(
    "content", ["TD", "td", "ＴＤ", " T ", "n", "R", "退订", "退订。", "【退订】", "Stop", "STOP!", "退 订", "t\u200bd"]
)
def test_these_answers_end_notices(content: str, ihuyi: Provider, client: Client) -> None:
    say(ihuyi, client, content)

    row = OptOut.objects.get()
    assert (row.phone, row.reply, row.added_by) == (PHONE, Reply.objects.get(), "")


@pytest.mark.parametrize("content", ["", "TDX", "不退订", "我要退订吗", "No", "stop it", "Y", "1", "？", "🙂"])
def test_other_answers_do_not(content: str, ihuyi: Provider, client: Client) -> None:
    say(ihuyi, client, content)

    assert not OptOut.objects.exists()


def test_who_opted_out_gets_no_notice_and_the_sender_sees_it(notice: Template) -> None:
    OptOut.objects.create(phone=PHONE)
    settled: list[Message] = []

    def receive(message: Message, **kwargs: object) -> None:
        settled.append(message)

    message_settled.connect(receive)
    try:
        messages = send_message(notice, {PHONE: {}, OTHER: {}})
    finally:
        message_settled.disconnect(receive)

    assert [(one.phone, one.status) for one in messages] == [(PHONE, "not_sent"), (OTHER, "accepted")]
    assert messages[0].error_message == "the number has opted out of notices"
    assert (messages[0].settled_at is None, messages[0].claimed_at) == (False, None)
    assert [sms.phone for sms in MemoryGateway.outbox] == [OTHER]
    assert [one.phone for one in settled] == [PHONE]


def test_a_batch_counts_it_among_what_was_not_sent(notice: Template) -> None:
    OptOut.objects.create(phone=PHONE)

    for _ in range(2):
        result = send_bulk(notice, [(PHONE, {}), (OTHER, {})], name="b")

        assert result.counts == {"not_sent": 1, "accepted": 1}
        assert (result.opted_out, len(result.troubles)) == (1, 0)


def test_they_are_not_among_those_to_try_again(notice: Template) -> None:
    OptOut.objects.create(phone=PHONE)
    send_bulk(notice, [(PHONE, {}), (OTHER, {})], name="b")
    Message.objects.filter(phone=OTHER).update(status=MessageStatus.NOT_SENT)

    assert list(unsent({PHONE: {}, OTHER: {}}, "b")) == [OTHER]


def test_who_opts_out_while_a_notice_is_queued_does_not_get_it(
    notice: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "_enqueue", lambda ids: None)
    with override_settings(SMSVERIFY={**NO_LIMITS, "DISPATCH": "celery"}):
        send_bulk(notice, [(PHONE, {}), (OTHER, {})], name="b")
    OptOut.objects.create(phone=PHONE)

    with time_machine.travel(timezone.now() + timedelta(minutes=2), tick=False):
        poll()

    assert statuses() == {("not_sent", "the number has opted out of notices"): 1, ("accepted", ""): 1}


class TestBlockList:
    """A number that an operator has listed gets no notices either, as long as its entry refuses it."""

    WHY = "the number is on the block list"

    def listed(self, action: str = "block", kind: str = "number", subject: str = PHONE, **fields: Any) -> ListEntry:
        entry = entry_of(ListKind(kind), subject, action=action, **fields)
        entry.save()
        return entry

    def test_it_gets_no_notice_and_the_sender_sees_it(self, notice: Template) -> None:
        self.listed()

        result = send_bulk(notice, [(PHONE, {}), (OTHER, {})], name="b")

        assert statuses() == {("not_sent", self.WHY): 1, ("accepted", ""): 1}
        assert [sms.phone for sms in MemoryGateway.outbox] == [OTHER]
        assert (result.listed, result.opted_out, len(result.troubles)) == (1, 0, 0)
        assert not unsent({PHONE: {}, OTHER: {}}, "b"), "nor is it tried again"

    @pytest.mark.parametrize(
        "fields",
        [
            {"action": "allow"},
            {"action": "challenge"},
            {"kind": "block", "subject": "138"},
            {"kind": "region", "subject": "CN"},
            {"expires_at": timezone.now() - timedelta(days=1)},
        ],
    )
    def test_other_entries_concern_codes_only(self, fields: dict[str, Any], notice: Template) -> None:
        self.listed(**fields)

        assert send_message(notice, {PHONE: {}})[0].status == MessageStatus.ACCEPTED

    def test_who_has_opted_out_too_is_told_as_that(self, notice: Template) -> None:
        self.listed()
        OptOut.objects.create(phone=PHONE)

        assert send_message(notice, {PHONE: {}})[0].error_message == "the number has opted out of notices"

    def test_who_is_listed_while_a_notice_is_queued_does_not_get_it(
        self, notice: Template, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dispatch, "_enqueue", lambda ids: None)
        with override_settings(SMSVERIFY={**NO_LIMITS, "DISPATCH": "celery"}):
            send_bulk(notice, [(PHONE, {}), (OTHER, {})], name="b")
        self.listed()

        with time_machine.travel(timezone.now() + timedelta(minutes=2), tick=False):
            poll()

        assert statuses() == {("not_sent", self.WHY): 1, ("accepted", ""): 1}

    def test_where_no_number_is_listed_nothing_is_asked_about_it(self, notice: Template) -> None:
        self.listed(kind="block", subject="1999")
        send_message(notice, {PHONE: {}})

        with CaptureQueriesContext(connection) as queries:
            send_message(notice, {OTHER: {}})

        assert not [one["sql"] for one in queries if "smsverify_listentry" in one["sql"]]

    def test_explain_names_it_and_what_to_do(self, notice: Template, capsys: pytest.CaptureFixture[str]) -> None:
        self.listed()
        send_message(notice, {PHONE: {}})

        call_command("smsverify_explain", PHONE)

        told = capsys.readouterr().out
        assert "It has been on the block list since " in told
        assert f"it was not sent: {self.WHY}" in told
        assert "delete the entry in the block and allow list" in told

    def test_explain_names_it_when_nothing_was_refused_yet(
        self, notice: Template, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.listed()

        call_command("smsverify_explain", PHONE)

        assert ": it gets neither codes nor notices" in capsys.readouterr().out

    def test_the_page_of_the_message_leads_to_the_list(self, notice: Template, admin_client: Client) -> None:
        self.listed()
        message = send_message(notice, {PHONE: {}})[0]

        html = admin_client.get(f"/admin/smsverify/message/{message.pk}/change/").content.decode()

        assert f'{LISTED} <a href="/admin/smsverify/listentry/">' in html


def test_its_story_is_in_order_and_does_not_contradict_itself(notice: Template) -> None:
    OptOut.objects.create(phone=PHONE)
    (message,) = send_message(notice, {PHONE: {}}, batch="friday")

    told = of_message(message)

    assert [step.title for step in told.steps] == [
        "A notice for “notice” was to be sent in the batch “friday”",
        "It was not sent",
    ]
    assert told.sentence == (
        "A notice for “notice” was to be sent in the batch “friday”; it was not sent: the number has opted out of "
        "notices."
    )
    assert told.conclusion is not None
    assert told.conclusion.words == "The notice for “notice” was not sent: the number has opted out of notices."


def test_its_story_is_in_order_where_it_was_settled_before_it_was_made(notice: Template) -> None:
    OptOut.objects.create(phone=PHONE)
    (message,) = send_message(notice, {PHONE: {}})
    Message.objects.update(settled_at=message.created_at - timedelta(microseconds=90))

    told = of_message(Message.objects.get())

    assert [step.title for step in told.steps] == ["A notice for “notice” was to be sent", "It was not sent"]


def test_a_notice_that_was_queued_says_so(notice: Template, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_enqueue", lambda ids: None)
    with override_settings(SMSVERIFY={**NO_LIMITS, "DISPATCH": "celery"}):
        send_message(notice, {PHONE: {}}, batch="b")
    OptOut.objects.create(phone=PHONE)
    with time_machine.travel(timezone.now() + timedelta(minutes=2), tick=False):
        poll()

    assert [step.title for step in of_message(Message.objects.get()).steps][1:] == [
        "Put into the queue",
        "It was not sent",
    ]


def test_codes_are_sent_all_the_same(notice: Template) -> None:
    OptOut.objects.create(phone=PHONE)

    send_code(PHONE, "login")

    assert Message.objects.get().status == "accepted"


@pytest.mark.slow
def test_more_numbers_than_one_statement_takes(notice: Template) -> None:
    phones = [f"+86138{number:08}" for number in range(1001)]
    OptOut.objects.create(phone=phones[-1])

    send_message(notice, {phone: {} for phone in phones})

    assert Counter(Message.objects.values_list("status", flat=True)) == {"accepted": 1000, "not_sent": 1}


def test_an_answer_that_is_pushed_twice_counts_once(ihuyi: Provider, client: Client) -> None:
    say(ihuyi, client, "TD")
    say(ihuyi, client, "TD")

    assert (OptOut.objects.count(), Reply.objects.count()) == (1, 1)


def test_a_process_that_died_after_the_reply_was_stored_is_made_good_by_the_repeated_push(
    ihuyi: Provider, client: Client
) -> None:
    say(ihuyi, client, "TD")
    OptOut.objects.all().delete()

    say(ihuyi, client, "TD")

    assert OptOut.objects.exists()


def test_an_old_answer_that_is_pushed_again_does_not_undo_what_an_operator_did(ihuyi: Provider, client: Client) -> None:
    say(ihuyi, client, "TD")
    OptOut.objects.all().delete()

    with time_machine.travel(timezone.now() + storing.REPEATED_WITHIN + timedelta(seconds=1), tick=False):
        say(ihuyi, client, "TD")

    assert not OptOut.objects.exists()


def test_explain_names_it_and_what_to_do(notice: Template, capsys: pytest.CaptureFixture[str]) -> None:
    OptOut.objects.create(phone=PHONE)
    send_message(notice, {PHONE: {}})

    call_command("smsverify_explain", PHONE)

    told = capsys.readouterr().out
    assert "It has opted out of notices at " in told
    assert "it was not sent: the number has opted out of notices" in told
    assert "delete the number under “opt-outs of notices”" in told
    assert "start more workers" not in told


class TestAdmin:
    def test_a_number_is_entered_once_and_masked(self, admin_client: Client) -> None:
        answer = admin_client.post(f"{PAGE}add/", {"phone": "138 0013 8000", "note": "called the hotline"})
        again = admin_client.post(f"{PAGE}add/", {"phone": "+8613800138000", "note": ""})
        html = admin_client.get(PAGE).content.decode()

        row = OptOut.objects.get()
        assert (answer.status_code, row.phone, row.added_by) == (302, PHONE, "admin")
        assert "It gets no notices already." in again.content.decode()
        assert "138****8000" in html
        assert "13800138000" not in html

    def test_a_number_that_is_none_is_refused(self, admin_client: Client) -> None:
        html = admin_client.post(f"{PAGE}add/", {"phone": "12345", "note": ""}).content.decode()

        assert not OptOut.objects.exists()
        assert "errorlist" in html

    @pytest.mark.parametrize(("written", "rows"), [("13800138000", 1), ("13900139000", 0), ("8000", 0), ("", 1)])
    def test_it_is_found_by_its_number(self, written: str, rows: int, admin_client: Client) -> None:
        OptOut.objects.create(phone=PHONE)

        found = admin_client.get(PAGE, {"q": written}).context["cl"].result_list

        assert len(found) == rows

    def test_the_row_shows_the_answer_and_nothing_can_be_changed(
        self, ihuyi: Provider, client: Client, admin_client: Client
    ) -> None:
        say(ihuyi, Client(), "退订")
        address = f"{PAGE}{OptOut.objects.get().pk}/change/"

        html = admin_client.get(address).content.decode()

        assert "退订" in html
        assert "13800138000" not in html
        assert admin_client.post(address, {"phone": "13900139000"}).status_code == 403

    def test_the_form_says_what_it_is_for(self, admin_client: Client) -> None:
        html = admin_client.get(f"{PAGE}add/", headers={"accept-language": "en"}).content.decode()

        assert "It stops notices only: codes are sent all the same." in html

    def test_after_a_deletion_the_list_is_open(self, admin_client: Client) -> None:
        row = OptOut.objects.create(phone=PHONE)

        answer = admin_client.post(f"{PAGE}{row.pk}/delete/", {"post": "yes"})

        assert answer["Location"] == PAGE

    def test_a_deleted_number_gets_notices_again(self, notice: Template, admin_client: Client) -> None:
        row = OptOut.objects.create(phone=PHONE)

        admin_client.post(f"{PAGE}{row.pk}/delete/", {"post": "yes"})

        assert send_message(notice, {PHONE: {}})[0].status == MessageStatus.ACCEPTED
