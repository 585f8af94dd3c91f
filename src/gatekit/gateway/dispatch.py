"""From one HTTP request to the door of its era: token, origin, media types, body, message.

The order is fixed and each step can only refuse: the token comes before everything else, also before the
method, so that a client without one always gets the challenge (clients.md §5.1: GET, HEAD and DELETE too).
"""

from __future__ import annotations

import logging
from typing import Any, NoReturn

from gatekit.errors import (
    BearerError,
    GatekitError,
    GatewayStopping,
    InvalidRequestFault,
    ProtocolFault,
    StoreError,
    TokenInvalid,
    TokenMissing,
)
from gatekit.gateway.handshake import HandshakeDoor
from gatekit.gateway.inbound import Inbound, Refused, accepts, check_content_type, check_origin
from gatekit.gateway.ports import Headers, Surroundings, Wire
from gatekit.gateway.reply import Reply
from gatekit.gateway.stateless import StatelessDoor
from gatekit.model.access import Access
from gatekit.model.audit import DoorRefused
from gatekit.protocol import jsonrpc
from gatekit.protocol.era import detect
from gatekit.protocol.jsonrpc import Message, Request
from gatekit.protocol.methods import BATCH_VERSIONS

_log = logging.getLogger("gatekit.gateway")

_VERSION = b"mcp-protocol-version"
_USUAL_ACCEPT = b"application/json, text/event-stream"
_ALLOW_HANDSHAKE = (b"allow", b"GET, POST, DELETE, OPTIONS")
_RECORDS_PER_SECOND = 50.0
"""Refusals at the door are recorded up to this rate, so that a stranger cannot fill the disk."""


