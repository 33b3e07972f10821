"""Webhooks over real HTTP: genuine pushes are stored, and nothing else is."""

from __future__ import annotations

import io
import json
import random
import socket
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
import requests
from django.apps import apps
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.db import DatabaseError, OperationalError, connection, models
from django.db.models.signals import pre_save
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import reverse
from django.utils import timezone
from sandbox.faults import Fault
from sandbox.server import Sandbox

from django_smsverify import signals
from django_smsverify.enums import MessageStatus, ReportSource, ReviewStatus, Submission
from django_smsverify.models import DeliveryReport, Message, Provider, Reply, Signature, Template
from django_smsverify.models.gateway_classes import gateway_class
from django_smsverify.models.querysets import RowQuerySet
from django_smsverify.polling.poll import poll
from django_smsverify.reports import single, storing
from django_smsverify.types import Acceptance, News, ReviewEvent
from django_smsverify.webhooks import webhook
from tests.conftest import quickly, record

from .conftest import CODE_TEXT, PHONE, LogRecorder, MakeProvider, Site, add_template
from .services import as_stored
from .test_races import at_once

pytestmark = pytest.mark.django_db(transaction=True)

OTHER_PHONE, CODE = "+8613900139000", "471102"
MAX_BODY = 256 * 1024
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
TYPES = {"topthink": JSON, "ihuyi": FORM, "veesing": FORM, "tencent": JSON}
PUSHING = tuple(TYPES)
IDS = {
    "topthink": "6055075678d9",
    "ihuyi": "14745625541233112231",
    "veesing": "3313746",
    "tencent": "5000:1045710669157053657849499619",
}
IN_REVIEW: dict[str, tuple[type[Signature] | type[Template], str]] = {
    "sign": (Signature, "79"),
    "template": (Template, "238"),
}
"""The texts that are in review at the sandbox, by the vendor's name of their kind."""


# ------------------------------------------------------------------------------------ what vendors push


def form(fields: Mapping[str, str], encoding: str = "utf-8") -> bytes:
    return urlencode(fields, encoding=encoding).encode()


def ihuyi_report(**changes: str) -> bytes:
    fields = {"code": "2", "msg": "DELIVRD", "mobilephone": PHONE[3:], "smsid": IDS["ihuyi"]}
    return form({**fields, "report_time": "2017-08-02 14:31:51", **changes})


def ihuyi_reply(**changes: str) -> bytes:
    fields = {"mobilephone": PHONE[3:], "content": "退订", "smsid": IDS["ihuyi"], "reply_time": "2017-05-24 17:46:50"}
    return form({**fields, **changes})


def ihuyi_verdict(**changes: str) -> bytes:
    return form({"code": "2", "msg": "", "templateid": "2004", **changes})


def veesing_report(**changes: str) -> bytes:
    fields = {"mobile": PHONE[3:], "taskid": IDS["veesing"], "status": "1", "receivetime": "2019-07-23 17:00:00"}
    return form({**fields, **changes})


def veesing_reply(**changes: str) -> bytes:
    fields = {"mobile": PHONE[3:], "taskid": IDS["veesing"], "content": "收到", "receivetime": "2019-07-23 17:00:00"}
    return form({**fields, **changes})


def topthink_row(**changes: Any) -> dict[str, Any]:
    sms = {
        "id": IDS["topthink"],
        "phone": PHONE[3:],
        "content": f"【示例站】您的验证码是{CODE}，5分钟内有效。",
        "sendDate": "2021-04-20 04:19:33",
        "receiveDate": "2021-04-20 04:21:30",
        "status": 1,
        "message": "",
    }
    return {"action": "report", "sms": {**sms, **changes}}


def topthink_report(**changes: Any) -> bytes:
    return json.dumps(topthink_row(**changes)).encode()


def topthink_verdict(kind: str, status: int = 1, **changes: Any) -> bytes:
    submitted = {"id": IN_REVIEW[kind][1], "user_id": "1", "name": "顶想云", "status": status, "error": None, **changes}
    return json.dumps({"action": kind, "sign": submitted}).encode()


def tencent_report(**changes: Any) -> bytes:
    fields = {"nationcode": "86", "mobile": PHONE[3:], "report_status": "SUCCESS", "errmsg": "DELIVRD"}
    own = {"sid": IDS["tencent"], "description": "用户短信送达成功", "user_receive_time": "2026-11-21 08:00:03"}
    return json.dumps([{**fields, **own, **changes}]).encode()


REPORTS: dict[str, Callable[..., bytes]] = {
    "topthink": topthink_report,
    "ihuyi": ihuyi_report,
    "veesing": veesing_report,
    "tencent": tencent_report,
}
UNDELIVERED: dict[str, dict[str, Any]] = {
    "topthink": {"status": -1, "message": "号码无法接通"},
    "ihuyi": {"code": "0", "msg": "UNDELIV"},
    "veesing": {"status": "0"},
    "tencent": {"report_status": "FAIL", "errmsg": "MK:0001", "description": "号码状态异常"},
}
OCCURRED = {
    "topthink": datetime(2021, 4, 19, 20, 21, 30, tzinfo=UTC),
    "ihuyi": datetime(2017, 8, 2, 6, 31, 51, tzinfo=UTC),
    "veesing": datetime(2019, 7, 23, 9, 0, tzinfo=UTC),
    "tencent": datetime(2026, 11, 21, 0, 0, 3, tzinfo=UTC),
}
REPLIES: dict[str, Callable[..., bytes]] = {"ihuyi": ihuyi_reply, "veesing": veesing_reply}


# ----------------------------------------------------------------------------------- calls


def path_of(provider: Provider, secret: str | None = None, slug: str | None = None) -> str:
    """The path of the provider's webhook, or one with another secret or slug."""
    address = reverse("smsverify:webhook", args=[slug or provider.slug, "secret"])
    quoted = quote(provider.webhook_secret if secret is None else secret, safe="")
    return address.replace("/secret/", f"/{quoted}/")


