"""The cost of one message: by its vendor's rule, with events in any order, at the price when it was sent."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
from django.test import override_settings
from django.urls import reverse
from django.utils import timezone
from sandbox import catalogue
from sandbox.faults import Fault
from sandbox.server import Sandbox, Travel
from sandbox.vendors import twilio

from django_smsverify.conf import BUILTIN_GATEWAYS
from django_smsverify.enums import Billing, DeliveryOutcome, MessageStatus
from django_smsverify.exceptions import GatewayRejected, GatewayUncertain
from django_smsverify.gateways.base import Outcome
from django_smsverify.masked import PerNumber
from django_smsverify.messages import claim, withdraw
from django_smsverify.models import Message, Provider
from django_smsverify.models.gateway_classes import gateway_class
from django_smsverify.money.costs import costs, today, total
from django_smsverify.polling.poll import poll
from django_smsverify.polling.recovery import give_up_stuck, settle_silent
from django_smsverify.reports.matching import REPORTS_EXPIRE_AFTER
from django_smsverify.sending import send_code, send_message
from django_smsverify.sending.number_list import estimate
from django_smsverify.types import Acceptance, DeliveryEvent
from tests.conftest import FEW_QUICKLY, quickly, record

from .conftest import NOTICE_IDS, PHONE, MakeProvider, Site, add_template
from .test_storing_reports import push, report

pytestmark = pytest.mark.django_db(transaction=True)

DELIVERED, UNDELIVERED = DeliveryOutcome.DELIVERED, DeliveryOutcome.UNDELIVERED
PRICE, NOTHING = Decimal("0.0450"), Decimal("0.0000")
RULES = {
    "topthink": Billing.DELIVERED,
    "veesing": Billing.SUBMITTED,
    "apispace": Billing.SUBMITTED,
    "ihuyi": Billing.SUBMITTED,
    "qixuntong": Billing.SUBMITTED,
    "aliyun": Billing.DELIVERED,
    "aliyun_pnvs": Billing.DELIVERED,
    "tencent": Billing.SUBMITTED,
    "twilio": Billing.SUBMITTED,
}
PUSHING = ("topthink", "veesing", "ihuyi", "aliyun", "tencent", "twilio")
LATE, EARLY = Travel(delay=3600), Travel(early=True)

MakePushing = Callable[[str, Travel], Provider]


def one_cost() -> Decimal | None:
    return Message.objects.get().cost


def todays_costs() -> tuple[str, str, int]:
    """Cost, provisional part and unknown messages of today's report."""
    whole = total(costs(today(), today()))
    return str(whole.cost), str(whole.provisional), whole.unknown


@pytest.fixture
def pushing(vendor: MakeProvider, sandbox: Sandbox, site: Site) -> MakePushing:
    """Makes a provider whose vendor pushes to the webhook."""

    def make(gateway: str, travel: Travel) -> Provider:
        provider = vendor(gateway, f"login-{gateway}", price=PRICE)
        sandbox.webhooks[gateway] = site.url + webhook(provider)
        sandbox.travel(None, travel)
        return provider

    return make


def webhook(provider: Provider) -> str:
    return reverse("smsverify:webhook", args=[provider.slug, provider.webhook_secret])


def push_outcome(site: Site, provider: Provider, *, arrived: bool) -> None:
    """Push the outcome of the only message, in the format of the vendor's documents."""
    remote_id, phone, moment = Message.objects.get().remote_id, PHONE[3:], "2026-11-22 10:00:00"
    sms = {"id": remote_id, "phone": phone, "sendDate": moment, "receiveDate": moment, "message": ""}
    url, status = site.url + webhook(provider), "delivered" if arrived else "undelivered"
    signed = {"MessageSid": remote_id, "MessageStatus": status, "To": PHONE}
    bodies: dict[str, dict[str, Any]] = {
        "topthink": {"json": {"action": "report", "sms": {**sms, "status": 1 if arrived else -1}}},
        "veesing": {
            "data": {"mobile": phone, "taskid": remote_id, "status": int(arrived), "receivetime": moment},
        },
        "ihuyi": {
            "data": {
                "mobilephone": phone,
                "smsid": remote_id,
                "code": 2 if arrived else 0,
                "msg": "",
                "report_time": moment,
            }
        },
        "aliyun": {"json": [{"phone_number": phone, "biz_id": remote_id, "success": arrived, "report_time": moment}]},
        "tencent": {
            "json": [
                {
                    "nationcode": "86",
                    "mobile": phone,
                    "sid": remote_id,
                    "report_status": "SUCCESS" if arrived else "FAIL",
                    "user_receive_time": moment,
                }
            ]
        },
        "twilio": {"data": signed, "headers": {"X-Twilio-Signature": twilio.signature(url, signed)}},
    }
    requests.post(url, timeout=60, **bodies[provider.gateway]).raise_for_status()


