"""The hosts of requests: public addresses, and the private ones that ALLOW_PRIVATE_HOSTS allows."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import requests

from django_smsverify.exceptions import GatewayError, GatewayUnavailable
from django_smsverify.gateways.hosts import is_public
from django_smsverify.gateways.transport import HTTPTransport
from django_smsverify.types import Acceptance, Account, PrivateHosts
from tests.conftest import PHONE
from tests.folding import folded

from .certificates import Authority
from .support import ACCEPTED, Vendor, at, submitted

PRIVATE = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.168.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "224.0.1.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::8.8.8.8",
    "100::1",
    "2001:db8::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "fc00::1",
    "fd12:3456:789a::1",
    "fe80::1",
    "fe80::1%1",
    "fec0::1",
    "ff02::1",
]
PUBLIC = [
    "1.1.1.1",
    "100.63.255.255",
    "100.128.0.1",
    "120.24.0.1",
    "172.32.0.1",
    "192.169.0.1",
    "223.5.5.5",
    "2400:3200::1",
    "2606:4700:4700::1111",
    "::ffff:223.5.5.5",
    "64:ff9b::223.5.5.5",
    "2002:df05:505::1",
]


@folded("address", PRIVATE)
def test_a_private_address_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@folded("address", PUBLIC)
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(ip_address(address))


class Resolver:
    """The system's resolver with additional names; records the address of each connection."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: dict[str, list[str]] = {}
        self.connected: list[str] = []
        real, connect = socket.getaddrinfo, socket.socket.connect

        def getaddrinfo(host: str, port: int, **kwargs: Any) -> Any:
            if host in self.names and "flags" not in kwargs:
                found = self.names[host].pop(0) if len(self.names[host]) > 1 else self.names[host][0]
                return [row for one in found.split() for row in real(one, port, **kwargs)]
            return real(host, port, **kwargs)

        def recorded(one: socket.socket, address: Any) -> None:
            self.connected.append(address[0])
            if not address[0].startswith("127."):
                raise ConnectionRefusedError
            connect(one, address)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        monkeypatch.setattr(socket.socket, "connect", recorded)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    return Resolver(monkeypatch)


def refusal(url: str, private_hosts: PrivateHosts = "loopback", proxy: str = "") -> str:
    """The reason why no connection was tried; empty when one was tried."""
    options = {"proxy": proxy} if proxy else {}
    gateway = at("topthink", url, private_hosts=private_hosts, options=options, timeout=(2, 2, 4))
    error = gateway.send(submitted("topthink"))[PHONE]
    assert isinstance(error, GatewayUnavailable), error
    return str(error).partition("(")[2].rstrip(")") if "Error" not in str(error) else ""


PRIVATE_ADDRESS = 'it leads to a private address: see SMSVERIFY["ALLOW_PRIVATE_HOSTS"]'
HTTPS_ONLY = "http is allowed for loopback only: use an https:// URL"
NO_HTTP_BY_PROXY = "a proxy carries https only: remove the proxy, or use an https:// URL"


@pytest.mark.parametrize("private_hosts", ["loopback", False])
@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_with_a_private_address_is_not_connected_to(
    address: str, private_hosts: PrivateHosts, resolver: Resolver
) -> None:
    resolver.names["sms.example"] = [address]

    assert refusal("https://sms.example", private_hosts) == PRIVATE_ADDRESS
    assert resolver.connected == []


SPELLINGS = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "127.0.0.1.",
    "localhost",
    "LOCALHOST.",
    "a.localhost",
    "0",
    "10.0.0.1",
    "167772161",
    "0xa9fea9fe",
    "169.254.169.254",
    "100.100.100.200",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:a00:1]",
    "[64:ff9b::a00:1]",
    "[2002:7f00:1::]",
    "[fc00::1]",
    "[fe80::1%25lo]",
    "127%2e0.0.1",
]


