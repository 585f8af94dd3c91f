"""One call on its way through the plugins of its server: the place of ``plugins`` in the exchange.

What is forwarded is what was authorised: a plugin that replaces arguments or a name makes a new ``Target``,
which the policy judges anew before anything leaves. Nothing here is made for a call whose server has no
plugins (``of`` is one dictionary lookup then), and no result is decoded that no plugin reads.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from gatekit.errors import AuditUnavailable, Blocked
from gatekit.gateway.catalog import Catalog
from gatekit.gateway.describing import Descriptions
from gatekit.gateway.faces import Face, as_object
from gatekit.gateway.given import asked_of, fault_of_block, outcome_of, remade, seen_of
from gatekit.gateway.outcomes import Answered
from gatekit.gateway.overheard import Relay, listed, subject_of
from gatekit.gateway.published import Published
from gatekit.gateway.reply import Reply
from gatekit.gateway.rounds import Rounds
from gatekit.gateway.router import Route, Target
from gatekit.gateway.sessions import InFlight, McpSession
from gatekit.gateway.views import LISTED
from gatekit.model.audit import AuditEvent
from gatekit.model.call import Call, Fault, NeedsInput, Notice, Outcome, Pieces, Result, Retry
from gatekit.model.decision import Allow, Decision
from gatekit.model.ports import Clock
from gatekit.plugin import Answered as Seen
from gatekit.plugin import Asked, Block, Questioned, Record, Subject
from gatekit.plugins.chain import Chain, Done
from gatekit.protocol import methods
from gatekit.protocol.era import bridge
from gatekit.upstream.link import Link

NOT_REPLACED = "a plugin of this gateway is at fault"

Refusal = Callable[[Route, Call], Fault]
Again = Callable[[Call, Target], Decision]
"""The policy's judgement of what a plugin has made of a call."""
Carry = Callable[[Call, Route, Face], Awaitable[Answered]]


def of(call: Call, target: Route, tables: Published) -> Inspection | None:
    """The way of a call through the plugins; None if there are none."""
    if tables.plugins is None:
        return None
    server = target.server.name if isinstance(target, Target) else ""
    chain = tables.plugins.at(server)
    if chain is None:
        return None
    subject = subject_of(call.access, server, tables, call.session, call.request_id, call.address)
    inspection = Inspection(chain, subject)
    call.verdicts = inspection.seen
    return inspection


def told(inspection: Inspection | None, answered: Answered, decision: Decision) -> Decision:
    """Put what plugins said where the record finds it; the policy's last word."""
    if inspection is None:
        return decision
    answered.verdicts = tuple(inspection.seen)
    return inspection.decision or decision


async def recorded(inspection: Inspection | None, event: AuditEvent | None) -> None:
    """Tell the plugins that keep records. Raises AuditUnavailable if one must have it and does not."""
    if inspection is not None and event is not None:
        await inspection.recorded(event)


class Inspector:
    """Carries calls out between the plugins, and mends what only the exchange can."""

    def __init__(
        self, catalog: Catalog, rounds: Rounds, clock: Clock, again: Again, refusal: Refusal
    ) -> None:
        self._catalog = catalog
        self._descriptions = Descriptions(catalog, clock)
        self._rounds = rounds
        self._again = again
        self._refusal = refusal

    async def around(
        self,
        inspection: Inspection | None,
        call: Call,
        target: Route,
        face: Face,
        flight: InFlight,
        carry: Carry,
        local: object,
        session: McpSession | None,
    ) -> Answered:
        """``local``: the gateway answers the call itself, so nothing of the request can be replaced. Raises
        what ``carry`` does."""
        if inspection is None:
            return await carry(call, target, face)
        asked = _UNSEEN
        if inspection.chain.requests or inspection.chain.responses:
            tool = None
            if call.method == "tools/call" and isinstance(target, Target):
                tool = partial(self._descriptions.tool, call, target, session)
            asked = asked_of(call, target, tool)
        fixed = local is not None
        answered = await inspection.around(call, target, asked, face, flight.reply, self._again, carry, fixed)
        if answered.outcome is MISSING:
            answered.outcome = self._refusal(target, call)
        if isinstance(answered.outcome, Fault):
            self._rounds.withhold(answered)  # a parked call whose question was refused
        elif inspection.relisted and isinstance(target, Target) and isinstance(answered.outcome, Result):
            # Under the names that plugins gave: a list shows what a call by that name would be allowed.
            spec = methods.spec(call.method)
            answered.outcome = self._catalog.filtered(call, spec, target.server.name, answered.outcome)
        return answered


