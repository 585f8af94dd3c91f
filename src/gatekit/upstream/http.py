"""Streamable HTTP, as a client: both eras.

Every request is a POST of its own, answered by JSON or by an event stream. In the stateless era that is
all; headers repeat what the body says, and who closes the stream cancels the call. In the handshake era
there is besides it a session (``http_session``): an id, a standing stream for what the server says unasked,
streams that break and are resumed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from functools import partial
from typing import Any

from msgspec import Struct

from gatekit.errors import (
    BadAnswer,
    HeaderMismatch,
    LinkClosed,
    LinkError,
    MethodNotFound,
    OutboundBroken,
    OutboundRefused,
    OutboundUnreachable,
    ParseFault,
    RemoteRefused,
)
from gatekit.model.call import Fault, Result
from gatekit.protocol import headers as mirrored
from gatekit.protocol import jsonrpc
from gatekit.protocol.era.detect import META_VERSION
from gatekit.upstream.annotations import CALL, LIST
from gatekit.upstream.answers import (
    EVENTS,
    JSON,
    Cursor,
    Events,
    fault_in,
    link_error,
    media_type,
    refusal,
)
from gatekit.upstream.http_session import HttpSession
from gatekit.upstream.network import Stream
from gatekit.upstream.outbox import Outbox
from gatekit.upstream.remote import RemoteLink
from gatekit.upstream.reply import Reply

_log = logging.getLogger("gatekit.upstream")

LINGER_SECONDS = 1.0
"""How long a stream is read on after its answer: at its end the connection can be used again."""
MAX_PAGES = 50
_POST = {"content-type": JSON, "accept": f"{JSON}, {EVENTS}"}
_NO_SUCH_TOOL = Fault(-32602, "Unknown tool: its x-mcp-header annotation is invalid")


class SessionLost(Struct, frozen=True):
    """The server does not know the session any more."""


Taken = Result | Fault | SessionLost | None
"""What an answer brought; None: its stream ended without one."""


class StreamableWire:
    """Implements ``remote.Wire``."""

    def __init__(self, link: RemoteLink) -> None:
        self._link = link
        self._cap = link.server.largest
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._others: set[asyncio.Task[None]] = set()
        self._outbox = Outbox(link.server.name, self._deliver)
        self.session = HttpSession(link, self)

    # -- Wire ------------------------------------------------------------------------------------------

    def request(self, reply: Reply, params: dict[str, Any]) -> None:
        task = asyncio.get_running_loop().create_task(self._run(reply, params))
        self._tasks[reply.id] = task
        task.add_done_callback(partial(self._ended, reply))

    def post(self, message: bytes) -> None:
        self._outbox.put(message)

    def forget(self, reply: Reply) -> None:
        task = self._tasks.get(reply.id)
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        tasks = [*self._tasks.values(), *self._others]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._outbox.close()
        await self.session.close()

    async def flushed(self) -> None:
        """Wait until all notifications so far were posted."""
        await self._outbox.flushed()

    # -- calls -----------------------------------------------------------------------------------------

    async def _run(self, reply: Reply, params: dict[str, Any]) -> None:
        link = self._link
        try:
            if link.meta:
                end = await self._stateless(reply, params)
            else:
                end = await self.session.call(reply, params)
        except OutboundRefused as error:
            link.fail_call(reply, link_error(error))
        except LinkError as error:
            link.fail_call(reply, error)
        else:
            link.settle(reply, end)

    def _ended(self, reply: Reply, task: asyncio.Task[None]) -> None:
        self._tasks.pop(reply.id, None)
        if task.cancelled():
            self._link.fail_call(reply, LinkClosed("the call was given up"))
        elif (error := task.exception()) is not None:
            _log.error("server %s: a call failed", self._link.server.name, exc_info=error)
            self._link.fail_call(reply, BadAnswer("the answer could not be read", repr(error)))

    async def _stateless(self, reply: Reply, params: dict[str, Any]) -> Result | Fault:
        link, annotated = self._link, self._link.remote.annotated
        if reply.method == CALL and annotated.dropped(params):
            return _NO_SUCH_TOOL
        sent = self._mirrored(reply.method, params)
        end = await self.exchange(reply, params, sent)
        if isinstance(end, Fault) and end.code == HeaderMismatch.code and reply.method == CALL:
            # MCP 2026-07-28, Streamable HTTP: the tool may have been changed since it was listed.
            await self._relist()
            again = self._mirrored(reply.method, params)
            if again != sent:
                end = await self.exchange(reply, params, again)
        if isinstance(end, Result) and reply.method == LIST:
            return annotated.learn(link.server.name, end)
        return end if isinstance(end, Result | Fault) else _broken()

    def _mirrored(self, method: str, params: Mapping[str, Any]) -> dict[str, str]:
        link = self._link
        found = mirrored.mirror(method, params, str(link.meta.get(META_VERSION, link.version)))
        if method == CALL:
            found |= link.remote.annotated.headers(dict(params))
        return found

    async def _relist(self) -> None:
        """Read the list of tools again, for its annotations."""
        link = self._link
        params: dict[str, Any] = {"_meta": link.meta}
        for _ in range(MAX_PAGES):
            reply = link.prepare(LIST)
            end = await self.exchange(reply, params, self._mirrored(LIST, params))
            if not isinstance(end, Result):
                return
            link.remote.annotated.learn(link.server.name, end)
            cursor = _next_cursor(end)
            if cursor is None:
                return
            params = {"_meta": link.meta, "cursor": cursor}

    # -- one exchange ----------------------------------------------------------------------------------

    async def exchange(
        self, reply: Reply, params: dict[str, Any], headers: Mapping[str, str], cursor: Cursor | None = None
    ) -> Taken:
        """POST a request and read the answer to it. Raise ``LinkError`` and ``OutboundRefused``.

        With a ``cursor`` a stream that breaks gives None, so that it can be resumed.
        """
        body = jsonrpc.encode_request(reply.id, reply.method, params)
        stream = await self.open("POST", {**_POST, **headers}, body)
        position = cursor or Cursor()
        lingers = False
        try:
            end: Taken
            if 200 <= stream.status < 300:
                end = await self._taken(stream, reply, position)
            else:
                end = await self._refused(stream, "mcp-session-id" in headers)
            lingers = end is not None and media_type(stream) == EVENTS
            return end
        except OutboundBroken:
            if cursor is None or not cursor.last_id:
                raise
            return None
        finally:
            if lingers:
                self.spawn(_linger(stream))
            else:
                await stream.close()

    async def open(self, method: str, headers: Mapping[str, str], body: bytes | None = None) -> Stream:
        """Raise ``OutboundRefused`` or, if nobody is there, ``LinkError``, which ends the Link."""
        link = self._link
        try:
            return await link.remote.channel.open(method, {**link.remote.headers, **headers}, body)
        except OutboundUnreachable as error:
            if not link.opened:
                raise RemoteRefused("the remote server cannot be reached", str(error)) from error
            link.end(f"the remote server cannot be reached: {error}")
            raise

    async def _taken(self, stream: Stream, reply: Reply, cursor: Cursor) -> Result | Fault | None:
        if reply.method == "initialize":
            self.session.named(stream.headers.get("mcp-session-id", ""))
        kind = media_type(stream)
        if kind == EVENTS:
            return await self.read(stream, reply, cursor)
        if kind != JSON:
            said = f"HTTP {stream.status}, {kind or 'no content type'}"
            raise BadAnswer("the remote server's answer is no MCP message", said)
        end = self._link.receive(await stream.read(self._cap), reply)
        if end is None:
            raise BadAnswer("the remote server's answer cannot be read", "no JSON-RPC response in the body")
        return end

    async def _refused(self, stream: Stream, in_session: bool) -> Fault | SessionLost:
        link = self._link
        fault = await fault_in(stream)
        if stream.status == 404 and in_session and (fault is None or fault.code != MethodNotFound.code):
            return SessionLost()
        if fault is None or stream.status in (401, 403) or (stream.status >= 500 and not link.opened):
            raise refusal(stream)
        return fault

    async def read(self, stream: Stream, reply: Reply | None, cursor: Cursor) -> Result | Fault | None:
        """Read a stream until the answer to ``reply`` or its end. Raise as ``exchange`` does."""
        found = Events(stream, self._cap, cursor)
        while (event := await found.next()) is not None:
            if event.event == "message":
                end = self._link.receive(event.data, reply)
                if end is not None:
                    return end
                await self._link.pace()
        return None

    # -- messages without an answer --------------------------------------------------------------------

    async def _deliver(self, message: bytes) -> None:
        link = self._link
        if link.meta:
            line = jsonrpc.decode_line(message)
            if line is None or not line.method:
                return  # no server asks anything in this era
            headers = self._mirrored(line.method, jsonrpc.decode_object(line.params))
        else:
            headers = self.session.headers()
        try:
            stream = await self.open("POST", {**_POST, **headers}, message)
        except OutboundRefused as error:
            raise link_error(error) from error
        try:
            if stream.status >= 300:
                raise refusal(stream)
        finally:
            await stream.close()

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Something beside the calls, which ends with the wire."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._others.add(task)
        task.add_done_callback(self._others.discard)
        return task


async def _linger(stream: Stream) -> None:
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while await stream.more():
                pass
    except (TimeoutError, OutboundRefused):
        pass
    finally:
        await stream.close()


def _next_cursor(end: Result) -> str | None:
    try:
        body = end.body if isinstance(end.body, dict) else jsonrpc.decode_object(end.body)
    except ParseFault:
        return None
    cursor = body.get("nextCursor")
    return cursor if isinstance(cursor, str) else None


def _broken() -> Fault:
    raise LinkClosed("the connection to the remote server ended before the answer")
