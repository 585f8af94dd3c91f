"""The handshake era's door: ``initialize`` opens a session, everything else happens in one.

Streamable HTTP of 2025-03-26, 2025-06-18 and 2025-11-25: POST carries one message, GET opens the stream for
what belongs to no call, DELETE ends the session. Lenient where real clients need it: a missing protocol
header, and requests before ``notifications/initialized``.
"""

from __future__ import annotations

import asyncio
from typing import Any

from gatekit.errors import (
    AnswerTooLarge,
    InvalidParams,
    InvalidRequestFault,
    ProtocolFault,
    SessionMissing,
    UnsupportedVersion,
)
from gatekit.gateway import batch, listen, overheard, scoped
from gatekit.gateway.aggregate import Aggregate
from gatekit.gateway.batch import Batch, Element
from gatekit.gateway.catalog import Catalog
from gatekit.gateway.exchange import Exchange
from gatekit.gateway.faces import HandshakeFace
from gatekit.gateway.inbound import Inbound, Refused
from gatekit.gateway.ports import Surroundings
from gatekit.gateway.published import Shelf
from gatekit.gateway.replay import Replay, ReplayStore
from gatekit.gateway.reply import Reply
from gatekit.gateway.sessions import McpSession, SessionRegistry
from gatekit.model.access import Access
from gatekit.model.audit import SessionEvent
from gatekit.model.call import Call, ClientSide, Fault, Notice, Outcome, Pieces, Result
from gatekit.model.decision import Allow, Decision, Deny
from gatekit.model.server import Server
from gatekit.protocol import jsonrpc, methods, sse
from gatekit.protocol.era import bridge, handshake
from gatekit.protocol.jsonrpc import Message, Notification, Request, Response
from gatekit.upstream.link import Link

_SESSION_HEADER = b"mcp-session-id"
_VERSION_HEADER = b"mcp-protocol-version"
_VERSIONS = frozenset(version.encode("ascii") for version in methods.HANDSHAKE_VERSIONS)
_NOT_SHARED = frozenset({"logging", "experimental"})
"""Capabilities that make sense only where the instance belongs to one session."""


