"""Installs a built package into an empty environment, and sends and verifies a code there; `make package` runs it."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

SITE = """
from __future__ import annotations

import sys
from importlib.metadata import entry_points

import django
from django.conf import settings
from django.core.management import call_command
from django.urls import include, path

settings.configure(
    SECRET_KEY="a key for a minute",
    ALLOWED_HOSTS=["testserver"],
    INSTALLED_APPS=[
        "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.messages", "django.contrib.sessions",
        "django.contrib.admin", "django.contrib.staticfiles", "rest_framework", "django_smsverify",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[{
        "BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
        "OPTIONS": {"context_processors": [
            "django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
            "django.contrib.messages.context_processors.messages",
        ]},
    }],
    ROOT_URLCONF=__name__,
    STATIC_URL="static/",
    LANGUAGE_CODE="zh-hans",
    USE_TZ=True,
)
django.setup()
from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.template import engines
from django.test import Client

import django_smsverify
from django_smsverify import verify_code
from django_smsverify.models import Provider, Template

urlpatterns = [path("sms/", include("django_smsverify.urls")), path("admin/", admin.site.urls)]
call_command("check", fail_level="ERROR")
call_command("migrate", verbosity=0)
call_command("makemigrations", "--check", "--dry-run", verbosity=0)
provider = Provider.objects.create(name="memory", slug="memory", gateway="memory")
Template.objects.create(provider=provider, purpose="login", content="您的验证码是{code}。", status="approved")
sent = Client().post("/sms/send/", {"phone": "13800138000", "purpose": "login"}, content_type="application/json")
assert sent.status_code == 202, sent.content
from django_smsverify.gateways.local import MemoryGateway

code = "".join(filter(str.isdigit, MemoryGateway.outbox[0].text))
answer = {"verification_id": sent.json()["verification_id"], "code": code}
verified = Client().post("/sms/verify/", answer, content_type="application/json")
assert verified.status_code == 200, verified.content
staff = Client()
staff.force_login(User.objects.create_superuser("admin"))
page = staff.get("/admin/smsverify/provider/").content.decode()
assert "服务商" in page, "the translation is missing"
plugins = [found.value for found in entry_points(group="pytest11") if found.name == "smsverify"]
assert plugins == ["django_smsverify.testing.pytest_plugin"], plugins
element = engines["django"].from_string('{% load smsverify %}{% sms_verify purpose="login" %}').render()
assert '<sms-verify purpose="login"' in element, element
missing = [name for name in ("smsverify.js", "smsverify.d.ts", "altcha.js") if not finders.find(f"smsverify/{name}")]
assert not missing, missing
print(django_smsverify.__version__, "works")
"""


def run(*command: str | Path, cwd: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=cwd).stdout


def main() -> None:
    package = Path(sys.argv[1]).resolve()
    with TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package, cwd=folder)
        site = Path(folder) / "site_of_a_minute.py"
        site.write_text(SITE, "utf-8")
        print(package.name, run(python, "-W", "error", site, cwd=folder).strip())


if __name__ == "__main__":
    main()
