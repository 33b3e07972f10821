"""Aliyun's delivery reports and replies, as they are pushed and as they are asked for."""

from __future__ import annotations

from collections.abc import Sequence

from django_smsverify.enums import DeliveryOutcome
from django_smsverify.gateways.parsing import as_text, china_time, e164, lookup, payload_without
from django_smsverify.types import DeliveryEvent, Event, JSONObject, ReplyEvent, SentSMS

from .verdicts import pushed_verdict

PUSHED = {"True": DeliveryOutcome.DELIVERED, "False": DeliveryOutcome.UNDELIVERED}
ASKED = {"1": None, "2": DeliveryOutcome.UNDELIVERED, "3": DeliveryOutcome.DELIVERED}
"""By `SendStatus`; 1 is under way."""


def pushed_event(row: JSONObject) -> Event:
    """What a row of a push says: a verdict, a delivery or a reply."""
    if verdict := pushed_verdict(row):
        return verdict
    phone, sent_at = number_of(row["phone_number"]), china_time(row.get("send_time"))
    payload = payload_without(row, "content")
    if "success" not in row:
        return ReplyEvent(phone=phone, content=as_text(row["content"]), occurred_at=sent_at, payload=payload)
    return DeliveryEvent(
        remote_id=as_text(row["biz_id"]),
        phone=phone,
        own_id=as_text(row.get("out_id")),
        outcome=lookup(PUSHED, row["success"]),
        code=as_text(row.get("err_code")),
        detail=as_text(row.get("err_msg")),
        occurred_at=china_time(row.get("report_time")),
        payload=payload,
    )


def asked_event(rows: Sequence[JSONObject], sent: SentSMS) -> DeliveryEvent | None:
    """The report on a message among the rows about its number; None while there is none."""
    own = [row for row in rows if as_text(row.get("OutId")) == sent.own_id]
    # The rows name no BizId: where none has our id, only a query by BizId can tell whose they are.
    found = next(iter(own or (rows if sent.remote_id else ())), None)
    if found is None or (outcome := lookup(ASKED, found["SendStatus"])) is None:
        return None
    return DeliveryEvent(
        remote_id=sent.remote_id or sent.own_id,
        phone=number_of(found["PhoneNum"]),
        outcome=outcome,
        code=as_text(found.get("ErrCode")),
        occurred_at=china_time(found.get("ReceiveDate")),
        payload=payload_without(found, "content"),
    )


def number_of(written: object) -> str:
    """A number of the vendor as E.164: of the mainland with or without 86, of other countries with their code."""
    text = as_text(written)
    return e164(text) if len(text) == 11 and text.startswith("1") else f"+{text.removeprefix('+').removeprefix('00')}"
