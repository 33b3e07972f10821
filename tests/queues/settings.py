"""The settings of the worker processes; the test sets what they share by environment variables."""

from __future__ import annotations

import os

import django

from tests import settings as suite
from tests.settings import *  # noqa: F403

DATABASES = {"default": {**suite.DATABASES["default"], "NAME": os.environ["QUEUE_DATABASE"]}}
# No call times out while a test waits for the moment to kill its process.
SMSVERIFY = {"DISPATCH": os.environ["QUEUE_DISPATCH"], "TIMEOUT": (30, 60, 90)}

INSTALLED_APPS = [*suite.INSTALLED_APPS, "django_tasks_db"]
if django.VERSION < (6, 0):
    INSTALLED_APPS.append("django_tasks")
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
