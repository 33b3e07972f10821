"""Twilio: free texts to every country, refusals with HTTP 4xx, and pushes that are signed over the URL."""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from math import ceil
from urllib.parse import urlsplit

from sandbox.catalogue import CREDENTIALS, OPTIONS, TWILIO_CREDITS, TWILIO_SERVICE
from sandbox.inbox import SMS, Inbox
from sandbox.pushing import Kind, Push
from sandbox.quirks import Quirks
from sandbox.scheduler import Scheduler
from sandbox.submission import segments
from sandbox.travel import DeliveryState, DeliveryStates
from sandbox.vendors.base import Operation, RefusedError, Vendor, is_mobile, same
from sandbox.wire import Reply, Request, only

UNAUTHORIZED = "20003"
NO_CREDIT = "20005"
MALFORMED = "20001"
NOT_FOUND = "20404"
BAD_TO = "21211"
NO_BODY = "21602"
NO_FROM = "21603"
NO_TO = "21604"
BAD_FROM = "21606"
BAD_CALLBACK = "21609"
STOPPED = "21610"
TOO_LONG = "21617"
BAD_SERVICE = "21705"
UNREACHABLE = "30003"

_STATUSES = {UNAUTHORIZED: 401, NOT_FOUND: 404, "20429": 429}
_VERSION = "2010-04-01"
_SID, _SENDER = CREDENTIALS["twilio"]["account_sid"], OPTIONS["twilio"]["from"]
_ACCOUNT = f"/{_VERSION}/Accounts/*"
_LONGEST = 1600
_FIELDS = ("To", "From", "MessagingServiceSid", "Body", "StatusCallback")
_STOP, _START = {"STOP", "UNSUBSCRIBE", "END", "QUIT", "CANCEL"}, {"START", "YES", "UNSTOP"}


class Twilio(Vendor):
    """api.twilio.com."""

    name = "twilio"
    malformed = MALFORMED
    opening_credits = TWILIO_CREDITS  # in cents; each segment costs one

    def __init__(self, inbox: Inbox, quirks: Quirks, scheduler: Scheduler) -> None:
        super().__init__(inbox, quirks, scheduler)
        self._states = DeliveryStates()
        self._stopped: set[str] = set()

    def routes(self) -> Mapping[tuple[str, str], Operation]:
        return {
            ("POST", f"{_ACCOUNT}/Messages.json"): self._send,
            ("GET", f"{_ACCOUNT}/Messages/*.json"): self._query,
            ("GET", f"{_ACCOUNT}/Balance.json"): self._balance,
        }

    def route_of(self, path: str) -> str:
        return re.sub(r"(?<=/Messages/)[^/]+(?=\.json\Z)|(?<=/Accounts/)[^/]+", "*", path)

    def refuse(self, request: Request, code: str) -> Reply:
        status = _STATUSES.get(code, 400)
        more = f"https://www.twilio.com/docs/errors/{code}"
        return Reply.json({"code": int(code), "message": "Refused.", "more_info": more, "status": status}, status)

    def accept(self, sms: SMS) -> None:
        self._states.store(DeliveryState(sms, sms.received_at))
        for status in ("queued", "sent"):
            self._tell_later(self._push("report", _told(sms, status)))
        super().accept(sms)

    def _tell_later(self, push: Push) -> None:
        self._scheduler.schedule(self.name, lambda travel: push)

    def on_final_state(self, state: DeliveryState) -> Push:
        self._states.store(state)
        more = {} if state.arrived else {"ErrorCode": UNREACHABLE}
        return self._push("report", {**_told(state.sms, _status(state)), **more})

    def on_reply(self, sms: SMS, content: str) -> Push:
        phone, word = _e164(sms.phone), content.strip().upper()
        if word in _STOP:
            self._stopped.add(phone)
        elif word in _START:
            self._stopped.discard(phone)
        sid = _new_sid()
        fields = {"MessageSid": sid, "SmsSid": sid, "SmsStatus": "received", "From": phone, "To": _SENDER}
        more = {"Body": content, "NumMedia": "0", "NumSegments": "1", "FromCity": ""}
        return self._push("reply", {"AccountSid": _SID, "ApiVersion": _VERSION, **fields, **more})

    def reset(self) -> None:
        super().reset()
        self._states.clear()
        self._stopped.clear()

    def _push(self, kind: Kind, fields: Mapping[str, str]) -> Push:
        push = Push.form(self.name, kind, fields, charset="UTF-8")
        return replace(push, headers_at=lambda url: {"X-Twilio-Signature": signature(url, fields)})

    def _send(self, request: Request) -> Reply:
        _authorize(request)
        fields = request.form_fields()
        only(fields, *_FIELDS)
        if request.query:
            raise RefusedError(MALFORMED)
        _require_sendable(fields)
        if fields["To"] in self._stopped:
            raise RefusedError(STOPPED)
        if self.credits.spend(_segments(fields["Body"])) is None:
            raise RefusedError(NO_CREDIT)
        sms = SMS(self.name, fields["To"].removeprefix("+86"), fields["Body"], _new_sid(), datetime.now(UTC))
        self.accept(sms)
        is_service = "MessagingServiceSid" in fields
        state = DeliveryState(sms, sms.received_at)
        return Reply.json({**_message(state), "status": "accepted" if is_service else "queued"}, 201)

    def _query(self, request: Request) -> Reply:
        _authorize(request)
        sid = request.path.rpartition("/")[2].removesuffix(".json")
        state = self._states.find(sid)
        if state is None or request.query or request.body:
            raise RefusedError(NOT_FOUND)
        return Reply.json(_message(state))

    def _balance(self, request: Request) -> Reply:
        _authorize(request)
        return Reply.json({"account_sid": _SID, "balance": f"{self.credits.left / 100:.5f}", "currency": "USD"})


