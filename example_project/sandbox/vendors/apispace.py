"""APISpace: an approved text with positional values, many recipients in one request."""

from __future__ import annotations

import re
import secrets
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime

from sandbox.catalogue import APISPACE_TEMPLATES, CREDENTIALS, SIGNED
from sandbox.clock import stamp
from sandbox.inbox import Inbox
from sandbox.quirks import Quirks
from sandbox.scheduler import Scheduler
from sandbox.submission import Syntax
from sandbox.travel import DeliveryState
from sandbox.vendors.base import Operation, RefusedError, Vendor, is_mobile, same
from sandbox.wire import MalformedError, Reply, Request, only

UNAUTHORIZED = "401"
BAD_LENGTH = "106"
BAD_PHONE = "107"
BAD_EXTEND = "113"
BAD_VALUES = "114"
BAD_SIGNATURE = "116"
NO_MATCHING_TEMPLATE = "124"
BAD_SENDTIME = "127"
MALFORMED = "130"

_MESSAGES = {
    UNAUTHORIZED: "token无效",
    BAD_LENGTH: "消息长度错",
    BAD_PHONE: "包含错误的手机号码",
    BAD_EXTEND: "扩展码格式错",
    BAD_VALUES: "可用参数组个数错误",
    BAD_SIGNATURE: "签名不合法或未带签名",
    NO_MATCHING_TEMPLATE: "模板匹配错误",
    BAD_SENDTIME: "定时发送时间格式错误",
    MALFORMED: "请求参数错误",
}
_LONGEST_TEXT = 536
_REPORTS_KEPT = 100_000
_USUAL_COUNT = "10"
_MOST_REPORTS = 1000
_SYNTAX = Syntax(r"\{\$var\}", ".+")


class APISpace(Vendor):
    """eolink.o.apispace.com, with the answers of the platform behind it."""

    name = "apispace"
    malformed = MALFORMED

    def __init__(self, inbox: Inbox, quirks: Quirks, scheduler: Scheduler) -> None:
        super().__init__(inbox, quirks, scheduler)
        self._final: deque[DeliveryState] = deque(maxlen=_REPORTS_KEPT)

    def routes(self) -> Mapping[tuple[str, str], Operation]:
        return {("POST", "/sms-code/verifycode"): self._send, ("GET", "/api/sms/report"): self._reports}

    def refuse(self, request: Request, code: str) -> Reply:
        reason = _MESSAGES.get(code, "提交失败")
        status = 401 if code == UNAUTHORIZED else 200
        return Reply.json({"code": code, "msgId": "", "time": _now(), "errorMsg": reason}, status)

    def on_final_state(self, state: DeliveryState) -> None:
        self._final.append(state)

    def reset(self) -> None:
        super().reset()
        self._final.clear()

    def _send(self, request: Request) -> Reply:
        _authorize(request)
        fields = _strings(request.json_object())
        _check_options(fields)
        text = _approved_text(fields["msg"])
        recipients = [_recipient(group, text) for group in fields["params"].split(";")]
        message_id = str(10**16 + secrets.randbelow(9 * 10**16))
        for phone, filled in recipients:
            self.deliver(phone, SIGNED + filled, message_id)
        return self._accepted(message_id, len(recipients))

    def _reports(self, request: Request) -> Reply:
        """Final reports, oldest first; each report is returned once."""
        _authorize(request)
        fields = request.query_fields()
        only(fields, "count")
        count = fields.get("count", _USUAL_COUNT)
        if request.body or not re.fullmatch("[1-9][0-9]{0,3}", count) or int(count) > _MOST_REPORTS:
            raise MalformedError("count")
        return Reply.json({"code": "0", "data": [_report(state) for state in self._next(int(count))]})

    def _next(self, count: int) -> Iterator[DeliveryState]:
        with suppress(IndexError):
            for _ in range(count):
                yield self._final.popleft()

    def _accepted(self, message_id: str, count: int) -> Reply:
        if self._quirks.apispace_envelope:
            data = {"code": "0", "msgId": message_id}
            return Reply.json({"code": 200000, "msg": "success", "data": data})
        return Reply.json(
            {
                "code": "0",
                "failNum": "0",
                "successNum": str(count),
                "msgId": message_id,
                "time": _now(),
                "errorMsg": "",
            }
        )


def _now() -> str:
    return stamp(datetime.now(UTC), "%Y%m%d%H%M%S")


def _authorize(request: Request) -> None:
    token = request.headers.get("x-apispace-token", "")
    kind = request.headers.get("authorization-type", "apikey")
    if kind != "apikey" or not same(token, CREDENTIALS["apispace"]["token"]):
        raise RefusedError(UNAUTHORIZED)


def _strings(body: Mapping[str, object]) -> dict[str, str]:
    only(body, "msg", "params", "sendtime", "extend", "uid")
    fields = {name: value for name, value in body.items() if isinstance(value, str)}
    if len(fields) < len(body) or not (fields.get("msg") and fields.get("params")):
        raise MalformedError("fields")
    return fields


def _check_options(fields: Mapping[str, str]) -> None:
    if not re.fullmatch("([0-9]{12})?", fields.get("sendtime", "")):
        raise RefusedError(BAD_SENDTIME)
    if not re.fullmatch("([0-9]{1,3})?", fields.get("extend", "")):
        raise RefusedError(BAD_EXTEND)


def _approved_text(message: str) -> str:
    if len(message) > _LONGEST_TEXT:
        raise RefusedError(BAD_LENGTH)
    if not message.startswith(SIGNED):
        raise RefusedError(BAD_SIGNATURE)
    text = message.removeprefix(SIGNED)
    if not any(template.approved and template.text == text for template in APISPACE_TEMPLATES):
        raise RefusedError(NO_MATCHING_TEMPLATE)
    return text


def _recipient(group: str, text: str) -> tuple[str, str]:
    phone, *values = group.split(",")
    if not is_mobile(phone):
        raise RefusedError(BAD_PHONE)
    if len(values) != len(_SYNTAX.placeholders(text)) or not all(map(_SYNTAX.accepts, values)):
        raise RefusedError(BAD_VALUES)
    return phone, _SYNTAX.fill(text, values)


def _report(state: DeliveryState) -> dict[str, str]:
    return {
        "uid": "",
        "msgId": state.sms.remote_id,
        "mobile": state.sms.phone,
        "status": "DELIVRD" if state.arrived else "UNDELIV",
        "statusDesc": "短信发送成功" if state.arrived else "短信发送失败",
        "reportTime": stamp(state.at, "%y%m%d%H%M"),
        "notifyTime": stamp(state.at, "%y%m%d%H%M%S"),
        "length": "1",
    }
