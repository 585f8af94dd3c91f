"""The front: uvicorn's HTTP/1.1 protocol with a short way to the MCP endpoints.

Everything goes through ASGI, except what happens ten thousand times a second: a plain request to an MCP
endpoint is handed to the data plane as headers and body, and its answer leaves in one write. That halves what
HTTP costs for a call. Parsing, pipelining, flow control, graceful shutdown and every request that is in any
way unusual (HEAD and OPTIONS, repeated headers, ``Expect``, HTTP/1.0, an escaped path, a foreign Host) stay
uvicorn's and the ASGI application's, so that there is one place that judges them.

``docs/performance.md`` has the figures. The parent classes are uvicorn's own and not a public interface: the
version is pinned to a minor release, and ``tests/unit/web/test_front.py`` holds what we rely on.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, ClassVar, Protocol, cast

from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle
from uvicorn.server import ServerState

from gatekit.gateway.endpoint import endpoint_of
from gatekit.gateway.inbound import Refused
from gatekit.gateway.ports import Headers, Wire
from gatekit.web.bounds import BODY_SECONDS, HEAD_SECONDS, NO_HEAD, Bounded

Read = Callable[[int], Awaitable[bytes]]
Enter = Callable[[], Awaitable[None]]

_log = logging.getLogger("gatekit.web")
_MAX_ENDPOINTS = 1024
"""Paths are made up by strangers; beyond this many they are taken apart each time."""

_SCOPE: dict[str, Any] = {"type": "http", "method": ""}
"""All that uvicorn's cycle reads of a scope (is it HEAD?); shared, because nobody writes to it."""
_NOTHING_WAITS: deque[Any] = deque(maxlen=0)
"""Pipelined requests of all connections that have none: a deque of their own would cost each 600 bytes."""
_METHODS = {b"POST": "POST", b"GET": "GET", b"DELETE": "DELETE"}


class Serve(Protocol):
    """The data plane's entry: ``gateway.endpoint.Endpoint.serve``."""

    def __call__(
        self, method: str, server: str, headers: Headers, peer: str, wire: Wire, read: Read
    ) -> Awaitable[None]: ...


class Allows(Protocol):
    """Whether a Host header's value is ours: ``HostGuard.allows``."""

    def __call__(self, host: bytes, /) -> bool: ...


def front(
    serve: Serve, allows: Allows, *, head_seconds: float = HEAD_SECONDS, body_seconds: float = BODY_SECONDS
) -> type[asyncio.Protocol]:
    """For ``uvicorn.Config(http=…)``."""
    # Class attributes, because an instance with more than thirty pays two kilobytes for its dictionary.
    ours = {
        "serve": staticmethod(serve),
        "allows": staticmethod(allows),
        "endpoints": {},
        "head_seconds": head_seconds,
        "body_seconds": body_seconds,
    }
    return type("OurFront", (Front,), ours)


