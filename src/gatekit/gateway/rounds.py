"""Calls of stateless clients that may take several rounds: ask, be answered, go on.

Three ways a server may ask, and one way for the client to be asked (``input_required`` and a retry):

- a handshake-era server asks by a request of its own: the call is parked (``parking``) in a slot (``slots``);
- a handshake-era server refuses with -32042 until a URL was visited: the call is made anew after the visit;
- a stateless server asks just so: its ``requestState`` travels inside ours.

The reverse, a handshake-era client in front of a stateless server, is ``loop``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from gatekit.errors import AuditUnavailable, InvalidParams, LinkError, ProtocolFault, UpstreamBusy
from gatekit.gateway import mirrored, taskrun
from gatekit.gateway.catalog import Catalog
from gatekit.gateway.outcomes import Answered, classified, renamed, upstream_params
from gatekit.gateway.parking import Asked, Leg, OpenCall, Parking
from gatekit.gateway.ports import Surroundings
from gatekit.gateway.router import Target
from gatekit.gateway.tickets import Ticket, Tickets
from gatekit.model.audit import CallEvent
from gatekit.model.call import Call, Fault, Held, NeedsInput, Notice, Outcome, Retry
from gatekit.protocol.era import bridge
from gatekit.upstream.link import Link

MAX_ROUNDS = 10
"""Rounds of one call in which nothing is parked; official clients give up after as many."""

_NO_RETRY = Retry({}, None)
_DECLINED = Fault(-31010, "the call needs a visit to a URL, which was declined")
TOO_MANY = Fault(-31011, f"the server asked for input more than {MAX_ROUNDS} times")

Send = Callable[[Notice], None]


class Rounds:
    """Carries such calls out, leg by leg."""

    def __init__(self, around: Surroundings, catalog: Catalog) -> None:
        settings = around.settings
        self._around = around
        self._catalog = catalog
        self.tickets = Tickets(around.sealer, around.clock, settings.input_patience)
        self.parking = Parking(settings.input_patience, settings.parked_per_principal, settings.parked)

    async def run(self, call: Call, target: Target, send: Send) -> Answered:
        """One leg. Raises ProtocolFault and LinkError."""
        retry = call.retry or _NO_RETRY
        if retry.state is None:
            return await self._first(call, target, retry, send, None)
        ticket = self.tickets.read(call, retry.state)
        if ticket.kind == "parked":
            return await self._resumed(call, target, ticket, retry, send)
        if ticket.kind == "visit":
            visited = _visited(retry)
            if visited is not None:
                self.tickets.use(ticket)
                return Answered(visited, None, "", ticket.origin, ticket.rounds)
            retry = _NO_RETRY
        take_back = self.tickets.use(ticket)
        if ticket.kind == "asking":  # what asked has stopped asking meanwhile
            return await self._first(call, target, _NO_RETRY, send, None)
        try:
            return await self._first(call, target, Retry(retry.responses, ticket.state), send, ticket)
        except LinkError:
            take_back()
            raise

    async def _first(
        self, call: Call, target: Target, retry: Retry, send: Send, ticket: Ticket | None
    ) -> Answered:
        """A leg that sends a request upstream: the first one, or any one of a call that is not parked."""
        slot, link = await self._catalog.for_rounds(target.server, call)
        try:
            books = self._catalog.books
            if not mirrored.is_plain(call, target.name, link, books):
                await mirrored.check(call, target.name, link, books)
            await self._catalog.pins.check(call, target, link)
            as_task = "tasks" in link.capabilities and await taskrun.needed(call, target, link, books)
        except (ProtocolFault, LinkError, asyncio.CancelledError):
            if slot is not None:
                slot.free()
            raise
        origin, rounds = (ticket.origin, ticket.rounds) if ticket else (call.request_id, 0)
        parent = ticket.origin if ticket else ""
        if link.era == "stateless":
            params = upstream_params(with_input(target.params, retry), call)
            outcome = classified(call.method, await link.call(call.method, params, send))
            outcome = self.sealed(call, renamed(call, target, outcome), origin, rounds)
            return _answered(outcome, link, parent, rounds)
        if ticket is not None and ticket.kind == "relayed":
            if slot is not None:
                slot.free()
            raise InvalidParams("Invalid params: the server has changed; start the call again")
        if slot is None:
            carry = taskrun.plain(link, call.method, target.params, send) if as_task else None
            end = await (carry or link.call(call.method, target.params, send))
            outcome = renamed(call, target, end)
            return _answered(self._visits(call, outcome, origin, rounds), link, parent, rounds)
        leg = _leg(call, send)
        opened = OpenCall(slot, link, call, target, origin, leg)
        opened.rounds = rounds
        opened.start(call.method, target.params, as_task)
        return await self._carried(call, target, opened, leg, "", parent)

    async def _resumed(
        self, call: Call, target: Target, ticket: Ticket, retry: Retry, send: Send
    ) -> Answered:
        opened = self.parking.find(ticket.nonce)
        if not mirrored.is_plain(call, target.name, opened.link, self._catalog.books):
            await mirrored.check(call, target.name, opened.link, self._catalog.books)
            self.parking.find(ticket.nonce)  # another retry may have been quicker meanwhile
        answers = opened.check(retry.responses)  # a malformed answer costs nothing: the state stays good
        self.parking.take(ticket.nonce)
        opened.access = call.access
        said = opened.answer(answers)
        return await self._carried(call, target, opened, _leg(call, send), said, ticket.origin)

    async def _carried(
        self, call: Call, target: Target, opened: OpenCall, leg: Leg, said: str, parent: str
    ) -> Answered:
        """Wait for the end of the call or for its next question."""
        link = opened.link
        try:
            end = await opened.leg(leg)
            if not isinstance(end, Asked):
                outcome = self._visits(call, renamed(call, target, end), opened.origin, opened.rounds)
                answered = _answered(outcome, link, parent, opened.rounds)
                answered.detail = said
                return answered
            opened.rounds += 1
            nonce = call.request_id
            self.parking.park(nonce, opened, self._around.clock.monotonic())
        except (asyncio.CancelledError, UpstreamBusy):
            opened.end()
            raise
        state = self.tickets.issue(call, "parked", nonce, opened.origin, opened.rounds)
        body = bridge.needs_input(end.requests, state)
        return Answered(NeedsInput(body), link, said, parent, opened.rounds, nonce)

    # -- nothing parked -----------------------------------------------------------------------------------

    def sealed(self, call: Call, outcome: Outcome, origin: str, rounds: int) -> Outcome:
        """The outcome of a stateless upstream, its ``requestState`` inside ours."""
        if not isinstance(outcome, NeedsInput):
            return outcome
        theirs = outcome.body.get("requestState")
        theirs = theirs if isinstance(theirs, str) else None
        state = self.tickets.issue(call, "relayed", call.request_id, origin, rounds + 1, theirs)
        return NeedsInput({**outcome.body, "requestState": state})

    def _visits(self, call: Call, outcome: Outcome, origin: str, rounds: int) -> Outcome:
        """-32042 as a question, if the client can be asked to open a URL."""
        if not isinstance(outcome, Fault) or outcome.code != bridge.URL_REQUIRED:
            return outcome
        requests = bridge.required_urls(outcome)
        capabilities = call.client.capabilities
        if not requests or bridge.refusal(bridge.ELICITATION, {"mode": "url"}, capabilities) is not None:
            return outcome
        if rounds >= MAX_ROUNDS:
            return TOO_MANY
        state = self.tickets.issue(call, "visit", call.request_id, origin, rounds + 1)
        return NeedsInput(bridge.needs_input(requests, state))

    # -- ends ---------------------------------------------------------------------------------------------

    def forsake(self, call: Call) -> None:
        """The client may not go on with the call it wants to go on with, or cannot be told how: end it."""
        if call.retry is None or call.retry.state is None:
            return
        try:
            ticket = self.tickets.read(call, call.retry.state)
        except InvalidParams:
            return
        self.parking.drop(ticket.nonce)

    def resumes(self, call: Call) -> bool:
        """Whether a call only goes on with one that is open at its server."""
        if call.retry is None or call.retry.state is None:
            return False
        try:
            ticket = self.tickets.read(call, call.retry.state)
        except InvalidParams:
            return False
        return ticket.kind == "parked" and self.parking.peek(ticket.nonce) is not None

    def hold(self, nonce: str, held: Held) -> None:
        """The call that is parked under ``nonce`` keeps its place among those that run."""
        opened = self.parking.peek(nonce)
        if opened is not None and opened.held is None and opened.future and not opened.future.done():
            opened.held = held.moved()

    def withhold(self, answered: Answered) -> None:
        """The answer could not be recorded, so the client never hears how to go on with its call."""
        if answered.nonce:
            self.parking.drop(answered.nonce)

    def drop(self, nonce: str, reason: str) -> None:
        """End a parked call that nobody may go on with."""
        opened = self.parking.drop(nonce)
        if opened is not None:
            self.note_end(opened, reason)

    def close(self) -> None:
        self.parking.close()

    def sweep(self, now: float) -> None:
        """End what waited too long, and record it."""
        self.tickets.sweep()
        for opened in self.parking.sweep(now):
            self.note_end(opened, "no answer in time")

    def note_end(self, opened: OpenCall, reason: str) -> None:
        """Record the end of a call that no request stands for."""
        around, access = self._around, opened.access
        around.trail.record(
            CallEvent(
                at=around.clock.now(),
                request_id=opened.origin,
                principal_id=access.principal.id,
                principal=access.principal.username,
                client_id=access.client_id,
                client=access.client_name,
                server=opened.server,
                method=opened.method,
                name=opened.name,
                decision="allow",
                reason=reason,
                outcome="cancelled",
                credential_id=access.credential_id,
                upstream_era=opened.link.version,
                parent=opened.origin,
                rounds=opened.rounds,
            )
        ).add_done_callback(_seen)


def _answered(outcome: Outcome, link: Link, parent: str, rounds: int) -> Answered:
    return Answered(outcome, link, "", parent, rounds + isinstance(outcome, NeedsInput))


def with_input(params: dict[str, Any], retry: Retry) -> dict[str, Any]:
    """Params of a retry at a stateless upstream."""
    more: dict[str, Any] = {}
    if retry.responses:
        more["inputResponses"] = retry.responses
    if retry.state is not None:
        more["requestState"] = retry.state
    return {**params, **more} if more else params


def _visited(retry: Retry) -> Fault | None:
    """None if every visit was agreed to; malformed answers are refused. Answers may be left out: the server
    itself knows whether the visit has led to anything."""
    for value in retry.responses.values():
        if bridge.read_answer(bridge.ELICITATION, value)["action"] != "accept":
            return _DECLINED
    return None


def _leg(call: Call, send: Send) -> Leg:
    token = call.params.get("_meta", {}).get("progressToken")
    return Leg(send, token, call.client.log_level, call.client.capabilities)


def _seen(future: asyncio.Future[None]) -> None:
    if not future.cancelled() and isinstance(future.exception(), AuditUnavailable):
        return  # ``Trail.healthy`` already says so, and the next call is refused
