"""The Redis of the tests with several processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import require_own_redis

from .redis import Redis


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    require_own_redis()
    server = Redis()
    server.start()
    try:
        yield server
    finally:
        server.stop()