def test_every_gateway_declares_what_it_bills() -> None:
    rules = {alias: gateway_class(alias).billing for alias in BUILTIN_GATEWAYS.keys() - {"console", "memory"}}

    assert rules == RULES


@pytest.mark.parametrize("gateway", quickly(PUSHING))
@pytest.mark.parametrize("travel", [LATE, EARLY, Travel(delay=3600, copies=3), Travel(early=True, copies=2)], ids=str)
def test_a_delivered_sms_is_charged_by_every_vendor(
    gateway: str, travel: Travel, pushing: MakePushing, sandbox: Sandbox, site: Site
) -> None:
    pushing(gateway, travel)

    site.send(purpose=f"login-{gateway}")
    sandbox.flush()

    assert Message.objects.get().status == MessageStatus.DELIVERED
    assert todays_costs() == ("0.0450", "0.0000", 0)


@pytest.mark.parametrize("gateway", quickly(PUSHING))
@pytest.mark.parametrize("travel", [LATE, EARLY, Travel(delay=3600, copies=3), Travel(early=True, copies=2)], ids=str)
def test_an_undelivered_sms_is_charged_if_its_vendor_bills_submissions(
    gateway: str, travel: Travel, pushing: MakePushing, sandbox: Sandbox, site: Site
) -> None:
    pushing(gateway, Travel(travel.delay, travel.copies, travel.early, arrives=False))

    site.send(purpose=f"login-{gateway}")
    sandbox.flush()

    assert Message.objects.get().status == MessageStatus.UNDELIVERED
    assert todays_costs() == ("0.0000" if RULES[gateway] == Billing.DELIVERED else "0.0450", "0.0000", 0)


@pytest.mark.parametrize("gateway", FEW_QUICKLY)
def test_a_message_without_a_report_keeps_its_cost(
    gateway: str, pushing: MakePushing, sandbox: Sandbox, site: Site
) -> None:
    pushing(gateway, Travel(delay=3600, copies=0))

    site.send(purpose=f"login-{gateway}")
    expected = ("0.0450", "0.0450" if RULES[gateway] == Billing.DELIVERED else "0.0000", 0)
    assert todays_costs() == expected

    age = REPORTS_EXPIRE_AFTER + timedelta(minutes=1)
    Message.objects.update(created_at=timezone.now() - age, polls=3)
    assert list(settle_silent(10, Provider.objects.all())) == ["settled"]

    whole = total(costs(today() - timedelta(days=5), today()))
    assert (str(whole.cost), str(whole.provisional)) == expected[:2]


@pytest.mark.parametrize("gateway", quickly(PUSHING))
def test_a_corrected_report_corrects_the_cost(gateway: str, pushing: MakePushing, sandbox: Sandbox, site: Site) -> None:
    provider = pushing(gateway, Travel(delay=3600, arrives=False))
    site.send(purpose=f"login-{gateway}")
    sandbox.flush()
    Provider.objects.update(price="9.9999")

    push_outcome(site, provider, arrived=True)
    assert (Message.objects.get().status, one_cost()) == (MessageStatus.DELIVERED, PRICE)

    push_outcome(site, provider, arrived=False)
    push_outcome(site, provider, arrived=True)
    assert (Message.objects.get().status, one_cost()) == (MessageStatus.DELIVERED, PRICE)


