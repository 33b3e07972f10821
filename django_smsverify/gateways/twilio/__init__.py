"""Twilio, https://api.twilio.com (Programmable Messaging, twilio.com/docs/messaging/api/message-resource)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import requests
from django.utils.translation import gettext_lazy as _

from django_smsverify import texts
from django_smsverify.enums import Billing, DeliveryOutcome
from django_smsverify.gateways.parsing import (
    amount,
    as_text,
    form_row,
    full_text,
    json_object,
    lookup,
    parse_rows,
    payload_without,
    required_code,
)
from django_smsverify.linting import TextRules
from django_smsverify.types import (
    Acceptance,
    Answer,
    DeliveryEvent,
    Event,
    News,
    OutgoingSMS,
    Push,
    ReplyEvent,
    SentSMS,
)

from .api import TwilioAPI
from .signatures import signed_fields

OUTCOMES = {
    **dict.fromkeys(("accepted", "scheduled", "queued", "sending", "sent")),
    **dict.fromkeys(("delivered", "read", "partially_delivered"), DeliveryOutcome.DELIVERED),
    **dict.fromkeys(("undelivered", "failed", "canceled"), DeliveryOutcome.UNDELIVERED),
}
"""By the status of a message; None is under way. `sent` is the last one where a carrier gives no receipts."""


class TwilioGateway(TwilioAPI):
    """Sends the full text to one number of any country; statuses and replies are pushed, and signed."""

    billing = Billing.SUBMITTED  # each segment that is handed to the carrier
    reviews_texts = False
    balance_unit = _("in the account's currency")
    acknowledgement = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'
    acknowledgement_type = "text/xml; charset=utf-8"
    text_rules = TextRules(longest=1600, counts_signature=True, counts_gsm7=True, for_mainland=False)

    def build_one(self, sms: OutgoingSMS, phone: str) -> requests.Request:
        service = self.option("messaging_service_sid")
        sender = {"MessagingServiceSid": service} if service else {"From": self.option("from")}
        fields = {"To": phone, **sender, "Body": texts.signed(sms.signature, full_text(sms, phone))}
        if self.account.webhook_url:
            fields["StatusCallback"] = self.account.webhook_url
        return self.request("POST", "Messages", fields)

    def parse_one(self, answer: Answer) -> Acceptance:
        return Acceptance(remote_id=required_code(json_object(answer)["sid"]))

    def build_status(self, sent: SentSMS) -> requests.Request:
        return self.request("GET", f"Messages/{quote(sent.remote_id, safe='')}")

    def parse_status(self, answer: Answer, sent: SentSMS) -> DeliveryEvent | None:
        found = json_object(answer)
        return _delivery(found, "sid", "to", "status", "error_code")

    def parse_push(self, push: Push) -> News:
        return parse_rows([signed_fields(push, self.account.credentials.get("auth_token", ""))], _event)

    def acknowledge(self, push: Push) -> tuple[str, str]:
        # Plain words in the response to a reply would be sent to the phone as an SMS.
        is_status = "MessageStatus" in form_row(push)
        return "" if is_status else self.acknowledgement, self.acknowledgement_type

    def build_balance(self) -> requests.Request:
        return self.request("GET", "Balance")

    def parse_balance(self, answer: Answer) -> Decimal:
        whole, point, decimals = as_text(json_object(answer)["balance"]).partition(".")
        return amount(f"{whole}{point}{decimals[:4]}")  # a price may have five decimals


def _event(row: Mapping[str, str]) -> Event | None:
    if "MessageStatus" in row:
        return _delivery(row, "MessageSid", "To", "MessageStatus", "ErrorCode")
    return ReplyEvent(
        remote_id=row["MessageSid"],  # its own: without a time, this tells two equal replies from a repetition
        phone=row["From"],
        content=row["Body"],
        payload=payload_without(row, "body"),
    )


def _delivery(row: Mapping[str, Any], sid: str, phone: str, status: str, code: str) -> DeliveryEvent | None:
    """The report in a row with these names; a query and a push have different ones, and no zone of their times."""
    outcome = lookup(OUTCOMES, row[status])
    return outcome and DeliveryEvent(
        remote_id=as_text(row[sid]),
        phone=as_text(row[phone]),
        outcome=outcome,
        code=as_text(row.get(code)),
        detail=as_text(row.get("error_message")),
        payload=payload_without(row, "body"),
    )
