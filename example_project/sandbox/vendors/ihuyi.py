"""Ihuyi: full texts or template values, a plain or a dynamic password, XML or JSON answers."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from sandbox.catalogue import (
    CREDENTIALS,
    IHUYI_CREDITS,
    IHUYI_SENSITIVE,
    IHUYI_TEMPLATES,
    SIGNATURE,
    SIGNED,
    Sign,
    Template,
)
from sandbox.clock import stamp
from sandbox.inbox import SMS
from sandbox.pushing import Kind, Push
from sandbox.reviews import APPROVED, Record, Submission
from sandbox.submission import Syntax, segments
from sandbox.travel import DeliveryState
from sandbox.vendors.base import Operation, RefusedError, Vendor, is_mobile, same
from sandbox.wire import MalformedError, Reply, Request, only

_MESSAGES = {
    "0": "提交失败",
    "400": "非法ip访问",
    "401": "帐号不能为空",
    "402": "密码不能为空",
    "403": "手机号码不能为空",
    "4030": "手机号码已被列入黑名单",
    "404": "短信内容不能为空",
    "405": "API ID 或 API KEY 不正确",
    "4050": "账号被冻结",
    "40501": "动态密码已过期",
    "40502": "动态密码校验失败",
    "4051": "剩余条数不足",
    "4052": "访问 ip 与备案 ip 不符",
    "406": "手机格式不正确",
    "407": "短信内容含有敏感字符",
    "4070": "签名格式不正确",
    "4071": "没有提交备案模板",
    "4072": "短信内容与审核通过的模板不匹配",
    "40722": "变量内容超过指定的长度【8】",
    "4073": "短信内容超出长度限制",
    "4074": "短信内容包含 emoji 符号",
    "4075": "签名未通过审核",
    "408": "发送超限([20]条)，已加入黑名单，可登入平台解除",
    "4080": "同一手机号码同一秒钟之内发送频率不能超过 1 条",
    "4082": "超出同一手机号一天之内【5】条短信限制",
    "4085": "同一手机号验证码短信发送超出【5】条",
}
_EMPTY = {"account": "401", "password": "402", "mobile": "403", "content": "404"}
_LONGEST_TEXT = 300
_PASSWORD_SECONDS = 300
_EMOJI = re.compile("[\u200d\u20e3\u2600-\u27bf\ufe0f\U0001f000-\U0001faff]")
_SYNTAX = Syntax("【变量[0-9]*】", "[0-9A-Za-z\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]{1,50}")


@dataclass(frozen=True, slots=True)
class _Method:
    """One method of the single address: its parameters and its result."""

    name: str
    fields: tuple[str, ...]
    result: str
    done: str

    @property
    def required(self) -> list[str]:
        return [name for name in _EMPTY if name in self.fields]

    @property
    def root(self) -> str:
        return f"{self.name}Result"


_SUBMIT = _Method(
    "Submit",
    ("account", "password", "mobile", "content", "time", "templateid", "sign", "format"),
    "smsid",
    "提交成功",
)
_GET_NUM = _Method("GetNum", ("account", "password", "time", "format"), "num", "查询成功")
_ADD_TEMPLATE = _Method("AddTemplate", ("account", "password", "content", "format"), "templateid", "添加成功")
_METHODS = {method.name: method for method in (_SUBMIT, _GET_NUM, _ADD_TEMPLATE)}


class Ihuyi(Vendor):
    """106.ihuyi.com."""

    name = "ihuyi"
    malformed = "0"
    initial_templates = IHUYI_TEMPLATES
    opening_credits = IHUYI_CREDITS

    def routes(self) -> Mapping[tuple[str, str], Operation]:
        path = "/webservice/sms.php"
        return {("GET", path): self._call, ("POST", path): self._call}

    def refuse(self, request: Request, code: str) -> Reply:
        return self._result(request, code, "0")

    def on_final_state(self, state: DeliveryState) -> Push:
        return self._push(
            "report",
            {
                "code": "2" if state.arrived else "1",
                "msg": "DELIVRD" if state.arrived else state.code or "UNDELIV",
                "mobilephone": state.sms.phone,
                "smsid": state.sms.remote_id,
                "report_time": stamp(state.at),
            },
        )

    def on_reply(self, sms: SMS, content: str) -> Push:
        fields = {"mobilephone": sms.phone, "content": content, "smsid": sms.remote_id}
        return self._push("reply", fields | {"reply_time": stamp(datetime.now(UTC))})

    def on_review(self, kind: Submission, record: Record[Sign] | Record[Template]) -> Push:
        verdict = record.verdict
        code, message = ("2", "审核通过") if verdict.status == APPROVED else ("0", verdict.reason or "审核不通过")
        return self._push(kind, {"code": code, "msg": message, "templateid": record.submitted.id})

    def _push(self, kind: Kind, fields: Mapping[str, str]) -> Push:
        return Push.form(self.name, kind, fields, expected_answer="success")

    def _call(self, request: Request) -> Reply:
        method = _method(request)
        fields = _fields(request, method)
        for name in method.required:
            if not fields.get(name):
                raise RefusedError(_EMPTY[name])
        operations: dict[_Method, Callable[[Mapping[str, str]], str]] = {
            _SUBMIT: self._submit,
            _GET_NUM: self._get_num,
            _ADD_TEMPLATE: self._add_template,
        }
        return self._result(request, "2", operations[method](fields))

    def _get_num(self, fields: Mapping[str, str]) -> str:
        _authorize(fields)
        return str(self.credits.left)

    def _add_template(self, fields: Mapping[str, str]) -> str:
        api_key = CREDENTIALS["ihuyi"]["api_key"]
        digest = hashlib.md5(api_key.encode(), usedforsecurity=False).hexdigest()
        right = same(fields["password"], api_key) or same(fields["password"], digest)
        if not (same(fields["account"], CREDENTIALS["ihuyi"]["account"]) and right):
            raise RefusedError("405")
        content = fields["content"]
        if any(word in content for word in IHUYI_SENSITIVE):
            raise RefusedError("407")
        if set("【】").intersection(_SYNTAX.fill(content, [""] * len(_SYNTAX.placeholders(content)))):
            raise MalformedError("brackets")
        return self.templates.add(lambda new_id: Template(new_id, content, approved=False)).submitted.id

    def _submit(self, fields: Mapping[str, str]) -> str:
        _authorize(fields)
        if not is_mobile(fields["mobile"]):
            raise RefusedError("406")
        if fields.get("sign", SIGNATURE) != SIGNATURE:
            raise RefusedError("4075")
        text = SIGNED + _text(fields["content"], fields.get("templateid"), self.templates.approved())
        if self.credits.spend(segments(text)) is None:
            raise RefusedError("4051")
        sms_id = str(10**19 + secrets.randbelow(9 * 10**19))
        self.deliver(fields["mobile"], text, sms_id)
        return sms_id

    def _result(self, request: Request, code: str, result: str) -> Reply:
        method = _answer_method(request)
        message = method.done if code == "2" else _MESSAGES.get(code, "提交失败")
        if _wants_json(request):
            value: dict[str, object] = {"code": code, "msg": message, method.result: result}
            if not self._quirks.ihuyi_string_codes:
                value |= {"code": int(code), method.result: _json_value(method, result)}
            reply = Reply.json(value)
        else:
            reply = Reply(200, _xml(method, code, message, result).encode(), "text/xml; charset=utf-8")
        mark = b"\xef\xbb\xbf" if self._quirks.ihuyi_bom else b""
        return Reply(reply.status, mark + reply.body, reply.content_type)


def dynamic_password(account: str, api_key: str, mobile: str, content: str, moment: str) -> str:
    joined = f"{account}{api_key}{mobile}{content}{moment}"
    return hashlib.md5(joined.encode(), usedforsecurity=False).hexdigest()


def _method(request: Request) -> _Method:
    method = _METHODS.get(request.query_fields().get("method", ""))
    if method is None:
        raise MalformedError("method")
    return method


def _answer_method(request: Request) -> _Method:
    """The method whose answer format is used, also for a malformed request."""
    try:
        return _method(request)
    except MalformedError:
        return _SUBMIT


def _fields(request: Request, method: _Method) -> dict[str, str]:
    """The parameters; a POST has all of them in its body, except method and format."""
    query = request.query_fields()
    del query["method"]
    if request.method == "GET" and request.body:
        raise MalformedError("body")
    fields = query
    if request.method == "POST":
        only(query, "format")
        body = request.form_fields()
        if query.keys() & body.keys():
            raise MalformedError("repeated field")
        fields = query | body
    only(fields, *method.fields)
    if fields.get("format", "xml") not in ("xml", "json"):
        raise MalformedError("format")
    return fields


def _wants_json(request: Request) -> bool:
    try:
        return "json" in (request.query_fields().get("format"), request.form_fields().get("format"))
    except MalformedError:
        return False


def _authorize(fields: Mapping[str, str]) -> None:
    account, api_key = CREDENTIALS["ihuyi"]["account"], CREDENTIALS["ihuyi"]["api_key"]
    password, moment = fields["password"], fields.get("time")
    if not same(fields["account"], account):
        raise RefusedError("405")
    if same(password, api_key):
        return
    if moment is None or not re.fullmatch("[0-9a-f]{32}", password):
        raise RefusedError("405")
    if not re.fullmatch("[0-9]{10}", moment) or abs(time.time() - int(moment)) > _PASSWORD_SECONDS:
        raise RefusedError("40501")
    # A balance query has neither number nor text, and its password is computed without them.
    mobile, content = fields.get("mobile", ""), fields.get("content", "")
    if not same(password, dynamic_password(account, api_key, mobile, content, moment)):
        raise RefusedError("40502")


def _text(content: str, template_id: str | None, approved: Sequence[Template]) -> str:
    if _EMOJI.search(content):
        raise RefusedError("4074")
    if "【" in content or "】" in content:
        raise RefusedError("4070")
    if len(content) > _LONGEST_TEXT:
        raise RefusedError("4073")
    if template_id is None:
        if not any(_SYNTAX.matches(template.text, content) for template in approved):
            raise RefusedError("4072")
        return content
    submitted = next((template.text for template in approved if template.id == template_id), "")
    values = content.split("|")
    if len(values) != len(_SYNTAX.placeholders(submitted)) or not all(map(_SYNTAX.accepts, values)):
        raise RefusedError("4072")
    return _SYNTAX.fill(submitted, values)


def _json_value(method: _Method, result: str) -> str | int:
    """As documented: a template id is a number, the credits are a string; an SMS id is a string, except the 0."""
    return int(result) if method is _ADD_TEMPLATE or (method is _SUBMIT and result == "0") else result


def _xml(method: _Method, code: str, message: str, result: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<{method.root} xmlns="106.ihuyi.com">\n'
        f"<code>{escape(code)}</code>\n"
        f"<msg>{escape(message)}</msg>\n"
        f"<{method.result}>{result}</{method.result}>\n"
        f"</{method.root}>\n"
    )