_UNSEEN = Asked(method="", arguments={})
"""Where no plugin looks at it."""


class Inspection:
    """One call's."""

    __slots__ = ("_subject", "chain", "decision", "relisted", "seen")

    def __init__(self, chain: Chain, subject: Subject) -> None:
        self.chain = chain
        self._subject = subject
        self.seen: list[str] = []
        """What plugins said, for the record."""
        self.decision: Decision | None = None
        """The policy's, if it refused what a plugin had made of the call."""
        self.relisted = False
        """Whether a plugin changed a list."""

    async def around(
        self,
        call: Call,
        target: Route,
        asked: Asked,
        face: Face,
        reply: Reply,
        again: Again,
        carry: Carry,
        fixed: bool,
    ) -> Answered:
        """See ``Inspector.around``."""
        self.chain.using += 1
        try:
            went = await self.chain.request(self._subject, asked, self.seen)
            if isinstance(went, Block):
                return self._refused(went)
            if isinstance(went, Done):
                body = dict(went.result)
                own = Answered(Result(body))
                return await self._back(asked, Seen(asked.method, asked.name, body), own, went.past)
            if went.changed:
                asked = went.asked
                went_on = self._remade(call, target, asked, again, fixed)
                if isinstance(went_on, Answered):
                    return went_on
                call, target = went_on
            if call.retry is not None and call.retry.responses and self.chain.answers:
                retry = await self._retried(call.retry)
                if isinstance(retry, Block):
                    return self._refused(retry)
                call = replace(call, retry=retry)
            if not self.chain.inward:
                return await self._inspected(call, target, asked, await carry(call, target, face))
            ears = _Ears(self.chain, self._subject, self.seen, face, reply)
            answered = await carry(call, target, ears)
            await ears.drained()
            return await self._inspected(call, target, asked, answered)
        finally:
            self.chain.using -= 1

    def _remade(
        self, call: Call, target: Route, asked: Asked, again: Again, fixed: bool
    ) -> tuple[Call, Route] | Answered:
        """What a plugin has made of the request, judged anew; or why that goes nowhere."""
        if fixed:
            return self._refused(Block("a plugin replaced what cannot be replaced", NOT_REPLACED))
        call, target = remade(call, target, asked)
        if isinstance(target, Target):
            decision = again(call, target)
            if not isinstance(decision, Allow):
                self.decision = decision
                return self._refused(Block("a plugin made of it what may not be asked", missing=True))
        return call, target

    # -- on the way back ----------------------------------------------------------------------------------

    async def _inspected(self, call: Call, target: Route, asked: Asked, answered: Answered) -> Answered:
        outcome = answered.outcome
        if isinstance(outcome, NeedsInput):
            return await self._needs_input(outcome, answered)
        if methods.spec(call.method).list_key in LISTED and isinstance(outcome, Result):
            # Of several servers, each one's part was looked at by its own plugins (``aggregate``).
            return (
                await self._items(call.method, answered, outcome) if isinstance(target, Target) else answered
            )
        if not self.chain.responses:
            return answered
        return await self._back(asked, seen_of(asked, outcome), answered, None)

    async def _back(self, asked: Asked, seen: Seen, answered: Answered, past: int | None) -> Answered:
        back = await self.chain.response(self._subject, asked, seen, self.seen, past)
        if isinstance(back, Block):
            return self._refused(back, answered)
        if back is not seen:
            answered.outcome = outcome_of(answered.outcome, back)
        return answered

    async def _items(self, method: str, answered: Answered, outcome: Result) -> Answered:
        """A list as the plugins leave it."""
        if not self.chain.lists:
            return answered
        key = methods.spec(method).list_key
        body = as_object(outcome.body)
        found = await listed(self.chain, self._subject, method, body, self.seen)
        if isinstance(found, Block):
            return self._refused(found, answered)
        if found is not body.get(key):
            answered.outcome, self.relisted = Result({**body, key: found}), True
        return answered

    async def _needs_input(self, outcome: NeedsInput, answered: Answered) -> Answered:
        requests = outcome.body.get("inputRequests")
        if not self.chain.questions or not isinstance(requests, dict):
            return answered
        kept: dict[str, Any] = {}
        for key, request in requests.items():
            read = bridge.read_request(request)
            if read is None:
                kept[key] = request
                continue
            questioned = Questioned(method=read[0], params=read[1])
            put = await self.chain.question(self._subject, questioned, self.seen)
            if put is questioned:
                kept[key] = request
                continue
            if not isinstance(put, Questioned):
                # The question cannot be answered for the client here: the call is parked or sealed already.
                block = put if isinstance(put, Block) else Block("a question was answered by a plugin")
                return self._refused(block, answered)
            kept[key] = bridge.input_request(put.method, dict(put.params))
        answered.outcome = NeedsInput({**outcome.body, "inputRequests": kept})
        return answered

    # -- questions in the middle of a call ----------------------------------------------------------------

    async def question(
        self, method: str, params: dict[str, Any]
    ) -> tuple[str, dict[str, Any]] | Result | Fault:
        """A question as the client shall hear it, or how the call ends, or a ``Result`` that answers it."""
        put = await self.chain.question(self._subject, Questioned(method=method, params=params), self.seen)
        if isinstance(put, Block):
            return fault_of_block(put)
        return (put.method, dict(put.params)) if isinstance(put, Questioned) else Result(dict(put.result))

    async def answer(
        self, method: str, params: dict[str, Any], body: dict[str, Any]
    ) -> dict[str, Any] | Fault:
        """The client's answer as the server shall hear it."""
        questioned = Questioned(method=method, params=params)
        said = await self.chain.answer(self._subject, questioned, Seen(method, "", body), self.seen)
        return fault_of_block(said) if isinstance(said, Block) else dict(said.body)

    async def _retried(self, retry: Retry) -> Retry | Block:
        responses: dict[str, Any] = {}
        for key, body in retry.responses.items():
            if not isinstance(body, dict):
                responses[key] = body  # it is refused as malformed further on
                continue
            questioned = Questioned(method="", params={})
            said = await self.chain.answer(self._subject, questioned, Seen("", "", body), self.seen)
            if isinstance(said, Block):
                return said
            responses[key] = dict(said.body)
        return Retry(responses, retry.state)

    # -- the end ------------------------------------------------------------------------------------------

    async def recorded(self, event: AuditEvent) -> None:
        """See ``recorded`` above."""
        if self.chain.records:
            record = Record(event=msgspec.to_builtins(event))
            if not await self.chain.recorded(self._subject, record):
                raise AuditUnavailable("a plugin that must keep a record of each call could not")

    def _refused(self, block: Block, answered: Answered | None = None) -> Answered:
        if block.missing:
            return Answered(MISSING, detail=block.reason)
        link = answered.link if answered is not None else None
        refused = Answered(fault_of_block(block), link, block.reason)
        if answered is not None:
            refused.parent, refused.rounds, refused.nonce = answered.parent, answered.rounds, answered.nonce
        return refused


MISSING = Fault(Blocked.code, "")
"""Stands for what the caller hears of something that does not exist; the exchange knows the words."""


class _Ears:
    """The client's dialect, hearing only what the plugins let through, in the order in which it was said."""

    def __init__(self, chain: Chain, subject: Subject, seen: list[str], face: Face, reply: Reply) -> None:
        self._face = face
        self._relay = Relay(chain, subject, seen, self._late)
        self._reply = reply
        self._now: Notice | None = None

    def render(self, call: Call, outcome: Outcome, link: Link | None) -> tuple[int, bytes | Pieces]:
        return self._face.render(call, outcome, link)

    def notice(self, notice: Notice) -> bytes | None:
        self._relay(notice)
        return None

    def _late(self, notice: Notice) -> None:
        message = self._face.notice(notice)
        if message is not None:
            self._reply.signal(message)

    async def drained(self) -> None:
        """Until everything that was said has been judged: the answer comes last."""
        await self._relay.drained()
