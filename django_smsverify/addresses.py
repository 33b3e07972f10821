"""IPv6 addresses that stand for IPv4 addresses."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network

IPAddress = IPv4Address | IPv6Address


NAT64 = IPv6Network("64:ff9b::/96")
"""Its addresses stand for the IPv4 address in the last 32 bits, in IPv6-only networks (RFC 6052)."""


def unwrapped(address: IPAddress) -> IPAddress:
    """Returns the IPv4 address that an IPv6 address stands for, or else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
