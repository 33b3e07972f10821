"""What people do on a site with django-allauth, on its pages and by its headless API."""

from __future__ import annotations

import re
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth import get_user_model
from django.contrib.messages import get_messages
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.test import Client, RequestFactory, TestCase, override_settings
from django.urls import include, path
from django.utils import timezone

from django_smsverify.contrib.allauth import FORMS
from django_smsverify.contrib.allauth.adapter import PhoneAccountAdapter
from django_smsverify.contrib.allauth.answers import refusal
from django_smsverify.contrib.allauth.pending import CODES, MOST_CODES, placeholder
from django_smsverify.enums import Reason
from django_smsverify.exceptions import InsideTransaction, NoRoute
from django_smsverify.models import Verification
from django_smsverify.testing import SMSTestMixin

NATIONAL, PHONE, OTHER = "13800138000", "+8613800138000", "+8613900139000"
APP, BROWSER = "/_allauth/app/v1", "/_allauth/browser/v1"
RESENDS = {
    "ACCOUNT_LOGIN_BY_CODE_SUPPORTS_RESEND": True,
    "ACCOUNT_PHONE_VERIFICATION_SUPPORTS_RESEND": True,
    "ACCOUNT_PREVENT_ENUMERATION": False,
}
Member: Any = get_user_model()
urlpatterns = [path("accounts/", include("allauth.urls"))]  # not through this app


class KeepingAdapter(PhoneAccountAdapter):
    unverified_phone_field = "last_name"


def wrong(code: str) -> str:
    return str((int(code) + 1) % 10 ** len(code)).zfill(len(code))


def member(phone: str | None = NATIONAL, **fields: Any) -> Any:
    return Member.objects.create_user("member", phone=phone, **fields)


def shown(answer: Any) -> list[str]:
    """The messages and errors of a page that a form led to."""
    context = answer.context
    errors = [str(error) for each in context["form"].errors.values() for error in each] if "form" in context else []
    return [*errors, *(str(message) for message in get_messages(answer.wsgi_request))]


class Journey(SMSTestMixin, TestCase):
    def setUp(self) -> None:
        super().setUp()
        cache.clear()  # allauth's own limits


class Pages(Journey):
    def post(self, page: str, **fields: str) -> Any:
        return self.client.post(f"/accounts/{page}/", fields, follow=True)

    def who(self) -> str:
        return str(self.client.get("/who/").content.decode())

    def sign_up(self, phone: str = NATIONAL) -> Any:
        return self.post("signup", phone=phone)

    def ask(self, phone: str = NATIONAL) -> Any:
        return self.post("login/code", phone=phone)


