"""READ THIS FIRST. What happens to one call, in order:

    authorize → route → reach the upstream → await → render → record → answer

Every door of the data plane ends here, so every call is judged by the same policy and stands in the audit
before its answer leaves (architecture §5.10, fail closed). A refusal is recorded with its rule; the caller
only hears that there is no such thing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol

import msgspec
from msgspec import Raw, Struct

from gatekit.errors import (
    AnswerTooLarge,
    AuditUnavailable,
    InvalidParams,
    LineTooLong,
    LinkBusy,
    LinkError,
    LinkTimeout,
    PoolFull,
    ProtocolFault,
    RecordingFailed,
    UpstreamBusy,
    UpstreamDown,
    UpstreamTimeout,
)
from gatekit.gateway import router
from gatekit.gateway.catalog import Catalog
from gatekit.gateway.faces import as_object
from gatekit.gateway.ports import Surroundings
from gatekit.gateway.published import Published, Shelf
from gatekit.gateway.reply import Reply
from gatekit.gateway.router import Everywhere, Malformed, Route, Target, Unknown
from gatekit.gateway.sessions import InFlight, McpSession
from gatekit.model.audit import CallEvent
from gatekit.model.call import Call, Fault, NeedsInput, Notice, Outcome, Result
from gatekit.model.decision import Allow, Decision, Deny
from gatekit.protocol import jsonrpc, methods, names
from gatekit.protocol.era import stateless
from gatekit.upstream.link import Link

_CANCELLED = Fault(-31007, "cancelled by the client")
_FAULT_OF: dict[type[LinkError], type[ProtocolFault]] = {
    LineTooLong: AnswerTooLarge,
    LinkTimeout: UpstreamTimeout,
    PoolFull: UpstreamBusy,
    LinkBusy: UpstreamBusy,
}
_LISTS = frozenset(method for method, row in methods.METHODS.items() if row.list_key)

OutcomeName = Literal["ok", "tool_error", "error", "cancelled", "input_required", "refused"]


class Face(Protocol):
    """The client's dialect for one call."""

    def render(self, call: Call, outcome: Outcome, link: Link | None) -> tuple[int, bytes]:
        """(HTTP status, JSON-RPC message)."""
        ...

    def notice(self, notice: Notice) -> bytes | None:
        """A notification for this client, or None if its revision has no such thing."""
        ...


Local = Callable[[Call], Awaitable[tuple[Outcome, Link | None]]]


class _Peek(Struct):
    """The one field of a tool result that the audit wants to know."""

    isError: bool = False


_peek = msgspec.json.Decoder(_Peek)


class Answered(Struct):
    """How a call went, on its way from the upstream to the record."""

    outcome: Outcome
    link: Link | None = None
    detail: str = ""


