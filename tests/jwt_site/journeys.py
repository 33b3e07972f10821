"""What an app does on a site with SimpleJWT."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import time_machine
from django.contrib.auth.models import User
from django.test import TestCase, override_settings
from django.utils import timezone
from rest_framework_simplejwt.tokens import AccessToken

from django_smsverify.testing import SMSTestMixin

PHONE = "13800138000"
SLIDING = "rest_framework_simplejwt.serializers.TokenObtainSlidingSerializer"
CLAIMS = "tests.jwt_site.urls.ClaimsSerializer"


def nobody(user: Any) -> bool:
    return False


class AppTest(SMSTestMixin, TestCase):
    def log_in(self, code: str | None = None, **headers: str) -> Any:
        self.typed = {"verification_id": str(self.sms.send(PHONE).pk), "code": code or self.sms.code}
        return self.post(**headers)

    def post(self, **headers: str) -> Any:
        return self.client.post("/sms/login/", self.typed, "application/json", headers=headers)

    def who(self, access: str) -> Any:
        return self.client.get("/who/", headers={"Authorization": f"Bearer {access}"})

    def test_a_code_gives_tokens_that_open_a_view_and_can_be_refreshed(self) -> None:
        answer = self.log_in()

        assert (answer.status_code, set(answer.json())) == (200, {"phone", "created", "device", "refresh", "access"})
        assert self.who(answer.json()["access"]).json() == PHONE
        refreshed = self.client.post("/token/refresh/", {"refresh": answer.json()["refresh"]}, "application/json")
        assert self.who(refreshed.json()["access"]).json() == PHONE
        assert self.client.get("/who/").status_code == 401
        assert User.objects.get().last_login is None
        assert "sessionid" not in self.client.cookies

    def test_a_lost_answer_is_repeated_and_a_used_code_is_not(self) -> None:
        headers = {"Idempotency-Key": "0123456789abcdef"}
        assert self.log_in(**headers).status_code == 200

        again, used = self.post(**headers), self.post()

        assert self.who(again.json()["access"]).json() == PHONE
        assert used.json()["code"] == "already_used"

    def test_a_wrong_code_gives_nothing(self) -> None:
        answer = self.log_in("000000")

        assert (answer.status_code, answer.json()["code"]) == (400, "wrong_code")

    def test_an_old_code_gives_nothing(self) -> None:
        self.typed = {"verification_id": str(self.sms.send(PHONE).pk), "code": self.sms.code}
        with time_machine.travel(timezone.now() + timedelta(minutes=6)):
            answer = self.post()

        assert (answer.status_code, answer.json()["code"]) == (400, "expired")

    def test_the_settings_of_simplejwt_count(self) -> None:
        with override_settings(SIMPLE_JWT={"TOKEN_OBTAIN_SERIALIZER": CLAIMS, "UPDATE_LAST_LOGIN": True}):
            assert AccessToken(self.log_in().json()["access"])["name"] == PHONE
        assert User.objects.get().last_login
        with override_settings(SIMPLE_JWT={"TOKEN_OBTAIN_SERIALIZER": SLIDING}):
            assert "token" in self.log_in().json()
        with override_settings(SIMPLE_JWT={"USER_AUTHENTICATION_RULE": f"{__name__}.nobody"}):
            assert self.log_in().json()["code"] == "account_inactive"

    def test_a_closed_account_gets_no_token(self) -> None:
        User.objects.create(username=PHONE, is_active=False)

        assert self.log_in().json()["code"] == "account_inactive"
