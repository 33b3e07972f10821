"""Starting a site loads no library that only a send, an encrypted value or a foreign number needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = ("cryptography", "phonenumbers", "requests", "urllib3")
FIRST_USES = """
import sys
sys.modules["drf_spectacular"] = None  # it would load REST framework, and that requests
from threading import Barrier, Thread
import django
from django.conf import settings
settings.configure(
    SECRET_KEY="the-secret-key-of-a-test-0123456789-0123456789", INSTALLED_APPS=["django_smsverify"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    SMSVERIFY={"REGIONS": ["CN", "GB"]},
)
django.setup()
from django_smsverify.models import Provider
from django_smsverify.models.fields import decrypt, encrypt
from django_smsverify.phones import parse

def use():
    together.wait()
    account = {"account": "a", "api_key": "k"}
    Provider(name="a", slug="a", gateway="ihuyi", base_url="https://www.example.com").clean()
    Provider(gateway="ihuyi", credentials=decrypt(encrypt(account))).gateway_client()
    assert parse("+447400123456") == "+447400123456"
    done.append(1)

assert sys.modules.keys().isdisjoint([*{names}, "xml.etree.ElementTree"])
done, together = [], Barrier(16)
threads = [Thread(target=use) for _ in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(done) == 16
assert sys.modules.keys() >= set({names})
""".replace("{names}", repr(HEAVY))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
def test_setup_and_urls_import_nothing_heavy() -> None:
    """Imports are made to fail: REST framework, too, imports requests where that is installed."""
    site = ("-m", "benchmarks.started", "ours")

    done = run(*site, *HEAVY)

    assert done.returncode == 0, done.stderr
    assert "django_ratelimit" in run(*site, "django_ratelimit").stderr  # an import that is needed does fail


@pytest.mark.slow
def test_sixteen_threads_may_be_the_first_to_need_them() -> None:
    done = run("-W", "error", "-c", FIRST_USES)

    assert done.returncode == 0, done.stderr