class Signup(Pages):
    def test_a_signup_verifies_the_number(self) -> None:
        page = self.sign_up("138 0013 8000")
        assert page.redirect_chain[-1][0] == "/accounts/phone/verify/"
        assert (self.sms.last.phone, self.sms.last.purpose, len(self.sms.outbox)) == (PHONE, "verify", 1)

        page = self.post("phone/verify", code=wrong(self.sms.code))
        assert "Wrong code. 4 attempts left." in shown(page)
        assert (Member.objects.get().phone, self.client.get("/who/").status_code) == (None, 302)

        self.post("phone/verify", code=f"{self.sms.code[:3]} {self.sms.code[3:]}")
        assert (Member.objects.get().phone, self.who()) == (NATIONAL, NATIONAL)

    def test_the_code_is_nowhere_in_the_session(self) -> None:
        self.sign_up()
        self.post("phone/verify", code=wrong(self.sms.code))

        stored = str(SessionStore(Session.objects.get().session_key).load())
        assert str(Verification.objects.get().pk) in stored
        assert self.sms.code not in stored

    def test_a_number_that_is_none_is_an_error_of_its_field(self) -> None:
        for phone, error in (("12345", "This is not a phone number."), ("+14155552671", "SMS cannot be sent to")):
            page = self.sign_up(phone)
            assert error in shown(page)[0]
        assert (Member.objects.count(), self.sms.outbox) == (0, [])

    def test_a_refused_sms_leaves_no_account_and_says_why(self) -> None:
        self.sms.limits(PHONE_LIMITS=("1/h",))
        self.sms.send(NATIONAL, "verify")
        page = self.sign_up()

        assert page.redirect_chain == [("/accounts/signup/", 302)]
        assert "Too many requests. Please try again in 3600 seconds." in shown(page)
        assert not Member.objects.exists()

    def test_a_vendor_that_refuses_is_no_server_error(self) -> None:
        for make, error in ((self.sms.fail, "could not be sent"), (self.refuse_number, "cannot receive our SMS")):
            make()
            assert error in shown(self.sign_up())[0]

    def refuse_number(self) -> None:
        self.sms.refuse(Reason.RECIPIENT)

    def test_an_attack_from_one_address_ends_in_a_sentence(self) -> None:
        self.sms.limits(IP_LIMITS=("2/h",))
        answers = [Client().post("/accounts/signup/", {"phone": f"1380013800{n}"}, follow=True) for n in range(3)]

        assert [len(answer.redirect_chain) for answer in answers] == [1, 1, 1]
        assert "Too many requests." in shown(answers[-1])[0]
        assert (len(self.sms.outbox), Member.objects.count()) == (2, 2)

    def test_who_has_an_account_is_told_so_after_the_right_code_and_nobody_else(self) -> None:
        theirs = member()
        pages = [self.sign_up()]
        known = self.post("phone/verify", code=wrong(self.sms.code))
        told = self.post("phone/verify", code=self.sms.code)

        self.client = Client()
        pages.append(self.sign_up(OTHER))
        new = self.post("phone/verify", code=wrong(self.sms.code))

        assert pages[0].redirect_chain == pages[1].redirect_chain
        assert shown(known)[0] == shown(new)[0]
        assert "A user is already registered with this phone number." in shown(told)
        assert list(Member.objects.filter(phone=NATIONAL)) == [theirs]

    def test_who_signed_up_with_the_number_of_an_account_that_is_gone_begins_anew(self) -> None:
        theirs = member()
        self.sign_up()
        theirs.delete()

        page = self.post("phone/verify", code=self.sms.code)
        assert "There is no account with this number. Register first." in shown(page)

    def test_an_unverified_number_lets_nobody_log_in(self) -> None:
        self.sign_up()
        self.client = Client()
        self.ask()
        page = self.post("login/code/confirm", code=self.sms.code)

        assert "There is no account with this number. Register first." in shown(page)
        assert self.client.get("/who/").status_code == 302

    def test_a_stranger_who_signs_up_first_keeps_nobody_from_their_number(self) -> None:
        stranger, owner = Client(), Client()
        for client in (stranger, owner):
            client.post("/accounts/signup/", {"phone": NATIONAL})
        owner.post("/accounts/phone/verify/", {"code": self.sms.code})
        stranger.post("/accounts/phone/verify/", {"code": self.sms.code})

        assert owner.get("/who/").content.decode() == NATIONAL
        assert (stranger.get("/who/").status_code, Member.objects.filter(phone=NATIONAL).count()) == (302, 1)

    @override_settings(**RESENDS)
    def test_a_code_is_sent_again_and_not_too_soon(self) -> None:
        self.sms.limits(RESEND_INTERVAL=60)
        self.sign_up()
        page = self.post("phone/verify", action="resend")
        assert re.search("try again in (60|59|58|57) seconds", " ".join(shown(page)))

        self.sms.limits(RESEND_INTERVAL=0)
        code = self.sms.code
        self.post("phone/verify", action="resend")
        assert (len(self.sms.outbox), self.sms.code) == (2, code)
        self.post("phone/verify", code=code)
        assert self.who() == NATIONAL

    @override_settings(
        ACCOUNT_ADAPTER=f"{__name__}.KeepingAdapter",
        ACCOUNT_LOGIN_METHODS={"username", "phone"},
        ACCOUNT_SIGNUP_FIELDS=["username*", "phone*", "password1*"],
    )
    def test_a_login_by_password_verifies_what_the_signup_left(self) -> None:
        self.post("signup", phone=NATIONAL, username="wang", password1="a long pass phrase")
        self.client = Client()
        page = self.post("login", login="wang", password="a long pass phrase")
        assert (page.redirect_chain[-1][0], len(self.sms.outbox)) == ("/accounts/phone/verify/", 2)

        self.post("phone/verify", code=self.sms.code)
        assert (self.who(), Member.objects.get().last_name) == (NATIONAL, "")

        self.client = Client()
        self.post("login", login="138-0013-8000", password="a long pass phrase")
        assert self.who() == NATIONAL

    @override_settings(ACCOUNT_PHONE_VERIFICATION_ENABLED=False)
    def test_a_number_that_is_never_verified_gets_no_sms_and_leads_nowhere(self) -> None:
        self.sign_up()
        assert (self.sms.outbox, Member.objects.get().phone) == ([], None)


