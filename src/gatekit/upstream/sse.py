"""HTTP+SSE of 2024-11-05, as a client: one standing stream brings everything, and names where to post.

Deprecated, and some remote servers still speak nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any

from gatekit.errors import (
    BadAnswer,
    LinkClosed,
    LinkError,
    OutboundRefused,
    OutboundUnreachable,
    RemoteRefused,
)
from gatekit.protocol import jsonrpc
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
from gatekit.upstream.network import Stream
from gatekit.upstream.outbox import Outbox
from gatekit.upstream.remote import RemoteLink
from gatekit.upstream.reply import Reply

_log = logging.getLogger("gatekit.upstream")


class SseWire:
    """Implements ``remote.Wire``. ``connect`` comes first."""

    def __init__(self, link: RemoteLink) -> None:
        self._link = link
        self._post_path = ""
        self._reader: asyncio.Task[None] | None = None
        self._endpoint: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._endpoint.add_done_callback(lambda endpoint: endpoint.cancelled() or endpoint.exception())
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._outbox = Outbox(link.server.name, self._deliver)

    async def connect(self) -> None:
        """Open the stream and learn the endpoint. Raise ``LinkError``."""
        link = self._link
        try:
            stream = await link.remote.channel.open("GET", {**link.remote.headers, "accept": EVENTS})
        except OutboundUnreachable as error:
            raise RemoteRefused("the remote server cannot be reached", str(error)) from error
        except OutboundRefused as error:
            raise link_error(error) from error
        if stream.status != 200 or media_type(stream) != EVENTS:
            await stream.close()
            raise refusal(stream)
        self._reader = asyncio.get_running_loop().create_task(self._read(stream))
        self._reader.add_done_callback(self._over)
        reference = await asyncio.shield(self._endpoint)
        path = link.remote.channel.beside(reference)
        if path is None:
            # The stream's server would otherwise decide where our headers, secrets and all, are sent.
            text = f"its endpoint {reference[:300]!r} is on another origin"
            raise RemoteRefused("the remote server cannot be used", text)
        self._post_path = path

    # -- Wire ------------------------------------------------------------------------------------------

    def request(self, reply: Reply, params: dict[str, Any]) -> None:
        message = jsonrpc.encode_request(reply.id, reply.method, params)
        task = asyncio.get_running_loop().create_task(self._send(reply, message))
        self._tasks[reply.id] = task
        task.add_done_callback(partial(self._sent, reply))

    def post(self, message: bytes) -> None:
        self._outbox.put(message)

    def forget(self, reply: Reply) -> None:
        """The answer, if it comes, finds nobody."""

    async def close(self) -> None:
        tasks = [*self._tasks.values(), *([self._reader] if self._reader else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._outbox.close()
        if not self._endpoint.done():
            self._endpoint.cancel()

    async def flushed(self) -> None:
        """Wait until all notifications so far were posted."""
        await self._outbox.flushed()

    # -- reading ---------------------------------------------------------------------------------------

    async def _read(self, stream: Stream) -> None:
        link = self._link
        try:
            found = Events(stream, link.server.largest, Cursor())
            while (event := await found.next()) is not None:
                if event.event == "endpoint":
                    if not self._endpoint.done():
                        self._endpoint.set_result(event.data.decode("utf-8", "replace").strip())
                elif event.event == "message":
                    link.receive(event.data)
                    await link.pace()
        except OutboundRefused as error:
            self._lost(link_error(error).detail)
        else:
            self._lost("the remote server closed its event stream")
        finally:
            await stream.close()

    def _over(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            _log.error("server %s: its stream cannot be read", self._link.server.name, exc_info=error)
            self._lost(repr(error))

    def _lost(self, reason: str) -> None:
        # Answers come over this stream alone, and it cannot be resumed: whatever waits has waited in vain.
        error = LinkClosed("the connection to the remote server ended", reason)
        if not self._endpoint.done():
            self._endpoint.set_exception(error)
        self._link.fail(error)
        self._link.end(reason)

    # -- writing ---------------------------------------------------------------------------------------

    async def _send(self, reply: Reply, message: bytes) -> None:
        try:
            await self._deliver(message)
        except LinkError as error:
            self._link.fail_call(reply, error)

    def _sent(self, reply: Reply, task: asyncio.Task[None]) -> None:
        self._tasks.pop(reply.id, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("server %s: a call failed", self._link.server.name, exc_info=error)
            self._link.fail_call(reply, BadAnswer("the call could not be sent", repr(error)))

    async def _deliver(self, message: bytes) -> None:
        link = self._link
        headers = {**link.remote.headers, "content-type": JSON, "accept": f"{JSON}, {EVENTS}"}
        if link.version:
            headers["mcp-protocol-version"] = link.version
        try:
            stream = await link.remote.channel.open("POST", headers, message, self._post_path)
        except OutboundRefused as error:
            raise link_error(error) from error
        try:
            if stream.status >= 300:
                fault = await fault_in(stream)
                if fault is not None:
                    raise BadAnswer(f"the remote server refused the message: {fault.message[:200]}")
                raise refusal(stream)
        finally:
            await stream.close()