class Dispatch:
    """Entry of the data plane for one HTTP request."""

    legacy = False
    """Whether this is the door of HTTP+SSE, which is another resource to those who look for its metadata."""

    def __init__(self, around: Surroundings, handshake: HandshakeDoor, stateless: StatelessDoor) -> None:
        self._around = around
        self._handshake = handshake
        self._stateless = stateless
        self.retry_after = 0
        """Seconds after which to try again, for new calls once the gateway was told to stop; 0 until then."""
        self._budget = _RECORDS_PER_SECOND
        self._budget_at = 0.0
        self._unrecorded = 0

    async def serve(self, inbound: Inbound, wire: Wire, headers: Headers) -> None:
        """Serve one request and answer it, whatever happens."""
        accept = inbound.table.get(b"accept")
        json_ok, sse_ok = (True, True) if accept == _USUAL_ACCEPT else accepts(accept)
        reply = Reply(wire, headers, json_ok, sse_ok, self._around.clock.monotonic())
        inbound.since = self._around.epoch.count
        try:
            access = self._around.door.cached(inbound.authorization)
            if access is None:
                access = await self._around.door.check(
                    inbound.values(b"authorization"), inbound.asked(self.legacy)
                )
            inbound.access = access
            if not access.reaches(inbound.server):
                raise TokenInvalid("the token was not issued for this resource", "foreign audience")
            _check_media(inbound, json_ok or sse_ok, self._around.settings.allowed_origins)
            if inbound.method == "POST":
                await self._post(inbound, access, reply)
            else:
                await self._other(inbound, access, reply)
        except GatekitError as error:
            await self._refuse(inbound, error, reply)
        finally:
            reply.close()

    async def _other(self, inbound: Inbound, access: Access, reply: Reply) -> None:
        if inbound.since != self._around.epoch.count:
            await self._around.still(access, inbound.since)
        has_session = b"mcp-session-id" in inbound.table
        if self.retry_after and inbound.method == "GET" and b"last-event-id" not in inbound.table:
            self._turn_away(reply)
        if inbound.method == "GET" and has_session:
            await self._handshake.get(inbound, access, reply)
        elif inbound.method == "DELETE" and has_session:
            await self._handshake.delete(inbound, access, reply)
        else:
            reply.add_headers(_ALLOW_HANDSHAKE)
            raise Refused(405, "Method not allowed: open a session with POST initialize first")

    async def _post(self, inbound: Inbound, access: Access, reply: Reply) -> None:
        settings = self._around.settings
        body = await inbound.body(settings.max_body_bytes)
        if inbound.since != self._around.epoch.count:  # a body may come as slowly as its sender likes
            await self._around.still(access, inbound.since)
        message = jsonrpc.decode_client(body, max_depth=settings.max_depth)
        if self.retry_after:
            self._check_open(message, reply)
        if isinstance(message, list):
            self._check_batch(inbound)
            await self._handshake.batch(inbound, access, message, len(body), reply)
            return
        era = detect.detect(message, inbound)
        door = self._handshake if era == "handshake" else self._stateless
        try:
            await door.post(inbound, access, message, len(body), reply)
        except ProtocolFault as fault:
            if fault.request_id is None and isinstance(message, Request):
                fault.request_id = message.id
            raise

    def _check_open(self, message: Message | list[Message], reply: Reply) -> None:
        """While the gateway stops, answers and cancellations still help running calls to end."""
        among = message if isinstance(message, list) else [message]
        asked = [one for one in among if isinstance(one, Request)]
        if asked:
            self._turn_away(reply, None if isinstance(message, list) else asked[0])

    def _turn_away(self, reply: Reply, asked: Request | None = None) -> NoReturn:
        reply.add_headers((b"retry-after", b"%d" % self.retry_after), (b"connection", b"close"))
        fault = GatewayStopping("the gateway is stopping; try again", "draining")
        fault.request_id = asked.id if asked is not None else None
        raise fault

    @staticmethod
    def _check_batch(inbound: Inbound) -> None:
        """Say what is wrong before a session is asked for, which a later revision may not even have."""
        named = inbound.header(_VERSION).strip()
        if named and named not in BATCH_VERSIONS:
            raise InvalidRequestFault(
                f"Invalid request: MCP {named[:20]} has no JSON-RPC batches; "
                "send each message in a request of its own"
            )

    # -- refusals -----------------------------------------------------------------------------------------

    async def _refuse(self, inbound: Inbound, error: GatekitError, reply: Reply) -> None:
        """Answer what was turned away. Re-raises what is no refusal."""
        if isinstance(error, BearerError):
            await self._challenge(inbound, error, reply)
        elif isinstance(error, Refused):
            self._record(inbound, error.status, error.public)
            await self._plain(reply, error.status, -31000, error.public)
        elif isinstance(error, ProtocolFault):
            status = error.status if error.status != 200 else 400
            self._record(inbound, status, error.detail)
            fault = jsonrpc.encode_fault(error.request_id, error.code, error.public, error.data)
            await reply.finish(status, fault)
        elif isinstance(error, StoreError):
            _log.error("store unavailable error=%s", error)
            await self._plain(reply, 503, -31000, "the gateway's store is not available")
        else:
            raise error

    async def _challenge(self, inbound: Inbound, error: BearerError, reply: Reply) -> None:
        # To be told the nonce is how a client begins (RFC 9449 §9); it is no more of a refusal than no token.
        if not isinstance(error, TokenMissing) and not error.nonce:
            self._record(inbound, error.status, error.detail, error.principal_id, error.principal)
        if inbound.access is not None and inbound.access.jkt:
            error.schemes = ("DPoP",)
        if error.nonce:
            reply.add_headers((b"dpop-nonce", error.nonce.encode("ascii")))
        challenge = self._around.door.challenge(error, inbound.server, self.legacy)
        if challenge:
            reply.add_headers((b"www-authenticate", challenge.encode("latin-1", "replace")))
        text = error.description or "Authentication is required: see WWW-Authenticate"
        await self._plain(reply, error.status, -31009, text)

    async def _plain(self, reply: Reply, status: int, code: int, text: str) -> None:
        await reply.finish(status, jsonrpc.encode_fault(None, code, text))

    def _record(
        self, inbound: Inbound, status: int, reason: str, principal_id: str = "", principal: str = ""
    ) -> None:
        """Note a refusal at the door. Not awaited: nothing was done that would have to be accounted for."""
        now = self._around.clock.monotonic()
        self._budget = min(_RECORDS_PER_SECOND, self._budget + (now - self._budget_at) * _RECORDS_PER_SECOND)
        self._budget_at = now
        if self._budget < 1.0:
            self._unrecorded += 1
            return
        self._budget -= 1.0
        if self._unrecorded:
            reason, self._unrecorded = f"{reason} (and {self._unrecorded} more, not recorded)", 0
        access = inbound.access
        self._around.trail.record(
            DoorRefused(
                at=self._around.clock.now(),
                request_id=inbound.request_id,
                principal_id=access.principal.id if access else principal_id,
                principal=access.principal.username if access else principal,
                client_id=access.client_id if access else "",
                client=access.client_name if access else "",
                address=inbound.peer,
                server=inbound.server,
                status=status,
                reason=reason,
            )
        ).add_done_callback(_seen)


def _check_media(inbound: Inbound, acceptable: bool, origins: frozenset[str]) -> None:
    table = inbound.table
    if b"origin" in table:
        check_origin(inbound.header(b"origin"), origins)
    if not acceptable:
        raise Refused(406, "Accept must include application/json and text/event-stream")
    if inbound.method == "POST" and table.get(b"content-type") != b"application/json":
        check_content_type(inbound.header(b"content-type"))


def _seen(future: Any) -> None:
    """``Trail.healthy`` already says that records are not safe; here nobody waits for this one."""
    if not future.cancelled():
        future.exception()
