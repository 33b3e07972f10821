"""System checks of what the package uses outside of its settings: the live cache, connections and the clock."""

from __future__ import annotations

import time
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections, router

from django_smsverify.diagnosis import surroundings
from django_smsverify.models import Message

from .findings import as_checks

DAY = 24 * 60 * 60
ASGI_SERVERS = ("daphne", "hypercorn", "uvicorn")


@register(Tags.caches, deploy=True)
def check_live_cache(**kwargs: Any) -> list[CheckMessage]:
    """The cache of the limits counts correctly now; it may be out of reach of the machine that runs the check."""
    return as_checks(lambda: [surroundings.failing_cache()], wrong="smsverify.E010", unknown="smsverify.W006")


@register(Tags.database, deploy=True)
def check_persistent_connections(**kwargs: Any) -> list[CheckMessage]:
    """No database connection stays open after a request if no other request can use it."""
    served_by = _why_asgi()
    if not served_by:
        return []
    aliases = {router.db_for_read(Message), router.db_for_write(Message)}
    ages = {alias: connections.settings[alias]["CONN_MAX_AGE"] for alias in sorted(aliases)}
    return [
        checks.Warning(
            f'DATABASES["{alias}"]["CONN_MAX_AGE"] is {age}, and {served_by}: under ASGI each request has a thread of '
            "its own, and leaves a connection behind that no other request uses.",
            hint='Set CONN_MAX_AGE = 0; with PostgreSQL, OPTIONS = {"pool": True} saves the time of connecting. '
            "Silence this where the site is served by WSGI alone.",
            id="smsverify.W007",
        )
        for alias, age in ages.items()
        if age != 0
    ]


def _why_asgi() -> str:
    """Why the site seems to be served by ASGI; empty if it does not."""
    if getattr(settings, "ASGI_APPLICATION", None):
        return "ASGI_APPLICATION is set"
    installed = [name for name in ASGI_SERVERS if find_spec(name)]
    return f"{installed[0]} is installed" if installed else ""


@register(Tags.compatibility)
def check_clock(**kwargs: Any) -> list[CheckMessage]:
    """The site's time does not jump: limits and lifetimes of codes are differences of stored times."""
    if settings.USE_TZ:
        return []
    now = time.time()
    # Such a site stores datetime.now(), which uses these offsets.
    offsets = {time.localtime(now + day * DAY).tm_gmtoff for day in range(-366, 2 * 366)}
    if len(offsets) == 1:
        return []
    return [
        Error(
            f"USE_TZ is False, and the clocks of {settings.TIME_ZONE or 'this machine'} are put forward and back: "
            "codes would live an hour longer, and limits would let SMS through an hour early.",
            hint='Set USE_TZ = True, or a TIME_ZONE without daylight saving time, such as "Asia/Shanghai".',
            id="smsverify.E011",
        )
    ]
