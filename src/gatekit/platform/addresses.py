"""Which network addresses an outgoing request may reach (checklist M2).

An address that a stranger can make us dial must be one that everybody on the Internet can dial. What the
operator names (a GitHub Enterprise Server inside the company) is let through by name or by network, and the
cloud's metadata services never are: they hand out credentials to whoever can reach them.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890). Written out rather than taken from
# ``ipaddress.is_global``, whose answers differ between patch releases of Python.
_SPECIAL_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # IETF protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relay
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_GLOBAL_V6 = IPv6Network("2000::/3")
_SPECIAL_V6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # IETF protocol assignments, Teredo
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
    )
)
_METADATA = tuple(
    ip_network(text)
    for text in (
        "169.254.0.0/16",  # AWS, Google, Azure, Oracle, DigitalOcean, container credentials
        "100.100.100.200/32",  # Alibaba
        "168.63.129.16/32",  # Azure host services
        "192.0.0.192/32",  # Oracle
        "fd00:ec2::/32",  # AWS
        "fd20:ce::254/128",  # Google
        "fe80::/10",  # link-local
    )
)
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = IPv6Network("::/96")


class AddressRules:
    """What may be dialled. ``allow`` holds host names, addresses and networks (CIDR) that may be private."""

    def __init__(self, allow: Iterable[str] = ()) -> None:
        self._hosts: set[str] = set()
        self._networks: list[Network] = []
        for entry in allow:
            try:
                self._networks.append(ip_network(entry.strip("[]")))
            except ValueError:
                self._hosts.add(entry.lower())

    def names(self, host: str) -> bool:
        """Whether the operator named this host (or its literal address)."""
        if host in self._hosts:
            return True
        try:
            return self._in_allowed_network(ip_address(host))
        except ValueError:
            return False

    def refusal(self, host: str, address: Address) -> str:
        """Why ``address``, which ``host`` resolved to, may not be dialled; empty if it may."""
        for meant in _meanings(address):
            if any(meant in network for network in _METADATA):
                return "a metadata service or link-local address"
        if host in self._hosts or any(self._in_allowed_network(meant) for meant in _meanings(address)):
            return ""
        return "" if _is_public(address) else "not a public address"

    def _in_allowed_network(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _SPECIAL_V4)
    # Mapped, translated and tunnelled forms of IPv4 all lie outside of what is left here.
    return address in _GLOBAL_V6 and not any(address in network for network in _SPECIAL_V6)


def _meanings(address: Address) -> list[Address]:
    """The address, and the IPv4 addresses that some stack or translator would take it for."""
    meanings: list[Address] = [address]
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            meanings.append(address.ipv4_mapped)
        if address.sixtofour is not None:
            meanings.append(address.sixtofour)
        if address.teredo is not None:
            meanings.extend(address.teredo)
        if any(address in network for network in _NAT64) or (address in _COMPATIBLE and int(address) > 1):
            meanings.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return meanings
