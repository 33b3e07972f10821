"""The meaning of each failure over real sockets: not sent, refused, or perhaps sent."""

from __future__ import annotations

import gzip
import json
import os
import secrets
import socket
import ssl
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import requests
import time_machine
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sandbox.catalogue import CREDENTIALS
from sandbox.faults import Fault
from sandbox.server import Sandbox

from django_smsverify.exceptions import GatewayError, GatewayUnavailable, GatewayUncertain
from django_smsverify.gateways.parsing import UNREADABLE
from django_smsverify.gateways.transport import HTTPTransport, connections
from django_smsverify.types import Acceptance, Account
from tests.conftest import FEW_QUICKLY, PHONE, LogRecorder
from tests.folding import folded

from .support import ACCEPTED, CODE, GATEWAYS, Vendor, at, body_of, dripping_proxy, submitted, verdict

every_vendor = pytest.mark.parametrize("vendor", FEW_QUICKLY)

SHORT_READ = (0.2, 0.5, 10.0)
"""For vendors that do not answer in time."""
SHORT_TOTAL = (2.0, 2.0, 0.5)
"""For vendors whose answer never ends."""


def served(sandbox: Sandbox) -> int:
    return len(sandbox.exchanges)


def outcome_of(gateway: Any, vendor: str) -> GatewayError:
    """The error for the only number; checks that it shows neither a secret nor a URL."""
    found = gateway.send(submitted(vendor))[PHONE]
    assert isinstance(found, GatewayError), found
    assert_no_secret(found, vendor)
    return found


def address(listener: socket.socket, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"


def assert_no_secret(error: BaseException, vendor: str) -> None:
    assert error.__context__ is None
    assert error.__cause__ is None
    for shown in (str(error), repr(error), repr(error.args), repr(vars(error))):
        for secret in (*CREDENTIALS[vendor].values(), PHONE, PHONE[3:], CODE, "://", "/sms", "%E"):
            assert secret not in shown


# ------------------------------------------------------------------------ certainly not sent


@every_vendor
def test_a_refused_connection_means_not_sent(vendor: str, closed_port: int) -> None:
    error = outcome_of(at(vendor, f"http://127.0.0.1:{closed_port}"), vendor)

    assert isinstance(error, GatewayUnavailable)
    assert "127.0.0.1 could not be reached" in str(error)


@every_vendor
def test_an_unknown_host_means_not_sent(vendor: str) -> None:
    error = outcome_of(at(vendor, "https://nonexistent.invalid"), vendor)

    assert isinstance(error, GatewayUnavailable)
    assert "nonexistent.invalid" in str(error)


@every_vendor
def test_a_host_without_tls_receives_nothing(vendor: str, sandbox: Sandbox) -> None:
    before = served(sandbox)

    error = outcome_of(at(vendor, sandbox.base_urls[vendor].replace("http://", "https://"), private_hosts=True), vendor)

    assert isinstance(error, GatewayUnavailable)
    assert served(sandbox) == before


@every_vendor
def test_a_connect_timeout_means_not_sent(vendor: str, full_listener: socket.socket) -> None:
    error = outcome_of(at(vendor, address(full_listener), timeout=SHORT_READ), vendor)

    assert isinstance(error, GatewayUnavailable)
    assert "ConnectTimeout" in str(error)


@every_vendor
def test_a_tls_handshake_without_an_answer_means_not_sent(vendor: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = outcome_of(at(vendor, address(silent, "https"), timeout=SHORT_READ, private_hosts=True), vendor)

    assert isinstance(error, GatewayUnavailable)


def test_the_total_time_limits_connecting_too(full_listener: socket.socket) -> None:
    begun = time.monotonic()

    error = outcome_of(at("topthink", address(full_listener), timeout=(60, 60, 0.1)), "topthink")

    assert isinstance(error, GatewayUnavailable)
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize(
    ("vendor", "credential", "options"),
    [("topthink", "app_code", {"auth": "header"}), ("apispace", "token", {}), ("qixuntong", "secret_id", {})],
)
@pytest.mark.parametrize("value", ["密钥", "key\r\nX-Other: 1", "key\n"], ids=["Chinese", "two lines", "line end"])
def test_a_credential_that_is_invalid_in_a_header_means_not_sent(
    vendor: str, credential: str, options: dict[str, str], value: str, sandbox: Sandbox
) -> None:
    before = served(sandbox)

    gateway = at(vendor, sandbox.base_urls[vendor], credentials={credential: value}, options=options)
    error = outcome_of(gateway, vendor)

    assert isinstance(error, GatewayUnavailable)
    assert value.strip() not in f"{error!r}"
    assert served(sandbox) == before


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "nonsense",
        "http://",
        "ftp://127.0.0.1/",
        "https://[::1",
        "http://127.0.0.1:port/",
        "http://*/",
        "https://１２７.0.0.1",
    ],
)
def test_an_invalid_base_url_means_not_sent(base_url: str) -> None:
    assert isinstance(at("veesing", base_url).send(submitted("veesing"))[PHONE], GatewayUnavailable)


