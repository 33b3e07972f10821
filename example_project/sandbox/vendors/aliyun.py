"""Aliyun: signed actions at one path, signatures by their text, named variables, one id for a call."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Lock
from typing import Any

from sandbox.catalogue import ALIYUN_SIGNS, ALIYUN_TEMPLATES, CREDENTIALS, Sign, Template
from sandbox.clock import CHINA, stamp
from sandbox.inbox import SMS, Inbox
from sandbox.pushing import Push
from sandbox.quirks import Quirks
from sandbox.reviews import APPROVED, REJECTED, Record, Submission
from sandbox.scheduler import Scheduler
from sandbox.submission import Syntax
from sandbox.travel import DeliveryState
from sandbox.vendors.base import Operation, RefusedError, Vendor, is_mobile, same
from sandbox.wire import MalformedError, Reply, Request, json_object, only

# Codes of the gateway before the product, with their HTTP statuses.
GATEWAY_CODES = {
    "MissingAccessKeyId": 400,
    "InvalidAccessKeyId.NotFound": 404,
    "SignatureDoesNotMatch": 400,
    "SignatureNonceUsed": 400,
    "InvalidTimeStamp.Expired": 400,
    "InvalidAction.NotFound": 404,
    "InvalidVersion": 400,
    "Throttling.User": 400,
    "ServiceUnavailable": 503,
}
ACKNOWLEDGEMENT = '{"code":0,"msg":"接收成功"}'
_CLOCK = timedelta(minutes=15)
_LONGEST_VALUE = 35
_KEPT = 100_000
_NOT_IN_USE = "MOBILE_NOT_ON_SERVICE"
_SYNTAX = Syntax(r"\$\{[A-Za-z][A-Za-z0-9_]*\}", ".*")
_AUTHORIZATION = re.compile(r"ACS3-HMAC-SHA256 Credential=([^,]*),SignedHeaders=([^,]*),Signature=([0-9a-f]{64})")
_REVIEWS = {APPROVED: "approved", REJECTED: "rejected"}


class AliyunProduct(Vendor):
    """What all products have: one path, an action in a header, and the ACS3 signature."""

    malformed = "isv.INVALID_PARAMETERS"

    def __init__(self, inbox: Inbox, quirks: Quirks, scheduler: Scheduler) -> None:
        super().__init__(inbox, quirks, scheduler)
        self._nonces: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    @abstractmethod
    def actions(self) -> Mapping[str, Callable[[dict[str, str]], Reply]]:
        """The operations by the vendor's names, each with the fields of its form."""

    def routes(self) -> Mapping[tuple[str, str], Operation]:
        return {("POST", "/"): self._act}

    def refuse(self, request: Request, code: str) -> Reply:
        body = {"RequestId": _request_id(), "Code": code, "Message": f"{code} 请求被拒绝"}
        return Reply.json(body, GATEWAY_CODES.get(code, 200))

    def _act(self, request: Request) -> Reply:
        if request.headers.get("x-acs-version") != "2017-05-25":
            raise RefusedError("InvalidVersion")
        action = self.actions().get(request.headers.get("x-acs-action", ""))
        if action is None:
            raise RefusedError("InvalidAction.NotFound")
        self._authorize(request)
        if request.query or not request.has_form():
            raise MalformedError("not a form")
        return action(request.form_fields())

    def _authorize(self, request: Request) -> None:
        found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        if found is None:
            raise RefusedError("MissingAccessKeyId")
        keys = CREDENTIALS[self.name]
        if found[1] != keys["access_key_id"]:
            raise RefusedError("InvalidAccessKeyId.NotFound")
        if not same(found[3], _signature(request, found[2].split(";"), keys["access_key_secret"])):
            raise RefusedError("SignatureDoesNotMatch")
        self._require_fresh(request.headers["x-acs-date"], request.headers["x-acs-signature-nonce"])

    def _require_fresh(self, date: str, nonce: str) -> None:
        try:
            moment = datetime.strptime(date, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError:
            raise RefusedError("InvalidTimeStamp.Expired") from None
        if abs(datetime.now(UTC) - moment) > _CLOCK:
            raise RefusedError("InvalidTimeStamp.Expired")
        with self._lock:
            if nonce in self._nonces:
                raise RefusedError("SignatureNonceUsed")
            self._nonces[nonce] = None
            if len(self._nonces) > _KEPT:
                self._nonces.popitem(last=False)

    def text(self, sign_name: str, template_code: str, values: str | None) -> str:
        """The SMS with these values, which are JSON; raises RefusedError where the vendor would."""
        if sign_name not in {sign.name for sign in self.signs.approved()}:
            raise RefusedError("isv.SMS_SIGNATURE_ILLEGAL")
        template = next((one for one in self.templates.approved() if one.id == template_code), None)
        if template is None:
            raise RefusedError("isv.SMS_TEMPLATE_ILLEGAL")
        names = [mark[2:-1] for mark in _SYNTAX.placeholders(template.text)]
        given = _values(values) if values is not None else {}
        if not set(names) <= given.keys():
            raise RefusedError("isv.TEMPLATE_MISSING_PARAMETERS")
        return f"【{sign_name}】{_SYNTAX.fill(template.text, [given[name] for name in names])}"


class Aliyun(AliyunProduct):
    """dysmsapi.aliyuncs.com."""

    name = "aliyun"
    initial_signs = ALIYUN_SIGNS
    initial_templates = ALIYUN_TEMPLATES

    def __init__(self, inbox: Inbox, quirks: Quirks, scheduler: Scheduler) -> None:
        super().__init__(inbox, quirks, scheduler)
        self._sent: OrderedDict[tuple[str, str], tuple[DeliveryState, str]] = OrderedDict()

    def actions(self) -> Mapping[str, Callable[[dict[str, str]], Reply]]:
        found: dict[str, Callable[[dict[str, str]], Reply]] = {
            "SendSms": self._send,
            "SendBatchSms": self._send_batch,
            "QuerySendDetails": self._details,
        }
        kinds: tuple[Submission, ...] = ("sign", "template")
        for kind in kinds:
            found |= {
                f"CreateSms{kind.title()}": partial(self._create, kind),
                f"GetSms{kind.title()}": partial(self._get, kind),
                f"UpdateSms{kind.title()}": partial(self._update, kind),
                f"DeleteSms{kind.title()}": partial(self._delete, kind),
            }
        return found

    def reset(self) -> None:
        super().reset()
        with self._lock:
            self._sent.clear()

    # ------------------------------------------------------------------------------------------------ send

    def _send(self, fields: dict[str, str]) -> Reply:
        only(fields, "PhoneNumbers", "SignName", "TemplateCode", "TemplateParam", "SmsUpExtendCode", "OutId")
        _require(fields, "PhoneNumbers", "SignName", "TemplateCode")
        numbers = fields["PhoneNumbers"].split(",")
        if len(numbers) > 1000:
            raise RefusedError("isv.MOBILE_COUNT_OVER_LIMIT")
        text = self.text(fields["SignName"], fields["TemplateCode"], fields.get("TemplateParam"))
        return self._accept_all({_number(number): text for number in numbers}, fields.get("OutId", ""))

    def _send_batch(self, fields: dict[str, str]) -> Reply:
        only(fields, "PhoneNumberJson", "SignNameJson", "TemplateCode", "TemplateParamJson", "OutId")
        _require(fields, "PhoneNumberJson", "SignNameJson", "TemplateCode")
        numbers, names = _list(fields["PhoneNumberJson"]), _list(fields["SignNameJson"])
        values = _list(fields.get("TemplateParamJson", "[]")) or [{}] * len(numbers)
        if len(numbers) > 100:
            raise RefusedError("isv.MOBILE_COUNT_OVER_LIMIT")
        if not len(numbers) == len(names) == len(values):
            raise RefusedError("isv.INVALID_PARAMETERS")
        code = fields["TemplateCode"]
        texts = [self.text(str(name), code, json.dumps(one)) for name, one in zip(names, values, strict=True)]
        return self._accept_all(dict(zip(map(_number, numbers), texts, strict=True)), fields.get("OutId", ""))

    def _accept_all(self, texts: Mapping[str, str], out_id: str) -> Reply:
        if len(out_id) > 255:
            raise RefusedError("isv.PARAM_LENGTH_LIMIT")
        biz_id = f"{secrets.randbelow(10**16):016}^0"
        for number, text in texts.items():
            sms = SMS(self.name, number, text, biz_id, datetime.now(UTC))
            self._store(DeliveryState(sms, sms.received_at), out_id)
            self.accept(sms)
        return _done(BizId=biz_id)

    def _store(self, state: DeliveryState, out_id: str | None = None) -> str:
        """Stores the state of an SMS, and returns the id that its sender gave it."""
        key = (state.sms.remote_id, state.sms.phone)
        with self._lock:
            known = self._sent.get(key)
            own = out_id if out_id is not None else (known[1] if known else "")
            self._sent[key] = (state, own)
            if len(self._sent) > _KEPT:
                self._sent.popitem(last=False)
        return own

    # ----------------------------------------------------------------------------------- pushes and queries

    def on_final_state(self, state: DeliveryState) -> Push:
        out_id = self._store(state)
        arrived = bool(state.arrived)
        return self._push(
            "report",
            phone_number=state.sms.phone,
            send_time=stamp(state.sms.received_at),
            report_time=stamp(state.at),
            success=arrived,
            err_code="DELIVERED" if arrived else state.code or _NOT_IN_USE,
            err_msg="用户接收成功" if arrived else "" if state.code else "停机或空号",
            sms_size="1",
            biz_id=state.sms.remote_id,
            out_id=out_id,
        )

    def on_reply(self, sms: SMS, content: str) -> Push:
        now = stamp(datetime.now(UTC))
        return self._push(
            "reply", phone_number=sms.phone, content=content, send_time=now, dest_code="1069", sequence_id="1"
        )

    def on_review(self, kind: Submission, record: Record[Any]) -> Push:
        submitted, status = record.submitted, _REVIEWS[record.verdict.status]
        common = {"reason": record.verdict.reason, "orderId": "1", "create_date": stamp(record.submitted_at)}
        if kind == "sign":
            return self._push(kind, sign_name=submitted.name, sign_status=status, remark=submitted.remark, **common)
        return self._push(
            kind,
            template_code=submitted.id,
            template_status=status,
            template_name=submitted.name,
            template_content=submitted.text,
            template_type="验证码",
            remark=submitted.remark,
            **common,
        )

    def _push(self, kind: Any, **row: object) -> Push:
        content_type = {"Content-Type": "application/json; charset=utf-8"}
        return replace(Push.json(self.name, kind, [row], content_type), expected_answer=ACKNOWLEDGEMENT)

    def _details(self, fields: dict[str, str]) -> Reply:
        only(fields, "PhoneNumber", "SendDate", "PageSize", "CurrentPage", "BizId")
        _require(fields, "PhoneNumber", "SendDate", "PageSize", "CurrentPage")
        if not 1 <= int(fields["PageSize"]) <= 50:
            raise RefusedError("isv.INVALID_PARAMETERS")
        with self._lock:
            found = [
                _detail(state, out_id)
                for (biz_id, phone), (state, out_id) in self._sent.items()
                if phone == _number(fields["PhoneNumber"])
                and biz_id == fields.get("BizId", biz_id)
                and f"{state.sms.received_at.astimezone(CHINA):%Y%m%d}" == fields["SendDate"]
            ]
        return _done(TotalCount=len(found), SmsSendDetailDTOs={"SmsSendDetailDTO": found[:50]})

    # ---------------------------------------------------------------------------------------------- reviews

    def _create(self, kind: Submission, fields: dict[str, str]) -> Reply:
        if kind == "sign" and self.signs.find(fields.get("SignName", "")):
            raise RefusedError("isv.SIGN_NAME_ILLEGAL")
        record = self.reviews(kind).add(_factory(kind, fields))
        return _named(kind, record, OrderId="1")

    def _get(self, kind: Submission, fields: dict[str, str]) -> Reply:
        record = self._find(kind, fields)
        verdict = record.verdict
        info = {"RejectInfo": verdict.reason or None}
        if kind == "sign":
            filings = self._quirks.aliyun_filings.items()
            told = [{"OperatorCode": carrier, "RegisterStatus": status} for carrier, status in filings]
            return _named(
                kind, record, SignStatus=verdict.status, AuditInfo=info, SignIspRegisterDetailList=told or None
            )
        content = {"TemplateName": record.submitted.name, "TemplateContent": record.submitted.text}
        return _named(kind, record, TemplateStatus=str(verdict.status), AuditInfo=info, **content)

    def _update(self, kind: Submission, fields: dict[str, str]) -> Reply:
        record = self._find(kind, fields)
        name = "SignName" if kind == "sign" else "TemplateCode"
        make = _factory(kind, {key: value for key, value in fields.items() if kind == "sign" or key != name})
        before, changed = self.reviews(kind).resubmit(record.submitted.id, lambda _: replace(make(""), id=fields[name]))
        if before != REJECTED:
            raise RefusedError(f"isv.{kind.upper()}_STATE_ILLEGAL")
        return _named(kind, changed, OrderId="1")

    def _delete(self, kind: Submission, fields: dict[str, str]) -> Reply:
        record = self._find(kind, fields)
        self.reviews(kind).delete(record.submitted.id)
        return _named(kind, record)

    def _find(self, kind: Submission, fields: dict[str, str]) -> Record[Any]:
        record = self.reviews(kind).find(fields.get("SignName" if kind == "sign" else "TemplateCode", ""))
        if record is None:
            raise RefusedError("isv.SMS_SIGN_ILLEGAL" if kind == "sign" else "isv.SMS_TEMPLATE_ILLEGAL")
        return record


def _signature(request: Request, names: list[str], secret: str) -> str:
    """The signature of a request over these of its headers; raises RefusedError when one that it needs is missing."""
    headers = request.headers
    needed = {name for name in headers if name in ("host", "content-type") or name.startswith("x-acs-")}
    hashed = hashlib.sha256(request.body).hexdigest()
    is_complete = {"x-acs-date", "x-acs-signature-nonce"} <= headers.keys() and set(names) == needed
    if not is_complete or headers.get("x-acs-content-sha256") != hashed:
        raise RefusedError("SignatureDoesNotMatch")
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(names))
    parts = [request.method, request.path, request.query, lines, ";".join(sorted(names)), hashed]
    text = "ACS3-HMAC-SHA256\n" + hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return hmac.digest(secret.encode(), text.encode(), "sha256").hex()


