"""Silently dropped connections and lookups that hang: the deadline holds for them too."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from django_smsverify.exceptions import GatewayUnavailable
from django_smsverify.gateways.transport import connections, resolving
from django_smsverify.gateways.transport.exchange import Exchange
from django_smsverify.types import Acceptance
from tests.conftest import FEW_QUICKLY, PHONE

from .support import ACCEPTED, Vendor, at, submitted

every_vendor = pytest.mark.parametrize("vendor", FEW_QUICKLY)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Makes open connections older by some seconds."""
    ahead = 0.0

    def put_forward(seconds: float) -> None:
        nonlocal ahead
        ahead += seconds

    monkeypatch.setattr(connections, "monotonic", lambda: time.monotonic() + ahead)
    return put_forward


# ------------------------------------------------------------------------ idle connections


class Firewall:
    """A vendor behind a firewall that drops idle connections: after `drop()` it reads nothing more from open ones.

    It closes nothing, so the client cannot notice. New connections are served.
    """

    def __init__(self, answer: str) -> None:
        body = answer.encode()
        self._answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._dropped: set[socket.socket] = set()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @contextmanager
    def serving(self) -> Iterator[Firewall]:
        thread = threading.Thread(target=self._accept, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            thread.join()
            for one in self._open:
                one.close()

    @property
    def opened(self) -> int:
        return len(self._open)

    def drop(self) -> None:
        self._dropped.update(self._open)

    def _accept(self) -> None:
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            self._open.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            while client.recv(65536):
                if client in self._dropped:
                    return
                client.sendall(self._answer)
        except OSError:
            pass


@every_vendor
def test_a_silently_dropped_connection_is_not_used_again(vendor: str, clock: Callable[[float], None]) -> None:
    with Firewall(ACCEPTED[vendor]).serving() as firewall:
        gateway = at(vendor, firewall.url, timeout=(2, 2, 4))
        for _ in range(3):
            assert isinstance(gateway.send(submitted(vendor))[PHONE], Acceptance)
            firewall.drop()
            clock(10)

    assert firewall.opened == 3


@every_vendor
def test_a_recent_connection_is_used_again(vendor: str, clock: Callable[[float], None]) -> None:
    with Vendor(ACCEPTED[vendor]) as server:
        for _ in range(3):
            assert isinstance(at(vendor, server.url).send(submitted(vendor))[PHONE], Acceptance)
            clock(1)

    assert len({call.port for call in server.received}) == 1


def test_none_of_several_old_connections_is_used_again(clock: Callable[[float], None]) -> None:
    with Vendor(ACCEPTED["topthink"]) as server:
        gateway, together = at("topthink", server.url), threading.Barrier(4)

        def send() -> None:
            together.wait()
            assert isinstance(gateway.send(submitted("topthink"))[PHONE], Acceptance)

        for _ in range(2):
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(lambda _: send(), range(4)))
            clock(10)
        ports = [call.port for call in server.received]

    assert set(ports[:4]).isdisjoint(ports[4:])


@pytest.mark.parametrize("total", [0.5, 10.0])
def test_sockets_are_set_to_detect_a_dead_peer(total: float, monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, int] = {}
    mark_sent = Exchange.mark_sent

    def record(exchange: Exchange, connected: socket.socket) -> None:
        for name in (
            "TCP_NODELAY",
            "TCP_KEEPIDLE",
            "TCP_KEEPALIVE",
            "TCP_KEEPINTVL",
            "TCP_KEEPCNT",
            "TCP_USER_TIMEOUT",
        ):
            if hasattr(socket, name):
                found[name] = connected.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
        found["SO_KEEPALIVE"] = connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        mark_sent(exchange, connected)

    monkeypatch.setattr(Exchange, "mark_sent", record)
    with Vendor(ACCEPTED["topthink"]) as server:
        at("topthink", server.url, timeout=(2, 2, total)).send(submitted("topthink"))

    assert found["SO_KEEPALIVE"]
    assert found["TCP_NODELAY"]
    expected = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": total * 1000}
    assert {name: found[name] for name in expected if name in found} == {
        name: value for name, value in expected.items() if hasattr(socket, name)
    }


