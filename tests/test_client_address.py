"""Which address is counted, and a warning if it is the same for all clients."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.test import Client, RequestFactory, override_settings

from django_smsverify.http import client_address
from django_smsverify.http.client_address import client_ip
from django_smsverify.limits.shared import networks
from tests.folding import folded

from .conftest import LogRecorder, MakeProvider, Site

FORWARDED, REAL = "X-Forwarded-For", "X-Real-IP"
CLIENT, OTHER, PROXY = "9.9.9.9", "8.8.4.4", "10.0.0.2"
WARNING = "All clients may count as one address"


@pytest.fixture(autouse=True)
def _new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_address, "_warned", set())


def found(proxies: int, header: str = FORWARDED, *, peer: str = PROXY, **sent: str) -> str:
    """The address of a request; `real` and `forwarded` are its headers."""
    names = {"forwarded": "HTTP_X_FORWARDED_FOR", "real": "HTTP_X_REAL_IP"}
    request = RequestFactory().get("/")
    request.META.update(REMOTE_ADDR=peer, **{names[name]: value for name, value in sent.items()})
    with override_settings(SMSVERIFY={"TRUSTED_PROXIES": proxies, "CLIENT_IP_HEADER": header}):
        return client_ip(request)


def warnings(log: LogRecorder) -> list[str]:
    return [line for line in log.lines if line.startswith(f"django_smsverify WARNING {WARNING}")]


@folded(
    "proxies, sent, client",
    [
        (1, {"real": CLIENT}, CLIENT),
        (1, {"real": f" {CLIENT} "}, CLIENT),
        (2, {"real": CLIENT}, CLIENT),
        (1, {"real": CLIENT, "forwarded": OTHER}, CLIENT),
        (1, {"real": f"{OTHER}, {CLIENT}"}, CLIENT),
        (1, {"real": f"[2001:4860::1]:4711, {CLIENT}:80"}, CLIENT),
        (1, {"real": "2001:4860::1"}, "2001:4860::1"),
        (1, {"real": f"::ffff:{CLIENT}"}, CLIENT),
        (1, {"forwarded": CLIENT}, PROXY),
        (1, {"real": "unknown"}, PROXY),
        (1, {"real": ""}, PROXY),
        (0, {"real": CLIENT}, PROXY),
        (0, {"real": CLIENT, "forwarded": CLIENT}, PROXY),
    ],
)
def test_x_real_ip_is_read_if_it_is_configured_and_a_proxy_is_trusted(
    proxies: int, sent: dict[str, str], client: str
) -> None:
    assert found(proxies, REAL, **sent) == client


@pytest.mark.parametrize(
    ("proxies", "sent"),
    [(1, {"real": CLIENT}), (2, {"real": CLIENT, "forwarded": OTHER}), (0, {"real": CLIENT, "forwarded": OTHER})],
)
def test_x_real_ip_is_not_read_unless_it_is_configured(proxies: int, sent: dict[str, str]) -> None:
    assert found(proxies, FORWARDED, **sent) == PROXY


@pytest.mark.parametrize(
    ("proxies", "header", "sent", "to_do"),
    [
        (1, FORWARDED, {"real": CLIENT}, 'set SMSVERIFY["CLIENT_IP_HEADER"] to "X-Real-IP".'),
        (1, REAL, {"forwarded": CLIENT}, 'set SMSVERIFY["CLIENT_IP_HEADER"] to "X-Forwarded-For".'),
        (1, FORWARDED, {}, "came without an address in X-Forwarded-For: let the proxy write it"),
        (1, REAL, {}, "came without an address in X-Real-IP: let the proxy write it"),
        (1, FORWARDED, {"forwarded": "unknown"}, "came without an address in X-Forwarded-For"),
        (
            2,
            FORWARDED,
            {"forwarded": CLIENT},
            "is 2, but X-Forwarded-For had 1 of so many entries: set it",
        ),
        (1, FORWARDED, {"forwarded": f"{CLIENT}, 10.0.0.9"}, "count all proxies in front."),
        (1, FORWARDED, {"forwarded": f"{CLIENT}, 100.64.0.9"}, "count all proxies in front."),
        (1, REAL, {"forwarded": CLIENT, "real": "10.0.0.9"}, "count all proxies in front."),
        (0, FORWARDED, {"forwarded": CLIENT}, "sends X-Forwarded-For: if that is a proxy of your own, set it to"),
        (0, FORWARDED, {"real": CLIENT}, 'number of proxies in front and "CLIENT_IP_HEADER" to "X-Real-IP".'),
        (0, REAL, {"real": CLIENT}, "sends X-Real-IP: if that is a proxy of your own, set it to the number"),
        (0, FORWARDED, {"real": CLIENT, "forwarded": CLIENT}, "sends X-Forwarded-For: if that is a proxy"),
        (0, FORWARDED, {"peer": "127.0.0.1", "forwarded": CLIENT}, "a peer in a private network sends"),
        (0, FORWARDED, {"peer": "::1", "forwarded": CLIENT}, "a peer in a private network sends"),
        (0, FORWARDED, {"peer": "::ffff:10.0.0.2", "forwarded": CLIENT}, "a peer in a private network sends"),
        (0, FORWARDED, {"peer": "100.64.0.1", "forwarded": CLIENT}, "a peer in a private network sends"),
        (0, FORWARDED, {"peer": "", "forwarded": CLIENT}, "such as a Unix socket, sends X-Forwarded-For"),
        (0, FORWARDED, {"peer": ""}, "such as a Unix socket, sends the requests: let the proxy write X-Forwarded-For"),
    ],
)
def test_one_warning_says_what_to_set_if_all_clients_have_one_address(
    proxies: int, header: str, sent: dict[str, str], to_do: str, log: LogRecorder
) -> None:
    for _ in range(3):
        found(proxies, header, **sent)

    (line,) = warnings(log)
    assert to_do in line
    for address in (CLIENT, OTHER, PROXY, "10.0.0.9", "100.64.0."):
        assert address not in line


@pytest.mark.parametrize(
    ("proxies", "header", "sent"),
    [
        (0, FORWARDED, {}),
        (0, FORWARDED, {"peer": "127.0.0.1"}),
        (0, FORWARDED, {"peer": CLIENT, "forwarded": OTHER}),
        (0, FORWARDED, {"peer": CLIENT, "real": OTHER}),
        (1, FORWARDED, {"forwarded": CLIENT}),
        (1, FORWARDED, {"forwarded": f"{OTHER}, {CLIENT}", "real": OTHER}),
        (1, FORWARDED, {"forwarded": f"unknown, {CLIENT}"}),
        (1, FORWARDED, {"forwarded": "10.1.2.3"}),
        (1, FORWARDED, {"forwarded": "10.1.2.4, 10.1.2.3"}),
        (2, FORWARDED, {"forwarded": f"{CLIENT}, 10.0.0.9"}),
        (1, REAL, {"real": CLIENT, "forwarded": OTHER}),
        (1, REAL, {"real": "10.1.2.3", "forwarded": "10.1.2.3"}),
    ],
)
def test_there_is_no_warning_if_clients_have_different_addresses(
    proxies: int, header: str, sent: dict[str, str], log: LogRecorder
) -> None:
    found(proxies, header, **sent)

    assert not warnings(log)


def test_each_cause_is_logged_once(log: LogRecorder) -> None:
    for _ in range(2):
        found(1, real=CLIENT)
        found(2, forwarded=CLIENT)

    assert len(warnings(log)) == 2


def test_each_client_behind_a_proxy_with_x_real_ip_has_its_own_limit(
    site: Site, memory: MakeProvider, log: LogRecorder
) -> None:
    memory()
    limits = {"IP_LIMITS": ("1/h",), "TRUSTED_PROXIES": 1}
    with override_settings(SMSVERIFY=limits):
        assert [site.send(f"1380013800{n}", X_Real_IP=f"9.9.9.{n}").status_code for n in (1, 2)] == [202, 429]
        assert warnings(log)
    with override_settings(SMSVERIFY={**limits, "CLIENT_IP_HEADER": REAL}):
        answers = [site.send(f"1390013900{n}", X_Real_IP=f"9.9.9.{n % 2}").status_code for n in (1, 2, 3)]
    assert answers == [202, 202, 429]


def test_x_real_ip_is_ignored_without_a_trusted_proxy(client: Client, memory: MakeProvider) -> None:
    memory()
    with override_settings(SMSVERIFY={"IP_LIMITS": ("1/h",), "CLIENT_IP_HEADER": REAL}):
        answers = [
            client.post(
                "/sms/send/",
                {"phone": f"1380013800{n}", "purpose": "login"},
                "application/json",
                headers={"x-real-ip": f"9.9.9.{n}"},
                REMOTE_ADDR=CLIENT,
            ).status_code
            for n in (1, 2)
        ]
    assert answers == [202, 429]


def test_a_broken_header_setting_leaves_the_default_in_force() -> None:
    broken: Any = "Forwarded"

    assert found(1, broken, forwarded=CLIENT) == CLIENT


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("9.9.9.9", "9.9.9.9"),
        ("::ffff:9.9.9.9", "9.9.9.9"),
        ("2002:909:909::1", "9.9.9.9"),
        ("2002:909:909:ffff:1:2:3:4", "9.9.9.9"),
        ("2002:909:90a::1", "9.9.9.10"),
        ("64:ff9b::9.9.9.9", "9.9.9.9"),
        ("64:ff9b::9.9.9.10", "9.9.9.10"),
        ("64:ff9b:1::9.9.9.9", "64:ff9b:1::/64"),
        ("2001:4860:1:2::1", "2001:4860:1:2::/64"),
        ("2003:909:909:1::1", "2003:909:909:1::/64"),
        ("::1", "::/64"),
    ],
)
def test_an_ipv4_address_in_ipv6_notation_is_counted_as_ipv4(address: str, counted: str) -> None:
    assert next(networks(address)) == (counted, 1)


def test_the_warning_goes_to_the_apps_own_logger() -> None:
    assert client_address.logger is logging.getLogger("django_smsverify")
