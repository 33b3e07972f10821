"""What all requests to Twilio share: the account, the options, and the codes of its refusals."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from urllib.parse import urlencode

import requests
from django.utils.translation import gettext_lazy as _

from django_smsverify.enums import Reason
from django_smsverify.exceptions import GatewayError
from django_smsverify.gateways.base import PUBLIC_URL, Gateway
from django_smsverify.gateways.parsing import json_object, required_code
from django_smsverify.types import Answer, Credential, Option


class TwilioAPI(Gateway):
    """Builds a request below the account; refusals have HTTP 4xx and a code."""

    label = "Twilio"
    base_url = "https://api.twilio.com"
    credentials = (
        Credential(
            name="account_sid",
            label="Account SID",
            help_text=_("From the first page of the console: AC and 32 digits and letters."),
        ),
        Credential(
            name="auth_token",
            label="Auth Token",
            help_text=_("The primary token: the vendor signs with it what it pushes."),
        ),
    )
    options = (
        Option(
            name="from",
            label=_("Sender"),
            help_text=_("A number of yours such as +15017122661, a short code, or a name of at most 11 characters."),
        ),
        Option(
            name="messaging_service_sid",
            label="Messaging Service SID",
            help_text=_("MG and 32 digits and letters. It chooses the sender: the option above is not used then."),
        ),
        PUBLIC_URL,
    )
    webhook_place = _(
        "Reports need none where “Public address of this site” is entered: each SMS names the address. For replies: at "
        "the number or the Messaging Service, “A message comes in”, by HTTP POST."
    )
    required_options = (("from", "messaging_service_sid"),)
    delivery_codes = ("twilio",)
    # twilio.com/docs/api/errors; those of 30000 and above come later, with a status.
    reasons = {
        **dict.fromkeys(
            (
                *("20003", "20005", "10001", "20008"),  # token, account not active, credentials for tests only
                *("21212", "21603", "21606", "21659"),  # the sender is bad, missing or of another account
                *("21408", "21608"),  # a region is not enabled; a trial account sends to verified numbers only
                *("21703", "21705"),  # the Messaging Service
                *("30002", "30034"),  # suspended; a sender is not registered in the USA
            ),
            Reason.ACCOUNT,
        ),
        **dict.fromkeys(("21602", "21617", "21619", "21620", "30007", "30019"), Reason.CONTENT),
        **dict.fromkeys(
            (
                *("21211", "21214", "21217", "21612", "21614", "21635"),
                "21610",  # its owner has sent STOP
                *("30003", "30004", "30005", "30006"),
            ),
            Reason.RECIPIENT,
        ),
        **dict.fromkeys(("20429", "21611", "30001"), Reason.RATE),
    }

    def request(self, method: str, path: str, fields: Mapping[str, str] | None = None) -> requests.Request:
        """A request below the account; a POST has these fields as a form."""
        sid, token = self.account.credentials["account_sid"], self.account.credentials["auth_token"]
        headers = {"Authorization": f"Basic {base64.b64encode(f'{sid}:{token}'.encode()).decode()}"}
        url = self.url(f"/2010-04-01/Accounts/{sid}/{path}.json")
        if fields is None:
            return requests.Request(method, url, headers=headers)
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return requests.Request(method, url, data=urlencode(fields).encode(), headers=headers)

    def parse_refusal(self, answer: Answer) -> GatewayError:
        found = json_object(answer)
        return self.refusal(required_code(found["code"]), found.get("message"))
