"""Sites unlike the suite's own: without users, with hostile defaults of REST framework, with other paths."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import include, path

from .conftest import PHONE, MakeProvider, last_code

ROOT = Path(__file__).parent.parent
JSON = "application/json"
seen: list[Any] = []


class Audit:
    """A site's middleware that reads the user after the response."""

    def __init__(self, answer: Callable[[HttpRequest], HttpResponse]) -> None:
        self.answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.answer(request)
        seen.append(getattr(request, "user", "no user"))
        return response


def members_only(request: Any, data: object) -> bool:
    """A site's captcha that accepts logged-in users."""
    return bool(request.user and request.user.is_authenticated)


urlpatterns = [path("<str:tenant>/<version>/<str:format>/sms/", include("django_smsverify.urls"))]


@cache
def answers(site: str) -> list[str]:
    """The output of `tests.other_site`: a line for each response."""
    python = os.pathsep.join([str(ROOT), str(ROOT / "example_project")])
    command = [sys.executable, "-W", "error", "-m", "tests.other_site", site]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": python}, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().splitlines()


@pytest.mark.slow
def test_the_plain_site_returns_every_kind_of_response() -> None:
    lines = answers("plain")

    assert lines[0] == (
        'POST send/?phone=api&format=api 400 {"detail":"请求有误。","code":"invalid",'
        '"errors":{"non_field_errors":["无效数据。期待为字典类型，得到的是 list 。"]}}'
    )
    assert {"redeemed 8000"} < set(lines)
    assert [line.split()[2] for line in lines if line[:4] != "rede"] == (
        ["400"] * 6 + ["415", "202", "429"] + ["405"] * 4 + ["200", "404", "400", "400", "200", "400"]
    )


@pytest.mark.slow
@pytest.mark.parametrize("site", ["hostile", "bare"])
def test_the_apps_and_settings_of_a_site_change_no_response(site: str) -> None:
    assert answers(site) == answers("plain")


def test_other_arguments_of_a_path_are_ignored(client: Client, memory: MakeProvider) -> None:
    """The version of URLPathVersioning, a suffix, a tenant."""
    memory()
    with override_settings(ROOT_URLCONF=__name__):
        sent = client.post("/acme/v2/json/sms/send/", {"phone": PHONE, "purpose": "login"}, JSON).json()
        status = client.get(f"/acme/v2/json/sms/send/{sent['verification_id']}/")
        body = {"verification_id": sent["verification_id"], "code": last_code()}
        verified = client.post("/acme/v2/json/sms/verify/", body, JSON)

    assert (status.json()["status"], verified.status_code) == ("accepted", 200)


@pytest.mark.parametrize("unauthenticated", [None, "tests.other_site.Hostile"])
def test_the_user_is_set_by_the_sites_middleware(
    unauthenticated: str | None, memory: MakeProvider, django_user_model: Any, settings: Any
) -> None:
    memory()
    settings.MIDDLEWARE = [f"{__name__}.Audit", *settings.MIDDLEWARE]
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "UNAUTHENTICATED_USER": unauthenticated}
    settings.SMSVERIFY = {"CAPTCHA": f"{__name__}.members_only"}
    member, visitor = Client(), Client()
    member.force_login(django_user_model.objects.create_user("member"))
    seen.clear()

    responses = [client.post("/sms/send/", {"phone": PHONE, "purpose": "login"}, JSON) for client in (visitor, member)]

    assert [response.status_code for response in responses] == [400, 202]
    assert [str(user) for user in seen] == [str(AnonymousUser()), "member"]
