"""The Redis and the databases of the tests with several processes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests import services
from tests.servers import require, require_own_redis

from .crew import create_database, drop_database, in_own_process
from .redis import Redis
from .worker import Settings

SERVERS = ("PostgreSQL", "MariaDB")
LEVELS = ("read committed", "repeatable read")


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    require_own_redis()
    server = Redis()
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module", params=itertools.product(SERVERS, LEVELS), ids=" ".join)
def site_settings(request: pytest.FixtureRequest, redis: Redis) -> Iterator[Settings]:
    """The settings of a site on one database server with one isolation level; creates its database."""
    name, level = request.param
    database = {**services.database(require(name), level), "CONN_MAX_AGE": None}
    site_settings = {"DATABASES": {"default": database}, "CACHES": {"default": services.cache(redis.url)}}
    assert in_own_process(create_database, site_settings)
    yield site_settings
    assert in_own_process(drop_database, site_settings)
