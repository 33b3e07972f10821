"""A report and its message know the cause that the report's code stands for."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client, override_settings
from django.urls import reverse

from django_smsverify.carriers.causes import Advice
from django_smsverify.carriers.delivery_codes import HEADER
from django_smsverify.enums import Carrier, Cause, DeliveryOutcome
from django_smsverify.models import DeliveryReport, Message
from django_smsverify.signals import message_settled
from django_smsverify.types import Acceptance

from .conftest import LogRecorder, MakeProvider, record
from .test_storing_reports import DELIVERED, UNDELIVERED, push, report, sending, values_sent

pytestmark = pytest.mark.django_db(transaction=True)

UNICOM = "+8613000000000"


def causes() -> list[str]:
    """The causes of each message and of its reports, in order."""
    of_messages = Message.objects.order_by("remote_id").values_list("cause", flat=True)
    return [*of_messages, *DeliveryReport.objects.order_by("remote_id", "pk").values_list("cause", flat=True)]


def test_a_report_tells_its_message_the_cause(memory: MakeProvider) -> None:
    provider = memory()
    record(sending(provider), Acceptance(remote_id="42"))

    push(provider, report("42", UNDELIVERED, "MI:0020"))

    assert causes() == [Cause.INBOX_FULL, Cause.INBOX_FULL]


def test_a_report_that_is_earlier_than_the_answer_does_too(memory: MakeProvider) -> None:
    provider = memory()
    message = sending(provider)

    push(provider, report("42", UNDELIVERED, "MK:0012"))
    assert causes() == ["", Cause.PHONE_INVALID]
    record(message, Acceptance(remote_id="42"))

    assert causes() == [Cause.PHONE_INVALID, Cause.PHONE_INVALID]


def test_many_reports_of_one_push_have_each_its_own(memory: MakeProvider) -> None:
    provider = memory()
    for remote_id in "123":
        record(sending(provider), Acceptance(remote_id=remote_id))

    push(
        provider,
        report("1", UNDELIVERED, "DISTURB"),
        report("2", DELIVERED, "DELIVRD"),
        report("3", UNDELIVERED, "nobody knows"),
    )

    assert causes() == [Cause.FREQUENCY, Cause.DELIVERED, Cause.UNKNOWN] * 2


def test_the_report_that_gives_the_status_gives_the_cause(memory: MakeProvider) -> None:
    provider = memory()
    record(sending(provider), Acceptance(remote_id="42"))

    push(provider, report("42", UNDELIVERED, "MI:0020"))
    push(provider, report("42", UNDELIVERED, "MK:0012"))
    assert causes() == [Cause.INBOX_FULL, Cause.INBOX_FULL, Cause.PHONE_INVALID]
    push(provider, report("42", DELIVERED, "DELIVRD"))

    assert causes() == [Cause.DELIVERED, Cause.INBOX_FULL, Cause.PHONE_INVALID, Cause.DELIVERED]


@pytest.mark.parametrize("is_early", [False, True])
def test_receivers_of_the_signal_see_the_cause(is_early: bool, memory: MakeProvider) -> None:
    provider = memory()
    message = sending(provider)
    steps = [
        lambda: record(message, Acceptance(remote_id="42")),
        lambda: push(provider, report("42", UNDELIVERED, "MI:0020")),
    ]

    with values_sent(message_settled, "message") as settled:
        for step in reversed(steps) if is_early else steps:
            step()

    assert [one.cause for one in settled] == [Cause.INBOX_FULL]


def test_the_page_of_a_report_says_what_to_do(memory: MakeProvider, admin_client: Client) -> None:
    def advice(outcome: DeliveryOutcome) -> bool:
        push(memory(slug=outcome), report("42", outcome, "MI:0020"))
        row = DeliveryReport.objects.latest("pk")
        page = admin_client.get(reverse("admin:smsverify_deliveryreport_change", args=[row.pk])).content.decode()
        return str(Advice.FREE_MEMORY.label) in page

    assert (advice(UNDELIVERED), advice(DELIVERED)) == (True, False)


@pytest.mark.parametrize(
    ("outcome", "code", "expected"),
    [
        (DELIVERED, "MK:0012", Cause.DELIVERED),
        (DELIVERED, "", Cause.DELIVERED),
        (UNDELIVERED, "DELIVRD", Cause.UNKNOWN),
        (UNDELIVERED, "", Cause.UNKNOWN),
        (UNDELIVERED, "12", Cause.PHONE_INVALID),
    ],
)
def test_the_outcome_goes_before_the_code(
    outcome: DeliveryOutcome, code: str, expected: Cause, memory: MakeProvider
) -> None:
    push(memory(), report("42", outcome, code, phone=UNICOM))

    assert causes() == [expected]


@pytest.mark.parametrize(
    ("gateway", "code", "detail", "expected"),
    [
        ("aliyun", "MOBILE_IN_BLACK", "", Cause.RECIPIENT_BLACKLIST),
        ("tencent", "TE:0003", "", Cause.FREQUENCY),
        ("twilio", "30007", "", Cause.CONTENT_BLOCKED),
        ("apispace", "MK:0012", "", Cause.PHONE_INVALID),
        ("ihuyi", "1", "MK:0012", Cause.PHONE_INVALID),
        ("ihuyi", "12", "", Cause.UNKNOWN),
        ("topthink", "-1", "空号", Cause.UNKNOWN),
        ("topthink", "-1", "UNDELIV", Cause.PHONE_INVALID),
        ("veesing", "0", "", Cause.UNKNOWN),
        ("tencent", "MOBILE_IN_BLACK", "", Cause.UNKNOWN),
        ("is gone", "MK:0012", "", Cause.PHONE_INVALID),
    ],
)
def test_each_vendor_has_its_words_and_its_field_for_them(
    gateway: str, code: str, detail: str, expected: Cause, memory: MakeProvider
) -> None:
    provider = memory()
    provider.gateway = gateway

    push(provider, report("42", UNDELIVERED, code, detail=detail, phone=UNICOM))

    assert causes() == [expected]


def test_a_message_knows_the_carrier_of_its_number(memory: MakeProvider) -> None:
    provider = memory()
    numbers = {UNICOM: Carrier.UNICOM, "+8618900000000": Carrier.TELECOM, "+85291234567": ""}

    made = [sending(provider, phone=phone).carrier for phone in numbers]
    Message.objects.bulk_create(
        [Message(provider=provider, template=provider.templates.all()[0], phone="+8619200000000")]
    )

    assert made == list(numbers.values())
    assert Message.objects.get(phone="+8619200000000").carrier == Carrier.BROADNET
    message = Message.objects.get(phone=UNICOM)
    message.carrier = ""
    message.save()
    assert Message.objects.get(phone=UNICOM).carrier == ""


def test_the_table_of_a_site_goes_first(memory: MakeProvider, tmp_path: Path) -> None:
    (own := tmp_path / "own.csv").write_text(f"{HEADER}\nMK:0012,any,inbox_full,phone,free_memory,A,,\n")

    with override_settings(SMSVERIFY={"DELIVERY_CODES": own}):
        push(memory(), report("42", UNDELIVERED, "MK:0012"), report("43", UNDELIVERED, "MK:0017"))

    assert causes() == [Cause.INBOX_FULL, Cause.INBOX_FULL]


def test_a_table_that_cannot_be_read_loses_no_report(memory: MakeProvider, tmp_path: Path, log: LogRecorder) -> None:
    (own := tmp_path / "own.csv").write_text("nonsense\n1\n")

    with override_settings(SMSVERIFY={"DELIVERY_CODES": own}):
        push(memory(), report("42", UNDELIVERED, "MK:0012"), report("43", UNDELIVERED, "MK:0017"))

    assert causes() == [Cause.PHONE_INVALID, Cause.INBOX_FULL]
    assert log.text.count("The delivery codes of the site are not used: ") == 1
