"""A query has keys, numbers and codes: the vendor receives it, and tools that observe requests do not see it."""

from __future__ import annotations

import http.client
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from sandbox.catalogue import CREDENTIALS, OPTIONS
from sandbox.server import Sandbox
from urllib3.connectionpool import HTTPConnectionPool

from django_smsverify.exceptions import GatewayUnavailable
from django_smsverify.gateways.transport import HTTPTransport
from django_smsverify.types import Acceptance, Account
from tests.conftest import PHONE

from .support import ACCEPTED, CODE, Vendor, at, submitted

IN_QUERY = {"topthink": {"http_method": "GET", "auth": "query"}, "qixuntong": {}, "twilio": OPTIONS["twilio"]}
"""The vendors that receive secrets in a query or in the path, with their options."""
every_query = pytest.mark.parametrize("vendor", IN_QUERY)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What tools see that patch the HTTP client, as Sentry and OpenTelemetry do."""
    shown: list[str] = []

    def record(where: type, name: str, pick: Callable[..., Any]) -> None:
        real = getattr(where, name)

        def hook(*args: Any, **kwargs: Any) -> Any:
            shown.append(str(pick(*args, **kwargs)))
            return real(*args, **kwargs)

        monkeypatch.setattr(where, name, hook)

    record(requests.Session, "send", lambda self, request, **kwargs: request.url)
    record(HTTPConnectionPool, "urlopen", lambda self, method, url, *args, **kwargs: url)
    record(http.client.HTTPConnection, "putrequest", lambda self, method, url, *args, **kwargs: url)
    record(http.client.HTTPConnection, "putheader", lambda self, *header: header[0])
    yield shown
    assert shown


def secrets(vendor: str) -> tuple[str, ...]:
    return (*CREDENTIALS[vendor].values(), PHONE, PHONE[3:], CODE, "appCode=", "mobile=", "?", "%")


@every_query
def test_the_vendor_receives_the_query_and_tools_do_not_see_it(vendor: str, sandbox: Sandbox, seen: list[str]) -> None:
    gateway = at(vendor, sandbox.base_urls[vendor], options=IN_QUERY[vendor])

    for _ in range(2):  # on a new connection, and on an open one
        assert isinstance(gateway.send(submitted(vendor))[PHONE], Acceptance)

    first = sandbox.inbox.of(PHONE[3:])[0]
    assert CODE in first.text
    for shown in seen:
        assert not any(secret in shown for secret in secrets(vendor)), shown


@every_query
@pytest.mark.parametrize("status", [200, 302, 400, 500])
def test_the_request_line_has_the_query_and_the_response_does_not(
    vendor: str, status: int, seen: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[requests.Response] = []
    real = requests.Session.send

    def send(*args: Any, **kwargs: Any) -> requests.Response:
        answers.append(real(*args, **kwargs))
        return answers[-1]

    monkeypatch.setattr(requests.Session, "send", send)
    with Vendor(ACCEPTED[vendor], ("Location", "/elsewhere"), status=status) as server:
        gateway = at(vendor, server.url, options=IN_QUERY[vendor])
        gateway.send(submitted(vendor))

    (call,), (answer,) = server.received, answers
    method, target, version = call.line.split()
    assert (method, version) == (answer.request.method, "HTTP/1.1")
    hidden = [CREDENTIALS["twilio"]["account_sid"]] if vendor == "twilio" else [PHONE[3:], CODE]
    assert [secret for secret in hidden if secret not in target] == []
    for shown in (answer.url, answer.request.url, answer.request.path_url, vars(answer.raw).get("_request_url")):
        assert not any(secret in str(shown) for secret in secrets(vendor)), shown


@every_query
def test_a_network_error_does_not_have_the_query(
    vendor: str, closed_port: int, seen: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[requests.RequestException] = []
    real = requests.Session.send

    def send(*args: Any, **kwargs: Any) -> Any:
        try:
            return real(*args, **kwargs)
        except requests.RequestException as error:
            errors.append(error)
            raise

    monkeypatch.setattr(requests.Session, "send", send)
    at(vendor, f"http://127.0.0.1:{closed_port}", options=IN_QUERY[vendor]).send(submitted(vendor))

    (error,) = errors
    assert error.request is not None
    for shown in (str(error), repr(error), error.request.url):
        assert not any(secret in str(shown) for secret in secrets(vendor)), shown


@every_query
def test_the_debug_output_of_http_client_is_empty(
    vendor: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    with Vendor(ACCEPTED[vendor]) as server:
        assert isinstance(at(vendor, server.url, options=IN_QUERY[vendor]).send(submitted(vendor))[PHONE], Acceptance)

    assert capsys.readouterr().out == ""


@every_query
def test_nothing_is_sent_when_python_writes_requests_in_another_way(
    vendor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "django_smsverify.gateways.transport.connections.ObservedConnection._encode_request",
        lambda self, request: request.encode("ascii"),
    )
    with Vendor(ACCEPTED[vendor]) as server:
        found = at(vendor, server.url, options=IN_QUERY[vendor]).send(submitted(vendor))[PHONE]

    assert isinstance(found, GatewayUnavailable)
    assert "this version of Python writes requests in a way that is not known here" in str(found)
    assert server.received == []


def test_python_writes_the_request_line_where_the_query_is_added() -> None:
    lines = []

    class Connection(http.client.HTTPConnection):
        def _encode_request(self, request: str) -> bytes:
            lines.append(request)
            return request.encode("ascii")

    Connection("127.0.0.1").putrequest("GET", "/path")

    assert lines == ["GET /path HTTP/1.1"], sys.version


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("/path", "/path"),
        ("/path?", "/path"),
        ("/path?a=b#fragment", "/path?a=b"),
        ("/path#fragment?a=b", "/path"),
        ("/path?a=b?c=d", "/path?a=b?c=d"),
        ("?a=b", "/?a=b"),
        ("/p?a=一 二&b=%41+%2B", "/p?a=%E4%B8%80%20%E4%BA%8C&b=A+%2B"),
        ("/p?a=1\r\nX-Evil: 1", "/p?a=1%0D%0AX-Evil:%201"),
    ],
)
def test_a_query_is_written_as_requests_writes_it(written: str, sent: str) -> None:
    with Vendor("{}") as server:
        account = Account(base_url=server.url, credentials={})
        HTTPTransport().send(requests.Request("GET", server.url + written), account)

    assert [call.line for call in server.received] == [f"GET {sent} HTTP/1.1"]
    assert "X-Evil" not in server.received[0].headers
