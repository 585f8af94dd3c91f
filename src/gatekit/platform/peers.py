"""Whose request it is when proxies stand in front of us.

Anybody can write ``X-Forwarded-For``. An entry is believed only if the machine that appended it is one of the
operator's, so the list is read from its end, and reading stops at the first machine that is not (D9).
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

MAX_HOPS = 16


class TrustedProxies:
    """``networks`` are addresses or CIDR networks of the operator's proxies; none: the peer is the client."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks = tuple(ip_network(text, strict=False) for text in networks)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def client(self, peer: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """The address of the client. ``headers`` are raw, with names in lower case."""
        if not self._networks or not self._trusts(_address(peer)):
            return peer
        lines = [value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for"]
        found = peer
        for entry in reversed(",".join(lines).split(",")[-MAX_HOPS:]):
            address = _address(entry.strip())
            if address is None:
                break
            found = str(address)
            if not self._trusts(address):
                break
        return found

    def trusts(self, peer: str) -> bool:
        """Whether a network peer is one of the operator's proxies."""
        return self._trusts(_address(peer))

    def _trusts(self, address: IPv4Address | IPv6Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address with or without a port; IPv4 inside IPv6 as IPv4. None for anything else."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
