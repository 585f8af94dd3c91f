"""What the pump sends through: one request, and its answer while it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from msgspec import Struct

from gatekit.protocol import sse

MAX_MESSAGE_BYTES = 128 * 1024 * 1024
"""One message from the other end; the gateway and most servers stop far earlier."""


class Outgoing(Struct, frozen=True):
    """One HTTP request to the MCP endpoint that the channel leads to. Header names are in lower case."""

    method: str
    headers: Mapping[str, str]
    body: bytes = b""


class Incoming(Struct, frozen=True):
    """The head of an answer, and its body as it comes. Reading may raise ``ChannelError``."""

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]

    @property
    def streams(self) -> bool:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower() == "text/event-stream"


class Channel(Protocol):
    """The way to one MCP endpoint."""

    @property
    def mirrors(self) -> bool:
        """Whether requests of the stateless era must repeat parts of their body in headers."""
        ...

    def open(self, outgoing: Outgoing) -> AbstractAsyncContextManager[Incoming]:
        """Send a request; leaving the context hangs up. Raises ``ChannelError``."""
        ...


async def messages(incoming: Incoming) -> AsyncIterator[sse.Event]:
    """The messages of an answer, one by one, whether it is JSON or an event stream.

    Raises ``ChannelError``, and ``sse.TooLong`` for a message that nobody could hold.
    """
    if incoming.streams:
        parser = sse.Parser(MAX_MESSAGE_BYTES)
        async for chunk in incoming.chunks:
            for event in parser.feed(chunk):
                yield event
        return
    whole, size = [], 0
    async for chunk in incoming.chunks:
        size += len(chunk)
        if size > MAX_MESSAGE_BYTES:
            raise sse.TooLong(f"answer of more than {MAX_MESSAGE_BYTES} bytes")
        whole.append(chunk)
    if size:
        yield sse.Event(b"".join(whole))
