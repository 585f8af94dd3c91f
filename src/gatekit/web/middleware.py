"""What every request passes before it reaches a room: plain ASGI, one small class per concern.

``HostGuard`` is cheap enough to stand before the MCP endpoints as well; ``Hardening`` and its headers are for
pages and the control plane.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from ipaddress import ip_address
from typing import Any

from gatekit.model.ports import Entropy
from gatekit.oauth.forward.original import AT_APPLICATION, BY_PROXY, VERIFY
from gatekit.platform.peers import TrustedProxies

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
PROBES = frozenset({"/healthz", "/readyz"})
_EVERYWHERE = frozenset({"", "0.0.0.0", "::", "[::]"})  # noqa: S104  (names of "every interface", not a bind)


class HostGuard:
    """Refuses a request whose Host is not one of ours, on every route.

    A web page can make a browser call any address under a name of the page's own (DNS rebinding; incidents 3
    and 4 of the threat model), and what it cannot choose is the Host header that goes with it. Only the name
    counts: behind a port forward the port is another one, and no attack is in it.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str], proxies: TrustedProxies | None = None) -> None:
        """``hosts``: the names clients call us by, without a port. Loopback names are always among them."""
        self._app = app
        self._proxies = proxies or TrustedProxies()
        self._names = LOOPBACK.union(_bracketed(name.lower()) for name in hosts if name not in _EVERYWHERE)
        # Most requests come under a handful of spellings; each is judged once.
        self._known: dict[bytes, bool] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # we speak no WebSocket; refusing here means no route can forget it
            await send({"type": "websocket.close", "code": 1008})
            return
        host = None
        for name, value in scope["headers"]:
            if name == b"host":
                if host is not None:
                    await _refuse(send, 400, b"two Host headers")
                    return
                host = value
        if host is None:
            await _refuse(send, 400, b"no Host header")
        elif self.allows(host) or self._excepted(scope, host):
            await self._app(scope, receive, send)
        else:
            await _refuse(send, 403, b"this gateway is not published under that host name")

    def _excepted(self, scope: Scope, host: bytes) -> bool:
        if scope["path"] in PROBES:
            return _is_address(host)
        # A proxy asks under the name of the application that it asks about; a rebound page is no proxy.
        asked = scope["path"] == VERIFY or scope["path"].startswith(AT_APPLICATION)
        peer = scope.get("client")
        return bool(asked and peer and self._proxies.trusts(peer[0]))

    def allows(self, host: bytes) -> bool:
        """Whether a Host header's value is one of ours."""
        known = self._known.get(host)
        if known is None:
            known = host_name(host) in self._names
            if len(self._known) < 256:
                self._known[host] = known
        return known


class ClientAddress:
    """Puts the client's address where every room looks for it (``scope["client"]``), and notes whether the
    request came from one of the operator's proxies."""

    def __init__(self, app: ASGIApp, proxies: TrustedProxies) -> None:
        self._app = app
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        peer = scope.get("client")
        if peer and self._proxies:
            client = self._proxies.client(peer[0], scope["headers"])
            if client != peer[0]:
                scope = {**scope, "client": (client, 0)}
            if self._proxies.trusts(peer[0]):
                scope = {**scope, BY_PROXY: True}
        await self._app(scope, receive, send)


class Hardening:
    """Security headers and a request id for every answer that does not bring its own."""

    def __init__(self, app: ASGIApp, entropy: Entropy) -> None:
        self._app = app
        self._entropy = entropy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = self._entropy.ident("req_")
        # A dictionary of our own: the server shares the outer one between requests of a connection.
        scope["state"] = {**(scope.get("state") or {}), "request_id": request_id}
        defaults = (*SECURITY_HEADERS, (b"x-request-id", request_id.encode("ascii")))

        async def hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                present = {name.lower() for name, _ in headers}
                headers.extend(pair for pair in defaults if pair[0] not in present)
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, hardened)


SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
"""Defaults; a page brings a policy of its own that allows its stylesheet."""


async def _refuse(send: Send, status: int, text: bytes) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(text)),
        (b"cache-control", b"no-store"),
        *SECURITY_HEADERS,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def host_name(host: bytes) -> str:
    """The name in a Host header, lower case, without the port; empty for one that is not well-formed."""
    try:
        text = host.decode("ascii").lower()
    except UnicodeDecodeError:
        return ""
    name, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        return text
    return name if port.isdecimal() and len(port) <= 5 else ""


def _is_address(host: bytes) -> bool:
    """Whether it is a bare IP address. Kubernetes probes pods by theirs, and an address cannot be rebound."""
    try:
        ip_address(host_name(host).strip("[]"))
    except ValueError:
        return False
    return True


def is_address_or_loopback(host: bytes) -> bool:
    """Whether a Host header's value is what probes use: an address, or a name of this machine."""
    return _is_address(host) or host_name(host) in LOOPBACK


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name and not name.startswith("[") else name
