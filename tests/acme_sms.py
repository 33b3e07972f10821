"""A sixth gateway as an outsider writes it."""

from __future__ import annotations

from collections.abc import Mapping

import requests

from django_smsverify.enums import Reason
from django_smsverify.gateways.base import PROXY, Gateway, Outcome
from django_smsverify.gateways.parsing import as_text, full_text, json_object
from django_smsverify.types import Acceptance, Answer, Credential, Option, OutgoingSMS


class AcmeGateway(Gateway):
    label = "Acme SMS"
    base_url = "https://sms.acme.example/v1"
    credentials = (Credential(name="key", label="API key"),)
    options = (Option(name="queue", label="Queue", choices=("fast", "cheap")), PROXY)
    reasons = {"no-credit": Reason.ACCOUNT, "bad-number": Reason.RECIPIENT}

    def build_send(self, sms: OutgoingSMS) -> requests.Request:
        (phone,) = sms.recipients
        body = {"to": phone, "text": full_text(sms, phone), "queue": self.option("queue")}
        headers = {"X-Key": self.account.credentials["key"]}
        return requests.Request("POST", self.url("/messages"), json=body, headers=headers)

    def parse_send(self, answer: Answer, sms: OutgoingSMS) -> Mapping[str, Outcome]:
        found = json_object(answer)
        if found["ok"]:
            return dict.fromkeys(sms.recipients, Acceptance(remote_id=as_text(found["id"])))
        raise self.refusal(found["error"], found.get("words"))