def test_a_refused_socket_option_does_not_prevent_the_send(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_liveness", lambda total: [(socket.IPPROTO_TCP, 9999, 1)])
    with Vendor(ACCEPTED["topthink"]) as server:
        assert isinstance(at("topthink", server.url).send(submitted("topthink"))[PHONE], Acceptance)


# ------------------------------------------------------------------------ lookups


@pytest.fixture
def stuck_resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A resolver that answers names only after the event is set, with three places for lookups."""
    answered, real = threading.Event(), socket.getaddrinfo

    def getaddrinfo(host: str, port: int, **kwargs: Any) -> Any:
        if "flags" in kwargs:  # for an IP address only
            return real(host, port, **kwargs)
        answered.wait(30)
        return real("127.0.0.1", port, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(resolving, "_places", threading.BoundedSemaphore(3))
    yield answered
    answered.set()
    for thread in lookups():
        thread.join(10)


def lookups() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "smsverify-lookup"]


@pytest.mark.parametrize("vendor", FEW_QUICKLY)
@pytest.mark.parametrize("timeout", [(0.2, 20, 20), (20, 20, 0.2)], ids=["connect", "total"])
@pytest.mark.parametrize("by_proxy", [False, True], ids=["direct", "proxy"])
def test_a_name_that_is_resolved_too_late_means_not_sent(
    vendor: str, timeout: tuple[float, float, float], by_proxy: bool, stuck_resolver: threading.Event
) -> None:
    options = {"proxy": "http://proxy.example:3128"} if by_proxy else {}
    begun = time.monotonic()

    error = at(vendor, "https://slow.example", timeout=timeout, options=options).send(submitted(vendor))[PHONE]

    assert time.monotonic() - begun < 5
    assert isinstance(error, GatewayUnavailable)
    # On a busy machine the total time may be over before the name is looked up.
    reasons = ("its name was not resolved in time", "the total time was over before the connection stood")
    assert str(error) in [f"slow.example could not be reached ({why})" for why in reasons]


def test_the_lookup_is_part_of_the_connect_timeout(
    full_listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = resolving.addresses_of
    now = [100.0]

    def slow(host: str, port: int, seconds: float) -> Any:
        now[0] += 19.8
        return real(host, port, seconds)

    monkeypatch.setattr(connections, "addresses_of", slow)
    monkeypatch.setattr(connections, "monotonic", lambda: now[0])
    begun = time.monotonic()
    url = f"http://127.0.0.1:{full_listener.getsockname()[1]}"

    error = at("topthink", url, timeout=(20, 20, 40)).send(submitted("topthink"))[PHONE]

    assert isinstance(error, GatewayUnavailable)
    assert time.monotonic() - begun < 10


@pytest.mark.slow
def test_a_hanging_resolver_uses_few_threads(stuck_resolver: threading.Event) -> None:
    gateway = at("topthink", "https://slow.example", timeout=(0.05, 1, 1))

    for _ in range(10):
        assert isinstance(gateway.send(submitted("topthink"))[PHONE], GatewayUnavailable)

    assert len(lookups()) == 3


def test_a_resolver_that_answers_again_is_used_again(stuck_resolver: threading.Event) -> None:
    for _ in range(4):
        at("topthink", "https://slow.example", timeout=(0.05, 1, 1)).send(submitted("topthink"))
    stuck_resolver.set()
    for thread in lookups():
        thread.join(10)

    assert resolving.addresses_of("slow.example", 80, 10)[0][4] == ("127.0.0.1", 80)


def test_concurrent_lookups_wait_for_a_free_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "_places", threading.BoundedSemaphore(2))

    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda _: resolving.addresses_of("localhost", 80, 10), range(20)))

    assert all(found)


def test_an_address_is_not_looked_up(stuck_resolver: threading.Event) -> None:
    assert resolving.addresses_of("127.0.0.1", 80, 0.1)[0][4] == ("127.0.0.1", 80)
    assert resolving.addresses_of("::1", 80, 0.1)[0][4][:2] == ("::1", 80)
    assert lookups() == []


@pytest.mark.parametrize("host", ["x" * 64 + ".example", "a..example", "nonexistent.invalid"])
def test_a_name_that_cannot_be_resolved_means_not_sent(host: str) -> None:
    assert isinstance(at("topthink", f"https://{host}").send(submitted("topthink"))[PHONE], GatewayUnavailable)


def test_a_lookup_without_a_thread_fails_and_frees_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resolving, "_places", threading.BoundedSemaphore(1))

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        for _ in range(2):
            with pytest.raises(OSError, match="no thread could be started"):
                resolving.addresses_of("localhost", 80, 1)

    assert resolving.addresses_of("localhost", 80, 10)


def test_a_forked_process_has_all_lookup_places(stuck_resolver: threading.Event) -> None:
    for _ in range(4):
        at("topthink", "https://slow.example", timeout=(0.02, 1, 1)).send(submitted("topthink"))
    assert not resolving._places.acquire(blocking=False)

    resolving.forget_lookups()

    assert resolving._places.acquire(blocking=False)


def test_other_users_of_requests_are_not_affected() -> None:
    with Vendor("{}") as server:
        assert requests.get(f"{server.url}/?a=b", timeout=5).status_code == 200

    assert server.received[0].line == "GET /?a=b HTTP/1.1"
