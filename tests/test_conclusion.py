"""How it ended, in one sentence above the story of a number or a message, what to do next, and where."""

from __future__ import annotations

import re
from contextlib import suppress
from html import unescape
from uuid import uuid4

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.test import Client, override_settings
from django.utils import timezone

from django_smsverify.enums import Reason, Refused
from django_smsverify.exceptions import GatewayRejected, GatewayUnavailable, SMSVerifyError
from django_smsverify.journal import advice
from django_smsverify.journal.refusal_sentences import ADVICE
from django_smsverify.journal.story import tell
from django_smsverify.journal.timeline import of_message
from django_smsverify.models import Message, Provider, Refusal, Verification
from django_smsverify.sending import resend_code, send_message

from .conftest import PHONE, add_template, last_code
from .test_circuits import FlakyGateway
from .test_story import SITE, acme, ask, bureau, clock, enter, reported, take_another_way  # noqa: F401

pytestmark = pytest.mark.django_db(transaction=True)

Clock = time_machine.Traveller
NO_BALANCE = GatewayRejected("balance is not enough", reason=Reason.ACCOUNT, error_code="4051")
REFUSED_BY_ACME = "“Acme” refused it: 4051 balance is not enough (account: key, balance, address or contract)"


@pytest.fixture(autouse=True)
def _now(acme: Provider, clock: Clock) -> None:  # noqa: F811
    """Each test begins with a provider and a clock that stands."""


def concluded() -> str:
    return tell(PHONE).conclusion.words


def next_steps() -> list[tuple[str, str]]:
    """What to do, and the page where it is done."""
    steps = tell(PHONE).conclusion.steps
    return [(str(step.words), step.place.name if step.place else "") for step in steps]


def test_the_second_vendor_delivered_what_the_first_refused(bureau: Provider, clock: Clock) -> None:  # noqa: F811
    FlakyGateway.error = NO_BALANCE
    ask()
    clock.shift(5)
    reported(delivered=True)
    clock.shift(100)

    assert concluded() == (
        f"The code for “login” arrived, sent by “Bureau”; {REFUSED_BY_ACME}; the code is valid for another 3 min."
    )
    account = str(advice.REFUSED[Reason.ACCOUNT] % {"slug": "acme"})
    assert next_steps() == [(advice.ON_THE_PHONE, ""), (account, "Acme")]

    enter(last_code())
    assert concluded() == f"The code for “login” was entered in the end, sent by “Bureau”; {REFUSED_BY_ACME}."
    assert next_steps() == [(account, "Acme")]


def test_both_vendors_refused(bureau: Provider) -> None:  # noqa: F811
    FlakyGateway.error = NO_BALANCE
    Provider.objects.update(gateway="flaky")
    ask()

    second = REFUSED_BY_ACME.replace("Acme", "Bureau")
    assert concluded() == f"The code for “login” was not sent; {REFUSED_BY_ACME}; {second}."
    assert [where for _what, where in next_steps()] == ["Bureau", "Acme"]


def test_the_carrier_let_the_first_fall_and_the_second_arrived(bureau: Provider, clock: Clock) -> None:  # noqa: F811
    take_another_way(clock)
    first, second = Message.objects.order_by("created_at")

    words = (
        "The code for “login” arrived, sent by “Bureau”; what “Acme” sent was not delivered: the signature is not "
        "filed with the carrier; the code is valid for another 4 min."
    )
    assert [concluded(), *(_words(one) for one in (first, second))] == [words] * 3
    assert next_steps()[1][1] == "Signatures"


def test_what_arrived_counts_when_a_later_sms_with_the_code_failed(clock: Clock) -> None:  # noqa: F811
    FlakyGateway.error = None
    ask()
    clock.shift(5)
    reported(delivered=True)
    clock.shift(60)
    FlakyGateway.error = NO_BALANCE
    with suppress(SMSVerifyError):
        resend_code(Verification.objects.get().pk)

    assert concluded().startswith("The code for “login” arrived, sent by “Acme”; " + REFUSED_BY_ACME)
    assert next_steps()[0] == (str(advice.ON_THE_PHONE), "")


def test_when_all_went_well_there_is_nothing_to_do(clock: Clock) -> None:  # noqa: F811
    FlakyGateway.error = None
    ask()
    clock.shift(5)
    reported(delivered=True)
    enter(last_code())

    assert concluded() == "The code for “login” was entered in the end, sent by “Acme”."
    assert next_steps() == [(str(advice.NOTHING), "")]