class Login(Pages):
    def test_a_code_logs_in(self) -> None:
        for stored in (NATIONAL, PHONE):
            Member.objects.all().delete()
            self.client = Client()
            member(stored)
            self.ask()
            assert self.sms.last.purpose == "login"
            page = self.post("login/code/confirm", code=wrong(self.sms.code))
            assert "Wrong code. 4 attempts left." in shown(page)
            self.post("login/code/confirm", code=self.sms.code)
            assert self.client.session["_auth_user_id"] == str(Member.objects.get().pk)

    def test_the_login_form_takes_a_number(self) -> None:
        member()
        self.post("login", login=NATIONAL)
        self.post("login/code/confirm", code=self.sms.code)
        assert self.who() == NATIONAL

    def test_an_unknown_number_looks_like_a_known_one_until_its_code_is_right(self) -> None:
        member()
        self.sms.limits(RESEND_INTERVAL=60)
        seen = []
        for phone in (NATIONAL, OTHER):
            client = Client()
            page = client.post("/accounts/login/code/", {"phone": phone}, follow=True)
            mistake = client.post("/accounts/login/code/confirm/", {"code": wrong(self.sms.code)})
            again = Client().post("/accounts/login/code/", {"phone": phone}, follow=True)
            seen.append((page.redirect_chain, shown(mistake), again.redirect_chain, len(shown(again))))
        assert seen[0] == seen[1]

        told = client.post("/accounts/login/code/confirm/", {"code": self.sms.code})
        assert "There is no account with this number. Register first." in shown(told)
        assert not Member.objects.filter(phone__endswith=OTHER[-11:]).exists()

    def test_a_code_of_my_number_does_not_log_in_to_another_account(self) -> None:
        member(OTHER)
        self.ask(OTHER)
        attacked = dict(self.client.session)
        self.post("logout")
        self.ask(NATIONAL)
        session = self.client.session
        session["account_login"] = attacked["account_login"]
        session.save()

        self.post("login/code/confirm", code=self.sms.code)
        assert self.client.get("/who/").status_code == 302

    def test_a_number_that_moved_to_another_account_does_not_open_the_old_one(self) -> None:
        old = member()
        self.ask()
        Member.objects.filter(pk=old.pk).update(phone=None)
        new = Member.objects.create_user("new", phone=NATIONAL)

        page = self.post("login/code/confirm", code=self.sms.code)
        assert "There is no account with this number. Register first." in shown(page)
        assert (Member.objects.get(phone=NATIONAL), self.client.get("/who/").status_code) == (new, 302)

    def test_what_stands_for_the_code_is_no_code(self) -> None:
        """Neither for our forms, nor for those of allauth, where a site forgot ours."""
        theirs = member()
        self.ask()
        kept = placeholder(theirs, PHONE)
        assert kept in str(dict(self.client.session))

        for forms in (FORMS, {}):
            for typed in (kept, kept.removeprefix("≠"), self.sms.code if not forms else "verified"):
                with override_settings(ACCOUNT_FORMS=forms):
                    self.post("login/code/confirm", code=typed)
                assert self.client.get("/who/").status_code == 302

    def test_a_locked_account_is_refused(self) -> None:
        member(is_active=False)
        self.ask()
        assert "This account is locked." in shown(self.post("login/code/confirm", code=self.sms.code))

    def test_the_new_owner_of_a_number_does_not_walk_into_the_old_account(self) -> None:
        member(date_joined=timezone.now() - timedelta(days=400))
        with override_settings(SMSVERIFY={"USER_PHONE_FIELD": "phone", "STALE_PHONE_DAYS": 90}):
            self.ask()
            page = self.post("login/code/confirm", code=self.sms.code)
        assert "was not used here for a long time" in " ".join(shown(page))

    @override_settings(**RESENDS)
    def test_a_code_is_sent_again_and_not_too_soon(self) -> None:
        member()
        self.sms.limits(RESEND_INTERVAL=60)
        self.ask()
        page = self.post("login/code/confirm", action="resend")
        assert re.search("try again in (60|59|58|57) seconds", " ".join(shown(page)))

        self.sms.limits(RESEND_INTERVAL=0)
        self.post("login/code/confirm", action="resend")
        assert len(self.sms.outbox) == 2
        self.post("login/code/confirm", code=self.sms.code)
        assert self.who() == NATIONAL

    @override_settings(**RESENDS)
    def test_an_unknown_number_is_an_error_where_accounts_are_not_hidden(self) -> None:
        assert "The phone number is not assigned to any user account." in shown(self.ask())
        assert self.sms.outbox == []

    @override_settings(ACCOUNT_LOGIN_METHODS={"phone", "email"}, ACCOUNT_SIGNUP_FIELDS=["phone*", "email*"])
    def test_codes_by_mail_stay_those_of_allauth(self) -> None:
        from django.core import mail

        member(email="wang@example.com")
        self.post("login/code", email="nobody@example.com")
        unknown = self.post("login/code/confirm", code="123456")
        self.client = Client()
        self.post("login/code", email="wang@example.com")
        known = self.post("login/code/confirm", code="123456")
        assert shown(unknown) == shown(known)

        code = next(line for line in mail.outbox[-1].body.splitlines() if line.isupper() and "-" in line)
        self.post("login/code/confirm", code=code)
        assert (self.who(), self.sms.outbox) == (NATIONAL, [])

    def test_an_ajax_form_is_led_to_the_message(self) -> None:
        self.sms.limits(PHONE_LIMITS=("1/h",))
        member()
        self.sms.send(NATIONAL)
        ajax: Any = {"headers": {"X-Requested-With": "XMLHttpRequest"}}
        answer = self.client.post("/accounts/login/", {"login": NATIONAL}, **ajax)

        assert "Too many requests." in shown(self.client.get(answer.json()["location"]))[0]


