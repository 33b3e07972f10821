"""TopThink: signatures and templates with ids, named variables in a JSON string."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from sandbox.catalogue import CREDENTIALS, TOPTHINK_SIGNS, TOPTHINK_TEMPLATES, Sign, Template
from sandbox.clock import stamp
from sandbox.inbox import SMS, Inbox
from sandbox.pushing import Kind, Push
from sandbox.quirks import Quirks
from sandbox.reviews import APPROVED, REJECTED, Record, Submission
from sandbox.scheduler import Scheduler
from sandbox.submission import Syntax
from sandbox.travel import DeliveryState, DeliveryStates
from sandbox.vendors.base import Operation, RefusedError, Vendor, is_mobile, same
from sandbox.wire import MalformedError, Reply, Request, json_object, only

# The vendor publishes no list of codes: these are defined by the sandbox.
MALFORMED = "400"
UNAUTHORIZED = "401"
BAD_PHONE = "10001"
BAD_SIGN = "10002"
BAD_TEMPLATE = "10003"
BAD_PARAMS = "10004"
NOT_FOUND = "10005"
BAD_NAME = "10006"
BAD_CONTENT = "10007"
UNCHANGEABLE = "10008"
PENDING = "10009"

_MESSAGES = {
    MALFORMED: "参数错误",
    UNAUTHORIZED: "授权码无效",
    BAD_PHONE: "手机号码格式错误",
    BAD_SIGN: "签名不存在或未通过审核",
    BAD_TEMPLATE: "模板不存在或未通过审核",
    BAD_PARAMS: "模板变量错误",
    NOT_FOUND: "记录不存在",
    BAD_NAME: "签名不能包含特殊字符或测试字样",
    BAD_CONTENT: "模板内容不符合规范",
    UNCHANGEABLE: "已通过审核的不允许修改，只能删除后重新申请",
    PENDING: "审核中，不允许修改",
}
_HTTP_STATUSES = {MALFORMED: 400, UNAUTHORIZED: 401}
_SUBMISSION_FIELDS: Mapping[Submission, tuple[str, ...]] = {
    "sign": ("name", "remark"),
    "template": ("name", "content", "remark"),
}
_LONGEST_VALUE = 50
_MOST_VARIABLES = 8
_RESERVED = frozenset({"id", "email", "mobile", "nick", "site"})
_SYNTAX = Syntax(r"\$\{[A-Za-z_]+\}", ".*")


class TopThink(Vendor):
    """api.topthink.com."""

    name = "topthink"
    malformed = MALFORMED
    initial_signs = TOPTHINK_SIGNS
    initial_templates = TOPTHINK_TEMPLATES

    def __init__(self, inbox: Inbox, quirks: Quirks, scheduler: Scheduler) -> None:
        super().__init__(inbox, quirks, scheduler)
        self._states = DeliveryStates()

    def routes(self) -> Mapping[tuple[str, str], Operation]:
        operations: dict[str, Operation] = {"/sms/send": self._send, "/sms/query_status": self._query_status}
        for kind in _SUBMISSION_FIELDS:
            operations |= {
                f"/sms/add_{kind}": partial(self._add, kind),
                f"/sms/query_{kind}": partial(self._query, kind),
                f"/sms/modify_{kind}": partial(self._modify, kind),
                f"/sms/delete_{kind}": partial(self._delete, kind),
            }
        return {(method, path): operation for method in ("GET", "POST") for path, operation in operations.items()}

    def refuse(self, request: Request, code: str) -> Reply:
        message = _MESSAGES.get(code, "发送失败")
        return Reply.json({"code": int(code), "message": message, "data": None}, _HTTP_STATUSES.get(code, 200))

    def accept(self, sms: SMS) -> None:
        self._states.store(DeliveryState(sms, sms.received_at))
        super().accept(sms)

    def on_final_state(self, state: DeliveryState) -> Push:
        self._states.store(state)
        return self._push("report", "sms", _task(state, state.sms.phone, "receiveDate"))

    def on_review(self, kind: Submission, record: Record[Sign] | Record[Template]) -> Push:
        # The vendor uses the key "sign" for templates too.
        return self._push(kind, "sign", _reviewed(record))

    def reset(self) -> None:
        super().reset()
        self._states.clear()

    def _push(self, kind: Kind, key: str, value: object) -> Push:
        return Push.json(self.name, kind, {"action": kind, key: value}, {"X-ThinkPHP-Event": "sms"})

    def _send(self, request: Request) -> Reply:
        fields = _fields(request)
        _authorize(request, fields)
        only(fields, "appCode", "signId", "templateId", "phone", "params")
        if not {"signId", "templateId", "phone"} <= fields.keys():
            raise RefusedError(MALFORMED)
        if not is_mobile(fields["phone"]):
            raise RefusedError(BAD_PHONE)
        sign = next((s for s in self.signs.approved() if s.id == fields["signId"]), None)
        if sign is None:
            raise RefusedError(BAD_SIGN)
        template = next((t for t in self.templates.approved() if t.id == fields["templateId"]), None)
        if template is None:
            raise RefusedError(BAD_TEMPLATE)
        text = _text(template, fields.get("params"))
        task_id = secrets.token_hex(7)[:13]
        self.deliver(fields["phone"], f"【{sign.name}】{text}", task_id)
        return Reply.json({"code": 0, "message": "发送成功", "data": {"id": task_id}})

    def _query_status(self, request: Request) -> Reply:
        state = self._states.find(_required_fields(request, "id")["id"])
        if state is None:
            raise RefusedError(NOT_FOUND)
        # The vendor sends the phone as a JSON number and misspells the key of the date.
        return _done("查询成功", data=_task(state, int(state.sms.phone), "reveiveDate"))

    def _add(self, kind: Submission, request: Request) -> Reply:
        fields = _required_fields(request, *_SUBMISSION_FIELDS[kind])
        return _done("添加成功", data=_submitted(self.reviews(kind).add(_factory(kind, fields))))

    def _query(self, kind: Submission, request: Request) -> Reply:
        record = self.reviews(kind).find(_required_fields(request, "id")["id"])
        if record is None:
            raise RefusedError(NOT_FOUND)
        return _done("查询成功", data=_reviewed(record))

    def _modify(self, kind: Submission, request: Request) -> Reply:
        fields = _required_fields(request, "id", *_SUBMISSION_FIELDS[kind])
        make = _factory(kind, fields)
        try:
            before, record = self.reviews(kind).resubmit(fields["id"], make)
        except KeyError:
            raise RefusedError(NOT_FOUND) from None
        if before != REJECTED:
            raise RefusedError(UNCHANGEABLE if before == APPROVED else PENDING)
        return _done("修改成功", data=_submitted(record))

    def _delete(self, kind: Submission, request: Request) -> Reply:
        try:
            self.reviews(kind).delete(_required_fields(request, "id")["id"])
        except KeyError:
            raise RefusedError(NOT_FOUND) from None
        return _done("删除成功")


def _fields(request: Request) -> dict[str, str]:
    """The parameters: of a GET from the query, of a POST from the form."""
    if request.method == "GET":
        if request.body:
            raise RefusedError(MALFORMED)
        return request.query_fields()
    if request.query or not request.has_form():
        raise RefusedError(MALFORMED)
    return request.form_fields()


def _authorize(request: Request, fields: Mapping[str, str]) -> None:
    app_code = CREDENTIALS["topthink"]["app_code"]
    given = [
        (request.headers.get("authorization"), f"AppCode {app_code}"),
        (fields.get("appCode"), app_code),
    ]
    checks = [same(value, expected) for value, expected in given if value is not None]
    if not checks or not all(checks):
        raise RefusedError(UNAUTHORIZED)


def _text(template: Template, params: str | None) -> str:
    names = [mark[2:-1] for mark in _SYNTAX.placeholders(template.text)]
    if (params is None) != (not names):
        raise RefusedError(BAD_PARAMS)
    try:
        values = json_object(params) if params is not None else {}
    except MalformedError as error:
        raise RefusedError(BAD_PARAMS) from error
    if values.keys() != set(names):
        raise RefusedError(BAD_PARAMS)
    strings = {name: value for name, value in values.items() if isinstance(value, str)}
    if len(strings) < len(values) or any(len(value) > _LONGEST_VALUE for value in strings.values()):
        raise RefusedError(BAD_PARAMS)
    return _SYNTAX.fill(template.text, [strings[name] for name in names])


def _required_fields(request: Request, *names: str) -> dict[str, str]:
    """The parameters: each name is required, and only the authorization may be added."""
    fields = _fields(request)
    _authorize(request, fields)
    only(fields, "appCode", *names)
    if not all(fields.get(name) for name in names):
        raise RefusedError(MALFORMED)
    return fields


def _factory(kind: Submission, fields: Mapping[str, str]) -> Callable[[str], Sign | Template]:
    """A factory that takes the id; raises RefusedError if the fields break the vendor's rules."""
    name, remark = fields["name"], fields["remark"]
    if kind == "sign":
        if not name.isalnum() or "测试" in name:
            raise RefusedError(BAD_NAME)
        return lambda remote_id: Sign(remote_id, name, approved=False, remark=remark)
    content = fields["content"]
    if not _is_allowed(content):
        raise RefusedError(BAD_CONTENT)
    return lambda remote_id: Template(remote_id, content, approved=False, name=name, remark=remark)


