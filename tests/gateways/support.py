"""Helpers for tests of a gateway: the requests that it makes, and the outcomes that it reads from given answers."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Event, Semaphore, Thread
from types import TracebackType
from typing import Any, Self

from requests import PreparedRequest
from sandbox.catalogue import CREDENTIALS, OPTIONS

from django_smsverify.exceptions import GatewayError, GatewayRejected
from django_smsverify.gateways.aliyun import AliyunGateway
from django_smsverify.gateways.aliyun.identity import AliyunPnvsGateway
from django_smsverify.gateways.apispace import APISpaceGateway
from django_smsverify.gateways.base import Gateway, Outcome
from django_smsverify.gateways.ihuyi import IhuyiGateway
from django_smsverify.gateways.qixuntong import QixuntongGateway
from django_smsverify.gateways.tencent import TencentGateway
from django_smsverify.gateways.topthink import TopThinkGateway
from django_smsverify.gateways.twilio import TwilioGateway
from django_smsverify.gateways.veesing import VeeSingGateway
from django_smsverify.testing import FakeTransport
from django_smsverify.types import Acceptance, Account, Answer, News, OutgoingSMS, PrivateHosts, Push, SentSMS
from tests.conftest import CODE_TEXT, PHONE, REMOTE_IDS

CODE = "471102"
GATEWAYS: dict[str, type[Gateway]] = {
    "topthink": TopThinkGateway,
    "veesing": VeeSingGateway,
    "apispace": APISpaceGateway,
    "ihuyi": IhuyiGateway,
    "qixuntong": QixuntongGateway,
    "aliyun": AliyunGateway,
    "aliyun_pnvs": AliyunPnvsGateway,
    "tencent": TencentGateway,
    "twilio": TwilioGateway,
}
ACCEPTED = {
    "topthink": '{"code":0,"message":"发送成功","data":{"id":"6055df2f45e10"}}',
    "veesing": '{"returnStatus":"1 ","message":"成功","remainPoint":"241","taskId":"3313746","successCounts":"1"}',
    "apispace": (
        '{"code":"0","failNum":"0","successNum":"1","msgId":"17041010383624511","time":"20170410103836","errorMsg":""}'
    ),
    "ihuyi": '{"code":2,"msg":"提交成功","smsid":"16565055561380468726"}',
    "qixuntong": (
        '{"status":"0","balance":-153278040,"list":[{"mid":"5BCFD88382720003","mobile":"13800138000","result":0}]}'
    ),
    "aliyun": '{"Code":"OK","Message":"OK","BizId":"9006197469364984^0","RequestId":"F655A8D5"}',
    "aliyun_pnvs": '{"Code":"OK","Message":"成功","Success":true,"Model":{"BizId":"112231421412414124^4"}}',
    "tencent": (
        '{"Response":{"SendStatusSet":[{"SerialNo":"5000:1045710669157053657849499619","PhoneNumber":"+8613800138000",'
        '"Fee":1,"SessionContext":"","Code":"Ok","Message":"send success","IsoCode":"CN"}],"RequestId":"a0aabda6"}}'
    ),
    "twilio": '{"sid":"SM11111111111111111111111111111111","status":"queued","error_code":null}',
}
HONG_KONG = "+85261234567"
FORM, JSON = "application/x-www-form-urlencoded", "application/json"


def sms(content: str, *phones: str, **values: str) -> OutgoingSMS:
    """A text with the same values for all its numbers."""
    recipients = dict.fromkeys(phones or (PHONE,), values)
    return OutgoingSMS(content=content, signature="示例站", signature_id="78", template_id="234", recipients=recipients)


def sent(remote_id: str, phone: str = PHONE, **fields: Any) -> SentSMS:
    """A message that was sent a minute after midnight, in China."""
    return SentSMS(remote_id=remote_id, phone=phone, sent_at=datetime(2026, 11, 20, 16, 1, tzinfo=UTC), **fields)


def submitted(vendor: str, phone: str = PHONE, code: str = CODE) -> OutgoingSMS:
    """A text that the sandbox vendor has approved."""
    content = "您的验证码是{code}，5分钟内有效。" if vendor == "veesing" else CODE_TEXT
    return replace(sms(content, phone, code=code, minutes="5"), template_id=REMOTE_IDS.get(vendor, ""))


def at(
    vendor: str,
    base_url: str,
    *,
    timeout: tuple[float, float, float] = (5, 5, 10),
    credentials: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
    private_hosts: PrivateHosts = "loopback",
    ca_bundle: str | None = None,
) -> Gateway:
    """The gateway over the real network, with the sandbox's account."""
    account = Account(
        base_url=base_url,
        credentials={**CREDENTIALS[vendor], **(credentials or {})},
        options={**OPTIONS.get(vendor, {}), **(options or {})},
        timeout=timeout,
        private_hosts=private_hosts,
        ca_bundle=ca_bundle,
    )
    return GATEWAYS[vendor](account)


def offline(
    vendor: str, *answers: bytes | Answer | GatewayError, **options: str
) -> tuple[Gateway, list[PreparedRequest]]:
    """The gateway with these answers instead of a network, and its requests; each secret begins with SECRET."""
    kind, transport = GATEWAYS[vendor], FakeTransport(*answers)
    credentials = {credential.name: f"SECRET-{credential.name}" for credential in kind.credentials}
    known = {**OPTIONS.get(vendor, {}), **options}
    account = Account(base_url=kind.base_url, credentials=credentials, options=known)
    return kind(account, transport), transport.requests


