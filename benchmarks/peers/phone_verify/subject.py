"""django-phone-verify: a code for a number, checked with a session token. It has no limits and no reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.actions import SEND, VERIFY
from benchmarks.subjects import Call, Subject, posted


class Site(Subject):
    apps = ("rest_framework", "phone_verify")
    urls = "phone_verify.urls"
    accepted = 200
    actions = (SEND, VERIFY)

    def settings(self, vendor: str) -> dict[str, Any]:
        options = {
            "BACKEND": "benchmarks.peers.phone_verify.backend.Backend",
            "OPTIONS": {"url": vendor},
            "TOKEN_LENGTH": 6,
            "MESSAGE": "{app}: {security_code}",
            "APP_NAME": "Example",
            "SECURITY_CODE_EXPIRATION_SECONDS": 300,
            "VERIFY_SECURITY_CODE_ONLY_ONCE": True,
        }
        return {"PHONE_VERIFICATION": options, "PHONENUMBER_DEFAULT_REGION": "CN"}

    def send(self, phone: str, status: int) -> Call:
        return posted("/phone/register", {"phone_number": f"+86{phone}"}, status)

    def verify(self, phone: str, answer: Mapping[str, Any], code: str) -> Call:
        fields = {"phone_number": f"+86{phone}", "session_token": answer["session_token"], "security_code": code}
        return posted("/phone/verify", fields, 200)