# ------------------------------------------------------------------------ certificates


@pytest.fixture
def self_signed(tmp_path: Path) -> Path:
    """A self-signed certificate for this machine, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path / "self-signed.pem"
    path.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def untrusted_server(self_signed: Path) -> Iterator[Vendor]:
    """A server with this certificate; a client that trusts the certificate can use it."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(self_signed)
    with Vendor(ACCEPTED["topthink"], tls=tls) as server:
        assert requests.post(server.url, verify=str(self_signed), timeout=5).status_code == 200
        server.received.clear()
        yield server


@every_vendor
def test_a_self_signed_certificate_is_not_accepted(
    vendor: str, untrusted_server: Vendor, self_signed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(self_signed))

    error = outcome_of(at(vendor, untrusted_server.url, private_hosts=True), vendor)

    assert isinstance(error, GatewayUnavailable)
    assert "SSLError" in str(error)
    assert untrusted_server.received == []


# ------------------------------------------------------------------------ perhaps sent


@pytest.mark.parametrize("vendor", FEW_QUICKLY)
@pytest.mark.parametrize(
    ("fault", "timeout"),
    [
        (Fault.hang(), SHORT_READ),
        (Fault.reset(), (5, 5, 10)),
        (Fault.reset(deliver=True), (5, 5, 10)),
        (Fault.drip(), SHORT_TOTAL),
    ],
    ids=["hang", "reset", "delivered, then reset", "drip"],
)
def test_without_a_whole_answer_the_outcome_is_uncertain(
    vendor: str, fault: Fault, timeout: tuple[float, float, float], sandbox: Sandbox
) -> None:
    sandbox.misbehave(vendor, fault)
    before, began = served(sandbox), time.monotonic()

    error = outcome_of(at(vendor, sandbox.base_urls[vendor], timeout=timeout), vendor)

    assert isinstance(error, GatewayUncertain)
    assert time.monotonic() - began < 5
    assert served(sandbox) == before + 1
    assert len(sandbox.inbox.of(PHONE[3:])) == fault.deliver


@every_vendor
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.status(500), "500"),
        (Fault.status(502), "502"),
        (Fault.deliver_then_status(503), "503"),
        (Fault.garbage(), UNREADABLE),
        (Fault.empty(), UNREADABLE),
        (Fault.huge(), ""),
    ],
    ids=["500", "502", "delivered, then 503", "garbage", "empty", "huge"],
)
def test_with_an_unreadable_answer_the_outcome_is_uncertain(
    vendor: str, fault: Fault, code: str, sandbox: Sandbox
) -> None:
    sandbox.misbehave(vendor, fault)
    before = served(sandbox)

    error = outcome_of(at(vendor, sandbox.base_urls[vendor]), vendor)

    assert isinstance(error, GatewayUncertain)
    assert error.error_code == code
    assert served(sandbox) == before + 1


@every_vendor
def test_with_an_incomplete_answer_the_outcome_is_uncertain(vendor: str) -> None:
    with Vendor(ACCEPTED[vendor], ("Connection", "close"), promised=1) as server:
        error = outcome_of(at(vendor, server.url), vendor)

    assert isinstance(error, GatewayUncertain)
    assert len(server.received) == 1


@pytest.mark.parametrize(("size", "expected"), [(1024 * 1024, "accepted"), (1024 * 1024 + 1, "uncertain")])
def test_an_answer_may_have_at_most_1_mib(size: int, expected: str) -> None:
    with Vendor('{"code":0}'.ljust(size)) as server:
        assert verdict(at("topthink", server.url).send(submitted("topthink"))[PHONE])[0] == expected


