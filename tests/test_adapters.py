"""The adapters as their page describes them, each in a project of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from .conftest import MEASURED
from .test_docs import ROOT, snippet

pytestmark = pytest.mark.adapters


def require(package: str) -> None:
    """Skips a test of an adapter to a package that is not installed; with REQUIRE_ADAPTERS=1 it fails."""
    if find_spec(package) is None:
        why = f"{package} is not installed: pip install --group adapters"
        pytest.fail(why) if os.environ.get("REQUIRE_ADAPTERS") == "1" else pytest.skip(why)


def write(folder: Path, **files: str) -> None:
    folder.mkdir()
    (folder / "__init__.py").touch()
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)


def run_journeys(tmp_path: Path, site: str) -> None:
    """Runs what people do on a site, with `members` in `tmp_path` beside it; warnings are errors."""
    python = os.pathsep.join([str(tmp_path), str(ROOT)])
    environment = {**os.environ, **MEASURED, "PYTHONPATH": python, "DJANGO_SETTINGS_MODULE": "members.settings"}
    command = [sys.executable, "-W", "error", "-m", "django", "test", "-p", "journeys.py", f"tests.{site}"]
    # In the root, where coverage looks for what was measured.
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def of_site(site: str, more: str = "") -> str:
    return f"from tests.{site}.settings import *\n{more}"


@pytest.mark.django_db
def test_django_allauth(tmp_path: Path) -> None:
    require("allauth")
    write(
        tmp_path / "members",
        models=snippet("adapters", "class Member(AbstractUser)"),
        settings=of_site("allauth_site", snippet("adapters", "ACCOUNT_ADAPTER =")),
        urls=snippet("adapters", "contrib.allauth.urls"),
        adapter=snippet("adapters", "class MemberAdapter"),
    )
    run_journeys(tmp_path, "allauth_site")


@pytest.mark.django_db
def test_simplejwt(tmp_path: Path) -> None:
    require("rest_framework_simplejwt")
    write(tmp_path / "members", settings=of_site("jwt_site"), urls=snippet("adapters", "PhoneJWTEndpoint.as_view()"))
    run_journeys(tmp_path, "jwt_site")


@pytest.mark.django_db
def test_dj_rest_auth(tmp_path: Path) -> None:
    require("dj_rest_auth")
    urls = snippet("adapters", "PhoneRestAuthEndpoint.as_view()")
    write(tmp_path / "members", settings=of_site("rest_auth_site"), urls=urls)
    run_journeys(tmp_path, "rest_auth_site")


@pytest.mark.django_db
def test_django_otp(tmp_path: Path) -> None:
    require("django_otp")
    write(
        tmp_path / "members",
        settings=of_site("otp_site", snippet("adapters", '"django_smsverify.contrib.otp"]')),
        urls=snippet("adapters", "SMSAuthenticationForm)"),
        phones=snippet("adapters", "def add_phone"),
    )
    run_journeys(tmp_path, "otp_site")
