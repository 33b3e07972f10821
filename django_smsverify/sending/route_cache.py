"""The templates of each purpose, kept in the process as long as a version in the shared cache stays the same.

Every change of a row that matters to routes sets a new version after its commit. A process that cannot share the cache,
or that died before it could set the version, delays the others by KEEP_SECONDS at most.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from django.core.cache import BaseCache
from django.db import models, transaction
from django.db.models.signals import post_delete, post_migrate, post_save

from django_smsverify.conf import conf
from django_smsverify.exceptions import ThrottleUnavailable
from django_smsverify.limits.cache import COUNT_ATTEMPTS, ask_or_refuse, call_cache
from django_smsverify.models import Provider, Signature, Template
from django_smsverify.models.querysets import rows_updated

logger = logging.getLogger("django_smsverify")

VERSION_KEY = "smsverify:routes"
KEEP_SECONDS = 10
IRRELEVANT = frozenset(("balance_checked_at", "balance_alarm", "balance_alert", "poll_at", "polls", "reason", "remark"))
"""Fields that change no route."""


class _Kept(NamedTuple):
    version: int
    loaded_at: float
    templates: tuple[Template, ...]


_kept: dict[tuple[str, str, str], _Kept] = {}
"""By database, schema and purpose."""


def kept_providers(purpose: str) -> frozenset[int]:
    """Returns the primary keys of the providers of a purpose, as far as this process knows them."""
    return frozenset(template.provider_id for template in kept_templates(purpose))


def kept_templates(purpose: str) -> tuple[Template, ...]:
    """Returns the templates of a purpose that this process knows, which may be out of date."""
    kept = _kept.get(_key(purpose))
    return kept.templates if kept else ()


def templates(purpose: str, version: int | None) -> tuple[Template, ...]:
    """Returns the templates that can be sent for a purpose; `version` was just read, and is None without one.

    The objects are shared by all threads of the process. Raises ThrottleUnavailable when the cache keeps no version.
    """
    if transaction.get_connection(Template.objects.db).in_atomic_block:
        return load(purpose)  # which may be rolled back
    kept, now = _kept.get(_key(purpose)), time.monotonic()
    if kept is not None and kept.version == version and 0 <= now - kept.loaded_at < KEEP_SECONDS:
        return kept.templates
    if version is None:
        _require_version()
    # The version was read before the rows: a change since then has set another one.
    loaded = load(purpose)
    is_any_empty = any(template.provider.is_empty for template in loaded)  # a top-up is noticed at once
    if version is not None and loaded and not is_any_empty:
        _kept[_key(purpose)] = _Kept(version, now, loaded)
    return loaded


def load(purpose: str) -> tuple[Template, ...]:
    """Reads the templates that can be sent for a purpose."""
    # Compared in Python too: in a MySQL collation "Login" equals "login".
    found = Template.objects.routable().filter(purpose=purpose)
    return tuple(template for template in found if template.purpose == purpose and template.carries_code)


def _key(purpose: str) -> tuple[str, str, str]:
    return (*Template.objects.place, purpose)


def _require_version() -> None:
    try:
        ask_or_refuse(_first_version)
    except ThrottleUnavailable:
        if conf.ON_CACHE_FAILURE == "refuse":
            raise


def _first_version(cache: BaseCache) -> None:
    """Stores a version where there is none, for the next request; raises ConnectionError when nothing is kept."""
    for _attempt in range(COUNT_ATTEMPTS):  # it may be flushed in between
        if cache.add(VERSION_KEY, _new_version(), None) or cache.get(VERSION_KEY) is not None:
            return
    raise ConnectionError("the cache keeps nothing")


def _new_version() -> int:
    """A whole number that Redis and its scripts keep exactly."""
    return secrets.randbelow(2**48)


def _set_new_version_after_commit(using: str) -> None:
    transaction.on_commit(_set_new_version, using=using, robust=True)


def _set_new_version() -> None:
    _kept.clear()
    try:
        call_cache(lambda cache: cache.set(VERSION_KEY, _new_version(), None))
    except Exception as error:
        logger.error(
            "The throttle's cache failed (%s): other processes notice within %d seconds that a route has changed.",
            type(error).__name__,
            KEEP_SECONDS,
        )


def _saved(sender: type[models.Model], using: str, update_fields: Iterable[str] | None, **kwargs: Any) -> None:
    if update_fields is None or not IRRELEVANT.issuperset(update_fields):
        _set_new_version_after_commit(using)


def _deleted(sender: type[models.Model], using: str, **kwargs: Any) -> None:
    _set_new_version_after_commit(using)


def _updated(sender: type[models.Model], using: str, values: Mapping[str, Any], **kwargs: Any) -> None:
    relevant = {name: value for name, value in values.items() if name not in IRRELEVANT}
    balance = relevant.pop("balance", None)
    # Every answer of some vendors has a balance; routes change when it is empty.
    if relevant or (isinstance(balance, Decimal) and balance <= 0):
        _set_new_version_after_commit(using)


def forget() -> None:
    """Has this process load its routes again."""
    _kept.clear()


def _flushed(**kwargs: Any) -> None:
    forget()


def connect() -> None:
    """Connects what notices changes; called once, when the app is ready."""
    post_migrate.connect(_flushed, dispatch_uid="smsverify-routes")  # also sent after `flush`, as between tests
    for model in (Provider, Signature, Template):
        post_save.connect(_saved, model, dispatch_uid="smsverify-routes")
        post_delete.connect(_deleted, model, dispatch_uid="smsverify-routes")
        rows_updated.connect(_updated, model, dispatch_uid="smsverify-routes")
