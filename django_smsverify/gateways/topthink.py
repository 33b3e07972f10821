"""TopThink 顶想云, https://api.topthink.com (its page 短信API服务, and the SDK top-think/think-api)."""

from __future__ import annotations

import json
from collections.abc import Mapping

import requests
from django.utils.translation import gettext_lazy as _

from django_smsverify import texts
from django_smsverify.types import Acceptance, Answer, Credential, Option, OutgoingSMS

from .base import PROXY, Gateway, Outcome, json_object, named_values, stated, word


class TopThinkGateway(Gateway):
    """Filed signature and template by id, values as JSON; success is code 0, no list of other codes is public."""

    label = "TopThink 顶想云"
    base_url = "https://api.topthink.com"
    credentials = (Credential(name="app_code", label=_("AppCode"), help_text=_("From the console's 安全信息.")),)
    options = (
        Option(
            name="http_method",
            label=_("HTTP method"),
            choices=("GET", "POST"),
            help_text=_("GET is documented; POST, which the vendor's SDK uses, keeps the number out of URLs."),
        ),
        Option(
            name="auth",
            label=_("Where the AppCode goes"),
            choices=("query", "header"),
            help_text=_("“header” keeps it out of URLs."),
        ),
        PROXY,
    )

    def build_send(self, sms: OutgoingSMS) -> requests.Request:
        (phone,) = sms.recipients
        fields = {
            "signId": sms.signature_id,
            "templateId": sms.template_id,
            "phone": self.mobile(phone),
        }
        # "params" for a template without variables is refused as a variable error.
        if texts.placeholders(sms.content):
            fields["params"] = json.dumps(named_values(sms, phone), ensure_ascii=False, separators=(",", ":"))
        return self.request("/sms/send", fields)

    def request(self, path: str, fields: Mapping[str, str]) -> requests.Request:
        """Any of the vendor's operations, in the operator's choice of method and authorization."""
        app_code = self.account.credentials["app_code"]
        headers = {}
        if self.option("auth") == "header":
            headers["Authorization"] = f"AppCode {app_code}"
        else:
            fields = {"appCode": app_code, **fields}
        if self.option("http_method") == "POST":
            return requests.Request("POST", self.url(path), data=fields, headers=headers)
        return requests.Request("GET", self.url(path), params=fields, headers=headers)

    def parse_send(self, answer: Answer, sms: OutgoingSMS) -> Mapping[str, Outcome]:
        found = json_object(answer)
        code = stated(found["code"])
        if code != "0":
            raise self.refusal(code, found.get("message"))
        data = found.get("data")
        remote_id = word(data.get("id")) if isinstance(data, dict) else ""
        return dict.fromkeys(sms.recipients, Acceptance(remote_id=remote_id))
