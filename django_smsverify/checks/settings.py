"""System checks of settings: invalid values, caches that cannot count, and settings that a deployment needs."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.cache import BaseCache, InvalidCacheBackendError, caches
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError, connections, router

from django_smsverify.carriers.delivery_codes import PUBLISHED, DeliveryCodes
from django_smsverify.conf import KEYS, Key, conf, written
from django_smsverify.exceptions import InvalidGateway
from django_smsverify.limits.cache import cache_alias
from django_smsverify.models import Provider
from django_smsverify.models.charsets import REPLACEMENT, narrow_columns
from django_smsverify.models.gateway_classes import gateway_class, gateway_class_or_missing

GOOD_CACHES = "Use one that all processes share and that counts atomically: Redis or Memcached."
LONGEST_LIFETIME = 600
PROXY_SETTINGS = ("SECURE_PROXY_SSL_HEADER", "USE_X_FORWARDED_HOST", "USE_X_FORWARDED_PORT")
"""Django's settings that only a site behind a proxy uses."""
LEGAL_RETENTION_DAYS = 190
"""The Cybersecurity Law, art. 23, requires six months of logs, which are up to 184 days; the other days allow a late
cleanup."""


@register(Tags.security)
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """Each key of SMSVERIFY is known and has a valid value."""
    value = getattr(settings, "SMSVERIFY", {})
    if not isinstance(value, Mapping):
        return [Error("SMSVERIFY must be a dict.", hint="SMSVERIFY = {}", id="smsverify.E001")]
    messages = list(_check_keys(value, KEYS, "SMSVERIFY"))
    for purpose, own in conf.PURPOSES.items():
        where = f'SMSVERIFY["PURPOSES"]["{purpose}"]'
        messages += _check_keys(own, {name: key for name, key in KEYS.items() if key.per_purpose}, where)
    return messages


def _check_keys(own: Mapping[Any, Any], known: Mapping[str, Key[Any]], where: str) -> Iterable[CheckMessage]:
    for name, value in own.items():
        if name not in known:
            near = get_close_matches(str(name), known, 1)
            hint = f"Did you mean {near[0]}?" if near else f"The keys are: {', '.join(known)}."
            yield Error(f'{where} has an unknown key "{name}".', hint=hint, id="smsverify.E002")
            continue
        try:
            known[name].read(value)
        except ValueError as error:
            shown = "a value" if name == "ENCRYPTION_KEYS" else f"{value!r:.80}"
            yield Error(f'{where}["{name}"] is {shown}; it must be {error}.', id="smsverify.E003")


@register(Tags.security)
def check_lifetimes(**kwargs: Any) -> list[CheckMessage]:
    """No code is valid for so long that guessing becomes easy."""
    settings_of = {"": conf, **{f' for purpose "{purpose}"': conf.of(purpose) for purpose in conf.PURPOSES}}
    return [
        checks.Warning(
            f"CODE_LIFETIME{where} is {own.CODE_LIFETIME} seconds.",
            hint=f"A code should live for {LONGEST_LIFETIME} seconds at most.",
            id="smsverify.W001",
        )
        for where, own in settings_of.items()
        if own.CODE_LIFETIME > LONGEST_LIFETIME
    ]


@register(Tags.security)
def check_gateways(**kwargs: Any) -> list[CheckMessage]:
    """Each gateway can be imported, and implements what it needs."""
    messages: list[CheckMessage] = []
    for alias in conf.GATEWAYS:
        try:
            missing = ", ".join(gateway_class(alias).missing_methods())
        except InvalidGateway as error:
            messages.append(Error(str(error), hint='See SMSVERIFY["GATEWAYS"].', id="smsverify.E004"))
            continue
        if missing:
            why, hint = f'The gateway "{alias}" has no {missing}.', "A query needs two methods: build_… and parse_…."
            messages.append(Error(why, hint=hint, id="smsverify.E012"))
    return messages


@register(Tags.security)
def check_ca_bundle(**kwargs: Any) -> list[CheckMessage]:
    """The file with additional certificate authorities can be read and has at least one."""
    if conf.CA_BUNDLE is None:
        return []
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(conf.CA_BUNDLE)
    except (OSError, ValueError) as error:
        why = f'SMSVERIFY["CA_BUNDLE"] is {conf.CA_BUNDLE!r}, which cannot be used: {error}.'
        hint = "Name a file with one or more certificates in PEM, which the site's user may read."
        return [Error(why, hint=hint, id="smsverify.E009")]
    return []