class ShortCycle(RequestResponseCycle):
    """One request on the short way. Implements ``gateway.ports.Wire``."""

    # What uvicorn sets on each instance and is the same for nearly all requests.
    scope = _SCOPE  # type: ignore[assignment]
    disconnected = False
    waiting_for_100_continue = False
    body = b""  # type: ignore[assignment]
    more_body = True
    response_started = False
    response_complete = False
    chunked_encoding: bool | None = None
    expected_content_length = 0
    access_log = False
    started = False

    def __init__(self, connection: Front) -> None:  # the parent would set eighteen attributes
        self.transport = connection.transport
        self.flow = connection.flow
        self.default_headers = connection.server_state.default_headers
        self.message_event = Bell()  # type: ignore[assignment]
        self.keep_alive = connection.parser.should_keep_alive()
        self.on_response = connection.on_response_complete

    async def run(self, work: Awaitable[None]) -> None:
        """What uvicorn's ``run_asgi`` does around an application: no request ends without an answer.

        Faults are the endpoint's to catch; what escapes it all the same is reported by the event loop.
        """
        try:
            await work
        finally:
            if not self.response_complete and not self.disconnected:
                _log.error("a request was left without an answer")
                await self._apologise()
            self.on_response = _nothing

    async def _apologise(self) -> None:
        if not self.response_started:
            await self.respond(500, (), b"Internal Server Error")
        else:
            self.transport.close()

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """A whole answer in one write. Raises ValueError for a header that would break out of its line."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected or self.response_complete:
            return
        head = self._head(status, headers, b"content-length: %d\r\n\r\n" % len(body))
        self.started = self.response_started = True
        self.transport.write(head + body)
        self._complete()

    def _head(self, status: int, headers: Headers, last: bytes) -> bytes:
        """``last``: its last line, and the empty one. Raises ValueError for a line break within a header."""
        parts = [STATUS_LINE[status]]
        for name, value in (*self.default_headers, *headers):
            parts += (name, b": ", value, b"\r\n")
        if not self.keep_alive:
            parts.append(b"connection: close\r\n")
        parts.append(last)
        head = b"".join(parts)
        lines = 3 + len(self.default_headers) + len(headers) + (not self.keep_alive)
        if head.count(b"\n") != lines or head.count(b"\r") != lines:
            raise ValueError("a header of the answer has a line break in it")
        return head

    def _complete(self) -> None:
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()

    async def start(self, status: int, headers: Headers, first: bytes = b"") -> None:
        """Raises ValueError like ``respond``. Without a ``content-length`` among the headers the parts leave
        as chunks (RFC 9112 §7.1), the first with the head in one write."""
        if any(name == b"content-length" for name, _ in headers):
            self.started = True
            await self.send({"type": "http.response.start", "status": status, "headers": list(headers)})
            if first:
                await self.write(first, more=True)
            return
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected or self.response_started:
            return
        head = self._head(status, headers, b"transfer-encoding: chunked\r\n\r\n")
        self.started = self.response_started = self.chunked_encoding = True
        self.transport.write(head + _chunk(first) if first else head)

    async def write(self, data: bytes, more: bool) -> None:
        if not self.chunked_encoding:
            await self.send({"type": "http.response.body", "body": data, "more_body": more})
            return
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected or self.response_complete:
            return
        chunk = _chunk(data) if data else b""
        self.transport.write(chunk if more else chunk + b"0\r\n\r\n")
        if not more:
            self._complete()

    async def gone(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass

    def abort(self) -> None:
        self.disconnected = True
        self.transport.abort()
        self.message_event.set()

    async def read(self, limit: int) -> bytes:
        """The request's body; raises ``Refused`` (413) when it grows beyond ``limit`` bytes."""
        if not self.more_body:  # it came in one packet with its headers, as nearly always
            return _bounded(self.body, limit)
        chunks, size, more = [], 0, True
        while more:
            message = cast(dict[str, Any], await self.receive())
            if message["type"] == "http.disconnect":
                raise Refused(400, "the body was cut off")
            chunks.append(message["body"])
            size += len(chunks[-1])
            more = message["more_body"] and size <= limit
        return _bounded(b"".join(chunks), limit)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _bounded(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise Refused(413, f"the body may have at most {limit} bytes")
    return body


def _nothing() -> None:
    return None


class Bell:
    """What uvicorn uses of an ``asyncio.Event``, for one who waits, at a tenth of the size."""

    __slots__ = ("_rung", "_waiter")

    def __init__(self) -> None:
        self._rung = False
        self._waiter: asyncio.Future[None] | None = None

    def set(self) -> None:
        self._rung = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def clear(self) -> None:
        self._rung = False

    async def wait(self) -> None:
        if not self._rung:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None


class Flow(FlowControl):
    """uvicorn's flow control, with an event only while writing is paused."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.read_paused = False
        self.write_paused = False
        self._writable: asyncio.Event | None = None

    async def drain(self) -> None:
        if self._writable is not None:
            await self._writable.wait()

    def pause_writing(self) -> None:
        if not self.write_paused:
            self.write_paused = True
            self._writable = asyncio.Event()

    def resume_writing(self) -> None:
        self.write_paused = False
        if self._writable is not None:
            self._writable.set()
            self._writable = None


class Front(Bounded):
    """One connection. An idle stream holds one, so it is kept small."""

    endpoints: ClassVar[dict[bytes, str]]
    """Paths seen → server name."""
    serve: ClassVar[Serve]
    allows: ClassVar[Allows]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.pipeline = _NOTHING_WAITS

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = Flow(transport)

    # -- where a request goes --------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []

    def on_headers_complete(self) -> None:
        server = self._short_way()
        waiting = self.cycle is not None and not self.cycle.response_complete
        if waiting and self.pipeline is _NOTHING_WAITS:
            self.pipeline = deque()
        if server is None:
            self._long_way()
            self.headers = NO_HEAD
            return
        cycle = self.cycle = ShortCycle(self)
        peer = self.client[0] if self.client else ""
        method = _METHODS[self.parser.get_method()]
        enter = partial(self.serve, method, server, self.headers, peer, cycle, cycle.read)
        self.headers = NO_HEAD
        if waiting:  # pipelined: taken up when the one before it is answered
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, enter))
        else:
            self._start(cycle.run(enter()))

    def _short_way(self) -> str | None:
        """Name of the Server if this request may take the short way (``""``: the aggregate endpoint)."""
        parser, table = self.parser, dict(self.headers)
        if b"transfer-encoding" in table:
            self.chunked = True
        if parser.get_method() not in _METHODS or parser.should_upgrade() or b"expect" in table:
            return None
        if len(table) != len(self.headers) or parser.get_http_version() != "1.1":
            return None
        if not self.allows(table.get(b"host", b"")):
            return None
        known = self.endpoints.get(self.url)
        if known is None and self.url.isascii() and b"%" not in self.url:
            known = endpoint_of(self.url.decode("ascii"))
            if known is not None and len(self.endpoints) < _MAX_ENDPOINTS:
                self.endpoints[self.url] = known
        return known

    def _long_way(self) -> None:
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url = url
        for name, value in headers:
            super().on_header(name, value)
        super().on_headers_complete()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(work)
        self.tasks.add(task)  # uvicorn waits for these when it shuts down
        task.add_done_callback(self.tasks.discard)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        cycle = self.cycle
        if self.chunked:
            self.body_received(len(body))
        if type(cycle) is not ShortCycle:
            super().on_body(body)
        elif not cycle.response_complete:
            cycle.body = cycle.body + body if cycle.body else body
            if len(cycle.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        cycle = self.cycle
        if self.chunked:
            self.message_complete()
        if type(cycle) is not ShortCycle:
            super().on_message_complete()
        elif not cycle.response_complete:
            cycle.more_body = False
            cycle.message_event.set()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            if isinstance(cycle, ShortCycle):
                self._start(cycle.run(cast(Enter, app)()))
            else:
                self._start_asgi_task(cycle, app)
            return
        self.rest()
