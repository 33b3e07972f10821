"""System checks of what the package uses outside of its settings: the live cache, connections and the clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core import checks
from django.core.cache import BaseCache, InvalidCacheBackendError, caches
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections, router

from django_smsverify.limits.cache import CALLED_DIRECTLY, cache_alias, call_cache
from django_smsverify.models import Message

TRIAL_SECONDS = 60
"""How long a trial's key stays in the cache if the trial breaks off."""
COUNTING = (
    "The first server in LOCATION must be the primary, and the client one that counts, such as "
    '"django_redis.client.DefaultClient".'
)
DAY = 24 * 60 * 60
ASGI_SERVERS = ("daphne", "hypercorn", "uvicorn")


class _Trial:
    """Runs the cache operations that the limits use, one after the other."""

    step = ""

    def run(self, cache: BaseCache) -> str:
        """The first wrong answer; empty when the cache counts correctly."""
        key = f"smsverify:check:{uuid4().hex}"
        calls: tuple[tuple[str, Callable[[], object], object], ...] = (
            ("add", lambda: bool(cache.add(key, 1, TRIAL_SECONDS)), True),
            ("a second add", lambda: bool(cache.add(key, 1, TRIAL_SECONDS)), False),
            ("incr", lambda: cache.incr(key), 2),
            ("decr", lambda: cache.decr(key), 1),
            ("delete", lambda: bool(cache.delete(key)), True),
        )
        for step, call, expected in calls:
            self.step = step
            answer = call()
            if answer != expected:
                return repr(answer)
        return ""


@register(Tags.caches, deploy=True)
def check_live_cache(**kwargs: Any) -> list[CheckMessage]:
    """The cache of the limits counts correctly now; it may be out of reach of the machine that runs the check."""
    alias, trial = cache_alias(), _Trial()
    try:
        if isinstance(caches[alias], CALLED_DIRECTLY):
            return []  # other checks report them
        wrong = call_cache(trial.run)
    except InvalidCacheBackendError:
        return []
    except Exception as error:  # only its name: its message may hold a password
        if _is_out_of_reach(error):
            return [_untried(alias, type(error).__name__)]
        wrong = type(error).__name__
    if wrong and (trial.step, wrong) == ("add", "False"):
        return [_untried(alias, "it keeps nothing, or its client hides why")]
    if wrong:
        why = f'The throttle\'s cache "{alias}" does not count: it answers {trial.step} with {wrong}.'
        return [Error(why, hint=COUNTING, id="smsverify.E010")]
    return []


def _is_out_of_reach(error: Exception) -> bool:
    """Whether a cache client's error means that there is no server; the clients share no error class."""
    names = [kind.__name__ for kind in type(error).__mro__]
    return isinstance(error, OSError) or "ConnectionError" in names or "TimeoutError" in names


def _untried(alias: str, why: str) -> CheckMessage:
    return checks.Warning(
        f'The throttle\'s cache "{alias}" cannot be tried now ({why}): as long as that is so, nothing is sent.',
        hint=f"Run this check where the cache can be reached. {COUNTING}",
        id="smsverify.W006",
    )


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