@register(Tags.security)
def check_delivery_codes(**kwargs: Any) -> list[CheckMessage]:
    """The site's own table of delivery codes can be read."""
    if conf.DELIVERY_CODES is None:
        return []
    try:
        DeliveryCodes([Path(conf.DELIVERY_CODES)])
    except (OSError, ValueError) as error:
        why = f'SMSVERIFY["DELIVERY_CODES"] is {conf.DELIVERY_CODES!r}, which cannot be used: {error}.'
        hint = f"Write it as {PUBLISHED.name} of the package is written, in UTF-8, with the same first line."
        return [Error(why, hint=hint, id="smsverify.E013")]
    return []


@register(Tags.caches)
def check_cache(**kwargs: Any) -> list[CheckMessage]:
    """The cache of the limits exists and can count."""
    alias = cache_alias()
    try:
        cache = caches[alias]
    except InvalidCacheBackendError as error:
        hint = "Set RATELIMIT_USE_CACHE to one of CACHES."
        return [Error(f'The throttle\'s cache "{alias}" cannot be used: {error}', hint=hint, id="smsverify.E005")]
    if isinstance(cache, DummyCache):
        return [Error(f'The throttle\'s cache "{alias}" keeps nothing.', hint=GOOD_CACHES, id="smsverify.E006")]
    why = _why_it_miscounts(alias, cache)
    return [checks.Warning(why, hint=GOOD_CACHES, id="smsverify.W005")] if why else []


@register(Tags.caches, deploy=True)
def check_counting_cache(**kwargs: Any) -> list[CheckMessage]:
    """In production W005 is an error; in development it must not block commands such as `migrate`."""
    alias = cache_alias()
    try:
        why = _why_it_miscounts(alias, caches[alias])
    except InvalidCacheBackendError:  # that is E005
        return []
    return [Error(why, hint=GOOD_CACHES, id="smsverify.E007")] if why else []


def _why_it_miscounts(alias: str, cache: BaseCache) -> str:
    """Why the cache cannot count according to the settings, without a query; empty if it may count."""
    if isinstance(cache, (DatabaseCache, FileBasedCache)):
        return f'The throttle\'s cache "{alias}" ({type(cache).__name__}) does not count atomically.'
    own: Mapping[str, Any] = settings.CACHES[alias]
    client = str(own.get("OPTIONS", {}).get("CLIENT_CLASS", ""))
    if client.rpartition(".")[2] == "HerdClient":
        return f'The throttle\'s cache "{alias}" (HerdClient) cannot count: after the first SMS none would be sent.'
    return ""


@register(Tags.async_support)
def check_dispatch(**kwargs: Any) -> list[CheckMessage]:
    """The configured dispatch is installed and really queues."""
    problem = {"tasks": _no_task_queue, "celery": _no_celery}.get(conf.DISPATCH, lambda: None)()
    if problem is None:
        return []
    why, hint = problem
    return [Error(f'SMSVERIFY["DISPATCH"] is "{conf.DISPATCH}", but {why}.', hint=hint, id="smsverify.E008")]


def _no_task_queue() -> tuple[str, str] | None:
    for package in ("django.tasks", "django_tasks"):
        if find_spec(package):
            return _runs_inline(import_module(package))
    return "this Django has no tasks", "pip install 'django-smsverify[tasks]'"


def _runs_inline(tasks: Any) -> tuple[str, str] | None:
    hint = 'Give TASKS["default"] a backend with workers, such as "django_tasks_db.DatabaseBackend".'
    try:
        backend = type(tasks.task_backends["default"])
        import_module("django_smsverify.sending.queues.django_tasks")
    except Exception as error:  # a backend that is not set up may raise anything
        return f'TASKS["default"] cannot be used: {error}', hint
    if backend.__name__ in ("ImmediateBackend", "DummyBackend"):
        return f'TASKS["default"] is {backend.__name__}, which has no workers', hint
    return None


def _no_celery() -> tuple[str, str] | None:
    if not find_spec("celery"):
        return "Celery is not installed", "pip install 'django-smsverify[celery]'"
    if import_module("celery").current_app.conf.task_always_eager:
        return "Celery runs its tasks inline", "Remove task_always_eager from its settings."
    return None