@pytest.mark.parametrize(("arrives", "cost"), [(True, PRICE), (False, PRICE)])
def test_a_fetched_report_does_not_change_the_charge_of_a_submission(
    arrives: bool, cost: Decimal, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    options = {"report_host": sandbox.base_urls["apispace"]}
    vendor("apispace", price=PRICE, options=options)
    sandbox.travel(None, Travel(delay=3600, arrives=arrives))
    send_code(PHONE, "login")
    sandbox.flush()
    Message.objects.update(poll_at=timezone.now())

    poll()

    assert Message.objects.get().status == (DELIVERED if arrives else UNDELIVERED)
    assert one_cost() == cost


@pytest.mark.parametrize("arrives", [True, False])
def test_a_polled_outcome_is_charged_like_a_pushed_one(arrives: bool, vendor: MakeProvider, sandbox: Sandbox) -> None:
    vendor("topthink", price=PRICE)
    sandbox.travel(None, Travel(delay=3600, copies=0, arrives=arrives))
    send_code(PHONE, "login")
    sandbox.flush()
    Message.objects.update(poll_at=timezone.now())

    poll()

    assert one_cost() == (PRICE if arrives else NOTHING)


@pytest.mark.parametrize("gateway", FEW_QUICKLY)
def test_a_refusal_costs_nothing(gateway: str, pushing: MakePushing, sandbox: Sandbox, site: Site) -> None:
    pushing(gateway, LATE)
    sandbox.misbehave(gateway, Fault.status(403))

    assert site.send(purpose=f"login-{gateway}").status_code == 503

    assert (Message.objects.get().status, one_cost()) == (MessageStatus.NOT_SENT, None)
    assert costs(today(), today()) == []


@pytest.mark.parametrize("gateway", FEW_QUICKLY)
def test_an_unknown_message_is_counted_separately(
    gateway: str, pushing: MakePushing, sandbox: Sandbox, site: Site
) -> None:
    pushing(gateway, LATE)
    sandbox.misbehave(gateway, Fault.reset(deliver=True))

    assert site.send(purpose=f"login-{gateway}").status_code == 202

    assert (Message.objects.get().status, one_cost()) == (MessageStatus.UNKNOWN, None)
    assert todays_costs() == ("0.0000", "0.0000", 1)


@pytest.mark.parametrize("gateway", quickly(PUSHING))
@pytest.mark.parametrize("arrives", [True, False])
def test_an_unknown_message_is_charged_when_its_vendor_reports(
    gateway: str, arrives: bool, pushing: MakePushing, sandbox: Sandbox, site: Site
) -> None:
    pushing(gateway, Travel(delay=3600, arrives=arrives))
    sandbox.misbehave(gateway, Fault.reset(deliver=True))
    site.send(purpose=f"login-{gateway}")
    Provider.objects.update(price="9.9999")

    sandbox.flush()

    free = RULES[gateway] == Billing.DELIVERED and not arrives
    assert Message.objects.get().status == (DELIVERED if arrives else UNDELIVERED)
    assert todays_costs() == ("0.0000" if free else "0.0450", "0.0000", 0)


def queued(provider: Provider, **fields: Any) -> Message:
    fields = {"phone": PHONE, "purpose": "login", "segments": 3, **fields}
    return Message.objects.create(provider=provider, template=provider.templates.all()[0], **fields)


def test_the_price_is_that_of_the_moment_of_sending(memory: MakeProvider) -> None:
    provider = memory(price=Decimal("0.05"))
    message = queued(provider)
    provider.price = Decimal("0.0333")
    provider.save()
    message = Message.objects.get()

    assert claim(message)
    Provider.objects.update(price="0.07")
    record(message, Acceptance(remote_id="42"))
    push(provider, report("42"))

    assert Message.objects.values_list("price", "cost").get() == (Decimal("0.0333"), Decimal("0.0999"))


def test_without_a_price_there_is_no_cost(memory: MakeProvider) -> None:
    provider = memory()
    message = queued(provider)
    claim(message)
    record(message, Acceptance(remote_id="42"))
    Provider.objects.update(price="0.07")
    push(provider, report("42"))

    (row,) = costs(today(), today())
    assert (one_cost(), row.messages, row.unpriced, row.cost) == (None, 1, 1, NOTHING)


def test_a_price_of_zero_is_a_price(memory: MakeProvider) -> None:
    message = queued(memory(price=0))
    claim(message)
    record(message, Acceptance(remote_id="42"))

    (row,) = costs(today(), today())
    assert (one_cost(), row.messages, row.unpriced) == (NOTHING, 1, 0)


def test_a_withdrawn_message_costs_nothing(memory: MakeProvider) -> None:
    message = queued(memory(price=PRICE))

    assert withdraw(message, "not wanted")

    assert one_cost() is None
    assert costs(today(), today()) == []


def test_a_message_of_a_dead_process_is_unknown_until_its_report(memory: MakeProvider) -> None:
    provider = memory(price=PRICE)
    message = queued(provider)
    claim(message)
    assert todays_costs() == ("0.0000", "0.0000", 1)
    Message.objects.update(claimed_at=timezone.now() - timedelta(hours=1))

    assert list(give_up_stuck(10)) == ["stuck"]
    assert todays_costs() == ("0.0000", "0.0000", 1)

    push(provider, report("42"))
    assert todays_costs() == ("0.1350", "0.0000", 0)
    record(message, Acceptance(remote_id="42"))  # the process was only slow
    assert todays_costs() == ("0.1350", "0.0000", 0)


def test_a_gateway_that_is_gone_counts_as_billing_submissions(memory: MakeProvider) -> None:
    provider = memory(price=PRICE)
    message = queued(provider)
    claim(message)
    Provider.objects.update(gateway="gone")
    record(Message.objects.get(), Acceptance(remote_id="42"))
    push(Provider.objects.get(), report("42", UNDELIVERED))

    assert one_cost() == 3 * PRICE


@pytest.mark.slow
@pytest.mark.parametrize("gateway", ["topthink", "ihuyi"])
def test_the_cost_does_not_depend_on_the_order_of_events(gateway: str, memory: MakeProvider) -> None:
    memory(price=PRICE)
    Provider.objects.update(gateway=gateway)
    provider = Provider.objects.get()

    for number in range(60):
        message, remote_id = queued(Provider.objects.get()), f"id{number}"
        claim(message)
        outcomes = [UNDELIVERED, DELIVERED][: random.randint(0, 2)]
        events: list[DeliveryEvent] = [report(remote_id, one, one) for one in outcomes] * random.randint(1, 3)
        acts: list[Outcome | DeliveryEvent] = [Acceptance(remote_id=remote_id), *events]
        random.shuffle(acts)
        for act in acts:
            push(provider, act) if isinstance(act, DeliveryEvent) else record(message, act)
        Provider.objects.update(price=random.choice(["0.0450", "0.0511", None]))

        message.refresh_from_db()
        price = message.price
        free = gateway == "topthink" and outcomes == [UNDELIVERED]
        assert message.status == (outcomes[-1] if outcomes else MessageStatus.ACCEPTED), acts
        assert message.cost == (None if price is None else price * 3 * (not free)), acts


def test_an_outcome_after_the_report_does_not_change_the_cost(memory: MakeProvider) -> None:
    provider = memory(price=PRICE)
    message = queued(provider)
    claim(message)
    record(message, GatewayUncertain("reset", remote_id="42"))
    push(provider, report("42"))

    for late in (GatewayUncertain("again"), GatewayRejected("no"), Acceptance(remote_id="42")):
        record(message, late)

    assert (message.status, message.cost) == (MessageStatus.DELIVERED, 3 * PRICE)


@pytest.mark.parametrize(("length", "expected"), [(70, 1), (71, 2), (134, 2), (135, 3)])
def test_a_code_is_billed_with_signature_and_values(length: int, expected: int, memory: MakeProvider) -> None:
    provider = memory(price=PRICE)
    head = "【示例站】您的验证码是047110，5分钟内有效。"
    provider.templates.update(content="您的验证码是{code}，{minutes}分钟内有效。" + "码" * (length - len(head)))

    send_code(PHONE, "login")

    message = Message.objects.get()
    assert (message.segments, message.cost) == (expected, expected * PRICE)


@pytest.mark.parametrize(
    ("gateway", "name", "expected"),
    [
        ("twilio", "a" * 150, 1),
        ("twilio", "a" * 151, 2),
        ("twilio", "a" * 148 + "€", 1),
        ("twilio", "a" * 149 + "€", 2),
        ("twilio", "a" * 148 + "王", 3),
        ("qixuntong", "a" * 150, 3),
    ],
)
def test_a_text_without_a_signature_is_billed_as_its_vendor_sends_it(
    gateway: str, name: str, expected: int, vendor: MakeProvider
) -> None:
    template = add_template(vendor(gateway, price=PRICE), "notice", "Dear {name}, ...", "")
    template.signature = None
    template.save()

    assert estimate(template, PerNumber({PHONE: {"name": name}}), "batch").segments == expected
    send_message(template, {PHONE: {"name": name}})

    assert Message.objects.get().segments == expected


@pytest.mark.parametrize(("length", "expected"), [(70, 1), (71, 2), (134, 2), (135, 3)])
@pytest.mark.parametrize(("character", "units"), [("a", 1), ("王", 1), ("😀", 2), ("𠮷", 2)])
def test_a_text_is_billed_by_each_numbers_own_values(
    length: int, expected: int, character: str, units: int, memory: MakeProvider
) -> None:
    template = add_template(memory(price=PRICE), "notice", "{name}！", "")
    rest = length - len("【示例站】！")
    name = character * (rest // units) + "。" * (rest % units)

    short, long = send_message(template, {PHONE: {"name": "王"}, "+8613900139000": {"name": name}})

    stored = {message.pk: (message.segments, message.cost) for message in Message.objects.all()}
    assert stored == {short.pk: (1, PRICE), long.pk: (expected, expected * PRICE)}


@pytest.mark.parametrize("gateway", ["apispace", "qixuntong", "topthink", "ihuyi"])
@override_settings(SMSVERIFY={"PHONE_LIMITS": []})
def test_a_batch_is_charged_by_number(gateway: str, vendor: MakeProvider) -> None:
    template = add_template(vendor(gateway, price=PRICE), "notice", catalogue.NOTICE_TEXT, NOTICE_IDS.get(gateway, ""))

    send_message(template, {f"+861380013800{number}": {"name": "王先生"} for number in range(5)})

    (row,) = costs(today(), today(), ["purpose"])
    assert (row.purpose, row.messages, row.segments, row.cost) == ("notice", 5, 5, 5 * PRICE)
