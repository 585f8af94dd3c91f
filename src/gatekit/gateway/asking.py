"""Calls that a rule holds back until somebody says yes (``effect: ask``).

The call waits here, its request open; what is asked lies in the store, where approvers find it, whatever door
they use and whichever process it is. The first decision counts. A yes is for what the approver saw: rule,
person, client, server, and the digest of method and params; whoever comes with it is judged anew, and it is
used up when the call goes on. Nothing is kept of a call once that has ended, but for what was allowed for a
while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Literal

import msgspec

from gatekit.errors import AuditUnavailable, InvalidParams, StoreError
from gatekit.gateway import scoped, tasks
from gatekit.gateway.asked import (
    CROWDED,
    ENDED,
    GONE,
    UNKEPT,
    WORDS,
    Caller,
    Face,
    Waiting,
    agreed,
    can_be_told,
    client_of,
    event_of,
    given_up,
    question,
    standing_key,
    standing_words,
    written,
)
from gatekit.gateway.judging import UNAPPROVED
from gatekit.gateway.outcomes import CANCELLED, Answered, fault_of, unrecorded
from gatekit.gateway.ports import Surroundings
from gatekit.gateway.router import Route, Target
from gatekit.gateway.sessions import InFlight, McpSession
from gatekit.gateway.tickets import Ticket, Tickets
from gatekit.model.approvals import Approval
from gatekit.model.call import Approved, Call, Fault, NeedsInput, Notice, Question, Result
from gatekit.model.decision import Ask, Decision
from gatekit.protocol.era import bridge

_ASKABLE = frozenset(("tools/call", "prompts/get", "resources/read"))
"""What is worth somebody's attention; everything else that a rule holds back is refused at once."""
_MOST = 8
"""Rules that may ask about one call, one after the other."""
_TELL_EVERY = 10.0
_MAX_GOING = 2000
_KEY = "approval"

Judge = Callable[[Call], tuple[Route, Decision]]
Over = Literal["expired", "cancelled", "ended"]


