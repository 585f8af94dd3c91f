"""Remote servers: which of the transports and eras one speaks, and the opening exchange.

MCP, "Backward compatibility": the modern request first, or ``initialize`` first where a handshake client is
to be served (a pair of equals loses nothing); an answer of 400, 404 or 405 says "not this", unless its body
holds a JSON-RPC error that only a modern server sends; at last GET, for HTTP+SSE. 401, 403 and 5xx are no
evidence of anything and end the attempt. What was found is remembered, as for commands.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from typing import Any, Literal

from gatekit.errors import LinkError, OutboundRefused, RemoteRefused, SpawnFailed, StoreError
from gatekit.model.ports import Clock
from gatekit.model.server import Server
from gatekit.upstream.answers import link_error
from gatekit.upstream.http import StreamableWire
from gatekit.upstream.link import Hello
from gatekit.upstream.negotiate import (
    REMEMBERED_SECONDS,
    Lost,
    Negotiator,
    Opened,
    Opening,
    Refused,
    Remember,
)
from gatekit.upstream.network import Dial
from gatekit.upstream.remote import Connection, Remote, RemoteLink
from gatekit.upstream.sse import SseWire
from gatekit.upstream.transport import Carrier, Discard, OwnedLink, Spawn

Way = Literal["stateless", "handshake", "sse"]

MAX_REMOTES = 1000
"""Different (server, headers) whose connections are kept."""


class RemoteTransport:
    """Implements ``transport.Transport`` for servers with a URL."""

    def __init__(self, clock: Clock, remember: Remember, info: dict[str, Any], dial: Dial) -> None:
        """``info``: our ``clientInfo``."""
        self._clock = clock
        self._remember = remember
        self._negotiator = Negotiator(clock, remember, info)
        self._dial = dial
        self._remotes: dict[str, Remote] = {}

    async def spawn(self, server: Server) -> Carrier:
        """A connection that nothing was sent over yet. Raise ``LinkError`` for an unusable URL."""
        link = RemoteLink(server, self._remote(server), self._clock.monotonic())
        link.wire = StreamableWire(link)
        return Connection(link)

    async def open(self, server: Server, hello: Hello, spawn: Spawn, discard: Discard) -> OwnedLink:
        key = hashlib.sha256(server.fingerprint().encode()).hexdigest()  # headers hold secrets
        reasons: list[str] = []
        for way in await self._ways(server, hello, key):
            link = await spawn()
            if not isinstance(link, RemoteLink):
                raise SpawnFailed("the server cannot be reached this way")
            opening: Opening = Lost(f"no answer within {server.start_timeout:g} s")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(server.start_timeout):
                    opening = await self._try(way, link, hello)
            if isinstance(opening, Opened):
                await self._learn(key, way, link, hello)
                return link
            reasons.append(f"{_SHOWN[way]}: {opening.reason}")
            await discard()
        raise SpawnFailed("the remote server speaks no protocol that is known here", "; ".join(reasons))

    async def close(self) -> None:
        remotes, self._remotes = self._remotes, {}
        for remote in remotes.values():
            await remote.channel.close()

    # -- inside ----------------------------------------------------------------------------------------

    def _remote(self, server: Server) -> Remote:
        key = repr((server.url, server.headers))
        remote = self._remotes.get(key)
        if remote is None:
            try:
                channel = self._dial(server.url)
            except OutboundRefused as error:
                raise link_error(error) from error
            if len(self._remotes) >= MAX_REMOTES:
                # Links that still use it keep their connections; they are closed with the last of them.
                self._remotes.pop(next(iter(self._remotes)))
            headers = {name.lower(): value for name, value in server.headers}
            remote = self._remotes[key] = Remote(channel, headers)
        return remote

    async def _ways(self, server: Server, hello: Hello, key: str) -> list[Way]:
        if server.transport == "sse":
            return ["sse"]
        known = await self._negotiator.recall("era:" + key)
        ways: list[Way] = ["handshake"]
        if hello.era == "stateless" and known != "handshake":
            ways = ["stateless", "handshake"]
        if server.transport == "http":
            return ways
        return ["sse", *ways] if await self._knows_sse(key) else [*ways, "sse"]

    async def _knows_sse(self, key: str) -> bool:
        with contextlib.suppress(StoreError):
            way, _, at = (await self._remember.get("wire:" + key) or "").partition(" ")
            return way == "sse" and at.isdigit() and self._clock.now() - int(at) < REMEMBERED_SECONDS
        return False

    async def _learn(self, key: str, way: Way, link: RemoteLink, hello: Hello) -> None:
        if way == "sse":
            with contextlib.suppress(StoreError):
                await self._remember.put("wire:" + key, f"sse {int(self._clock.now())}")
            return
        known = await self._negotiator.recall("era:" + key)
        await self._negotiator.learn("era:" + key, known, link.era, hello)

    async def _try(self, way: Way, link: RemoteLink, hello: Hello) -> Opening:
        if way == "sse":
            return await self._event_stream(link, hello)
        if way == "stateless":
            return await self._negotiator.discover(link, link.server.probe_timeout)
        opening = await self._negotiator.handshake(link, hello)
        wire = link.wire
        if isinstance(opening, Opened) and link.era == "handshake" and isinstance(wire, StreamableWire):
            # A server may refuse what comes before it was told that the opening is over.
            await wire.flushed()
            wire.session.stand()
        return opening

    async def _event_stream(self, link: RemoteLink, hello: Hello) -> Opening:
        await link.wire.close()
        wire = link.wire = SseWire(link)
        try:
            await wire.connect()
        except LinkError as error:
            if isinstance(error, RemoteRefused):
                raise
            return Refused(link, error.detail)
        opening = await self._negotiator.handshake(link, hello)
        await wire.flushed()
        return opening


_SHOWN: dict[Way, str] = {"stateless": "server/discover", "handshake": "initialize", "sse": "HTTP+SSE"}
