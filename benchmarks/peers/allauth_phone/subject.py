"""django-allauth: its login by a code sent to a phone, through its JSON API. It has no reports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from benchmarks.actions import BY_ADDRESS, BY_NUMBER, SEND, VERIFY
from benchmarks.subjects import Call, Subject, posted

API = "/_allauth/app/v1/auth"


class Site(Subject):
    """Users are there before: creating them is another part of allauth."""

    apps = ("allauth", "allauth.account", "allauth.headless", "benchmarks.peers.users")
    urls = "benchmarks.peers.allauth_phone.urls"
    accepted = 401
    refused = 400
    actions = (SEND, VERIFY, BY_ADDRESS, BY_NUMBER)

    def settings(self, vendor: str) -> dict[str, Any]:
        return {
            "MIDDLEWARE": ["allauth.account.middleware.AccountMiddleware"],
            "AUTHENTICATION_BACKENDS": ["allauth.account.auth_backends.AuthenticationBackend"],
            "AUTH_USER_MODEL": "users.User",
            "ACCOUNT_ADAPTER": "benchmarks.peers.allauth_phone.adapter.Adapter",
            "ACCOUNT_LOGIN_METHODS": {"phone"},
            "ACCOUNT_SIGNUP_FIELDS": ["phone*"],
            "ACCOUNT_EMAIL_VERIFICATION": "none",
            "ACCOUNT_LOGIN_BY_CODE_ENABLED": True,
            "HEADLESS_ONLY": True,
            "VENDOR_URL": vendor,
        }

    def enrol(self, phone: str) -> None:
        from benchmarks.peers.users.models import User

        User.objects.create(mobile=f"+86{phone}", username=phone, mobile_verified=True)

    def send(self, phone: str, status: int) -> Call:
        return posted(f"{API}/code/request", {"phone": f"+86{phone}"}, status)

    def verify(self, phone: str, answer: Mapping[str, Any], code: str) -> Call:
        session = ("X-Session-Token", answer["meta"]["session_token"])
        return replace(posted(f"{API}/code/confirm", {"code": code}, 200), headers=(session,))

    def code(self, sms: Mapping[str, str]) -> str:
        return str(re.findall("text=code ([^&]+)", sms["body"])[0])
