"""Pushes to an app that is slow, wrong or unreachable, and the stop, flush and reset of the sandbox."""

from __future__ import annotations

import logging
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sandbox.server import Sandbox, Travel

from .conftest import LATER, PHONE, App, pull, query, send, until


@pytest.mark.parametrize(
    ("status", "answer", "pushes"),
    [
        (200, b"success", 1),
        (200, b"success\n", 3),
        (200, b"\xef\xbb\xbfsuccess", 3),
        (200, b"SUCCESS", 3),
        (200, b"", 3),
        (201, b"success", 3),
        (500, b"success", 3),
    ],
)
def test_ihuyi_pushes_three_times_unless_the_answer_is_success(
    sandbox: Sandbox, site: App, status: int, answer: bytes, pushes: int
) -> None:
    site.status, site.answer = status, answer
    send(sandbox, "ihuyi")
    assert sandbox.flush() == pushes
    assert len(sandbox.pushes) == pushes
    calls = site.all()
    assert len(calls) == pushes
    assert len({call.body for call in calls}) == 1
    assert sandbox.flush() == 0


def test_every_push_of_ihuyi_is_repeated(sandbox: Sandbox, site: App) -> None:
    site.status = 404
    sandbox.travel("ihuyi", Travel(delay=3600, copies=2))
    send(sandbox, "ihuyi")
    assert sandbox.reply(PHONE, "在吗")
    sandbox.judge("ihuyi", "template", "2001", approved=True)
    assert sandbox.flush() == 3 * 2 * 3
    kinds = [push.kind for push in sandbox.pushes]
    assert [kinds.count(kind) for kind in ("report", "reply", "template")] == [6, 6, 6]


@pytest.mark.parametrize("vendor", ["topthink", "veesing"])
def test_other_vendors_push_once(sandbox: Sandbox, site: App, vendor: str) -> None:
    site.status, site.answer = 500, b"broken"
    send(sandbox, vendor)
    assert sandbox.flush() == 1
    assert [(push.status, push.answer) for push in sandbox.pushes] == [(500, "broken")]


def test_ihuyi_stops_after_the_right_answer(sandbox: Sandbox, site: App) -> None:
    site.status = 503

    def recover() -> None:
        site.status = 200 if len(sandbox.pushes) == 1 else 503

    site.on_call = recover
    send(sandbox, "ihuyi")
    assert sandbox.flush() == 2
    assert [push.status for push in sandbox.pushes] == [503, 200]


