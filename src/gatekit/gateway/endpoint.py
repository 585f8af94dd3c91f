"""``POST|GET|DELETE /s/{server}/mcp`` and ``/mcp`` as a bare ASGI callable. Nothing below this file knows
ASGI.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from gatekit.gateway.dispatch import Dispatch
from gatekit.gateway.inbound import Inbound, Refused
from gatekit.gateway.legacy import legacy_of
from gatekit.gateway.ports import Headers, Wire
from gatekit.protocol import jsonrpc, names

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Read = Callable[[int], Awaitable[bytes]]

_log = logging.getLogger("gatekit.gateway")

AGGREGATE_PATH = "/mcp"
_PREFIX, _SUFFIX = "/s/", "/mcp"
_BASE: Headers = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
_ALLOWED_HEADERS = (
    b"authorization, content-type, accept, mcp-protocol-version, mcp-session-id, last-event-id, "
    b"mcp-method, mcp-name, dpop"
)
_EXPOSED = b"WWW-Authenticate, Mcp-Session-Id, Mcp-Protocol-Version, X-Request-Id, DPoP-Nonce"


_QUERY = b":query"
"""Where the query stands among the headers; no header that came over HTTP has a colon in its name."""


def endpoint_of(path: str) -> str | None:
    """Server name of an MCP endpoint's path, ``""`` for the aggregate one, None for any other path."""
    if path.startswith(_PREFIX) and path.endswith(_SUFFIX):
        name = path[len(_PREFIX) : -len(_SUFFIX)]
        return name if names.may_be_published(name) else None
    return "" if path == AGGREGATE_PATH else None


class AsgiWire:
    """``gateway.ports.Wire`` over one ASGI request."""

    __slots__ = ("_receive", "_send", "started")

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self.started = False

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        self.started = True
        length = (b"content-length", str(len(body)).encode("ascii"))
        await self._send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
        await self._send({"type": "http.response.body", "body": body})

    async def start(self, status: int, headers: Headers, first: bytes = b"") -> None:
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": list(headers)})
        if first:
            await self.write(first, more=True)

    async def write(self, data: bytes, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def abort(self) -> None:
        """ASGI has no word for it; the server closes the connection of an answer that stays incomplete."""

    async def body(self, limit: int) -> bytes:
        """The request's body; raises ``Refused`` (413) when it grows beyond ``limit`` bytes."""
        message = await self._receive()
        first: bytes = message.get("body", b"")
        if not message.get("more_body") and len(first) <= limit:
            return first
        chunks, size = [first], len(first)
        while size <= limit and message.get("more_body"):
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Refused(400, "the body was cut off")
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
        if size > limit:
            raise Refused(413, f"the body may have at most {limit} bytes")
        return b"".join(chunks)


class Endpoint:
    """The ASGI application of all MCP endpoints."""

    def __init__(self, dispatch: Dispatch, boot_id: str) -> None:
        self._dispatch = dispatch
        self._boot_id = boot_id
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wire = AsgiWire(receive, send)
        client = scope.get("client")
        server = endpoint_of(scope["path"]) or ""
        peer = client[0] if client else ""
        await self.serve(scope["method"], server, scope["headers"], peer, wire, wire.body)

    async def serve(
        self,
        method: str,
        server: str,
        headers: Headers,
        peer: str,
        wire: Wire,
        read: Read,
        *,
        mirrored: bool = True,
    ) -> None:
        """Serve one request to the MCP endpoint of ``server`` (``""``: the aggregate one) and answer it.

        ``headers``: names in lower case. ``read``: the body of at most so many bytes, or ``Refused``.
        ``mirrored`` False: it did not come over HTTP (``gatekit stdio``), so there are no headers that repeat
        parts of the body and could disagree with it.
        """
        number = f"{self._boot_id}{next(self._numbers):x}"
        inbound = Inbound(method, server, headers, read, peer, number, mirrored)
        answer: Headers = (*_BASE, (b"x-request-id", number.encode("ascii")))
        origin = inbound.table.get(b"origin")
        if origin is not None:
            answer = (*answer, *_cors(origin))
        try:
            if method == "OPTIONS":
                await wire.respond(204, (*answer, *_preflight(inbound)), b"")
            else:
                await self._dispatch.serve(inbound, wire, answer)
        except Exception:  # noqa: BLE001 - the request edge
            # One request's failure must not be more than that.
            _log.exception("request failed request_id=%s server=%s", number, server)
            if not wire.started:
                body = jsonrpc.encode_fault(None, -32603, f"Internal error (request {number})")
                await wire.respond(500, (*answer, (b"content-type", b"application/json")), body)


class LegacyEndpoint(Endpoint):
    """The same for HTTP+SSE (MCP 2024-11-05), whose POSTs say in the query which stream they belong to."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wire = AsgiWire(receive, send)
        client = scope.get("client")
        headers = (*scope["headers"], (_QUERY, scope.get("query_string", b"")))
        server = legacy_of(scope["path"]) or ""
        await self.serve(scope["method"], server, headers, client[0] if client else "", wire, wire.body)


def _cors(origin: bytes) -> Headers:
    # Any page may read the answer to a request that carries a token; whether its origin is accepted at all is
    # decided after the token (inbound.check_origin). No credentials mode, so cookies never travel.
    return (
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", _EXPOSED),
        (b"vary", b"Origin"),
    )


def _preflight(inbound: Inbound) -> Headers:
    # Fetch standard: ``*`` does not cover Authorization, so the asked headers are echoed.
    asked = inbound.table.get(b"access-control-request-headers") or _ALLOWED_HEADERS
    return (
        (b"access-control-allow-methods", b"GET, POST, DELETE, OPTIONS"),
        (b"access-control-allow-headers", asked[:2048]),
        (b"access-control-max-age", b"600"),
    )
