"""The way of an allowed call to its upstream and back: reach the link, send, bridge what it asks meanwhile,
and show the answer under the names that hold here. Whether it may go was decided before (``exchange``)."""

from __future__ import annotations

from functools import partial

import msgspec

from gatekit.gateway import mirrored, taskrun, tasks
from gatekit.gateway.aggregate import Aggregate
from gatekit.gateway.catalog import Catalog
from gatekit.gateway.faces import Face, sender
from gatekit.gateway.loop import Asking, Loop, Rising
from gatekit.gateway.outcomes import Answered, classified, older, renamed, upstream_params
from gatekit.gateway.ports import Surroundings
from gatekit.gateway.reply import Reply
from gatekit.gateway.rounds import Rounds
from gatekit.gateway.router import Everywhere, Target
from gatekit.gateway.sessions import McpSession
from gatekit.model.call import Call, NeedsInput, Outcome, Result
from gatekit.protocol import methods
from gatekit.upstream.link import Link

_LISTS = frozenset(method for method, row in methods.METHODS.items() if row.list_key)
_SUBSCRIBING = frozenset(("resources/subscribe", "resources/unsubscribe"))
_OLDER = frozenset(m for m, row in methods.METHODS.items() if "stateless" not in row.eras)
"""Methods that a stateless server does not know; what they mean is carried out here."""


class Trip:
    """Takes calls to upstreams. One for the whole process; it keeps nothing of a call."""

    def __init__(self, around: Surroundings, catalog: Catalog, aggregate: Aggregate, rounds: Rounds) -> None:
        self._catalog = catalog
        self._aggregate = aggregate
        self._rounds = rounds
        self._loop = Loop(around, catalog)

    async def reach(
        self, call: Call, target: Target | Everywhere, reply: Reply, face: Face, session: McpSession | None
    ) -> Answered:
        """The answer of the server, or of all that the call concerns, as this person may see it. Raises what
        links raise: ``LinkError`` and protocol faults."""
        if isinstance(target, Target):
            if call.rounds:
                return await self._rounds.run(call, target, sender(reply, face))
            link = self._catalog.running(target.server, call)
            if link is None:
                link = await self._catalog.link(target.server, call, session)
            if not mirrored.is_plain(call, target.name, link, self._catalog.books):
                await mirrored.check(call, target.name, link, self._catalog.books)
            if target.server.pins != "off":
                await self._catalog.pins.check(call, target, link)
            return await self._asked(call, target, link, reply, face, session)
        spec = methods.spec(call.method)
        outcome = await self._aggregate.everywhere(call, spec, target.view, target.servers, session)
        return Answered(outcome)

    async def _asked(
        self, call: Call, target: Target, link: Link, reply: Reply, face: Face, session: McpSession | None
    ) -> Answered:
        send = sender(reply, face)
        if call.method in _SUBSCRIBING and session is not None:
            return Answered(await self._catalog.subscribed(call, target, link, session), link)
        if link.era == "handshake":
            if "tasks" in link.capabilities and await taskrun.needed(call, target, link, self._catalog.books):
                return self._shown(
                    call, target, link, await taskrun.plain(link, call.method, target.params, send)
                )
            return self._shown(call, target, link, await link.call(call.method, target.params, send))
        if session is not None:
            return await self._at_stateless(call, target, link, Asking(call, target, session, reply, send))
        params = upstream_params(target.params, call)
        outcome = classified(call.method, await link.call(call.method, params, send))
        if isinstance(outcome, NeedsInput):
            return Answered(self._rounds.sealed(call, outcome, call.request_id, 0), link, rounds=1)
        return self._shown(call, target, link, outcome)

    async def _at_stateless(self, call: Call, target: Target, link: Link, asking: Asking) -> Answered:
        """A handshake-era client's call on a stateless server."""
        if call.method in _OLDER:
            return Answered(older(call), link)
        if "_meta" in target.params:
            asking = msgspec.structs.replace(asking, send=Rising(asking.send))
        params = upstream_params(target.params, call)
        outcome = classified(call.method, await link.call(call.method, params, asking.send))
        if taskrun.wants_extension(outcome):
            ask = partial(self._loop.ask, asking)
            outcome = await taskrun.extended(link, call.method, params, asking.send, ask)
        if not isinstance(outcome, NeedsInput):
            return self._shown(call, target, link, outcome)
        answered = await self._loop.run(asking, outcome, link)
        answered.outcome = renamed(call, target, answered.outcome)
        return answered

    def _shown(self, call: Call, target: Target, link: Link, outcome: Outcome) -> Answered:
        """What of the upstream's answer this person sees, under the names that hold here."""
        if call.method == tasks.LIST:
            return Answered(self._catalog.tasks.filtered(call, outcome), link)
        if call.method in _LISTS and isinstance(outcome, Result):
            spec = methods.spec(call.method)
            outcome = self._catalog.pins.sifted(call, target.server, spec.list_key, outcome, link)
            return Answered(self._catalog.filtered(call, spec, target.server.name, outcome), link)
        return Answered(renamed(call, target, outcome), link)