class OwnNumber(Pages):
    def setUp(self) -> None:
        super().setUp()
        self.member = member()
        self.ask()
        self.post("login/code/confirm", code=self.sms.code)

    def test_a_member_changes_the_number(self) -> None:
        self.post("phone/change", phone=OTHER)
        assert (self.sms.last.phone, self.sms.last.purpose) == (OTHER, "verify")
        assert self.who() == NATIONAL

        self.post("phone/verify", code=self.sms.code)
        assert self.who() == OTHER.removeprefix("+86")

    def test_the_number_of_another_account_stays_theirs(self) -> None:
        Member.objects.create_user("other", phone=OTHER)
        self.post("phone/change", phone=OTHER)
        page = self.post("phone/verify", code=self.sms.code)

        assert "A user is already registered with this phone number." in shown(page)
        assert self.who() == NATIONAL

    def test_a_number_that_another_account_gets_at_the_same_moment_stays_theirs(self) -> None:
        self.post("phone/change", phone=OTHER)
        Member.objects.create_user("other", phone=OTHER)
        with mock.patch("allauth.account.forms.phone_already_exists", return_value=False):
            page = self.post("phone/verify", code=self.sms.code)

        assert "Several accounts have this number. Log in another way." in shown(page)
        assert self.who() == NATIONAL

    def test_a_session_remembers_a_few_codes_only(self) -> None:
        for last in range(MOST_CODES + 2):
            cache.clear()
            self.post("phone/change", phone=f"1390013900{last}")

        assert len(self.client.session[CODES]) == MOST_CODES
        self.post("phone/verify", code=self.sms.code)
        assert self.who() == f"1390013900{MOST_CODES + 1}"

    def test_a_member_who_may_get_no_sms_now_may_still_type_the_live_code(self) -> None:
        self.post("reauthenticate/code", recipient=PHONE)
        self.sms.limits(RESEND_INTERVAL=60)
        page = self.post("reauthenticate/code", recipient=PHONE)
        assert (page.redirect_chain[-1][0], len(self.sms.outbox)) == ("/accounts/reauthenticate/code/confirm/", 2)

        page = self.post("reauthenticate/code/confirm", code=self.sms.code)
        assert page.redirect_chain[-1][0] == "/who/"

    def test_reauthentication_by_a_code(self) -> None:
        self.post("reauthenticate/code", recipient=PHONE)
        assert (self.sms.last.phone, self.sms.last.purpose) == (PHONE, "login")
        page = self.post("reauthenticate/code/confirm", code=wrong(self.sms.code))
        assert "Wrong code. 4 attempts left." in shown(page)
        page = self.post("reauthenticate/code/confirm", code=self.sms.code)
        assert page.redirect_chain[-1][0] == "/who/"


