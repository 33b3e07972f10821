"""Opting out: an answer of one word ends notices to a number, and codes go on."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
import time_machine
from django.core.management import call_command
from django.test import Client, override_settings
from django.utils import timezone

from django_smsverify.enums import MessageStatus
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.models import Message, OptOut, Provider, Reply, Template
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
    assert "delete the number under “numbers without notices”" in told
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

    def test_a_deleted_number_gets_notices_again(self, notice: Template, admin_client: Client) -> None:
        row = OptOut.objects.create(phone=PHONE)

        admin_client.post(f"{PAGE}{row.pk}/delete/", {"post": "yes"})

        assert send_message(notice, {PHONE: {}})[0].status == MessageStatus.ACCEPTED
