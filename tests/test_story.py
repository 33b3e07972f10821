"""Twenty stories of "I got no code", as they happen at a site, and the sentence that explains each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from textwrap import indent
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.core.management import call_command
from django.test import Client, override_settings
from django.utils import timezone, translation

from django_smsverify.carriers.causes import Advice
from django_smsverify.enums import DeliveryOutcome, Reason, Refused, ReviewStatus
from django_smsverify.exceptions import GatewayRejected, GatewayUnavailable, GatewayUncertain, SMSVerifyError
from django_smsverify.journal import advice
from django_smsverify.journal.records import MOST, MOST_OF_ALL
from django_smsverify.journal.refusal_sentences import ADVICE
from django_smsverify.journal.story import tell
from django_smsverify.limits import refusals, tally
from django_smsverify.models import Message, Provider, Refusal, Template, Verification
from django_smsverify.polling.poll import poll
from django_smsverify.sending import dispatch, resend_code, send_code, send_message
from django_smsverify.sending.by_hand import send_code_by
from django_smsverify.verifying import verify_code

from .conftest import PHONE, MakeProvider, add_template, last_code, wrong
from .joined_threads import threads
from .test_circuits import FlakyGateway
from .test_storing_reports import DELIVERED, UNDELIVERED, push, report

Clock = time_machine.Traveller
pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
SITE = {"GATEWAYS": {"flaky": "tests.test_circuits.FlakyGateway"}}
OTHER = "+8613900139000"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[time_machine.Traveller]:
    monkeypatch.setattr(refusals, "_outage_stored_at", -refusals.OUTAGE_PAUSE)
    with time_machine.travel(NOW, tick=False) as traveller, override_settings(SMSVERIFY=SITE):
        FlakyGateway.error, FlakyGateway.calls = None, 0
        yield traveller


@pytest.fixture
def acme(memory: MakeProvider) -> Provider:
    """The first way, whose vendor can be made to fail."""
    provider = memory("login", slug="acme", priority=1)
    Provider.objects.filter(pk=provider.pk).update(name="Acme", gateway="flaky")
    return Provider.objects.get(pk=provider.pk)


@pytest.fixture
def bureau(memory: MakeProvider) -> Provider:
    """The second way."""
    provider = memory("login", slug="bureau", priority=2)
    Provider.objects.filter(pk=provider.pk).update(name="Bureau")
    return provider


def said() -> list[str]:
    """The sentences, newest first."""
    return [entry.sentence for entry in tell(PHONE).entries]


def advised() -> list[object]:
    """What to do about each."""
    return [str(entry.advice) for entry in tell(PHONE).entries]


def ask(phone: str = PHONE, **asked: Any) -> None:
    """A person asks for a code, and may be refused."""
    with suppress(SMSVerifyError):
        send_code(phone, **{"purpose": "login", **asked})


def reported(code: str = "DELIVRD", *, delivered: bool = False, message: Message | None = None) -> None:
    """The vendor reports on the newest SMS; what follows is sent."""
    message = message or Message.objects.order_by("created_at", "attempt").last()
    assert message is not None
    outcome = DELIVERED if delivered else UNDELIVERED
    push(message.provider, report(message.remote_id, outcome, code, occurred_at=timezone.now()))
    threads.join()


def take_another_way(clock: Clock) -> None:
    """A person asks; the first SMS fails after six seconds, the second arrives four seconds later."""
    ask()
    clock.shift(6)
    reported("SIGNERR")
    clock.shift(4)
    reported(delivered=True)


def enter(code: str) -> None:
    """A person enters a code for the newest request."""
    with suppress(SMSVerifyError):
        verify_code(Verification.objects.latest("created_at").pk, code)


ASKED = "A code for “login” was asked for; “Acme” accepted it; "
ASKED_ONLY = "A code for “login” was asked for; "
REFUSED = "A code for “login” was asked for, and no SMS was sent: "
FOUR_MINUTES = "the code is valid for another 4 min."
NOT_DELIVERED = "China Mobile reported after %d s that it was not delivered (%s): %s"
UNFILED = NOT_DELIVERED % (6, "SIGNERR", "the signature is not filed with the carrier; ")
FILE = Advice.FILE_SIGNATURE.label


class TestTheSMSArrived:
    @pytest.fixture(autouse=True)
    def _arrived(self, acme: Provider, clock: Clock) -> None:
        ask()
        clock.shift(4)
        reported(delivered=True)

    def test_and_its_code_was_entered(self, clock: Clock) -> None:
        clock.shift(17)
        enter(last_code())

        entered = "China Mobile delivered it after 4 s; the right code was entered 21 s later."
        assert (said(), advised()) == ([ASKED + entered], [advice.NOTHING])

    def test_and_its_code_was_not_entered(self, clock: Clock) -> None:
        assert said() == [ASKED + "China Mobile delivered it after 4 s; " + FOUR_MINUTES]
        assert advised() == [advice.WAIT]  # the person reads it
        clock.shift(55)
        assert advised() == [advice.WAIT]
        clock.shift(1)
        assert advised() == [advice.ON_THE_PHONE]
        clock.shift(544)

        assert said() == [ASKED + "China Mobile delivered it after 4 s; no code was entered."]
        assert advised() == [f"{advice.ON_THE_PHONE} {advice.EXPIRED}"]

    def test_and_other_codes_were_entered(self) -> None:
        enter(wrong(last_code()))
        assert said() == [ASKED + "China Mobile delivered it after 4 s; 1 wrong code was entered, " + FOUR_MINUTES]
        assert advised() == [advice.WRONG]

        for _ in range(4):
            enter(wrong(last_code()))
        assert said() == [ASKED + "China Mobile delivered it after 4 s; all guesses were used up by wrong codes."]
        assert advised() == [advice.USED_UP]

    def test_and_the_right_code_came_after_wrong_ones(self) -> None:
        enter(wrong(last_code()))
        enter(wrong(last_code()))
        enter(last_code())

        at_last = "2 wrong codes were entered, then the right one, 4 s later."
        assert said() == [ASKED + "China Mobile delivered it after 4 s; " + at_last]
        assert advised() == [advice.NOTHING]


def test_the_sms_arrived_when_the_code_had_expired(acme: Provider, clock: Clock) -> None:
    ask()
    clock.shift(900)
    reported(delivered=True)

    assert said() == [ASKED + "China Mobile delivered it after 15 min; no code was entered."]
    assert advised() == [advice.LATE]


class TestThePhoneIsTheCause:
    @pytest.mark.parametrize(
        ("code", "cause", "next_", "what"),
        [
            ("MK:0010", "the phone is off or out of reach", "PHONE", Advice.ASK_AGAIN),
            ("MK:0017", "the phone's memory is full", "PHONE", Advice.FREE_MEMORY),
            ("DB:0141", "the number is on a blacklist", "NOTHING", Advice.CARRIER_LIST),
        ],
        ids=["off", "full", "blacklisted"],
    )
    def test_as_the_carrier_reports(
        self, code: str, cause: str, next_: str, what: Advice, acme: Provider, bureau: Provider, clock: Clock
    ) -> None:
        ask()
        clock.shift(8)
        reported(code)

        why = NOT_DELIVERED % (8, code, f"{cause}; ")
        then = {
            "PHONE": "no other provider was tried, as the phone is the cause; ",
            "NOTHING": "no other provider was tried; ",
        }
        assert said() == [ASKED + why + then[next_] + FOUR_MINUTES]
        assert advised() == [what.label]

    def test_as_the_vendor_says(self, acme: Provider, bureau: Provider) -> None:
        FlakyGateway.error = GatewayRejected("mobile is wrong", reason=Reason.RECIPIENT, error_code="406")
        ask()

        assert said() == [
            ASKED_ONLY + "“Acme” refused it: 406 mobile is wrong (recipient: the number cannot be served); "
            "no other provider was tried, as the number is the cause."
        ]
        assert advised() == [advice.REFUSED[Reason.RECIPIENT]]


class TestTheWayIsTheCause:
    def test_the_signature_is_not_filed_and_the_code_took_another_way(
        self, acme: Provider, bureau: Provider, clock: Clock
    ) -> None:
        take_another_way(clock)
        clock.shift(9)
        enter(last_code())

        entered = "the right code was entered"
        another_way = "The code for “login” took another way, because the SMS before it was not delivered; "
        assert said() == [
            f"{another_way}“Bureau” accepted it; China Mobile delivered it after 4 s; {entered} 13 s later.",
            f"{ASKED}{UNFILED}then it was tried by “Bureau”: delivered; {entered} 19 s later.",
        ]
        assert advised() == [advice.NOTHING, FILE]

    def test_the_signature_is_not_filed_and_there_is_no_other_way(self, acme: Provider, clock: Clock) -> None:
        ask()
        clock.shift(6)
        reported("SIGNERR")
        clock.shift(600)

        assert said() == [f"{ASKED}{UNFILED}no other provider was tried; no code was entered."]
        assert advised() == [FILE]

    def test_the_first_arrived_after_all(self, acme: Provider, bureau: Provider, clock: Clock) -> None:
        take_another_way(clock)
        reported(delivered=True, message=Message.objects.get(follows=None))

        both = "China Mobile delivered it after 10 s; a failure was reported, too; "
        assert said()[1] == f"{ASKED}{both}then it was tried by “Bureau”: delivered; {FOUR_MINUTES}"
        clock.shift(60)
        assert advised()[1] == advice.ON_THE_PHONE

    def test_an_account_has_no_balance_and_the_next_one_sends(
        self, acme: Provider, bureau: Provider, clock: Clock
    ) -> None:
        FlakyGateway.error = GatewayRejected("balance is not enough", reason=Reason.ACCOUNT, error_code="4051")
        ask()
        clock.shift(5)
        reported(delivered=True)

        another_way = "The code for “login” took another way, because the provider before had not taken it; "
        refused = "“Acme” refused it: 4051 balance is not enough (account: key, balance, address or contract); "
        assert said() == [
            f"{another_way}“Bureau” accepted it; China Mobile delivered it after 5 s; {FOUR_MINUTES}",
            f"{ASKED_ONLY}{refused}then it was tried by “Bureau”: delivered; {FOUR_MINUTES}",
        ]
        assert advised() == [
            advice.WAIT,
            "Look at key, balance and allowed addresses of the account: press “Test” on the page of the provider.",
        ]

    def test_no_vendor_can_be_reached(self, acme: Provider) -> None:
        FlakyGateway.error = GatewayUnavailable("connection refused")
        ask()

        unreached = "“Acme” could not be reached (connection refused); no other provider was tried."
        assert said() == [f"{ASKED_ONLY}{unreached}"]
        assert advised() == [advice.NOT_REACHED]

    def test_the_answer_was_lost(self, acme: Provider, bureau: Provider, clock: Clock) -> None:
        FlakyGateway.error = GatewayUncertain("no answer within 10 s")
        ask()
        clock.shift(60)

        lost = "the answer of “Acme” was lost: it may have been sent or not (no answer within 10 s); "
        assert said() == [ASKED_ONLY + lost + FOUR_MINUTES]
        assert advised() == [advice.LOST]

    @pytest.mark.slow
    def test_no_report_has_come(self, acme: Provider, clock: Clock) -> None:
        ask()
        clock.shift(59)
        assert said() == [f"{ASKED}no report has come for 59 s; {FOUR_MINUTES}"]
        assert advised() == [advice.WAIT]
        clock.shift(61)
        assert said() == [f"{ASKED}no report has come for 2 min; the code is valid for another 3 min."]
        assert advised() == [advice.NO_REPORT]

        clock.shift(timedelta(days=4))
        poll()
        assert said() == [f"{ASKED}no report of its delivery ever came; no code was entered."]
        assert advised() == [f"{advice.NO_REPORT} {advice.EXPIRED}"]

    def test_no_worker_runs(self, acme: Provider, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(dispatch, "_enqueue", lambda ids: None)
        with override_settings(SMSVERIFY={**SITE, "DISPATCH": "celery"}):
            ask()
            waits = "it still waits to be sent by “Acme”; the code is valid for another "
            assert said() == [f"{ASKED_ONLY}{waits}5 min."]
            assert advised() == [advice.WAIT]
            clock.shift(90)
            assert said() == [f"{ASKED_ONLY}{waits}3 min."]
            assert advised() == [advice.WAITING]
            clock.shift(900)
            poll()

        withdrawn = "it was not sent: while it was queued the code was no longer of use: expired."
        assert said() == [ASKED_ONLY + withdrawn]
        assert advised() == [advice.WITHDRAWN]


class TestTheRequestWasRefused:
    def test_in_the_pause(self, acme: Provider, clock: Clock) -> None:
        ask()
        clock.shift(10)
        ask()
        pause = "the pause of 60 seconds after the SMS before was not over."
        assert said()[0] == REFUSED + pause

        ask()
        ask()
        assert said() == [
            "Codes were asked for at least 2 times until 2026-11-27 20:00:10, the first for “login”, and no SMS was "
            f"sent: {pause}",
            f"{ASKED}no report has come for 10 s; {FOUR_MINUTES}",
        ]
        assert advised() == [ADVICE[Refused.RESEND], advice.WAIT]

    def test_after_too_many_sms(self, acme: Provider, clock: Clock) -> None:
        for _ in range(6):
            ask()
            clock.shift(61)

        assert len(said()) == 6
        assert said()[0] == REFUSED + "the number had got as many SMS as it may (PHONE_LIMITS)."
        assert advised()[0] == ADVICE[Refused.PHONE]

    @pytest.mark.parametrize(
        ("limit", "why", "reason"),
        [
            ("IP_LIMITS", "that network address had asked for as many codes as one may", Refused.IP),
            ("PREFIX_LIMITS", "the numbers with the same first digits had got as many SMS as they may", Refused.PREFIX),
            ("GLOBAL_LIMITS", "the site had sent as many SMS as it may", Refused.GLOBAL),
        ],
    )
    def test_by_a_limit_that_others_used_up(self, limit: str, why: str, reason: Refused, acme: Provider) -> None:
        with override_settings(SMSVERIFY={**SITE, limit: ("1/h",)}):
            ask("+8613800138001", ip="203.0.113.1")
            ask(ip="203.0.113.1")

        assert said() == [f"{REFUSED}{why} ({limit})."]
        assert advised() == [ADVICE[reason]]

    def test_without_a_captcha(self, acme: Provider, client: Client) -> None:
        with override_settings(SMSVERIFY={**SITE, "CAPTCHA": "django_smsverify.conf._refuse"}):
            client.post("/sms/send/", {"phone": PHONE, "purpose": "login"}, "application/json")

        assert said() == [REFUSED + "no captcha was solved."]
        assert advised() == [ADVICE[Refused.CAPTCHA]]

    def test_while_the_cache_was_dead(self, acme: Provider) -> None:
        with override_settings(CACHES={"default": {"BACKEND": "tests.test_limits.DeadCache"}}):
            ask()

        assert said() == [
            "Requests of any number were refused between 2026-11-27 20:00:00 and 2026-11-27 20:00:00, some or all: the "
            "cache that keeps the limits did not answer."
        ]
        assert advised() == [ADVICE[Refused.NO_CACHE]]

    def test_for_a_purpose_without_a_usable_template(self, acme: Provider) -> None:
        Template.objects.update(status=ReviewStatus.PENDING)
        ask()

        assert said() == [REFUSED + "no provider could send for that purpose."]
        assert advised() == [ADVICE[Refused.NO_ROUTE]]
        assert tell(PHONE).present[-1] == "No provider can send it a code for: login."

    def test_for_a_purpose_that_the_page_invented(self, acme: Provider) -> None:
        ask(purpose="signin")

        there_is_none = "and no SMS was sent: there is no template with a code for that purpose."
        assert said() == [f"A code for “signin” was asked for, {there_is_none}"]
        assert advised() == [ADVICE[Refused.UNKNOWN_PURPOSE]]

    def test_for_a_region_to_which_nobody_sends(self, acme: Provider) -> None:
        Provider.objects.update(regions=["HK"])
        ask()

        assert said() == [REFUSED + "no provider sends to that region."]
        assert advised() == [ADVICE[Refused.NOT_SUPPORTED]]

    def test_among_more_numbers_than_are_stored(self, acme: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in (tally, refusals):
            monkeypatch.setattr(module, "MOST_SUBJECTS", 0)
        ask()
        ask()

        assert said()[0] == (
            "More numbers were refused in this hour than are stored one by one, and this number may be among them: "
            "1 requests or more, between 2026-11-27 20:00:00 and 2026-11-27 20:00:00."
        )
        assert advised()[0] == ADVICE[Refused.OTHERS]


class TestReports:
    """A report may come long after the SMS, or about another try."""

    def push(self, sms: Message, outcome: DeliveryOutcome, code: str = "1", **fields: Any) -> None:
        push(sms.provider, report(sms.remote_id, outcome, code, **fields))
        threads.join()

    def test_a_late_report_does_not_make_the_sms_late(self, acme: Provider, clock: Clock) -> None:
        ask()
        sms, arrived = Message.objects.get(), timezone.now() + timedelta(seconds=3)
        clock.shift(2400)
        self.push(sms, DELIVERED, occurred_at=arrived)

        assert said() == [ASKED + "China Mobile delivered it after 3 s; no code was entered."]
        assert advised() == [f"{advice.ON_THE_PHONE} {advice.EXPIRED}"]

    @pytest.mark.parametrize("occurred_at", [None, NOW - timedelta(hours=8), NOW + timedelta(hours=8)])
    def test_a_report_without_a_time_that_can_be(
        self, occurred_at: datetime | None, acme: Provider, clock: Clock
    ) -> None:
        """Some vendors give none, some give one in another time zone."""
        ask()
        clock.shift(2400)
        self.push(Message.objects.get(), DELIVERED, occurred_at=occurred_at)

        assert said() == [ASKED + "China Mobile reported after 40 min that it was delivered; no code was entered."]
        assert advised() == [f"{advice.ON_THE_PHONE} {advice.EXPIRED}"]

    def test_a_failure_of_the_first_is_followed_although_another_request_came_between(
        self, acme: Provider, bureau: Provider, clock: Clock
    ) -> None:
        ask()
        first = Message.objects.get()
        clock.shift(61)
        Provider.objects.filter(pk=bureau.pk).update(gateway="flaky")
        FlakyGateway.error = GatewayUnavailable("connection refused")
        ask()
        FlakyGateway.error = None
        clock.shift(1)
        self.push(first, UNDELIVERED, "SIGNERR")

        assert Message.objects.filter(follows=first.pk).exists()
        assert "then it was tried by “Bureau”: accepted" in said()[-1]

    def test_a_failure_that_is_reported_after_the_right_code(
        self, acme: Provider, bureau: Provider, clock: Clock
    ) -> None:
        ask()
        clock.shift(5)
        enter(last_code())
        clock.shift(5)
        self.push(Message.objects.get(), UNDELIVERED, "SIGNERR")

        why = NOT_DELIVERED % (10, "SIGNERR", "the signature is not filed with the carrier; ")
        assert said() == [ASKED + why + "the right code was entered 5 s later."]

    def test_a_failure_before_the_code_was_asked_for_again(self, acme: Provider, clock: Clock) -> None:
        ask()
        clock.shift(6)
        self.push(Message.objects.get(), UNDELIVERED, "SIGNERR")
        clock.shift(60)
        ask()

        assert said()[-1] == ASKED + UNFILED + "the code is valid for another 5 min."


class TestOtherSMS:
    def test_a_notice_whose_answer_was_lost(self, acme: Provider, clock: Clock) -> None:
        FlakyGateway.error = GatewayUncertain("no answer within 10 s")
        send_message(add_template(acme, "order", "您的订单已发货", ""), {PHONE: {}})
        assert advised() == [advice.WAIT]

        clock.shift(61)
        assert advised() == [advice.ASK_THE_VENDOR]

    def test_a_notice(self, acme: Provider, clock: Clock) -> None:
        send_message(add_template(acme, "order", "您的订单已发货", ""), {PHONE: {}})
        clock.shift(3)
        reported(delivered=True)

        assert said() == ["A notice for “order” was sent; “Acme” accepted it; China Mobile delivered it after 3 s."]
        assert advised() == [advice.NOTHING]

    def test_an_operator_s_test(self, acme: Provider, clock: Clock) -> None:
        send_code_by(acme.templates.get(), PHONE)
        clock.shift(3)
        reported("MK:0010")

        failed = NOT_DELIVERED % (3, "MK:0010", "the phone is off or out of reach.")
        assert said() == [f"An operator tested the provider; “Acme” accepted it; {failed}"]
        assert advised() == [Advice.ASK_AGAIN.label]

    def test_a_probe(self, acme: Provider, clock: Clock) -> None:
        send_code_by(acme.templates.get(), PHONE, is_probe=True)
        clock.shift(3)
        reported(delivered=True)

        assert said() == ["A probe was sent; “Acme” accepted it; China Mobile delivered it after 3 s."]
        assert advised() == [advice.NOTHING]


class TestTheWholeStory:
    def test_a_code_that_was_asked_for_again(self, acme: Provider, bureau: Provider, clock: Clock) -> None:
        ask()
        clock.shift(70)
        resend_code(Verification.objects.get().pk)
        clock.shift(3)
        reported(delivered=True)

        again = "The code for “login” was asked for again; “Bureau” accepted it; China Mobile delivered it after 3 s; "
        assert said() == [
            again + FOUR_MINUTES,
            f"{ASKED}no report has come for 73 s; {FOUR_MINUTES}",
        ]

    def test_after_the_keys_were_rotated(self, acme: Provider, clock: Clock) -> None:
        send_code(PHONE, "login", context={"amount": 5})
        Verification.objects.update(key_id="0123456789abcdef")

        assert said() == [ASKED + "no report has come for 0 s; no code was entered."]

    def test_a_visitor_is_no_operator(self, acme: Provider, clock: Clock) -> None:
        send_code(PHONE, "login", context={"provider": "acme"})

        assert said()[0].startswith(ASKED)

    def test_a_wrong_code_by_now_expired(self, acme: Provider, clock: Clock) -> None:
        ask()
        enter(wrong(last_code()))
        clock.shift(301)

        assert said() == [ASKED + "no report has come for 5 min; 1 wrong code was entered."]
        assert advised() == [advice.EXPIRED]

    def test_guesses_of_a_code_whose_first_sms_is_older(self, acme: Provider, clock: Clock) -> None:
        ask()
        enter(wrong(last_code()))
        clock.shift(200)
        resend_code(Verification.objects.get().pk)
        clock.shift(86400 - 100)

        (only,) = tell(PHONE, days=1).entries
        assert only.sentence.endswith("; 1 wrong code was entered.")

    def test_refusals_of_all_numbers_hide_nothing(self, acme: Provider, clock: Clock) -> None:
        ask()
        clock.shift(5)
        ask()
        for hour in range(MOST + 1):
            at = NOW + timedelta(hours=hour)
            Refusal.objects.create(id=uuid4(), reason=Refused.OTHERS, first_at=at, last_at=at)
        clock.shift(timedelta(hours=MOST + 1))

        story = tell(PHONE)
        assert len(story.entries) == MOST_OF_ALL + 2
        assert not story.is_cut
        assert tell(OTHER).conclusion.words.startswith("Nothing is stored of this number")

    def test_the_owner_need_not_wait_for_what_strangers_used_up(self, acme: Provider, clock: Clock) -> None:
        with override_settings(SMSVERIFY={**SITE, "PHONE_LIMITS": ("4/h",)}):
            ask()
            enter(last_code())
            for _ in range(2):
                clock.shift(61)
                ask()
            clock.shift(61)

            assert tell(PHONE).present[-1] == (
                "It has not used up its own limits; without captcha and device token in 57 min (SMS to one number)."
            )

    def test_what_holds_now(self, acme: Provider, clock: Clock) -> None:
        mobile = "By its first digits it is a number of China Mobile, unless it was ported."
        assert tell(PHONE).present == [
            mobile,
            "It has not used up its own limits.",
        ]
        ask()
        clock.shift(8)
        assert tell(PHONE).present == [mobile, "It can get the next SMS in 52 s (pause between two SMS)."]

    def test_other_numbers_and_older_days_are_left_out(self, acme: Provider, clock: Clock) -> None:
        ask()
        ask(OTHER)
        clock.shift(timedelta(days=7, seconds=1))

        assert said() == []
        assert len(tell(PHONE, days=8).entries) == 1

    @pytest.mark.slow
    def test_only_the_newest_are_told(self, acme: Provider, clock: Clock) -> None:
        with override_settings(SMSVERIFY={**SITE, "PHONE_LIMITS": ()}):
            for _ in range(MOST + 1):
                ask()
                clock.shift(301)

        story = tell(PHONE)
        assert (len(story.entries), story.is_cut) == (MOST, True)
        assert story.entries[0].at > story.entries[-1].at

    def test_it_is_told_in_chinese(self, acme: Provider, bureau: Provider, clock: Clock) -> None:
        take_another_way(clock)
        ask()

        with translation.override("zh-hans"):
            words = [f"{sentence}{what}" for sentence, what in zip(said(), advised(), strict=True)]
        assert words == [
            "请求了“login”验证码，但未发送短信：距上一条短信的 60 秒间隔未到。"
            "请用户先找上一条短信，间隔过后再重新获取。",
            "因为前一条短信没有送达，“login”验证码改走另一条通道；“Bureau”已受理；中国移动在 4 秒后送达；"
            "验证码还有 4 分钟有效。请等一分钟再看。",
            "请求了“login”验证码；“Acme”已受理；中国移动在 6 秒后报告未送达（SIGNERR）：签名未在运营商报备；"
            "随后由“Bureau”再发：已送达；验证码还有 4 分钟有效。请服务商向该运营商报备签名；在此之前换服务商发送。",
        ]

    def test_it_is_read_in_few_statements(self, acme: Provider, clock: Clock, django_assert_num_queries: Any) -> None:
        for _ in range(3):
            ask()
            clock.shift(301)
        with django_assert_num_queries(15):
            tell(PHONE)


@pytest.mark.parametrize(
    ("page", "language", "names"),
    [
        ("docs/troubleshooting.rst", "en", ("Aliyun", "Tencent")),
        ("docs/zh-Hans/troubleshooting.rst", "zh-hans", ("阿里云", "腾讯云")),
    ],
)
def test_the_example_in_the_documentation(
    page: str, language: str, names: tuple[str, str], acme: Provider, bureau: Provider, clock: Clock
) -> None:
    for provider, name in zip((acme, bureau), names, strict=True):
        Provider.objects.filter(pk=provider.pk).update(name=name)
    clock.move_to(datetime(2026, 11, 28, 2, 2, 11, tzinfo=UTC))
    take_another_way(clock)
    clock.shift(9)
    enter(last_code())
    clock.shift(6)
    out = StringIO()
    call_command("smsverify_explain", PHONE, "--language", language, stdout=out)

    assert indent(out.getvalue(), "    ") in Path(page).read_text()
