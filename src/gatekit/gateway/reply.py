"""Writes one HTTP answer: JSON when the outcome comes first, an event stream as soon as a signal must go
out.

The switch is late on purpose: until the first signal an error can still carry the HTTP status that the
specification asks for (MCP 2026-07-28, Streamable HTTP). Signals arrive from a Link's owner, which never
waits: they are queued here and one small task per *stream* (not per call) writes them. A reader that is too
slow for its queue loses signals, or its stream; nobody else waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from gatekit.gateway.ports import Headers, Wire
from gatekit.gateway.replay import Replay, Track
from gatekit.model.call import Pieces, RequestId
from gatekit.protocol import sse

_log = logging.getLogger("gatekit.gateway")

_JSON = (b"content-type", b"application/json")
_STREAM_HEAD = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    # Otherwise nginx buffers the stream (MCP 2026-07-28, Streamable HTTP: SHOULD).
    (b"x-accel-buffering", b"no"),
)
_AT_ONCE = 256 * 1024
"""Bytes written in one go; more would have to be copied together first."""
MAX_QUEUED_BYTES = 4 * 1024 * 1024
"""Of signals that wait for one reader. A first one is taken whatever its size, and so is the last word."""


class Reply:
    """One answer in the making. All methods are called from the event loop's thread."""

    __slots__ = (
        "_ended",
        "_gone",
        "_headers",
        "_queue",
        "_queued",
        "_room",
        "_task",
        "_wake",
        "json_ok",
        "request_id",
        "resumable",
        "sse_ok",
        "started_at",
        "stream_headers",
        "touched_at",
        "track",
        "wire",
    )

    def __init__(self, wire: Wire, headers: Headers, json_ok: bool, sse_ok: bool, now: float) -> None:
        self.wire = wire
        self._headers = headers
        self._queue: deque[bytes] | None = None
        self._queued = 0
        self._wake: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._gone: asyncio.Task[None] | None = None
        self._ended = False
        self.json_ok = json_ok
        self.sse_ok = sse_ok
        self.started_at = now
        self.touched_at = now
        self.stream_headers: Headers = ()
        """Headers that are sent only if this becomes a stream before its outcome is known."""
        self.resumable: Replay | None = None
        """Where the session keeps its streams, if this answer may become one of them."""
        self.request_id: RequestId | None = None
        self.track: Track | None = None
        """The stream that goes out here; it may go on over another connection."""

    @property
    def streaming(self) -> bool:
        return self._task is not None

    @property
    def ended(self) -> bool:
        return self._ended

    def add_headers(self, *headers: tuple[bytes, bytes]) -> None:
        self._headers = (*self._headers, *headers)

    def signal(self, message: bytes) -> bool:
        """Queue one JSON-RPC message for the stream. False: it cannot be sent (no stream, or too slow)."""
        if self.track is not None:
            return self.track.signal(message)
        if self._ended or not self.sse_ok:
            return False
        if self.resumable is not None:
            return self._tracked().signal(message)
        return self._push(sse.event(message))

    def keepalive(self, now: float) -> None:
        """Queue a comment; starts the stream if there is none yet."""
        if not self._ended and self.sse_ok:
            self._push(sse.comment("keep-alive"))
            self.touched_at = now

    def raw(self, chunk: bytes, must: bool = False) -> bool:
        """Queue an already encoded event. ``must``: whatever the reader's pace."""
        return not self._ended and self._push(chunk, must)

    async def deliver(self, message: bytes) -> None:
        """Send one JSON-RPC message that must not be lost, as soon as the reader has room for it."""
        while self._queued > MAX_QUEUED_BYTES and not self._ended:
            self._room = self._room or asyncio.get_running_loop().create_future()
            await asyncio.wait({self._room})
        if self.track is not None:
            self.track.signal(message, must=True)
        elif not self._ended:
            self._push(sse.event(message), must=True)

    async def finish(self, status: int, body: bytes | Pieces) -> None:
        """Send the final message and end the answer."""
        if self.track is not None:
            await self.track.finish(body)
            return
        if self._ended:
            return
        if self._task is None:
            if self.json_ok or status != 200:
                self._ended = True
                await self._respond(status, body)
                return
            if self.resumable is not None:
                await self._tracked().finish(body)
                return
            self._begin()
        for chunk in sse.pieces(body) if isinstance(body, Pieces) else (sse.event(body),):
            self._push(chunk, must=True)
        await self.end()

    async def _respond(self, status: int, body: bytes | Pieces) -> None:
        if not isinstance(body, Pieces):
            await self.wire.respond(status, (_JSON, *self._headers), body)
            return
        length = (b"content-length", b"%d" % len(body))
        await self.wire.start(status, (_JSON, length, *self._headers))
        for part in body.parts:
            await self.wire.write(part, more=True)  # which waits for a slow reader
        await self.wire.write(b"", more=False)

    async def conclude(self) -> None:
        """End a stream that has carried all its messages, wherever it goes out now."""
        if self.track is not None:
            await self.track.finish()
        else:
            await self.end()

    async def empty(self, status: int) -> None:
        """An answer without a body: 202 for notifications, 204 for an ended session."""
        self._ended = True
        await self.wire.respond(status, self._headers, b"")

    async def end(self) -> None:
        """End the stream after everything queued was written."""
        self._ended = True
        self._rouse()
        if self._task is not None:
            await _end_of(self._task)
            if not self._task.cancelled():
                self._task.result()

    def abandon(self) -> None:
        """Nobody reads any more, or nobody may: end without waiting."""
        self._ended = True
        self._rouse()

    def drop(self, reason: str) -> None:
        """Cut the connection of a reader who cannot be waited for."""
        if not self._ended:
            _log.warning("stream dropped reason=%s", reason)
            self.abandon()
            if self._task is not None:
                self._task.cancel()
            self.wire.abort()

    def open_stream(self) -> None:
        """Send the stream's head now, before there is anything to say (GET streams, subscriptions)."""
        if self._task is None:
            self._begin()

    def watch(self) -> asyncio.Task[None]:
        """A task that ends when the client has disconnected; made once."""
        if self._gone is None:
            self._gone = asyncio.ensure_future(self.wire.gone())
        return self._gone

    async def read_until_gone(self) -> None:
        """Keep an open stream until the client leaves or somebody ends it."""
        if self._task is None:
            return
        await asyncio.wait({self.watch(), self._task}, return_when=asyncio.FIRST_COMPLETED)
        self.abandon()
        await asyncio.wait({self._task})

    def close(self) -> None:
        """Release what belongs to this answer."""
        if self._gone is not None:
            self._gone.cancel()

    # -- the stream's writer ---------------------------------------------------------------------------

    def _begin(self) -> None:
        self._queue = deque()
        self._task = asyncio.ensure_future(self._pump())
        if self.resumable is not None and self.track is None:
            self.track, priming = self.resumable.open(self, self.request_id)
            if priming:
                self._push(priming)

    def _tracked(self) -> Track:
        if self.track is None:
            self._begin()
        assert self.track is not None
        return self.track

    def _push(self, chunk: bytes, must: bool = False) -> bool:
        if self._queue is None:
            self._begin()
        if self._queue is None:
            return False
        if not must and self._queued and self._queued + len(chunk) > MAX_QUEUED_BYTES:
            return False
        self._queue.append(chunk)
        self._queued += len(chunk)
        self._rouse()
        return True

    def _rouse(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def _pump(self) -> None:
        queue = self._queue
        if queue is None:
            return
        # What is written together wakes the reader once: the head with what there is to say by now, and the
        # last word with the end of the stream.
        first = _next(queue) if queue else b""
        await self.wire.start(200, (*_STREAM_HEAD, *self._headers, *self.stream_headers), first)
        self._taken(len(first))
        while True:
            if queue:
                chunk = _next(queue)
                last = self._ended and not queue
                await self.wire.write(chunk, more=not last)
                self._taken(len(chunk))
                if last:
                    return
                continue
            if self._ended:
                break
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
            self._wake = None
        await self.wire.write(b"", more=False)

    def _taken(self, size: int) -> None:
        self._queued -= size
        if self._room is not None:
            self._room.set_result(None)
            self._room = None


async def _end_of(task: asyncio.Task[None]) -> None:
    """Wait for ``task``, which goes on if the wait is cancelled (``asyncio.wait`` for one)."""
    if task.done():
        return
    waiter = asyncio.get_running_loop().create_future()

    def over(_: asyncio.Task[None]) -> None:
        if not waiter.done():
            waiter.set_result(None)

    task.add_done_callback(over)
    await waiter


def _next(queue: deque[bytes]) -> bytes:
    """What to write next: everything, unless that is very much."""
    chunks: list[bytes] = []
    size = 0
    while queue and (not chunks or size + len(queue[0]) <= _AT_ONCE):
        chunks.append(queue.popleft())
        size += len(chunks[-1])
    return b"".join(chunks)