class Asking:
    """Asks, waits and judges again. One for the whole process."""

    def __init__(self, around: Surroundings, tickets: Tickets, judge: Judge) -> None:
        self._around = around
        self._tickets = tickets
        self._judge = judge
        self._waiting: dict[str, Waiting] = {}
        self._standing: dict[tuple[str, ...], tuple[Approval, ...]] = {}
        self._going: dict[str, tuple[Approved, float]] = {}
        """Approved calls that their server has asked something, by the request they began with."""

    # -- from the store ------------------------------------------------------------------------------------

    async def load(self) -> None:
        """What was allowed for a while counts from now on. Raises ``StoreError``."""
        if self._around.approvals is None:
            return
        found: dict[tuple[str, ...], tuple[Approval, ...]] = {}
        for approval in await self._around.approvals.standing(self._now()):
            key = standing_key(approval)
            found[key] = (*found.get(key, ()), approval)
        self._standing = found

    async def heard(self, ids: Collection[str]) -> None:
        """Something was decided about these, maybe by another process. Raises ``StoreError``."""
        book = self._around.approvals
        if book is None:
            return
        mine = self._waiting.keys() if "*" in ids else self._waiting.keys() & set(ids)
        if mine:
            for approval in await book.some(list(mine)):
                self._settle(approval)
        await self.load()

    def close(self) -> None:
        """Nobody waits any more. What the store still has is ended by the next process of this name."""
        for waiting in list(self._waiting.values()):
            if waiting.watch is not None:
                waiting.watch.cancel()

    def waiting(self) -> list[Waiting]:
        return list(self._waiting.values())

    async def drop(self, waiting: Waiting) -> None:
        """Whoever asked may not any more. Raises ``StoreError``."""
        await self._end(waiting.approval.id, "cancelled")

    # -- from the exchange ---------------------------------------------------------------------------------

    async def settle(
        self,
        call: Call,
        target: Route,
        decision: Decision,
        flight: InFlight,
        face: Face,
        session: McpSession | None,
    ) -> tuple[Route, Decision, Answered | None]:
        """Wait until everybody who has to agree has agreed: where the call goes and what is said of it then,
        judged anew; or how it ends instead."""
        caller = Caller(call, flight, face, session)
        for _ in range(_MOST):
            if not isinstance(decision, Ask):
                return target, decision, None
            if self._around.approvals is None or not isinstance(target, Target) or scoped.lacking(call):
                break
            said = await self._said(caller, target, decision)
            if said is None:
                break
            if isinstance(said, Answered):
                return target, decision, said
            call.approved = said
            target, decision = self._judge(call)
        return target, decision, None

    def went(self, call: Call, answered: Answered) -> None:
        """The call was carried out. If its server has asked something, the next request goes on with it, and
        nobody has to approve that again."""
        origin = answered.parent or call.request_id
        if call.approved is None or not isinstance(answered.outcome, NeedsInput):
            self._going.pop(origin, None)
            return
        while len(self._going) >= _MAX_GOING:
            del self._going[next(iter(self._going))]
        self._going[origin] = (call.approved, self._now() + self._around.settings.input_patience)

    # -- one rule ------------------------------------------------------------------------------------------

    async def _said(self, caller: Caller, target: Target, ask: Ask) -> Approved | Answered | None:
        """``_one``; what goes wrong on the way is an end of the call, too."""
        try:
            return await self._one(caller, target, ask)
        except StoreError as error:
            return Answered(UNKEPT, None, str(error))
        except AuditUnavailable:
            return Answered(fault_of(unrecorded()))
        except InvalidParams as fault:
            return Answered(fault_of(fault), None, fault.detail)
        except asyncio.CancelledError as error:
            return given_up(caller.flight, error)

    async def _one(self, caller: Caller, target: Target, ask: Ask) -> Approved | Answered | None:
        """The yes; or how the call ends; None: it is refused as ever."""
        call = caller.call
        mine = agreed(call, target, ask.rule)
        if call.method in tasks.METHODS:
            return mine  # what is approved is the beginning of a task
        if call.method not in _ASKABLE:
            return None
        ticket = self._ticket(call)
        if ticket is not None and ticket.kind != "asking":
            going = self._going.get(ticket.origin)
            if going is None or going[1] <= self._now() or ask.rule not in going[0].rules:
                return None
            return going[0]
        if self._stands(call, target, ask.rule, mine.digest):
            return mine
        if ticket is not None:
            waiting = await self._returned(caller, ticket, target, ask, mine.digest)
        else:
            waiting = await self._asked(caller, target, ask, mine.digest)
        if isinstance(waiting, Answered):
            return waiting
        if ticket is None and (told := self._first_told(caller, waiting)) is not None:
            return told
        approval = await self._decided(caller, waiting)
        if isinstance(approval, Answered):
            return approval
        return await self._taken(caller, approval, mine)

    def _ticket(self, call: Call) -> Ticket | None:
        if call.retry is None or call.retry.state is None:
            return None
        return self._tickets.read(call, call.retry.state)

    def _stands(self, call: Call, target: Target, rule: str, digest: str) -> bool:
        key = (call.access.principal.id, client_of(call), target.server.name, call.method, target.name, rule)
        now = self._now()
        return any(
            one.until > now and (one.whatever or one.digest == digest) for one in self._standing.get(key, ())
        )

    # -- asking --------------------------------------------------------------------------------------------

    async def _asked(self, caller: Caller, target: Target, ask: Ask, digest: str) -> Waiting | Answered:
        """Put it to the approvers. Raises ``StoreError``, ``AuditUnavailable``."""
        around, call = self._around, caller.call
        if not around.trail.healthy:
            raise AuditUnavailable("the trail cannot be written")
        person = call.access.principal.id
        mine = sum(one.approval.principal_id == person for one in self._waiting.values())
        if (
            mine >= around.settings.approvals_per_principal
            or len(self._waiting) >= around.settings.approvals_in_all
        ):
            return Answered(CROWDED, None, "too many calls wait for an approval")
        waiting = Waiting(written(around, call, target, ask, digest), _future(), call.access, call.server)
        approval = waiting.approval
        self._waiting[approval.id] = waiting  # before anything is waited for: the count holds
        try:
            assert around.approvals is not None
            await around.approvals.add(approval)
            await around.trail.record(event_of("asked", approval, around.clock.now()))
        except BaseException:
            self._waiting.pop(approval.id, None)
            with suppress(StoreError):
                await asyncio.shield(self._end(approval.id, "cancelled", silent=True))
            raise
        waiting.watch = asyncio.ensure_future(self._watch(waiting))
        around.announce(approval)
        return waiting

    async def _watch(self, waiting: Waiting) -> None:
        """Until it is decided, or for as long as it may wait."""
        approval = waiting.approval
        try:
            async with asyncio.timeout(self._around.settings.approval_wait):
                await asyncio.shield(waiting.future)
        except TimeoutError:
            with suppress(StoreError):
                await self._end(approval.id, "expired")
            if not waiting.future.done():
                self._settle(msgspec.structs.replace(approval, state="expired"))
        finally:
            self._waiting.pop(approval.id, None)

    def _settle(self, approval: Approval) -> None:
        waiting = self._waiting.get(approval.id)
        if waiting is not None and approval.state != "waiting" and not waiting.future.done():
            waiting.future.set_result(approval)

    async def _end(self, approval_id: str, state: Over, *, silent: bool = False) -> None:
        """What was decided before this counts. Raises ``StoreError``."""
        book = self._around.approvals
        assert book is not None
        ended = await book.end(approval_id, state, self._now())
        found = ended or await book.get(approval_id)
        if ended is not None and not silent:
            self._around.trail.record(event_of(state, ended, self._around.clock.now())).add_done_callback(
                _unheard
            )
        if found is not None:
            self._settle(found)

    # -- waiting -------------------------------------------------------------------------------------------

    def _first_told(self, caller: Caller, waiting: Waiting) -> Answered | None:
        """A stateless client that can ask its person something hears at once where the call stands, and comes
        back to wait (MCP 2026-07-28, multi round-trip requests)."""
        call, approval = caller.call, waiting.approval
        if caller.session is not None or not call.rounds or not can_be_told(call.client.capabilities):
            return None
        origin = call.request_id
        state = self._tickets.issue(call, "asking", origin, origin, 1, approval.id)
        request = bridge.input_request(bridge.ELICITATION, question(approval))
        body = bridge.needs_input({_KEY: request}, state)
        return Answered(NeedsInput(body), None, f"waits for approval {approval.id}", rounds=1, waited=True)

    async def _returned(
        self, caller: Caller, ticket: Ticket, target: Target, ask: Ask, digest: str
    ) -> Waiting | Answered:
        """The client has come back to wait. Raises ``StoreError``, ``InvalidParams``."""
        call, book = caller.call, self._around.approvals
        assert book is not None
        retry, call.retry = call.retry, None  # the call itself has not begun
        assert retry is not None
        answer = retry.responses.get(_KEY)
        refused = answer is not None and bridge.read_answer(bridge.ELICITATION, answer)["action"] == "decline"
        self._tickets.use(ticket)
        approval_id = ticket.state or ""
        approval = await book.get(approval_id)
        if approval is None or approval.digest != digest or approval.rule != ask.rule:
            raise InvalidParams("Invalid params: the approval is not for this call; start the call again")
        if approval.server != target.server.name or approval.principal_id != call.access.principal.id:
            raise InvalidParams("Invalid params: the approval is not for this call; start the call again")
        if refused:
            await self._end(approval_id, "cancelled")
            return Answered(GONE, None, f"approval {approval_id} withdrawn", waited=True)
        waiting = self._waiting.get(approval_id)
        if waiting is None:  # decided meanwhile
            waiting = Waiting(approval, _future(), call.access, call.server)
            waiting.future.set_result(approval)
        return waiting

    async def _decided(self, caller: Caller, waiting: Waiting) -> Approval | Answered:
        """Wait for the decision, the request being open. Raises ``StoreError``."""
        flight, approval = caller.flight, waiting.approval
        # The client's leaving ends the wait, unless it can come back to this very answer.
        before = flight.disconnect_cancels
        flight.disconnect_cancels = before or flight.reply.resumable is None
        teller = asyncio.ensure_future(self._tell(caller, approval))
        asked = self._elicit(caller, approval)
        try:
            return await asyncio.shield(waiting.future)
        except asyncio.CancelledError:
            with suppress(StoreError):
                await asyncio.shield(self._end(approval.id, "cancelled"))
            raise
        finally:
            flight.disconnect_cancels = before
            teller.cancel()
            if asked and caller.session is not None:
                caller.session.withdraw(asked, reason="it was decided")

    async def _taken(self, caller: Caller, approval: Approval, mine: Approved) -> Approved | Answered:
        """What the decision means now. Raises ``StoreError``."""
        book, call, flight = self._around.approvals, caller.call, caller.flight
        assert book is not None
        if approval.state != "allowed":
            words = WORDS.get(approval.state, "the approval was refused")
            by = f" by {approval.decided_by}" if approval.decided_by else ""
            detail = f"approval {approval.id}: {approval.state}{by}"
            return Answered(Fault(UNAPPROVED, words, status=403), None, detail)
        if flight.left and not _heard(flight):
            await self._end(approval.id, "cancelled")
            return Answered(CANCELLED, None, f"approval {approval.id}: nobody waits any more", waited=True)
        access = call.access
        if 0 < access.expires_at <= self._around.clock.now() or not await self._around.is_active(access):
            await self._end(approval.id, "cancelled")
            return Answered(ENDED, None, f"approval {approval.id}: access ended meanwhile")
        if not await book.take(approval.id, self._now()):
            return Answered(GONE, None, f"approval {approval.id} was used before")
        return mine

    async def _tell(self, caller: Caller, approval: Approval) -> None:
        """Progress for a client that wants it: seconds until the wait ends, which rise to 0 from below, so
        that whatever the server says of its own progress later is more (MCP, progress: MUST increase)."""
        meta = caller.call.params.get("_meta")
        token = meta.get("progressToken") if isinstance(meta, dict) else None
        if token is None:
            return
        clock, end = self._around.clock, self._around.clock.monotonic() + self._around.settings.approval_wait
        message = standing_words(approval)
        while True:
            progress = {
                "progressToken": token,
                "progress": min(clock.monotonic() - end, 0),
                "message": message,
            }
            text = caller.face.notice(Notice("notifications/progress", progress))
            if text is not None:
                caller.flight.reply.signal(text)
            await asyncio.sleep(_TELL_EVERY)

    def _elicit(self, caller: Caller, approval: Approval) -> str:
        """A client of the handshake era that can ask its person something shows where the call stands."""
        session, flight = caller.session, caller.flight
        if session is None or not can_be_told(session.client.capabilities):
            return ""

        def answer(outcome: Result | Fault) -> None:
            body = outcome.body if isinstance(outcome, Result) else None
            if isinstance(body, dict) and body.get("action") == "decline":
                flight.cancel(GONE)

        return session.ask(Question(bridge.ELICITATION, question(approval), answer), flight.reply)

    # -- small things --------------------------------------------------------------------------------------

    def _now(self) -> int:
        return int(self._around.clock.now())


def _heard(flight: InFlight) -> bool:
    """Whether a client that had left has come back to its stream."""
    track = flight.reply.track
    return track is not None and track.outlet is not None


def _future() -> asyncio.Future[Approval]:
    return asyncio.get_running_loop().create_future()


def _unheard(future: asyncio.Future[None]) -> None:
    if not future.cancelled():
        future.exception()  # ``Trail.healthy`` says so, and the next call is refused