def parsed_push(vendor: str, body: str | bytes, content_type: str = "", **headers: str) -> News:
    """The events that the gateway reads from a call of its webhook."""
    sent = body.encode() if isinstance(body, str) else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return offline(vendor)[0].read_push(Push(content_type=content_type, headers=named, body=sent))


def verdict(outcome: Outcome) -> tuple[str, ...]:
    """An outcome that can be compared: its kind, its reason, and the vendor's id or code."""
    if isinstance(outcome, Acceptance):
        return ("accepted", outcome.remote_id)
    if isinstance(outcome, GatewayRejected):
        return ("rejected", outcome.reason.value, outcome.error_code)
    return (type(outcome).__name__.removeprefix("Gateway").lower(),)


@dataclass(frozen=True, kw_only=True)
class Harness:
    """One account at a vendor, and the text that is sent unless a test gives another."""

    kind: type[Gateway]
    credentials: Mapping[str, str]
    sms: OutgoingSMS

    def gateway(self, transport: FakeTransport, options: Mapping[str, str]) -> Gateway:
        account = Account(base_url=self.kind.base_url, credentials=self.credentials, options=options)
        return self.kind(account, transport)

    def request(self, sms: OutgoingSMS | None = None, **options: str) -> PreparedRequest:
        """The one request that a send makes."""
        transport = FakeTransport(b"")
        self.gateway(transport, options).send(sms or self.sms)
        (request,) = transport.requests
        return request

    def outcomes(
        self, answer: str | bytes | Answer, sms: OutgoingSMS | None = None, **options: str
    ) -> Mapping[str, Outcome]:
        body = answer.encode() if isinstance(answer, str) else answer
        return self.gateway(FakeTransport(body), options).send(sms or self.sms)

    def outcome(self, answer: str | bytes | Answer, sms: OutgoingSMS | None = None, **options: str) -> Outcome:
        """The outcome of the only number, or of the first."""
        return next(iter(self.outcomes(answer, sms, **options).values()))

    def refused_unsent(self, sms: OutgoingSMS, **options: str) -> tuple[str, ...]:
        """The refusal of a text for which no request may be made."""
        transport = FakeTransport()
        outcomes = self.gateway(transport, options).send(sms)
        assert transport.requests == []
        (found,) = {verdict(outcome) for outcome in outcomes.values()}
        return found


def body_of(request: PreparedRequest) -> str:
    """The body as text."""
    body = request.body
    return body.decode() if isinstance(body, bytes) else (body or "")


@dataclass(frozen=True, kw_only=True)
class ReceivedRequest:
    """One request that came in over a socket."""

    port: int
    line: str
    headers: Mapping[str, str]
    body: str


class Vendor:
    """A small HTTP server that stores the requests and always returns the same answer.

    Content-Length is `promised` bytes too long; `hang_up` closes each connection without `Connection: close`. With
    `tls` it uses https. With `intercept`, which makes a certificate for a name, it is a proxy that decrypts TLS and
    answers instead of the vendor.
    """

    def __init__(
        self,
        answer: str | bytes,
        *headers: tuple[str, str],
        status: int = 200,
        promised: int = 0,
        hang_up: bool = False,
        tls: ssl.SSLContext | None = None,
        intercept: Callable[[str], ssl.SSLContext] | None = None,
    ) -> None:
        self.answer = answer.encode() if isinstance(answer, str) else answer
        self.headers = (*headers, ("Content-Length", str(len(self.answer) + promised)))
        self.status = status
        self.hang_up = hang_up
        self.received: list[ReceivedRequest] = []
        self.closed = Semaphore(0)
        self.intercept = intercept
        self.server = _Server(self)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.server.server_address[1]}"
        if tls is not None:
            plain = self.server.socket
            self.server.socket = tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)

    def __enter__(self) -> Self:
        self._thread = Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


@contextmanager
def dripping_proxy() -> Iterator[str]:
    """The URL of a proxy that answers CONNECT with one byte of a header every tenth of a second."""
    stop = Event()

    def drip(listener: socket.socket) -> None:
        with listener.accept()[0] as client, suppress(OSError):
            client.sendall(b"HTTP/1.1 200 OK\r\nX-Drip: ")
            while not stop.wait(0.1):
                client.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=drip, args=(listener,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        stop.set()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # without a lookup of the host's name

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.vendor.closed.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores clients that break off: some tests do so."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 5

    def do_GET(self) -> None:
        vendor = self.server.vendor
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        headers = dict(self.headers.items())
        vendor.received.append(
            ReceivedRequest(port=self.client_address[1], line=self.requestline, headers=headers, body=body)
        )
        self.send_response_only(vendor.status)
        if "Date" not in dict(vendor.headers):
            self.send_header("Date", self.date_time_string())
        for name, value in vendor.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(vendor.answer)
        self.close_connection = self.close_connection or vendor.hang_up

    do_POST = do_GET  # noqa: N815 - named by the base class

    def do_CONNECT(self) -> None:
        vendor = self.server.vendor
        if vendor.intercept is None:
            self.do_GET()
            return
        vendor.received.append(ReceivedRequest(port=self.client_address[1], line=self.requestline, headers={}, body=""))
        self.send_response(200)
        self.end_headers()
        name = self.path.partition(":")[0]
        self.connection = vendor.intercept(name).wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        self.close_connection = False

    def finish(self) -> None:
        super().finish()
        if isinstance(self.connection, ssl.SSLSocket):
            self.connection.close()

    def log_message(self, *args: Any, **kwargs: Any) -> None:
        pass
