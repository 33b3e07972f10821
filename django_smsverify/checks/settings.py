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
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError, connections, router

from django_smsverify.carriers.delivery_codes import PUBLISHED, DeliveryCodes
from django_smsverify.conf import KEYS, Key, conf
from django_smsverify.diagnosis import surroundings
from django_smsverify.exceptions import InvalidGateway
from django_smsverify.models import Provider
from django_smsverify.models.charsets import REPLACEMENT, narrow_columns
from django_smsverify.models.gateway_classes import gateway_class, gateway_class_or_missing

from .findings import as_checks

LONGEST_LIFETIME = 600


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
            shown = "a value" if known[name].is_secret else f"{value!r:.80}"
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
    return [
        *as_checks(lambda: [surroundings.missing_cache()], wrong="smsverify.E005"),
        *as_checks(lambda: [surroundings.forgetful_cache()], wrong="smsverify.E006"),
        *as_checks(lambda: [surroundings.miscounting_cache()], wrong="smsverify.W005"),
    ]


@register(Tags.caches, deploy=True)
def check_counting_cache(**kwargs: Any) -> list[CheckMessage]:
    """In production W005 is an error; in development it must not block commands such as `migrate`."""
    return as_checks(lambda: [surroundings.miscounting_cache()], wrong="smsverify.E007")


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
    return as_checks(lambda: [surroundings.local_cache()], unknown="smsverify.W002")


@register(Tags.security, deploy=True)
def check_trusted_proxies(**kwargs: Any) -> list[CheckMessage]:
    """TRUSTED_PROXIES is set, and does not contradict other settings that name a proxy."""
    return as_checks(lambda: [surroundings.unknown_proxies()], unknown="smsverify.W003")


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
