"""The ready logins: a page, one call for apps, a backend; whoever has the number gets the account that has it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.test import Client, override_settings
from django.utils import timezone

from django_smsverify.contrib.accounts import PhoneProofBackend, login_backend
from django_smsverify.exceptions import NoAccount, ProofRejected, SeveralAccounts, StalePhone
from django_smsverify.models import Verification
from django_smsverify.verifying import proofs, redeem_proof

from .conftest import MakeProvider, Site, add_template, last_code

PHONE, NATIONAL = "+8613800138000", "13800138000"
OURS = f"{PhoneProofBackend.__module__}.{PhoneProofBackend.__name__}"
JSON = "application/json"

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.login_urls")]


def proof(purpose: str = "login") -> str:
    return proofs.issue(NATIONAL, purpose, source="test")


class OwnBackend(PhoneProofBackend):
    """As a site writes it."""

    def create_user(self, phone: str) -> Any:
        return User.objects.create_user(f"member of {phone[-4:]}", last_name=phone)


def test_a_page_shows_the_widget_and_logs_in_whoever_verified_a_number(client: Client) -> None:
    page = client.get("/login/").content.decode()
    assert '<sms-verify purpose="login" name="proof"' in page

    answer = client.post("/login/", {"proof": proof()})

    assert (answer.status_code, answer["Location"]) == (302, "/who/")
    assert client.get("/who/").content.decode() == NATIONAL
    assert not User.objects.get().has_usable_password()
    assert client.get("/login/")["Location"] == "/who/"


def test_who_was_sent_here_though_logged_in_sees_the_page(client: Client) -> None:
    """A page that refuses their account would else send them to and fro without end."""
    client.post("/login/", {"proof": proof()})

    assert client.get("/login/?next=/who/").status_code == 200


def test_the_browser_remembers_the_owner_where_the_site_says_so(client: Client) -> None:
    for path, remembers in (("/login/", False), ("/remember/", True)):
        page = client.get(path)
        by_our_template = page.content.decode().partition("<sms-verify")[2].partition(">")[0]
        by_one_of_the_site = str(page.context["form"]["proof"])
        assert [" remember" in element for element in (by_our_template, by_one_of_the_site)] == [remembers] * 2


@override_settings(SMSVERIFY={"USER_PHONE_FIELD": "last_name"})
def test_a_user_name_that_is_taken_keeps_nobody_out(client: Client) -> None:
    """It may be that of an account whose number has changed, or that somebody has chosen."""
    User.objects.create(username=NATIONAL, last_name="13900139000")

    for is_new in (True, False):
        user, created = login_backend()[0].enter(proof(), "login")
        assert (user.last_name, created) == (NATIONAL, is_new)
    assert user.username.startswith(f"{NATIONAL}-")


@pytest.mark.parametrize(
    ("given", "goes_to"),
    [("/orders/?page=2", "/orders/?page=2"), ("https://evil.example/", "/who/"), ("//x/", "/who/")],
)
def test_next_leads_to_a_page_of_this_site_alone(given: str, goes_to: str, client: Client) -> None:
    assert client.post("/login/", {"proof": proof(), "next": given})["Location"] == goes_to


def test_the_page_wants_a_csrf_token() -> None:
    assert Client(enforce_csrf_checks=True).post("/login/", {"proof": proof()}).status_code == 403


@pytest.mark.parametrize("bad", ["", "x", "\0", "proof of something else"])
def test_a_bad_proof_shows_the_page_again(bad: str, client: Client) -> None:
    answer = client.post("/login/", {"proof": proof("pay") if bad.startswith("proof") else bad})

    assert answer.status_code == 200
    assert 'role="alert"' in answer.content.decode()
    assert not User.objects.exists()


def test_a_proof_logs_in_once(client: Client) -> None:
    used = proof()
    client.post("/login/", {"proof": used})

    assert Client().post("/login/", {"proof": used}).status_code == 200


@pytest.mark.parametrize("form", ["national", "e164"])
@pytest.mark.parametrize("stored", [NATIONAL, PHONE])
def test_the_account_that_has_the_number_in_either_form_is_found(form: str, stored: str, client: Client) -> None:
    theirs = User.objects.create_user(stored)
    with override_settings(SMSVERIFY={"PHONE_FORM": form}):
        client.post("/login/", {"proof": proof()})

    assert client.session["_auth_user_id"] == str(theirs.pk)
    assert User.objects.count() == 1


@pytest.mark.parametrize(("form", "stored"), [("national", NATIONAL), ("e164", PHONE)])
def test_a_new_account_has_the_number_as_the_setting_says(form: str, stored: str, client: Client) -> None:
    with override_settings(SMSVERIFY={"PHONE_FORM": form, "USER_PHONE_FIELD": "last_name"}):
        client.post("/login/", {"proof": proof()})

    made = User.objects.get()
    assert (made.last_name, made.username) == (stored, stored)


def test_several_accounts_with_one_number_are_refused_and_the_proof_stays() -> None:
    for name in "ab":
        User.objects.create_user(name, last_name=NATIONAL)
    with override_settings(SMSVERIFY={"USER_PHONE_FIELD": "last_name"}):
        kept = proof()
        with pytest.raises(SeveralAccounts):
            PhoneProofBackend().enter(kept, "login")

    assert redeem_proof(kept, "login") == PHONE


def test_without_registering_an_unknown_number_is_refused_and_may_still_register(client: Client) -> None:
    kept = proof()
    assert "Register first" in client.post("/no-register/", {"proof": kept}).content.decode()
    with pytest.raises(NoAccount):
        PhoneProofBackend().enter(kept, "login", creates=False)

    assert client.post("/login/", {"proof": kept}).status_code == 302


def test_a_locked_account_is_refused(client: Client) -> None:
    User.objects.create_user(NATIONAL, is_active=False)
    kept = proof()

    assert "locked" in client.post("/login/", {"proof": kept}).content.decode()
    assert redeem_proof(kept, "login") == PHONE


def test_the_backend_authenticates_by_a_proof_and_leaves_passwords_to_others() -> None:
    theirs = User.objects.create_user(NATIONAL, password="hidden")
    with override_settings(AUTHENTICATION_BACKENDS=[OURS]):
        assert authenticate(None, proof=proof()) == theirs
        assert authenticate(None, proof="x") is None
        assert authenticate(None, username=NATIONAL, password="hidden") is None
        assert login_backend()[1] == OURS


def test_a_site_says_how_its_accounts_are_made(client: Client) -> None:
    own = f"{__name__}.{OwnBackend.__name__}"
    settings = {"USER_PHONE_FIELD": "last_name", "PHONE_FORM": "e164"}
    with override_settings(SMSVERIFY=settings, AUTHENTICATION_BACKENDS=[own]):
        client.post("/login/", {"proof": proof()})
        assert client.get("/who/").content.decode() == "member of 8000"
        assert Client().post("/login/", {"proof": proof()}).status_code == 302

    assert User.objects.count() == 1


def test_a_field_that_does_not_exist_is_named() -> None:
    with (
        override_settings(SMSVERIFY={"USER_PHONE_FIELD": "mobile"}),
        pytest.raises(ImproperlyConfigured, match="mobile"),
    ):
        PhoneProofBackend().find_user(PHONE)


def test_the_new_owner_of_a_number_does_not_walk_into_the_old_account(client: Client) -> None:
    User.objects.create_user(NATIONAL, date_joined=timezone.now() - timedelta(days=400))
    assert client.post("/login/", {"proof": proof()}).status_code == 302  # without the setting
    Verification.objects.all().delete()
    User.objects.update(date_joined=timezone.now() - timedelta(days=400))
    with override_settings(SMSVERIFY={"STALE_PHONE_DAYS": 90}):
        with pytest.raises(StalePhone):
            PhoneProofBackend().enter(proof(), "login")
        User.objects.update(date_joined=timezone.now() - timedelta(days=80))
        assert PhoneProofBackend().enter(proof(), "login")[1] is False


def send(site: Site) -> str:
    return str(site.send(phone=NATIONAL).json()["verification_id"])


class TestOneCall:
    """POST login/."""

    def enter(self, client: Client, verification: str, code: str, **more: Any) -> Any:
        body = {"verification_id": verification, "code": code}
        return client.post("/sms/login/", body, content_type=JSON, **more)

    def test_verifies_and_logs_in(self, memory: MakeProvider, site: Site, client: Client) -> None:
        memory()
        verification = send(site)

        answer = self.enter(client, verification, last_code())

        assert answer.json() == {"phone": "138****8000", "created": True, "device": answer.json()["device"]}
        assert client.get("/who/").content.decode() == NATIONAL
        assert self.enter(Client(), verification, last_code()).json()["code"] == "already_used"

    def test_may_be_repeated_when_its_answer_was_lost(self, memory: MakeProvider, site: Site, client: Client) -> None:
        memory()
        verification, key = send(site), {"headers": {"Idempotency-Key": "press-of-a-button"}}
        first = self.enter(Client(), verification, last_code(), **key)
        again = self.enter(client, verification, last_code(), **key)

        assert (first.json()["created"], again.json()["created"]) == (True, False)
        assert client.get("/who/").content.decode() == NATIONAL
        wrong = self.enter(Client(), verification, "000000", **key)
        assert (wrong.status_code, "sessionid" in wrong.cookies) == (400, False)

    def test_refuses_a_code_for_another_purpose(self, memory: MakeProvider, site: Site, client: Client) -> None:
        add_template(memory(), "pay", "您的验证码是{code}。", "9")
        verification = str(site.send(phone=NATIONAL, purpose="pay").json()["verification_id"])

        answer = self.enter(client, verification, last_code())

        assert (answer.status_code, answer.json()["code"]) == (400, "proof_rejected")
        assert not User.objects.exists()

    def test_says_why_an_account_may_not_log_in(self, memory: MakeProvider, site: Site, client: Client) -> None:
        memory()
        User.objects.create_user(NATIONAL, is_active=False)

        answer = self.enter(client, send(site), last_code())

        assert (answer.status_code, answer.json()["code"]) == (403, "account_inactive")

    @pytest.mark.parametrize("body", [b"[]", b"{", b'{"verification_id": 5, "code": 5}', b"\xff"])
    def test_refuses_what_it_cannot_read(self, body: bytes, client: Client) -> None:
        answer = client.post("/sms/login/", body, content_type=JSON)

        assert (answer.status_code, answer.json()["code"]) == (400, "invalid")

    def test_takes_nothing_that_a_form_of_another_site_can_post(self, client: Client) -> None:
        assert client.post("/sms/login/", {"code": "1"}).status_code == 415


def test_an_unused_proof_survives_a_rolled_back_login() -> None:
    kept = proof()

    class Failing(PhoneProofBackend):
        def create_user(self, phone: str) -> Any:
            raise RuntimeError(phone[-4:])

    with pytest.raises(RuntimeError):
        Failing().enter(kept, "login")
    assert PhoneProofBackend().enter(kept, "login")[1] is True
    with pytest.raises(ProofRejected):
        PhoneProofBackend().enter(kept, "login")
