"""The site whose processes are killed, on every database that can be reached."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from .databases import DATABASES, database
from .site import Site


@pytest.fixture(scope="module", params=DATABASES)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    now = datetime.now(UTC)
    with Site(database(request.param, tmp_path_factory.mktemp("crash"))) as running:
        running.do("create", at=now)
        yield running
        running.do("drop", at=now)