class Headless(Journey):
    def setUp(self) -> None:
        super().setUp()
        self.headers: dict[str, str] = {}

    def call(self, path: str, **body: str) -> Any:
        answer = self.client.post(f"{APP}/{path}", body, content_type="application/json", headers=self.headers)
        if token := answer.json().get("meta", {}).get("session_token"):
            self.headers = {"X-Session-Token": token}
        return answer

    def pending(self, answer: Any) -> list[str]:
        return [flow["id"] for flow in answer.json()["data"]["flows"] if flow.get("is_pending")]

    def test_an_app_signs_up(self) -> None:
        assert self.pending(self.call("auth/signup", phone=NATIONAL)) == ["verify_phone"]
        mistake = self.call("auth/phone/verify", code=wrong(self.sms.code))
        assert mistake.status_code == 400
        assert mistake.json()["errors"] == [
            {"message": "Wrong code. 4 attempts left.", "code": "wrong_code", "param": "code"}
        ]
        answer = self.call("auth/phone/verify", code=self.sms.code)
        assert (answer.status_code, Member.objects.get().phone) == (200, NATIONAL)

    def test_an_app_logs_in_and_changes_the_number(self) -> None:
        member()
        assert self.pending(self.call("auth/code/request", phone=NATIONAL)) == ["login_by_code"]
        assert self.call("auth/code/confirm", code=wrong(self.sms.code)).status_code == 400
        assert self.call("auth/code/confirm", code=self.sms.code).status_code == 200

        assert self.call("auth/reauthenticate/code/request", phone=PHONE).status_code == 200
        assert self.call("auth/reauthenticate/code/confirm", code=self.sms.code).status_code == 200
        assert self.call("account/phone", phone=OTHER).status_code == 202
        assert self.call("auth/phone/verify", code=self.sms.code).status_code == 200
        assert Member.objects.get().phone == OTHER.removeprefix("+86")

    def test_a_refused_sms_is_told_with_its_wait(self) -> None:
        self.sms.limits(PHONE_LIMITS=("1/h",))
        for path_, purpose in (("auth/signup", "verify"), ("auth/code/request", "login")):
            self.sms.limits(PHONE_LIMITS=())
            self.sms.send(NATIONAL, purpose)
            self.sms.limits(PHONE_LIMITS=("1/h",))
            answer = self.call(path_, phone=NATIONAL)
            error = answer.json()["errors"][0]
            assert (answer.status_code, error["code"], error["param"]) == (429, "throttled", "phone")
            assert answer["Retry-After"] == str(error["retry_after"])
        assert not Member.objects.exists()

    def test_a_browser_gets_the_same(self) -> None:
        member()
        post: Any = {"content_type": "application/json"}
        answer: Any = self.client.post(f"{BROWSER}/auth/code/request", {"phone": NATIONAL}, **post)
        assert answer.status_code == 401
        answer = self.client.post(f"{BROWSER}/auth/code/confirm", {"code": self.sms.code}, **post)
        assert answer.status_code == 200
        assert self.client.get("/who/").content.decode() == NATIONAL


class Setup(Pages):
    def test_a_site_has_its_own_purposes(self) -> None:
        with override_settings(ACCOUNT_ADAPTER="members.adapter.MemberAdapter"):
            self.sign_up()
        assert self.sms.last.purpose == "login"

    def test_missing_forms_are_named(self) -> None:
        with (
            override_settings(ACCOUNT_FORMS={}),
            pytest.raises(ImproperlyConfigured, match="confirm_reauthentication_code, verify_phone"),
        ):
            self.sign_up()

    def test_the_column_of_the_user_name_is_refused(self) -> None:
        with override_settings(SMSVERIFY={}), pytest.raises(ImproperlyConfigured, match="another column"):
            self.ask()

    def test_a_unique_column_must_allow_null(self) -> None:
        with (
            override_settings(SMSVERIFY={}, ACCOUNT_USER_MODEL_USERNAME_FIELD=None),
            pytest.raises(ImproperlyConfigured, match="null=True"),
        ):
            self.ask()

    @override_settings(ROOT_URLCONF=__name__)
    def test_the_urls_of_allauth_themselves_would_send_within_a_transaction(self) -> None:
        from allauth.account import views

        atomic: Any = mock.patch.object(views.request_login_code, "_non_atomic_requests", set())
        with atomic, pytest.raises(InsideTransaction):
            self.ask()

    def test_a_login_that_comes_from_elsewhere_is_led_to_a_page(self) -> None:
        request: Any = RequestFactory().get("/accounts/elsewhere/callback/?code=1")
        request.allauth = SimpleNamespace()

        assert refusal(request, mock.Mock(), NoRoute())["Location"] == "/accounts/login/"

    def test_without_a_request_there_is_no_number_to_verify(self) -> None:
        from allauth.account.adapter import get_adapter

        theirs = member(None)
        get_adapter().set_phone(theirs, PHONE, False)
        assert get_adapter().get_phone(theirs) is None
        get_adapter().set_phone(theirs, PHONE, True)
        assert get_adapter().get_phone(theirs) == (PHONE, True)
        assert get_adapter().get_user_by_phone(NATIONAL) == theirs
        assert get_adapter().get_user_by_phone("wang") is None
