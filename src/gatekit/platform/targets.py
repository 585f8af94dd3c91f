"""URLs that may be dialled, taken apart in one way only."""

from __future__ import annotations

import contextlib
import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from gatekit.errors import OutboundRefused

_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")


class Target(Struct, frozen=True):
    """A URL taken apart once, so that what is checked is what is dialled."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        default = 443 if self.scheme == "https" else 80
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == default else f"{host}:{self.port}"

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port


def parse(url: str) -> Target:
    """Take a URL apart; raise ``OutboundRefused`` for anything two parsers might read differently."""
    if not url.isascii() or not url.isprintable() or any(char in url for char in ' \\"<>^`{|}#'):
        raise OutboundRefused("the URL holds characters that do not belong there")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise OutboundRefused(f"the URL cannot be read: {error}") from error
    if parts.scheme not in ("https", "http"):
        raise OutboundRefused("the URL must be https")
    if "@" in parts.netloc or port == 0 or parts.netloc.endswith(":"):
        raise OutboundRefused("the URL must hold a plain host name and perhaps a port")
    default = 443 if parts.scheme == "https" else 80
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, _host(parts), default if port is None else port, path)


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").lower()
    if ":" in host or host.rpartition(".")[2].isdecimal() or host.rpartition(".")[2].startswith("0x"):
        # An IPv4 address in decimal, octal or hexadecimal is one to the resolver and a name to everybody
        # else (URL Standard, "ends in a number"): only the usual spelling passes.
        with contextlib.suppress(ValueError):
            address = ip_address(host)
            if "%" not in host and (address.version == 6 or str(address) == host):
                return str(address)
        raise OutboundRefused("the host is a number but not an address in its usual form")
    if len(host) > 253 or not _HOST.fullmatch(host):
        raise OutboundRefused("the host is not a usable name")
    return host
