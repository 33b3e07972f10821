"""Tencent Cloud SMS: one path for all actions, a signature over the body, and a verdict per number."""

from __future__ import annotations

import re
import secrets
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sandbox.catalogue import (
    OPTIONS,
    SUBMITTED_AT,
    TENCENT_PACKAGE,
    TENCENT_SIGNS,
    TENCENT_TEMPLATES,
    Sign,
    Template,
)
from sandbox.clock import stamp
from sandbox.inbox import SMS, Inbox
from sandbox.pushing import Kind, Push
from sandbox.quirks import Quirks
from sandbox.reviews import APPROVED, IN_REVIEW, REJECTED, Record, Submission
from sandbox.scheduler import Scheduler
from sandbox.submission import Syntax, segments
from sandbox.travel import DeliveryState, DeliveryStates
from sandbox.vendors.base import Operation, RefusedError, Vendor, is_mobile
from sandbox.vendors.tencent_requests import Fields, authorize, fields_of
from sandbox.wire import MalformedError, Reply, Request

_MOST_NUMBERS = 200
_MOST_ROWS = 100
_LONGEST_CONTEXT = 511
_SECONDS_BACK = 7 * 86400
_DONE = '{"result":0,"errmsg":"OK"}'
_SYNTAX = Syntax(r"\{[0-9]+\}", r"(?:(?!https?:)[^【】]){1,500}")
_CODE_VALUE = re.compile("[0-9]{1,6}", re.ASCII)
_STATUSES = {IN_REVIEW: 1, APPROVED: 0, REJECTED: -1}


@dataclass(frozen=True, slots=True)
class _ContextSMS(SMS):
    """An SMS with what its sender wants to be told with its report."""

    context: str = ""


