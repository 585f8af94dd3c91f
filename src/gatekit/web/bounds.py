"""What a connection may take before anybody knows who is there: bytes and time.

The HTTP parser has no limits of its own, so a head without end would grow until the process dies, and a
connection that never says anything would be held for ever. And it hands trailers over as if they were
headers; after the door has judged the head, nothing may be added to it (RFC 9110 §6.5.1). Written so that a
request that comes in one packet pays for none of this.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

MAX_HEAD = 64 * 1024
"""Bytes of a head, checked with each packet that goes on with one (a packet has at most 256 KiB); for a
chunked body, bytes that are not of the body: chunk sizes, extensions and trailers."""
HEAD_SECONDS = 20.0
"""In which the first request must come; a later head has between one and two times as long."""
BODY_SECONDS = 120.0
"""In which a body must come, at least."""


class _Nowhere(list[tuple[bytes, bytes]]):
    """Where what is no header goes."""

    def append(self, _: tuple[bytes, bytes], /) -> None:
        return None


NO_HEAD = _Nowhere()
"""``headers`` of a connection that is not in the middle of a head."""


class Bounded(HttpToolsProtocol):
    """One connection."""

    headers: list[tuple[bytes, bytes]]
    head_seconds: float = HEAD_SECONDS
    body_seconds: float = BODY_SECONDS
    # Class attributes until they are needed, because an idle stream holds a connection.
    spent = 0
    chunked = False
    patient = True
    """The timer waits for something to come, which takes longer than it may be idle."""
    _suspect: object = None
    """The unfinished head or request that the timer saw last."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.headers = NO_HEAD
        self.idle_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._look_again(self.head_seconds)

    def data_received(self, data: bytes) -> None:
        counting = self.headers is not NO_HEAD or self.chunked
        super().data_received(data)
        if counting:
            self._spend(len(data))

    def body_received(self, size: int) -> None:
        """What of a chunked message was its body."""
        self.spent -= size

    def message_complete(self) -> None:
        """A chunked message has ended."""
        self.chunked = False
        self.spent = 0

    def _spend(self, size: int) -> None:
        if self.headers is NO_HEAD and not self.chunked:
            self.spent = 0
            return
        self.spent += size
        if self.spent <= MAX_HEAD or self.transport.is_closing():
            return
        if self.headers is not NO_HEAD and (self.cycle is None or self.cycle.response_complete):
            self.transport.write(_TOO_LARGE)
        self.transport.close()

    # -- one timer a connection, where uvicorn sets and cancels one a request ------------------------------

    def rest(self) -> None:
        """Everything is answered: from now on the connection is idle."""
        self.idle_since = self.loop.time()
        if self.patient and self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None
        if self.timeout_keep_alive_task is None:
            self.patient = False
            self._look_again(self.timeout_keep_alive)

    def _unset_keepalive_if_required(self) -> None:
        self.idle_since = None  # uvicorn calls this when data comes in

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        if self.transport.is_closing():
            return
        left: float | None
        if self.idle_since is not None:
            left = self.idle_since + self.timeout_keep_alive - self.loop.time()
        else:
            left = self._patience()
            self.patient = True
        if left is None:
            return
        if left > 0:
            self._look_again(left)
        else:
            self.transport.close()

    def _patience(self) -> float | None:
        """Seconds for what has begun and is not complete; 0 if there is nothing to wait for, or it was waited
        for already; None while a request is being answered, because its answer sets a timer."""
        cycle: RequestResponseCycle | None = self.cycle
        if self.headers is not NO_HEAD:
            coming: object = self.headers  # a list of its own for each head
            seconds = self.head_seconds
        elif cycle is None or cycle.response_complete:
            return 0
        elif cycle.more_body and not self.pipeline:
            coming, seconds = cycle, self.body_seconds
        else:
            self._suspect = None
            return None
        if coming is self._suspect:
            return 0
        self._suspect = coming
        return seconds

    def _look_again(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._suspect = None
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None


_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 27\r\nconnection: close\r\n\r\n"
    b"The request is too large.\r\n"
)
