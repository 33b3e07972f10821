"""The documented calls of our webhooks, byte for byte, and the event that each must give."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django_smsverify.enums import DeliveryOutcome, ReviewStatus, Submission
from django_smsverify.types import DeliveryEvent, Event, Push, ReplyEvent, ReviewEvent
from tests.folding import folded

from .support import FORM, JSON


def china(written: str) -> datetime:
    return datetime.fromisoformat(written).replace(tzinfo=timezone(timedelta(hours=8)))


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call as it is sent over the network."""

    vendor: str
    kind: str
    body: str
    event: Event
    needed: frozenset[str]
    """The fields without which the call is refused."""
    envelope: Mapping[str, str] = field(default_factory=dict)
    """The JSON fields around those of the call."""
    inside: str = ""
    """The name in the envelope under which the fields are."""

    @property
    def is_json(self) -> bool:
        return bool(self.envelope)

    @property
    def content_type(self) -> str:
        return JSON if self.is_json else FORM

    @property
    def push(self) -> Push:
        headers = {"x-thinkphp-event": "sms"} if self.is_json else {}
        return Push(content_type=self.content_type, headers=headers, body=self.body.encode())

    @property
    def fields(self) -> dict[str, Any]:
        if self.is_json:
            return dict(json.loads(self.body)[self.inside])
        return dict(parse_qsl(self.body, keep_blank_values=True))

    def text(self, fields: Mapping[str, Any]) -> str:
        """The call with other fields, before it is encoded."""
        if self.is_json:
            return json.dumps({**self.envelope, self.inside: fields}, ensure_ascii=False)
        return "&".join(f"{name}={value}" for name, value in fields.items())

    def with_fields(self, encoding: str = "utf-8", **fields: Any) -> bytes:
        """The call with some fields changed, as its vendor would encode it."""
        changed = {**self.fields, **fields}
        if self.is_json:
            return self.text(changed).encode(encoding)
        return urlencode(changed, encoding=encoding).encode()

    def without(self, name: str) -> bytes:
        fields = {own: value for own, value in self.fields.items() if own != name}
        return (self.text(fields) if self.is_json else urlencode(fields)).encode()

    def __str__(self) -> str:
        return f"{self.vendor} {self.kind}"


