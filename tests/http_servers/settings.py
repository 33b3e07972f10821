"""The example project as the servers of these tests run it: behind one proxy, without a pause between two SMS."""

from __future__ import annotations

from demo.settings import *  # noqa: F403

DEBUG = False
ROOT_URLCONF = "tests.http_servers.urls"
LANGUAGE_CODE = "en"
SMSVERIFY = {"RESEND_INTERVAL": 0, "IP_LIMITS": ("3/h",), "TRUSTED_PROXIES": 1}
# A server's log shows every refusal, and every error with its traceback.
LOGGING = {}