class Caller:
    """A vendor as it calls the site."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def url(self, provider: Provider, secret: str | None = None, slug: str | None = None) -> str:
        return self.site.url + path_of(provider, secret, slug)

    def call(self, method: str, url: str, body: bytes = b"", kind: str = FORM, **headers: str) -> requests.Response:
        named = {"Content-Type": kind, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return requests.request(method, url, data=body, headers=named, timeout=60, allow_redirects=False)

    def push(
        self, provider: Provider, body: bytes, *, secret: str | None = None, slug: str | None = None
    ) -> requests.Response:
        headers = {"X_ThinkPHP_Event": "sms"} if provider.gateway == "topthink" else {}
        kind = TYPES.get(provider.gateway, FORM)
        return self.call("POST", self.url(provider, secret, slug), body, kind, **headers)

    def taken(self, provider: Provider, *bodies: bytes) -> None:
        """Pushes bodies, each of which the site must acknowledge."""
        kind = gateway_class(provider.gateway)
        for body in bodies:
            answer = self.push(provider, body)
            assert status_and_text(answer, kind.acknowledgement_type) == (200, kind.acknowledgement)


@pytest.fixture
def caller(site: Site) -> Caller:
    return Caller(site)


def status_and_text(response: requests.Response, kind: str = "text/plain; charset=utf-8") -> tuple[int, str]:
    """Status and body of an answer, which has this type and is never cached."""
    assert response.headers["Content-Type"] == kind
    assert response.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in response.headers
    return response.status_code, response.text


def sent(provider: Provider, remote_id: str = "", **fields: Any) -> Message:
    """A message that the vendor has accepted under this id."""
    fields = {"phone": PHONE, "purpose": "login", "status": MessageStatus.ACCEPTED, **fields}
    template = provider.templates.all()[0]
    return Message.objects.create(provider=provider, template=template, remote_id=remote_id, **fields)


def submitted(provider: Provider, kind: str, status: str = "pending", reason: str = "") -> Signature | Template:
    """A text that is in review at the vendor, with its status on the site."""
    model, remote_id = IN_REVIEW[kind]
    if model is Template:
        return add_template(provider, "payment", CODE_TEXT, remote_id, status=status, reason=reason)
    return Signature.objects.create(provider=provider, text="待审站", remote_id=remote_id, status=status, reason=reason)


def status_of(message: Message) -> str:
    message.refresh_from_db()
    return message.status


def verdict_on(text: Signature | Template) -> tuple[str, str]:
    text.refresh_from_db()
    return text.status, text.reason


def is_due(text: Signature | Template) -> bool:
    """Whether the vendor is to be asked about a text, whatever its status."""
    return text.poll_at is not None and text.poll_at <= timezone.now()


def everything() -> dict[str, list[dict[str, Any]]]:
    """All rows of the app."""
    return {
        model.__name__: list(model._default_manager.order_by("pk").values())
        for model in apps.get_app_config("smsverify").get_models()
    }


def said(log: LogRecorder) -> str:
    """The log without the lines of this suite's own HTTP client, which logs the URLs that it calls."""
    return "\n".join(line for line in log.lines if not line.startswith("urllib3."))


@dataclass
class Received:
    """What the receivers of each signal got, in order."""

    reports: list[DeliveryReport] = field(default_factory=list)
    settled: list[Message] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    reviews: list[Signature | Template] = field(default_factory=list)


@pytest.fixture
def received() -> Iterator[Received]:
    received = Received()
    with (
        connected(signals.delivery_reported, lambda report, **_: received.reports.append(report)),
        connected(signals.message_settled, lambda message, **_: received.settled.append(message)),
        connected(signals.reply_received, lambda reply, **_: received.replies.append(reply)),
        connected(signals.review_changed, lambda text, **_: received.reviews.append(text)),
    ):
        yield received


@contextmanager
def connected(signal: Signal, receiver: Callable[..., Any], sender: Any = None) -> Iterator[None]:
    signal.connect(receiver, sender=sender, weak=False)
    yield
    signal.disconnect(receiver, sender=sender)


# ------------------------------------------------------------------------------------------- reports


@pytest.mark.parametrize("gateway", quickly(PUSHING))
def test_a_delivery_report_is_stored_and_raises_the_status(
    gateway: str, vendor: MakeProvider, caller: Caller, received: Received
) -> None:
    message = sent(provider := vendor(gateway), IDS[gateway])

    caller.taken(provider, REPORTS[gateway]())

    report = DeliveryReport.objects.get()
    assert (report.provider, report.message, report.remote_id) == (provider, message, IDS[gateway])
    assert (report.phone, report.outcome, report.source) == (PHONE, "delivered", "push")
    assert report.occurred_at == OCCURRED[gateway]
    assert status_of(message) == "delivered"
    assert message.settled_at is not None
    assert (received.reports, received.settled) == ([report], [message])
    assert received.reports[0].message == received.settled[0] == message


@pytest.mark.parametrize(
    ("gateway", "code", "detail"),
    [
        ("topthink", "-1", "号码无法接通"),
        ("ihuyi", "0", "UNDELIV"),
        ("veesing", "0", ""),
        ("tencent", "MK:0001", "号码状态异常"),
    ],
)
def test_a_failure_is_stored_with_the_vendors_code_and_text(
    gateway: str, code: str, detail: str, vendor: MakeProvider, caller: Caller
) -> None:
    message = sent(provider := vendor(gateway), IDS[gateway])

    caller.taken(provider, REPORTS[gateway](**UNDELIVERED[gateway]))

    report = DeliveryReport.objects.get()
    assert (report.outcome, report.code, report.detail) == ("undelivered", code, detail)
    assert status_of(message) == "undelivered"


@pytest.mark.parametrize("gateway", quickly(PUSHING))
def test_the_payload_is_stored_without_the_text_of_the_sms(gateway: str, vendor: MakeProvider, caller: Caller) -> None:
    caller.taken(vendor(gateway), REPORTS[gateway]())

    payload = DeliveryReport.objects.get().payload
    assert IDS[gateway] in payload.values()
    assert not {"content", "sms"} & payload.keys()
    assert CODE not in json.dumps(payload)


def test_a_push_in_gbk_is_read(vendor: MakeProvider, caller: Caller) -> None:
    provider = vendor("ihuyi")
    fields = {"code": "0", "msg": "号码停机", "mobilephone": PHONE[3:], "smsid": "1", "report_time": ""}

    caller.taken(provider, form(fields, "gbk"))

    report = DeliveryReport.objects.get()
    assert (report.detail, report.occurred_at) == ("号码停机", None)


@pytest.mark.parametrize("gateway", quickly(PUSHING))
def test_a_repeated_report_is_stored_once(
    gateway: str, vendor: MakeProvider, caller: Caller, received: Received
) -> None:
    sent(provider := vendor(gateway), IDS[gateway])

    caller.taken(provider, *[REPORTS[gateway]()] * 5)

    assert DeliveryReport.objects.count() == 1
    assert (len(received.reports), len(received.settled)) == (1, 1)


def test_the_same_report_with_another_time_is_a_repeat(vendor: MakeProvider, caller: Caller) -> None:
    provider = vendor("ihuyi")

    caller.taken(provider, ihuyi_report(), ihuyi_report(report_time="2017-08-02 14:32:51"))

    assert DeliveryReport.objects.count() == 1


@pytest.mark.slow
def test_parallel_repeats_are_stored_once(vendor: MakeProvider, caller: Caller, received: Received) -> None:
    message = sent(provider := vendor("ihuyi"), IDS["ihuyi"])

    at_once(20, lambda index: caller.taken(provider, ihuyi_report(), ihuyi_reply()))

    assert (DeliveryReport.objects.count(), Reply.objects.count()) == (1, 1)
    assert (len(received.reports), len(received.settled), len(received.replies)) == (1, 1, 1)
    assert status_of(message) == "delivered"


def test_a_report_before_the_answer_to_the_send_is_matched(
    vendor: MakeProvider, caller: Caller, received: Received
) -> None:
    message = sent(provider := vendor("ihuyi"), status=MessageStatus.SENDING)
    caller.taken(provider, ihuyi_report())
    assert DeliveryReport.objects.get().message is None
    assert (received.reports, received.settled) == ([], [])

    record(message, Acceptance(remote_id=IDS["ihuyi"]))

    assert DeliveryReport.objects.get().message == message
    assert status_of(message) == "delivered"
    assert (message.sent_at, message.remote_id) != (None, "")
    assert (len(received.reports), len(received.settled)) == (1, 1)


