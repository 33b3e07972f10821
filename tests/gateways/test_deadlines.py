"""The thread that ends calls whose time is over."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from time import monotonic
from types import SimpleNamespace
from typing import cast

import pytest
import requests

from django_smsverify.exceptions import GatewayUnavailable
from django_smsverify.gateways.transport import HTTPTransport, exchange
from django_smsverify.gateways.transport import deadlines as module
from django_smsverify.gateways.transport.deadlines import Deadlines
from django_smsverify.types import Account
from tests.conftest import PHONE, LogRecorder

URL = "http://127.0.0.1:1/"
LONG = 3600.0
PATIENCE = 10.0


@pytest.fixture
def deadlines() -> Iterator[Deadlines]:
    made = Deadlines()
    yield made
    for key in list(made._ends):
        made.remove(key)


def watchers() -> int:
    return sum("deadlines" in thread.name for thread in threading.enumerate())


def test_each_function_is_called_at_its_time_and_once(deadlines: Deadlines) -> None:
    ended: list[str] = []
    over = threading.Event()

    def end_late() -> None:
        ended.append("late")
        over.set()

    begun = monotonic()
    deadlines.add("late", begun + 0.3, end_late)
    deadlines.add("never", begun + LONG, lambda: ended.append("never"))
    deadlines.add("soon", begun + 0.1, lambda: ended.append("soon"))

    assert over.wait(PATIENCE)
    assert ended == ["soon", "late"]
    assert monotonic() >= begun + 0.3


@pytest.mark.slow
def test_a_removed_function_is_not_called(deadlines: Deadlines) -> None:
    ended: list[str] = []
    over = threading.Event()
    end = monotonic() + 1

    deadlines.add("removed", end, lambda: ended.append("removed"))
    deadlines.remove("removed")
    deadlines.remove("unknown")
    deadlines.add("at the same time", end, over.set)

    assert over.wait(PATIENCE)
    assert not ended


def test_a_function_that_fails_ends_no_other_watch(deadlines: Deadlines, log: LogRecorder) -> None:
    over = threading.Event()

    def fail() -> None:
        raise TypeError(PHONE)

    deadlines.add("fails", monotonic(), fail)
    deadlines.add("another", monotonic() + 0.01, over.set)

    assert over.wait(PATIENCE)
    (line,) = [line for line in log.lines if "could not be ended" in line]
    assert "TypeError" in line
    assert PHONE not in line


def test_the_deadline_holds_for_a_tls_state_that_is_no_socket(deadlines: Deadlines) -> None:
    """As urllib3 has it for TLS through a proxy that itself uses TLS."""
    ours, theirs = socket.socketpair()
    account = Account(base_url=URL, credentials={}, timeout=(1, 1, 0.05))
    call = exchange.Exchange(account)
    with ours, theirs:
        theirs.settimeout(PATIENCE)
        call.watch(cast("socket.socket", SimpleNamespace(socket=ours)))

        assert theirs.recv(1) == b"", "it was shut down"
    call.close()


def test_an_earlier_deadline_wakes_the_sleeping_thread(deadlines: Deadlines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_SLEEP", LONG)
    asleep, over = threading.Event(), threading.Event()
    wait = deadlines._changed.wait

    def sleep(seconds: float) -> bool:
        asleep.set()
        return wait(seconds)

    monkeypatch.setattr(deadlines._changed, "wait", sleep)
    deadlines.add("far", monotonic() + LONG, lambda: None)
    assert asleep.wait(PATIENCE)

    deadlines.add("near", monotonic() + 0.01, over.set)

    assert over.wait(PATIENCE)


def test_many_calls_share_one_thread(deadlines: Deadlines) -> None:
    before = watchers()

    for number in range(50):
        deadlines.add(number, monotonic() + LONG, lambda: None)

    assert watchers() == before + 1


def test_the_thread_ends_when_it_is_idle_and_starts_again(
    deadlines: Deadlines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE", 0.0)
    monkeypatch.setattr(module, "LONGEST_SLEEP", 0.01)
    first, second = threading.Event(), threading.Event()
    deadlines.add("first", monotonic(), first.set)
    assert first.wait(PATIENCE)
    thread = deadlines._thread
    if thread is not None:
        thread.join(PATIENCE)
    assert deadlines._thread is None

    deadlines.add("second", monotonic(), second.set)

    assert second.wait(PATIENCE)


def test_without_a_thread_nothing_is_sent(deadlines: Deadlines, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(exchange, "deadlines", deadlines)
    monkeypatch.setattr(threading.Thread, "start", refuse)

    with pytest.raises(GatewayUnavailable, match="no thread could be started"):
        HTTPTransport().send(requests.Request("GET", URL), Account(base_url=URL, credentials={}))
    monkeypatch.undo()
    deadlines.add("later", monotonic() + LONG, lambda: None)
    assert deadlines._thread is not None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_process_starts_its_own_thread() -> None:
    module.deadlines.add("in the parent", monotonic() + LONG, lambda: None)
    over = threading.Event()

    if (child := os.fork()) == 0:
        module.deadlines.add("in the child", monotonic(), over.set)
        os._exit(0 if over.wait(PATIENCE) else 1)
    module.deadlines.remove("in the parent")

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