@register(Tags.caches, deploy=True)
def check_shared_cache(**kwargs: Any) -> list[CheckMessage]:
    """In production all processes count in one cache."""
    alias = cache_alias()
    if alias not in settings.CACHES or not isinstance(caches[alias], LocMemCache):
        return []
    why = f'The throttle\'s cache "{alias}" is local memory: each process counts for itself.'
    return [checks.Warning(why, hint=GOOD_CACHES, id="smsverify.W002")]


@register(Tags.security, deploy=True)
def check_trusted_proxies(**kwargs: Any) -> list[CheckMessage]:
    """TRUSTED_PROXIES is set, and does not contradict other settings that name a proxy."""
    signs = [name for name in PROXY_SETTINGS if getattr(settings, name, None)]
    signs += ['SMSVERIFY["CLIENT_IP_HEADER"]'] if "CLIENT_IP_HEADER" in written() else []
    hint = "Set how many proxies of your own stand in front: 1 for nginx alone, 0 for none."
    if "TRUSTED_PROXIES" not in written():
        why = "is not set: behind a proxy all clients would have the proxy's address and share one limit."
    elif signs and conf.TRUSTED_PROXIES == 0:
        why = f"is 0, but {signs[0]} speaks of a proxy: all clients have the proxy's address and share one limit."
        hint += " Silence this check if the server itself puts the client's address into REMOTE_ADDR."
    else:
        return []
    return [checks.Warning(f'SMSVERIFY["TRUSTED_PROXIES"] {why}', hint=hint, id="smsverify.W003")]


@register(Tags.security, deploy=True)
def check_retention(**kwargs: Any) -> list[CheckMessage]:
    """A site for mainland China keeps records for as long as the law requires."""
    if "CN" not in conf.REGIONS or conf.RETENTION_DAYS >= LEGAL_RETENTION_DAYS:
        return []
    return [
        checks.Warning(
            f'SMSVERIFY["RETENTION_DAYS"] is {conf.RETENTION_DAYS}: the Cybersecurity Law of China, art. 23, asks for '
            "six months of logs, which are up to 184 days.",
            hint=f"Set it to {LEGAL_RETENTION_DAYS} or more, or leave it out.",
            id="smsverify.W010",
        )
    ]


@register(Tags.database, deploy=True)
def check_development_gateways(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """No active provider of a deployment uses a gateway that sends nothing."""
    if not databases:
        return []
    local = [alias for alias in conf.GATEWAYS if _is_local(alias)]
    try:
        names = list(Provider.objects.filter(is_active=True, gateway__in=local).values_list("name", flat=True))
    except DatabaseError:
        return []  # not migrated yet
    return [
        checks.Warning(
            f'The active provider "{name}" is for development: it sends no SMS and shows codes.',
            hint="Deactivate it in the admin.",
            id="smsverify.W004",
        )
        for name in names
    ]


@register(Tags.database)
def check_character_sets(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """MySQL and MariaDB can store every character, including emoji."""
    messages: list[CheckMessage] = []
    for alias in databases or ():
        connection = connections[alias]
        if connection.vendor == "mysql" and router.allow_migrate_model(alias, Provider):
            try:
                messages += _too_narrow(alias, narrow_columns(connection))
            except DatabaseError:
                continue  # Django's own checks report it
    return messages


def _too_narrow(alias: str, narrow: Mapping[str, str]) -> Iterable[CheckMessage]:
    if not narrow:
        return
    places = {column if column.startswith("@@") else column.partition(".")[0]: name for column, name in narrow.items()}
    tables = [place for place in places if not place.startswith("@@")]
    todo = [f"ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb4;" for table in tables]
    if "@@character_set_database" in narrow:
        todo.append(f"ALTER DATABASE {connections[alias].settings_dict['NAME']} CHARACTER SET utf8mb4;")
    if "@@character_set_client" in narrow:
        todo.append(f'Set DATABASES["{alias}"]["OPTIONS"]["charset"] to "utf8mb4".')
    named = ", ".join(f"{place} is {name}" for place, name in places.items())
    yield checks.Warning(
        f'The database "{alias}" cannot store every character, such as an emoji in a reply: {named}.',
        hint=f"What it cannot store is replaced by “{REPLACEMENT}”. {' '.join(todo)} Then restart the site.",
        id="smsverify.W012",
    )


def _is_local(alias: str) -> bool:
    return gateway_class_or_missing(alias).local
