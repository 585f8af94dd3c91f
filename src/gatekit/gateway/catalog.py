"""Lists: what a server offers, less what this person may not use; on the aggregate endpoint merged and
renamed.

A list shows exactly what a call would be allowed to use, because both ask the same ``Rights``.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from gatekit.errors import LinkError, MethodNotFound, UpstreamDown
from gatekit.gateway import router
from gatekit.gateway.faces import as_object
from gatekit.gateway.listen import Hubs
from gatekit.gateway.ports import Surroundings
from gatekit.gateway.published import Shelf
from gatekit.gateway.sessions import McpSession
from gatekit.gateway.slots import Slot, Slots
from gatekit.model.call import Call, Fault, Outcome, Result
from gatekit.model.server import Server
from gatekit.policy.engine import Kind
from gatekit.protocol import names
from gatekit.protocol.era import bridge
from gatekit.protocol.methods import MethodSpec
from gatekit.upstream.link import Hello, Link, UpstreamKey

_log = logging.getLogger("gatekit.gateway")

_MAX_PAGES = 100
"""Pages fetched from one server for one merged list; a server that never ends its list is cut off here."""

_LISTED: dict[str, tuple[Kind, str]] = {
    "tools": ("tool", "name"),
    "prompts": ("prompt", "name"),
    "resources": ("resource", "uri"),
    "resourceTemplates": ("resource", "uriTemplate"),
}
"""Key of the result's array → what the rules judge, and the key of an item that names it."""

_METHOD_CAPABILITY = {
    "tools": "tools",
    "prompts": "prompts",
    "resources": "resources",
    "resourceTemplates": "resources",
}