def test_the_pause_of_ihuyi_grows_by_a_minute(sandbox: Sandbox, site: App, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("sandbox.scheduler.monotonic", lambda: now)
    sandbox.travel(None, Travel(delay=0))
    site.status = 500

    def paths() -> list[str]:
        """The paths pushed up to and including the other vendor's report, which is due now."""
        send(sandbox, "veesing")
        found = [site.next().path]
        while found[-1] != "/veesing/":
            found.append(site.next().path)
        return found

    send(sandbox, "ihuyi")
    pushed = {}
    for now in (0, 59.9, 60, 179.9, 180, 10_000):
        pushed[now] = len(paths()) - 1
    assert pushed == {0: 1, 59.9: 0, 60: 1, 179.9: 0, 180: 1, 10_000: 0}


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "http://", "nonsense", "http://[/", "http://" + "a" * 70 + "/", "ftp://127.0.0.1/"]
)
def test_an_unreachable_app_does_not_block_other_pushes(
    sandbox: Sandbox, site: App, url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    sandbox.travel(None, Travel(delay=0))
    sandbox.webhooks["veesing"] = url
    send(sandbox, "veesing")
    until(lambda: sandbox.pushes)
    (push,) = sandbox.pushes
    assert (push.url, push.status, push.answer) == (url, None, "")
    send(sandbox, "topthink")
    assert site.next().path == "/topthink/"
    assert capfd.readouterr() == ("", "")


def test_a_connection_closed_by_the_app_gives_no_status(sandbox: Sandbox, site: App) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sandbox.webhooks["veesing"] = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        send(sandbox, "veesing")
        with ThreadPoolExecutor(1) as pool:
            pool.submit(sandbox.flush)
            listener.accept()[0].close()
    assert [push.status for push in sandbox.pushes] == [None]


def test_redirects_are_not_followed(sandbox: Sandbox, site: App) -> None:
    site.status, site.location = 302, "/elsewhere/"
    send(sandbox, "topthink")
    assert sandbox.flush() == 1
    assert [push.status for push in sandbox.pushes] == [302]
    assert [call.path for call in site.all()] == ["/topthink/"]


def test_no_proxy_of_the_environment_is_used(sandbox: Sandbox, site: App, monkeypatch: pytest.MonkeyPatch) -> None:
    send(sandbox, "topthink")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    sandbox.flush()
    assert [push.status for push in sandbox.pushes] == [200]


def test_the_address_of_a_webhook_is_not_logged(sandbox: Sandbox, site: App, caplog: pytest.LogCaptureFixture) -> None:
    sandbox.webhooks["topthink"] = f"{site.url}/SECRET/"
    send(sandbox, "topthink")
    with caplog.at_level(logging.DEBUG):
        sandbox.flush()
    assert site.next().path == "/SECRET/"
    assert "SECRET" not in caplog.text


def test_overdue_actions_wait_while_the_sandbox_is_stopped(
    sandbox: Sandbox, site: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("sandbox.scheduler.monotonic", lambda: now)
    for _ in range(2):
        send(sandbox, "veesing")
    now = 3600
    sandbox.stop()
    assert sandbox.flush() == 2
    sandbox.start()
    send(sandbox, "ihuyi")
    now = 7200
    sandbox.stop()
    site.all()
    sandbox.start()
    assert site.next().path == "/ihuyi/"


def test_stop_does_not_wait_for_a_slow_app(sandbox: Sandbox, site: App) -> None:
    entered, go_on = site.hold()
    sandbox.travel(None, Travel(delay=0))
    for _ in range(3):
        send(sandbox, "veesing")
    assert entered.wait(10)
    before = time.monotonic()
    sandbox.stop()
    took = time.monotonic() - before
    go_on.set()
    assert took < 1
    until(lambda: len(sandbox.pushes) == 1)
    assert sandbox.flush() == 2


def test_a_flush_waits_for_a_push_under_way(sandbox: Sandbox, site: App) -> None:
    entered, go_on = site.hold()
    site.status = 500
    sandbox.travel("ihuyi", Travel(delay=0))
    send(sandbox, "ihuyi")
    assert entered.wait(10)
    with ThreadPoolExecutor(1) as pool:
        flushing = pool.submit(sandbox.flush)
        go_on.set()
        assert flushing.result(10) == 2
    assert len(sandbox.pushes) == 3


def test_one_push_is_made_at_a_time(sandbox: Sandbox, site: App) -> None:
    entered, go_on = site.hold()
    send(sandbox, "veesing")
    with ThreadPoolExecutor(1) as pool:
        flushing = pool.submit(sandbox.flush)
        assert entered.wait(10)
        sandbox.travel("ihuyi", Travel(delay=0))
        for _ in range(20):
            send(sandbox, "ihuyi")
        assert [call.path for call in site.all()] == ["/veesing/"]
        go_on.set()
        flushing.result(10)
    until(lambda: len(sandbox.pushes) == 21)


def test_no_thread_runs_after_a_stop() -> None:
    before = set(threading.enumerate())
    sandbox = Sandbox().start()
    send(sandbox, "veesing")
    sandbox.stop()
    until(lambda: set(threading.enumerate()) <= before)


def test_nothing_is_left_after_a_reset(sandbox: Sandbox, site: App) -> None:
    sandbox.travel(None, Travel(early=True))
    old = send(sandbox, "topthink")
    send(sandbox, "apispace")
    sandbox.judge("topthink", "sign", "78", approved=False)
    sandbox.judge("ihuyi", "template", "2001", approved=False)
    sandbox.travel(None, LATER)
    send(sandbox, "apispace")
    send(sandbox, "veesing")
    assert sandbox.reply(PHONE, "在吗")
    sandbox.reset()
    assert (sandbox.pushes, sandbox.webhooks, sandbox.flush()) == ((), {}, 0)
    assert pull(sandbox).json()["data"] == []
    assert query(sandbox, "status", old) is None
    assert query(sandbox, "sign", "78")["status"] == 1
    site.all()
    site.register(sandbox)
    send(sandbox, "ihuyi")
    assert site.next().path == "/ihuyi/"


def test_a_reset_waits_for_a_push_under_way(sandbox: Sandbox, site: App) -> None:
    entered, go_on = site.hold()
    site.status = 500
    sandbox.travel(None, Travel(delay=0))
    send(sandbox, "ihuyi")
    assert entered.wait(10)
    with ThreadPoolExecutor(1) as pool:
        resetting = pool.submit(sandbox.reset)
        go_on.set()
        resetting.result(10)
    assert sandbox.pushes == ()
    assert sandbox.flush() == 0


def test_many_pushes_at_once(sandbox: Sandbox, site: App) -> None:
    sandbox.travel("veesing", Travel(delay=0))
    sandbox.travel("topthink", Travel(early=True))
    vendors = ["veesing", "topthink", "ihuyi"] * 20
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda vendor: send(sandbox, vendor), vendors))
    sandbox.flush()
    assert len(sandbox.pushes) == len(site.all()) == 60
    assert [push.status for push in sandbox.pushes] == [200] * 60
    assert sandbox.flush() == 0