def test_an_early_report_on_another_message_is_not_matched(
    vendor: MakeProvider, caller: Caller, received: Received
) -> None:
    provider, other = vendor("ihuyi"), vendor("ihuyi", slug="other")
    message = sent(provider, status=MessageStatus.SENDING)
    caller.taken(provider, ihuyi_report(mobilephone=OTHER_PHONE[3:]), ihuyi_report(smsid="another"))
    caller.taken(other, ihuyi_report())

    record(message, Acceptance(remote_id=IDS["ihuyi"]))

    assert status_of(message) == "accepted"
    assert not DeliveryReport.objects.filter(message__isnull=False).exists()
    assert (received.reports, received.settled) == ([], [])


@pytest.mark.slow
def test_a_report_and_an_acceptance_at_the_same_time_are_matched(
    vendor: MakeProvider, caller: Caller, received: Received
) -> None:
    provider = vendor("ihuyi")
    for place in range(20):
        message = sent(provider, status=MessageStatus.SENDING)
        functions: list[Callable[[], object]] = [
            lambda: caller.taken(provider, ihuyi_report(smsid=f"A{place}")),  # noqa: B023 - done in this round
            lambda: record(message, Acceptance(remote_id=f"A{place}")),  # noqa: B023
        ]

        at_once(2, lambda index: functions[index]())  # noqa: B023

        assert status_of(message) == "delivered"
        assert (len(received.reports), len(received.settled)) == (place + 1, place + 1)


def test_a_report_on_an_unknown_message_is_stored(
    vendor: MakeProvider, caller: Caller, received: Received, log: LogRecorder
) -> None:
    other = sent(provider := vendor("ihuyi"), "another")

    caller.taken(provider, ihuyi_report())

    assert DeliveryReport.objects.get().message is None
    assert status_of(other) == "accepted"
    assert (received.reports, received.settled) == ([], [])
    assert "ihuyi reports on a message that is not known (yet)" in said(log)


@pytest.mark.parametrize("gateway", quickly(PUSHING))
def test_a_report_never_lowers_a_status(gateway: str, vendor: MakeProvider, caller: Caller, received: Received) -> None:
    message = sent(provider := vendor(gateway), IDS[gateway])
    report = REPORTS[gateway]

    caller.taken(provider, report(), report(**UNDELIVERED[gateway]))

    assert status_of(message) == "delivered"
    assert message.reports.count() == 2
    assert (len(received.reports), len(received.settled)) == (2, 1)


@pytest.mark.parametrize("gateway", quickly(PUSHING))
def test_a_corrected_report_raises_the_status(
    gateway: str, vendor: MakeProvider, caller: Caller, received: Received
) -> None:
    message = sent(provider := vendor(gateway), IDS[gateway])
    report = REPORTS[gateway]

    caller.taken(provider, report(**UNDELIVERED[gateway]))
    assert status_of(message) == "undelivered"
    caller.taken(provider, report())

    assert status_of(message) == "delivered"
    assert [settled.status for settled in received.settled] == ["undelivered", "delivered"]


@pytest.mark.parametrize("before", ["queued", "sending", "unknown", "not_sent", "accepted"])
def test_a_report_overrides_any_earlier_status(before: str, vendor: MakeProvider, caller: Caller) -> None:
    message = sent(provider := vendor("veesing"), IDS["veesing"], status=before)

    caller.taken(provider, veesing_report(status="0"))

    assert status_of(message) == "undelivered"


def test_two_accounts_at_one_vendor_are_kept_apart(vendor: MakeProvider, caller: Caller) -> None:
    one, two = vendor("ihuyi", slug="one"), vendor("ihuyi", slug="two")
    ours, theirs = sent(one, IDS["ihuyi"]), sent(two, IDS["ihuyi"])

    caller.taken(one, ihuyi_report())
    assert (status_of(ours), status_of(theirs)) == ("delivered", "accepted")

    caller.taken(two, ihuyi_report())
    assert status_of(theirs) == "delivered"
    assert set(DeliveryReport.objects.values_list("provider__slug", "message")) == {
        ("one", ours.pk),
        ("two", theirs.pk),
    }


def test_a_reused_id_matches_the_newest_message(vendor: MakeProvider, caller: Caller) -> None:
    provider, now = vendor("ihuyi"), timezone.now()
    newest = sent(provider, IDS["ihuyi"], created_at=now)
    older = sent(provider, IDS["ihuyi"], created_at=now - timedelta(days=100))

    caller.taken(provider, ihuyi_report())

    assert (status_of(newest), status_of(older)) == ("delivered", "accepted")


@pytest.mark.parametrize("gateway", quickly(PUSHING))
def test_an_id_is_of_a_batch_and_a_report_is_of_one_number(gateway: str, vendor: MakeProvider, caller: Caller) -> None:
    provider = vendor(gateway)
    ours, theirs = sent(provider, IDS[gateway]), sent(provider, IDS[gateway], phone=OTHER_PHONE)
    numbered = {"topthink": "phone", "ihuyi": "mobilephone"}.get(gateway, "mobile")

    caller.taken(provider, REPORTS[gateway](**UNDELIVERED[gateway]))
    assert (status_of(ours), status_of(theirs)) == ("undelivered", "accepted")

    caller.taken(provider, REPORTS[gateway](**UNDELIVERED[gateway], **{numbered: OTHER_PHONE[3:]}))
    assert status_of(theirs) == "undelivered"
    assert DeliveryReport.objects.count() == 2


def test_a_report_of_a_message_under_way_is_ignored(vendor: MakeProvider, caller: Caller) -> None:
    message = sent(provider := vendor("topthink"), IDS["topthink"])

    caller.taken(provider, topthink_report(status=0))

    assert not DeliveryReport.objects.exists()
    assert status_of(message) == "accepted"


def test_only_the_bad_row_of_a_batch_is_skipped_and_it_is_logged(
    vendor: MakeProvider, caller: Caller, log: LogRecorder
) -> None:
    provider = vendor("topthink")
    one, three = sent(provider, "1"), sent(provider, "3")
    rows = [topthink_row(id="1"), topthink_row(id="2", phone="1380013"), topthink_row(id="3", status="-1")]

    caller.taken(provider, json.dumps(rows).encode())

    assert set(DeliveryReport.objects.values_list("remote_id", flat=True)) == {"1", "3"}
    assert (status_of(one), status_of(three)) == ("delivered", "undelivered")
    assert "A part of what topthink says cannot be read: row 2: no mainland mobile number" in said(log)


@pytest.mark.parametrize(
    ("detail", "stored"),
    [("👍 已送达", "👍 已送达"), ("a\x00b\r\nc", "a b  c"), ("\ud800", "?"), ("长" * 5000, "长" * 500), ("<b>", "<b>")],
)
def test_any_characters_can_be_stored(detail: str, stored: str, vendor: MakeProvider, caller: Caller) -> None:
    caller.taken(vendor("topthink"), topthink_report(message=detail, id="\x00id\x00"))

    report = DeliveryReport.objects.get()
    assert (report.detail, report.remote_id) == (as_stored(stored), "id")


