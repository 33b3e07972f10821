"""A site with the admin that Django brings."""

from __future__ import annotations

import os

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES as OF_THE_SUITE

DATABASES = {"default": {**OF_THE_SUITE["default"], "NAME": os.environ.get("ADMIN_SITE", ":memory:")}}
ROOT_URLCONF = "tests.admin_browser.sites.of_django"
LOGGING = {"version": 1, "loggers": {"django_smsverify": {"level": "CRITICAL"}}}
"""Only errors of the site are logged, which the tests show; not what an operator does, or a vendor that fails."""
SMSVERIFY = {"SITE_URL": "https://www.example.com", "BUDGET": {"day": 50}, "ALLOW_TEST_NUMBERS": True}
