"""The client's address as the site's own proxies report it, and a warning in the log when they do not."""

from __future__ import annotations

import ipaddress
import logging

from django.http import HttpRequest

from django_smsverify.conf import CLIENT_IP_HEADERS, conf

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
logger = logging.getLogger("django_smsverify")

NO_ADDRESS = "0.0.0.0"  # noqa: S104 - an address to count by
"""Stands for all clients whose address is unknown; they count as one."""
_warned: set[str] = set()


def client_ip(request: HttpRequest) -> str:
    """Returns the address by which a client's sends are counted.

    With TRUSTED_PROXIES it is what those proxies wrote: that many entries from the right of X-Forwarded-For, or the
    last entry of X-Real-IP, as CLIENT_IP_HEADER selects. Entries further left come from the client and are not read;
    without TRUSTED_PROXIES neither header is read. Otherwise it is REMOTE_ADDR, or "0.0.0.0" if there is none.

    If this makes all clients look alike, a warning states once in each process what to set.
    """
    remote = _address(request.META.get("REMOTE_ADDR", ""))
    hops, header = conf.TRUSTED_PROXIES, conf.CLIENT_IP_HEADER
    entries = _entries(request, header)
    place = hops if header == "X-Forwarded-For" else 1
    written = _address(entries[-place]) if hops > 0 and place <= len(entries) else None
    if hops:
        problem = _missing(request, header) if written is None else _too_near(request, written)
    else:
        problem = _unread(request, remote)
    if problem:
        _warn_once(problem)
    return str(written or remote or NO_ADDRESS)


def _missing(request: HttpRequest, header: str) -> str:
    """What to do when no proxy wrote an address although TRUSTED_PROXIES expects one."""
    hops, entries = conf.TRUSTED_PROXIES, _entries(request, header)
    wanted = f'SMSVERIFY["TRUSTED_PROXIES"] is {hops}'
    other = next(name for name in CLIENT_IP_HEADERS if name != header)
    if not entries and _entries(request, other):
        return f'{wanted}, but a proxy sends {other} and no {header}: set SMSVERIFY["CLIENT_IP_HEADER"] to "{other}".'
    if header == "X-Forwarded-For" and 0 < len(entries) < hops:
        return (
            f"{wanted}, but {header} had {len(entries)} of so many entries: set it to the number of proxies in front, "
            "and let each append the address that it sees."
        )
    return (
        f"{wanted}, but a request came without an address in {header}: let the proxy write it, and let nobody reach "
        "the site past the proxy; without a proxy set it to 0."
    )


def _too_near(request: HttpRequest, written: Address) -> str | None:
    """What to do when TRUSTED_PROXIES leads to another proxy instead of the client."""
    others = [_address(entry) for entry in _entries(request, "X-Forwarded-For")]
    if written.is_global or not any(other.is_global for other in others if other):
        return None
    return (
        f'SMSVERIFY["TRUSTED_PROXIES"] is {conf.TRUSTED_PROXIES} and leads to an address of a private network, though '
        "a public one stands in X-Forwarded-For: count all proxies in front."
    )


def _unread(request: HttpRequest, remote: Address | None) -> str | None:
    """What to do when no proxy is trusted although the peer is probably one."""
    preferred = sorted(CLIENT_IP_HEADERS, key=lambda name: name != conf.CLIENT_IP_HEADER)
    header = next((name for name in preferred if _entries(request, name)), None)
    if remote is not None and (header is None or remote.is_global):
        return None
    peer = "a peer in a private network" if remote else "a peer without an address, such as a Unix socket,"
    if header is not None:
        more = "" if header == conf.CLIENT_IP_HEADER else f' and "CLIENT_IP_HEADER" to "{header}"'
        return (
            f'SMSVERIFY["TRUSTED_PROXIES"] is 0, but {peer} sends {header}: if that is a proxy of your own, set it to '
            f"the number of proxies in front{more}."
        )
    return (
        f'SMSVERIFY["TRUSTED_PROXIES"] is 0, but {peer} sends the requests: let the proxy write X-Forwarded-For, '
        "and set it to the number of proxies in front."
    )


def _warn_once(problem: str) -> None:
    if problem not in _warned:
        _warned.add(problem)
        logger.warning("All clients may count as one address and share one limit. %s", problem)


def _entries(request: HttpRequest, header: str) -> list[str]:
    """The entries of a header, with the nearest proxy's last; empty if it is missing or blank."""
    value = request.META.get(CLIENT_IP_HEADERS[header], "").strip()
    return value.split(",") if value else []


def _address(written: str) -> Address | None:
    """An address without port and brackets, IPv4-mapped IPv6 as IPv4; None if it is not an address."""
    plain = written.strip()
    if plain.startswith("["):
        plain = plain[1:].partition("]")[0]
    elif plain.count(":") == 1:
        plain = plain.partition(":")[0]
    try:
        address = ipaddress.ip_address(plain)
    except ValueError:
        return None
    return address if address.version == 4 else address.ipv4_mapped or address