class HandshakeDoor:
    """Serves one message, stream or farewell of a handshake-era client."""

    def __init__(
        self,
        around: Surroundings,
        shelf: Shelf,
        exchange: Exchange,
        catalog: Catalog,
        aggregate: Aggregate,
        sessions: SessionRegistry,
    ) -> None:
        self._around = around
        self._shelf = shelf
        self._exchange = exchange
        self._catalog = catalog
        self._aggregate = aggregate
        self.sessions = sessions
        settings = around.settings
        self.replays = (
            ReplayStore(settings.replay_bytes, settings.replay_total_bytes) if settings.replay_bytes else None
        )

    # -- POST ---------------------------------------------------------------------------------------------

    async def post(self, inbound: Inbound, access: Access, message: Message, size: int, reply: Reply) -> None:
        """Serve one message. Raises ProtocolFault for what is wrong with the message as such."""
        if isinstance(message, Request) and message.method == "initialize":
            await self.initialize(inbound, access, message, size, reply)
            return
        session = self._session(inbound, access)
        if isinstance(message, Request):
            await self.request(inbound, session, message, size, reply)
            return
        self.take(session, access, [message])
        await reply.empty(202)

    async def request(
        self, inbound: Inbound, session: McpSession, message: Request, size: int, reply: Reply
    ) -> None:
        """Carry out one request of a session. Raises ProtocolFault if it cannot be one."""
        if message.method == "ping":
            await reply.finish(200, jsonrpc.encode_result(message.id, {}))
            return
        if message.method == "logging/setLevel":
            session.set_level(message.params.get("level"))
        session.check(message.id)
        call = self._call(inbound, session.access, message, session.client, size, session.id, reply)
        reply.resumable, reply.request_id = session.replay, message.id
        await self._exchange.run(call, reply, session.face, session)

    async def batch(
        self, inbound: Inbound, access: Access, messages: list[Message], size: int, reply: Reply
    ) -> None:
        """Serve an array of messages (MCP 2025-03-26). Raises ProtocolFault if it must not be one."""
        session = self._session(inbound, access)
        if session.client.version not in methods.BATCH_VERSIONS:
            raise InvalidRequestFault(
                f"Invalid request: MCP {session.client.version} has no JSON-RPC batches; "
                "send each message in a request of its own"
            )
        batch.check(messages)
        elements = batch.elements(messages, size)
        self.take(session, access, messages)
        if not elements:
            await reply.empty(202)
            return
        whole = batch.Batch(reply)
        reply.resumable = session.replay
        await asyncio.gather(*(self._element(inbound, session, element, whole) for element in elements))
        await whole.finish()

    async def _element(self, inbound: Inbound, session: McpSession, element: Element, whole: Batch) -> None:
        """One request of a batch: a call like any other, with a number of its own in the record."""
        message = element.message
        part = whole.part(message.id, whole.reply.started_at)
        async with whole.gate:
            try:
                await self.request(inbound.part(element.number), session, message, element.size, part)
            except ProtocolFault as fault:
                body = jsonrpc.encode_fault(message.id, fault.code, fault.public, fault.data)
                await part.finish(200, body)

    def _call(
        self,
        inbound: Inbound,
        access: Access,
        message: Request,
        client: ClientSide,
        size: int,
        session: str,
        reply: Reply,
    ) -> Call:
        return Call(
            id=message.id,
            method=message.method,
            params=message.params,
            server=inbound.server,
            access=access,
            client=client,
            session=session,
            request_id=inbound.request_id,
            address=inbound.peer,
            started=reply.started_at,
            bytes_in=size,
        )

    def _notification(self, session: McpSession, message: Notification) -> None:
        if message.method == "notifications/cancelled":
            request_id = message.params.get("requestId")
            if isinstance(request_id, str | int):
                session.cancel(request_id)
            return
        if message.method == "notifications/initialized":
            return  # every Link did its own handshake before it was handed out
        row = methods.spec(message.method)
        # What the gateway does not know goes to shared instances too, as an unknown request would.
        keys = session.keys if row.known else session.keys | session.ears.keys()
        for key in keys:
            may = row.known or self._exchange.may_send(session.access, key.server, message.method)
            link = self._around.pool.get(key) if may else None
            if link is not None and (link.era == "handshake" or not row.known or "stateless" in row.eras):
                notice = Notice(message.method, message.params)
                tables = self._shelf.current
                overheard.to_server(tables, key.server, session.access, session.id, notice, link)

    def take(self, session: McpSession, access: Access, messages: list[Message]) -> None:
        """Pass on what needs no answer. Raises Refused if that is all there is, and may not be."""
        if isinstance(self._reach(session.server, access), Deny):
            if any(isinstance(message, Request) for message in messages):
                return  # each request is refused, and recorded, by itself
            raise Refused(403, "you may not use this server")
        scoped.check(access, messages)
        for message in messages:
            if isinstance(message, Notification):
                self._notification(session, message)
            elif isinstance(message, Response):
                _answer(session, message)

    def _reach(self, server: str, access: Access) -> Decision:
        return self._shelf.current.may_reach(access, server) if server else Allow("aggregate")

    def check_reach(self, server: str, access: Access) -> None:
        """Raises Refused (403) for who may not use it at all."""
        if isinstance(self._reach(server, access), Deny):
            raise Refused(403, "you may not use this server")

    def _session(self, inbound: Inbound, access: Access) -> McpSession:
        session_id = inbound.table.get(_SESSION_HEADER)
        if not session_id:
            raise SessionMissing("Mcp-Session-Id header is missing: open a session with initialize first")
        session = self.sessions.find(session_id.decode("latin-1"), inbound.server, access)
        version = inbound.table.get(_VERSION_HEADER)
        if version and version not in _VERSIONS:
            raise UnsupportedVersion(f"Unsupported protocol version: {version[:40].decode('latin-1')}")
        session.touched_at = self._around.clock.monotonic()
        return session

    # -- initialize ---------------------------------------------------------------------------------------

    async def initialize(
        self, inbound: Inbound, access: Access, message: Request, size: int, reply: Reply
    ) -> McpSession | None:
        """Open a session and answer; None if that failed. Raises ProtocolFault for senseless params."""
        client = _introduced(message.params)
        session_id = self._around.entropy.token("", 24)
        call = self._call(inbound, access, message, client, size, session_id, reply)
        session = McpSession(
            session_id, inbound.server, access, client, HandshakeFace(client.version), call.started
        )
        if self.replays is not None:
            session.replay = Replay(self.replays, methods.at_least(client.version, methods.PRIMING_VERSION))

        # A slow start may have to be kept alive before it is known to succeed; then the head is gone by then.
        reply.stream_headers = ((_SESSION_HEADER, session_id.encode("ascii")),)

        async def open_session(_call: Call) -> tuple[Outcome, Link | None]:
            return await self._opened(call, session, reply)

        await self._exchange.run(call, reply, _InitializeFace(client.version), None, open_session)
        return session if session in self.sessions else None

    async def _opened(self, call: Call, session: McpSession, reply: Reply) -> tuple[Outcome, Link | None]:
        server = self._shelf.current.servers.get(call.server)
        link: Link | None = None
        if server is None:
            result = await self._aggregate_greeting(call, session)
        else:
            link = await self._catalog.link(server, call, session)
            result = handshake.initialize_result(
                call.client.version, link.server_info, _offered(server, link), link.instructions
            )
        session.changing = listen.promised(result["capabilities"])
        self.sessions.add(session)
        if not reply.streaming:
            reply.add_headers(*reply.stream_headers)
            reply.stream_headers = ()
        self._note(session, "opened", "", call.request_id, call.address)
        return Result(result), link

    async def _aggregate_greeting(self, call: Call, session: McpSession) -> dict[str, Any]:
        tables = self._shelf.current
        view = tables.view(call.server)
        assert view is not None  # or the call was refused
        servers = tables.behind(view, call.access)
        said = await self._aggregate.greeting(call, view, servers, session, _offered)
        result = handshake.initialize_result(
            call.client.version, said.info, said.capabilities, said.instructions
        )
        return {**result, "_meta": said.meta} if said.meta else result

    def _note(
        self, session: McpSession, action: Any, reason: str, request_id: str = "", address: str = ""
    ) -> None:
        access = session.access
        self._around.trail.record(
            SessionEvent(
                at=self._around.clock.now(),
                request_id=request_id,
                principal_id=access.principal.id,
                principal=access.principal.username,
                client_id=access.client_id,
                client=access.client_name,
                address=address,
                action=action,
                server=session.server,
                session=session.id,
                reason=reason,
            )
        ).add_done_callback(_seen)

    # -- GET and DELETE -----------------------------------------------------------------------------------

    async def get(self, inbound: Inbound, access: Access, reply: Reply) -> None:
        """A stream for what belongs to no call, or the rest of one that broke."""
        if not reply.sse_ok:
            raise Refused(406, "Accept must include text/event-stream")
        session = self._session(inbound, access)
        self.check_reach(session.server, access)
        last = inbound.header(b"last-event-id").strip()
        if last and session.replay is not None:
            await self._resume(session, session.replay, last, reply)
            return
        reply.resumable = session.replay
        reply.open_stream()
        if reply.track is not None:
            reply.track.standalone = True
        await self._listen(session, reply)

    async def _listen(self, session: McpSession, reply: Reply) -> None:
        session.attach(reply)
        pool, held = self._around.pool, {*session.keys, *session.ears}
        for key in held:  # an instance does not stop for idleness under somebody who listens
            pool.hold(key)
        try:
            await reply.read_until_gone()
        finally:
            for key in held:
                pool.unhold(key)
            session.detach(reply)
            if reply.track is not None:
                reply.track.leave(reply)
            session.touched_at = self._around.clock.monotonic()

    async def _resume(self, session: McpSession, replay: Replay, last: str, reply: Reply) -> None:
        """The rest of one stream: only of that one (MCP, Resumability: MUST NOT replay others)."""
        found = replay.find(last)
        if found is None:
            raise Refused(400, "Last-Event-ID names no stream that this session still knows")
        track, after = found
        reply.open_stream()
        if track.ended and track.request_id is not None and not replay.has_end(track):
            text = "the answer is not kept any more: it was too large, or too long ago"
            reply.raw(sse.event(jsonrpc.encode_fault(track.request_id, AnswerTooLarge.code, text)))
        if track.resume(after, reply):
            await reply.end()
        elif track.standalone:
            reply.track = track
            await self._listen(session, reply)
        else:
            session.resumed.add(reply)
            try:
                await reply.read_until_gone()
            finally:
                session.resumed.discard(reply)
                track.leave(reply)

    async def delete(self, inbound: Inbound, access: Access, reply: Reply) -> None:
        """The client says goodbye; its instances stop."""
        session = self._session(inbound, access)
        await self.end(session, "ended by the client")
        await reply.empty(204)

    async def end(self, session: McpSession, reason: str, come_back: bool = False) -> None:
        """End a session, its calls, its streams and the instances that were its own. Idempotent."""
        if session.ended:
            return
        self.sessions.remove(session)
        self._catalog.unfollow(session)
        self._aggregate.forget(session)
        session.close(come_back)
        self._note(session, "closed", reason)
        for key in list(session.keys):
            await self._around.pool.stop(key, reason)


