"""Tencent's delivery reports and replies, as they are pushed and as they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django_smsverify.enums import DeliveryOutcome
from django_smsverify.gateways.parsing import CHINA, as_text, china_time, lookup, payload_without
from django_smsverify.types import DeliveryEvent, Event, JSONObject, ReplyEvent, SentSMS

OUTCOMES = {"SUCCESS": DeliveryOutcome.DELIVERED, "FAIL": DeliveryOutcome.UNDELIVERED}


def pushed_event(row: JSONObject) -> Event:
    """What a row of a push says: a delivery or a reply."""
    country = as_text(row["nationcode"])
    if not country:
        raise ValueError("no country's code")
    phone, payload = f"+{country}{as_text(row['mobile'])}", payload_without(row, "text")
    if "report_status" not in row:
        return ReplyEvent(
            phone=phone, content=as_text(row["text"]), occurred_at=_moment(row.get("time")), payload=payload
        )
    return DeliveryEvent(
        remote_id=as_text(row["sid"]),
        phone=phone,
        own_id=as_text(row.get("ext")),
        outcome=lookup(OUTCOMES, row["report_status"]),
        code=as_text(row.get("errmsg")),
        detail=as_text(row.get("description")),
        occurred_at=china_time(row.get("user_receive_time")),
        payload=payload,
    )


def asked_event(rows: Sequence[JSONObject], sent: SentSMS) -> DeliveryEvent | None:
    """The report on a message among those on its number; None while there is none.

    The vendor returns our id where it opened SessionContext for the account.
    """
    name, wanted = ("SerialNo", sent.remote_id) if sent.remote_id else ("SessionContext", sent.own_id)
    found = next((row for row in rows if as_text(row.get(name)) == wanted), None)
    if found is None:
        return None
    return DeliveryEvent(
        remote_id=as_text(found["SerialNo"]),
        phone=as_text(found["PhoneNumber"]),
        outcome=lookup(OUTCOMES, found["ReportStatus"]),
        code=as_text(found["ReportStatus"]),
        detail=as_text(found.get("Description")),
        occurred_at=_moment(found.get("UserReceiveTime")),
        payload=payload_without(found),
    )


def _moment(written: object) -> datetime | None:
    """A time in seconds since 1970; None for an invalid one, so that the row is kept."""
    text = as_text(written)
    if not (text.isascii() and text.isdecimal() and len(text) == 10):
        return None
    return datetime.fromtimestamp(int(text), CHINA)
