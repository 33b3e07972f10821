from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
import requests

MANAGE = Path(__file__).resolve().parents[2] / "example_project" / "manage.py"
LONGEST_START = 60


def run(var: Path, *options: str, **more: Any) -> subprocess.Popen[str]:
    """`manage.py demo` with a directory of its own; any warning is an error there too."""
    env = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    env |= {"DEMO_VAR": str(var), "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-W", "error", str(MANAGE), "demo", *options]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True, encoding="utf-8", **more)


class Demo:
    """A running demo."""

    def __init__(self, process: subprocess.Popen[str], banner: str) -> None:
        self.process = process
        self.banner = banner
        self.url = re.search(r"ready: (\S+)", banner)[1]  # type: ignore[index]
        self.password = re.search(r"password (\S+)", banner)[1]  # type: ignore[index]

    def get(self, path: str, **more: Any) -> requests.Response:
        return requests.get(self.url + path, timeout=20, **more)

    def post(self, path: str, data: dict[str, Any]) -> requests.Response:
        return requests.post(self.url + path, json=data, timeout=20)

    def send(self, phone: str, purpose: str = "login") -> requests.Response:
        return self.post("sms/send/", {"phone": phone, "purpose": purpose})

    def inbox(self, phone: str) -> list[dict[str, Any]]:
        return self.get("inbox/", params={"phone": phone}).json()["messages"]  # type: ignore[no-any-return]

    def wire(self) -> list[dict[str, Any]]:
        return self.get("wire/").json()["messages"]  # type: ignore[no-any-return]

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)


@contextmanager
def running(var: Path) -> Iterator[Demo]:
    """Starts a demo on a free port; at the end it must have stopped cleanly, without a word on stderr."""
    with open(var / "stderr", "w+", encoding="utf-8") as stderr, run(var, "--port", "0", stderr=stderr) as process:
        watchdog = Timer(LONGEST_START, process.kill)
        watchdog.start()
        lines = []
        for line in process.stdout or ():
            lines.append(line)
            if "Ctrl-C" in line:
                break
        watchdog.cancel()
        demo = Demo(process, "".join(lines))
        try:
            yield demo
        finally:
            demo.stop()
        stderr.seek(0)
        assert (process.returncode, stderr.read()) == (0, "")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running(tmp_path_factory.mktemp("demo")) as started:
        yield started


@pytest.fixture
def log() -> None:
    """No ear for leaks: what is logged here are the clients' own requests; the demo is a process of its own."""
