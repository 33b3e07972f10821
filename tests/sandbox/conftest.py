from __future__ import annotations

from collections.abc import Iterator

import pytest
from sandbox.server import Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture(autouse=True)
def log() -> None:
    """No ear here: these tests are the clients, and may log what the app must not."""
