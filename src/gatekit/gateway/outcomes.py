"""How a call ended, on its way from the upstream to the client and into the record."""

from __future__ import annotations

import math
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from gatekit.errors import (
    AnswerTooLarge,
    AttributeMissing,
    BadAnswer,
    Busy,
    GatewayStopping,
    InvalidParams,
    LineTooLong,
    LinkBusy,
    LinkError,
    LinkTimeout,
    MethodNotFound,
    PersonIncomplete,
    PoolFull,
    ProtocolFault,
    RecordingFailed,
    SpawnFailed,
    UpstreamBusy,
    UpstreamDown,
    UpstreamTimeout,
)
from gatekit.gateway.faces import as_object
from gatekit.gateway.router import Route, Target
from gatekit.model.audit import CallEvent
from gatekit.model.call import Call, Fault, Large, NeedsInput, Outcome, Result
from gatekit.protocol import methods, names
from gatekit.protocol.era import bridge, stateless
from gatekit.protocol.era.stateless import LOG_LEVELS
from gatekit.upstream.link import Link

_RESOURCE_MARKS = (b'"resource', b"\\u00")
"""One of these stands in every result that holds a ``resource`` or ``resource_link``: the word itself, or an
escape within it."""

CANCELLED = Fault(-31007, "cancelled by the client")
_ENDED = frozenset({CANCELLED.code, GatewayStopping.code})
"""Codes of calls that were ended before their upstream had answered."""
_FAULT_OF: dict[type[LinkError], type[ProtocolFault]] = {
    LineTooLong: AnswerTooLarge,
    LinkTimeout: UpstreamTimeout,
    PoolFull: UpstreamBusy,
    LinkBusy: UpstreamBusy,
    AttributeMissing: PersonIncomplete,
}

OutcomeName = Literal["ok", "tool_error", "error", "cancelled", "input_required", "refused"]


class _Peek(Struct):
    """The one field of a tool result that the audit wants to know."""

    isError: bool = False


_peek = msgspec.json.Decoder(_Peek)


class _Kind(Struct):
    """The one field of a stateless result that tells a question from a result."""

    resultType: str = ""


_kind = msgspec.json.Decoder(_Kind)
_SMALL = 16 * 1024
"""Bytes up to which a search in a copy is cheaper than a parser that skips."""


class Answered(Struct):
    """How a call went, on its way from the upstream to the record."""

    outcome: Outcome
    link: Link | None = None
    detail: str = ""
    parent: str = ""
    """``request_id`` of the first leg, if this is a later one."""
    rounds: int = 0
    """How many times the server has asked for input, this answer included."""
    nonce: str = ""
    """Of the parked call that the answer is about."""
    verdicts: tuple[str, ...] = ()
    """What plugins said."""
    withheld: bool = False
    """What was called is in quarantine."""
    waited: bool = False
    """It waited for an approval and was not refused one, only not given one in the end."""
    event: CallEvent | None = None
    """The record, once it was made."""


def outcome_name(outcome: Outcome) -> OutcomeName:
    """The audit's word for how a call ended."""
    if isinstance(outcome, Fault):
        return "cancelled" if outcome.code in _ENDED else "error"
    if isinstance(outcome, NeedsInput):
        return "input_required"
    body = outcome.body
    if isinstance(body, Large):
        return "tool_error" if body.is_error else "ok"
    try:
        failed = _peek.decode(body).isError if isinstance(body, Raw) else body.get("isError") is True
    except msgspec.DecodeError:
        failed = False
    return "tool_error" if failed else "ok"


def fault_of(fault: ProtocolFault) -> Fault:
    """The wire form of a fault raised inside the gateway."""
    return Fault(fault.code, fault.public, fault.data, fault.status)


def fault_of_link(error: LinkError) -> Fault:
    """The wire form of a Link's failure; the public text never carries the child's output."""
    kind = _FAULT_OF.get(type(error), UpstreamDown)
    wait = retry_after(error)
    return Fault(kind.code, error.public, {"retryAfterSeconds": wait} if wait else None, kind.status)


def retry_after(error: LinkError) -> int:
    """Seconds after which another try makes sense (RFC 9110 §10.2.3); 0 if nothing says so."""
    return math.ceil(error.retry_after) if isinstance(error, Busy | SpawnFailed) else 0


def unrecorded() -> ProtocolFault:
    return RecordingFailed("the call cannot be recorded, so it is not carried out")


def upstream_params(params: dict[str, Any], call: Call) -> dict[str, Any]:
    """Params for a stateless upstream: what the client declared travels with each request."""
    client = call.client
    meta = stateless.request_meta(None, None, bridge.offered(client), client.log_level)
    return {**params, "_meta": {**params.get("_meta", {}), **meta}}


def classified(method: str, outcome: Outcome) -> Outcome:
    """Tell a stateless upstream's question from its result. Raises LinkError where it may not ask."""
    if not isinstance(outcome, Result):
        return outcome
    body = outcome.body
    if isinstance(body, Raw | Large) and not _may_need_input(body):
        return outcome
    decoded = as_object(body)
    if decoded.get("resultType") == "input_required" and not methods.spec(method).may_ask:
        raise BadAnswer("the server asked for input where it must not", f"input_required for {method}")
    return NeedsInput(decoded) if decoded.get("resultType") == "input_required" else Result(decoded)


def _may_need_input(body: Raw | Large) -> bool:
    if isinstance(body, Large):
        return body.kind == "input_required"
    view = memoryview(body)
    if len(view) <= _SMALL:
        return b"input_required" in bytes(view)
    try:
        return _kind.decode(body).resultType == "input_required"  # no second copy of what is big
    except msgspec.DecodeError:
        return True


def renamed(call: Call, target: Target, outcome: Outcome) -> Outcome:
    """Behind a view a result names resources as the client can ask for them there."""
    view = target.view
    if view is None or not isinstance(outcome, Result):
        return outcome
    if call.method not in names.RENAMED or _names_nothing(call.method, outcome.body):
        return outcome
    name = target.server.name
    body = as_object(outcome.body)
    return Result(names.rename_result(call.method, body, lambda uri: view.uri(name, uri)))


def _names_nothing(method: str, body: Raw | dict[str, Any] | Large) -> bool:
    """Whether a result surely holds no resource and no link to one: most of them, and reading costs much."""
    if method == "resources/read" or isinstance(body, dict):
        return False
    parts = body.pieces.parts if isinstance(body, Large) else (bytes(memoryview(body)),)
    before = b""
    for part in parts:
        edge = before + part[:8]
        if any(mark in part or mark in edge for mark in _RESOURCE_MARKS):
            return False
        before = part[-8:]
    return True


def unreachable(target: Route, error: LinkError) -> Fault:
    """A Link's failure; behind a view it says which server it is about, and when to try again."""
    fault = fault_of_link(error)
    if not isinstance(target, Target) or target.view is None:
        return fault
    data: dict[str, Any] = {"server": target.server.name, **(fault.data or {})}
    message = f"the server '{target.server.name}' cannot answer now: {fault.message}"
    return Fault(fault.code, message, data, fault.status)


def older(call: Call) -> Outcome:
    """The answer to a method of the handshake era, in front of a stateless server."""
    if call.method == "logging/setLevel":
        if call.params.get("level") not in LOG_LEVELS:
            return fault_of(InvalidParams("Invalid params: level must be a log level"))
        return Result({})  # the session remembers it, and every call brings it along
    return fault_of(MethodNotFound(f"Method not found: {call.method}"))
