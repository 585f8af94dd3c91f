"""A remote MCP server that does what a test tells it to: every byte of its answers is in the test's hand."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from tests.emulators.serving import serving

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
JSON = "application/json"
EVENTS = "text/event-stream"


class Seen:
    """One request that came in."""

    def __init__(self, verb: str, path: str, headers: dict[str, str], body: bytes) -> None:
        self.verb = verb
        self.path = path
        self.headers = headers
        self.message: dict[str, Any] = json.loads(body) if body else {}

    @property
    def method(self) -> str:
        """Of the JSON-RPC message; ``response`` for an answer, the HTTP method where there is no body."""
        return str(self.message.get("method", "response")) if self.message else self.verb

    @property
    def params(self) -> dict[str, Any]:
        return dict(self.message.get("params", {}))


class Out:
    """The answer to one request."""

    def __init__(self, receive: Any, send: Any) -> None:
        self._receive = receive
        self._send = send
        self.gone = asyncio.Event()

    async def head(self, status: int, kind: str = JSON, **headers: str) -> None:
        pairs = [(b"content-type", kind.encode())] if kind else []
        pairs += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})

    async def write(self, data: bytes, more: bool = True) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def end(self) -> None:
        await self.write(b"", more=False)

    async def body(self, status: int, data: bytes = b"", kind: str = JSON, **headers: str) -> None:
        await self.head(status, kind, **headers)
        await self.write(data, more=False)

    async def json(self, value: Any, status: int = 200, **headers: str) -> None:
        await self.body(status, json.dumps(value).encode(), **headers)

    async def event(self, value: Any = None, **fields: str) -> None:
        """``value`` None: no data line."""
        lines = "".join(f"{name}: {field}\n" for name, field in fields.items())
        data = "" if value is None else f"data: {value if isinstance(value, str) else json.dumps(value)}\n"
        await self.write(f"{lines}{data}\n".encode())

    async def watch(self) -> None:
        """Wait until the client has gone."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone.set()


Handler = Callable[[Seen, Out], Awaitable[None]]


def result(seen: Seen, body: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": seen.message["id"], "result": body}


def error(seen: Seen, code: int, message: str = "no", data: Any = None) -> dict[str, Any]:
    fault = {"code": code, "message": message, **({} if data is None else {"data": data})}
    return {"jsonrpc": "2.0", "id": seen.message["id"], "error": fault}


def notice(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params}


class RemoteServer:
    """Handlers by JSON-RPC method, or by HTTP method where there is no body; 405 and 202 for the rest."""

    def __init__(self, **handlers: Handler) -> None:
        self.seen: list[Seen] = []
        self.outs: list[Out] = []
        self.handlers: dict[str, Handler] = handlers
        self.modern = False
        self.tools: list[dict[str, Any]] = [{"name": "echo", "inputSchema": {"type": "object"}}]

    def on(self, method: str, handler: Handler) -> None:
        self.handlers[method] = handler

    def methods(self) -> list[str]:
        return [seen.method for seen in self.seen]

    def only(self, method: str) -> Seen:
        (found,) = [seen for seen in self.seen if seen.method == method]
        return found

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            part = await receive()
            if part["type"] == "http.disconnect":
                return
            body += part.get("body", b"")
            more = part.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        path = scope["path"] + (f"?{scope['query_string'].decode()}" if scope["query_string"] else "")
        seen, out = Seen(scope["method"], path, headers, body), Out(receive, send)
        self.seen.append(seen)
        self.outs.append(out)
        handler = self.handlers.get(seen.method)
        if handler is not None:
            await handler(seen, out)
        elif (seen.message and "id" not in seen.message) or seen.method == "response":
            await out.body(202, kind="")
        elif seen.message and self.handlers:
            await out.json(error(seen, -32601, "Method not found"), 404 if self.modern else 200)
        else:
            await out.body(405, kind="", allow="POST")

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """Its URL."""
        async with serving(self) as origin:
            yield f"{origin}/mcp"


# -- the two eras --------------------------------------------------------------------------------------------


def stateless() -> RemoteServer:
    server = RemoteServer()
    server.modern = True

    async def discover(seen: Seen, out: Out) -> None:
        body = {
            "resultType": "complete",
            "supportedVersions": ["2026-07-28"],
            "capabilities": {"tools": {"listChanged": True}},
            "ttlMs": 0,
            "cacheScope": "private",
            "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "far", "version": "1"}},
        }
        await out.json(result(seen, body))

    server.on("server/discover", discover)
    _tools(server, {"resultType": "complete"})
    return server


def handshake(session: str = "s-1", version: str = "2025-11-25") -> RemoteServer:
    """A server of the older era that refuses what comes without its session."""
    server = RemoteServer()

    async def initialize(seen: Seen, out: Out) -> None:
        body = {
            "protocolVersion": version,
            "capabilities": {"tools": {}, "logging": {}},
            "serverInfo": {"name": "far", "version": "1"},
        }
        named: dict[str, Any] = {"mcp_session_id": session} if session else {}
        await out.json(result(seen, body), **named)

    async def refuse(seen: Seen, out: Out) -> None:
        await out.json(error(seen, -32000, "Bad Request: Server not initialized"), 400)

    async def goodbye(seen: Seen, out: Out) -> None:
        await out.body(200, kind="")

    server.on("server/discover", refuse)
    server.on("initialize", initialize)
    server.on("DELETE", goodbye)
    _tools(server, {})
    return server


def _tools(server: RemoteServer, extra: dict[str, Any]) -> None:
    async def listed(seen: Seen, out: Out) -> None:
        await out.json(result(seen, {**extra, "tools": server.tools}))

    async def call(seen: Seen, out: Out) -> None:
        await out.json(result(seen, said(json.dumps(seen.params.get("arguments", {})), **extra)))

    server.on("tools/list", listed)
    server.on("tools/call", call)


def said(text: str, **extra: Any) -> dict[str, Any]:
    return {**extra, "content": [{"type": "text", "text": text}]}
