"""A sixth gateway, as a third party writes it."""

from __future__ import annotations

import requests

from django_smsverify.enums import Reason
from django_smsverify.gateways.base import Gateway
from django_smsverify.gateways.parsing import as_text, full_text, json_object
from django_smsverify.types import Acceptance, Answer, Credential, Option, OutgoingSMS


class AcmeGateway(Gateway):
    label = "Acme SMS"
    base_url = "https://sms.acme.example/v1"
    credentials = (Credential(name="key", label="API key"),)
    options = (Option(name="queue", label="Queue", choices=("fast", "cheap")),)
    reasons = {"no-credit": Reason.ACCOUNT, "bad-number": Reason.RECIPIENT}

    def build_one(self, sms: OutgoingSMS, phone: str) -> requests.Request:
        body = {"to": phone, "text": full_text(sms, phone), "queue": self.option("queue")}
        headers = {"X-Key": self.account.credentials["key"]}
        return requests.Request("POST", self.url("/messages"), json=body, headers=headers)

    def parse_one(self, answer: Answer) -> Acceptance:
        found = json_object(answer)
        if found["ok"]:
            return Acceptance(remote_id=as_text(found["id"]))
        raise self.refusal(found["error"], found.get("words"))
