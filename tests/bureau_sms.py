"""A vendor with what acme_sms does without: signed pushes, words in 4xx answers, open outcomes, our own ids."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping

import requests

from django_smsverify.enums import DeliveryOutcome, Reason
from django_smsverify.exceptions import ForgedCallback, GatewayError
from django_smsverify.gateways.base import PUBLIC_URL, Gateway
from django_smsverify.gateways.parsing import as_text, full_text, json_object, json_rows, lookup, parse_rows
from django_smsverify.types import (
    Acceptance,
    Answer,
    Credential,
    DeliveryEvent,
    JSONObject,
    News,
    OutgoingSMS,
    Push,
    SentSMS,
)

OUTCOMES = {"sending": None, "arrived": DeliveryOutcome.DELIVERED, "lost": DeliveryOutcome.UNDELIVERED}


def signature_of(key: str, url: str, body: bytes) -> str:
    return hmac.new(key.encode(), url.encode() + body, hashlib.sha256).hexdigest()


class BureauGateway(Gateway):
    label = "Bureau SMS"
    base_url = "https://sms.bureau.example"
    credentials = (Credential(name="key", label="API key"),)
    options = (PUBLIC_URL,)
    reasons = {
        "Auth.*": Reason.ACCOUNT,
        "Internal.Key": Reason.ACCOUNT,
        "Limit.*": Reason.RATE,
        "Limit.Number.*": Reason.FREQUENCY,
        "Limit.Number.Country": Reason.RECIPIENT,
    }
    uncertain = ("Internal.*", "Timeout")
    acknowledgement = '{"ok":true}'
    acknowledgement_type = "application/json"
    finds_own_ids = True

    def build_one(self, sms: OutgoingSMS, phone: str) -> requests.Request:
        body = {"to": phone, "text": full_text(sms, phone), "own": sms.own_id, "push": self.account.webhook_url}
        return requests.Request("POST", self.url("/send"), json=body)

    def parse_one(self, answer: Answer) -> Acceptance:
        found = json_object(answer)
        if found["code"] != "ok":
            raise self.refusal(found["code"], found.get("words"))
        return Acceptance(remote_id=as_text(found["id"]))

    def parse_refusal(self, answer: Answer) -> GatewayError | None:
        found = json_object(answer)
        return self.refusal(found["code"], found.get("words"))

    def build_status(self, sent: SentSMS) -> requests.Request:
        query = {"id": sent.remote_id, "own": sent.own_id, "day": f"{sent.sent_at:%Y%m%d}"}
        return requests.Request("GET", self.url("/status"), params=query)

    def parse_status(self, answer: Answer, sent: SentSMS) -> DeliveryEvent | None:
        return event(json_object(answer))

    def parse_push(self, push: Push) -> News:
        expected = signature_of(self.account.credentials["key"], push.url, push.body)
        if not hmac.compare_digest(push.headers.get("x-signature", "").encode(), expected.encode()):
            raise ForgedCallback
        return parse_rows(json_rows(push), event)


def event(row: JSONObject) -> DeliveryEvent | None:
    outcome = lookup(OUTCOMES, row["state"])
    return outcome and DeliveryEvent(
        remote_id=as_text(row["id"]), phone=as_text(row["to"]), own_id=as_text(row.get("own")), outcome=outcome
    )


def push_of(key: str, url: str, *rows: Mapping[str, str], **fields: str) -> Push:
    """A call of our webhook by the vendor, with these rows or with one that has these fields."""
    usual = {"id": "42", "to": "+8613800138000", "state": "arrived"}
    body = json.dumps([{**usual, **row} for row in rows or (fields,)]).encode()
    signed = {"x-signature": signature_of(key, url, body)}
    return Push(content_type="application/json", headers=signed, body=body, url=url)