def test_long_ids_and_500_rows_are_accepted(vendor: MakeProvider, caller: Caller) -> None:
    rows = [topthink_row(id=f"{place}-{'9' * 100}", content="", sendDate="") for place in range(500)]

    caller.taken(vendor("topthink"), json.dumps(rows).encode())

    assert DeliveryReport.objects.count() == 500
    assert {len(remote_id) for remote_id in DeliveryReport.objects.values_list("remote_id", flat=True)} == {64}


# ------------------------------------------------------------------------------------------- replies


@pytest.mark.parametrize("gateway", REPLIES)
def test_a_reply_is_stored_and_linked_to_its_message(
    gateway: str, vendor: MakeProvider, caller: Caller, received: Received
) -> None:
    message = sent(provider := vendor(gateway), IDS[gateway])
    sent(provider, "newer")

    caller.taken(provider, *[REPLIES[gateway](content="👍 退订\n谢谢")] * 3)

    reply = Reply.objects.get()
    assert (reply.provider, reply.message, reply.remote_id) == (provider, message, IDS[gateway])
    assert (reply.phone, reply.content) == (PHONE, as_stored("👍 退订\n谢谢"))
    assert "content" not in reply.payload
    assert received.replies == [reply]
    assert status_of(message) == "accepted", "a reply is no delivery report"


@pytest.mark.parametrize(
    ("gateway", "moment"),
    [
        ("ihuyi", datetime(2017, 5, 24, 9, 46, 50, tzinfo=UTC)),
        ("veesing", datetime(2019, 7, 23, 9, 0, tzinfo=UTC)),
    ],
)
def test_the_time_of_a_reply_is_read_as_china_time(
    gateway: str, moment: datetime, vendor: MakeProvider, caller: Caller
) -> None:
    caller.taken(vendor(gateway), REPLIES[gateway]())

    assert Reply.objects.get().occurred_at == moment


@pytest.mark.parametrize("named", ["", "unknown"])
def test_a_reply_without_a_known_id_is_linked_to_the_newest_sent_message(
    named: str, vendor: MakeProvider, caller: Caller
) -> None:
    provider, now = vendor("ihuyi"), timezone.now()
    sent(provider, "1", created_at=now - timedelta(hours=2))
    newest = sent(provider, "2", created_at=now - timedelta(hours=1))
    for status in ("queued", "not_sent"):
        sent(provider, status=status, created_at=now)
    sent(provider, "3", phone=OTHER_PHONE, created_at=now)
    sent(vendor("ihuyi", slug="other"), "4", created_at=now)

    caller.taken(provider, ihuyi_reply(smsid=named))

    assert Reply.objects.get().message == newest


def test_a_reply_of_a_phone_that_got_nothing_is_stored(
    vendor: MakeProvider, caller: Caller, received: Received
) -> None:
    sent(provider := vendor("ihuyi"), status=MessageStatus.NOT_SENT)

    caller.taken(provider, ihuyi_reply())

    assert Reply.objects.get().message is None
    assert received.replies == [Reply.objects.get()]


def test_different_replies_are_all_stored(vendor: MakeProvider, caller: Caller, received: Received) -> None:
    provider = vendor("ihuyi")

    caller.taken(
        provider,
        ihuyi_reply(),
        ihuyi_reply(content="TD"),
        ihuyi_reply(reply_time="2017-05-24 17:46:51"),
        ihuyi_reply(mobilephone=OTHER_PHONE[3:]),
    )

    assert Reply.objects.count() == len(received.replies) == 4


def test_a_very_long_reply_is_cut(vendor: MakeProvider, caller: Caller) -> None:
    caller.taken(vendor("ihuyi"), ihuyi_reply(content="长" * 20_000))

    assert Reply.objects.get().content == "长" * 2000


# ------------------------------------------------------------------------------------------- reviews


@pytest.fixture
def reviews(sandbox: Sandbox) -> Iterator[Sandbox]:
    """The sandbox with all its reviews open; its decisions are deleted after the test."""
    yield sandbox
    sandbox.reset()


def decide(sandbox: Sandbox, kind: str, verdict: str) -> None:
    """Sets what the vendor answers to a query; a rejection has a reason."""
    if verdict != "pending":
        reviewed: Any = kind
        sandbox.judge("topthink", reviewed, IN_REVIEW[kind][1], verdict == "approved", "请提供网址或公众号")


REASONS = {"pending": "", "approved": "", "rejected": "请提供网址或公众号"}


@pytest.mark.parametrize("kind", IN_REVIEW)
@pytest.mark.parametrize("actual", ["pending", "approved", "rejected"])
@pytest.mark.parametrize("pushed", [0, 1, 2, -1])
def test_a_pushed_verdict_is_replaced_by_the_vendors_answer_to_a_query(
    pushed: int, actual: str, kind: str, vendor: MakeProvider, caller: Caller, reviews: Sandbox, received: Received
) -> None:
    text = submitted(provider := vendor("topthink"), kind)
    decide(reviews, kind, actual)

    caller.taken(provider, *[topthink_verdict(kind, pushed, error="forged")] * 2)

    assert verdict_on(text) == (actual, REASONS[actual])
    assert received.reviews == ([] if actual == "pending" else [text]), "sent once, and only for a change"


@pytest.mark.parametrize("kind", IN_REVIEW)
def test_a_forged_approval_does_not_approve_a_rejected_text(
    kind: str, vendor: MakeProvider, caller: Caller, reviews: Sandbox, received: Received
) -> None:
    text = submitted(provider := vendor("topthink"), kind, "rejected", REASONS["rejected"])
    decide(reviews, kind, "rejected")

    caller.taken(provider, topthink_verdict(kind, 1))

    assert verdict_on(text) == ("rejected", REASONS["rejected"])
    assert received.reviews == []


def test_a_forged_rejection_removes_no_route(
    vendor: MakeProvider, caller: Caller, reviews: Sandbox, received: Received
) -> None:
    provider = vendor("topthink")
    template = Template.objects.routable().get()

    caller.taken(provider, topthink_verdict("template", 2, id=template.remote_id, error="forged"))

    assert Template.objects.routable().get() == template
    assert received.reviews == []


FAULTS = {"500": Fault.status(500), "403": Fault.status(403), "garbage": Fault.garbage(), "reset": Fault.reset()}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("before", ["pending", "approved", "draft"])
def test_a_query_that_fails_is_repeated_by_the_poll(
    before: str, fault: str, vendor: MakeProvider, caller: Caller, reviews: Sandbox, received: Received
) -> None:
    text = submitted(provider := vendor("topthink"), "template", before)
    decide(reviews, "template", "rejected")
    reviews.misbehave("topthink", FAULTS[fault])

    caller.taken(provider, topthink_verdict("template", 1))

    assert verdict_on(text) == (before, "")
    assert is_due(text)
    assert received.reviews == []

    reviews.behave()
    poll()
    assert verdict_on(text) == ("rejected", REASONS["rejected"])
    assert not is_due(text)
    assert received.reviews == [text]


def test_a_pushed_verdict_causes_one_query(vendor: MakeProvider, caller: Caller, reviews: Sandbox) -> None:
    text = submitted(provider := vendor("topthink"), "template")
    decide(reviews, "template", "approved")
    exchanges = len(reviews.exchanges)

    caller.taken(provider, topthink_verdict("template"))

    assert [exchange.path for exchange in reviews.exchanges[exchanges:]] == ["/topthink/sms/query_template"]
    assert verdict_on(text) == ("approved", "")
    assert not is_due(text), "there is nothing left to ask"


