"""Which hosts a request may go to: hosts on the internet, and those of its own network that the site allows."""

from __future__ import annotations

import socket
from contextlib import suppress
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import unquote, urlsplit

from django_smsverify.addresses import IPAddress, unwrapped
from django_smsverify.types import PrivateHosts

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
"""The names of this machine that a base URL may contain."""
INTERNET = IPv6Network("2000::/3")
"""The part of IPv6 that is assigned for the internet."""


class Objection(Enum):
    """Why a request may not go to an address; the value is the reason for a log."""

    INSECURE = "http is allowed for loopback only: use an https:// URL"
    PRIVATE = 'it leads to a private address: see SMSVERIFY["ALLOW_PRIVATE_HOSTS"]'
    PROXIED = "a proxy carries https only: remove the proxy, or use an https:// URL"


def objection(scheme: str, host: str, *, private_hosts: PrivateHosts, proxied: bool) -> Objection | None:
    """Why a URL is not allowed, before its name is resolved; behind a proxy nothing more can be checked."""
    if scheme == "http" and proxied:
        return Objection.PROXIED
    if private_hosts is True:
        return None
    if scheme == "http":
        if bare(host) not in LOOPBACK:
            return Objection.INSECURE
        return None if private_hosts else Objection.PRIVATE
    return Objection.PRIVATE if _is_private_literal(bare(host)) else None


def may_connect(address: str, scheme: str, *, private_hosts: PrivateHosts) -> bool:
    """Whether a connection may be opened to an address whose URL `objection` allowed."""
    if private_hosts is True:
        return True
    found = unwrapped(ip_address(address.partition("%")[0]))
    return found.is_loopback if scheme == "http" else is_public(found)


def is_public(address: IPAddress) -> bool:
    """Whether it is one host on the internet: not private, link-local, loopback, shared, reserved or multicast."""
    found = unwrapped(address)
    if isinstance(found, IPv6Address) and found not in INTERNET:
        return False
    return found.is_global and not found.is_multicast


def spelled_address(host: str) -> IPAddress | None:
    """The address that a host spells, also in C's notation (2130706433, 0x7f.1, 0177.0.0.1); None for a name."""
    with suppress(ValueError):
        return ip_address(host.partition("%")[0])
    with suppress(OSError, ValueError):
        return IPv4Address(socket.inet_aton(host))
    return None


def host_of(url: str) -> str:
    """The host of a URL; empty for what is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def bare(host: str) -> str:
    """A host without brackets, percent escapes and the last dot."""
    return unquote(host).strip("[]").rstrip(".").lower()


def _is_private_literal(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = spelled_address(host)
    return address is not None and not is_public(address)
