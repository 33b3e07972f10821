"""10658 Veesing: verification codes only; failures differ only by their message."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count

from sandbox.catalogue import CREDENTIALS, SIGNED, VEESING_POINTS, VEESING_TEMPLATES, Template
from sandbox.clock import stamp
from sandbox.inbox import SMS, Inbox
from sandbox.pushing import Kind, Push
from sandbox.quirks import Quirks
from sandbox.scheduler import Scheduler
from sandbox.submission import Syntax
from sandbox.travel import DeliveryState
from sandbox.vendors.base import Operation, RefusedError, Vendor, is_mobile, same
from sandbox.wire import Reply, Request, only

BAD_PARAMETER = "参数错误"
MISSING_PARAMETER = "缺少参数"
BAD_ACCOUNT = "账号或密码错误"
BAD_PHONE = "手机号码格式不正确"
BAD_TEMPLATE_ID = "模板id格式不正确"
NO_TEMPLATE = "模板不存在或者未通过"
NO_BALANCE = "余额不足"

_FIELDS = ("appId", "appKey", "phone", "templateId", "variables")
_SYNTAX = Syntax(r"\{[a-z]+\}", "[0-9]{2,8}")


class Veesing(Vendor):
    """cloud.10658.com.cn."""

    name = "veesing"
    malformed = BAD_PARAMETER
    initial_templates = VEESING_TEMPLATES
    opening_credits = VEESING_POINTS

    def __init__(self, inbox: Inbox, quirks: Quirks, scheduler: Scheduler) -> None:
        super().__init__(inbox, quirks, scheduler)
        # Task ids must not repeat when a demo restarts with its old database.
        self._tasks = count(int(time.time()))

    def routes(self) -> Mapping[tuple[str, str], Operation]:
        return {
            ("POST", "/smsApi/verifyCode"): self._send,
            ("POST", "/smsApi/verifyCode/getBalance"): self._get_balance,
        }

    def refuse(self, request: Request, code: str) -> Reply:
        return _reply("0", code)

    def on_final_state(self, state: DeliveryState) -> Push:
        status = "1" if state.arrived else "0"
        fields = {"mobile": state.sms.phone, "taskid": state.sms.remote_id, "status": status}
        return self._push("report", fields, state.at)

    def on_reply(self, sms: SMS, content: str) -> Push:
        fields = {"mobile": sms.phone, "taskid": sms.remote_id, "content": content}
        return self._push("reply", fields, datetime.now(UTC))

    def _push(self, kind: Kind, fields: Mapping[str, str], moment: datetime) -> Push:
        return Push.form(self.name, kind, {**fields, "receivetime": stamp(moment)}, charset="utf-8")

    def _send(self, request: Request) -> Reply:
        fields = request.form_fields()
        _require(fields, *_FIELDS)
        if request.query:
            raise RefusedError(BAD_PARAMETER)
        _authorize(fields)
        template = self._template(fields["templateId"])
        if not is_mobile(fields["phone"]):
            raise RefusedError(BAD_PHONE)
        if not _SYNTAX.accepts(fields["variables"]):
            raise RefusedError(BAD_PARAMETER)
        points = self.credits.spend()
        if points is None:
            raise RefusedError(NO_BALANCE)
        task_id = str(next(self._tasks))
        text = _SYNTAX.fill(template.text, [fields["variables"]])
        self.deliver(fields["phone"], SIGNED + text, task_id)
        # The vendor sends the trailing space.
        return _reply("1 ", "成功", str(points), task_id, "1")

    def _get_balance(self, request: Request) -> Reply:
        # The vendor's table documents a form, its sample a query with an empty body.
        if request.query and request.body:
            raise RefusedError(BAD_PARAMETER)
        fields = request.query_fields() or request.form_fields()
        _require(fields, "appId", "appKey")
        _authorize(fields)
        return _reply("1 ", "成功", str(self.credits.left))

    def _template(self, given: str) -> Template:
        if not re.fullmatch("[0-9]+", given):
            raise RefusedError(BAD_TEMPLATE_ID)
        found = next((template for template in self.templates.approved() if template.id == given), None)
        if found is None:
            raise RefusedError(NO_TEMPLATE)
        return found


def _require(fields: Mapping[str, str], *names: str) -> None:
    only(fields, *names)
    if not all(fields.get(name) for name in names):
        raise RefusedError(MISSING_PARAMETER)


def _authorize(fields: Mapping[str, str]) -> None:
    account = CREDENTIALS["veesing"]
    if not (same(fields["appId"], account["app_id"]) and same(fields["appKey"], account["app_key"])):
        raise RefusedError(BAD_ACCOUNT)


def _reply(
    status: str,
    message: str,
    points: str | None = None,
    task_id: str | None = None,
    count: str | None = None,
) -> Reply:
    return Reply.json(
        {
            "returnStatus": status,
            "message": message,
            "remainPoint": points,
            "taskId": task_id,
            "successCounts": count,
        }
    )