def test_several_verdicts_on_one_text_in_a_push_cause_one_query(vendor: MakeProvider, reviews: Sandbox) -> None:
    text = submitted(provider := vendor("topthink"), "template")
    verdicts = [
        ReviewEvent(
            submission=Submission.TEMPLATE, remote_id=text.remote_id, status=status, reason="", text="", name=""
        )
        for status in (ReviewStatus.REJECTED, ReviewStatus.APPROVED, ReviewStatus.REJECTED)
    ]
    exchanges = len(reviews.exchanges)

    storing.store_events(provider, News(events=tuple(verdicts)), ReportSource.PUSH)

    assert len(reviews.exchanges) == exchanges + 1


@pytest.mark.parametrize("kind", IN_REVIEW)
def test_a_verdict_on_an_unknown_text_changes_nothing(
    kind: str, vendor: MakeProvider, caller: Caller, reviews: Sandbox, received: Received
) -> None:
    provider, other = vendor("topthink"), vendor("topthink", slug="other")
    for each in IN_REVIEW:
        submitted(other, each)
        decide(reviews, each, "approved")
    before, exchanges = everything(), len(reviews.exchanges)

    caller.taken(provider, topthink_verdict(kind), topthink_verdict(kind, id="unknown"))

    assert everything() == before
    assert len(reviews.exchanges) == exchanges
    assert received.reviews == []


def test_a_verdict_on_a_signature_does_not_change_a_template_with_the_same_id(
    vendor: MakeProvider, caller: Caller, reviews: Sandbox
) -> None:
    signature = submitted(provider := vendor("topthink"), "sign")
    template = add_template(provider, "payment", CODE_TEXT, "79", status="pending")
    decide(reviews, "sign", "approved")

    caller.taken(provider, topthink_verdict("sign"))

    assert verdict_on(signature) == ("approved", "")
    assert verdict_on(template) == ("pending", "")


@pytest.mark.parametrize(("code", "status", "reason"), [("2", "approved", ""), ("0", "rejected", "变量过多")])
def test_a_pushed_verdict_counts_where_the_vendor_has_no_query(
    code: str, status: str, reason: str, vendor: MakeProvider, caller: Caller, reviews: Sandbox, received: Received
) -> None:
    provider = vendor("ihuyi")
    template = add_template(provider, "payment", CODE_TEXT, "2004", status="pending", poll_at=timezone.now())
    other = add_template(vendor("ihuyi", slug="other"), "payment", CODE_TEXT, "2004", status="pending")
    exchanges = len(reviews.exchanges)

    caller.taken(provider, *[ihuyi_verdict(code=code, msg=reason)] * 3)

    assert verdict_on(template) == (status, reason)
    assert verdict_on(other) == ("pending", "")
    assert not is_due(template)
    assert received.reviews == [template]
    assert len(reviews.exchanges) == exchanges


def test_each_changed_verdict_sends_a_signal(vendor: MakeProvider, caller: Caller, received: Received) -> None:
    provider = vendor("ihuyi")
    template = add_template(provider, "payment", CODE_TEXT, "2004", status="pending")

    caller.taken(
        provider, ihuyi_verdict(code="0", msg="变量过多"), ihuyi_verdict(code="0", msg="含敏感词"), ihuyi_verdict()
    )

    assert verdict_on(template) == ("approved", "")
    assert len(received.reviews) == 3


# --------------------------------------------------------------------------------------- the secret