def signature(url: str, fields: Mapping[str, str]) -> str:
    signed = url + "".join(f"{name}{fields[name]}" for name in sorted(fields))
    digest = hmac.digest(CREDENTIALS["twilio"]["auth_token"].encode(), signed.encode(), "sha1")
    return base64.b64encode(digest).decode()


def _authorize(request: Request) -> None:
    keys = base64.b64encode(f"{_SID}:{CREDENTIALS['twilio']['auth_token']}".encode()).decode()
    is_own = f"/Accounts/{_SID}/" in request.path
    if not is_own or not same(request.headers.get("authorization", ""), f"Basic {keys}"):
        raise RefusedError(UNAUTHORIZED)


def _require_sendable(fields: Mapping[str, str]) -> None:
    if not fields.get("To"):
        raise RefusedError(NO_TO)
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", fields["To"]):
        raise RefusedError(BAD_TO)
    if fields["To"].startswith("+86") and not is_mobile(fields["To"].removeprefix("+86")):
        raise RefusedError(BAD_TO)
    if ("From" in fields) == ("MessagingServiceSid" in fields):
        raise RefusedError(MALFORMED if "From" in fields else NO_FROM)
    if fields.get("From", _SENDER) != _SENDER:
        raise RefusedError(BAD_FROM)
    if fields.get("MessagingServiceSid", TWILIO_SERVICE) != TWILIO_SERVICE:
        raise RefusedError(BAD_SERVICE)
    if not fields.get("Body"):
        raise RefusedError(NO_BODY)
    if len(fields["Body"]) > _LONGEST:
        raise RefusedError(TOO_LONG)
    callback = urlsplit(fields.get("StatusCallback", "https://example.com/"))
    if callback.scheme not in ("http", "https") or not callback.netloc:
        raise RefusedError(BAD_CALLBACK)


def _segments(text: str) -> int:
    """How many SMS a text is sent as; letters with accents, which GSM has, are not known here."""
    if not text.isascii():
        return segments(text)
    return 1 if len(text) <= 160 else ceil(len(text) / 153)


def _told(sms: SMS, status: str) -> dict[str, str]:
    """The fields of a call about a message."""
    return {
        "AccountSid": _SID,
        "ApiVersion": _VERSION,
        "From": _SENDER,
        "MessageSid": sms.remote_id,
        "MessageStatus": status,
        "SmsSid": sms.remote_id,
        "SmsStatus": status,
        "To": _e164(sms.phone),
    }


def _message(state: DeliveryState) -> dict[str, object]:
    """The object of a message, as the answer to a send and to a query."""
    sms, failed = state.sms, state.arrived is False
    return {
        "sid": sms.remote_id,
        "account_sid": _SID,
        "api_version": _VERSION,
        "direction": "outbound-api",
        "to": _e164(sms.phone),
        "from": _SENDER,
        "body": sms.text,
        "num_segments": str(_segments(sms.text)),
        "status": _status(state),
        "error_code": int(UNREACHABLE) if failed else None,
        "error_message": "Unreachable destination handset" if failed else None,
        "price": None if state.arrived is None else "-0.00750",
        "price_unit": "USD",
        "date_created": format_datetime(sms.received_at),
        "uri": f"{_ACCOUNT}/Messages/{sms.remote_id}.json",
        "subresource_uris": {"media": f"{_ACCOUNT}/Messages/{sms.remote_id}/Media.json"},
    }


def _status(state: DeliveryState) -> str:
    return {None: "sent", True: "delivered", False: "undelivered"}[state.arrived]


def _e164(phone: str) -> str:
    return phone if phone.startswith("+") else f"+86{phone}"


def _new_sid() -> str:
    return f"SM{secrets.token_hex(16)}"
