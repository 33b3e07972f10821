"""Qixuntong: an API gateway that checks an HMAC, and behind it a platform with a result per number."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from sandbox.catalogue import CREDENTIALS, QIXUNTONG_TEMPLATES, SIGNED
from sandbox.submission import Syntax
from sandbox.vendors.base import Operation, RefusedError, Vendor, is_mobile, same
from sandbox.wire import MalformedError, Reply, Request, only

MALFORMED = "1"
NO_MATCHING_TEMPLATE = "5"
NO_PHONE = "8"
NO_CONTENT = "9"
BAD_SIGNATURE = "17"
TOO_MANY = "102"
BAD_NUMBER = 12

_SOURCE = "market"
_MOST_NUMBERS = 200
_SKEW_SECONDS = 900
# The vendor documents that its balance has no meaning.
_BALANCE = -153278040
_AUTHORIZATION = re.compile('hmac id="([^"]*)", algorithm="hmac-sha1", headers="x-date x-source", signature="([^"]*)"')
_SYNTAX = Syntax(r"\{[a-z]+\}", r"[^【】\r\n]{1,50}")


class Qixuntong(Vendor):
    """The Tencent Cloud Market edition."""

    name = "qixuntong"
    base = "/release/qxt_yzm_sms/"
    malformed = MALFORMED

    def routes(self) -> Mapping[tuple[str, str], Operation]:
        return {("POST", self.base): self._send}

    def refuse(self, request: Request, code: str) -> Reply:
        return Reply.json({"status": self._status(code), "balance": _BALANCE})

    def refuse_numbers(self, request: Request, result: int) -> Reply:
        try:
            numbers = request.query_fields().get("mobile", "").split(",")
        except MalformedError:
            return self.refuse(request, MALFORMED)
        return self._results([_item("", number, result) for number in numbers])

    def _send(self, request: Request) -> Reply:
        if problem := _gateway_problem(request.headers):
            return Reply.json({"message": problem}, 401)
        fields = request.query_fields()
        only(fields, "content", "mobile")
        if request.body or not request.has_form():
            raise RefusedError(MALFORMED)
        if not fields.get("mobile"):
            raise RefusedError(NO_PHONE)
        text = _approved_text(fields.get("content", ""))
        numbers = fields["mobile"].split(",")
        if len(numbers) > _MOST_NUMBERS:
            raise RefusedError(TOO_MANY)
        return self._results([self._submit(number, text) for number in numbers])

    def _submit(self, number: str, text: str) -> dict[str, object]:
        if not is_mobile(number):
            return _item("", number, BAD_NUMBER)
        message_id = secrets.token_hex(8).upper()
        self.deliver(number, text, message_id)
        return _item(message_id, number, 0)

    def _results(self, items: Sequence[Mapping[str, object]]) -> Reply:
        return Reply.json({"status": self._status("0"), "balance": _BALANCE, "list": items})

    def _status(self, code: str) -> str | int:
        return int(code) if self._quirks.qixuntong_int_status else code


def signature(secret_key: str, date: str, source: str) -> str:
    signed = f"x-date: {date}\nx-source: {source}"
    digest = hmac.new(secret_key.encode(), signed.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def _gateway_problem(headers: Mapping[str, str]) -> str:
    authorization, date = headers.get("authorization"), headers.get("x-date", "")
    if authorization is None:
        return "HMAC id or signature missing"
    found = _AUTHORIZATION.fullmatch(authorization)
    if found is None:
        return "HMAC authorization format error"
    moment = _moment(date)
    if moment is None:
        return "HMAC signature cannot be verified, a valid x-date header is required for HMAC Authentication"
    if abs((datetime.now(UTC) - moment).total_seconds()) > _SKEW_SECONDS:
        return "HMAC signature cannot be verified, the x-date header is out of date for HMAC Authentication"
    if headers.get("x-source") != _SOURCE:
        return "HMAC signature cannot be verified"
    account = CREDENTIALS["qixuntong"]
    if not same(found[1], account["secret_id"]):
        return "HMAC apikey is invalid for API"
    if not same(found[2], signature(account["secret_key"], date, _SOURCE)):
        return "HMAC signature does not match"
    return ""


def _moment(date: str) -> datetime | None:
    """The moment of a date in the only allowed format, with weekday and zone; None for any other."""
    try:
        moment = parsedate_to_datetime(date)
        return moment if format_datetime(moment, usegmt=True) == date else None
    except (ValueError, OverflowError):
        return None


def _approved_text(content: str) -> str:
    if not content:
        raise RefusedError(NO_CONTENT)
    if not content.startswith(SIGNED):
        raise RefusedError(BAD_SIGNATURE)
    text = content.removeprefix(SIGNED)
    if not any(template.approved and _SYNTAX.matches(template.text, text) for template in QIXUNTONG_TEMPLATES):
        raise RefusedError(NO_MATCHING_TEMPLATE)
    return content


def _item(message_id: str, number: str, result: int) -> dict[str, object]:
    return {"mid": message_id, "mobile": number, "result": result}