@every_vendor
@pytest.mark.parametrize("coding", ["gzip", "GZIP", "deflate", "br", "zstd", "identity, gzip", "x-unheard-of"])
def test_a_compressed_answer_is_not_decompressed(vendor: str, coding: str) -> None:
    with Vendor(gzip.compress(ACCEPTED[vendor].encode()), ("Content-Encoding", coding)) as server:
        error = outcome_of(at(vendor, server.url), vendor)

    assert isinstance(error, GatewayUncertain)
    assert str(error) == "the answer is compressed, which was not asked for"
    assert len(server.received) == 1


@every_vendor
def test_the_content_encoding_identity_is_accepted(vendor: str) -> None:
    with Vendor(ACCEPTED[vendor], ("Content-Encoding", "Identity ")) as server:
        assert isinstance(at(vendor, server.url).send(submitted(vendor))[PHONE], Acceptance)


@pytest.mark.slow
@folded("status", [200, 301, 302, 307, 403, 500])
@folded("compressed", [True, False])
def test_a_large_answer_is_never_whole_in_memory(status: int, compressed: bool) -> None:
    body = gzip.compress(bytes(64 * 1024 * 1024)) if compressed else bytes(16 * 1024 * 1024)
    headers = [("Location", "/elsewhere"), *([("Content-Encoding", "gzip")] if compressed else [])]
    with Vendor(body, *headers, status=status) as server:
        tracemalloc.start()
        error = outcome_of(at("topthink", server.url), "topthink")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    assert peak < 8 * 1024 * 1024
    expected = "rejected" if 300 <= status < 500 else "uncertain"
    assert verdict(error)[0] == expected, "a refusal by its status stays a refusal"
    if compressed and status >= 300:
        assert f"HTTP {status}: {len(body)} bytes" in str(error)


# ------------------------------------------------------------------------ refused by HTTP


@every_vendor
@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (400, "other"),
        (401, "account"),
        (402, "account"),
        (403, "account"),
        (404, "other"),
        (429, "rate"),
        (304, "other"),
    ],
)
def test_a_refusal_by_http_status_is_rejected(vendor: str, status: int, reason: str, sandbox: Sandbox) -> None:
    sandbox.misbehave(vendor, Fault.status(status))

    error = outcome_of(at(vendor, sandbox.base_urls[vendor]), vendor)

    assert verdict(error) == ("rejected", reason, str(status))
    assert f"HTTP {status}" in str(error)


@every_vendor
def test_a_redirect_is_a_refusal_and_is_not_followed(vendor: str, sandbox: Sandbox) -> None:
    sandbox.misbehave(vendor, Fault.redirect())
    before = served(sandbox)

    error = outcome_of(at(vendor, sandbox.base_urls[vendor]), vendor)

    assert verdict(error) == ("rejected", "other", "302")
    assert served(sandbox) == before + 1


# ------------------------------------------------------------------------ requests and connections


@every_vendor
def test_the_sandbox_vendor_accepts_a_send(vendor: str, sandbox: Sandbox) -> None:
    found = at(vendor, sandbox.base_urls[vendor]).send(submitted(vendor))[PHONE]

    (received,) = sandbox.inbox.of(PHONE[3:])
    assert isinstance(found, Acceptance)
    assert found.remote_id == received.remote_id
    assert CODE in received.text


@every_vendor
def test_the_request_arrives_as_it_was_built(vendor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "token_hex", lambda size: "0" * 2 * size)  # a nonce is signed
    with Vendor(ACCEPTED[vendor]) as server:
        gateway = at(vendor, server.url)
        with time_machine.travel(datetime(2026, 11, 21, tzinfo=UTC), tick=False):
            built = gateway.build_send(submitted(vendor)).prepare()
            assert isinstance(gateway.send(submitted(vendor))[PHONE], Acceptance)

    (call,) = server.received
    assert call.line == f"{built.method} {built.path_url} HTTP/1.1"
    assert call.body == body_of(built)
    general = {"Host", "User-Agent", "Accept", "Accept-Encoding", "Connection"}
    own = [{name: value for name, value in one.items() if name not in general} for one in (call.headers, built.headers)]
    assert own[0] == own[1]
    assert (call.headers["User-Agent"], call.headers["Accept-Encoding"]) == ("django-smsverify", "identity")


@every_vendor
def test_one_connection_serves_many_sends(vendor: str) -> None:
    with Vendor(ACCEPTED[vendor]) as server:
        for _ in range(3):
            assert isinstance(at(vendor, server.url).send(submitted(vendor))[PHONE], Acceptance)

    assert len(server.received) == 3
    assert len({call.port for call in server.received}) == 1