def _require(fields: Mapping[str, str], *names: str) -> None:
    if not all(fields.get(name) for name in names):
        raise RefusedError("MissingParameter")


def _number(number: object) -> str:
    digits = re.sub(r"\A(\+|00)?86(?=1)", "", str(number))
    if not is_mobile(digits):
        raise RefusedError("isv.MOBILE_NUMBER_ILLEGAL")
    return digits


def _list(text: str) -> list[Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise RefusedError("isv.INVALID_JSON_PARAM") from error
    if not isinstance(found, list):
        raise RefusedError("isv.INVALID_JSON_PARAM")
    return found


def _values(text: str) -> dict[str, str]:
    try:
        found = json_object(text)
    except MalformedError as error:
        raise RefusedError("isv.INVALID_JSON_PARAM") from error
    values = {name: value for name, value in found.items() if isinstance(value, str)}
    if len(values) < len(found):
        raise RefusedError("isv.INVALID_JSON_PARAM")
    if any(not 1 <= len(value) <= _LONGEST_VALUE for value in values.values()):
        raise RefusedError("isv.PARAM_LENGTH_LIMIT")
    return values


def _factory(kind: Submission, fields: Mapping[str, str]) -> Callable[[str], Any]:
    """Makes what is filed from an id; raises RefusedError where the vendor would refuse it at once."""
    if kind == "sign":
        only(fields, "SignName", "SignSource", "SignType", "QualificationId", "Remark")
        _require(fields, "SignName", "SignSource", "QualificationId")
        name = fields["SignName"]
        if not 2 <= len(name) <= 12 or not name.isalnum() or "测试" in name:
            raise RefusedError("isv.SIGN_NAME_ILLEGAL")
        return lambda _: Sign(name, name, approved=False, remark=fields.get("Remark", ""))
    only(fields, "TemplateName", "TemplateContent", "TemplateType", "RelatedSignName", "TemplateRule", "Remark")
    _require(fields, "TemplateName", "TemplateContent", "TemplateType", "RelatedSignName")
    content, names = fields["TemplateContent"], {mark[2:-1] for mark in _SYNTAX.placeholders(fields["TemplateContent"])}
    rules = _values(fields.get("TemplateRule", "{}"))
    kinds = list(rules.values())
    is_code = fields["TemplateType"] == "0"
    if rules.keys() != names or kinds.count("numberCaptcha") != int(is_code) or len(content) > 500:
        raise RefusedError("isv.TEMPLATE_PARAMS_ILLEGAL")
    name, remark = fields["TemplateName"], fields.get("Remark", "")
    return lambda number: Template(f"SMS_{number}", content, approved=False, name=name, remark=remark)


def _named(kind: Submission, record: Record[Any], **more: object) -> Reply:
    name = "SignName" if kind == "sign" else "TemplateCode"
    return _done(**{name: record.submitted.id}, **more)


def _detail(state: DeliveryState, out_id: str) -> dict[str, object]:
    known = {None: (1, ""), True: (3, "DELIVERED"), False: (2, state.code or _NOT_IN_USE)}[state.arrived]
    return {
        "PhoneNum": state.sms.phone,
        "SendStatus": known[0],
        "ErrCode": known[1],
        "SendDate": stamp(state.sms.received_at),
        "ReceiveDate": stamp(state.at) if state.arrived is not None else "",
        "OutId": out_id,
        "TemplateCode": "",
        "Content": state.sms.text,
    }


def _done(**more: object) -> Reply:
    return Reply.json({"Code": "OK", "Message": "OK", "RequestId": _request_id(), **more})


def _request_id() -> str:
    return secrets.token_hex(16).upper()
