"""Hosts, origins and networks: normalised, or refused with a text for people."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


def is_loopback(host: str) -> bool:
    """Whether a host (name or address, without port) can only mean this machine."""
    name = host.strip("[]").lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761 §6.3
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def origin(text: str) -> str:
    """``https://Host:443/`` → ``https://host``. Raises ``ValueError`` for anything that is more or less."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"is not a URL: {error}") from error
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError("expected a URL like https://mcp.example.com")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user name or password")
    if parts.path not in ("", "/") or parts.query or parts.fragment or text.endswith(("?", "#")):
        raise ValueError("must be scheme, host and port only, without a path")
    host = parts.hostname.lower()
    if not host.isascii() or any(mark in host for mark in " \\%<>\"'") or not host.isprintable():
        raise ValueError("the host must be plain ASCII (write an international name in its xn-- form)")
    host = f"[{host}]" if ":" in host else host
    shown = "" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{host}{shown}"


def secure_origin(text: str) -> str:
    """An ``origin`` that is https, or stays on this machine. Raises ``ValueError``."""
    found = origin(text)
    if found.startswith("http://") and not is_loopback(host_of(found)):
        raise ValueError("must be https (plain http is only acceptable on this machine)")
    return found


def host_of(url: str) -> str:
    """The host of an origin that was normalised here."""
    return urlsplit(url).hostname or ""


def network(text: str) -> str:
    """``10.0.0.0/8`` or a single address, normalised. Raises ``ValueError``."""
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError as error:
        raise ValueError("expected an address or network like 10.0.0.0/8") from error


def listen_host(text: str) -> str:
    """An address or host name to listen on. Raises ``ValueError``."""
    host = text.removeprefix("[").removesuffix("]")
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        if not host.isascii() or not all(
            part and part.replace("-", "").isalnum() for part in host.split(".")
        ):
            raise ValueError("expected an address like 127.0.0.1 or 0.0.0.0, or a host name") from None
        return host.lower()