@every_vendor
def test_a_connection_that_the_vendor_closed_is_replaced(vendor: str) -> None:
    with Vendor(ACCEPTED[vendor], hang_up=True) as server:
        for _ in range(2):
            assert isinstance(at(vendor, server.url).send(submitted(vendor))[PHONE], Acceptance)
            assert server.closed.acquire(timeout=10)

    assert len({call.port for call in server.received}) == 2


def test_proxies_of_the_environment_are_ignored(closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port}")
    with Vendor(ACCEPTED["topthink"]) as server:
        with pytest.raises(requests.exceptions.ProxyError):
            requests.get(server.url, timeout=5)

        assert isinstance(at("topthink", server.url).send(submitted("topthink"))[PHONE], Acceptance)


def test_netrc_does_not_replace_the_authorization(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with Vendor(ACCEPTED["topthink"]) as server:
        requests.get(server.url, timeout=5)
        at("topthink", server.url, options={"auth": "header"}).send(submitted("topthink"))
        at("veesing", server.url).send(submitted("veesing"))

    by_hand, topthink, veesing = (call.headers.get("Authorization") for call in server.received)
    assert by_hand is not None
    assert by_hand.startswith("Basic ")
    assert topthink == f"AppCode {CREDENTIALS['topthink']['app_code']}"
    assert veesing is None


def test_cookies_are_not_kept() -> None:
    with Vendor(ACCEPTED["topthink"], ("Set-Cookie", "session=1; Path=/")) as server:
        for _ in range(2):
            at("topthink", server.url).send(submitted("topthink"))

    assert [call.headers.get("Cookie") for call in server.received] == [None, None]


REQUESTS: dict[str, Any] = {
    "form": {"method": "post", "data": {"码": "1", "empty": ""}, "headers": {"user-agent": "mine", "Accept": None}},
    "JSON": {"method": "POST", "json": {"码": [1, None]}, "auth": ("account", "key")},
    "bytes": {"method": "POST", "data": b"\x00signed", "headers": {"Content-Type": "text/plain"}},
    "query": {"method": "GET", "params": {"a": ["1", "2"], "b": "码"}, "cookies": {"session": "1"}},
}


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_is_written_as_requests_writes_it(kind: str) -> None:
    with Vendor("{}") as server, requests.Session() as session:
        session.headers.update({"User-Agent": "django-smsverify", "Accept-Encoding": "identity"})
        request = requests.Request(url=f"{server.url}/a%20b?c=d", **REQUESTS[kind])
        session.send(session.prepare_request(request))
        HTTPTransport().send(request, Account(base_url=server.url, credentials={}))

    by_requests, ours = (replace(one, port=0) for one in server.received)
    assert ours == by_requests


def test_a_proxy_that_refuses_the_tunnel_means_not_sent() -> None:
    with Vendor("no", status=403) as proxy:
        error = outcome_of(at("topthink", "https://vendor.example", options={"proxy": proxy.url}), "topthink")

    assert isinstance(error, GatewayUnavailable)
    assert [call.line.rpartition(" ")[0] for call in proxy.received] == ["CONNECT vendor.example:443"]


def test_a_slow_answer_of_a_proxy_ends_at_the_deadline() -> None:
    with dripping_proxy() as proxy:
        begun = time.monotonic()
        gateway = at("topthink", "https://vendor.example", options={"proxy": proxy}, timeout=(1, 1, 0.5))
        error = outcome_of(gateway, "topthink")

    assert isinstance(error, GatewayUnavailable)
    assert time.monotonic() - begun < 5


def test_a_proxy_that_is_down_means_not_sent(closed_port: int) -> None:
    proxy = f"http://127.0.0.1:{closed_port}"

    error = outcome_of(at("topthink", "https://vendor.example", options={"proxy": proxy}), "topthink")

    assert isinstance(error, GatewayUnavailable)


# ------------------------------------------------------------------------ secrets


@every_vendor
@pytest.mark.parametrize("fault", [None, Fault.status(500), Fault.reset()], ids=["accepted", "500", "reset"])
def test_urllib3_logs_nothing_during_a_send(
    vendor: str, fault: Fault | None, sandbox: Sandbox, log: LogRecorder
) -> None:
    if fault is not None:
        sandbox.misbehave(vendor, fault)

    at(vendor, sandbox.base_urls[vendor]).send(submitted(vendor))

    assert "urllib3" not in log.text
    assert CODE not in log.text
    requests.get(sandbox.url, timeout=5)
    assert "urllib3.connectionpool DEBUG" in log.text


@every_vendor
@pytest.mark.parametrize("status", [400, 500])
def test_secrets_in_an_answer_are_hidden_in_the_error(vendor: str, status: int) -> None:
    echo = " ".join((PHONE, PHONE[3:], CODE, f"【示例站】{CODE}", *CREDENTIALS[vendor].values()))
    with Vendor(json.dumps({"message": echo}), status=status) as server:
        error = outcome_of(at(vendor, server.url), vendor)

    assert "***" in str(error)


@pytest.mark.parametrize("length", range(472, 492, 2))
def test_no_part_of_a_number_or_code_is_left_when_an_answer_is_cut(length: int) -> None:
    with Vendor(json.dumps({"message": f"{'x' * length}{CODE}{PHONE}"}), status=400) as server:
        error = outcome_of(at("topthink", server.url), "topthink")

    assert CODE[:3] not in str(error)
    assert PHONE[3:7] not in str(error)


def test_only_the_beginning_of_a_long_answer_is_kept() -> None:
    with Vendor(json.dumps({"message": "x" * 60_000}), status=400) as server:
        error = outcome_of(at("topthink", server.url), "topthink")

    assert str(error).startswith('HTTP 400: {"message": "xxx')
    assert len(str(error)) <= 500


def test_the_repr_of_a_gateway_and_its_account_shows_no_secret() -> None:
    for vendor, kind in GATEWAYS.items():
        gateway = at(vendor, kind.base_url)
        for shown in (repr(gateway.account), str(gateway.account), repr(submitted(vendor)), repr(gateway)):
            for secret in (*CREDENTIALS[vendor].values(), PHONE, CODE):
                assert secret not in shown


# ------------------------------------------------------------------------ threads and processes


@every_vendor
def test_fifty_threads_share_one_gateway(vendor: str, sandbox: Sandbox) -> None:
    gateway = at(vendor, sandbox.base_urls[vendor], timeout=(20, 20, 40))
    orders = [(f"+86138001380{n:02}", f"4711{n:02}") for n in range(50)]

    with ThreadPoolExecutor(50) as pool:
        outcomes = list(pool.map(lambda order: gateway.send(submitted(vendor, *order)), orders))

    for (phone, code), outcome in zip(orders, outcomes, strict=True):
        (received,) = sandbox.inbox.of(phone[3:])
        assert code in received.text
        assert verdict(outcome[phone]) == ("accepted", received.remote_id)


FORKING = """
import os, sys
from django_smsverify.gateways.topthink import TopThinkGateway
from django_smsverify.types import Acceptance, Account, OutgoingSMS

def send():
    account = Account(base_url=sys.argv[1], credentials={"app_code": "x"})
    outcome = TopThinkGateway(account).send(OutgoingSMS(content="x", recipients={"+8613800138000": {}}))
    return isinstance(outcome["+8613800138000"], Acceptance)

assert send()
child = os.fork()
if not child:
    os._exit(0 if send() else 1)
assert os.waitpid(child, 0)[1] == 0
assert send()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_opens_its_own_connection() -> None:
    with Vendor(ACCEPTED["topthink"]) as server:
        subprocess.run([sys.executable, "-c", FORKING, server.url], check=True, timeout=60)

    parent, child, parent_again = (call.port for call in server.received)
    assert parent_again == parent
    assert child != parent


@pytest.mark.parametrize(
    ("broken", "expected"),
    [("_new_conn", GatewayUnavailable), ("getresponse", GatewayUncertain)],
    ids=["before", "after"],
)
def test_an_unexpected_error_is_unavailable_before_the_request_and_uncertain_after_it(
    broken: str, expected: type[GatewayError], monkeypatch: pytest.MonkeyPatch, log: LogRecorder
) -> None:
    def fail(*args: object) -> None:
        raise AssertionError(f"a bug that repeats {PHONE}")

    monkeypatch.setattr(connections.ObservedConnection, broken, fail)
    with Vendor(ACCEPTED["ihuyi"]) as server:
        outcome = at("ihuyi", server.url).send(submitted("ihuyi"))[PHONE]

    assert isinstance(outcome, expected)
    assert "The call of a vendor broke off with AssertionError" in log.text
