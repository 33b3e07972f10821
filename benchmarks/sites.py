"""Django's settings of a measured site, its database, and calls of it without sockets."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from io import BytesIO
from typing import Any, Self

import django
from django.conf import settings

from tests import services

from .subjects import Call, Subject, subject

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
"""As `startproject` writes it."""
APPS = ["auth", "contenttypes", "sessions", "messages"]


@dataclass(frozen=True)
class Place:
    """What a site runs on; the addresses as in tests/services.py."""

    subject: str
    database: str
    cache: str
    vendor: str
    run: str
    """The name of the run, part of the names of databases and keys: runs may overlap."""

    def arguments(self) -> list[str]:
        return [f"--{name}={value}" for name, value in asdict(self).items()]

    @classmethod
    def add_arguments(cls, parser: ArgumentParser) -> None:
        for field in fields(cls):
            parser.add_argument(f"--{field.name}", required=True)

    @classmethod
    def of(cls, given: Namespace) -> Self:
        """The place that these arguments name."""
        return cls(**{field.name: getattr(given, field.name) for field in fields(cls)})


def configure(place: Place) -> Subject:
    """Sets up Django for a site."""
    site = subject(place.subject)
    own = site.settings(place.vendor)
    settings.configure(
        SECRET_KEY="the-secret-key-of-a-measured-site-0123456789",  # noqa: S106 - of no site
        ALLOWED_HOSTS=["*"],
        INSTALLED_APPS=[*(f"django.contrib.{name}" for name in APPS), *site.apps],
        MIDDLEWARE=MIDDLEWARE + own.pop("MIDDLEWARE", []),
        ROOT_URLCONF=site.urls,
        USE_TZ=True,
        TIME_ZONE="Asia/Shanghai",
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        DATABASES={"default": database(place)},
        CACHES={"default": {**services.cache(place.cache), "KEY_PREFIX": f"{place.subject}-{place.run}"}},
        **own,
    )
    django.setup()
    return site


def database(place: Place) -> dict[str, Any]:
    """The settings of the database; connections stay open between requests."""
    name = f"smsverify_bench_{place.subject}_{place.run}".replace("-", "_")
    found = services.database(place.database)
    if place.database == "sqlite":
        name = os.path.join(os.path.dirname(found["NAME"]), f"{name}.sqlite3")
    return {**found, "NAME": name, "TEST": {**found["TEST"], "NAME": name}, "CONN_MAX_AGE": None}


def install(site: Subject, vendor: str) -> None:
    """Creates the site's database."""
    from django.db import connection

    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    site.install(vendor)


def drop() -> None:
    """Drops the site's database."""
    from django.db import connection

    connection.creation.destroy_test_db(connection.settings_dict["NAME"], verbosity=0)


class Application:
    """Calls the site as a WSGI server does, without a socket."""

    def __init__(self) -> None:
        from django.core.wsgi import get_wsgi_application

        self._application: Callable[..., Any] = get_wsgi_application()

    def make(self, call: Call) -> tuple[int, bytes]:
        return self.respond(environ(call))

    def respond(self, environ: dict[str, Any]) -> tuple[int, bytes]:
        statuses: list[str] = []
        response = self._application(environ, lambda status, headers: statuses.append(status))
        body = b"".join(response)
        response.close()
        return int(statuses[0][:3]), body


def environ(call: Call) -> dict[str, Any]:
    """What a WSGI server makes of a request."""
    headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in call.headers}
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": call.path,
        "QUERY_STRING": "",
        "CONTENT_TYPE": call.content_type,
        "CONTENT_LENGTH": str(len(call.body)),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": call.address,
        "HTTP_HOST": "www.example.com",
        "HTTP_USER_AGENT": "Mozilla/5.0",
        "HTTP_ACCEPT": "application/json",
        **headers,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(call.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