class Tencent(Vendor):
    """sms.tencentcloudapi.com."""

    name = "tencent"
    malformed = "InvalidParameter"
    initial_signs = TENCENT_SIGNS
    initial_templates = TENCENT_TEMPLATES
    opening_credits = TENCENT_PACKAGE

    def __init__(self, inbox: Inbox, quirks: Quirks, scheduler: Scheduler) -> None:
        super().__init__(inbox, quirks, scheduler)
        self._states = DeliveryStates()

    def routes(self) -> Mapping[tuple[str, str], Operation]:
        return {("POST", "/"): self._call}

    def refuse(self, request: Request, code: str) -> Reply:
        return _reply(Error={"Code": code, "Message": "The request was refused."})

    def accept(self, sms: SMS) -> None:
        self._states.store(DeliveryState(sms, sms.received_at))
        super().accept(sms)

    def on_final_state(self, state: DeliveryState) -> Push:
        self._states.store(state)
        country, number = _parts(state.sms.phone)
        report = {
            "user_receive_time": stamp(state.at),
            "nationcode": country,
            "mobile": number,
            "report_status": "SUCCESS" if state.arrived else "FAIL",
            "errmsg": "DELIVRD" if state.arrived else state.code or "MK:0001",
            "description": "用户短信送达成功" if state.arrived else "签名未报备" if state.code else "号码状态异常",
            "sid": state.sms.remote_id,
            "ext": _context(state.sms),
        }
        return self._push("report", [report])

    def on_reply(self, sms: SMS, content: str) -> Push:
        country, number = _parts(sms.phone)
        sign = sms.text.partition("】")[0].removeprefix("【")
        fields = {"extend": "", "mobile": number, "nationcode": country, "sign": sign, "text": content}
        return self._push("reply", fields | {"time": int(time.time())})

    def reset(self) -> None:
        super().reset()
        self._states.clear()

    def _push(self, kind: Kind, value: object) -> Push:
        return Push.json(self.name, kind, value, {}, expected_answer=_DONE)

    def _call(self, request: Request) -> Reply:
        if request.query:
            raise MalformedError("query")
        authorize(request)
        actions: Mapping[str, Callable[[Fields], Reply]] = {
            "SendSms": self._send,
            "PullSmsSendStatusByPhoneNumber": self._pull,
            "SmsPackagesStatistics": self._packages,
            "AddSmsTemplate": self._add,
            "ModifySmsTemplate": self._modify,
            "DeleteSmsTemplate": self._delete,
            "DescribeSmsTemplateList": lambda fields: self._describe("template", fields),
            "DescribeSmsSignList": lambda fields: self._describe("sign", fields),
        }
        action = request.headers.get("x-tc-action", "")
        if action not in actions:
            raise RefusedError("InvalidAction")
        fields = fields_of(request, action)
        if fields.get("SmsSdkAppId", OPTIONS["tencent"]["sdk_app_id"]) != OPTIONS["tencent"]["sdk_app_id"]:
            raise RefusedError("UnauthorizedOperation.SmsSdkAppIdVerifyFail")
        return actions[action](fields)

    def _send(self, fields: Fields) -> Reply:
        numbers, context = _texts(fields["PhoneNumberSet"]), str(fields.get("SessionContext", ""))
        if not numbers:
            raise RefusedError("MissingParameter.EmptyPhoneNumberSet")
        if len(numbers) > _MOST_NUMBERS or len(set(numbers)) < len(numbers):
            raise RefusedError("LimitExceeded.PhoneNumberCountLimit")
        if len({number.startswith("+86") for number in numbers}) > 1:
            raise RefusedError("UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber")
        if len(context.encode()) > _LONGEST_CONTEXT:
            raise MalformedError("context")
        sign = next((sign for sign in self.signs.approved() if sign.name == fields["SignName"]), None)
        if sign is None:
            raise RefusedError("FailedOperation.SignatureIncorrectOrUnapproved")
        template = next((t for t in self.templates.approved() if t.id == fields["TemplateId"]), None)
        if template is None:
            raise RefusedError("FailedOperation.TemplateIncorrectOrUnapproved")
        text = f"【{sign.name}】{_text(template, _texts(fields.get('TemplateParamSet', [])))}"
        # The vendor does not promise the order of the numbers.
        return _reply(SendStatusSet=[self._submit(number, text, context) for number in reversed(numbers)])

    def _submit(self, number: str, text: str, context: str) -> dict[str, object]:
        serial, code, fee = "", "Ok", segments(text)
        if not (is_mobile(number[3:]) if number.startswith("+86") else re.fullmatch(r"\+[1-9][0-9]{6,14}", number)):
            code = "InvalidParameterValue.IncorrectPhoneNumber"
        elif self.credits.spend(fee) is None:
            code = "FailedOperation.InsufficientBalanceInSmsPackage"
        else:
            serial = f"5000:{10**27 + secrets.randbelow(9 * 10**27)}"
            phone = number.removeprefix("+86")
            self.accept(_ContextSMS(self.name, phone, text, serial, datetime.now(UTC), context))
        return {
            "SerialNo": serial,
            "PhoneNumber": number,
            "Fee": fee if serial else 0,
            "SessionContext": context,
            "Code": code,
            "Message": "send success" if serial else "The number was refused.",
            "IsoCode": "CN" if number.startswith("+86") else "",
        }

    def _pull(self, fields: Fields) -> Reply:
        begin, end = _integer(fields["BeginTime"]), _integer(fields["EndTime"])
        if begin < time.time() - _SECONDS_BACK:
            raise RefusedError("InvalidParameterValue.BeginTimeVerifyFail")
        if end < begin:
            raise RefusedError("InvalidParameterValue.EndTimeVerifyFail")
        _check_page(fields, _MOST_ROWS)
        number = str(fields["PhoneNumber"])
        if not number.startswith("+"):
            raise RefusedError("InvalidParameterValue.IncorrectPhoneNumber")
        states = [state for state in self._states.of(number.removeprefix("+86")) if state.arrived is not None]
        rows = [_status(state) for state in states if begin <= int(state.sms.received_at.timestamp()) <= end]
        return _reply(PullSmsSendStatusSet=rows or None)

    def _packages(self, fields: Fields) -> Reply:
        _check_page(fields, 500)
        begin, end = (_hour(fields[name]) for name in ("BeginTime", "EndTime"))
        if not begin < end <= datetime.now(UTC):
            raise RefusedError("InvalidParameterValue.EndTimeVerifyFail")
        amount = max(TENCENT_PACKAGE, self.credits.left)
        now, created = int(time.time()), int(SUBMITTED_AT.timestamp())
        bought = {"PackageId": 2, "PackageType": 1, "PackageAmount": amount, "CurrentUsage": amount - self.credits.left}
        given = {"PackageId": 1, "PackageType": 0, "PackageAmount": 100, "CurrentUsage": 40}
        times = {"PackageCreateTime": created, "PackageEffectiveTime": created}
        packages = [
            {**given, **times, "PackageExpiredTime": now - 1},
            {**bought, **times, "PackageExpiredTime": now + 86400},
        ]
        return _reply(SmsPackagesStatisticsSet=packages if begin <= SUBMITTED_AT <= end else None)

    def _add(self, fields: Fields) -> Reply:
        record = self.templates.add(_template(fields))
        return _reply(AddTemplateStatus={"TemplateId": record.submitted.id})

    def _modify(self, fields: Fields) -> Reply:
        try:
            before, record = self.templates.resubmit(str(fields["TemplateId"]), _template(fields))
        except KeyError:
            raise RefusedError("FailedOperation.MissingTemplateToModify") from None
        if before != REJECTED:
            raise RefusedError("FailedOperation.TemplateAlreadyPassedCheck")
        return _reply(ModifyTemplateStatus={"TemplateId": int(record.submitted.id)})

    def _delete(self, fields: Fields) -> Reply:
        try:
            self.templates.delete(str(fields["TemplateId"]))
        except KeyError:
            raise RefusedError("FailedOperation.TemplateIdNotExist") from None
        return _reply(DeleteTemplateStatus={"DeleteStatus": "return successfully!", "DeleteTime": int(time.time())})

    def _describe(self, kind: Submission, fields: Fields) -> Reply:
        word = kind.capitalize()
        if fields["International"] != 0:
            raise RefusedError("InvalidParameterValue.InvalidInternational")
        ids = fields[f"{word}IdSet"]
        found = [self.reviews(kind).find(str(own)) for own in ids] if isinstance(ids, list) else []
        rows = [_described(record) for record in found if record is not None]
        return _reply(**{f"Describe{word}{'List' if kind == 'sign' else ''}StatusSet": rows or None})


