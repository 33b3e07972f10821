"""What an app does on a site with dj-rest-auth, by each of its ways to let somebody in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from dj_rest_auth import app_settings
from dj_rest_auth.mfa.models import Authenticator
from dj_rest_auth.views import LoginView
from django.contrib.auth.models import User
from django.test import TestCase, modify_settings

from django_smsverify.contrib.dj_rest_auth import PhoneRestAuthEndpoint
from django_smsverify.testing import SMSTestMixin

PHONE = "13800138000"
JWT = {"USE_JWT": True, "JWT_AUTH_COOKIE": "access", "JWT_AUTH_REFRESH_COOKIE": "refresh"}
TOLD = {"phone", "created", "device"}


@contextmanager
def under(settings: dict[str, Any]) -> Iterator[None]:
    """Other settings; dj-rest-auth's views keep those of the start."""
    own = app_settings.APISettings(settings, app_settings.DEFAULTS, app_settings.IMPORT_STRINGS)
    with ExitStack() as stack:
        for module in ("app_settings", "jwt_auth", "models", "views"):
            stack.enter_context(mock.patch(f"dj_rest_auth.{module}.api_settings", own))
        yield


class OwnLoginView(LoginView):
    """As a site writes it: with all that a view has."""

    def get_response(self) -> Any:
        response = super().get_response()
        response.data = {**response.data, "path": self.kwargs, "creator": str(self.serializer.context["request"].user)}
        return response


class App(SMSTestMixin, TestCase):
    def log_in(self, **headers: str) -> Any:
        verification = self.sms.send(PHONE)
        self.typed = {"verification_id": str(verification.pk), "code": self.sms.code}
        answer = self.client.post("/sms/login/", self.typed, "application/json", headers=headers)
        assert answer.status_code == 200, answer.content
        return answer

    def who(self, **headers: str) -> Any:
        return self.client.get("/auth/user/", headers=headers).json().get("username")


class SecondFactorTest(App):
    def test_who_has_a_second_factor_is_asked_for_it(self) -> None:
        Authenticator.objects.create(user=User.objects.create(username=PHONE), type=Authenticator.Type.TOTP)

        answer = self.log_in()

        assert answer.json().keys() == TOLD | {"mfa_required", "ephemeral_token"}
        assert "sessionid" not in answer.cookies
        assert self.who() is None

    def test_others_are_let_in(self) -> None:
        assert self.log_in().json().keys() == TOLD | {"key"}
        assert self.who() == PHONE


@modify_settings(INSTALLED_APPS={"remove": "dj_rest_auth.mfa"})
class AppTest(App):
    def test_a_key_and_a_session(self) -> None:
        answer = self.log_in()

        assert answer.json().keys() == TOLD | {"key"}
        assert self.who() == PHONE
        self.client.post("/auth/logout/")
        assert self.who() is None
        assert self.who(Authorization=f"Token {self.log_in().json()['key']}") == PHONE

    def test_tokens_in_cookies(self) -> None:
        with under({**JWT, "JWT_AUTH_HTTPONLY": True, "SESSION_LOGIN": False}):
            answer = self.log_in()

            assert answer.json().keys() == TOLD | {"user", "access", "refresh"}
            assert answer.json()["refresh"] == ""
            assert {"access", "refresh"} <= answer.cookies.keys()
            assert "sessionid" not in answer.cookies
            assert answer.cookies["refresh"]["httponly"]
            assert self.who() == PHONE
            self.client.post("/auth/logout/")
            assert self.who() is None

    def test_tokens_in_the_answer(self) -> None:
        with under({**JWT, "JWT_AUTH_HTTPONLY": False, "JWT_AUTH_RETURN_EXPIRATION": True, "SESSION_LOGIN": False}):
            told = self.log_in().json()

        assert told["refresh"]
        assert {"access_expiration", "refresh_expiration"} <= told.keys()

    def test_a_session_alone(self) -> None:
        with under({"TOKEN_MODEL": None}):
            assert self.log_in().json().keys() == TOLD
            assert self.who() == PHONE

    def test_a_view_of_the_site(self) -> None:
        with mock.patch.object(PhoneRestAuthEndpoint, "login_view", OwnLoginView):
            assert self.log_in().json().keys() == TOLD | {"key", "path", "creator"}

    def test_a_lost_answer_is_repeated(self) -> None:
        headers = {"Idempotency-Key": "0123456789abcdef"}
        first = self.log_in(**headers)

        again = self.client.post("/sms/login/", self.typed, "application/json", headers=headers)

        assert again.json()["key"] == first.json()["key"]

    def test_a_wrong_code_and_a_closed_account(self) -> None:
        User.objects.create(username=PHONE, is_active=False)
        verification = self.sms.send(PHONE)
        for code, word in (("000000", "wrong_code"), (self.sms.code, "account_inactive")):
            typed = {"verification_id": str(verification.pk), "code": code}
            assert self.client.post("/sms/login/", typed, "application/json").json()["code"] == word
        assert "sessionid" not in self.client.cookies
