"""The stateless era's door (MCP 2026-07-28): every POST carries its envelope, nothing is remembered.

A disconnect is a cancellation (MUST); ``server/discover`` and ``subscriptions/listen`` are answered here.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import msgspec

from gatekit.errors import LinkError
from gatekit.gateway import listen, overheard, scoped
from gatekit.gateway.aggregate import Aggregate
from gatekit.gateway.catalog import Catalog
from gatekit.gateway.exchange import Exchange
from gatekit.gateway.faces import StatelessFace
from gatekit.gateway.inbound import Inbound, Refused
from gatekit.gateway.listen import Subscription
from gatekit.gateway.outcomes import fault_of_link
from gatekit.gateway.ports import Surroundings
from gatekit.gateway.published import Shelf
from gatekit.gateway.reply import Reply
from gatekit.gateway.router import Everywhere, Route, Target
from gatekit.model.access import Access
from gatekit.model.call import Call, ClientSide, Notice, Outcome, Result
from gatekit.model.decision import Allow
from gatekit.model.server import Server
from gatekit.protocol import methods
from gatekit.protocol.era import bridge, stateless
from gatekit.protocol.jsonrpc import Message, Notification, Request
from gatekit.upstream.link import Link

_UNDELIVERABLE = frozenset({"logging", "experimental", "tasks"})
"""Capabilities of a handshake-era upstream that have no counterpart in this era."""


class StatelessDoor:
    """Serves one POST of a stateless-era client."""

    def __init__(
        self,
        around: Surroundings,
        shelf: Shelf,
        exchange: Exchange,
        catalog: Catalog,
        aggregate: Aggregate,
    ) -> None:
        self._around = around
        self._shelf = shelf
        self._exchange = exchange
        self._catalog = catalog
        self._aggregate = aggregate
        settings = around.settings
        self._face = StatelessFace({"name": settings.name, "version": settings.version})
        self.subscriptions: set[Subscription] = set()

    async def post(self, inbound: Inbound, access: Access, message: Message, size: int, reply: Reply) -> None:
        """Serve one message. Raises ProtocolFault where the ladder refuses it."""
        if isinstance(message, Notification):
            self._notified(inbound, access, message)
            await reply.empty(202)
            return
        assert isinstance(message, Request)
        client, params = stateless.read(message, inbound if inbound.mirrored else None)
        call = _call(inbound, access, message, client, params)
        call.retry = retry = bridge.take_retry(message.method, params)
        call.started, call.bytes_in = reply.started_at, size
        call.headers = inbound if message.method == "tools/call" else None
        call.rounds = retry is not None or (
            bool(client.capabilities) and methods.spec(message.method).may_ask
        )
        if message.method == "subscriptions/listen":
            await self._listen(call, reply)
        elif message.method == "server/discover":
            await self._exchange.run(call, reply, self._face, None, self._discover)
        else:
            await self._exchange.run(call, reply, self._face)

    def _notified(self, inbound: Inbound, access: Access, message: Notification) -> None:
        """Check a notification, and pass on what is not ours to know: the core protocol defines none that a
        client sends over HTTP, but extensions may."""
        client, params = stateless.read_notification(message, inbound if inbound.mirrored else None)
        call = _call(inbound, access, message, client, params)
        target, decision = self._exchange.judge(call)
        if not isinstance(decision, Allow):
            raise Refused(403, "you may not use this server")
        scoped.check(access, (message,))
        if isinstance(target, Target) and not methods.spec(message.method).known:
            link = self._catalog.running(target.server, call)
            if link is not None:
                notice = Notice(message.method, params)
                tables = self._shelf.current
                overheard.to_server(tables, target.server.name, access, "", notice, link)

    async def _discover(self, call: Call) -> tuple[Outcome, Link | None]:
        tables = self._shelf.current
        server = tables.servers.get(call.server)
        if server is None:
            view = tables.view(call.server)
            assert view is not None  # or the call was refused
            servers = tables.behind(view, call.access)
            said = await self._aggregate.greeting(call, view, servers, None, lambda _, link: _offered(link))
            result = stateless.discover_result(said.info, said.capabilities, said.instructions)
            if said.meta:
                result["_meta"] = {**result.get("_meta", {}), **said.meta}
            return Result(result), None
        link = await self._catalog.link(server, call, None)
        return (
            Result(stateless.discover_result(link.server_info, _offered(link), link.instructions)),
            link,
        )

    # -- subscriptions/listen -----------------------------------------------------------------------------

    async def _listen(self, call: Call, reply: Reply) -> None:
        since = self._around.epoch.count
        target, decision = self._exchange.judge(call)
        if not await self._exchange.admitted(call, target, decision, reply, self._face):
            return
        try:
            found, kinds = await self._links(call, target)
        except LinkError as error:
            status, body = self._face.render(call, fault_of_link(error), None)
            await reply.finish(status, body)
            return
        await self._around.still(call.access, since)  # an instance may take long to start
        if call.server and not self._shelf.current.admits(call.access, call.server):
            raise Refused(403, "you may not use this server")
        await self._stream(call, reply, found, kinds)

    async def _links(self, call: Call, target: Route) -> tuple[list[tuple[Server, Link]], list[str]]:
        """What the stream hears, of several servers those that can be reached; and the list changes that it
        hears of in any case. Raises LinkError."""
        if isinstance(target, Target):
            return [(target.server, await self._catalog.link(target.server, call, None))], []
        if not isinstance(target, Everywhere):
            return [], []
        found = await self._aggregate.links(call, target.servers, None)
        links = {server.name: link for server, link in found}
        offered = self._aggregate.united(target.servers, links, lambda _, link: _offered(link))
        return found, listen.list_changes(call.params.get("notifications"), offered)

    async def _stream(
        self, call: Call, reply: Reply, found: list[tuple[Server, Link]], kinds: list[str]
    ) -> None:
        stream = Subscription(call, reply)
        stream.promise(kinds)
        self.subscriptions.add(stream)
        try:
            await self._attend(stream, found)
            stream.open()
            self.widen(stream)
            await reply.read_until_gone()
        finally:
            self.subscriptions.discard(stream)
            self._aggregate.forget(stream)
            stream.close()
            for key in stream.held:
                self._around.pool.unhold(key)

    def widen(self, stream: Subscription) -> None:
        """Let the stream hear of servers that it should and does not: they were down, or are new."""
        tables = self._shelf.current
        view = None if stream.endpoint in tables.servers else tables.view(stream.endpoint)
        if view is None:
            return
        held = {key.server for key in stream.held}
        names = [server.name for server in tables.behind(view, stream.access) if server.name not in held]
        self._aggregate.expect(stream, stream.call, names, None, partial(self._attend, stream))

    async def _attend(self, stream: Subscription, found: list[tuple[Server, Link]]) -> None:
        call = stream.call
        wanted = call.params.get("notifications")
        uris = self._uris(call, listen.resources(wanted))
        hearing = []
        for server, link in found:
            key = self._catalog.key(server, call)
            if key in stream.held:
                continue
            self._around.pool.hold(key)
            stream.held.append(key)
            hearing.append(
                stream.hear(
                    self._catalog.feeds.of(key),
                    listen.list_changes(wanted, _offered(link)),
                    uris.get(server.name, {}),
                    partial(self._catalog.shown, stream.access, call.server, server.name),
                    listen.tasks(wanted, link, partial(self._catalog.tasks.owns, call, server.name)),
                    partial(overheard.Overheard, self._shelf, server.name, lambda: stream.access),
                )
            )
        await asyncio.gather(*hearing)

    def _uris(self, call: Call, asked: list[str]) -> dict[str, dict[str, str]]:
        """Server → its name of a resource → the client's, of those that this person may read."""
        found: dict[str, dict[str, str]] = {}
        for uri in asked:
            params = {"uri": uri}
            target, decision = self._exchange.judge(
                msgspec.structs.replace(call, method="resources/subscribe", params=params)
            )
            if isinstance(target, Target) and isinstance(decision, Allow):
                found.setdefault(target.server.name, {})[target.name] = uri
        return found


def _call(
    inbound: Inbound,
    access: Access,
    message: Request | Notification,
    client: ClientSide,
    params: dict[str, Any],
) -> Call:
    return Call(
        id=message.id if isinstance(message, Request) else "",
        method=message.method,
        params=params,
        server=inbound.server,
        access=access,
        client=client,
        request_id=inbound.request_id,
        address=inbound.peer,
    )


def _offered(link: Link) -> dict[str, Any]:
    if link.era == "stateless":
        return link.capabilities
    return {k: v for k, v in link.capabilities.items() if k not in _UNDELIVERABLE}