def _text(template: Template, values: Sequence[str]) -> str:
    """The template with its values, which are digits where it is a verification code's."""
    numbers = [int(mark[1:-1]) for mark in _SYNTAX.placeholders(template.text)]
    if len(values) != len(set(numbers)):
        raise RefusedError("FailedOperation.TemplateParamSetNotMatchApprovedTemplate")
    if any("http:" in value or "https:" in value for value in values):
        raise RefusedError("InvalidParameterValue.ProhibitedUseUrlInTemplateParameter")
    if not all(map(_SYNTAX.accepts, values)):
        raise RefusedError("InvalidParameterValue.TemplateParameterLengthLimit")
    if "验证码" in template.text and not all(map(_CODE_VALUE.fullmatch, values)):
        raise RefusedError("InvalidParameterValue.TemplateParameterFormatError")
    return _SYNTAX.fill(template.text, [values[number - 1] for number in numbers])


def _template(fields: Fields) -> Callable[[str], Template]:
    """A factory that takes the id; raises RefusedError if the fields break the vendor's rules."""
    name, content, remark = (str(fields[name]) for name in ("TemplateName", "TemplateContent", "Remark"))
    numbers = [int(mark[1:-1]) for mark in _SYNTAX.placeholders(content)]
    bare = _SYNTAX.fill(content, ["\0"] * len(numbers))
    if set(numbers) != set(range(1, len(set(numbers)) + 1)) or "\0\0" in bare or not bare.strip("\0"):
        raise RefusedError("InvalidParameterValue.InvalidTemplateFormat")
    if set("【】¥★{}").intersection(bare):
        raise RefusedError("InvalidParameterValue.InvalidTemplateFormat")
    if fields["SmsType"] not in (1, 2, 3):
        raise RefusedError("InvalidParameterValue.InvalidSmsType")
    if fields["International"] != 0:
        raise RefusedError("InvalidParameterValue.InvalidInternational")
    return lambda remote_id: Template(remote_id, content, approved=False, name=name, remark=remark)


def _described(record: Record[Sign] | Record[Template]) -> dict[str, object]:
    """A signature or a template in the answer to a query; here the id of a template is a number, too."""
    submitted, verdict = record.submitted, record.verdict
    common = {
        "International": 0,
        "StatusCode": _STATUSES[verdict.status],
        "ReviewReply": verdict.reason,
        "CreateTime": int(record.submitted_at.timestamp()),
    }
    if isinstance(submitted, Sign):
        return {"SignId": int(submitted.id), "SignName": submitted.name, **common}
    own = {"TemplateId": int(submitted.id), "TemplateName": submitted.name, "TemplateContent": submitted.text}
    return {**own, **common}


def _status(state: DeliveryState) -> dict[str, object]:
    country, number = _parts(state.sms.phone)
    return {
        "UserReceiveTime": int(state.at.timestamp()),
        "CountryCode": country,
        "SubscriberNumber": number,
        "PhoneNumber": f"+{country}{number}",
        "SerialNo": state.sms.remote_id,
        "ReportStatus": "SUCCESS" if state.arrived else "FAIL",
        "Description": "DELIVRD" if state.arrived else state.code or "MK:0001",
        "SessionContext": _context(state.sms),
    }


def _parts(phone: str) -> tuple[str, str]:
    """The country's code and the number; of other countries the sandbox knows Hong Kong and Macao."""
    return ("86", phone) if not phone.startswith("+") else (phone[1:4], phone[4:])


def _context(sms: SMS) -> str:
    return sms.context if isinstance(sms, _ContextSMS) else ""


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _integer(value: object) -> int:
    return value if isinstance(value, int) else 0


def _check_page(fields: Fields, most: int) -> None:
    if not 1 <= _integer(fields["Limit"]) <= most:
        raise RefusedError("InvalidParameterValue.LimitVerifyFail")
    if fields["Offset"] != 0:
        raise RefusedError("InvalidParameterValue.OffsetVerifyFail")


def _hour(written: object) -> datetime:
    try:
        return datetime.strptime(f"{written}+0800", "%Y%m%d%H%z")
    except ValueError:
        raise RefusedError("InvalidParameterValue.BeginTimeVerifyFail") from None


def _reply(**fields: object) -> Reply:
    return Reply.json({"Response": {**fields, "RequestId": str(uuid.uuid4())}})
