from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Event, Thread
from typing import Any

import pytest
import requests
from sandbox import catalogue
from sandbox.catalogue import CREDENTIALS, SIGNED
from sandbox.server import Sandbox, Travel

PHONE = "13800138000"
LATER = Travel(delay=3600)
PUSHING = ("topthink", "veesing", "ihuyi")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture(autouse=True)
def log() -> None:
    """Replaces the log check: these tests are the clients and may log what the app must not log."""


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline


@dataclass(frozen=True)
class Call:
    """A call of the webhook; header names are lower case."""

    path: str
    headers: dict[str, str]
    body: str


@dataclass
class App:
    """The site that the vendors push to; it stores every call before it answers."""

    url: str = ""
    status: int = 200
    answer: bytes = b"success"
    location: str = ""
    on_call: Callable[[], object] = lambda: None
    calls: Queue[Call] = field(default_factory=Queue)

    def next(self) -> Call:
        return self.calls.get(timeout=10)

    def all(self) -> list[Call]:
        return [self.calls.get_nowait() for _ in range(self.calls.qsize())]

    def hold(self) -> tuple[Event, Event]:
        """Makes every call wait for the second event; the first event is set when a call arrives."""
        entered, go_on = Event(), Event()

        def wait() -> None:
            entered.set()
            go_on.wait(10)

        self.on_call = wait
        return entered, go_on

    def register(self, sandbox: Sandbox) -> None:
        for vendor in CREDENTIALS:
            sandbox.webhooks[vendor] = f"{self.url}/{vendor}/"


class _Server(ThreadingHTTPServer):
    app: App
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        app = self.server.app
        body = self.rfile.read(int(self.headers["Content-Length"]))
        app.calls.put(Call(self.path, {name.lower(): value for name, value in self.headers.items()}, body.decode()))
        app.on_call()
        self.send_response(app.status)
        self.send_header("Content-Length", str(len(app.answer)))
        if app.location:
            self.send_header("Location", app.location)
        self.end_headers()
        self.wfile.write(app.answer)

    def do_GET(self) -> None:
        self.server.app.calls.put(Call(self.path, {}, ""))
        self.send_error(500)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def app() -> Iterator[App]:
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.app = App(url=f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server.app
        server.shutdown()
        thread.join()


@pytest.fixture
def site(app: App, sandbox: Sandbox) -> App:
    """The app, registered with every vendor; no action runs before a flush."""
    app.register(sandbox)
    sandbox.travel(None, LATER)
    return app


def send(sandbox: Sandbox, vendor: str, phone: str = PHONE, code: str = "1234") -> str:
    """Sends one code through a vendor; returns the vendor's id of the SMS."""
    calls = {"topthink": _topthink, "veesing": _veesing, "ihuyi": _ihuyi, "apispace": _apispace}
    calls[vendor](sandbox.base_urls[vendor], phone, code)
    return next(sms.remote_id for sms in reversed(sandbox.inbox.of(phone)) if sms.vendor == vendor)


def _topthink(base_url: str, phone: str, code: str) -> None:
    fields = {
        "appCode": CREDENTIALS["topthink"]["app_code"],
        "signId": catalogue.TOPTHINK_SIGN.id,
        "templateId": catalogue.TOPTHINK_CODE.id,
        "phone": phone,
        "params": json.dumps({"code": code, "minutes": "5"}),
    }
    assert requests.post(f"{base_url}/sms/send", fields, timeout=20).json()["code"] == 0


def _veesing(base_url: str, phone: str, code: str) -> None:
    account = CREDENTIALS["veesing"]
    fields = {
        "appId": account["app_id"],
        "appKey": account["app_key"],
        "phone": phone,
        "templateId": catalogue.VEESING_CODE.id,
        "variables": code,
    }
    answer = requests.post(f"{base_url}/smsApi/verifyCode", fields, timeout=20).json()
    assert answer["returnStatus"] == "1 "


def _ihuyi(base_url: str, phone: str, code: str) -> None:
    account = CREDENTIALS["ihuyi"]
    fields = {
        "account": account["account"],
        "password": account["api_key"],
        "mobile": phone,
        "content": f"{code}|5",
        "templateid": catalogue.IHUYI_CODE.id,
        "format": "json",
    }
    answer = requests.post(f"{base_url}/webservice/sms.php?method=Submit", fields, timeout=20).json()
    assert answer["code"] == 2


def _apispace(base_url: str, phone: str, code: str) -> None:
    body = {"msg": SIGNED + catalogue.APISPACE_CODE.text, "params": f"{phone},{code},5"}
    headers = {"X-APISpace-Token": CREDENTIALS["apispace"]["token"]}
    answer = requests.post(f"{base_url}/sms-code/verifycode", json=body, headers=headers, timeout=20).json()
    assert answer["code"] == "0"


def query(sandbox: Sandbox, kind: str, remote_id: str) -> dict[str, Any]:
    """TopThink's answer to a query for a task, a signature or a template."""
    fields = {"appCode": CREDENTIALS["topthink"]["app_code"], "id": remote_id}
    url = f"{sandbox.base_urls['topthink']}/sms/query_{kind}"
    return requests.get(url, fields, timeout=20).json()["data"]  # type: ignore[no-any-return]


def pull(sandbox: Sandbox, **params: str) -> requests.Response:
    """APISpace's answer to a query for reports."""
    headers = {"X-APISpace-Token": CREDENTIALS["apispace"]["token"], "Authorization-Type": "apikey"}
    return requests.get(f"{sandbox.base_urls['apispace']}/api/sms/report", params, headers=headers, timeout=20)