def _is_allowed(content: str) -> bool:
    marks = _SYNTAX.placeholders(content)
    names = {mark[2:-1] for mark in marks}
    whole = content.count("${") == len(marks) and not {"【", "】"}.intersection(content)
    return whole and len(names) <= _MOST_VARIABLES and not names & _RESERVED


def _done(message: str, **more: object) -> Reply:
    return Reply.json({"code": 0, "message": message, **more})


def _task(state: DeliveryState, phone: str | int, end: str) -> dict[str, object]:
    return {
        "id": state.sms.remote_id,
        "phone": phone,
        "content": state.sms.text,
        "sendDate": stamp(state.sms.received_at),
        end: None if state.arrived is None else stamp(state.at),
        "status": {None: 0, True: 1, False: -1}[state.arrived],
        "message": "号码无法接通" if state.arrived is False else "",
    }


def _submitted(record: Record[Any]) -> dict[str, object]:
    """A signature or a template as the answer to its submission: the user id is a number, there is no status."""
    submitted = record.submitted
    return {
        "name": submitted.name,
        **({"content": submitted.text} if isinstance(submitted, Template) else {}),
        "remark": submitted.remark,
        "user_id": 1,
        "create_time": stamp(record.submitted_at),
        "update_time": stamp(record.verdict.at),
        "id": submitted.id,
    }


def _reviewed(record: Record[Any]) -> dict[str, object]:
    """A signature or a template as the answer to a query and in a push: the ids are strings, with status and error."""
    submitted, verdict = record.submitted, record.verdict
    return {
        "id": submitted.id,
        "user_id": "1",
        "name": submitted.name,
        **({"content": submitted.text} if isinstance(submitted, Template) else {}),
        "remark": submitted.remark,
        "status": verdict.status,
        "error": verdict.reason if verdict.status == REJECTED else None,
        "create_time": stamp(record.submitted_at),
        "update_time": stamp(verdict.at),
    }