class Exchange:
    """Carries out calls. One for the whole process; it keeps nothing of a call once that is answered."""

    def __init__(self, around: Surroundings, shelf: Shelf, catalog: Catalog) -> None:
        self._around = around
        self._shelf = shelf
        self._catalog = catalog
        self.flights: set[InFlight] = set()
        """Calls being carried out; the sweep looks at the slow ones."""

    def judge(self, call: Call) -> tuple[Route, Decision]:
        """Where the call goes, and whether it may."""
        tables = self._shelf.current
        target = router.route(call, tables)
        return target, _authorize(call, target, tables)

    async def run(
        self,
        call: Call,
        reply: Reply,
        face: Face,
        session: McpSession | None = None,
        local: Local | None = None,
    ) -> None:
        """Carry out ``call`` and answer it through ``reply``. A fault becomes the answer.

        ``local`` replaces the trip to the upstream for what the gateway answers itself.
        """
        target, decision = self.judge(call)
        flight = InFlight(reply, asyncio.current_task(), call.client.era == "stateless")
        self.flights.add(flight)
        if session is not None:
            session.calls[call.id] = flight
        try:
            if isinstance(decision, Deny):
                answered = Answered(self._refusal(target, call), None, decision.reason)
            else:
                answered = await self._perform(call, target, flight, face, session, local)
            status, body = _rendered(call, answered, face)
            try:
                await self._record(call, target, decision, answered, len(body))
            except AuditUnavailable:
                status, body = face.render(call, fault_of(_unrecorded()), None)
        finally:
            self.flights.discard(flight)
            if session is not None:
                session.calls.pop(call.id, None)
        await reply.finish(status, body)

    async def admitted(self, call: Call, target: Route, decision: Decision, reply: Reply, face: Face) -> bool:
        """For streams: judge and record first; False if the refusal was already sent."""
        if isinstance(decision, Deny):
            answered = Answered(self._refusal(target, call), detail=decision.reason)
        else:
            answered = Answered(Result({}))
        safe = self._around.trail.healthy
        try:
            await self._record(call, target, decision, answered, 0)
        except AuditUnavailable:
            safe = False
        if safe and not isinstance(decision, Deny):
            return True
        outcome = answered.outcome if safe else fault_of(_unrecorded())
        await reply.finish(*face.render(call, outcome, None))
        return False

    # -- the call itself ----------------------------------------------------------------------------------

    async def _perform(
        self,
        call: Call,
        target: Route,
        flight: InFlight,
        face: Face,
        session: McpSession | None,
        local: Local | None,
    ) -> Answered:
        if not self._around.trail.healthy:
            return Answered(fault_of(_unrecorded()))
        try:
            if local is not None:
                return Answered(*await local(call))
            if isinstance(target, Target):
                link = self._catalog.running(target.server, call)
                if link is None:
                    link = await self._catalog.link(target.server, call, session)
                return await self._asked(call, target, link, flight.reply, face)
            if isinstance(target, Everywhere):
                spec = methods.spec(call.method)
                return Answered(await self._catalog.everywhere(call, spec, target.servers, session))
            return Answered(self._refusal(target, call))
        except ProtocolFault as fault:
            return Answered(fault_of(fault), None, fault.detail)
        except LinkError as error:
            return Answered(fault_of_link(error), None, error.detail)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not flight.cancelled or task is None:
                raise
            task.uncancel()
            return Answered(_CANCELLED)

    async def _asked(self, call: Call, target: Target, link: Link, reply: Reply, face: Face) -> Answered:
        def on_notice(notice: Notice) -> None:
            message = face.notice(notice)
            if message is not None:
                reply.signal(message)

        if link.era == "handshake":
            outcome: Outcome = await link.call(call.method, target.params, on_notice)
        else:
            outcome = await link.call(call.method, upstream_params(target.params, call), on_notice)
            outcome = _classified(outcome)
        if isinstance(outcome, Result):
            if call.method in _LISTS:
                spec = methods.spec(call.method)
                outcome = self._catalog.filtered(call, spec, target.server.name, outcome)
            elif not call.server:
                body = as_object(outcome.body)
                outcome = Result(names.rename_result(target.server.name, call.method, body))
        return Answered(outcome, link)

    def _refusal(self, target: Route, call: Call) -> Fault:
        """What the caller hears of a refusal: the same words as for something that does not exist."""
        if isinstance(target, Malformed):
            return fault_of(target.fault)
        if isinstance(target, Unknown) and target.what != "server":
            return fault_of(InvalidParams(f"Unknown {target.what}: {target.name}"))
        if isinstance(target, Target) and target.kind != "server":
            reach = self._shelf.current.may_reach(call.access, target.server.name)
            if isinstance(reach, Allow):
                return fault_of(InvalidParams(f"Unknown {target.kind}: {_asked_name(call) or target.name}"))
        return Fault(-31006, "you may not use this server", status=403)

    # -- the record ---------------------------------------------------------------------------------------

    def _record(
        self, call: Call, target: Route, decision: Decision, answered: Answered, bytes_out: int
    ) -> asyncio.Future[None]:
        """Resolved once the record is safe; raises AuditUnavailable."""
        around = self._around
        link = answered.link
        access = call.access
        denied = isinstance(decision, Deny)
        arguments = call.params.get("arguments")
        outcome = answered.outcome
        event = CallEvent(
            at=around.clock.now(),
            request_id=call.request_id,
            principal_id=access.principal.id,
            principal=access.principal.username,
            client_id=access.client_id,
            client=access.client_name,
            address=call.address,
            server=target.server.name if isinstance(target, Target) else call.server,
            method=call.method,
            name=target.name if isinstance(target, Target) else _named(target),
            decision="deny" if denied else "allow",
            rule=decision.rule,
            reason=answered.detail,
            outcome="refused" if denied else outcome_name(outcome),
            error_code=outcome.code if isinstance(outcome, Fault) else 0,
            duration_ms=round((around.clock.monotonic() - call.started) * 1000, 3),
            args_digest=jsonrpc.digest(arguments) if arguments else "",
            bytes_in=call.bytes_in,
            bytes_out=bytes_out,
            session=call.session,
            credential_id=access.credential_id,
            client_era=call.client.version,
            upstream_era=link.version if link is not None else "",
        )
        return around.trail.record(event)


def _authorize(call: Call, target: Route, tables: Published) -> Decision:
    rights = tables.rights(call.access.principal)
    if isinstance(target, Target):
        return rights.decide(target.server.name, target.kind, target.name)
    if isinstance(target, Unknown):
        return Deny(f"no such {target.what} within reach", "default")
    if isinstance(target, Malformed):
        return Deny(target.fault.detail, "default")
    if not target.servers:
        return Deny("no server within reach", "default")
    return Allow("aggregate")


def _rendered(call: Call, answered: Answered, face: Face) -> tuple[int, bytes]:
    try:
        return face.render(call, answered.outcome, answered.link)
    except LinkError as error:  # the result had to be looked into, and is none
        answered.outcome, answered.detail = fault_of_link(error), error.detail
        return face.render(call, answered.outcome, answered.link)


def _asked_name(call: Call) -> str:
    name = call.params.get("name", call.params.get("uri"))
    return name if isinstance(name, str) else ""


def _named(target: Route) -> str:
    return target.name if isinstance(target, Unknown) and target.what != "server" else ""


def upstream_params(params: dict[str, Any], call: Call) -> dict[str, Any]:
    """Params for a stateless upstream: what the client declared travels with each request."""
    client = call.client
    meta = stateless.request_meta(None, None, client.capabilities, client.log_level)
    return {**params, "_meta": {**params.get("_meta", {}), **meta}}


def _classified(outcome: Outcome) -> Outcome:
    """Tell a stateless upstream's question from its result."""
    if not isinstance(outcome, Result):
        return outcome
    body = outcome.body
    if isinstance(body, Raw) and b"input_required" not in bytes(memoryview(body)):
        return outcome
    decoded = as_object(body)
    return NeedsInput(decoded) if decoded.get("resultType") == "input_required" else Result(decoded)


def outcome_name(outcome: Outcome) -> OutcomeName:
    """The audit's word for how a call ended."""
    if isinstance(outcome, Fault):
        return "cancelled" if outcome is _CANCELLED else "error"
    if isinstance(outcome, NeedsInput):
        return "input_required"
    body = outcome.body
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
    return Fault(kind.code, error.public, None, kind.status)


def _unrecorded() -> ProtocolFault:
    return RecordingFailed("the call cannot be recorded, so it is not carried out")