TOPTHINK_REPORT = Call(
    vendor="topthink",
    kind="report",
    body=(
        '{"action":"report","sms":{"id":"6055075678d9","phone":"13509898765","content":"短信内容",'
        '"sendDate":"2021-04-20 04:19:33","receiveDate":"2021-04-20 04:21:30","status":1,"message":""}}'
    ),
    envelope={"action": "report"},
    inside="sms",
    needed=frozenset({"id", "phone", "status"}),
    event=DeliveryEvent(
        remote_id="6055075678d9",
        phone="+8613509898765",
        outcome=DeliveryOutcome.DELIVERED,
        code="1",
        occurred_at=china("2021-04-20 04:21:30"),
        payload={
            "id": "6055075678d9",
            "phone": "13509898765",
            "sendDate": "2021-04-20 04:19:33",
            "receiveDate": "2021-04-20 04:21:30",
            "status": "1",
            "message": "",
        },
    ),
)
TOPTHINK_SIGN = Call(
    vendor="topthink",
    kind="sign",
    body=(
        '{"action":"sign","sign":{"id":"471","user_id":"1","name":"顶想云",'
        '"remark":"用于顶想云服务短信通知和验证码","status":2,"error":"请提供网址或公众号",'
        '"create_time":"2022-02-13 22:28:04","update_time":"2022-02-13 22:28:04"}}'
    ),
    envelope={"action": "sign"},
    inside="sign",
    needed=frozenset({"id", "status"}),
    event=ReviewEvent(
        submission=Submission.SIGNATURE,
        remote_id="471",
        status=ReviewStatus.REJECTED,
        reason="请提供网址或公众号",
        text="顶想云",
        remark="用于顶想云服务短信通知和验证码",
    ),
)
TOPTHINK_TEMPLATE = Call(
    vendor="topthink",
    kind="template",
    body=(
        '{"action":"template","sign":{"id":"278","user_id":"1","name":"订单通知",'
        '"content":"你有一个新的${name}订单,请及时处理!","remark":"用于顶想云订单通知","status":1,"error":null,'
        '"create_time":"2022-02-13 22:32:04","update_time":"2022-02-13 22:32:04"}}'
    ),
    envelope={"action": "template"},
    inside="sign",
    needed=frozenset({"id", "status"}),
    event=ReviewEvent(
        submission=Submission.TEMPLATE,
        remote_id="278",
        status=ReviewStatus.APPROVED,
        text="你有一个新的{name}订单,请及时处理!",
        name="订单通知",
        remark="用于顶想云订单通知",
    ),
)
VEESING_RECEIPT = Call(
    vendor="veesing",
    kind="receipt",
    body="mobile=15080920000&taskid=3313746&status=1&receivetime=2019-07-23+17%3A00%3A00",
    needed=frozenset({"mobile", "taskid", "status"}),
    event=DeliveryEvent(
        remote_id="3313746",
        phone="+8615080920000",
        outcome=DeliveryOutcome.DELIVERED,
        code="1",
        occurred_at=china("2019-07-23 17:00:00"),
        payload={
            "mobile": "15080920000",
            "taskid": "3313746",
            "status": "1",
            "receivetime": "2019-07-23 17:00:00",
        },
    ),
)
VEESING_REPLY = Call(
    vendor="veesing",
    kind="reply",
    body=(
        "mobile=15080920000&taskid=3313746&content=%E6%94%B6%E5%88%B0%EF%BC%8C%E8%B0%A2%E8%B0%A2"
        "&receivetime=2019-07-23+17%3A00%3A00"
    ),
    needed=frozenset({"mobile", "content"}),
    event=ReplyEvent(
        remote_id="3313746",
        phone="+8615080920000",
        content="收到，谢谢",
        occurred_at=china("2019-07-23 17:00:00"),
        payload={"mobile": "15080920000", "taskid": "3313746", "receivetime": "2019-07-23 17:00:00"},
    ),
)
IHUYI_REPORT = Call(
    vendor="ihuyi",
    kind="report",
    body=("code=2&msg=DELIVRD&mobilephone=13800138000&smsid=14745625541233112231&report_time=2017-08-02+14%3A31%3A51"),
    needed=frozenset({"code", "mobilephone", "smsid", "report_time"}),
    event=DeliveryEvent(
        remote_id="14745625541233112231",
        phone="+8613800138000",
        outcome=DeliveryOutcome.DELIVERED,
        code="2",
        detail="DELIVRD",
        occurred_at=china("2017-08-02 14:31:51"),
        payload={
            "code": "2",
            "msg": "DELIVRD",
            "mobilephone": "13800138000",
            "smsid": "14745625541233112231",
            "report_time": "2017-08-02 14:31:51",
        },
    ),
)
IHUYI_REPLY = Call(
    vendor="ihuyi",
    kind="reply",
    body=(
        "mobilephone=13800138000&content=%E6%94%B6%E5%88%B0%EF%BC%8C%E8%B0%A2%E8%B0%A2"
        "&smsid=14745625541233112231&reply_time=2017-05-24+17%3A46%3A50"
    ),
    needed=frozenset({"mobilephone", "content", "reply_time"}),
    event=ReplyEvent(
        remote_id="14745625541233112231",
        phone="+8613800138000",
        content="收到，谢谢",
        occurred_at=china("2017-05-24 17:46:50"),
        payload={
            "mobilephone": "13800138000",
            "smsid": "14745625541233112231",
            "reply_time": "2017-05-24 17:46:50",
        },
    ),
)
IHUYI_AUDIT = Call(
    vendor="ihuyi",
    kind="audit",
    body="code=0&msg=%E5%90%AB%E6%95%8F%E6%84%9F%E8%AF%8D&templateid=2001",
    needed=frozenset({"code", "templateid"}),
    event=ReviewEvent(
        submission=Submission.TEMPLATE, remote_id="2001", status=ReviewStatus.REJECTED, reason="含敏感词"
    ),
)
CALLS = [
    TOPTHINK_REPORT,
    TOPTHINK_SIGN,
    TOPTHINK_TEMPLATE,
    VEESING_RECEIPT,
    VEESING_REPLY,
    IHUYI_REPORT,
    IHUYI_REPLY,
    IHUYI_AUDIT,
]
each_call = folded("call", CALLS, ids=str)


def pushes_of(vendor: str) -> tuple[Push, ...]:
    return tuple(call.push for call in CALLS if call.vendor == vendor)
