"""The site around the providers: whether the cache counts the limits, and whether clients are told apart.

Each function returns what is wrong with one thing, or None; the system checks and the doctor say the same words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.cache import BaseCache, InvalidCacheBackendError, caches
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.utils.translation import gettext as _

from django_smsverify.conf import conf, written
from django_smsverify.limits.cache import CALLED_DIRECTLY, cache_alias, call_cache

from .findings import Finding, State

TRIAL_SECONDS = 60
"""How long a trial's key stays in the cache if the trial breaks off."""
PROXY_SETTINGS = ("SECURE_PROXY_SSL_HEADER", "USE_X_FORWARDED_HOST", "USE_X_FORWARDED_PORT")
"""Django's settings that only a site behind a proxy uses."""


def surroundings() -> Iterator[Finding]:
    """All that is to be corrected; in development, only what lets no code go out."""
    found = [missing_cache(), forgetful_cache(), miscounting_cache(), failing_cache()]
    if not settings.DEBUG:
        found += [local_cache(), unknown_proxies()]
    yield from (finding for finding in found if finding is not None)


def missing_cache() -> Finding | None:
    """Whether the cache of the limits is not among CACHES, or cannot be imported."""
    try:
        caches[cache_alias()]
    except InvalidCacheBackendError as error:
        words = _('The throttle\'s cache "%(alias)s" cannot be used: %(error)s')
        return _of_cache(words, _("Set RATELIMIT_USE_CACHE to one of CACHES."), error=error)
    return None


def forgetful_cache() -> Finding | None:
    """Whether the cache keeps nothing."""
    if not isinstance(_cache(), DummyCache):
        return None
    return _of_cache(_('The throttle\'s cache "%(alias)s" keeps nothing.'), _good_caches())


def miscounting_cache() -> Finding | None:
    """Whether the cache cannot count according to the settings; it is not called."""
    cache, alias = _cache(), cache_alias()
    if isinstance(cache, (DatabaseCache, FileBasedCache)):
        words = _('The throttle\'s cache "%(alias)s" (%(kind)s) does not count atomically.')
        return _of_cache(words, _good_caches(), kind=type(cache).__name__)
    own: Mapping[str, Any] = settings.CACHES.get(alias, {})
    client = str(own.get("OPTIONS", {}).get("CLIENT_CLASS", ""))
    if client.rpartition(".")[2] == "HerdClient":
        words = _(
            'The throttle\'s cache "%(alias)s" (HerdClient) cannot count: after the first SMS none would be sent.'
        )
        return _of_cache(words, _good_caches())
    return None


def local_cache() -> Finding | None:
    """Whether each process counts for itself."""
    if not isinstance(_cache(), LocMemCache):
        return None
    words = _('The throttle\'s cache "%(alias)s" is local memory: each process counts for itself.')
    return _of_cache(words, _good_caches(), state=State.UNKNOWN)


def failing_cache() -> Finding | None:
    """Whether the cache counts wrongly when it is tried now; not known where this machine cannot reach it."""
    trial = _Trial()
    try:
        if isinstance(_cache(), (*CALLED_DIRECTLY, type(None))):
            return None  # others say what is wrong with these
        wrong = call_cache(trial.run)
    except Exception as error:  # only its name: its message may hold a password
        if _is_out_of_reach(error):
            return _untried(type(error).__name__)
        wrong = type(error).__name__
    if wrong and (trial.step, wrong) == ("add", "False"):
        return _untried(_("it keeps nothing, or its client hides why"))
    if wrong:
        words = _('The throttle\'s cache "%(alias)s" does not count: it answers %(step)s with %(wrong)s.')
        return _of_cache(words, _counting(), step=trial.step, wrong=wrong)
    return None


def unknown_proxies() -> Finding | None:
    """Whether TRUSTED_PROXIES is not set, or contradicts other settings that name a proxy."""
    signs = [name for name in PROXY_SETTINGS if getattr(settings, name, None)]
    signs += ['SMSVERIFY["CLIENT_IP_HEADER"]'] if "CLIENT_IP_HEADER" in written() else []
    facts = {"setting": 'SMSVERIFY["TRUSTED_PROXIES"]', "sign": next(iter(signs), "")}
    advice = _("Set how many proxies of your own stand in front: 1 for nginx alone, 0 for none.")
    if "TRUSTED_PROXIES" not in written():
        why = _(
            "%(setting)s is not set: behind a proxy all clients would have the proxy's address and share one limit."
        )
    elif signs and conf.TRUSTED_PROXIES == 0:
        why = _("%(setting)s is 0, but %(sign)s speaks of a proxy: all clients have its address and share one limit.")
        silence = _("Silence this check if the server itself puts the client's address into REMOTE_ADDR.")
        advice = f"{advice} {silence}"
    else:
        return None
    return Finding(_("client addresses"), State.UNKNOWN, why % facts, advice)


def _cache() -> BaseCache | None:
    try:
        return caches[cache_alias()]
    except InvalidCacheBackendError:
        return None


def _of_cache(words: str, advice: str, *, state: State = State.WRONG, **facts: object) -> Finding:
    return Finding(_("cache"), state, words % {"alias": cache_alias(), **facts}, advice)


def _good_caches() -> str:
    return _("Use one that all processes share and that counts atomically: Redis or Memcached.")


def _counting() -> str:
    return _(
        "The first server in LOCATION must be the primary, and the client one that counts, such as "
        '"django_redis.client.DefaultClient".'
    )


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


def _is_out_of_reach(error: Exception) -> bool:
    """Whether a cache client's error means that there is no server; the clients share no error class."""
    names = [kind.__name__ for kind in type(error).__mro__]
    return isinstance(error, OSError) or "ConnectionError" in names or "TimeoutError" in names


def _untried(why: str) -> Finding:
    words = _(
        'The throttle\'s cache "%(alias)s" cannot be tried now (%(why)s): as long as that is so, nothing is sent.'
    )
    advice = _("Run this check where the cache can be reached.")
    return _of_cache(words, f"{advice} {_counting()}", state=State.UNKNOWN, why=why)
