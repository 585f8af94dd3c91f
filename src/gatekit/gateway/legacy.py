"""HTTP+SSE, the transport of MCP 2024-11-05, beside the Streamable one: ``/s/{server}/sse`` and ``/sse``.

A client opens an event stream with GET, is told in its first event where to POST, and gets every answer on
that stream; a POST itself is only answered with 202. The stream *is* the session: when it ends, so do the
session, its calls and its instances. Token, audience, origin, policy and record are the same as at every
other door, for both requests. Off unless the operator wants it (``docs/decisions/0012``).
"""

from __future__ import annotations

import asyncio
import itertools
from urllib.parse import parse_qs

from msgspec import Struct

from gatekit.errors import InvalidRequestFault, ProtocolFault, SessionUnknown
from gatekit.gateway import batch
from gatekit.gateway.batch import AT_ONCE
from gatekit.gateway.dispatch import Dispatch
from gatekit.gateway.handshake import HandshakeDoor
from gatekit.gateway.inbound import Inbound, Refused
from gatekit.gateway.ports import Surroundings
from gatekit.gateway.reply import Reply
from gatekit.gateway.sessions import McpSession
from gatekit.gateway.stateless import StatelessDoor
from gatekit.model.access import Access
from gatekit.model.call import Pieces
from gatekit.protocol import jsonrpc, methods, names, sse
from gatekit.protocol.jsonrpc import Message, Request

AGGREGATE_PATH = "/sse"
_PREFIX, _SUFFIX = "/s/", "/sse"
_PARAMETER = "session"
_UNOPENED_SECONDS = 30.0
"""How long a stream may wait for ``initialize``."""
TOO_SLOW = "the client reads too slowly"


def legacy_of(path: str) -> str | None:
    """Server name of an HTTP+SSE endpoint's path, ``""`` for the aggregate one, None for any other path."""
    if path.startswith(_PREFIX) and path.endswith(_SUFFIX):
        name = path[len(_PREFIX) : -len(_SUFFIX)]
        return name if names.may_be_published(name) else None
    return "" if path == AGGREGATE_PATH else None


def path_of(server: str) -> str:
    return f"{_PREFIX}{server}{_SUFFIX}" if server else AGGREGATE_PATH


class Line(Struct, eq=False):
    """One open event stream, and the session that lives on it."""

    id: str
    server: str
    access: Access
    reply: Reply
    session: McpSession | None = None
    opening: bool = False


class Spoken(Reply):
    """The answer to one request, which goes out on the line."""

    __slots__ = ("_line",)

    def __init__(self, line: Reply, now: float) -> None:
        super().__init__(line.wire, (), json_ok=True, sse_ok=True, now=now)
        self._line = line

    def signal(self, message: bytes) -> bool:
        if self._line.signal(message):
            return True
        self._line.drop(TOO_SLOW)
        return False

    def keepalive(self, now: float) -> None:
        self.touched_at = now  # the line has its own

    async def finish(self, status: int, body: bytes | Pieces) -> None:  # noqa: ARG002 - the POST has its 202
        self._ended = True
        await self._line.deliver(bytes(body))

    def open_stream(self) -> None:
        """It is open."""

    def watch(self) -> asyncio.Task[None]:
        return self._line.watch()


