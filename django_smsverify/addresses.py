"""Addresses: IPv6 that stands for IPv4, and the network that an address belongs to."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

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


def network_of(ip: str) -> str:
    """Returns the network of an address that mostly has one owner: `203.0.113.0/24`, or `2001:db8::/48`."""
    if ":" not in ip:
        return f"{ip.rpartition('.')[0]}.0/24"
    address = unwrapped(ip_address(ip))
    if address.version == 4:
        return network_of(str(address))
    return str(ip_network((int(address), 48), strict=False))
