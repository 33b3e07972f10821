"""The files of a small site whose own tests use the kit, and of a project that is none."""

from __future__ import annotations

TINY_SITE = {
    "tiny_settings.py": """
SECRET_KEY = "the-secret-key-of-a-test-0123456789-0123456789"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "django_smsverify"]
ROOT_URLCONF = "tiny_urls"
USE_TZ = True
SMSVERIFY = {"DISPATCH": "celery", "CAPTCHA": "altcha", "CAPTCHA_WHEN": "always", "IP_LIMITS": ["1/d"]}
""",
    "tiny_urls.py": """
from django.urls import include, path

urlpatterns = [path("sms/", include("django_smsverify.urls"))]
""",
    "test_tiny.py": """
import pytest
from django.core.cache import cache
from django.test import TestCase, TransactionTestCase
from django_smsverify.models import Provider, Verification
from django_smsverify.testing import SMSTestMixin
from django_smsverify.verifying import redeem_proof


def log_in(client, sms):
    assert not sms.outbox and not Provider.objects.exists() and not Verification.objects.exists()
    cache.set("own", "kept")
    sms.limits(IP_LIMITS=["1/d"], PHONE_LIMITS=["1/d"])
    asked = {"phone": "13800138000", "purpose": "login"}
    sent = client.post("/sms/send/", asked, content_type="application/json")
    assert sent.status_code == 202, sent.content
    assert client.post("/sms/send/", asked, content_type="application/json").status_code == 429
    answer = {"verification_id": sent.json()["verification_id"], "code": sms.code}
    verified = client.post("/sms/verify/", answer, content_type="application/json")
    assert redeem_proof(verified.json()["proof"], "login") == sms.last.phone == "+8613800138000"
    assert cache.get("own") == "kept"


class Both(SMSTestMixin):
    def test_once(self):
        log_in(self.client, self.sms)

    def test_twice(self):
        log_in(self.client, self.sms)


class InTestCase(Both, TestCase):
    pass


class InTransactionTestCase(Both, TransactionTestCase):
    pass


@pytest.mark.parametrize("times", [1, 2])
def test_a_function(client, sms, times):
    log_in(client, sms)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.django_db(transaction=True)
def test_a_function_with_transactions(client, sms, times):
    log_in(client, sms)
""",
    "test_tiny_settings.py": """
import pytest
from django_smsverify.conf import conf
from django_smsverify.exceptions import Throttled


def wait_for_a_second_one(sms, settings):
    sms.send("13800138000")
    settings.SMSVERIFY = {**settings.SMSVERIFY, "RESEND_INTERVAL": 90}
    with pytest.raises(Throttled):
        sms.send("13800138000")


def test_settings_end_last(settings, sms):
    wait_for_a_second_one(sms, settings)


def test_settings_end_first(sms, settings):
    wait_for_a_second_one(sms, settings)


def test_then_they_are_those_of_the_site(db):
    assert (conf.DISPATCH, conf.CAPTCHA, conf.RESEND_INTERVAL) == ("celery", "altcha", 60)
""",
}
WITHOUT_DJANGO = """
import sys


def test_nothing_is_imported_for_those_who_do_not_use_it(request):
    assert request.config.pluginmanager.has_plugin("django_smsverify.testing.pytest_plugin")
    assert "django" not in sys.modules
"""
