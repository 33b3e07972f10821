"""A site with djangorestframework-simplejwt; the rest is in docs/adapters.rst."""

from __future__ import annotations

from tests import services, settings

SECRET_KEY = settings.SECRET_KEY
USE_TZ = True
LANGUAGE_CODE = "en"
DEFAULT_AUTO_FIELD = settings.DEFAULT_AUTO_FIELD
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "django_smsverify"]
ROOT_URLCONF = "tests.jwt_site.urls"
DATABASES = {"default": {**services.database(), "ATOMIC_REQUESTS": True}}
CACHES = {"default": services.cache("locmem")}
PASSWORD_HASHERS = settings.PASSWORD_HASHERS
REST_FRAMEWORK = {"DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"]}
