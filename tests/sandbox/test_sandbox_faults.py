from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
import requests
from sandbox.catalogue import CREDENTIALS, VEESING_CODE
from sandbox.faults import Fault
from sandbox.server import Exchange, Sandbox

ACCOUNT = CREDENTIALS["veesing"]
FIELDS = {
    "appId": ACCOUNT["app_id"],
    "appKey": ACCOUNT["app_key"],
    "phone": "15600001090",
    "templateId": VEESING_CODE.id,
    "variables": "1234",
}
PATH = "/veesing/smsApi/verifyCode"
WRONG = FIELDS | {"appKey": "wrong"}


def send(sandbox: Sandbox, fields: dict[str, str] = FIELDS, timeout: float = 5) -> requests.Response:
    return requests.post(f"{sandbox.url}{PATH}", fields, timeout=timeout, allow_redirects=False)


@pytest.fixture
def connection(sandbox: Sandbox) -> Iterator[socket.socket]:
    """A raw connection over which a valid request has been sent."""
    address = urlsplit(sandbox.url)
    body = urlencode(FIELDS)
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
    )
    with closing(socket.create_connection((address.hostname, address.port), timeout=5)) as raw:
        sandbox.misbehave("veesing", Fault.hang())
        raw.sendall((head + body).encode())
        yield raw


@pytest.mark.parametrize(
    ("vendor", "method", "path", "fault", "answer"),
    [
        ("topthink", "GET", "/sms/send", Fault.refuse(7), {"code": 7, "message": "发送失败", "data": None}),
        ("ihuyi", "GET", "/webservice/sms.php?format=json", Fault.refuse("4051"), {"code": 4051, "smsid": 0}),
        ("apispace", "POST", "/sms-code/verifycode", Fault.refuse("109"), {"code": "109", "msgId": ""}),
        ("veesing", "POST", "/smsApi/verifyCode", Fault.refuse("余额不足"), {"message": "余额不足"}),
        ("qixuntong", "POST", "?mobile=1", Fault.refuse("15"), {"status": "15", "balance": -153278040}),
        (
            "qixuntong",
            "POST",
            "?mobile=1,2",
            Fault.refuse_number(15),
            {"status": "0", "list": [{"mid": "", "mobile": number, "result": 15} for number in "12"]},
        ),
    ],
)
def test_refusals_have_the_format_of_the_vendor(
    sandbox: Sandbox, vendor: str, method: str, path: str, fault: Fault, answer: dict[str, object]
) -> None:
    sandbox.misbehave(vendor, fault)
    response = requests.request(method, sandbox.base_urls[vendor] + path, timeout=5)
    assert response.status_code == 200
    assert answer.items() <= response.json().items() or answer == response.json()


@pytest.mark.parametrize(
    ("fault", "status", "delivered"),
    [
        (Fault.status(500), 500, 0),
        (Fault.status(429), 429, 0),
        (Fault.deliver_then_status(502), 502, 1),
        (Fault.garbage(), 200, 0),
        (Fault.empty(), 200, 0),
        (Fault.redirect(), 302, 0),
        (Fault.huge(), 200, 0),
        (Fault.slow(0.01), 200, 1),
    ],
)
def test_wrong_answers(sandbox: Sandbox, fault: Fault, status: int, delivered: int) -> None:
    sandbox.misbehave("veesing", fault)
    response = send(sandbox)
    assert response.status_code == status
    assert int(response.headers["Content-Length"]) == len(response.content)
    assert len(sandbox.inbox.all()) == delivered
    assert sandbox.exchanges == (Exchange("veesing", "POST", PATH, status, True),)


def test_bodies_of_wrong_answers(sandbox: Sandbox) -> None:
    bodies = {}
    for fault in (Fault.status(500), Fault.garbage(), Fault.empty(), Fault.huge()):
        sandbox.misbehave("veesing", fault)
        bodies[fault.kind.name] = send(sandbox).content
    assert bodies["STATUS"].startswith(b"<html>")
    with pytest.raises(UnicodeDecodeError):
        bodies["GARBAGE"].decode()
    assert bodies["EMPTY"] == b""
    assert len(bodies["HUGE"]) > 1024 * 1024


def test_a_followed_redirect_is_logged(sandbox: Sandbox) -> None:
    sandbox.misbehave("veesing", Fault.redirect())
    assert requests.post(f"{sandbox.url}{PATH}", FIELDS, timeout=5).status_code == 404
    assert [exchange.path for exchange in sandbox.exchanges] == [PATH, "/veesing/moved"]


@pytest.mark.parametrize(
    ("fault", "error", "delivered"),
    [
        (Fault.hang(), requests.ReadTimeout, 1),
        (Fault.hang(deliver=False), requests.ReadTimeout, 0),
        (Fault.reset(), requests.ConnectionError, 0),
        (Fault.reset(deliver=True), requests.ConnectionError, 1),
    ],
)
def test_no_answer(sandbox: Sandbox, fault: Fault, error: type[requests.RequestException], delivered: int) -> None:
    sandbox.misbehave("veesing", fault)
    with pytest.raises(error):
        send(sandbox, timeout=0.5)
    assert len(sandbox.inbox.all()) == delivered
    assert sandbox.exchanges == (Exchange("veesing", "POST", PATH, None, False),)


def test_an_invalid_request_is_not_delivered_by_a_fault(sandbox: Sandbox) -> None:
    sandbox.misbehave("veesing", Fault.deliver_then_status(500))
    assert send(sandbox, WRONG).status_code == 500
    assert sandbox.inbox.all() == ()