@pytest.mark.parametrize("proxy", ["", "http://127.0.0.1:9", "https://10.0.0.5:9"])
@pytest.mark.parametrize("private_hosts", ["loopback", False])
@pytest.mark.parametrize("host", SPELLINGS)
def test_a_private_address_is_not_connected_to_in_any_spelling(
    host: str, private_hosts: PrivateHosts, proxy: str, resolver: Resolver
) -> None:
    assert refusal(f"https://{host}:8443/path", private_hosts, proxy) == PRIVATE_ADDRESS
    assert resolver.connected == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_by_default_http_to_loopback_is_allowed(host: str) -> None:
    with Vendor(ACCEPTED["topthink"]) as server:
        url = server.url.replace("127.0.0.1", host)

        assert isinstance(at("topthink", url).send(submitted("topthink"))[PHONE], Acceptance)
        assert refusal(url, False) == PRIVATE_ADDRESS
    assert len(server.received) == 1


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "127.0.0.2", "[::ffff:127.0.0.1]", "a.localhost", "sms.example"]
)
@pytest.mark.parametrize("private_hosts", ["loopback", False])
def test_http_to_loopback_is_refused_in_other_spellings(
    host: str, private_hosts: PrivateHosts, resolver: Resolver
) -> None:
    resolver.names["sms.example"] = ["127.0.0.1"]

    assert refusal(f"http://{host}:8080", private_hosts) == HTTPS_ONLY
    assert resolver.connected == []


def test_localhost_with_a_public_address_is_not_connected_to(resolver: Resolver) -> None:
    resolver.names["localhost"] = ["223.5.5.5"]

    assert refusal("http://localhost:8080") == PRIVATE_ADDRESS
    assert resolver.connected == []


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "localhost", "sms.example", "10.0.0.1"])
def test_a_site_may_allow_its_own_network(scheme: str, host: str, resolver: Resolver) -> None:
    resolver.names["sms.example"] = ["192.168.1.1"]

    assert refusal(f"{scheme}://{host}:9", True) == ""
    assert len(resolver.connected) >= 1


def test_the_address_that_is_connected_to_is_checked(resolver: Resolver) -> None:
    resolver.names["sms.example"] = ["223.5.5.5", "127.0.0.1"]

    assert refusal("https://sms.example") == ""
    assert refusal("https://sms.example") == PRIVATE_ADDRESS
    assert resolver.connected == ["223.5.5.5"]


def test_only_the_public_ones_of_several_addresses_are_tried(resolver: Resolver) -> None:
    resolver.names["sms.example"] = ["10.0.0.1 223.5.5.5 127.0.0.1"]

    assert refusal("https://sms.example") == ""
    assert resolver.connected == ["223.5.5.5"]


@pytest.mark.parametrize("private_hosts", ["loopback", True, False])
@pytest.mark.parametrize("host", ["127.0.0.1", "vendor.example", "10.0.0.1"])
def test_a_proxy_is_never_used_for_http(host: str, private_hosts: PrivateHosts) -> None:
    with Vendor('{"secret": "internal"}', status=403) as proxy:
        assert refusal(f"http://{host}/", private_hosts, proxy.url) == NO_HTTP_BY_PROXY

    assert proxy.received == []


@pytest.mark.parametrize("private_hosts", ["loopback", True, False])
def test_a_proxy_may_have_a_private_address(private_hosts: PrivateHosts) -> None:
    with Vendor("no", status=403) as proxy:
        assert refusal("https://vendor.example", private_hosts, proxy.url) == ""

    assert [call.line.rpartition(" ")[0] for call in proxy.received] == ["CONNECT vendor.example:443"]


def test_an_open_connection_is_not_used_under_stricter_rules(resolver: Resolver, tmp_path: Path) -> None:
    resolver.names["sms.example"] = ["127.0.0.1"]
    company = Authority(tmp_path)
    with Vendor(ACCEPTED["topthink"], tls=company.context("sms.example")) as server:
        url = server.url.replace("127.0.0.1", "sms.example")
        rules: tuple[tuple[PrivateHosts, type], ...]
        rules = ((True, Acceptance), ("loopback", GatewayUnavailable), (False, GatewayUnavailable))
        for private_hosts, kind in rules:
            gateway = at("topthink", url, private_hosts=private_hosts, ca_bundle=str(company.path))
            assert isinstance(gateway.send(submitted("topthink"))[PHONE], kind)

    assert len(server.received) == 1


def test_an_address_in_an_option_is_checked_too() -> None:
    options = {"report_host": "https://169.254.169.254"}
    gateway = at("apispace", "https://eolink.o.apispace.com", options=options)

    with pytest.raises(GatewayError) as caught:
        gateway.pull_reports()

    assert "private address" in str(caught.value)


@pytest.mark.parametrize("url", ["https://10.0.0.1/path?key=SECRET", "http://sms.example/?key=SECRET"])
def test_a_refusal_names_only_the_host(url: str) -> None:
    with pytest.raises(GatewayUnavailable) as caught:
        HTTPTransport().send(requests.Request("GET", url), Account(base_url=url, credentials={}))

    assert "SECRET" not in str(caught.value)
    assert caught.value.__context__ is None