def _words(message: Message) -> str:
    conclusion = of_message(message).conclusion
    return conclusion.words if conclusion else ""


def test_while_one_waits_there_is_no_page_to_open() -> None:
    ask()

    assert next_steps() == [(str(advice.WAIT), "")]


def test_no_vendor_was_reached() -> None:
    FlakyGateway.error = GatewayUnavailable("connection refused")
    ask()

    assert concluded() == "The code for “login” was not sent; “Acme” could not be reached (connection refused)."
    assert next_steps()[0][1] == "Acme"


def test_all_requests_were_refused() -> None:
    with override_settings(SMSVERIFY={**SITE, "GLOBAL_LIMITS": ("1/h",)}):
        ask("+8613900139000")
        ask()

    assert concluded() == (
        "The last request, at 2026-11-27 20:00:00, was refused, and no SMS was sent for it: the site had sent as many "
        "SMS as it may (GLOBAL_LIMITS); no SMS was sent to this number in this time."
    )
    assert next_steps() == [(str(ADVICE[Refused.GLOBAL]), "")]


def test_a_request_in_the_pause_after_an_sms_that_failed(clock: Clock) -> None:  # noqa: F811
    FlakyGateway.error = None
    ask()
    clock.shift(6)
    reported("SIGNERR")
    ask()

    assert concluded() == (
        "The last request, at 2026-11-27 20:00:06, was refused, and no SMS was sent for it: the pause of 60 seconds "
        "after the SMS before was not over; a new code can be asked for in 54 s; of the SMS before it: the code for "
        "“login” did not arrive; what “Acme” sent was not delivered: the signature is not filed with the carrier."
    )
    assert [where for _what, where in next_steps()] == ["", "Signatures"]

    clock.shift(54)
    assert "was not over; that pause is over by now, so a new code can be asked for as far as it goes" in concluded()


def test_nothing_is_stored_of_the_number_itself() -> None:
    assert concluded() == "No code was asked for in this time."
    assert next_steps() == [
        ("Ask the person which number was entered, and look whether the page reaches this site.", "")
    ]

    now = timezone.now()
    Refusal.objects.create(id=uuid4(), reason=Refused.NO_CACHE, first_at=now, last_at=now)
    assert concluded() == (
        "Nothing is stored of this number, but requests of any number were refused, last at 2026-11-27 20:00:00: the "
        "cache that keeps the limits did not answer."
    )


def test_a_notice_after_a_code_hides_nothing(clock: Clock) -> None:  # noqa: F811
    FlakyGateway.error = NO_BALANCE
    ask()
    FlakyGateway.error = None
    clock.shift(61)
    send_message(add_template(Provider.objects.get(), "news", "您的订单已发货", ""), {PHONE: {}})

    assert concluded().startswith("The code for “login” was not sent; ")
    assert _words(Message.objects.latest("created_at")) == (
        "Whether it arrived is not known: the notice for “news” was accepted by “Acme”."
    )


class TestPage:
    """Above the story, with links to what the user may see."""

    def shown(self, *codenames: str) -> str:
        user = User.objects.create_user("person", is_staff=True)
        told = ("view_message", "view_verification", "view_refusal")
        user.user_permissions.set(Permission.objects.filter(codename__in=(*told, *codenames)))
        client = Client()
        client.force_login(user)
        found = client.post(
            "/admin/smsverify/message/explain/",
            {"whom": PHONE, "days": 7},
            follow=True,
            headers={"accept-language": "en"},
        )
        return unescape(found.content.decode())

    @pytest.fixture(autouse=True)
    def _refused(self) -> None:
        FlakyGateway.error = NO_BALANCE
        ask()

    def test_the_conclusion_is_the_first_line_of_the_answer(self) -> None:
        shown = self.shown("view_provider")

        answer = shown[shown.index("<h2>138****8000") :]
        assert re.findall("<(?:p|li)[^>]*>([^<]*)", answer)[0] == concluded()
        page = f"/admin/smsverify/provider/{Provider.objects.get().pk}/change/"
        assert f'<a href="{page}">Open “Acme”</a>' in answer

    def test_who_may_not_see_the_provider_gets_no_link(self) -> None:
        shown = self.shown()

        assert concluded() in shown
        assert "Open “" not in shown
