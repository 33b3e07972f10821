"""A site as `startproject` writes it, with one view of DRF: what starting it takes, as one line of JSON.

`benchmarks.startup` runs it, with `ours` for the same site with this app, and with names of modules that it blocks.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    _, apps, *blocked = sys.argv
    for name in blocked:
        sys.modules[name] = None  # type: ignore[assignment] # an import fails, as where the library is not installed

import json
import resource
import time
from types import ModuleType
from typing import Any

import django
from django.conf import settings
from django.urls import URLResolver, get_resolver, include, path

CONTRIB = ("admin", "auth", "contenttypes", "sessions", "messages", "staticfiles")
URLS = "benchmarks.started_urls"
TEMPLATES = {
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
}


def start(own: list[str]) -> None:
    """Sets Django up and loads all URLs, as the first request does."""
    settings.configure(
        SECRET_KEY="the-secret-key-of-a-measured-site-0123456789",  # noqa: S106 - of no site
        INSTALLED_APPS=[*(f"django.contrib.{name}" for name in CONTRIB), "rest_framework", *own],
        ROOT_URLCONF=URLS,
        TEMPLATES=[TEMPLATES],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    )
    django.setup()
    from django.contrib import admin
    from rest_framework.views import APIView

    urls: Any = ModuleType(URLS)
    sys.modules[URLS] = urls
    urls.urlpatterns = [path("admin/", admin.site.urls), path("own/", APIView.as_view())]
    urls.urlpatterns += [path("sms/", include(f"{name}.urls")) for name in own]
    load(get_resolver())


def load(resolver: URLResolver) -> None:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            load(pattern)


if __name__ == "__main__":
    start(["django_smsverify"] if apps == "ours" else [])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"cpu_ms": time.process_time() * 1000, "peak_mb": peak / 1024}))
