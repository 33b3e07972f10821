from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest


@pytest.fixture
def closed_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port whose queue of connections is full: the next one is left without an answer."""
    held = []
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        for _ in range(8):
            held.append(socket.socket())
            held[-1].settimeout(0.1)
            try:
                held[-1].connect(address)
            except TimeoutError:
                break
        else:
            pytest.skip("this system's queues do not fill")
        yield int(address[1])
    for one in held:
        one.close()
