"""drfpasswordless: a code for a number, which creates its user; a right code returns a token of DRF. No limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.actions import SEND, VERIFY
from benchmarks.subjects import Call, Subject, posted


class Site(Subject):
    apps = ("rest_framework", "rest_framework.authtoken", "drfpasswordless", "benchmarks.peers.users")
    urls = "benchmarks.peers.passwordless.urls"
    accepted = 200
    actions = (SEND, VERIFY)

    def settings(self, vendor: str) -> dict[str, Any]:
        options = {
            "PASSWORDLESS_AUTH_TYPES": ["MOBILE"],
            "PASSWORDLESS_MOBILE_NOREPLY_NUMBER": "+15555550100",
            "PASSWORDLESS_SMS_CALLBACK": "benchmarks.peers.passwordless.callback.send_sms",
        }
        return {"AUTH_USER_MODEL": "users.User", "PASSWORDLESS_AUTH": options, "VENDOR_URL": vendor}

    def send(self, phone: str, status: int) -> Call:
        return posted("/auth/mobile/", {"mobile": f"+86{phone}"}, status)

    def verify(self, phone: str, answer: Mapping[str, Any], code: str) -> Call:
        return posted("/auth/token/", {"mobile": f"+86{phone}", "token": code}, 200)
