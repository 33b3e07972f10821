"""The adapter that django-allauth asks a site for: where numbers are stored, and how an SMS is sent."""

from __future__ import annotations

from typing import Any

import requests
from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.contrib.auth import get_user_model

site: Any = settings
User: Any = get_user_model()
session = requests.Session()


class Adapter(DefaultAccountAdapter):
    def get_phone(self, user: Any) -> tuple[str, bool] | None:
        return user.mobile, user.mobile_verified

    def set_phone(self, user: Any, phone: str, verified: bool) -> None:
        user.mobile, user.mobile_verified = phone, verified
        user.save(update_fields=["mobile", "mobile_verified"])

    def set_phone_verified(self, user: Any, phone: str) -> None:
        self.set_phone(user, phone, True)

    def get_user_by_phone(self, phone: str) -> Any:
        return User.objects.filter(mobile=phone).first()

    def send_verification_code_sms(self, user: Any, phone: str, code: str, **kwargs: Any) -> None:
        fields = {"phone": phone, "text": f"code {code}"}
        session.post(site.VENDOR_URL, data=fields, timeout=5).raise_for_status()

    def send_unknown_account_sms(self, phone: str, **kwargs: Any) -> None:
        raise NotImplementedError
