"""The channel into the data plane of this process: ``Endpoint.serve`` without a network in between."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Protocol

from gatekit.gateway.inbound import Refused
from gatekit.gateway.ports import Headers, Wire
from gatekit.local.channel import Incoming, Outgoing

PEER = "stdio"
"""Stands where the audit names the network peer."""
_ENDING_SECONDS = 1.2
"""Clients send SIGKILL two seconds after SIGTERM, and the children must end in that time, too."""


class Read(Protocol):
    """The body of at most so many bytes, or ``Refused``."""

    def __call__(self, limit: int, /) -> Awaitable[bytes]: ...


class Serve(Protocol):
    """``gateway.endpoint.Endpoint.serve``."""

    def __call__(
        self,
        method: str,
        server: str,
        headers: Headers,
        peer: str,
        wire: Wire,
        read: Read,
        *,
        mirrored: bool,
    ) -> Awaitable[None]: ...


class MemoryWire:
    """Implements ``gateway.ports.Wire``: the answer is read by ``chunks`` of the same process.

    A writer waits until what it wrote was taken, so a client that does not read slows its own stream only.
    """

    def __init__(self) -> None:
        self.started = False
        self.status = 500
        self.headers: dict[str, str] = {}
        self._chunks: deque[bytes] = deque()
        self._ended = False
        self._left = asyncio.Event()
        self._news = asyncio.Condition()
        self._aborted: asyncio.Future[None] | None = None

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        self._head(status, headers)
        await self._put(body, ended=True)

    async def start(self, status: int, headers: Headers, first: bytes = b"") -> None:
        self._head(status, headers)
        await self._put(first, ended=False)

    async def write(self, data: bytes, more: bool) -> None:
        await self._put(data, ended=not more)

    async def gone(self) -> None:
        await self._left.wait()

    def abort(self) -> None:
        self._ended = True
        self._aborted = asyncio.ensure_future(self.leave())

    def _head(self, status: int, headers: Headers) -> None:
        self.started = True
        self.status = status
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}

    async def _put(self, data: bytes, ended: bool) -> None:
        async with self._news:
            if data and not self._left.is_set():
                self._chunks.append(data)
            self._ended = self._ended or ended
            self._news.notify_all()
            if not ended:
                await self._news.wait_for(lambda: not self._chunks or self._left.is_set())

    # -- the reader's side ---------------------------------------------------------------------------------

    async def head(self) -> None:
        """Wait until status and headers are there."""
        async with self._news:
            await self._news.wait_for(lambda: self.started)

    async def chunks(self) -> AsyncIterator[bytes]:
        while True:
            async with self._news:
                await self._news.wait_for(lambda: self._chunks or self._ended)
                taken = b"".join(self._chunks)
                self._chunks.clear()
                self._news.notify_all()
                ended = self._ended
            if taken:
                yield taken
            if ended:
                return

    async def leave(self) -> None:
        """Nobody reads any more."""
        async with self._news:
            self._left.set()
            self._chunks.clear()
            self._news.notify_all()


class InsideChannel:
    """Leads to one endpoint (``server``; ``""`` is the aggregate one) of the data plane behind ``serve``."""

    mirrors = False
    """There is nothing between us and the data plane that could read headers instead of bodies."""

    def __init__(self, serve: Serve, server: str) -> None:
        self._serve = serve
        self._server = server
        self._requests: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def open(self, outgoing: Outgoing) -> AsyncIterator[Incoming]:
        wire = MemoryWire()
        task = asyncio.ensure_future(self._run(outgoing, wire))
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)
        try:
            await wire.head()
            yield Incoming(wire.status, wire.headers, wire.chunks())
        finally:
            # Not cancelled: the data plane notices that nobody reads, ends the call and records it.
            await wire.leave()

    async def _run(self, outgoing: Outgoing, wire: MemoryWire) -> None:
        async def read(limit: int) -> bytes:
            if len(outgoing.body) > limit:
                raise Refused(413, f"a message may have at most {limit} bytes")
            return outgoing.body

        headers = [
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in outgoing.headers.items()
        ]
        try:
            await self._serve(outgoing.method, self._server, headers, PEER, wire, read, mirrored=False)
        finally:
            if not wire.started:
                await wire.respond(500, (), b"")

    async def aclose(self) -> None:
        """Let what nobody waits for any more come to its end, and its record; then end it by force."""
        if self._requests:
            _, late = await asyncio.wait(self._requests, timeout=_ENDING_SECONDS)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
