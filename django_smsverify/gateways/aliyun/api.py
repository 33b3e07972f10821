"""What all actions of Aliyun's SMS products share: the keys, the signature, the envelope and its codes."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, urlencode, urlsplit

import requests
from django.utils.translation import gettext_lazy as _

from django_smsverify.exceptions import GatewayError
from django_smsverify.gateways.base import Gateway
from django_smsverify.gateways.parsing import json_object, required_code
from django_smsverify.linting import TextRules
from django_smsverify.types import Answer, Credential, JSONObject

from .codes import REASONS, UNCERTAIN

ALGORITHM = "ACS3-HMAC-SHA256"
FORM = "application/x-www-form-urlencoded"
VERSION = "2017-05-25"


class AliyunAPI(Gateway):
    """Builds a request for any action; refusals have HTTP 200 or, from the gateway before the product, 4xx."""

    credentials = (
        Credential(
            name="access_key_id",
            label="AccessKey ID",
            help_text=_("Made at 访问控制 (RAM) for a user there, not for the main account."),
        ),
        Credential(
            name="access_key_secret",
            label="AccessKey Secret",
            help_text=_("Of a RAM user that may send SMS and nothing else."),
        ),
    )
    delivery_codes = ("aliyun",)
    reasons = REASONS
    uncertain = UNCERTAIN
    # Rules of code templates (463237) and notices (463270); values: isv.PARAM_NOT_SUPPORT_URL.
    text_rules = TextRules(refuses_links=True, refuses_contacts=True, refuses_unsubscribe=True, wants_context=True)

    def request(self, action: str, fields: Mapping[str, str]) -> requests.Request:
        """A signed request; the fields stand in the body, so that numbers and values stay out of URLs."""
        url, keys = self.url("/"), self.account.credentials
        body = urlencode(fields, quote_via=quote, safe="").encode()
        headers = {
            "host": self.host(url),
            "x-acs-action": action,
            "x-acs-version": VERSION,
            "x-acs-date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "x-acs-signature-nonce": secrets.token_hex(16),
            "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
            "content-type": FORM,
        }
        headers["Authorization"] = authorization(keys["access_key_id"], keys["access_key_secret"], "POST", url, headers)
        return requests.Request("POST", url, data=body, headers=headers)

    def data(self, answer: Answer) -> JSONObject:
        """The fields of an answer; raises a GatewayError when its code is not OK."""
        found = json_object(answer)
        code = required_code(found["Code"])
        if code != "OK":
            raise self.refusal(code, found.get("Message"))
        return found

    def parse_refusal(self, answer: Answer) -> GatewayError:
        found = json_object(answer)
        return self.refusal(required_code(found["Code"]), found.get("Message"))


def authorization(key_id: str, key_secret: str, method: str, url: str, headers: Mapping[str, str]) -> str:
    """The header Authorization by Aliyun's V3 signature, over the request's path and query and all of `headers`.

    One of these holds the hash of the body. Source: help.aliyun.com, V3 request structure and signature.
    """
    parts, names = urlsplit(url), ";".join(sorted(headers))
    lines = [f"{name}:{headers[name].strip()}\n" for name in sorted(headers)]
    hashed = headers["x-acs-content-sha256"]
    canonical = "\n".join([method, parts.path or "/", parts.query, "".join(lines), names, hashed])
    message = f"{ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(key_secret.encode(), message.encode(), hashlib.sha256).hexdigest()
    return f"{ALGORITHM} Credential={key_id},SignedHeaders={names},Signature={signature}"
