"""The suite runs on the configured database and cache, so that each run of the matrix is a different one."""

from __future__ import annotations

import pytest
from django.core.cache import cache, caches
from django.db import connection

from django_smsverify.models import Provider

from . import services
from .conftest import cached

pytestmark = pytest.mark.django_db

CONFIGURED = services.DATABASE.partition(":")[0]
LEVEL = {"postgresql": "SHOW transaction_isolation", "mysql": "SELECT @@tx_isolation"}


def test_the_database_is_the_configured_one() -> None:
    assert connection.vendor == CONFIGURED
    assert connection.settings_dict["ATOMIC_REQUESTS"]


@pytest.mark.skipif(CONFIGURED not in LEVEL, reason="SQLite has no isolation levels")
def test_the_isolation_level_is_the_configured_one() -> None:
    with connection.cursor() as cursor:
        cursor.execute(LEVEL[CONFIGURED])
        level = cursor.fetchone()[0]

    assert level.replace("-", " ").lower() == (services.ISOLATION or "read committed")


def test_the_cache_is_the_configured_one() -> None:
    configured = services.CACHE.partition(":")[0]
    cache.set("here", "it is")

    assert type(caches["default"]).__module__ == f"django.core.cache.backends.{configured}"
    assert list(cached()) == [":1:here"]


@pytest.mark.parametrize(
    ("where", "worker", "own"),
    [
        ("redis://127.0.0.1:6379/15", "", "redis://127.0.0.1:6379/15"),
        ("redis://127.0.0.1:6379/15", "gw0", "redis://127.0.0.1:6379/15"),
        ("redis://127.0.0.1:6379/15", "gw2", "redis://127.0.0.1:6379/13"),
        ("locmem", "gw2", "locmem"),
    ],
)
def test_no_worker_empties_the_redis_database_of_another(where: str, worker: str, own: str) -> None:
    assert services.of_worker(where, worker) == own


def test_a_worker_without_a_redis_database_of_its_own_is_refused() -> None:
    with pytest.raises(ValueError, match="no database is left for gw2"):
        services.of_worker("redis://127.0.0.1:6379/1", "gw2")


@pytest.mark.skipif(not services.HAS_EMOJI, reason="utf8mb3 has no emoji: see test_charsets.py")
def test_the_database_stores_any_character() -> None:
    Provider.objects.create(name="短信🔑", slug="any", gateway="memory")

    assert Provider.objects.get().name == "短信🔑"
