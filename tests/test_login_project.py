"""The ready logins as their page describes them: in a project as `startproject` makes it, and in its snippets."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.test import Client, RequestFactory, override_settings
from rest_framework.test import APIRequestFactory, force_authenticate

from django_smsverify.contrib.accounts import PhoneProofBackend, login_backend
from django_smsverify.verifying import proofs

from .test_docs import CHINESE, PAGES, blocks, run, snippet

MOST_LINES = 15
JOURNEY = """
import re, django
from io import StringIO
from contextlib import redirect_stdout

django.setup()
from django.core.management import call_command
from django.test import Client

call_command("migrate", verbosity=0)
with redirect_stdout(StringIO()):
    call_command("smsverify_setup", "console", purpose="login")
visitor, post = Client(), {"content_type": "application/json"}
page = visitor.get("/login/", headers={"accept-language": "zh-hans"}).content.decode()
assert '<sms-verify purpose="login"' in page and "手机号登录" in page, page
with redirect_stdout(StringIO()) as terminal:
    sent = visitor.post("/sms/send/", {"phone": "13800138000", "purpose": "login"}, **post).json()
(code,) = re.findall(r"(?<![0-9])[0-9]{6}(?![0-9])", terminal.getvalue())
proof = visitor.post("/sms/verify/", {"verification_id": sent["verification_id"], "code": code}, **post).json()["proof"]
answer = visitor.post("/login/?next=/admin/", {"proof": proof})
assert (answer.status_code, answer["Location"]) == (302, "/admin/"), answer
from django.contrib.auth.models import User
print(User.objects.get(pk=visitor.session["_auth_user_id"]).username, "is logged in")
"""


@pytest.mark.slow
def test_a_plain_project_logs_in_with_few_lines(tmp_path: Path) -> None:
    run(tmp_path, "-m", "django", "startproject", "mysite", ".", module="")
    added = {"settings": snippet("tutorial", "INSTALLED_APPS +="), "urls": snippet("logins", 'name="login")')}
    for name, text in added.items():
        with (tmp_path / "mysite" / f"{name}.py").open("a") as file:
            file.write(f"\n{text}")
    with (tmp_path / "mysite" / "settings.py").open("a") as file:
        file.write('\nALLOWED_HOSTS = ["testserver"]\n')  # what `runserver` needs no line for
    (tmp_path / "journey.py").write_text(JOURNEY)

    assert "13800138000 is logged in" in run(tmp_path, "journey.py")

    lines = [line for text in added.values() for line in text.splitlines() if line.strip()]
    assert len([line for line in lines if not line.strip().startswith("#")]) <= MOST_LINES


def test_both_languages_have_the_same_snippets() -> None:
    assert blocks(PAGES["logins"], "python", "json") == blocks(CHINESE["logins"], "python", "json")


@pytest.mark.django_db
def test_a_backend_of_the_site(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("members.auth")
    exec(snippet("logins", "class MemberBackend"), vars(module))
    named: dict[str, Any] = {}
    exec(snippet("logins", "AUTHENTICATION_BACKENDS"), named)
    monkeypatch.setitem(__import__("sys").modules, "members", ModuleType("members"))
    monkeypatch.setitem(__import__("sys").modules, "members.auth", module)
    module.MemberBackend.__module__ = "members.auth"
    own = {"USER_PHONE_FIELD": "last_name", "STALE_PHONE_DAYS": 90}

    with override_settings(SMSVERIFY=own, AUTHENTICATION_BACKENDS=named["AUTHENTICATION_BACKENDS"]):
        backend, path = login_backend()
        for is_new in (True, False):
            assert backend.enter(proofs.issue("13800138000", "login", source="test"), "login")[1] is is_new

    assert (path, isinstance(backend, PhoneProofBackend)) == ("members.auth.MemberBackend", True)


def test_the_call_for_apps_is_there() -> None:
    found: dict[str, Any] = {}
    exec("from django.urls import include, path\nadded = " + snippet("logins", "contrib.urls"), found)

    assert found["added"].resolve("sms/login/").view_name == "smsverify_login:login"


def test_tokens_of_the_site(rf: RequestFactory) -> None:
    found: dict[str, Any] = {"make_token": lambda user: f"of {user}"}
    exec(snippet("logins", "class OwnTokenEndpoint"), found)

    assert found["OwnTokenEndpoint"]().grant(HttpRequest(), "somebody") == {"access": "of somebody"}


@pytest.mark.django_db
@pytest.mark.parametrize("words", ["class OrderForm", "class OrderSerializer"])
def test_forms_and_serializers(words: str) -> None:
    found: dict[str, Any] = {}
    if words == "class OrderForm":
        exec(snippet("logins", "class OrderForm"), found)
        form = found["OrderForm"]({"mobile": proofs.issue("13800138000", "order", source="test"), "address": "x"})
        assert (form.is_valid(), form.cleaned_data["mobile"]) == (True, "13800138000")
    else:
        exec(snippet("logins", "class OrderSerializer"), found)
        data = {"mobile": proofs.issue("13800138000", "order", source="test"), "address": "x"}
        serializer = found["OrderSerializer"](data=data)
        assert (serializer.is_valid(), serializer.validated_data["mobile"]) == (True, "13800138000")


@pytest.mark.django_db
def test_the_permission() -> None:
    found: dict[str, Any] = {}
    exec(snippet("logins", "class PayView"), found)
    proof = proofs.issue("13800138000", "pay", source="test", context={"amount": 10})
    request = APIRequestFactory().post("/pay/", {"amount": 10}, format="json", headers={"Phone-Proof": proof})
    force_authenticate(request, AnonymousUser())

    assert found["PayView"].as_view()(request).data == {"paid_by": "8000"}


def test_the_page_names_every_refusal() -> None:
    from .described import described_refusals  # here: it imports the described views

    views = {view.__name__: refused for view, refused in described_refusals().items()}
    own = {code for _status, code in views["PhoneLoginEndpoint"] - views["VerifyView"]}

    assert {word for word in own if f"``{word}``" not in PAGES["logins"]} == set()
    assert {word for word in own if f"``{word}``" not in CHINESE["logins"]} == set()
