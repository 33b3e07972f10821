"""Settings of the demo; its files are in `example_project/var` or in DEMO_VAR."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from django.core.management.utils import get_random_secret_key

from django_smsverify import __version__

VAR = Path(os.environ.get("DEMO_VAR") or Path(__file__).resolve().parent.parent / "var")
VAR.mkdir(parents=True, exist_ok=True)


def stored_secret(path: Path) -> str:
    """The secret in a file, created at the first start: the stored credentials are encrypted with it."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(get_random_secret_key())
    return path.read_text()


SECRET_KEY = stored_secret(VAR / "secret_key")
DEBUG = True
ALLOWED_HOSTS = ["*"]

INSTALLED_APPS = [
    "demo",  # first: its words are used where an app below has the same in another sense
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_smsverify",
]
if find_spec("drf_spectacular_sidecar"):  # with the files of Swagger UI, which a browser would else load from elsewhere
    INSTALLED_APPS += ["drf_spectacular", "drf_spectacular_sidecar"]
    REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}
    SPECTACULAR_SETTINGS = {
        "TITLE": "django-smsverify",
        "VERSION": __version__,
        "SERVE_INCLUDE_SCHEMA": False,
        "SWAGGER_UI_DIST": "SIDECAR",
        "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    }

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "demo.User"
AUTH_PASSWORD_VALIDATORS = [{"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"}]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "account"
LOGOUT_REDIRECT_URL = "login"

SMSVERIFY = {
    "USER_PHONE_FIELD": "phone",
    # In a demo, one person sends many SMS to one number from one address.
    "RESEND_INTERVAL": 10,
    "PHONE_LIMITS": ("120/h", "600/d"),
    "IP_LIMITS": ("600/h",),
    "PREFIX_LIMITS": ("600/h",),
    "GUESS_LIMIT": "600/d",
    "TRUSTED_PROXIES": 0,
}

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "demo.policy.content_security_policy",
]
ROOT_URLCONF = "demo.urls"
WSGI_APPLICATION = "demo.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "demo.around.around_the_scene",
            ]
        },
    }
]
STATIC_URL = "static/"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": VAR / "site.sqlite3",
        # A transaction that reads before it writes would else fail as soon as another one writes meanwhile.
        "OPTIONS": {"timeout": 30, "transaction_mode": "IMMEDIATE"},
    }
}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        # With the default of 300, counters of limits would be evicted.
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
TIME_ZONE = "Asia/Shanghai"

# The page shows all events; the terminal shows the login, and after that only errors of the code.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "traceback": {"()": "django.utils.log.CallbackFilter", "callback": lambda record: bool(record.exc_info)}
    },
    "loggers": {
        "django.request": {"filters": ["traceback"]},
        "django.server": {"level": "CRITICAL"},
        "django_smsverify": {"level": "ERROR"},
    },
}