class Catalog:
    """Finds the Link for a call, and puts lists together."""

    def __init__(self, around: Surroundings, shelf: Shelf, hubs: Hubs) -> None:
        self._around = around
        self._shelf = shelf
        self._hubs = hubs

        self.slots = Slots(around.pool, hubs)
        self._stateless: set[str] = set()
        """Servers that were found to be of the stateless era: one instance serves all capabilities there."""

    def key(self, server: Server, call: Call) -> UpstreamKey:
        """Which instance serves ``call``. What a stateless client declared counts only where it has to be
        fixed when the instance is opened, and where the instance is one person's."""
        client = call.client
        if client.capabilities and client.era == "stateless" and server.instances != "shared":
            mark = "" if server.name in self._stateless else bridge.fingerprint(client.capabilities)
            if mark:
                return router.marked(router.upstream_key(server, call), mark)
        return router.upstream_key(server, call)

    def running(self, server: Server, call: Call) -> Link | None:
        """The Link that serves ``call`` on ``server``, if it is there and ready."""
        return self._around.pool.get(self.key(server, call))

    async def for_rounds(self, server: Server, call: Call) -> tuple[Slot | None, Link]:
        """The Link for a call in whose middle the server may ask, with its slot if it is of the older era.

        Raises LinkError.
        """
        key = self.key(server, call)
        if "#" not in key.scope or not bridge.can_be_asked(call.client.capabilities):
            return None, self._around.pool.get(key) or await self.link(server, call, None)
        slot, link = await self.slots.take(key, server, _hello(key, server, call, None))
        if link.era == "handshake":
            return slot, link
        slot.free()
        self._stateless.add(server.name)
        return None, link

    async def link(self, server: Server, call: Call, session: McpSession | None) -> Link:
        """The live Link that serves ``call`` on ``server``, started if need be. Raises LinkError."""
        key = self.key(server, call)
        link = await self._around.pool.acquire(key, server, _hello(key, server, call, session))
        if link.era == "handshake":
            if server.name in self._stateless:  # it was replaced by an older one
                self._stateless.discard(server.name)
                if self.key(server, call) != key:
                    return await self.link(server, call, session)
        else:
            self._stateless.add(server.name)
        if session is not None and server.instances == "session":
            session.keys.add(key)
            link.listen(session.on_signal)
        elif "#" in key.scope:
            link.listen(self.slots.first(key).on_signal)
        else:
            link.listen(self._hubs.of(key).on_signal)
        return link

    def follow(self, session: McpSession, call: Call) -> None:
        """Let a session hear list changes of an instance that it shares with others."""
        server = self._shelf.current.servers.get(session.server)
        if server is not None and server.instances != "session":
            key = router.upstream_key(server, call)
            self._hubs.join(key, session.on_signal)
            session.followed = key

    def unfollow(self, session: McpSession) -> None:
        if session.followed is not None:
            self._hubs.leave(session.followed, session.on_signal)

    def filtered(self, call: Call, spec: MethodSpec, server: str, result: Result) -> Result:
        """The result of a list method without what this person may not use; raw if nothing was removed."""
        listed = _LISTED.get(spec.list_key)
        if listed is None:
            return result
        body = as_object(result.body)
        items = body.get(spec.list_key)
        if not isinstance(items, list):
            return result
        kind, key = listed
        rights = self._shelf.current.rights(call.access.principal)
        kept = [i for i in items if isinstance(i, dict) and rights.visible(server, kind, str(i.get(key, "")))]
        if len(kept) == len(items):
            return result
        return Result({**body, spec.list_key: kept})

    async def everywhere(
        self, call: Call, spec: MethodSpec, servers: tuple[Server, ...], session: McpSession | None
    ) -> Outcome:
        """The aggregate endpoint's answer to a request that names no single server's thing."""
        if call.method == "logging/setLevel":
            await asyncio.gather(*(self._forward(s, call, session) for s in servers))
            return Result({})
        if spec.list_key not in _LISTED:
            raise MethodNotFound(f"Method not found: {call.method}")
        answers = await asyncio.gather(*(self._all_of(s, call, spec, session) for s in servers))
        items = [item for answer in answers if not isinstance(answer, str) for item in answer]
        failed = [answer for answer in answers if isinstance(answer, str)]
        if failed and len(failed) == len(answers):
            raise UpstreamDown("none of the servers could be reached", "; ".join(failed))
        return Result({spec.list_key: items})

    async def _forward(self, server: Server, call: Call, session: McpSession | None) -> None:
        try:
            link = await self.link(server, call, session)
            if "logging" in link.capabilities:
                await link.call(call.method, call.params)
        except LinkError as error:
            _log.warning("server unavailable server=%s error=%s", server.name, error.detail)

    async def _all_of(
        self, server: Server, call: Call, spec: MethodSpec, session: McpSession | None
    ) -> list[dict[str, Any]] | str:
        """Every page of one server's list, renamed; a text if the server could not be asked."""
        try:
            return await self._pages(server, call, spec, session)
        except LinkError as error:
            # The other servers' tools are worth more than an error: the list goes on without this one.
            _log.warning("server left out of the merged list server=%s error=%s", server.name, error.detail)
            return f"{server.name}: {error.detail}"

    async def _pages(
        self, server: Server, call: Call, spec: MethodSpec, session: McpSession | None
    ) -> list[dict[str, Any]]:
        link = await self.link(server, call, session)
        if _METHOD_CAPABILITY[spec.list_key] not in link.capabilities:
            return []
        items: list[dict[str, Any]] = []
        params = {k: v for k, v in call.params.items() if k != "cursor"}
        for _ in range(_MAX_PAGES):
            outcome = await link.call(call.method, params)
            if isinstance(outcome, Fault):
                break
            body = as_object(self.filtered(call, spec, server.name, outcome).body)
            page = body.get(spec.list_key)
            items += [_renamed(server.name, spec.list_key, item) for item in page or ()]
            cursor = body.get("nextCursor")
            if not isinstance(cursor, str):
                break
            params = {**params, "cursor": cursor}
        return items


def _hello(key: UpstreamKey, server: Server, call: Call, session: McpSession | None) -> Hello:
    """What a new instance is told of the client: its capabilities, if it is for such clients only."""
    client = call.client
    if session is not None and server.instances == "session":
        capabilities = client.capabilities
    else:
        capabilities = bridge.declared(client.capabilities) if "#" in key.scope else {}
    person = call.access.principal if server.instances != "shared" else None
    return Hello(era=client.era, version=client.version, capabilities=capabilities, person=person)


def _renamed(server: str, list_key: str, item: dict[str, Any]) -> dict[str, Any]:
    kind, key = _LISTED[list_key]
    own = str(item.get(key, ""))
    return {**item, key: names.join_uri(server, own) if kind == "resource" else names.join(server, own)}
