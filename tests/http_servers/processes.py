"""The site in processes of its own, under each server that Django sites run on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from tests.queues.brokers import TIMEOUT, answers, eventually, free_port
from tests.servers import missing

ROOT = Path(__file__).resolve().parents[2]
WSGI = "django.core.wsgi:get_wsgi_application()"
GUNICORN = ["-m", "gunicorn", "--access-logfile", "-", "--error-logfile", "-"]


def gunicorn(*more: str) -> Callable[[int], list[str]]:
    return lambda port: [sys.executable, *GUNICORN, "--bind", f"127.0.0.1:{port}", *more, WSGI]


def uvicorn(*more: str) -> Callable[[int], list[str]]:
    asgi = ["--factory", "django.core.asgi:get_asgi_application", "--lifespan", "off"]
    return lambda port: [sys.executable, "-m", "uvicorn", "--host", "127.0.0.1", "--port", str(port), *more, *asgi]


def uwsgi(port: int) -> list[str]:
    script = str(Path(sys.executable).with_name("uwsgi"))
    site = ["--module", "django.core.wsgi:get_wsgi_application()", "--need-app", "--master", "--die-on-term"]
    return [script, "--http-socket", f"127.0.0.1:{port}", "--virtualenv", sys.prefix, "--threads", "2", *site]


def runserver(port: int) -> list[str]:
    return [sys.executable, str(ROOT / "example_project/manage.py"), "runserver", "--noreload", f"127.0.0.1:{port}"]


@dataclass(frozen=True)
class Server:
    """The command of a server, and whether it marks the end of a body in chunks."""

    command: Callable[[int], list[str]]
    supports_chunks: bool
    package: str = ""

    def require(self) -> None:
        here = shutil.which("uwsgi", path=str(Path(sys.executable).parent)) if self.package == "pyuwsgi" else True
        if self.package and not (here and find_spec(self.package)):
            missing(f"{self.package} is not installed: pip install --group servers")


SERVERS = {
    "gunicorn sync": Server(gunicorn(), supports_chunks=True, package="gunicorn"),
    "gunicorn gthread": Server(gunicorn("--threads", "4"), supports_chunks=True, package="gunicorn"),
    "uvicorn": Server(uvicorn(), supports_chunks=True, package="uvicorn"),
    "uWSGI": Server(uwsgi, supports_chunks=False, package="pyuwsgi"),
    "runserver": Server(runserver, supports_chunks=False),
}


class PreparedSite:
    """A directory with the site's database, which all servers share."""

    def __init__(self, var: Path, base_urls: Mapping[str, str]) -> None:
        self.var = var
        self.env = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.http_servers.settings",
            "DEMO_VAR": str(var),
            "PYTHONPATH": f"{ROOT}:{ROOT / 'example_project'}",
            "PYTHONUNBUFFERED": "1",
        }
        command = [sys.executable, "-m", "tests.http_servers.prepare", json.dumps(dict(base_urls))]
        result = subprocess.run(command, env=self.env, cwd=ROOT, stdout=subprocess.PIPE, timeout=TIMEOUT, check=True)
        self.webhook_secrets: dict[str, str] = json.loads(result.stdout)

    def count(self, table: str, **having: str) -> int:
        """How many rows of the app have these values."""
        where = " AND ".join(f"{column} = ?" for column in having)
        with closing(sqlite3.connect(self.var / "site.sqlite3", timeout=TIMEOUT)) as database:
            query = f"SELECT count(*) FROM smsverify_{table} WHERE {where}"
            return int(database.execute(query, [*having.values()]).fetchone()[0])


class Running:
    """A server that runs the site, as its clients see it."""

    def __init__(self, kind: Server, port: int, site: PreparedSite, log: Path) -> None:
        self.supports_chunks = kind.supports_chunks
        self.url = f"http://127.0.0.1:{port}"
        self.site = site
        self._log = log

    @property
    def output(self) -> str:
        return self._log.read_text()

    def call(self, method: str, path: str, body: Any = b"", **headers: str) -> requests.Response:
        """Sends a request; a body that is an iterator is sent in chunks."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.request(method, self.url + path, data=body, headers=named, timeout=TIMEOUT)

    def post(self, path: str, data: Mapping[str, Any], **headers: str) -> requests.Response:
        return self.call("POST", path, json.dumps(data).encode(), Content_Type="application/json", **headers)

    def webhook(self, vendor: str, secret: str | None = None) -> str:
        return f"/sms/webhooks/{vendor}/{secret or self.site.webhook_secrets[vendor]}/"

    def raw(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"", *, broken_off: bool = False
    ) -> bytes:
        """The complete answer to exactly these bytes."""
        url = urlsplit(self.url)
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: {url.netloc}",
            "Connection: close",
            *(f"{name}: {v}" for name, v in headers.items()),
        ]
        with socket.create_connection((url.hostname, url.port), TIMEOUT) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
            if broken_off:
                connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: received(connection), b""))


def received(connection: socket.socket) -> bytes:
    """The next bytes; a server that closes with unread bytes resets the connection, which counts as the end."""
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""


@contextmanager
def running(kind: Server, site: PreparedSite, log: Path) -> Iterator[Running]:
    """Starts a server on a free port; it and its workers are killed at the end."""
    kind.require()
    port = free_port()
    with (
        log.open("w") as output,
        subprocess.Popen(
            kind.command(port), cwd=ROOT, env=site.env, stdout=output, stderr=output, start_new_session=True
        ) as process,
    ):
        try:
            eventually(lambda: answers(port) or process.poll() is not None, log.read_text)
            assert process.poll() is None, log.read_text()
            yield Running(kind, port, site, log)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
