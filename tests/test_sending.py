"""Routes, failover, rows that are committed before the request, and messages of the site itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.db import connection, transaction
from django.http import HttpRequest, JsonResponse
from django.test import Client, override_settings
from django.urls import path
from django.utils import timezone
from sandbox import catalogue
from sandbox.faults import Fault
from sandbox.server import Sandbox

from django_smsverify.enums import MessageStatus, Reason, ReviewStatus
from django_smsverify.exceptions import (
    GatewayRejected,
    GatewayUnavailable,
    InsideTransaction,
    InvalidGateway,
    InvalidPhone,
    NoRoute,
    PhoneRejected,
    UnknownPurpose,
)
from django_smsverify.gateways.base import Gateway, Outcome
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.gateways.topthink import TopThinkGateway
from django_smsverify.messages import claim, record_one_acceptance
from django_smsverify.models import Message, Provider, Template, Verification
from django_smsverify.sending import send_code, send_message
from django_smsverify.sending.routing import routes, shuffled
from django_smsverify.sending.vendor_call import record_outcomes, send_to_vendor
from django_smsverify.signals import message_settled
from django_smsverify.types import Acceptance, Answer, OutgoingSMS
from django_smsverify.verifying import verify_code
from tests.conftest import record

from .conftest import NOTICE_IDS, PHONE, LogRecorder, MakeProvider, add_template, last_code
from .test_storing_reports import values_sent

NOTICE = "{name}，您的订单已发货，请注意查收。"


class RecordingGateway(MemoryGateway):
    """Records what is stored at the moment of sending, outside of any transaction."""

    seen: list[tuple[str, int]] = []

    def transmit(self, sms: OutgoingSMS) -> dict[str, Outcome]:
        assert not connection.in_atomic_block
        self.seen.extend(Message.objects.values_list("status", "segments"))
        return dict(super().transmit(sms))


class BrokenGateway(MemoryGateway):
    def transmit(self, sms: OutgoingSMS) -> dict[str, Outcome]:
        raise RuntimeError("a bug in a gateway")


class InitFailsGateway(MemoryGateway):
    def __init__(self, *args: Any) -> None:
        raise RuntimeError("a bug before anything is sent")


TEST_GATEWAYS = {
    "GATEWAYS": {
        "recording": "tests.test_sending.RecordingGateway",
        "broken": "tests.test_sending.BrokenGateway",
        "init_fails": "tests.test_sending.InitFailsGateway",
    }
}


# ------------------------------------------------------------------------------------------- routes


def test_lower_priority_numbers_come_first(memory: MakeProvider) -> None:
    for priority in (30, 10, 20):
        memory(slug=f"p{priority}", priority=priority)
    assert [template.provider.priority for template in routes("login", PHONE)] == [10, 20, 30]


def test_providers_of_one_priority_share_by_weight(memory: MakeProvider) -> None:
    templates = [memory(slug=f"w{weight}", weight=weight).templates.get() for weight in (0, 1, 3)]

    first = Counter(shuffled(templates)[0].provider.weight for _ in range(4000))

    assert first[0] == 0
    assert 0.70 < first[3] / 4000 < 0.80
    assert all(shuffled(templates)[-1].provider.weight == 0 for _ in range(50))


@pytest.mark.parametrize(
    "disable",
    [
        lambda t: Template.objects.update(is_active=False),
        lambda t: Template.objects.update(status=ReviewStatus.PENDING),
        lambda t: t.provider.signatures.update(status=ReviewStatus.REJECTED),
        lambda t: Provider.objects.update(is_active=False),
    ],
    ids=["inactive", "in-review", "signature", "provider"],
)
def test_only_approved_and_active_templates_are_routes(
    disable: Callable[[Template], Any], memory: MakeProvider
) -> None:
    disable(memory().templates.get())
    with pytest.raises(NoRoute):
        send_code(PHONE, "login")
    assert not MemoryGateway.outbox


def test_a_text_without_a_code_is_no_route(memory: MakeProvider) -> None:
    add_template(memory(), "notice", NOTICE, "")
    with pytest.raises(UnknownPurpose):
        routes("notice", PHONE)


# ----------------------------------------------------------------------------------------- failover


@pytest.mark.parametrize(
    ("gateway", "fault", "status", "reason", "fails_over"),
    [
        ("ihuyi", Fault.refuse("405"), "not_sent", "account", True),
        ("ihuyi", Fault.refuse("4072"), "not_sent", "content", True),
        ("ihuyi", Fault.refuse("4085"), "not_sent", "frequency", True),
        ("ihuyi", Fault.refuse("0"), "not_sent", "other", True),
        ("ihuyi", Fault.refuse("406"), "not_sent", "recipient", False),
        ("veesing", Fault.refuse("手机号码格式不正确"), "not_sent", "recipient", False),
        ("veesing", Fault.refuse("余额不足"), "not_sent", "account", True),
        ("qixuntong", Fault.refuse_number(12), "not_sent", "recipient", False),
        ("qixuntong", Fault.refuse_number(15), "not_sent", "account", True),
        ("topthink", Fault.status(401), "not_sent", "account", True),
        ("topthink", Fault.redirect(), "not_sent", "other", True),
        ("topthink", Fault.status(500), "unknown", "", None),
        ("apispace", Fault.garbage(), "unknown", "", None),
        ("apispace", Fault.empty(), "unknown", "", None),
        ("topthink", Fault.reset(deliver=True), "unknown", "", None),
        ("topthink", Fault.huge(), "unknown", "", None),
    ],
)
def test_failover_depends_on_the_reason_of_the_refusal(
    gateway: str,
    fault: Fault,
    status: str,
    reason: str,
    fails_over: bool | None,
    vendor: MakeProvider,
    memory: MakeProvider,
    sandbox: Sandbox,
) -> None:
    vendor(gateway, priority=1)
    memory(priority=2)
    sandbox.misbehave(gateway, fault)

    if fails_over is False:
        with pytest.raises(PhoneRejected):
            send_code(PHONE, "login")
    else:
        send_code(PHONE, "login")

    first = Message.objects.get(provider__slug=gateway)
    assert (first.status, first.error_reason) == (status, reason)
    assert len(MemoryGateway.outbox) == (fails_over is True)


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:9", "https://nonexistent.invalid"])
def test_an_unreachable_vendor_is_skipped(base_url: str, vendor: MakeProvider, memory: MakeProvider) -> None:
    vendor("topthink", priority=1, base_url=base_url)
    memory(priority=2)

    verification = send_code(PHONE, "login")

    assert verify_code(verification.pk, last_code()).verified_at
    first = Message.objects.get(provider__slug="topthink")
    assert (first.status, first.error_reason) == ("not_sent", "")
    assert "could not be reached" in first.error_message


@pytest.mark.parametrize(
    "fields",
    [
        {"gateway": "gone"},
        {"credentials": {}},
        {"credentials": {"app_id": "x"}},
    ],
)
def test_an_invalid_configuration_is_an_account_error(fields: dict[str, Any], memory: MakeProvider) -> None:
    provider = memory(slug="unset", priority=1)
    Provider.objects.filter(pk=provider.pk).update(**{"gateway": "veesing", **fields})
    memory(priority=2)

    send_code(PHONE, "login")

    first = Message.objects.get(provider=provider)
    assert (first.status, first.error_reason, first.error_code) == ("not_sent", "account", "configuration")
    assert first.error_message
    assert len(MemoryGateway.outbox) == 1


def test_the_vendors_message_is_stored_without_the_number(
    vendor: MakeProvider, sandbox: Sandbox, memory: MakeProvider
) -> None:
    vendor("veesing", priority=1)
    memory(priority=2)
    sandbox.misbehave("veesing", Fault.refuse(f"未知原因，请联系客服 {PHONE[3:]}"))

    send_code(PHONE, "login")

    assert Message.objects.get(provider__slug="veesing").error_message == "未知原因，请联系客服 ***"


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        r'{"code": "5", "message": "cut \ud83d"}',
        r'{"code": "\ud83d", "message": "x"}',
        r'{"code": "5", "message": "a\u0000b"}',
        r'{"code": "5\u0000\nWARNING forged", "message": "x"}',
        r'{"code": "0", "data": {"id": "\ud83d"}}',
        r'{"code": "0", "data": {"id": "a\u0000"}}',
        '{"code": "13800138000", "message": "13800138000"}',
    ],
)
def test_any_answer_of_a_vendor_can_be_stored(
    body: str, vendor: MakeProvider, memory: MakeProvider, log: LogRecorder
) -> None:
    class FixedAnswerGateway(TopThinkGateway):
        def call(self, request: requests.Request) -> Answer:
            return Answer(200, body.encode())

    globals()["FixedAnswerGateway"] = FixedAnswerGateway
    provider = vendor("topthink", priority=1)
    Provider.objects.filter(pk=provider.pk).update(gateway="fixed")
    memory(priority=2)

    with override_settings(SMSVERIFY={"GATEWAYS": {"fixed": "tests.test_sending.FixedAnswerGateway"}}):
        send_code(PHONE, "login")

    message = Message.objects.get(provider=provider)
    assert message.status == ("accepted" if '"0"' in body else "not_sent")
    assert all(text.isprintable() for text in (message.remote_id, message.error_code, message.error_message))
    assert not any(line.startswith("WARNING forged") for line in log.text.splitlines())


def test_an_sms_of_another_request_meanwhile_ends_the_failover(
    vendor: MakeProvider, memory: MakeProvider, sandbox: Sandbox
) -> None:
    """A refusal can take longer than the pause between two SMS."""
    memory("login", "payment", priority=2)
    provider = memory("login", slug="slow", priority=1)
    Provider.objects.filter(pk=provider.pk).update(gateway="slow")

    slow = {"GATEWAYS": {"slow": "tests.test_sending.SlowRefusal"}}
    with override_settings(SMSVERIFY=slow), pytest.raises(NoRoute):
        send_code(PHONE, "login")

    assert [sms.phone for sms in MemoryGateway.outbox] == [PHONE]
    assert Message.objects.get(status="accepted").purpose == "payment"


class SlowRefusal(MemoryGateway):
    """Refuses after the pause is over and another request has sent."""

    def transmit(self, sms: OutgoingSMS) -> dict[str, Outcome]:
        Message.objects.update(created_at=timezone.now() - timedelta(seconds=60))
        send_code(PHONE, "payment")
        raise GatewayUnavailable("slow DNS")


def test_a_request_that_cannot_be_built_was_not_sent(memory: MakeProvider) -> None:
    provider = memory(slug="buggy", priority=1)
    Provider.objects.filter(pk=provider.pk).update(gateway="buggy")
    memory(priority=2)

    with override_settings(SMSVERIFY={"GATEWAYS": {"buggy": "tests.test_sending.BuggyGateway"}}):
        send_code(PHONE, "login")

    assert Message.objects.get(provider=provider).error_code == "bug"
    assert len(MemoryGateway.outbox) == 1


class BuggyGateway(Gateway):
    label = "buggy"

    def build_send(self, sms: OutgoingSMS) -> requests.Request:
        raise KeyError(str(sms.recipients))


# ---------------------------------------------------------------------------------- rows before requests


@pytest.mark.django_db(transaction=True)
def test_the_row_is_committed_and_no_transaction_is_open_while_the_vendor_is_called(memory: MakeProvider) -> None:
    provider = memory()
    Provider.objects.filter(pk=provider.pk).update(gateway="recording")
    RecordingGateway.seen.clear()

    with override_settings(SMSVERIFY=TEST_GATEWAYS):
        send_code(PHONE, "login")

    assert RecordingGateway.seen == [("sending", 1)]


@pytest.mark.django_db(transaction=True)
def test_a_bug_in_a_gateway_leaves_the_outcome_unknown(memory: MakeProvider, log: LogRecorder) -> None:
    provider = memory(priority=1)
    memory(slug="other", priority=2)
    Provider.objects.filter(pk=provider.pk).update(gateway="broken")

    with override_settings(SMSVERIFY=TEST_GATEWAYS):
        send_code(PHONE, "login")

    message = Message.objects.get()
    assert (message.status, message.error_code) == ("unknown", "bug"), "it may have been sent, so it is not sent again"
    assert "BrokenGateway fails while it is sending: RuntimeError" in log.text
    assert 'raise RuntimeError("a bug in a gateway")' in log.text, "the traceback shows the line"


@pytest.mark.django_db(transaction=True)
def test_a_gateway_that_cannot_be_set_up_is_skipped(memory: MakeProvider, log: LogRecorder) -> None:
    provider = memory(priority=1)
    memory(slug="other", priority=2)
    Provider.objects.filter(pk=provider.pk).update(gateway="init_fails")

    with override_settings(SMSVERIFY=TEST_GATEWAYS):
        send_code(PHONE, "login")

    assert list(Message.objects.order_by("attempt").values_list("status", "error_reason")) == [
        ("not_sent", "account"),
        ("accepted", ""),
    ]
    assert "The gateway of memory could not be set up: RuntimeError" in log.text


@pytest.mark.django_db(transaction=True)
def test_no_other_request_can_use_the_number_between_two_attempts(
    vendor: MakeProvider, memory: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink", priority=1)
    memory(priority=2)
    sandbox.misbehave("topthink", Fault.status(403))
    seen_by_others: list[list[str]] = []

    def record_committed(execute: Any, sql: str, *args: Any) -> Any:
        result = execute(sql, *args)
        if sql.startswith("INSERT") and "smsverify_message" in sql:
            with ThreadPoolExecutor(1) as other:
                seen_by_others.append(other.submit(committed_statuses).result(60))
        return result

    with connection.execute_wrapper(record_committed):
        send_code(PHONE, "login")

    assert seen_by_others == [[], ["sending"]], "the refusal is committed together with the next attempt"


def committed_statuses() -> list[str]:
    try:
        return list(Message.objects.values_list("status", flat=True))
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_a_call_inside_a_transaction_is_refused(memory: MakeProvider) -> None:
    provider = memory()
    notice = add_template(provider, "notice", NOTICE, "")
    verification = send_code(PHONE, "login")
    code = last_code()

    for call in (
        lambda: send_code("13900139000", "login"),
        lambda: verify_code(verification.pk, code),
        lambda: send_message(notice, {PHONE: {"name": "王"}}),
    ):
        with transaction.atomic(), pytest.raises(InsideTransaction, match="non_atomic_requests"):
            call()

    assert len(MemoryGateway.outbox) == 1
    verification.refresh_from_db()
    assert verification.attempts == 0


def own_view(request: HttpRequest, verification_id: str, code: str) -> JsonResponse:
    """A site's own view, which runs under ATOMIC_REQUESTS by mistake."""
    verify_code(verification_id, code)  # type: ignore[arg-type]
    return JsonResponse({})


