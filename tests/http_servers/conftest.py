from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count

import pytest
from sandbox.server import Sandbox

from tests.conftest import assert_clean, codes_of

from .processes import SERVERS, PreparedSite, Running, running

NUMBERS = count(13800140000)


@pytest.fixture(scope="session")
def prepared(sandbox_server: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> PreparedSite:
    return PreparedSite(tmp_path_factory.mktemp("site"), sandbox_server.base_urls)


@pytest.fixture(scope="session")
def start(prepared: PreparedSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Running]]:
    """Starts a server at its first test; it runs until the last."""
    logs = tmp_path_factory.mktemp("logs")
    started: dict[str, Running] = {}
    with ExitStack() as stack:

        def start(name: str) -> Running:
            if name not in started:
                started[name] = stack.enter_context(running(SERVERS[name], prepared, logs / name))
            return started[name]

        yield start


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, start: Callable[[str], Running], sandbox: Sandbox) -> Iterator[Running]:
    """The site under each server; after a test its log must contain no code and no traceback."""
    one = start(request.param)
    before = len(one.output)
    yield one
    assert "Traceback" not in one.output[before:]
    assert_clean(one.output[before:], codes_of(sandbox))


@pytest.fixture
def phone() -> str:
    """A number that no test has used."""
    return str(next(NUMBERS))
