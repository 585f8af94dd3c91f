"""uvicorn's request and connection, as small as the short way needs them (``front.py``)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, cast

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gatekit.gateway.inbound import Refused
from gatekit.gateway.ports import Headers

_log = logging.getLogger("gatekit.web")
_SCOPE: dict[str, Any] = {"type": "http", "method": ""}
"""All that uvicorn's cycle reads of a scope (is it HEAD?); shared, because nobody writes to it."""


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
    task: asyncio.Task[None] | None = None
    """What carries it out, from its start to its end."""

    def __init__(self, connection: HttpToolsProtocol, keep_alive: bool) -> None:
        # The parent would set eighteen attributes.
        self.transport = connection.transport
        self.flow: Flow = connection.flow  # type: ignore[assignment]
        self.default_headers = connection.server_state.default_headers
        self.message_event = Bell()  # type: ignore[assignment]
        self.keep_alive = keep_alive
        self.on_response = connection.on_response_complete

    async def run(self, work: Awaitable[None], tasks: set[asyncio.Task[None]]) -> None:
        """What uvicorn's ``run_asgi`` does around an application: no request ends without an answer.

        Faults are the endpoint's to catch; what escapes it all the same is reported by the event loop.
        ``tasks``: where uvicorn looks for what it waits for when it shuts down; left at the end.
        """
        try:
            await work
        finally:
            if not self.response_complete and not self.disconnected:
                _log.error("a request was left without an answer")
                await self._apologise()
            self.on_response = _nothing
            if self.task is not None:
                tasks.discard(self.task)
                self.task = None  # or each would hold the other until the collector comes

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
        known = self.flow.known
        if known is not None and status < 400:
            self.flow.known = None
            known()
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

    known: Callable[[], None] | None = None
    """To be called when a call was answered on this connection for the first time: it is no stranger's."""

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
