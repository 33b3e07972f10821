from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
import requests
from sandbox.catalogue import CREDENTIALS

from tests import browser

MANAGE = Path(__file__).resolve().parents[2] / "example_project" / "manage.py"
VENDORS = tuple(CREDENTIALS)
LONGEST_START = 60
LONGEST_WAIT = 30


def until(condition: Callable[[], object]) -> None:
    """Polls over HTTP until the condition is true."""
    deadline = time.monotonic() + LONGEST_WAIT
    while not condition():
        assert time.monotonic() < deadline


def run(var: Path, *options: str, **more: Any) -> subprocess.Popen[str]:
    """Starts `manage.py demo` with its own directory; any warning is an error."""
    env = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    env |= {"DEMO_VAR": str(var), "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-W", "error", str(MANAGE), "demo", *options]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True, encoding="utf-8", **more)


class Demo:
    """A running demo."""

    def __init__(self, process: subprocess.Popen[str], banner: str, var: Path) -> None:
        self.process = process
        self.database = var / "site.sqlite3"
        self.banner = banner
        self.url = re.search(r"ready: (\S+)", banner)[1]  # type: ignore[index]
        self.password = re.search(r"password (\S+)", banner)[1]  # type: ignore[index]

    def get(self, path: str, **more: Any) -> requests.Response:
        return requests.get(self.url + path, timeout=20, **more)

    def post(self, path: str, data: dict[str, Any]) -> requests.Response:
        return requests.post(self.url + path, json=data, timeout=20)

    def send(self, phone: str, purpose: str = "login") -> requests.Response:
        return self.post("sms/send/", {"phone": phone, "purpose": purpose})

    def screen(self, phone: str) -> dict[str, Any]:
        return self.get("inbox/", params={"phone": phone}).json()  # type: ignore[no-any-return]

    def inbox(self, phone: str) -> list[dict[str, Any]]:
        return self.screen(phone)["messages"]  # type: ignore[no-any-return]

    def status(self, phone: str) -> str | None:
        """The site's status of the newest SMS on a phone."""
        return self.inbox(phone)[-1]["status"]  # type: ignore[no-any-return]

    def until_status(self, status: str, phone: str) -> None:
        until(lambda: self.status(phone) == status)

    def session_of(self, phone: str) -> str:
        """Logs in by the number, or registers it, and returns the value of the session's cookie."""
        with requests.Session() as browser:
            sent = self.send(phone).json()
            (code,) = re.findall(r"(?<!\d)\d{6}(?!\d)", self.inbox(phone)[-1]["text"])
            proof = self.post("sms/verify/", {"verification_id": sent["verification_id"], "code": code}).json()["proof"]
            browser.get(self.url + "login/", timeout=20)
            form = {"proof": proof, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
            browser.post(self.url + "login/", data=form, timeout=20).raise_for_status()
            return str(browser.cookies["sessionid"])

    def stored(self, statement: str, *values: str) -> list[Any]:
        """The first column of a query in the demo's database."""
        with closing(sqlite3.connect(self.database, timeout=20)) as database:
            return [row[0] for row in database.execute(statement, values)]

    def allow(self, network: str, length: int) -> None:
        """Enters a network into the list, before the site has read that."""
        entry = "INSERT INTO smsverify_listentry (kind, subject, length, action, note, added_by, created_at)"
        with closing(sqlite3.connect(self.database, timeout=20)) as database, database:
            database.execute(f"{entry} VALUES ('network', ?, ?, 'allow', '', '', '2026-01-01')", (network, length))

    def wire(self) -> list[dict[str, Any]]:
        return self.get("wire/").json()["messages"]  # type: ignore[no-any-return]

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)


@contextmanager
def running(var: Path) -> Iterator[Demo]:
    """Starts a demo on a free port; it must stop with exit code 0 and an empty stderr."""
    with open(var / "stderr", "w+", encoding="utf-8") as stderr, run(var, "--port", "0", stderr=stderr) as process:
        watchdog = Timer(LONGEST_START, process.kill)
        watchdog.start()
        lines = []
        for line in process.stdout or ():
            lines.append(line)
            if "Ctrl-C" in line:
                break
        watchdog.cancel()
        demo = Demo(process, "".join(lines), var)
        try:
            yield demo
        finally:
            demo.stop()
        stderr.seek(0)
        assert (process.returncode, stderr.read()) == (0, "")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo of all tests. Its guard lets them pass: most of their codes are never entered, and it would close the
    network when many of them are old enough to count, as they are on a slow machine."""
    with running(tmp_path_factory.mktemp("demo")) as started:
        started.allow("127.0.0.0/8", length=8)
        yield started


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return browser.install_packages(tmp_path_factory.mktemp("node"))


@pytest.fixture
def log() -> None:
    """Replaces the log check: only the requests of these clients are logged here; the demo is another process."""
