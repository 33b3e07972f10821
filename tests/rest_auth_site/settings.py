"""A site with dj-rest-auth; the rest is in docs/adapters.rst."""

from __future__ import annotations

import sys
from types import ModuleType

from tests import services, settings

SECRET_KEY = settings.SECRET_KEY
USE_TZ = True
LANGUAGE_CODE = "en"
DEFAULT_AUTO_FIELD = settings.DEFAULT_AUTO_FIELD
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "rest_framework",
    "rest_framework.authtoken",
    "dj_rest_auth",
    "dj_rest_auth.mfa",
    "django_smsverify",
]
sys.modules.setdefault("pyotp", ModuleType("pyotp"))  # which judges second codes; no test enters one
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "django_smsverify.contrib.accounts.PhoneProofBackend",
]
ROOT_URLCONF = "tests.rest_auth_site.urls"
DATABASES = {"default": {**services.database(), "ATOMIC_REQUESTS": True}}
CACHES = {"default": services.cache("locmem")}
PASSWORD_HASHERS = settings.PASSWORD_HASHERS
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "dj_rest_auth.jwt_auth.JWTCookieAuthentication",
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ]
}
