"""READ THIS FIRST. What happens to one call, in order:

    authorize, ask → count (quotas) → inspect (plugins) → route → reach the upstream → await → inspect
    → render → record → answer

Every door of the data plane ends here, so every call is judged by the same policy and stands in the audit
before its answer leaves (architecture §5.10, fail closed). A refusal is recorded with its rule; the caller
only hears that there is no such thing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from gatekit.errors import AuditUnavailable, InvalidParams, LinkError, ProtocolFault, QuotaReached, Withheld
from gatekit.gateway import (
    apps,
    inspection,
    judging,
    pins,
    quotas,
    recording,
    router,
    scoped,
    tasks,
)
from gatekit.gateway.aggregate import Aggregate
from gatekit.gateway.asking import Asking
from gatekit.gateway.catalog import Catalog
from gatekit.gateway.faces import Face
from gatekit.gateway.outcomes import (
    CANCELLED,
    Answered,
    fault_of,
    fault_of_link,
    retry_after,
    unreachable,
    unrecorded,
)
from gatekit.gateway.ports import Surroundings
from gatekit.gateway.published import Published, Shelf
from gatekit.gateway.reply import Reply
from gatekit.gateway.rounds import Rounds
from gatekit.gateway.router import Everywhere, Malformed, Route, Target, Unknown
from gatekit.gateway.sessions import InFlight, McpSession
from gatekit.gateway.trip import Trip
from gatekit.gateway.turns import Turns
from gatekit.model.access import Access
from gatekit.model.call import Call, Fault, Outcome, Pieces, Result
from gatekit.model.decision import Allow, Ask, Decision, Deny
from gatekit.model.ports import Clock
from gatekit.upstream.link import Link

LEFT = "the client's connection had ended before the answer"

Local = Callable[[Call], Awaitable[tuple[Outcome, Link | None]]]


class Exchange:
    """Carries out calls. One for the whole process; it keeps nothing of a call once that is answered."""

    def __init__(
        self, around: Surroundings, shelf: Shelf, catalog: Catalog, aggregate: Aggregate, rounds: Rounds
    ) -> None:
        self._around = around
        self._shelf = shelf
        self._catalog = catalog
        self._aggregate = aggregate
        self._rounds = rounds
        self._trip = Trip(around, catalog, aggregate, rounds)
        self.turns = Turns()
        self._apps = apps.Apps(catalog, around.clock)
        self._inspector = inspection.Inspector(catalog, rounds, around.clock, self._again, self._refusal)
        self.ledger = quotas.Ledger(around.clock, shelf, rounds.resumes)
        self.asking = Asking(around, rounds.tickets, self.judge)
        self.tasks = catalog.tasks
        self.flights: set[InFlight] = set()
        """Calls being carried out; the sweep looks at the slow ones."""

    def judge(self, call: Call) -> tuple[Route, Decision]:
        """Where the call goes, and whether it may."""
        tables = self._shelf.current
        target = router.route(call, tables)
        if call.method in tasks.METHODS:
            target = self.tasks.located(call, target, tables)
        return target, _authorize(call, target, tables, self._around.clock)

    def may_send(self, access: Access, server: str, method: str) -> bool:
        """Whether a notification that we do not know may go to a server."""
        rights = self._shelf.current.rights(access.principal)
        return judging.may_send(rights, access, self._around.clock, server, method)

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
        flight = InFlight(
            reply, asyncio.current_task(), call.client.era == "stateless", call.access, call.server
        )
        self.flights.add(flight)
        if session is not None:
            session.calls[call.id] = flight
        held = None
        try:
            if isinstance(decision, Ask):
                target, decision, held = await self._agreed(call, target, decision, flight, face, session)
            inspected = flight.inspection = inspection.of(call, target, self._shelf.current)
            if held is not None:
                answered = held
            else:
                answered, decision = await self._end(
                    call, target, decision, flight, inspected, face, session, local
                )
            if flight.left and not answered.detail:
                answered.detail = LEFT
            status, body = _rendered(call, answered, face)
            try:
                await self._record(call, target, decision, answered, len(body))
                await inspection.recorded(inspected, answered.event)
            except AuditUnavailable:
                self._rounds.withhold(answered)
                status, body = face.render(call, fault_of(unrecorded()), None)
        finally:
            quotas.release(call)
            self.flights.discard(flight)
            if session is not None:
                session.calls.pop(call.id, None)
        await reply.finish(status, body)

    async def admitted(self, call: Call, target: Route, decision: Decision, reply: Reply, face: Face) -> bool:
        """For streams: judge and record first; False if the refusal was already sent."""
        if not isinstance(decision, Allow):
            answered = Answered(self._refusal(target, call), detail=decision.reason)
        else:
            answered = Answered(Result({}))
        safe = self._around.trail.healthy
        try:
            await self._record(call, target, decision, answered, 0)
        except AuditUnavailable:
            safe = False
        if safe and isinstance(decision, Allow):
            return True
        outcome = answered.outcome if safe else fault_of(unrecorded())
        await reply.finish(*face.render(call, outcome, None))
        return False

    def _again(self, call: Call, target: Target) -> Decision:
        """Of what a plugin has made of a call. Raises ``QuotaReached``."""
        tables = self._shelf.current
        decision = _authorize(call, target, tables, self._around.clock)
        if tables.limited and isinstance(decision, Allow) and (over := self.ledger.enter(call, target)):
            raise over
        return decision

    # -- the call itself ----------------------------------------------------------------------------------

    async def _agreed(
        self,
        call: Call,
        target: Route,
        decision: Decision,
        flight: InFlight,
        face: Face,
        session: McpSession | None,
    ) -> tuple[Route, Decision, Answered | None]:
        """``Asking.settle``, but nobody is asked about what does not fit anyway."""
        if self._shelf.current.limited and not scoped.lacking(call):
            over = self.ledger.enter(call, target, take=False)
            if over is not None:
                return target, quotas.told(call, decision), quotas.refused(over, flight.reply)
        return await self.asking.settle(call, target, decision, flight, face, session)

    async def _end(
        self,
        call: Call,
        target: Route,
        decision: Decision,
        flight: InFlight,
        inspected: inspection.Inspection | None,
        face: Face,
        session: McpSession | None,
        local: Local | None,
    ) -> tuple[Answered, Decision]:
        """How the call ends, and the decision as the record shall have it. Whoever may not use a thing never
        hears what its quota is."""
        tables = self._shelf.current
        if isinstance(decision, Deny) and apps.concerns(call, target, decision):
            decision = await self._apps.judge(call, target, decision, tables, session)
        if isinstance(decision, Deny):
            self._rounds.forsake(call)
            answered = Answered(self._refusal(target, call), None, decision.reason)
        elif scoped.lacking(call):
            decision = scoped.DENIED
            answered = Answered(
                scoped.challenge(self._around.door, call, flight.reply), None, decision.reason
            )
        elif not isinstance(decision, Allow):
            self._rounds.forsake(call)
            not_yet = judging.refused(self._around.door, call, decision, flight.reply)
            answered = Answered(not_yet, None, decision.reason)
        elif tables.limited and (over := self.ledger.enter(call, target)) is not None:
            answered = quotas.refused(over, flight.reply)
        else:
            answered = await self._perform(call, target, flight, inspected, face, session, local)
            self.asking.went(call, answered)
            if tasks.may_start(call):
                self.tasks.note(call, target, answered.outcome)
            elif tables.limited and call.method in tasks.METHODS:
                self.tasks.heard(call, answered.outcome)
        decision = inspection.told(inspected, answered, pins.told(answered, decision))
        return answered, quotas.told(call, decision)

    async def _perform(
        self,
        call: Call,
        target: Route,
        flight: InFlight,
        inspected: inspection.Inspection | None,
        face: Face,
        session: McpSession | None,
        local: Local | None,
    ) -> Answered:
        if not self._around.trail.healthy:
            return Answered(fault_of(unrecorded()))
        try:
            carry = partial(self._carried, flight, session, local)
            answered = await self._inspector.around(
                inspected, call, target, face, flight, carry, local, session
            )
            if flight.said:
                answered.detail, answered.rounds = ", ".join(flight.said), len(flight.said)
            return answered
        except Withheld as fault:
            return Answered(self._refusal(target, call), None, fault.detail, withheld=True)
        except QuotaReached as over:  # by what a plugin has made of the call
            return quotas.refused(over, flight.reply)
        except ProtocolFault as fault:
            return Answered(fault_of(fault), None, fault.detail)
        except LinkError as error:
            if wait := retry_after(error):
                flight.reply.add_headers((b"retry-after", b"%d" % wait))
            return Answered(unreachable(target, error), None, error.detail)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not flight.cancelled or task is None:
                raise
            task.uncancel()
            return Answered(flight.ending or CANCELLED)

    async def _carried(
        self,
        flight: InFlight,
        session: McpSession | None,
        local: Local | None,
        call: Call,
        target: Route,
        face: Face,
    ) -> Answered:
        if local is not None:
            return Answered(*await local(call))
        if isinstance(target, Target) and target.server.max_calls is not None:
            async with self.turns.turn(target.server, call.access.principal.id):
                return await self._trip.reach(call, target, flight.reply, face, session)
        if isinstance(target, Target | Everywhere):
            return await self._trip.reach(call, target, flight.reply, face, session)
        return Answered(self._refusal(target, call))

    def _refusal(self, target: Route, call: Call) -> Fault:
        """What the caller hears of a refusal: the same words as for something that does not exist."""
        if not call.server or isinstance(self._shelf.current.may_reach(call.access, call.server), Allow):
            if isinstance(target, Malformed):
                return fault_of(target.fault)
            if isinstance(target, Unknown) and target.what != "server":
                return fault_of(InvalidParams(f"Unknown {target.what}: {target.name}"))
            if isinstance(target, Target) and target.kind != "server":
                return fault_of(InvalidParams(f"Unknown {target.kind}: {_asked_name(call) or target.name}"))
        return Fault(-31006, "you may not use this server", status=403)

    # -- the record ---------------------------------------------------------------------------------------

    def _record(
        self, call: Call, target: Route, decision: Decision, answered: Answered, bytes_out: int
    ) -> asyncio.Future[None]:
        """Resolved once the record is safe; raises AuditUnavailable."""
        if call.held is not None:
            call.held.sent(bytes_out)
            self._rounds.hold(answered.nonce, call.held)
        answered.event = recording.event(self._around.clock, call, target, decision, answered, bytes_out)
        return self._around.trail.record(answered.event)


def _authorize(call: Call, target: Route, tables: Published, clock: Clock) -> Decision:
    rights = tables.rights(call.access.principal)
    if isinstance(target, Target):
        return judging.judge(rights, call, target, clock)
    if call.server in tables.views:
        known = judging.about(rights, call.access, clock, call.address)
        decision = rights.decide(call.server, "server", about=known)
        if not isinstance(decision, Allow):
            return decision
    if isinstance(target, Unknown):
        return Deny(f"no such {target.what} within reach", "default")
    if isinstance(target, Malformed):
        return Deny(target.fault.detail, "default")
    if not target.servers:
        return Deny("no server within reach", "default")
    return Allow("aggregate")


def _rendered(call: Call, answered: Answered, face: Face) -> tuple[int, bytes | Pieces]:
    try:
        return face.render(call, answered.outcome, answered.link)
    except LinkError as error:  # the result had to be looked into, and is none
        answered.outcome, answered.detail = fault_of_link(error), error.detail
        return face.render(call, answered.outcome, answered.link)


def _asked_name(call: Call) -> str:
    name = call.params.get("name", call.params.get("uri"))
    return name if isinstance(name, str) else ""