class LegacyDoor(Dispatch):
    """Entry of the data plane for one HTTP request of this transport."""

    legacy = True

    def __init__(self, around: Surroundings, handshake: HandshakeDoor, stateless: StatelessDoor) -> None:
        super().__init__(around, handshake, stateless)
        self.lines: dict[str, Line] = {}
        self._numbers = itertools.count(1)

    # -- GET ----------------------------------------------------------------------------------------------

    async def _other(self, inbound: Inbound, access: Access, reply: Reply) -> None:
        if inbound.since != self._around.epoch.count:
            await self._around.still(access, inbound.since)
        if inbound.method != "GET":
            reply.add_headers((b"allow", b"GET, POST, OPTIONS"))
            raise Refused(405, "Method not allowed: the stream is opened with GET")
        if self.retry_after:
            self._turn_away(reply)
        if not reply.sse_ok:
            raise Refused(406, "Accept must include text/event-stream")
        self._handshake.check_reach(inbound.server, access)
        mine = sum(line.access.principal.id == access.principal.id for line in self.lines.values())
        if mine >= self._around.settings.sessions_per_principal:
            raise Refused(429, "too many open streams of one person")
        line = Line(self._around.entropy.token("", 24), inbound.server, access, reply)
        self.lines[line.id] = line
        reply.open_stream()
        # Relative, so that it is right behind every proxy; the id is worth nothing without the token.
        address = f"{path_of(inbound.server)}?{_PARAMETER}={line.id}"
        reply.raw(sse.event(address.encode("ascii"), event="endpoint"))
        try:
            await reply.read_until_gone()
        finally:
            del self.lines[line.id]
            if line.session is not None:
                await self._handshake.end(line.session, "its stream ended")

    def sweep(self, now: float) -> None:
        """End streams on which nobody ever opened a session."""
        for line in self.lines.values():
            if line.session is None and not line.opening and now - line.reply.started_at > _UNOPENED_SECONDS:
                line.reply.abandon()

    def close(self) -> None:
        """End every stream; the sessions on them are ended with all others."""
        for line in self.lines.values():
            line.reply.abandon()

    # -- POST ---------------------------------------------------------------------------------------------

    async def _post(self, inbound: Inbound, access: Access, reply: Reply) -> None:
        line = self._line(inbound, access)
        settings = self._around.settings
        body = await inbound.body(settings.max_body_bytes)
        if inbound.since != self._around.epoch.count:
            await self._around.still(access, inbound.since)
        message = jsonrpc.decode_client(body, max_depth=settings.max_depth)
        if self.retry_after:
            self._check_open(message, reply)
        many = message if isinstance(message, list) else [message]
        if isinstance(message, list):
            self._check_many(line, message)
        session = line.session
        if session is None:
            await self._open(inbound, line, many, len(body), reply)
            return
        session.touched_at = self._around.clock.monotonic()
        self._handshake.take(session, access, many)
        await reply.empty(202)
        gate = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(
            *(
                self._answer(inbound.part(one.number) if len(many) > 1 else inbound, line, session, one, gate)
                for one in batch.elements(many, len(body))
            )
        )

    async def _answer(
        self,
        inbound: Inbound,
        line: Line,
        session: McpSession,
        element: batch.Element,
        gate: asyncio.Semaphore,
    ) -> None:
        message = element.message
        spoken = Spoken(line.reply, self._around.clock.monotonic())
        async with gate:
            try:
                if message.method == "initialize":
                    raise InvalidRequestFault("Invalid request: the session is open")
                await self._handshake.request(inbound, session, message, element.size, spoken)
            except ProtocolFault as fault:
                await spoken.finish(
                    200, jsonrpc.encode_fault(message.id, fault.code, fault.public, fault.data)
                )

    async def _open(self, inbound: Inbound, line: Line, many: list[Message], size: int, reply: Reply) -> None:
        first = many[0]
        if not isinstance(first, Request) or first.method != "initialize" or line.opening:
            raise InvalidRequestFault("Invalid request: open the session with initialize first")
        line.opening = True
        await reply.empty(202)
        spoken = Spoken(line.reply, self._around.clock.monotonic())
        try:
            session = await self._handshake.initialize(inbound, line.access, first, size, spoken)
        except ProtocolFault as fault:
            await spoken.finish(200, jsonrpc.encode_fault(first.id, fault.code, fault.public, fault.data))
            session = None
        finally:
            line.opening = False
        if session is None:
            return
        session.replay = None  # this transport has no event ids
        if line.id not in self.lines:
            await self._handshake.end(session, "its stream ended")
            return
        line.session = session
        session.attach(line.reply)

    def _line(self, inbound: Inbound, access: Access) -> Line:
        """The stream that a POST belongs to, if it is this person's and client's and of this endpoint."""
        given = parse_qs(inbound.header(b":query")).get(_PARAMETER)
        line = self.lines.get(given[0]) if given else None
        if given is None:
            # A client that tries the Streamable transport first reads from this that it is not spoken here.
            raise Refused(405, "Method not allowed: this is HTTP+SSE; open the stream with GET")
        if line is None:
            raise SessionUnknown("Session not found", "unknown stream")
        if line.access.principal.id != access.principal.id or line.access.client_id != access.client_id:
            raise SessionUnknown("Session not found", "stream of another principal or client")
        if line.server != inbound.server:
            raise SessionUnknown("Session not found", "stream of another server")
        line.access = access
        if line.session is not None:
            line.session.access = access
        return line

    @staticmethod
    def _check_many(line: Line, messages: list[Message]) -> None:
        version = line.session.client.version if line.session is not None else ""
        if version and version not in methods.BATCH_VERSIONS:
            raise InvalidRequestFault(f"Invalid request: MCP {version} has no JSON-RPC batches")
        batch.check(messages)
