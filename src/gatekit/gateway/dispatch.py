"""From one HTTP request to the door of its era: token, origin, media types, body, message.

The order is fixed and each step can only refuse: the token comes before everything else, also before the
method, so that a client without one always gets the challenge (clients.md §5.1: GET, HEAD and DELETE too).
"""

from __future__ import annotations

import logging
from typing import Any

from gatekit.errors import (
    BearerError,
    InvalidRequestFault,
    ProtocolFault,
    SessionUnknown,
    StoreError,
    TokenInvalid,
    TokenMissing,
)
from gatekit.gateway.handshake import HandshakeDoor
from gatekit.gateway.inbound import Inbound, Refused, accepts, check_content_type, check_origin
from gatekit.gateway.ports import Headers, Surroundings, Wire
from gatekit.gateway.reply import Reply
from gatekit.gateway.stateless import StatelessDoor
from gatekit.model.access import EVERY_SERVER, Access
from gatekit.model.audit import DoorRefused
from gatekit.protocol import jsonrpc
from gatekit.protocol.era import detect
from gatekit.protocol.jsonrpc import Request

_log = logging.getLogger("gatekit.gateway")

_VERSION = b"mcp-protocol-version"
_ALLOW_HANDSHAKE = (b"allow", b"GET, POST, DELETE, OPTIONS")
_RECORDS_PER_SECOND = 50.0
"""Refusals at the door are recorded up to this rate, so that a stranger cannot fill the disk."""


class Dispatch:
    """Entry of the data plane for one HTTP request."""

    def __init__(self, around: Surroundings, handshake: HandshakeDoor, stateless: StatelessDoor) -> None:
        self._around = around
        self._handshake = handshake
        self._stateless = stateless
        self._budget = _RECORDS_PER_SECOND
        self._budget_at = 0.0
        self._unrecorded = 0

    async def serve(self, inbound: Inbound, wire: Wire, headers: Headers) -> None:
        """Serve one request and answer it, whatever happens."""
        settings = self._around.settings
        json_ok, sse_ok = accepts(inbound.header(b"accept"))
        reply = Reply(wire, headers, json_ok=json_ok, sse_ok=sse_ok, now=self._around.clock.monotonic())
        try:
            access = await self._admit(inbound)
            check_origin(inbound.header(b"origin"), settings.allowed_origins)
            if not (json_ok or sse_ok):
                raise Refused(406, "Accept must include application/json and text/event-stream")
            await self._by_method(inbound, access, reply)
        except BearerError as error:
            await self._challenge(inbound, error, reply)
        except Refused as refused:
            self._record(inbound, refused.status, refused.public)
            await self._plain(reply, refused.status, -31000, refused.public)
        except SessionUnknown as fault:
            self._record(inbound, fault.status, fault.detail)
            await reply.finish(fault.status, _faulty(fault))
        except ProtocolFault as fault:
            self._record(inbound, fault.status, fault.detail)
            await reply.finish(fault.status if fault.status != 200 else 400, _faulty(fault))
        except StoreError as error:
            _log.error("store unavailable error=%s", error)
            await self._plain(reply, 503, -31000, "the gateway's store is not available")
        finally:
            reply.close()

    async def _admit(self, inbound: Inbound) -> Access:
        authorization = inbound.values(b"authorization")
        access = self._around.door.cached(authorization[0]) if len(authorization) == 1 else None
        if access is None:
            access = await self._around.door.check(authorization)
        inbound.access = access
        if inbound.server:
            meant = inbound.server in access.servers or EVERY_SERVER in access.servers
        else:
            meant = access.aggregate
        if not meant:
            # RFC 8707: a token is good for the resource it was issued for, and for no other.
            raise TokenInvalid("the token was not issued for this resource", "foreign audience")
        return access

    async def _by_method(self, inbound: Inbound, access: Access, reply: Reply) -> None:
        if inbound.method == "POST":
            await self._post(inbound, access, reply)
        elif inbound.method == "GET" and inbound.table.get(b"mcp-session-id"):
            await self._handshake.get(inbound, access, reply)
        elif inbound.method == "DELETE" and inbound.table.get(b"mcp-session-id"):
            await self._handshake.delete(inbound, access, reply)
        else:
            reply.add_headers(_ALLOW_HANDSHAKE)
            raise Refused(405, "Method not allowed: open a session with POST initialize first")

    async def _post(self, inbound: Inbound, access: Access, reply: Reply) -> None:
        settings = self._around.settings
        check_content_type(inbound.header(b"content-type"))
        body = await inbound.body(settings.max_body_bytes)
        message = jsonrpc.decode_client(body, max_depth=settings.max_depth)
        if isinstance(message, list):
            raise InvalidRequestFault("JSON-RPC batches are not supported")
        door = (
            self._stateless
            if detect.detect(message, {_VERSION: inbound.values(_VERSION)}) == "stateless"
            else self._handshake
        )
        try:
            await door.post(inbound, access, message, len(body), reply)
        except ProtocolFault as fault:
            if fault.request_id is None and isinstance(message, Request):
                fault.request_id = message.id
            raise

    async def _challenge(self, inbound: Inbound, error: BearerError, reply: Reply) -> None:
        if not isinstance(error, TokenMissing):
            self._record(inbound, error.status, error.detail, error.principal_id, error.principal)
        challenge = self._around.door.challenge(error, inbound.server)
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


def _faulty(fault: ProtocolFault) -> bytes:
    return jsonrpc.encode_fault(fault.request_id, fault.code, fault.public, fault.data)


def _seen(future: Any) -> None:
    """``Trail.healthy`` already says that records are not safe; here nobody waits for this one."""
    if not future.cancelled():
        future.exception()
