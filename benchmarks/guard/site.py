"""The settings of the simulated site."""

from __future__ import annotations

import logging

import django
from django.conf import settings
from django.core.management import call_command


def set_up() -> None:
    """A site in memory."""
    local_memory = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 10**6}}
    settings.configure(
        SECRET_KEY="benchmarks",  # noqa: S106 - of nothing
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework", "django_smsverify"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        CACHES={"default": local_memory},
        ROOT_URLCONF="benchmarks.guard.urls",
        ALLOWED_HOSTS=["testserver"],
        USE_TZ=True,
        TIME_ZONE="Asia/Shanghai",
    )
    django.setup()
    logging.disable()
    call_command("migrate", verbosity=0)
