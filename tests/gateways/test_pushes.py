"""The documented calls of our webhook, and the variants of each vendor."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from django_smsverify.enums import DeliveryOutcome, ReviewStatus, Submission
from django_smsverify.exceptions import InvalidCallback
from django_smsverify.types import DeliveryEvent, Event, News, ReplyEvent, ReviewEvent
from tests.folding import folded

from .calls import (
    CALLS,
    IHUYI_AUDIT,
    IHUYI_REPLY,
    IHUYI_REPORT,
    TOPTHINK_REPORT,
    TOPTHINK_SIGN,
    TOPTHINK_TEMPLATE,
    VEESING_RECEIPT,
    VEESING_REPLY,
    Call,
    china,
    each_call,
)
from .support import GATEWAYS, offline, parsed_push

DELIVERED, UNDELIVERED = DeliveryOutcome.DELIVERED, DeliveryOutcome.UNDELIVERED
APPROVED, REJECTED, PENDING = ReviewStatus.APPROVED, ReviewStatus.REJECTED, ReviewStatus.PENDING


def only(news: News) -> Event:
    """The only event of a call without problems."""
    (event,) = news.events
    assert news.problems == ()
    return event


def delivery(call: Call, **fields: Any) -> DeliveryEvent:
    event = only(parsed_push(call.vendor, call.with_fields(**fields)))
    assert isinstance(event, DeliveryEvent)
    return event


def review(call: Call, **fields: Any) -> ReviewEvent:
    event = only(parsed_push(call.vendor, call.with_fields(**fields)))
    assert isinstance(event, ReviewEvent)
    return event


def refused(vendor: str, body: str | bytes, **headers: str) -> str:
    with pytest.raises(InvalidCallback) as raised:
        parsed_push(vendor, body, **headers)
    return str(raised.value)


@each_call
def test_the_vendors_example_gives_the_expected_event(call: Call) -> None:
    news = offline(call.vendor)[0].read_push(call.push)

    assert only(news) == call.event


@pytest.mark.parametrize("call", [call for call in CALLS if not isinstance(call.event, ReviewEvent)], ids=str)
def test_times_are_in_the_zone_of_china(call: Call) -> None:
    event = only(offline(call.vendor)[0].read_push(call.push))

    assert not isinstance(event, ReviewEvent)
    assert event.occurred_at is not None
    assert event.occurred_at.utcoffset() == timedelta(hours=8)


@folded("call, name", [(call, name) for call in CALLS for name in sorted(call.needed)], ids=str)
def test_a_call_without_a_needed_field_is_refused(call: Call, name: str) -> None:
    why = refused(call.vendor, call.without(name))

    assert re.fullmatch("row 1: no field '[a-z_]+'", why)


@folded("call, name", [(call, name) for call in CALLS for name in sorted(call.fields.keys() - call.needed)], ids=str)
def test_a_call_needs_no_other_field(call: Call, name: str) -> None:
    event = only(parsed_push(call.vendor, call.without(name)))

    assert type(event) is type(call.event)
    assert not isinstance(event, DeliveryEvent | ReplyEvent) or name not in event.payload


@pytest.mark.parametrize("vendor", ["apispace", "qixuntong"])
@each_call
def test_a_push_of_a_vendor_without_pushes_is_refused(call: Call, vendor: str) -> None:
    gateway, _ = offline(vendor)

    assert not GATEWAYS[vendor].pushes
    with pytest.raises(InvalidCallback, match="not known to push anything"):
        gateway.read_push(call.push)


@folded(
    "call, vendor",
    [(call, vendor) for call in CALLS for vendor in ("topthink", "veesing", "ihuyi") if vendor != call.vendor],
    ids=str,
)
def test_a_call_of_another_vendor_is_refused(call: Call, vendor: str) -> None:
    with pytest.raises(InvalidCallback):
        offline(vendor)[0].read_push(call.push)


class TestTopThinkReports:
    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({"receiveDate": "2021-04-20 04:21:30"}, "2021-04-20 04:21:30"),
            ({"reveiveDate": "2021-04-20 04:21:30"}, "2021-04-20 04:21:30"),
            ({"receiveDate": "", "reveiveDate": "2021-04-20 04:21:30"}, "2021-04-20 04:21:30"),
            ({"receiveDate": None, "reveiveDate": "2021-04-20 04:21:30"}, "2021-04-20 04:21:30"),
            ({"receiveDate": "2021-04-20 04:21:30", "reveiveDate": "2021-04-20 04:21:31"}, "2021-04-20 04:21:30"),
            ({"recieveDate": "2021-04-20 04:21:30"}, None),
            ({"receiveDate": "0000-00-00 00:00:00"}, None),
            ({"receiveDate": None}, None),
            ({}, None),
        ],
    )
    def test_the_delivery_time_has_two_spellings(self, fields: dict[str, Any], expected: str | None) -> None:
        sms = {"id": "6055075678d9", "phone": "13509898765", "sendDate": "2021-04-20 04:19:33", "status": 1, **fields}

        event = only(parsed_push("topthink", json.dumps({"action": "report", "sms": sms})))

        assert isinstance(event, DeliveryEvent)
        assert event.occurred_at == (expected and china(expected))

    @pytest.mark.parametrize(("status", "outcome"), [(1, DELIVERED), (-1, UNDELIVERED)])
    @pytest.mark.parametrize("spelling", ["{}", " {}", "{} ", "\t{}\r\n", None])
    def test_its_status_is_an_int_or_a_string(
        self, status: int, outcome: DeliveryOutcome, spelling: str | None
    ) -> None:
        event = delivery(TOPTHINK_REPORT, status=spelling.format(status) if spelling else status)

        assert (event.outcome, event.code) == (outcome, str(status))

    @pytest.mark.parametrize("status", [0, "0", " 0 ", "0\n"])
    def test_a_message_under_way_gives_no_event_and_no_problem(self, status: object) -> None:
        assert parsed_push("topthink", TOPTHINK_REPORT.with_fields(status=status)) == News()

    @pytest.mark.parametrize("status", [2, "", None, True, "ok", 1.0, "１", [1], {"1": 1}, "- 1"])
    def test_an_unknown_status_is_refused(self, status: object) -> None:
        assert "is none of: 0, 1, -1" in refused("topthink", TOPTHINK_REPORT.with_fields(status=status))

    def test_the_message_of_a_failure_is_kept(self) -> None:
        event = delivery(TOPTHINK_REPORT, status=-1, message=" 空号 ")

        assert (event.outcome, event.detail) == (UNDELIVERED, "空号")

    @pytest.mark.parametrize("phone", [13509898765, "13509898765", " 13509898765 ", "+8613509898765", "8613509898765"])
    def test_the_number_is_an_int_or_a_string(self, phone: object) -> None:
        assert delivery(TOPTHINK_REPORT, phone=phone).phone == "+8613509898765"

    @pytest.mark.parametrize("remote_id", [471, "471", " 471 "])
    def test_the_id_is_text(self, remote_id: object) -> None:
        assert delivery(TOPTHINK_REPORT, id=remote_id).remote_id == "471"

    @pytest.mark.parametrize("remote_id", [2**63, 2**64 + 1, 60550756789012345678901234567890])
    def test_a_long_id_keeps_each_digit(self, remote_id: int) -> None:
        event = delivery(TOPTHINK_REPORT, id=remote_id)

        assert (event.remote_id, event.payload["id"]) == (str(remote_id), str(remote_id))

    def test_a_decimal_id_keeps_each_digit(self) -> None:
        body = TOPTHINK_REPORT.body.replace('"6055075678d9"', "1704101038362451100.10")

        event = only(parsed_push("topthink", body))

        assert isinstance(event, DeliveryEvent)
        assert event.remote_id == "1704101038362451100.10"

    def test_a_report_under_another_name_is_refused(self) -> None:
        body = TOPTHINK_REPORT.body.replace('"sms":', '"sign":')

        assert "no field 'sms'" in refused("topthink", body)


class TestTopThinkReviews:
    @folded("call", [TOPTHINK_SIGN, TOPTHINK_TEMPLATE], ids=str)
    @folded("status, expected", [(0, PENDING), (1, APPROVED), (2, REJECTED), (-1, REJECTED)])
    @folded("spelling", ["{}", " {} \n", None])
    def test_its_status_is_an_int_or_a_string(
        self, call: Call, status: int, expected: ReviewStatus, spelling: str | None
    ) -> None:
        event = review(call, status=spelling.format(status) if spelling else status)

        assert event.status == expected

    @folded("call", [TOPTHINK_SIGN, TOPTHINK_TEMPLATE], ids=str)
    @folded("status", [3, "", None, "approved", True, []])
    def test_an_unknown_status_is_refused(self, call: Call, status: object) -> None:
        assert "is none of: 0, 1, 2, -1" in refused("topthink", call.with_fields(status=status))

    @pytest.mark.parametrize(("error", "reason"), [(None, ""), ("", ""), (" 请重报 ", "请重报")])
    def test_a_missing_reason_is_empty(self, error: str | None, reason: str) -> None:
        assert review(TOPTHINK_SIGN, error=error).reason == reason

    @pytest.mark.parametrize("remote_id", [471, "471 "])
    def test_the_id_is_text(self, remote_id: object) -> None:
        assert review(TOPTHINK_SIGN, id=remote_id).remote_id == "471"

    @pytest.mark.parametrize(
        ("named", "remote_id"),
        [
            ({"sign": {"id": "278", "status": 1}}, "278"),
            ({"template": {"id": "278", "status": 1}}, "278"),
            ({"template": {"id": "278", "status": 1}, "sign": {"id": "471", "status": 2}}, "278"),
            ({"template": None, "sign": {"id": "278", "status": 1}}, "278"),
            ({"template": {}, "sign": {"id": "278", "status": 1}}, "278"),
        ],
        ids=["sign", "template", "both", "null", "empty"],
    )
    def test_a_template_is_read_under_either_name(self, named: dict[str, Any], remote_id: str) -> None:
        event = only(parsed_push("topthink", json.dumps({"action": "template", **named})))

        assert event == ReviewEvent(submission=Submission.TEMPLATE, remote_id=remote_id, status=APPROVED)

    def test_a_signature_is_read_only_under_its_own_name(self) -> None:
        body = TOPTHINK_SIGN.body.replace('"sign":{', '"template":{')

        assert "no field 'sign'" in refused("topthink", body)


class TestTopThinkCalls:
    @pytest.mark.parametrize("value", ["sms", "SMS", "Sms", " sms "])
    def test_the_header_is_accepted_in_any_case(self, value: str) -> None:
        assert only(parsed_push("topthink", TOPTHINK_REPORT.body, x_thinkphp_event=value)) == TOPTHINK_REPORT.event

    def test_the_header_may_be_missing(self) -> None:
        assert only(parsed_push("topthink", TOPTHINK_REPORT.body)) == TOPTHINK_REPORT.event

    @pytest.mark.parametrize("value", ["order", "", "sms2", "sms,sms", "None"])
    def test_another_event_in_the_header_is_refused(self, value: str) -> None:
        why = refused("topthink", TOPTHINK_REPORT.body, x_thinkphp_event=value)

        assert why == "the header X-ThinkPHP-Event is not sms"

    @pytest.mark.parametrize("action", ["report", " report "])
    def test_space_around_the_action_is_ignored(self, action: str) -> None:
        body = TOPTHINK_REPORT.body.replace('"report"', f'"{action}"')

        assert only(parsed_push("topthink", body)) == TOPTHINK_REPORT.event

    @pytest.mark.parametrize("action", ['"refund"', '""', "null", "1", "[]", '"Report"'])
    def test_another_action_is_refused(self, action: str) -> None:
        body = TOPTHINK_REPORT.body.replace('"report"', action)

        assert refused("topthink", body) == "row 1: unknown action"

    def test_a_call_without_an_action_is_refused(self) -> None:
        assert refused("topthink", '{"sms":{}}') == "row 1: no field 'action'"

    def test_a_bad_row_does_not_affect_the_other_rows(self) -> None:
        under_way = TOPTHINK_REPORT.with_fields(status=0).decode()
        rows = [TOPTHINK_REPORT.body, '{"action":"refund"}', TOPTHINK_SIGN.body, under_way, TOPTHINK_TEMPLATE.body]

        news = parsed_push("topthink", f"[{','.join(rows)}]")

        assert news.events == (TOPTHINK_REPORT.event, TOPTHINK_SIGN.event, TOPTHINK_TEMPLATE.event)
        assert news.problems == ("row 2: unknown action",)

    def test_a_row_that_cannot_be_stored_does_not_affect_the_others(self) -> None:
        without_id = TOPTHINK_REPORT.with_fields(id=" \0 ").decode()

        news = parsed_push("topthink", f"[{without_id},{TOPTHINK_SIGN.body}]")

        assert news.events == (TOPTHINK_SIGN.event,)
        (problem,) = news.problems
        assert problem.endswith("no id")

    def test_a_batch_of_bad_rows_is_refused_with_each_reason(self) -> None:
        unknown = TOPTHINK_REPORT.with_fields(status=9).decode()

        why = refused("topthink", f'[{unknown},{{"action":"refund"}},7]')

        assert why.startswith("row 1: '9' is none of: 0, 1, -1; row 2: unknown action; row 3: ")

    def test_a_batch_of_messages_under_way_gives_no_events(self) -> None:
        under_way = TOPTHINK_REPORT.with_fields(status=0).decode()

        assert parsed_push("topthink", f"[{under_way},{under_way}]") == News()


class TestVeeSing:
    @pytest.mark.parametrize(("status", "outcome"), [("1", DELIVERED), ("0", UNDELIVERED)])
    @pytest.mark.parametrize("spelling", ["{}", "{} ", " {}", "{}\r\n"])
    def test_a_receipt_is_delivered_or_undelivered(self, status: str, outcome: DeliveryOutcome, spelling: str) -> None:
        event = delivery(VEESING_RECEIPT, status=spelling.format(status))

        assert (event.outcome, event.code) == (outcome, status)

    @pytest.mark.parametrize("status", ["2", "-1", "", "DELIVRD", "１"])
    def test_an_unknown_status_is_refused(self, status: str) -> None:
        assert "is none of: 1, 0" in refused("veesing", VEESING_RECEIPT.with_fields(status=status))

    @pytest.mark.parametrize("call", [VEESING_RECEIPT, VEESING_REPLY], ids=str)
    @pytest.mark.parametrize("name", ["taskid", "taskId", "TaskID", "TASKID"])
    def test_the_name_of_the_id_is_read_in_any_case(self, call: Call, name: str) -> None:
        event = only(parsed_push("veesing", call.body.replace("taskid", name)))

        assert event == call.event

    @pytest.mark.parametrize("call", [VEESING_RECEIPT, VEESING_REPLY], ids=str)
    def test_all_names_are_read_in_any_case(self, call: Call) -> None:
        upper_case = "&".join(
            f"{name.upper()}={value}" for name, _, value in (pair.partition("=") for pair in call.body.split("&"))
        )

        assert only(parsed_push("veesing", upper_case)) == call.event

    def test_a_reply_needs_no_message_id(self) -> None:
        event = only(parsed_push("veesing", VEESING_REPLY.without("taskid")))

        assert isinstance(event, ReplyEvent)
        assert (event.remote_id, event.content) == ("", "收到，谢谢")

    def test_the_text_in_a_receipt_is_not_kept(self) -> None:
        assert delivery(VEESING_RECEIPT, content="您的验证码是471102") == VEESING_RECEIPT.event

    @pytest.mark.parametrize("written", ["", "0000-00-00 00:00:00", "soon"])
    def test_a_receipt_needs_no_time(self, written: str) -> None:
        event = delivery(VEESING_RECEIPT, receivetime=written)

        assert (event.outcome, event.occurred_at) == (DELIVERED, None)

    @folded("call", [VEESING_RECEIPT, VEESING_REPLY], ids=str)
    @folded("mobile", ["", "1508092000", "150809200000", "02012345678", "+85261234567", "None"])
    def test_a_number_that_is_not_a_mainland_mobile_is_refused(self, call: Call, mobile: str) -> None:
        assert refused("veesing", call.with_fields(mobile=mobile)) == "row 1: no mainland mobile number"


class TestIhuyi:
    @pytest.mark.parametrize("code", ["2", " 2", "2 ", "2\r\n"])
    def test_code_2_is_delivered(self, code: str) -> None:
        event = delivery(IHUYI_REPORT, code=code)

        assert (event.outcome, event.code) == (DELIVERED, "2")

    @pytest.mark.parametrize("code", ["0", "1", "-1", "22", "02", "2.0", "4080", "UNDELIV", "２"])
    def test_every_other_code_is_a_failure(self, code: str) -> None:
        event = delivery(IHUYI_REPORT, code=code, msg="MK:0001")

        assert (event.outcome, event.code, event.detail) == (UNDELIVERED, code, "MK:0001")

    @pytest.mark.parametrize("code", ["", " "])
    def test_a_report_without_a_code_is_refused(self, code: str) -> None:
        assert refused("ihuyi", IHUYI_REPORT.with_fields(code=code)) == "row 1: no code"

    def test_the_text_in_a_report_is_not_kept(self) -> None:
        assert delivery(IHUYI_REPORT, content="您的验证码是471102") == IHUYI_REPORT.event

    @pytest.mark.parametrize("call", [IHUYI_REPORT, IHUYI_REPLY], ids=str)
    @pytest.mark.parametrize("mobile", ["", "1508092000", "150809200000", "+85261234567"])
    def test_a_number_that_is_not_a_mainland_mobile_is_refused(self, call: Call, mobile: str) -> None:
        assert refused("ihuyi", call.with_fields(mobilephone=mobile)) == "row 1: no mainland mobile number"

    @pytest.mark.parametrize("call", [IHUYI_REPORT, IHUYI_REPLY], ids=str)
    def test_an_unreadable_time_does_not_affect_the_other_fields(self, call: Call) -> None:
        name = "report_time" if call is IHUYI_REPORT else "reply_time"
        event = only(parsed_push("ihuyi", call.with_fields(**{name: "0000-00-00 00:00:00"})))

        assert isinstance(event, DeliveryEvent | ReplyEvent)
        assert isinstance(call.event, DeliveryEvent | ReplyEvent)
        assert event == replace(call.event, occurred_at=None, payload=event.payload)

    def test_a_reply_needs_no_message_id(self) -> None:
        event = only(parsed_push("ihuyi", IHUYI_REPLY.without("smsid")))

        assert isinstance(event, ReplyEvent)
        assert (event.remote_id, event.content) == ("", "收到，谢谢")

    @pytest.mark.parametrize(
        ("code", "msg", "status", "reason"),
        [
            ("2", "审核通过", APPROVED, ""),
            ("2 ", "", APPROVED, ""),
            ("0", "含敏感词 ", REJECTED, "含敏感词"),
            (" 0", "", REJECTED, ""),
        ],
    )
    def test_a_template_is_approved_or_rejected(self, code: str, msg: str, status: ReviewStatus, reason: str) -> None:
        event = review(IHUYI_AUDIT, code=code, msg=msg)

        assert event == ReviewEvent(submission=Submission.TEMPLATE, remote_id="2001", status=status, reason=reason)

    @pytest.mark.parametrize("code", ["1", "-1", "", "20", "4071"])
    def test_an_unknown_verdict_is_refused(self, code: str) -> None:
        assert "is none of: 2, 0" in refused("ihuyi", IHUYI_AUDIT.with_fields(code=code))

    def test_a_verdict_needs_no_message(self) -> None:
        event = only(parsed_push("ihuyi", IHUYI_AUDIT.without("msg")))

        assert event == ReviewEvent(submission=Submission.TEMPLATE, remote_id="2001", status=REJECTED)


@folded(
    "content, kept",
    [
        ("1", "1"),
        ("TD", "TD"),
        (" 退订 ", "退订"),
        ("一行\r\n二行\n\n四行", "一行\n二行\n\n四行"),
        ("一行\u2028二行", "一行\n二行"),
        ("响铃\a和\t制表", "响铃 和 制表"),
        ("👍🏽 可以", "👍🏽 可以"),
        ("a=b&c=d+e%20f;g", "a=b&c=d+e%20f;g"),
        ("长" * 3000, "长" * 2000),
        ("", ""),
    ],
)
@folded("call", [VEESING_REPLY, IHUYI_REPLY], ids=str)
def test_the_text_of_a_reply_is_cleaned_and_kept(call: Call, content: str, kept: str) -> None:
    event = only(parsed_push(call.vendor, call.with_fields(content=content)))

    assert isinstance(event, ReplyEvent)
    assert event.content == kept
    assert "content" not in event.payload
