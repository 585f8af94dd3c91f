"""What the handshake era adds to Streamable HTTP: the session of one Link at a remote server.

The id that came with the answer to ``initialize`` goes with every request. A standing stream carries what the
server says unasked. A stream that ends before its answer is resumed after its last event. A session that the
server has forgotten is opened once more, and then only what may be done twice is done again.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING, Any

from gatekit.errors import (
    LinkClosed,
    LinkError,
    OutboundBroken,
    OutboundRefused,
    OutboundUnreachable,
    ParseFault,
)
from gatekit.model.call import Fault, Result
from gatekit.protocol import jsonrpc
from gatekit.upstream.annotations import CALL
from gatekit.upstream.answers import EVENTS, Cursor, media_type, refusal
from gatekit.upstream.remote import RemoteLink
from gatekit.upstream.reply import Reply

if TYPE_CHECKING:
    from gatekit.upstream.http import StreamableWire

_log = logging.getLogger("gatekit.upstream")

INITIALIZE = "initialize"
INITIALIZED = "notifications/initialized"
SUBSCRIBE, UNSUBSCRIBE = "resources/subscribe", "resources/unsubscribe"
SET_LEVEL = "logging/setLevel"
MAX_KEPT = 1000
"""Subscriptions that are made anew in a session that was lost."""
RETRY_SECONDS = 1.0
"""Before a stream is opened again, unless the server says otherwise."""
MIN_RETRY_SECONDS = 0.05
MAX_RETRY_SECONDS = 30.0
RESUMES = 5
"""How often in a row a broken stream may not be had again before its call fails."""
END_SECONDS = 2.0
"""How long the end of a session is waited for."""
_VISIBLE = re.compile(r"[\x21-\x7e]{1,4096}")


class HttpSession:
    """Belongs to one wire. A server without sessions never names one; most of this then never happens."""

    def __init__(self, link: RemoteLink, wire: StreamableWire) -> None:
        self._link = link
        self._wire = wire
        self.id = ""
        self._hello: dict[str, Any] = {}
        self._level: dict[str, Any] | None = None
        self._subscribed: dict[str, dict[str, Any]] = {}
        """What the client has set up in the session: params of ``SET_LEVEL``, and of ``SUBSCRIBE`` by URI."""
        self._renewing = asyncio.Lock()
        self._standing: asyncio.Task[None] | None = None

    def named(self, session_id: str) -> None:
        """The server's answer to ``initialize`` bore this id; empty if none. MCP: visible ASCII only."""
        self.id = session_id if _VISIBLE.fullmatch(session_id) else ""

    def headers(self) -> dict[str, str]:
        """Of every request but ``initialize``."""
        found = {"mcp-protocol-version": self._link.version} if self._link.version else {}
        if self.id:
            found["mcp-session-id"] = self.id
        return found

    # -- calls -----------------------------------------------------------------------------------------

    async def call(self, reply: Reply, params: dict[str, Any]) -> Result | Fault:
        """Raise ``LinkError`` and ``OutboundRefused``."""
        if reply.method == INITIALIZE:
            self._hello = params
        session = self.id
        end = await self._exchange(reply, params)
        if isinstance(end, Result):
            self._note(reply.method, params)
        if isinstance(end, Result | Fault):
            return end
        await self._renew(session)
        if reply.method == CALL:
            raise LinkClosed("the remote server had ended the session; the call can be made again")
        end = await self._exchange(reply, params)
        if isinstance(end, Result | Fault):
            return end
        raise LinkClosed("the remote server forgets its sessions")

    async def _exchange(self, reply: Reply, params: dict[str, Any]) -> Result | Fault | None:
        """None: the session is lost."""
        cursor = Cursor()
        headers = {} if reply.method == INITIALIZE else self.headers()
        end = await self._wire.exchange(reply, params, headers, cursor)
        if end is None:
            return await self._resumed(reply, cursor)
        return end if isinstance(end, Result | Fault) else None

    async def _resumed(self, reply: Reply, cursor: Cursor) -> Result | Fault:
        """Read on where a stream ended, as long as the server lets us (MCP, resumability and redelivery).

        A server may end it on purpose, to be asked again later (SEP-1699); the caller's patience bounds that.
        """
        failures = 0
        while cursor.last_id and failures < RESUMES:
            await asyncio.sleep(_pause(cursor, failures))
            try:
                stream = await self._wire.open("GET", self._listening(cursor))
            except OutboundBroken:
                failures += 1
                continue
            try:
                if stream.status != 200 or media_type(stream) != EVENTS:
                    failures = RESUMES
                    _log.debug("a stream is not resumed: %s", refusal(stream).detail)
                    continue
                end = await self._wire.read(stream, reply, cursor)
                failures = 0
                if end is not None:
                    return end
            except OutboundBroken:
                failures += 1
            finally:
                await stream.close()
        raise LinkClosed("the connection to the remote server ended before the answer")

    def _listening(self, cursor: Cursor) -> dict[str, str]:
        found = {"accept": EVENTS, **self.headers()}
        if cursor.last_id:
            found["last-event-id"] = cursor.last_id
        return found

    # -- a session that was lost -----------------------------------------------------------------------

    async def _renew(self, lost: str) -> None:
        """Open the session again, unless somebody has done so since. Raise ``LinkError``."""
        async with self._renewing:
            if self.id != lost:
                if not self.id:
                    raise LinkClosed("the remote server opens no new session")
                return
            self.id = ""
            try:
                await self._reopen()
            except (LinkError, OutboundRefused) as error:
                said = error.detail if isinstance(error, LinkError) else str(error)
                self._link.end(f"the server forgot the session and opens no other: {said}")
                raise

    async def _reopen(self) -> None:
        link = self._link
        _log.info("server %s: the session is opened anew", link.server.name)
        async with asyncio.timeout(link.server.start_timeout):
            reply = link.prepare(INITIALIZE)
            end = await self._wire.exchange(reply, self._hello, {})
        if not isinstance(end, Result):
            raise LinkClosed("the remote server opens no new session")
        try:
            body = end.body if isinstance(end.body, dict) else jsonrpc.decode_object(end.body)
        except ParseFault as error:
            raise LinkClosed("the remote server opens no new session", error.detail) from error
        if body.get("protocolVersion") != link.version:
            raise LinkClosed("the remote server came back with another protocol version")
        link.notify(INITIALIZED, {})
        await self._wire.flushed()
        await self._restore()
        self.stand()
        link.may_have_changed()

    def _note(self, method: str, params: dict[str, Any]) -> None:
        uri = str(params.get("uri"))
        if method == SET_LEVEL:
            self._level = params
        elif method == SUBSCRIBE and len(self._subscribed) < MAX_KEPT:
            self._subscribed[uri] = params
        elif method == UNSUBSCRIBE:
            self._subscribed.pop(uri, None)

    async def _restore(self) -> None:
        """Set up in the new session what the client had set up in the lost one."""
        kept = [(SUBSCRIBE, params) for params in self._subscribed.values()]
        for method, params in ([(SET_LEVEL, self._level)] if self._level else []) + kept:
            end = await self._wire.exchange(self._link.prepare(method), params, self.headers())
            if not isinstance(end, Result):
                _log.info("server %s: %s was not taken in the new session", self._link.server.name, method)

    # -- what the server says unasked ------------------------------------------------------------------

    def stand(self) -> None:
        """Open the standing stream; a server without sessions has nobody to send anything to."""
        if self._standing is not None:
            self._standing.cancel()
        if self.id:
            self._standing = self._wire.spawn(self._stand(self.id))

    async def _stand(self, session: str) -> None:
        cursor, failures = Cursor(), 0
        while self._link.alive and self.id == session:
            seen = cursor.seen
            try:
                if not await self._heard(cursor, session):
                    return
            except (OutboundRefused, LinkError) as error:
                _log.debug("server %s: its stream broke: %s", self._link.server.name, error)
            failures = 0 if cursor.seen > seen else failures + 1
            await asyncio.sleep(_pause(cursor, failures - 1))

    async def _heard(self, cursor: Cursor, session: str) -> bool:
        """Read the stream to its end; False if there is no use in another try."""
        channel = self._link.remote.channel
        headers = {**self._link.remote.headers, **self._listening(cursor)}
        try:
            stream = await channel.open("GET", headers)
        except OutboundUnreachable:
            return True  # a call will find out, if there is one
        try:
            if stream.status == 404 and session:
                self._wire.spawn(self._renewed(session))
                return False
            if stream.status == 429 or stream.status >= 500:
                return True
            if stream.status != 200 or media_type(stream) != EVENTS:
                return False  # 405: it offers no such stream
            await self._wire.read(stream, None, cursor)
            return True
        finally:
            await stream.close()

    async def _renewed(self, session: str) -> None:
        try:
            await self._renew(session)
        except (LinkError, OutboundRefused) as error:
            _log.info("server %s: %s", self._link.server.name, error)

    # -- the end ---------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Tell the server that the session is over; it may refuse to hear it (405)."""
        session, headers = self.id, self.headers()
        self.id = ""
        if not session or self._link.over.done():
            return
        channel, common = self._link.remote.channel, self._link.remote.headers
        try:
            async with asyncio.timeout(END_SECONDS):
                stream = await channel.open("DELETE", {**common, **headers})
                await stream.close()
        except (TimeoutError, OutboundRefused) as error:
            _log.debug("server %s: the end of a session was not heard: %s", self._link.server.name, error)


def _pause(cursor: Cursor, failures: int) -> float:
    if cursor.retry is not None:
        return min(max(cursor.retry, MIN_RETRY_SECONDS), MAX_RETRY_SECONDS)
    return min(RETRY_SECONDS * (1 << min(max(failures, 0), 10)), MAX_RETRY_SECONDS)
