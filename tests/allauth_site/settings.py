"""What every site has; the rest is in docs/adapters.rst."""

from __future__ import annotations

from tests import services, settings

SECRET_KEY = settings.SECRET_KEY
USE_TZ = True
LANGUAGE_CODE = "en"
ROOT_URLCONF = "tests.allauth_site.urls"
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = settings.DEFAULT_AUTO_FIELD
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "rest_framework",
    "allauth",
    "allauth.account",
    "allauth.headless",
    "django_smsverify",
    "members",
]
MIDDLEWARE = [*settings.MIDDLEWARE, "allauth.account.middleware.AccountMiddleware"]
TEMPLATES = settings.TEMPLATES
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
DATABASES = {"default": {**services.database(), "ATOMIC_REQUESTS": True}}
CACHES = {"default": services.cache("locmem")}
PASSWORD_HASHERS = settings.PASSWORD_HASHERS
# The app of the page has no migrations, so what its tables refer to must have none.
MIGRATION_MODULES = {"account": None, "auth": None, "contenttypes": None}
HEADLESS_ENABLED = True
LOGIN_REDIRECT_URL = "/who/"
