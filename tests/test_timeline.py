"""The story of one message or code: what happened, in which order, how long it took, and who may read it."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.test import Client, override_settings
from django.utils import timezone

from django_smsverify.enums import Reason
from django_smsverify.exceptions import GatewayError, GatewayRejected, GatewayUnavailable, GatewayUncertain
from django_smsverify.journal import advice
from django_smsverify.journal.timeline import of_message, of_verification
from django_smsverify.models import DeliveryReport, Message, Provider, Recipient, Reply, TestNumber, Verification
from django_smsverify.numbers.test_numbers import are_allowed
from django_smsverify.polling.poll import poll
from django_smsverify.privacy.forgetting import forget_person
from django_smsverify.sending import dispatch, send_code, send_message

from .conftest import PHONE, add_template, last_code, wrong
from .test_admin import page
from .test_circuits import FlakyGateway
from .test_story import SITE, acme, ask, bureau, clock, enter, reported, take_another_way  # noqa: F401

pytestmark = pytest.mark.django_db(transaction=True)

Clock = time_machine.Traveller


def steps(row: Message | Verification) -> list[str]:
    told = of_message(row) if isinstance(row, Message) else of_verification(row)
    return [f"{step.title} +{step.after}" if step.after else step.title for step in told.steps]


def facts(row: Message, title: str) -> dict[str, str]:
    (step,) = (one for one in of_message(row).steps if one.title.startswith(title))
    return dict(step.facts)


@pytest.fixture(autouse=True)
def _now(acme: Provider, clock: Clock) -> None:  # noqa: F811
    """Each test begins with a provider and a clock that stands."""


def test_a_code_from_the_request_to_its_proof(clock: Clock) -> None:  # noqa: F811
    ask()
    clock.shift(4)
    reported(delivered=True)
    clock.shift(10)
    enter(wrong(last_code()))
    clock.shift(7)
    enter(last_code())
    message = Message.objects.get()

    assert steps(message) == [
        "A code for “login” was asked for",
        "Handed over to “Acme”",
        "“Acme” accepted it",
        "Delivery report: delivered +4.0 s",
        "Settled as “delivered”: no more news is expected",
        "The right code was entered +17 s",
    ]
    report, occurred_at = facts(message, "Delivery report"), DeliveryReport.objects.get().occurred_at
    assert report["after it was asked for"] == "4.0 s"
    assert report["time by the vendor's clock"] == f"{timezone.localtime(occurred_at):%Y-%m-%d %H:%M:%S}"
    assert report["vendor's code"] == "DELIVRD"
    assert facts(message, "“Acme” accepted it") == {"id at the vendor": message.remote_id}
    assert facts(message, "The right code")["before it"] == "1 wrong code was entered"
    assert of_message(message).sentence == of_verification(Verification.objects.get()).sentence


def test_what_failed_and_what_was_tried_next(clock: Clock, bureau: Provider) -> None:  # noqa: F811
    take_another_way(clock)
    first, second = Message.objects.order_by("created_at")

    assert [one for one in steps(first) if "Bureau" in one] == ["Another try, by “Bureau”: delivered"]
    assert [one for one in steps(second) if "Acme" in one] == ["Another try, by “Acme”: undelivered"]
    assert facts(first, "Delivery report")["what to do"].startswith("Have the vendor file the signature")
    both = steps(Verification.objects.get())
    assert [one.partition(" +")[0] for one in both if "report" in one] == [
        "Delivery report: undelivered",
        "Delivery report: delivered",
    ]


@pytest.mark.parametrize(
    ("error", "title", "why"),
    [
        (
            GatewayRejected("余额不足", reason=Reason.ACCOUNT, error_code="5"),
            "“Acme” refused it",
            {"vendor's code": "5", "vendor's words": "余额不足"},
        ),
        (
            GatewayRejected("a value may not contain emoji at this vendor", reason=Reason.CONTENT, error_code="value"),
            "It was not sent",
            {"why, as this site says": "a value may not contain emoji at this vendor"},
        ),
        (
            GatewayUnavailable("106.ihuyi.com could not be reached (ConnectTimeout)"),
            "“Acme” could not be reached",
            {"why, as this site says": "106.ihuyi.com could not be reached (ConnectTimeout)"},
        ),
        (
            GatewayUncertain("系统繁忙", error_code="500"),
            "The answer of “Acme” was lost: it may have been sent or not",
            {"vendor's code": "500", "vendor's words": "系统繁忙"},
        ),
    ],
)
def test_whose_words_say_why_it_failed(error: GatewayError, title: str, why: dict[str, str]) -> None:
    FlakyGateway.error = error
    ask()
    message = Message.objects.get()

    told = facts(message, title)
    told.pop("reason", None)
    assert told == why
    ends = [step for step in steps(message) if "expired" in step or "valid until" in step]
    assert bool(ends) is (message.status == "unknown"), "nobody has a code that was not sent"


def test_a_code_ends(clock: Clock) -> None:  # noqa: F811
    ask()
    assert steps(Message.objects.get())[-1] == "The code is valid until then +5 min"
    clock.shift(400)

    assert steps(Message.objects.get())[-1] == "The code expired, and was not entered +5 min"


@pytest.mark.parametrize("deletes_records", [False, True])
def test_a_code_that_forgetting_the_number_has_ended(deletes_records: bool, clock: Clock) -> None:  # noqa: F811
    """It did not expire, and nobody can be asked any more."""
    ask()
    clock.shift(20)
    reported(delivered=True)
    clock.shift(70)
    forget_person(PHONE, deletes_records=deletes_records)
    told = of_message(Message.objects.get())

    assert steps(Message.objects.get())[-1].startswith("The number was forgotten as its owner asked")
    assert told.advice == advice.FORGOTTEN
    assert told.conclusion is not None
    assert [step.words for step in told.conclusion.steps] == [advice.FORGOTTEN]


def test_a_proof_that_forgetting_the_number_may_have_ended_is_not_said_to_be_used(clock: Clock) -> None:  # noqa: F811
    ask()
    enter(last_code())
    clock.shift(20)
    forget_person(PHONE)

    assert "The proof of it was used, or ended when the number was forgotten" in " ".join(steps(Message.objects.get()))


def test_a_code_that_expired_before_its_number_was_forgotten(clock: Clock) -> None:  # noqa: F811
    ask()
    clock.shift(400)
    reported(delivered=True)
    forget_person(PHONE)

    assert "The code expired, and was not entered" in " ".join(steps(Message.objects.get()))


def test_all_guesses_are_used_up(clock: Clock) -> None:  # noqa: F811
    ask()
    for _ in range(5):
        clock.shift(2)
        enter(wrong(last_code()))

    assert "5 wrong codes were entered, and no guess is left +10 s" in steps(Message.objects.get())


def test_a_queue_and_its_end(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(dispatch, "_enqueue", lambda ids: None)
    with override_settings(SMSVERIFY={**SITE, "DISPATCH": "celery"}):
        ask()
        assert steps(Message.objects.get())[:2] == ["A code for “login” was asked for", "Put into the queue"]
        clock.shift(900)
        poll()

    message = Message.objects.get()
    assert steps(message)[-1] == "It was not sent +15 min"
    assert facts(message, "It was not sent")["why, as this site says"].startswith("while it was queued the code")


def test_a_notice_and_a_reply_to_it(clock: Clock, acme: Provider) -> None:  # noqa: F811
    notice = add_template(acme, "shipped", "您的订单已发货。", "")
    send_message(notice, {PHONE: {}}, batch="friday")
    message = Message.objects.get()
    clock.shift(60)
    Reply.objects.create(
        provider=acme, message=message, phone=PHONE, content="回电 13800138000", fingerprint=message.pk
    )

    assert steps(message)[0] == "A notice for “shipped” was sent in the batch “friday”"
    assert facts(message, "A reply came from the phone")["content"] == "回电 138****8000"


def test_a_request_that_joined_a_live_code_shows_its_sms() -> None:
    ask()
    root = Verification.objects.get()
    joined = Verification.objects.create(
        root=root,
        recipient=Recipient.objects.get(),
        phone=PHONE,
        purpose="login",
        code_length=6,
        max_attempts=5,
        expires_at=root.expires_at,
    )

    assert "“Acme” accepted it" in steps(joined)


def test_a_test_number_got_nothing(clock: Clock) -> None:  # noqa: F811
    TestNumber.objects.create(phone=PHONE, expires_at=timezone.now() + timedelta(days=1))
    with override_settings(SMSVERIFY={**SITE, "ALLOW_TEST_NUMBERS": True}):
        assert are_allowed()
        send_code(PHONE, "login")

        told = of_verification(Verification.objects.get())

    assert "Nothing was sent, as it was a test number" in [step.title for step in told.steps]
    assert "as it was a test number" in told.sentence


class TestPage:
    @pytest.fixture
    def message(self, clock: Clock) -> Message:  # noqa: F811
        ask()
        clock.shift(4)
        reported("SIGNERR")
        return Message.objects.get()

    def person(self, *codenames: str) -> Client:
        user = User.objects.create_user("person", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client = Client()
        client.force_login(user)
        return client

    def text(self, client: Client, row: Any) -> str:
        found = client.get(page(row, "change"), headers={"accept-language": "en"})
        assert found.status_code == 200
        return html.unescape(found.content.decode())

    def test_the_sentence_is_that_of_the_command_with_what_to_do(self, message: Message, admin_client: Client) -> None:
        shown, told = self.text(admin_client, message), of_message(message)

        assert f'<p class="sentence">{told.sentence}</p>' in shown
        assert told.conclusion is not None
        assert f'<p class="sentence">{told.conclusion.words}</p>' in shown
        filings = '<a href="/admin/smsverify/signature/">Open “Signatures”</a>'
        assert f'<p class="advice">{told.advice} {filings}</p>' in shown

    def test_the_steps_have_times_durations_and_links(self, message: Message, admin_client: Client) -> None:
        shown = self.text(admin_client, message)
        report = DeliveryReport.objects.get()

        assert re.search(r'<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d</time> <span class="after"[^>]*>\+4.0 s</span>', shown)
        assert f'<a href="{page(report, "change")}">Delivery report: undelivered</a>' in shown
        assert '<li class="bad">' in shown

    def test_the_technical_fields_are_folded_up(self, message: Message, admin_client: Client) -> None:
        shown = self.text(admin_client, message)

        assert re.search(r"<fieldset[^>]*collapse[^>]*>\s*<details>\s*<summary>", shown)
        assert message.pk.hex in shown.replace("-", "")

    def test_who_may_view_messages_alone_sees_what_these_tell(self, message: Message) -> None:
        shown = self.text(self.person("view_message"), message)

        assert "“Acme” accepted it" in shown
        assert not any(hidden in shown for hidden in ("Delivery report:", "valid until", 'class="sentence"'))

    def test_each_kind_of_step_needs_its_own_permission(self, message: Message) -> None:
        shown = self.text(self.person("view_message", "view_deliveryreport", "view_verification"), message)

        assert "Delivery report:" in shown
        assert "valid until" in shown
        assert 'class="sentence"' not in shown, "which also tells of refused requests"
