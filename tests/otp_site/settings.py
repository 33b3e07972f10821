"""A site with django-otp; the rest is in docs/adapters.rst."""

from __future__ import annotations

from typing import Any

from tests import services, settings

SECRET_KEY = settings.SECRET_KEY
USE_TZ = True
LANGUAGE_CODE = "en"
DEFAULT_AUTO_FIELD = settings.DEFAULT_AUTO_FIELD
STATIC_URL = "static/"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "rest_framework",
    "django_otp",
    "django_otp.plugins.otp_static",
    "django_smsverify",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_otp.middleware.OTPMiddleware",
]
PAGES = {"registration/login.html": "{{ form }}"}
LOADERS = ["django.template.loaders.app_directories.Loader", ("django.template.loaders.locmem.Loader", PAGES)]
DJANGO: dict[str, Any] = dict(settings.TEMPLATES[0])
TEMPLATES = [{**DJANGO, "APP_DIRS": False, "OPTIONS": {**DJANGO["OPTIONS"], "loaders": LOADERS}}]
ROOT_URLCONF = "tests.otp_site.urls"
DATABASES = {"default": {**services.database(), "ATOMIC_REQUESTS": True}}
CACHES = {"default": services.cache("locmem")}
PASSWORD_HASHERS = settings.PASSWORD_HASHERS
LOGIN_REDIRECT_URL = "/safe/"