def test_a_reset_fault_sends_a_tcp_reset(sandbox: Sandbox) -> None:
    sandbox.misbehave("veesing", Fault.reset())
    with pytest.raises(requests.ConnectionError, match="reset"):
        send(sandbox)


@pytest.mark.parametrize("deliver", [True, False])
def test_a_drip_prevents_a_read_timeout(sandbox: Sandbox, deliver: bool) -> None:
    sandbox.misbehave("veesing", Fault.drip(deliver))
    address = urlsplit(sandbox.url)
    with closing(http.client.HTTPConnection(address.netloc, timeout=1)) as client:
        client.request("POST", PATH, urlencode(FIELDS), {"Content-Type": "application/x-www-form-urlencoded"})
        assert client.sock is not None
        assert b"".join(client.sock.recv(16) for _ in range(3)) == b"HTT"
        assert len(sandbox.inbox.all()) == deliver
        sandbox.release()
        assert client.sock.recv(1) in (b"P", b"")


def test_a_fault_ends_after_its_number_of_requests(sandbox: Sandbox) -> None:
    sandbox.misbehave("veesing", Fault.status(500), times=2)
    assert [send(sandbox).status_code for _ in range(3)] == [500, 500, 200]


def test_behave_ends_faults(sandbox: Sandbox) -> None:
    for vendor in ("veesing", None):
        sandbox.misbehave("veesing", Fault.status(500))
        assert send(sandbox).status_code == 500
        sandbox.behave(vendor)
        assert send(sandbox).status_code == 200


def test_a_fault_applies_to_one_known_vendor(sandbox: Sandbox) -> None:
    sandbox.misbehave("ihuyi", Fault.status(500))
    assert send(sandbox).status_code == 200
    with pytest.raises(KeyError):
        sandbox.misbehave("unknown", Fault.empty())
    with pytest.raises(ValueError, match="times"):
        sandbox.misbehave("ihuyi", Fault.empty(), times=0)


@pytest.mark.parametrize("end", ["release", "stop"])
def test_hanging_connections_end_at_once(sandbox: Sandbox, connection: socket.socket, end: str) -> None:
    deadline = time.monotonic() + 5
    while not sandbox.inbox.all():
        assert time.monotonic() < deadline
    started = time.monotonic()
    getattr(sandbox, end)()
    assert connection.recv(1) == b""
    assert time.monotonic() - started < 1


def test_a_release_does_not_affect_later_hangs(sandbox: Sandbox) -> None:
    sandbox.release()
    sandbox.misbehave("veesing", Fault.hang())
    with pytest.raises(requests.ReadTimeout):
        send(sandbox, timeout=0.1)


def test_connections_are_kept_alive(sandbox: Sandbox) -> None:
    with closing(http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=5)) as client:
        sockets = set()
        for path in ("/", "/unknown/sms", "/veesing/other", PATH):
            client.request("POST", path, b"")
            assert client.getresponse().read()
            sockets.add(client.sock)
    assert len(sockets) == 1
    assert None not in sockets
    assert [exchange.vendor for exchange in sandbox.exchanges] == ["", "", "veesing", "veesing"]
    assert [exchange.status for exchange in sandbox.exchanges] == [404, 404, 404, 200]


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (("Content-Length", str(1024 * 1024 + 1)), 413),
        (("Content-Length", "9" * 5000), 413),
        (("Content-Length", "-1"), 400),
        (("Transfer-Encoding", "chunked"), 411),
    ],
)
def test_bodies_without_an_allowed_length_are_refused(sandbox: Sandbox, header: tuple[str, str], status: int) -> None:
    with closing(http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=5)) as client:
        client.putrequest("POST", PATH)
        client.putheader(*header)
        client.endheaders()
        assert client.getresponse().status == status


def test_many_requests_at_once(sandbox: Sandbox) -> None:
    sandbox.misbehave("veesing", Fault.status(503), times=20)
    with ThreadPoolExecutor(40) as pool:
        statuses = [response.status_code for response in pool.map(send, [sandbox] * 120)]
    assert (statuses.count(503), statuses.count(200)) == (20, 100)
    assert len({sms.remote_id for sms in sandbox.inbox.all()}) == 100
    sandbox.inbox.clear()
    assert sandbox.inbox.all() == ()


def test_stopping_and_starting(sandbox: Sandbox) -> None:
    assert send(sandbox).status_code == 200
    sandbox.stop()
    sandbox.stop()
    with pytest.raises(RuntimeError):
        _ = sandbox.url
    sandbox.start()
    assert sandbox.start() is sandbox
    assert send(sandbox).status_code == 200
    assert len(sandbox.inbox.all()) == 2


def test_runs_as_a_program() -> None:
    example_project = Path(__file__).parents[2] / "example_project"
    command = [sys.executable, "-m", "sandbox", "--port", "0"]
    with subprocess.Popen(command, cwd=example_project, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        urls = dict(program.stdout.readline().split() for _ in range(5))
        answer = requests.post(urls["veesing"] + "/smsApi/verifyCode", FIELDS, timeout=5)
        program.send_signal(2)
        try:
            assert program.wait(30) == 0
        finally:
            program.kill()
    assert answer.json()["returnStatus"] == "1 "
    assert list(urls) == ["topthink", "veesing", "apispace", "ihuyi", "qixuntong"]
