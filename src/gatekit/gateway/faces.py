"""The two dialects a client may speak, each as the face of one call: Outcome and Notice → JSON-RPC bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from msgspec import Raw

from gatekit.errors import LinkError
from gatekit.gateway.reply import Reply
from gatekit.model.call import Call, Fault, Large, NeedsInput, Notice, Outcome, Pieces, Result
from gatekit.protocol import headers, jsonrpc
from gatekit.protocol.era import bridge, handshake, stateless
from gatekit.protocol.methods import METHODS
from gatekit.upstream.link import Link

_NO_ROUND_TRIP = Fault(-31008, "the server asks for input where this client cannot be asked")
_SHAPED = frozenset(method for method, row in METHODS.items() if row.cacheable)
"""Methods whose result gets more than a tag in the stateless era."""
_TAGS = frozenset({"resultType", "_meta", "ttlMs", "cacheScope"})
"""Members that the stateless era adds to a result."""
_HTTP_ERRORS = frozenset({403, 503})
"""In the handshake era a JSON-RPC error travels with HTTP 200, but for these."""

_OURS = frozenset({400, 429})
"""HTTP statuses of what is wrong with the request or its sender; what upstreams say has none."""


class Face(Protocol):
    """The client's dialect for one call."""

    def render(self, call: Call, outcome: Outcome, link: Link | None) -> tuple[int, bytes | Pieces]:
        """(HTTP status, JSON-RPC message)."""
        ...

    def notice(self, notice: Notice) -> bytes | None:
        """A notification for this client, or None if its revision has no such thing."""
        ...


class HandshakeFace:
    """2024-11-05 … 2025-11-25."""

    __slots__ = ("version",)

    def __init__(self, version: str) -> None:
        self.version = version

    def render(self, call: Call, outcome: Outcome, link: Link | None) -> tuple[int, bytes | Pieces]:
        if isinstance(outcome, NeedsInput):
            outcome = _NO_ROUND_TRIP
        if isinstance(outcome, Fault) and outcome.code == bridge.URL_REQUIRED:
            elicitation = call.client.capabilities.get("elicitation")
            if not isinstance(elicitation, dict) or "url" not in elicitation:
                outcome = _in_words(call, outcome)
        if isinstance(outcome, Fault) and outcome.code == bridge.CAPABILITY_REQUIRED:
            outcome = bridge.lacking(outcome)
        if isinstance(outcome, Fault):
            code, message, data = handshake.fault(
                call.method, outcome.code, outcome.message, outcome.data, self.version
            )
            status = outcome.status if outcome.status in _HTTP_ERRORS else 200
            return status, jsonrpc.encode_fault(call.id, code, message, data)
        body = outcome.body
        era, upstream = (link.era, link.version) if link is not None else ("handshake", self.version)
        if handshake.needs_rewrite(call.method, "handshake", self.version, era, upstream):
            body = handshake.result(call.method, as_object(body), self.version)
        if isinstance(body, Large):
            return 200, jsonrpc.encode_large(call.id, {}, body.pieces)
        return 200, jsonrpc.encode_result(call.id, body)

    def notice(self, notice: Notice) -> bytes | None:
        params = handshake.notice(notice.method, notice.params, self.version)
        return None if params is None else jsonrpc.encode_notification(notice.method, params)


class StatelessFace:
    """2026-07-28 and later."""

    __slots__ = ("server_info",)

    def __init__(self, server_info: dict[str, Any]) -> None:
        self.server_info = server_info

    def render(self, call: Call, outcome: Outcome, link: Link | None) -> tuple[int, bytes | Pieces]:
        if isinstance(outcome, Fault) and outcome.code == bridge.URL_REQUIRED:
            outcome = _in_words(call, outcome)
        if isinstance(outcome, Fault):
            code, text, data, status = stateless.fault(outcome.code, outcome.message, outcome.data)
            if outcome.status in _OURS:  # found by the gateway itself, so it is about this very request
                code, data, status = outcome.code, outcome.data, outcome.status
            elif outcome.status in _HTTP_ERRORS:
                status = outcome.status
            return status, jsonrpc.encode_fault(call.id, code, text, data)
        if isinstance(outcome, NeedsInput):
            return 200, jsonrpc.encode_result(
                call.id,
                stateless.result(call.method, outcome.body, server_info=link.server_info if link else None),
            )
        body = outcome.body
        info = self._info(body, link)
        if isinstance(body, Large) and call.method not in _SHAPED and not body.members & _TAGS:
            return 200, jsonrpc.encode_large(
                call.id, stateless.tags(info) if body.members else {}, body.pieces
            )
        if isinstance(body, Raw) and call.method not in _SHAPED:
            spliced = stateless.spliced(bytes(memoryview(body)), info)
            if spliced is not None:
                return 200, jsonrpc.encode_result(call.id, Raw(spliced))
        shaped = stateless.result(call.method, as_object(body), server_info=info)
        message = jsonrpc.encode_result(call.id, shaped)
        if call.method == "tools/list" and headers.may_be_annotated(message):
            message = jsonrpc.encode_result(call.id, headers.usable_tools(shaped))
        return 200, message

    def _info(self, body: object, link: Link | None) -> dict[str, Any]:
        """Who answers: the server, or the gateway itself, which may do so for a virtual server."""
        if link is not None:
            return link.server_info
        own = body.get("_meta", {}).get(stateless.META_SERVER_INFO) if isinstance(body, dict) else None
        return own if isinstance(own, dict) else self.server_info

    def notice(self, notice: Notice) -> bytes | None:
        return jsonrpc.encode_notification(notice.method, notice.params)


def _in_words(call: Call, fault: Fault) -> Outcome:
    """A URL that must be visited first, for a client that cannot be asked to open it: in words."""
    said = bridge.in_words(fault) if call.method == "tools/call" else None
    return fault if said is None else Result(said)


def as_object(body: Raw | dict[str, Any] | Large) -> dict[str, Any]:
    """A result as an object. Raises LinkError if the upstream sent something else."""
    if isinstance(body, dict):
        return body
    try:
        decoded = msgspec.json.decode(bytes(body.pieces) if isinstance(body, Large) else body)
    except msgspec.DecodeError as error:
        raise LinkError("unreadable result", str(error)) from error
    if not isinstance(decoded, dict):
        raise LinkError("a result that is no object")
    return decoded


def sender(reply: Reply, face: Face) -> Callable[[Notice], None]:
    """Puts notices of a call on its own stream."""

    def send(notice: Notice) -> None:
        message = face.notice(notice)
        if message is not None:
            reply.signal(message)

    return send
