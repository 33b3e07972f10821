"""TopThink: numbered signatures and templates, named variables in a JSON string."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from sandbox.catalogue import CREDENTIALS, TOPTHINK_SIGNS, TOPTHINK_TEMPLATES, Template
from sandbox.filing import Syntax
from sandbox.vendors.base import Operation, RefusedError, Vendor, is_mobile, same
from sandbox.wire import MalformedError, Reply, Request, json_object, only

# The vendor publishes no list of codes: these are the sandbox's own.
MALFORMED = "400"
UNAUTHORIZED = "401"
BAD_PHONE = "10001"
BAD_SIGN = "10002"
BAD_TEMPLATE = "10003"
BAD_PARAMS = "10004"

_MESSAGES = {
    MALFORMED: "参数错误",
    UNAUTHORIZED: "授权码无效",
    BAD_PHONE: "手机号码格式错误",
    BAD_SIGN: "签名不存在或未通过审核",
    BAD_TEMPLATE: "模板不存在或未通过审核",
    BAD_PARAMS: "模板变量错误",
}
_HTTP_STATUSES = {MALFORMED: 400, UNAUTHORIZED: 401}
_LONGEST_VALUE = 50
_SYNTAX = Syntax(r"\$\{[A-Za-z_]+\}", ".*")


class TopThink(Vendor):
    """api.topthink.com."""

    name = "topthink"
    malformed = MALFORMED

    def routes(self) -> Mapping[tuple[str, str], Operation]:
        return {("GET", "/sms/send"): self._send, ("POST", "/sms/send"): self._send}

    def refuse(self, request: Request, code: str) -> Reply:
        message = _MESSAGES.get(code, "发送失败")
        return Reply.json({"code": int(code), "message": message, "data": None}, _HTTP_STATUSES.get(code, 200))

    def _send(self, request: Request) -> Reply:
        fields = _fields(request)
        _authorize(request, fields)
        only(fields, "appCode", "signId", "templateId", "phone", "params")
        if not {"signId", "templateId", "phone"} <= fields.keys():
            raise RefusedError(MALFORMED)
        if not is_mobile(fields["phone"]):
            raise RefusedError(BAD_PHONE)
        sign = next((s for s in TOPTHINK_SIGNS if s.approved and s.id == fields["signId"]), None)
        if sign is None:
            raise RefusedError(BAD_SIGN)
        template = next((t for t in TOPTHINK_TEMPLATES if t.approved and t.id == fields["templateId"]), None)
        if template is None:
            raise RefusedError(BAD_TEMPLATE)
        text = _text(template, fields.get("params"))
        task_id = secrets.token_hex(7)[:13]
        self.deliver(fields["phone"], f"【{sign.name}】{text}", task_id)
        return Reply.json({"code": 0, "message": "发送成功", "data": {"id": task_id}})


def _fields(request: Request) -> dict[str, str]:
    """The parameters, from the only place where the method has them."""
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
