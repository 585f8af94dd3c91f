"""A channel that a test answers by hand, and a pump on it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from gatekit.errors import ChannelError
from gatekit.local.channel import Incoming, Outgoing
from gatekit.local.pump import Pump
from gatekit.protocol import sse

STATELESS = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Request:
    """One request at the other end."""

    def __init__(self, outgoing: Outgoing) -> None:
        self.outgoing = outgoing
        self.message: Any = json.loads(outgoing.body) if outgoing.body else None
        self.hung_up = asyncio.Event()
        self._answer: asyncio.Future[tuple[int, dict[str, str]]] = asyncio.get_running_loop().create_future()
        self._chunks: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()

    @property
    def method(self) -> str:
        return self.message["method"] if isinstance(self.message, dict) and "method" in self.message else ""

    def json(self, message: Any, status: int = 200, **headers: str) -> None:
        self.raw(
            status, {"content-type": "application/json", **_named(headers)}, json.dumps(message).encode()
        )

    def raw(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self._answer.set_result((status, headers))
        if body:
            self._chunks.put_nowait(body)
        self._chunks.put_nowait(None)

    def stream(self, **headers: str) -> None:
        self._answer.set_result((200, {"content-type": "text/event-stream", **_named(headers)}))

    def event(self, message: Any, **fields: Any) -> None:
        self._chunks.put_nowait(sse.event(json.dumps(message).encode() if message else b"", **fields))

    def end(self) -> None:
        self._chunks.put_nowait(None)

    def lose(self) -> None:
        self._chunks.put_nowait(ChannelError("the wire was cut"))

    def refuse(self, error: Exception) -> None:
        self._answer.set_exception(error)

    async def head(self) -> tuple[int, dict[str, str]]:
        return await self._answer

    async def chunks(self) -> AsyncIterator[bytes]:
        while (chunk := await self._chunks.get()) is not None:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


class Far:
    """The other end. Implements ``local.channel.Channel``."""

    def __init__(self, mirrors: bool = True) -> None:
        self.mirrors = mirrors
        self._arrived: asyncio.Queue[Request] = asyncio.Queue()

    @asynccontextmanager
    async def open(self, outgoing: Outgoing) -> AsyncIterator[Incoming]:
        request = Request(outgoing)
        self._arrived.put_nowait(request)
        try:
            status, headers = await request.head()
            yield Incoming(status, headers, request.chunks())
        finally:
            request.hung_up.set()

    async def next(self, method: str = "") -> Request:
        """The next request; ``method`` says which it must be (HTTP method, or that of the message)."""
        request = await asyncio.wait_for(self._arrived.get(), 5)
        assert method in ("", request.method, request.outgoing.method), (
            method,
            request.message,
            request.outgoing,
        )
        return request

    @property
    def quiet(self) -> bool:
        return self._arrived.empty()


class Near:
    """The local client: writes lines, reads messages."""

    def __init__(self, far: Far, introduced: Callable[[str], None] | None = None) -> None:
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._read: asyncio.Queue[bytes] = asyncio.Queue()
        self.pump = Pump(far, self._write, introduced)
        self.running = asyncio.ensure_future(self.pump.run(self._input()))

    async def _write(self, message: bytes) -> None:
        self._read.put_nowait(message)

    async def _input(self) -> Any:
        while (line := await self._lines.get()) is not None:
            yield line

    def send(self, **message: Any) -> None:
        self.line(json.dumps({"jsonrpc": "2.0", **message}).encode())

    def line(self, line: bytes) -> None:
        self._lines.put_nowait(line)

    def ask(self, request_id: Any, method: str, params: Any = None, stateless: bool = False) -> None:
        params = params or {}
        self.send(
            id=request_id, method=method, params={**params, "_meta": STATELESS} if stateless else params
        )

    async def read(self) -> Any:
        return json.loads(await asyncio.wait_for(self._read.get(), 5))

    @property
    def silent(self) -> bool:
        return self._read.empty()

    async def close(self) -> None:
        self._lines.put_nowait(None)
        await asyncio.wait_for(self.running, 5)
        await self.pump.close()


def initialized(request: Request, session: str = "s1", **capabilities: Any) -> None:
    """Answer an ``initialize``."""
    result = {"protocolVersion": "2025-11-25", "capabilities": capabilities, "serverInfo": {"name": "far"}}
    answer = {"jsonrpc": "2.0", "id": request.message["id"], "result": result}
    request.json(answer, mcp_session_id=session)


async def shake_hands(near: Near, far: Far, session: str = "s1", **capabilities: Any) -> Request:
    """Open a session; the request of its event stream."""
    near.ask(
        0, "initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t"}}
    )
    initialized(await far.next("initialize"), session, **capabilities)
    assert (await near.read())["result"]["serverInfo"] == {"name": "far"}
    near.send(method="notifications/initialized")
    (await far.next("notifications/initialized")).raw(202, {})
    stream = await far.next("GET")
    assert stream.outgoing.headers["mcp-session-id"] == session
    return stream