urlpatterns = [path("own/<str:verification_id>/<str:code>/", own_view)]


@pytest.mark.django_db(transaction=True)
@override_settings(ROOT_URLCONF="tests.test_sending", MIDDLEWARE=[])
def test_a_view_under_atomic_requests_fails_and_counts_no_guess(memory: MakeProvider) -> None:
    memory()
    verification = send_code(PHONE, "login")

    with pytest.raises(InsideTransaction):
        Client().get(f"/own/{verification.pk}/000000/")

    assert Verification.objects.get().attempts == 0


# ----------------------------------------------------------------------------------------- recording


def test_a_message_is_sent_to_the_vendor_once(memory: MakeProvider) -> None:
    memory()
    verification = send_code(PHONE, "login")
    message = verification.messages.get()

    assert not claim(message)
    assert send_to_vendor([message], {PHONE: {"code": "000000", "minutes": "5"}}) == []

    assert len(MemoryGateway.outbox) == 1


def test_an_acceptance_does_not_lower_the_status_of_a_report_that_was_faster(
    memory: MakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory()
    transmit = MemoryGateway.transmit

    def transmit_after_the_report(*args: Any) -> Any:
        Message.objects.update(status=MessageStatus.DELIVERED)
        return transmit(*args)

    monkeypatch.setattr(MemoryGateway, "transmit", transmit_after_the_report)
    message = send_code(PHONE, "login").messages.get()

    assert message.status == "delivered"
    assert message.sent_at is not None
    assert message.remote_id


def test_an_acceptance_without_an_id_keeps_the_id_that_a_report_has_given(memory: MakeProvider) -> None:
    memory()
    message = send_code(PHONE, "login").messages.get()
    Message.objects.update(status=MessageStatus.UNKNOWN, remote_id="4711")

    assert not record_one_acceptance(message, Acceptance())
    record(message, Acceptance())

    assert (message.status, message.remote_id) == ("accepted", "4711")


def test_a_late_acceptance_does_not_lower_the_status(memory: MakeProvider) -> None:
    memory()
    message = send_code(PHONE, "login").messages.get()
    Message.objects.update(status=MessageStatus.DELIVERED, remote_id="")

    record(message, Acceptance(remote_id="4711"))

    assert (message.status, message.remote_id) == ("delivered", "4711")


@pytest.mark.django_db(transaction=True)
def test_of_refused_messages_those_with_a_later_event_keep_it(memory: MakeProvider) -> None:
    template = add_template(memory(), "notice", "您好。", "")
    messages = send_message(template, {f"1380013800{number}": {} for number in range(3)})
    Message.objects.update(status=MessageStatus.SENDING, settled_at=None)
    Message.objects.filter(pk=messages[1].pk).update(status=MessageStatus.DELIVERED)
    refusal = GatewayRejected("no", reason=Reason.CONTENT, error_code="17")

    with values_sent(message_settled, "message") as settled:
        record_outcomes([(message, refusal) for message in messages])

    assert [message.status for message in messages] == ["not_sent", "delivered", "not_sent"]
    assert settled == [messages[0], messages[2]]
    assert set(Message.objects.values_list("status", "error_code")) == {("not_sent", "17"), ("delivered", "")}


# -------------------------------------------------------------------------------------- send_message


@pytest.mark.parametrize("gateway", ["apispace", "ihuyi", "qixuntong", "topthink"])
def test_a_text_to_many_numbers_is_batched_where_the_vendor_supports_it(
    gateway: str, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    provider = vendor(gateway, price="0.05")
    notice = add_template(provider, "notice", NOTICE, NOTICE_IDS.get(gateway, ""))
    names = {f"+8613800138{n:03}": {"name": "王先生" if n % 2 else "李女士"} for n in range(6)}
    before = len(sandbox.exchanges)

    messages = send_message(notice, names)

    assert [message.phone for message in messages] == list(names)
    assert {message.status for message in messages} == {"accepted"}
    assert all(message.values == {} and message.remote_id and message.verification is None for message in messages)
    assert {sms.phone: sms.text for sms in sandbox.inbox.all()} == {
        phone[3:]: f"【示例站】{own['name']}，您的订单已发货，请注意查收。" for phone, own in names.items()
    }
    calls = {"apispace": 1, "qixuntong": 2}
    assert len(sandbox.exchanges) - before == calls.get(gateway, 6)


def test_a_batch_is_no_larger_than_the_vendor_allows(vendor: MakeProvider, sandbox: Sandbox) -> None:
    provider = vendor("qixuntong")
    plain = add_template(provider, "notice", catalogue.PLAIN_TEXT, "")
    before = len(sandbox.exchanges)

    messages = send_message(plain, {f"1380013{n:04}": {} for n in range(401)})

    assert {message.status for message in messages} == {"accepted"}
    assert len(sandbox.inbox.all()) == 401
    assert len(sandbox.exchanges) - before == 3


def test_refused_numbers_of_a_batch_are_stored_as_not_sent(vendor: MakeProvider, sandbox: Sandbox) -> None:
    provider = vendor("qixuntong")
    plain = add_template(provider, "notice", catalogue.PLAIN_TEXT, "")
    sandbox.misbehave("qixuntong", Fault.refuse_number(15), times=1)

    messages = send_message(plain, {"13800138001": {}, "13800138002": {}})

    assert {(m.status, m.error_code, m.error_reason) for m in messages} == {("not_sent", "15", "account")}


@pytest.mark.parametrize(
    ("content", "recipients", "error"),
    [
        ("您的验证码是{code}。", {PHONE: {"code": "1"}}, ValueError),
        (NOTICE, {PHONE: {}}, ValueError),
        (NOTICE, {PHONE: {"name": "王", "colour": "red"}}, ValueError),
        (NOTICE, {PHONE: {"name": 7}}, ValueError),
        (NOTICE, {PHONE: {"name": "\ud800"}}, ValueError),
        (NOTICE, {PHONE: {"name": "王"}, "13800138000": {"name": "李"}}, ValueError),
        (NOTICE, {"nobody": {"name": "王"}}, InvalidPhone),
    ],
)
def test_an_invalid_send_is_refused_before_anything_is_stored(
    content: str, recipients: dict[str, Any], error: type[Exception], memory: MakeProvider
) -> None:
    template = add_template(memory(), "notice", content, "")

    with pytest.raises(error) as caught:
        send_message(template, recipients)

    assert PHONE[3:] not in str(caught.value)
    assert not Message.objects.exists()
    assert not MemoryGateway.outbox


def test_a_missing_gateway_is_an_error_before_anything_is_stored(memory: MakeProvider) -> None:
    template = add_template(memory(), "notice", NOTICE, "")
    template.provider.gateway = "gone"
    with pytest.raises(InvalidGateway):
        send_message(template, {PHONE: {"name": "王"}})
    assert not Message.objects.exists()


def test_a_template_that_is_not_approved_is_not_sent(memory: MakeProvider) -> None:
    template = add_template(memory(), "notice", NOTICE, "", status=ReviewStatus.DRAFT)
    with pytest.raises(ValueError, match="not approved"):
        send_message(template, {PHONE: {"name": "王"}})


def test_the_local_gateways_have_no_batch_limit(memory: MakeProvider) -> None:
    notice = add_template(memory(), "notice", NOTICE, "")
    assert len(send_message(notice, {f"1380013{n:04}": {"name": "王"} for n in range(250)})) == 250
    assert len(MemoryGateway.outbox) == 250
    assert send_message(notice, {}) == []
