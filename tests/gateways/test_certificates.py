"""Additional certificate authorities, as a company's proxy needs that decrypts TLS."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from django_smsverify.exceptions import GatewayUnavailable
from django_smsverify.gateways import transport
from django_smsverify.gateways.transport import connections
from django_smsverify.types import Acceptance
from tests.conftest import FEW_QUICKLY, PHONE, LogRecorder

from .certificates import Authority
from .support import ACCEPTED, Vendor, at, submitted

every_vendor = pytest.mark.parametrize("vendor", FEW_QUICKLY)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("company"))


@pytest.fixture(scope="module")
def other_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("other"), "Other CA")


@pytest.fixture
def decrypting_proxy(company: Authority) -> Iterator[Vendor]:
    with Vendor(ACCEPTED["topthink"], intercept=company.context) as proxy:
        yield proxy


@every_vendor
def test_a_server_is_trusted_with_an_additional_authority(vendor: str, company: Authority) -> None:
    with Vendor(ACCEPTED[vendor], tls=company.context("127.0.0.1")) as server:
        gateway = at(vendor, server.url, private_hosts=True, ca_bundle=str(company.path))
        for _ in range(2):
            assert isinstance(gateway.send(submitted(vendor))[PHONE], Acceptance)

    assert len(server.received) == 2
    assert len({call.port for call in server.received}) == 1


@pytest.mark.parametrize("trusted", ["usual", "other"])
def test_a_server_is_not_trusted_without_its_authority(
    trusted: str, company: Authority, other_authority: Authority
) -> None:
    bundle = str(other_authority.path) if trusted == "other" else None
    with Vendor(ACCEPTED["topthink"], tls=company.context("127.0.0.1")) as server:
        gateway = at("topthink", server.url, private_hosts=True, ca_bundle=bundle)
        error = gateway.send(submitted("topthink"))[PHONE]

    assert isinstance(error, GatewayUnavailable)
    assert "SSLError" in str(error)
    assert server.received == []


def test_a_certificate_for_another_name_is_not_trusted(company: Authority) -> None:
    with Vendor(ACCEPTED["topthink"], tls=company.context("vendor.example")) as server:
        gateway = at("topthink", server.url, private_hosts=True, ca_bundle=str(company.path))
        error = gateway.send(submitted("topthink"))[PHONE]

    assert isinstance(error, GatewayUnavailable)
    assert server.received == []


def test_the_usual_authorities_are_trusted_too(
    company: Authority, other_authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("django_smsverify.gateways.transport", "requests.adapters"):
        monkeypatch.setattr(f"{module}.DEFAULT_CA_BUNDLE_PATH", str(other_authority.path))
    with Vendor(ACCEPTED["topthink"], tls=other_authority.context("127.0.0.1")) as server:
        gateway = at("topthink", server.url, private_hosts=True, ca_bundle=str(company.path))

        assert isinstance(gateway.send(submitted("topthink"))[PHONE], Acceptance)


def test_the_tls_context_has_the_usual_authorities_too(company: Authority) -> None:
    context = transport._tls_context(str(company.path))

    assert context is not None
    usual = ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH).cert_store_stats()["x509_ca"]
    assert context.cert_store_stats()["x509_ca"] == usual + 1


@every_vendor
def test_a_send_passes_a_proxy_that_decrypts_tls(vendor: str, company: Authority) -> None:
    with Vendor(ACCEPTED[vendor], intercept=company.context) as proxy:
        gateway = at(vendor, "https://vendor.example", options={"proxy": proxy.url}, ca_bundle=str(company.path))
        assert isinstance(gateway.send(submitted(vendor))[PHONE], Acceptance)

    assert proxy.received[0].line.startswith("CONNECT vendor.example:443 ")
    assert proxy.received[1].line.split()[1].startswith("/")


def test_a_proxy_that_decrypts_tls_without_trust_receives_nothing(decrypting_proxy: Vendor) -> None:
    gateway = at("topthink", "https://vendor.example", options={"proxy": decrypting_proxy.url})

    assert isinstance(gateway.send(submitted("topthink"))[PHONE], GatewayUnavailable)
    assert [call.line.split()[0] for call in decrypting_proxy.received] == ["CONNECT"]


def test_a_proxy_may_use_https_itself(company: Authority) -> None:
    with Vendor(ACCEPTED["topthink"], tls=company.context("127.0.0.1"), status=403) as proxy:
        gateway = at("topthink", "https://vendor.example", options={"proxy": proxy.url}, ca_bundle=str(company.path))
        assert isinstance(gateway.send(submitted("topthink"))[PHONE], GatewayUnavailable)

    assert [call.line.split()[0] for call in proxy.received] == ["CONNECT"]


def test_an_idle_tunnel_is_opened_again(
    decrypting_proxy: Vendor, company: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"proxy": decrypting_proxy.url}
    gateway = at("topthink", "https://vendor.example", options=options, ca_bundle=str(company.path))
    for idle in (connections.MAX_IDLE, -1.0, connections.MAX_IDLE):
        monkeypatch.setattr(connections, "MAX_IDLE", idle)
        assert isinstance(gateway.send(submitted("topthink"))[PHONE], Acceptance)

    verbs = [call.line.split()[0] for call in decrypting_proxy.received]
    assert verbs == ["CONNECT", "POST", "CONNECT", "POST", "POST"]


@pytest.mark.parametrize("content", [None, "", "no certificate", "-----BEGIN CERTIFICATE-----\nx\n"])
def test_with_an_unreadable_bundle_the_usual_authorities_are_trusted(
    content: str | None, tmp_path: Path, log: LogRecorder, company: Authority
) -> None:
    path = tmp_path / "bundle.pem"
    if content is not None:
        path.write_text(content)
    with Vendor(ACCEPTED["topthink"]) as server:
        gateway = at("topthink", server.url, ca_bundle=str(path))
        assert isinstance(gateway.send(submitted("topthink"))[PHONE], Acceptance)

    assert f"The CA bundle {path} cannot be read" in log.text