class _InitializeFace(HandshakeFace):
    """The answer to initialize is composed by the gateway, whatever the upstream speaks."""

    def render(self, call: Call, outcome: Outcome, link: Link | None) -> tuple[int, bytes | Pieces]:  # noqa: ARG002
        return super().render(call, outcome, None)


def _introduced(params: dict[str, Any]) -> ClientSide:
    version, capabilities, info = (
        params.get("protocolVersion"),
        params.get("capabilities", {}),
        params.get("clientInfo", {}),
    )
    if not isinstance(version, str):
        raise InvalidParams("initialize: protocolVersion must be a string")
    if not isinstance(capabilities, dict) or not isinstance(info, dict):
        raise InvalidParams("initialize: capabilities and clientInfo must be objects")
    return bridge.introduced(handshake.negotiate(version), capabilities, info)


def _offered(server: Server, link: Link) -> dict[str, Any]:
    if server.instances == "session" or link.era == "stateless":
        return link.capabilities
    return {k: v for k, v in link.capabilities.items() if k not in _NOT_SHARED}


def _answer(session: McpSession, message: Response) -> None:
    if message.error is not None:
        code, text = message.error.get("code"), message.error.get("message")
        outcome: Result | Fault = Fault(
            code if isinstance(code, int) else -32603, str(text), message.error.get("data")
        )
    else:
        outcome = Result(message.result or {})
    session.answer(message.id, outcome)


def _seen(future: Any) -> None:
    """A session record that cannot be made safe is no reason to end the session: the next call is refused."""
    if not future.cancelled():
        future.exception()
