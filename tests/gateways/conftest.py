from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest


@pytest.fixture
def closed_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def full_listener() -> Iterator[socket.socket]:
    """A listener whose queue of connections is full: the next one is left without an answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as held:
        for _ in range(8):
            one = held.enter_context(socket.socket())
            one.settimeout(0.1)
            try:
                one.connect(listener.getsockname())
            except TimeoutError:
                one.close()
                break
        else:
            pytest.skip("this system's queues do not fill")
        yield listener