class BrokenStream(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        raise OSError("reset by peer")


BROKEN: dict[str, Any] = {"wsgi.input": BrokenStream()}
WRONG_SECRETS: dict[str, Callable[[str], str]] = {
    "nothing like it": lambda secret: "x",
    "another of its length": lambda secret: "x" * len(secret),
    "its first half": lambda secret: secret[: len(secret) // 2],
    "all but its end": lambda secret: secret[:-1],
    "another end": lambda secret: secret[:-1] + ("a" if secret[-1] != "a" else "b"),
    "another beginning": lambda secret: ("a" if secret[0] != "a" else "b") + secret[1:],
    "more at its end": lambda secret: secret + "x",
    "twice": lambda secret: secret * 2,
    "backwards": lambda secret: secret[::-1],
    "in the other case": lambda secret: secret.swapcase(),
    "with a blank": lambda secret: f"{secret} ",
    "with a null byte": lambda secret: f"{secret}\0",
    "with a new line": lambda secret: f"{secret}\n",
    "with an emoji": lambda secret: f"{secret}🔑",
    "long": lambda secret: secret * 5,
}


@pytest.mark.any_database
@pytest.mark.parametrize("method", ["POST", "GET", "PUT"])
@pytest.mark.parametrize("change", WRONG_SECRETS)
def test_a_wrong_secret_gets_404_and_changes_nothing(
    change: str, method: str, vendor: MakeProvider, caller: Caller, log: LogRecorder
) -> None:
    provider = vendor("ihuyi")
    sent(provider, IDS["ihuyi"])
    before, secret = everything(), WRONG_SECRETS[change](provider.webhook_secret)

    answer = caller.call(method, caller.url(provider, secret), ihuyi_report())

    assert status_and_text(answer) == (404, "There is no such webhook.")
    assert "Allow" not in answer.headers
    assert everything() == before
    assert secret not in said(log)
    assert provider.webhook_secret not in said(log)


def test_each_provider_has_its_own_secret(vendor: MakeProvider, caller: Caller) -> None:
    one, two = vendor("ihuyi", slug="one"), vendor("ihuyi", slug="two")

    answers = [
        caller.push(one, ihuyi_report(), secret=two.webhook_secret),
        caller.push(two, ihuyi_report(), secret=one.webhook_secret),
        caller.push(one, ihuyi_report(), slug="nobody"),
        caller.push(one, ihuyi_report(), slug="ONE"),
    ]

    assert {status_and_text(answer) for answer in answers} == {(404, "There is no such webhook.")}
    assert not DeliveryReport.objects.exists()


def test_a_slug_is_case_sensitive_on_any_database(
    vendor: MakeProvider, rf: RequestFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A MySQL collation ignores case."""
    provider, filtered = vendor("ihuyi"), RowQuerySet.filter

    def ignoring_case(rows: Any, *args: Any, slug: str = "", **kwargs: Any) -> Any:
        return filtered(rows, *args, **({"slug__iexact": slug} if slug else {}), **kwargs)

    monkeypatch.setattr(RowQuerySet, "filter", ignoring_case)

    for slug, status in (("IHUYI", 404), ("ihuyi", 200)):
        assert webhook(rf.post("/", ihuyi_report(), FORM), slug, provider.webhook_secret).status_code == status


def test_an_empty_secret_matches_nothing(vendor: MakeProvider, rf: RequestFactory) -> None:
    provider = vendor("ihuyi")

    for changes in ({"previous_webhook_secret": ""}, {"webhook_secret": ""}):
        Provider.objects.update(**changes)
        answer = webhook(rf.post("/", ihuyi_report(), FORM), provider.slug, "")
        assert answer.status_code == 404

    assert not DeliveryReport.objects.exists()


def test_old_and_new_secret_work_until_the_old_one_is_retired(vendor: MakeProvider, caller: Caller) -> None:
    provider = vendor("ihuyi")
    old = provider.webhook_secret
    provider.rotate_webhook_secret()
    assert provider.webhook_secret != old

    for secret in (old, provider.webhook_secret):
        assert status_and_text(caller.push(provider, ihuyi_report(smsid=secret), secret=secret)) == (200, "success")
    assert DeliveryReport.objects.count() == 2

    provider.retire_webhook_secret()
    assert status_and_text(caller.push(provider, ihuyi_reply(), secret=old)) == (404, "There is no such webhook.")
    assert status_and_text(caller.push(provider, ihuyi_report(smsid="new"))) == (200, "success")
    assert not Reply.objects.exists()


def test_a_rotation_is_refused_while_an_older_secret_works(vendor: MakeProvider) -> None:
    provider = vendor("ihuyi")
    provider.rotate_webhook_secret()
    before = everything()

    with pytest.raises(ValueError, match="retire it first"):
        provider.rotate_webhook_secret()

    assert everything() == before


@pytest.mark.any_database
@pytest.mark.slow
def test_hundreds_of_forged_and_replayed_calls_change_nothing(
    vendor: MakeProvider, caller: Caller, log: LogRecorder
) -> None:
    providers = [vendor(gateway) for gateway in PUSHING]
    for provider in providers:
        sent(provider, IDS[provider.gateway])
        provider.rotate_webhook_secret()
        provider.retire_webhook_secret()
    before, rng = everything(), random.Random(7)

    for _ in range(400):
        aimed, owner = rng.choice(providers), rng.choice(providers)
        known = {"owner": owner.webhook_secret, "guess": f"{rng.getrandbits(256):x}", "blanks": "  "}
        secret = WRONG_SECRETS[rng.choice(list(WRONG_SECRETS))](known[rng.choice(list(known))])
        slug = rng.choice([aimed.slug, "nobody"])
        assert status_and_text(caller.push(aimed, REPORTS[aimed.gateway](), secret=secret, slug=slug))[0] == 404

    assert everything() == before
    for provider in providers:
        assert provider.webhook_secret not in said(log)


def test_the_body_is_not_read_without_the_secret(vendor: MakeProvider, rf: RequestFactory) -> None:
    request = rf.post("/", ihuyi_report(), FORM, **BROKEN)

    assert webhook(request, vendor("ihuyi").slug, "guessed").status_code == 404


# ------------------------------------------------------------------------------- methods, paths, bodies


@pytest.mark.any_database
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_get_405(method: str, vendor: MakeProvider, caller: Caller, log: LogRecorder) -> None:
    provider = vendor("ihuyi")

    answer = caller.call(method, caller.url(provider), ihuyi_report())

    assert status_and_text(answer) == (405, "A webhook is called by POST.")
    assert answer.headers["Allow"] == "GET, HEAD, POST"
    assert not DeliveryReport.objects.exists()
    assert provider.webhook_secret not in said(log)


@pytest.mark.any_database
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("gateway", [*PUSHING, "apispace", "gone"])
def test_get_and_head_answer_the_probe_of_a_console(
    gateway: str, method: str, vendor: MakeProvider, caller: Caller, log: LogRecorder
) -> None:
    provider = vendor("ihuyi" if gateway == "gone" else gateway)
    Provider.objects.update(gateway=gateway)
    before = everything()

    answers = [caller.call(method, url) for url in (caller.url(provider), caller.url(provider).rstrip("/"))]

    text = "" if method == "HEAD" else "This webhook works. The vendor calls it by POST."
    assert [status_and_text(answer) for answer in answers] == [(200, text)] * 2
    assert everything() == before
    assert provider.webhook_secret not in said(log)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_probe_with_a_wrong_secret_gets_404(method: str, vendor: MakeProvider, caller: Caller) -> None:
    answer = caller.call(method, caller.url(vendor("ihuyi"), "guessed"))

    assert status_and_text(answer) == (404, "" if method == "HEAD" else "There is no such webhook.")
    assert "Allow" not in answer.headers


def test_a_push_by_get_is_refused(vendor: MakeProvider, caller: Caller) -> None:
    answer = caller.call("GET", f"{caller.url(vendor('ihuyi'))}?code=2&smsid=1")

    assert status_and_text(answer) == (405, "A webhook is called by POST.")
    assert not DeliveryReport.objects.exists()


@pytest.mark.parametrize("secret", [None, "guessed"])
def test_the_answer_to_head_has_no_body(secret: str | None, vendor: MakeProvider, rf: RequestFactory) -> None:
    """Some servers would send the body that they are given."""
    provider = vendor("ihuyi")

    assert webhook(rf.head("/"), provider.slug, secret or provider.webhook_secret).content == b""


def test_a_url_without_the_last_slash_works(vendor: MakeProvider, caller: Caller) -> None:
    provider = vendor("ihuyi")

    answer = caller.call("POST", caller.url(provider).rstrip("/"), ihuyi_report())

    assert status_and_text(answer) == (200, "success")
    assert DeliveryReport.objects.count() == 1


def test_a_url_with_a_query_works(vendor: MakeProvider, caller: Caller) -> None:
    provider = vendor("ihuyi")

    answer = caller.call("POST", f"{caller.url(provider)}?from=ihuyi&code=0", ihuyi_report())

    assert status_and_text(answer) == (200, "success")
    assert DeliveryReport.objects.get().outcome == "delivered"


def padded(length: int) -> bytes:
    """A report of exactly so many bytes."""
    bare = len(topthink_report(padding=""))
    body = topthink_report(padding="x" * (length - bare))
    assert len(body) == length
    return body


def test_a_body_of_the_maximum_size_is_read(vendor: MakeProvider, caller: Caller) -> None:
    caller.taken(vendor("topthink"), padded(MAX_BODY))

    assert DeliveryReport.objects.count() == 1


@pytest.mark.any_database
@pytest.mark.parametrize("length", [MAX_BODY + 1, 20 * MAX_BODY])
def test_a_larger_body_is_refused(length: int, vendor: MakeProvider, caller: Caller, log: LogRecorder) -> None:
    provider = vendor("topthink")

    answer = caller.push(provider, padded(length))

    assert status_and_text(answer) == (413, "The body is larger than 256 KiB.")
    assert not DeliveryReport.objects.exists()
    assert provider.webhook_secret not in said(log)


def raw(caller: Caller, provider: Provider, headers: str, body: bytes) -> int:
    """The status of the answer to exactly these bytes, after which the client sends nothing more."""
    url = urlsplit(caller.url(provider))
    head = f"POST {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: {FORM}\r\n{headers}\r\n\r\n"
    with socket.create_connection((url.hostname, url.port), 30) as client:
        client.sendall(head.encode() + body)
        client.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    return int(answer.split()[1])


def in_chunks(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


CUT = form({"status": "1", "mobile": PHONE[3:], "taskid": "33137"})
"""The beginning of a report: its id goes on."""


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ("Content-Length: 0", veesing_report()),
        ("Content-Length: much", veesing_report()),
        ("Content-Length: -1", veesing_report()),
        ("Content-Length: 24", veesing_report()),
        (f"Content-Length: {len(CUT) + 2}", CUT),
    ],
    ids=["none", "no number", "negative", "too short", "broken off"],
)
def test_an_incomplete_body_is_refused(
    headers: str, body: bytes, vendor: MakeProvider, caller: Caller, log: LogRecorder
) -> None:
    provider = vendor("veesing")

    status = raw(caller, provider, headers, body)

    assert status == 400
    assert not DeliveryReport.objects.exists()
    assert provider.webhook_secret not in said(log)


@pytest.mark.parametrize(
    ("headers", "body"),
    [("Transfer-Encoding: chunked", in_chunks(veesing_report())), ("X-Nothing: at-all", veesing_report())],
    ids=["in chunks", "of no length"],
)
def test_a_body_without_a_known_length_gets_411(
    headers: str, body: bytes, vendor: MakeProvider, caller: Caller, log: LogRecorder
) -> None:
    """Under the server of these tests; tests/http_servers has others."""
    provider = vendor("veesing")

    status = raw(caller, provider, headers, body)

    assert status == 411
    assert not DeliveryReport.objects.exists()
    assert "The webhook of veesing" not in said(log), "the program has not failed"
    assert "A call of the webhook of veesing was refused: The server cannot tell where the body ends." in said(log)
    assert provider.webhook_secret not in said(log)


def test_a_body_in_chunks_is_accepted_where_the_server_marks_its_end(vendor: MakeProvider) -> None:
    provider = vendor("veesing")
    headers = [(b"transfer-encoding", b"chunked"), (b"content-type", FORM.encode())]
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}

    answer = webhook(ASGIRequest(scope, io.BytesIO(veesing_report())), provider.slug, provider.webhook_secret)

    assert (answer.status_code, answer.content) == (200, b"success")
    assert DeliveryReport.objects.count() == 1


def test_a_broken_connection_gets_400(vendor: MakeProvider, rf: RequestFactory, log: LogRecorder) -> None:
    provider = vendor("ihuyi")
    request = rf.post("/", ihuyi_report(), FORM, **BROKEN)

    answer = webhook(request, provider.slug, provider.webhook_secret)

    assert answer.status_code == 400
    assert answer.content.startswith(b"This call cannot be read: ")
    assert "The webhook of" not in said(log), "the program has not failed"


UNREADABLE: list[tuple[str, str, bytes]] = [
    *[(gateway, "empty", b"") for gateway in PUSHING],
    *[(gateway, "blank", b" \r\n ") for gateway in PUSHING],
    *[(gateway, "html", b"<html>hello</html>") for gateway in PUSHING],
    *[(gateway, "bytes", bytes(range(256))) for gateway in PUSHING],
    *[(gateway, "another vendor", b'{"mobile":"13800138000"}') for gateway in PUSHING],
    ("topthink", "form", veesing_report()),
    ("topthink", "cut", topthink_report()[:-1]),
    ("topthink", "deep", b"[" * 100_000),
    ("topthink", "scalar", b"7"),
    ("topthink", "empty list", b"[]"),
    ("topthink", "list of nothing", b'[null, 7, "x", []]'),
    ("topthink", "unknown action", b'{"action":"balance","sms":{}}'),
    ("topthink", "no phone", topthink_report(phone=None)),
    ("topthink", "half a phone", topthink_report(phone="138001380")),
    ("topthink", "no id", topthink_report(id=" ")),
    ("topthink", "nonsense status", topthink_report(status="13800138000")),
    ("topthink", "nested id", topthink_report(phone={"number": PHONE[3:]})),
    ("ihuyi", "json", topthink_report()),
    ("ihuyi", "no code", ihuyi_report(code="")),
    ("ihuyi", "no id", ihuyi_report(smsid="\0")),
    ("ihuyi", "strange verdict", ihuyi_verdict(code="1")),
    ("ihuyi", "an SMS code for a verdict", ihuyi_verdict(code=CODE)),
    ("ihuyi", "too many fields", form({f"field{place}": "" for place in range(101)}) + b"&" + ihuyi_report()),
    ("tencent", "no country", tencent_report(nationcode="")),
    ("tencent", "no id", tencent_report(sid=None)),
    ("tencent", "nonsense status", tencent_report(report_status="13800138000")),
    ("tencent", "cut", tencent_report()[:-1]),
    ("veesing", "neither report nor reply", form({"mobile": PHONE[3:], "taskid": "1"})),
    ("veesing", "nonsense status", veesing_report(status="13800138000")),
    ("veesing", "foreign phone", veesing_report(mobile="+85261234567")),
]


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("gateway", "body"), [pytest.param(gateway, body, id=f"{gateway} {name}") for gateway, name, body in UNREADABLE]
)
def test_an_unreadable_body_is_refused_and_changes_nothing(
    gateway: str, body: bytes, vendor: MakeProvider, caller: Caller, log: LogRecorder
) -> None:
    provider = vendor(gateway)
    before = everything()

    status, text = status_and_text(caller.push(provider, body))

    assert status == 400
    assert text.startswith("This call cannot be read: ")
    assert PHONE[3:] not in text
    assert CODE not in text + said(log)
    assert everything() == before
    assert f"A call of the webhook of {gateway} cannot be read: {text.partition(': ')[2]}" in said(log)
    assert provider.webhook_secret not in said(log)
    assert "django.request" not in said(log)


@pytest.mark.parametrize(("event", "status"), [("sms", 200), ("SMS ", 200), ("mail", 400), ("", 400)])
def test_only_the_event_of_topthink_is_accepted(event: str, status: int, vendor: MakeProvider, caller: Caller) -> None:
    provider = vendor("topthink")

    answer = caller.call("POST", caller.url(provider), topthink_report(), JSON, X_ThinkPHP_Event=event)

    assert status_and_text(answer)[0] == status
    assert DeliveryReport.objects.count() == (status == 200)


@pytest.mark.parametrize("gateway", ["apispace", "qixuntong", "memory"])
def test_a_vendor_that_does_not_push_is_refused(
    gateway: str, vendor: MakeProvider, memory: MakeProvider, caller: Caller
) -> None:
    provider = memory() if gateway == "memory" else vendor(gateway)

    answer = caller.push(provider, ihuyi_report())

    assert status_and_text(answer) == (400, "This call cannot be read: this vendor is not known to push anything")


# ------------------------------------------------------------------------------- errors of the site


@contextmanager
def failing(model: type[models.Model], error: Exception) -> Iterator[None]:
    """A row of this model cannot be stored; a single report's is stored without Django's signals."""

    def fail(*args: Any, **kwargs: Any) -> None:
        raise error

    with pytest.MonkeyPatch.context() as patched, connected(pre_save, fail, sender=model):
        if model is DeliveryReport:
            patched.setattr(single, "insert", fail)
        yield


@pytest.mark.parametrize(
    "error", [OperationalError(f"row with {PHONE} is gone"), DatabaseError(PHONE), RuntimeError(PHONE), KeyError(PHONE)]
)
@pytest.mark.parametrize(("model", "body"), [(DeliveryReport, ihuyi_report()), (Reply, ihuyi_reply())])
def test_a_push_that_cannot_be_stored_is_not_acknowledged(
    model: type[models.Model], body: bytes, error: Exception, vendor: MakeProvider, caller: Caller, log: LogRecorder
) -> None:
    message = sent(provider := vendor("ihuyi"), IDS["ihuyi"])
    before = everything()

    with failing(model, error):
        answer = status_and_text(caller.push(provider, body))

    assert answer == (500, "Nothing was lost here; please send this again.")
    assert everything() == before
    assert f"The webhook of ihuyi failed with {type(error).__name__}" in said(log)
    assert f"in {'store_report' if model is DeliveryReport else '_store_reply'}" in said(log), "it shows where"
    assert provider.webhook_secret not in said(log)
    assert "django.request" not in said(log)

    caller.taken(provider, body)
    assert model._default_manager.filter(message=message).count() == 1


def test_a_report_that_could_not_be_matched_is_not_acknowledged_and_matched_later(
    vendor: MakeProvider, caller: Caller, monkeypatch: pytest.MonkeyPatch, received: Received
) -> None:
    message = sent(provider := vendor("ihuyi"), IDS["ihuyi"])

    def fail(provider: Provider, reports: list[DeliveryReport]) -> None:
        raise DatabaseError(reports[0].phone)

    with monkeypatch.context() as patched:
        patched.setattr(single, "_message_of", lambda *args: None)  # its id is stored just after the search
        patched.setattr(single, "match_reports", fail)
        assert status_and_text(caller.push(provider, ihuyi_report()))[0] == 500
    assert status_of(message) == "accepted"

    caller.taken(provider, ihuyi_report())

    assert status_of(message) == "delivered"
    assert (DeliveryReport.objects.count(), len(received.reports), len(received.settled)) == (1, 1, 1)


@pytest.mark.parametrize("table", ["smsverify_provider", "smsverify_deliveryreport", "smsverify_message"])
def test_a_database_error_is_not_acknowledged(
    table: str, vendor: MakeProvider, client: Client, log: LogRecorder
) -> None:
    provider = vendor("ihuyi")

    def fail(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if table in sql:
            raise OperationalError(f"gone: {params}")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(fail):
        answer: Any = client.post(path_of(provider), ihuyi_report(), FORM)

    assert (answer.status_code, answer["Content-Type"]) == (500, "text/plain; charset=utf-8")
    assert answer.content != b"success"
    assert "failed with OperationalError" in said(log)
    assert provider.webhook_secret not in said(log)


@pytest.mark.parametrize("gateway", ["gone", "broken"])
def test_a_push_for_a_missing_gateway_is_not_acknowledged(gateway: str, vendor: MakeProvider, caller: Caller) -> None:
    provider = vendor("ihuyi")
    Provider.objects.update(gateway=gateway)

    with override_settings(SMSVERIFY={"GATEWAYS": {"broken": "no.such.Gateway"}}):
        assert status_and_text(caller.push(provider, ihuyi_report()))[0] == 500


def test_receivers_that_fail_do_not_change_the_answer(vendor: MakeProvider, caller: Caller) -> None:
    provider = vendor("ihuyi")
    message = sent(provider, IDS["ihuyi"])
    template = add_template(provider, "payment", CODE_TEXT, "2004", status="pending")

    def fail(**kwargs: Any) -> None:
        raise RuntimeError("a receiver of the site")

    with (
        connected(signals.delivery_reported, fail),
        connected(signals.message_settled, fail),
        connected(signals.reply_received, fail),
        connected(signals.review_changed, fail),
    ):
        caller.taken(provider, ihuyi_report(), ihuyi_reply(), ihuyi_verdict())

    assert status_of(message) == "delivered"
    assert DeliveryReport.objects.get().message == Reply.objects.get().message == message
    assert verdict_on(template) == ("approved", "")


# --------------------------------------------------------------------------------- settings of the site


def test_the_test_site_has_the_settings_that_could_interfere() -> None:
    assert settings.DATABASES["default"]["ATOMIC_REQUESTS"]
    assert "django.contrib.auth.middleware.LoginRequiredMiddleware" in settings.MIDDLEWARE
    assert "django.middleware.csrf.CsrfViewMiddleware" in settings.MIDDLEWARE


def test_a_webhook_needs_no_csrf_token_and_no_login(vendor: MakeProvider) -> None:
    provider = vendor("ihuyi")
    client = Client(enforce_csrf_checks=True)

    for path in (path_of(provider), path_of(provider).rstrip("/")):
        answer = client.post(path, ihuyi_report(), FORM)
        assert (answer.status_code, answer.content) == (200, b"success")


def read_body_first(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """A middleware of the site, which reads the posted data."""

    def middleware(request: HttpRequest) -> HttpResponse:
        request.POST.keys()
        return get_response(request)

    return middleware


def test_a_middleware_may_have_read_the_body(vendor: MakeProvider, client: Client) -> None:
    provider = vendor("ihuyi")

    with override_settings(MIDDLEWARE=[*settings.MIDDLEWARE, f"{__name__}.read_body_first"]):
        answer = client.post(path_of(provider), ihuyi_report(), FORM)

    assert answer.content == b"success"
    assert DeliveryReport.objects.count() == 1


def committed_count(rows: models.QuerySet[Any]) -> int:
    """The number of rows that another connection reads."""

    def count() -> int:
        try:
            return rows.all().count()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(count).result(60)


def test_signals_are_sent_after_the_commit(vendor: MakeProvider, caller: Caller) -> None:
    provider = vendor("ihuyi")
    sent(provider, IDS["ihuyi"])
    template = add_template(provider, "payment", CODE_TEXT, "2004", status="pending")
    seen: list[int] = []

    def look(rows: models.QuerySet[Any]) -> Callable[..., None]:
        return lambda **kwargs: seen.append(committed_count(rows))

    with (
        connected(signals.delivery_reported, look(DeliveryReport.objects.filter(message__isnull=False))),
        connected(signals.message_settled, look(Message.objects.filter(status="delivered"))),
        connected(signals.reply_received, look(Reply.objects.all())),
        connected(signals.review_changed, look(Template.objects.filter(pk=template.pk, status="approved"))),
    ):
        caller.taken(provider, ihuyi_report(), ihuyi_reply(), ihuyi_verdict())

    assert seen == [1, 1, 1, 1]


def test_a_site_without_time_zones_stores_local_time(vendor: MakeProvider, client: Client) -> None:
    provider = vendor("ihuyi")

    with override_settings(USE_TZ=False, TIME_ZONE="UTC"):
        answer = client.post(path_of(provider), ihuyi_report(), FORM)
        assert answer.content == b"success"
        assert DeliveryReport.objects.get().occurred_at == datetime(2017, 8, 2, 6, 31, 51)


def test_a_call_with_a_wrong_host_does_not_log_the_secret(
    vendor: MakeProvider, caller: Caller, log: LogRecorder
) -> None:
    """Django refuses it before it calls the view, and would log the URL."""
    provider = vendor("ihuyi")

    with override_settings(ALLOWED_HOSTS=["www.example.com"]):
        answer = caller.push(provider, ihuyi_report())

    assert answer.status_code == 400
    assert not DeliveryReport.objects.exists()
    assert provider.webhook_secret not in said(log)
