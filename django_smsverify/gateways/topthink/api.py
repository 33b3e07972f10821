"""What all operations of TopThink's interface share: the keys, the options, the envelope of an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests
from django.utils.translation import gettext_lazy as _

from django_smsverify.gateways.base import Gateway
from django_smsverify.gateways.parsing import json_object, required_code
from django_smsverify.types import Answer, Credential, Option


class TopThinkAPI(Gateway):
    """Builds a request for any operation; code 0 is success, the other codes are not published."""

    label = "TopThink 顶想云"
    base_url = "https://api.topthink.com"
    credentials = (
        Credential(
            name="app_code",
            label=_("AppCode"),
            help_text=_(
                "The authorization code of the account (用户授权码), at 安全信息 in the console of topthink.com; the "
                "vendor explains it at docs.topthink.com/think-api/1835086."
            ),
        ),
    )
    webhook_place = _("我的服务 → 短信服务 → 发信设置 in the console.")
    options = (
        Option(
            name="http_method",
            label=_("HTTP method"),
            choices=("POST", "GET"),
            help_text=_("POST, which the vendor's SDK uses, keeps number and code out of URLs; GET is documented."),
        ),
        Option(
            name="auth",
            label=_("Where the AppCode goes"),
            choices=("header", "query"),
            help_text=_("“header”, which the vendor recommends, keeps it out of URLs."),
        ),
    )

    def request(self, path: str, fields: Mapping[str, str]) -> requests.Request:
        """A request for an operation, with the HTTP method and authorization that the operator chose."""
        app_code = self.account.credentials["app_code"]
        headers = {}
        if self.option("auth") == "header":
            headers["Authorization"] = f"AppCode {app_code}"
        else:
            fields = {"appCode": app_code, **fields}
        if self.option("http_method") == "POST":
            return requests.Request("POST", self.url(path), data=fields, headers=headers)
        return requests.Request("GET", self.url(path), params=fields, headers=headers)

    def data(self, answer: Answer) -> Any:
        """The data of an answer; raises GatewayRejected when the answer is a refusal."""
        found = json_object(answer)
        code = required_code(found["code"])
        if code != "0":
            raise self.refusal(code, found.get("message"))
        return found.get("data")
