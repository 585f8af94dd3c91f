"""One answer out of several servers: merged lists, one greeting, one log level.

The servers are asked side by side and each has a deadline, so that one which is slow or dead costs a bounded
time and nothing else: what it would have added is missing, and ``_meta["gatekit/unavailable"]`` says so.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from gatekit.errors import InvalidParams, LinkError, LinkTimeout, MethodNotFound, UpstreamDown
from gatekit.gateway import cursors
from gatekit.gateway.catalog import Catalog
from gatekit.gateway.changes import Audience, Latecomers
from gatekit.gateway.cursors import Mark
from gatekit.gateway.judging import about
from gatekit.gateway.outages import Outages
from gatekit.gateway.ports import Surroundings
from gatekit.gateway.published import Shelf
from gatekit.gateway.sessions import McpSession
from gatekit.gateway.views import LISTED, Item, View
from gatekit.model.call import Call, Fault, Outcome, Result
from gatekit.model.server import Server
from gatekit.protocol.methods import MethodSpec
from gatekit.upstream.link import Link

UNAVAILABLE = "gatekit/unavailable"
"""Key in ``_meta``: the servers that are missing here, each with ``server``, ``reason`` and, if known,
``retryAfterSeconds``."""
MISSING = "gatekit/missing"
"""Key in ``_meta``: what a virtual server should show and its servers do not have, as ``server/name``."""

_MAX_PAGES = 100
"""Pages fetched from one server for one page of ours; a server that never ends its list is cut off here."""
_METHOD_NOT_FOUND = -32601
_MERGED = ("tools", "prompts", "resources", "completions", "logging")
"""Capabilities that can be served by several servers together."""
_CHANGING = frozenset({"tools", "prompts", "resources"})

T = TypeVar("T")
Offered = Callable[[Server, Link], dict[str, Any]]
"""What of a Link's capabilities the client's dialect can be offered."""


class Absent(Struct, frozen=True):
    """A server that could not be asked."""

    server: str
    reason: str
    """May be told to the caller."""
    retry_after: float = 0.0

    def told(self) -> dict[str, Any]:
        told: dict[str, Any] = {"server": self.server, "reason": self.reason}
        if self.retry_after > 0:
            told["retryAfterSeconds"] = math.ceil(self.retry_after)
        return told


class Greeting(Struct, frozen=True):
    """What an endpoint says of itself at the beginning."""

    info: dict[str, Any]
    capabilities: dict[str, Any]
    instructions: str | None
    meta: dict[str, Any]


class Walk(Struct):
    """What one server adds to a page."""

    server: str
    items: list[tuple[Item, str | None, int]]
    """Each with where it stands: on which of the server's pages (its cursor), and as which item of it."""
    missing: frozenset[str] = frozenset()
    """What the view expected of this server's list; known only if all of the list was seen."""
    more: Mark | None = None
    """Where the server's list goes on, if it was not walked to its end."""


class Aggregate:
    """Asks the servers behind a view. One for the process."""

    def __init__(self, around: Surroundings, shelf: Shelf, catalog: Catalog) -> None:
        self._around = around
        self._shelf = shelf
        self._catalog = catalog
        self._outages = Outages(around.trail, around.clock)
        self._late = Latecomers()
        self._known: dict[str, tuple[str, dict[str, Any]]] = {}
        """Server → its launch recipe, and what it offered when it was last seen."""

    # -- lists --------------------------------------------------------------------------------------------

    async def everywhere(
        self,
        call: Call,
        spec: MethodSpec,
        view: View,
        servers: Sequence[Server],
        session: McpSession | None,
    ) -> Outcome:
        """The answer to a request that names no single server's thing. Raises ProtocolFault."""
        if call.method == "logging/setLevel":
            await self._gather(call, servers, lambda server: self._forward(server, call, session))
            return Result({})
        if spec.list_key not in LISTED:
            raise MethodNotFound(f"Method not found: {call.method}")
        start = cursors.read(self._around.sealer, call)
        if start is not None:
            at = [server.name for server in servers]
            if start.server not in at:
                raise InvalidParams("Invalid params: unknown cursor", "cursor of a server out of reach")
            servers = servers[at.index(start.server) :]
        page = self._shelf.current.merging.page_size

        async def walk(server: Server) -> Walk:
            mark = start if start is not None and start.server == server.name else Mark(server.name)
            return await self._walk(server, call, spec, view, session, mark, page + 1)

        found = await self._gather(call, servers, walk)
        if session is not None:
            self.expect(session, call, (one.server for one in found if isinstance(one, Absent)), session)
        return self._page(call, spec, found, page)

    def _page(self, call: Call, spec: MethodSpec, found: Sequence[Walk | Absent], size: int) -> Result:
        absent = [one for one in found if isinstance(one, Absent)]
        walks = [one for one in found if isinstance(one, Walk)]
        if absent and not walks:
            reasons = "; ".join(f"{one.server}: {one.reason}" for one in absent)
            raise UpstreamDown(
                f"none of the servers could be reached ({reasons})",
                data={UNAVAILABLE: [one.told() for one in absent]},
            )
        shown: list[Item] = []
        following: Mark | None = None
        for walk in walks:
            following = _fill(shown, walk, size)
            if following is not None:
                break
        body: dict[str, Any] = {spec.list_key: shown}
        if following is not None:
            body["nextCursor"] = cursors.seal(self._around.sealer, call, following)
        missing = sorted(name for walk in walks for name in walk.missing)
        meta: dict[str, Any] = {}
        if absent:
            meta[UNAVAILABLE] = [one.told() for one in absent]
        if missing:
            meta[MISSING] = missing
        return Result({**body, "_meta": meta} if meta else body)

    async def _walk(
        self,
        server: Server,
        call: Call,
        spec: MethodSpec,
        view: View,
        session: McpSession | None,
        mark: Mark,
        need: int,
    ) -> Walk:
        """One server's list from ``mark`` on, renamed; at most the page in which ``need`` is reached."""
        link = await self._catalog.link(server, call, session)
        self._remember(server, link)
        unseen = set(view.expected(server.name, spec.list_key)) if mark == Mark(server.name) else set()
        walk = Walk(server.name, [])
        if LISTED[spec.list_key][0] + "s" not in link.capabilities:
            walk.missing = _told_missing(server, unseen)
            return walk
        params = {key: value for key, value in call.params.items() if key != "cursor"}
        for _ in range(_MAX_PAGES):
            page = {**params, "cursor": mark.theirs} if mark.theirs is not None else params
            outcome = await link.call(call.method, page)
            if isinstance(outcome, Fault):
                if outcome.code == _METHOD_NOT_FOUND:
                    break
                if outcome.code == InvalidParams.code and mark.theirs is not None:
                    # Its cursors do not outlive the instance, for instance. The client begins again.
                    raise InvalidParams("Invalid params: unknown cursor", outcome.message)
                raise LinkError(f"it answered {call.method} with an error: {outcome.message}")
            body = await self._catalog.inspected(call, spec, server, outcome, link)
            self._add(walk, call, spec, view, mark, body, unseen)
            cursor = body.get("nextCursor")
            if not isinstance(cursor, str):
                break
            mark = Mark(server.name, cursor)
            if len(walk.items) >= need:
                walk.more = mark
                return walk
        walk.missing = _told_missing(server, unseen)
        return walk

    def _add(
        self,
        walk: Walk,
        call: Call,
        spec: MethodSpec,
        view: View,
        mark: Mark,
        body: dict[str, Any],
        unseen: set[str],
    ) -> None:
        """Put the items of one page of a server's list in; their names are taken out of ``unseen``."""
        kind, key = LISTED[spec.list_key]
        rights = self._shelf.current.rights(call.access.principal)
        server, add = mark.server, walk.items.append
        narrowed = rights.narrows(server, kind)
        chosen = bool(view.name) and rights.narrows(view.name, kind)
        show = view.showing(server, spec.list_key)
        known = about(rights, call.access, self._around.clock, call.address)
        items = body.get(spec.list_key)
        for number, item in enumerate(items if isinstance(items, list) else ()):
            if not isinstance(item, dict):
                continue
            name = str(item.get(key, ""))
            if unseen:
                unseen.discard(name)
            if number < mark.skip or (narrowed and not rights.visible(server, kind, name, known)):
                continue
            for shown in show(name, item):
                if not chosen or rights.visible(view.name, kind, shown[key], known):
                    add((shown, mark.theirs, number))

    async def _forward(self, server: Server, call: Call, session: McpSession | None) -> None:
        link = await self._catalog.link(server, call, session)
        if "logging" in link.capabilities and link.era == "handshake":
            await link.call(call.method, call.params)

    # -- the greeting -------------------------------------------------------------------------------------

    async def greeting(
        self,
        call: Call,
        view: View,
        servers: Sequence[Server],
        session: McpSession | None,
        offered: Offered,
    ) -> Greeting:
        """What the endpoint is, out of what its servers are. Opens them, since the client will list next."""
        found = await self._gather(call, servers, lambda server: self._opened(server, call, session))
        absent = [one for one in found if isinstance(one, Absent)]
        links = {s.name: one for s, one in zip(servers, found, strict=True) if not isinstance(one, Absent)}
        said = [(name, link.instructions) for name, link in links.items() if link.instructions]
        if session is not None:
            self.expect(session, call, (one.server for one in absent), session)
        settings = self._around.settings
        info = {"name": view.name or settings.name, "version": settings.version}
        if view.title:
            info["title"] = view.title
        meta = {UNAVAILABLE: [one.told() for one in absent]} if absent else {}
        capabilities = self.united(servers, links, offered)
        return Greeting(info, capabilities, _instructions(view, servers, said, absent), meta)

    def united(
        self, servers: Sequence[Server], links: Mapping[str, Link], offered: Offered
    ) -> dict[str, Any]:
        """What the servers offer together; for one without a Link, what it offered when it was last seen."""
        capabilities: dict[str, Any] = {}
        for server in servers:
            link = links.get(server.name)
            _unite(capabilities, self._last_seen(server) if link is None else offered(server, link))
        return capabilities

    async def links(
        self, call: Call, servers: Sequence[Server], session: McpSession | None
    ) -> list[tuple[Server, Link]]:
        """The Links of those servers that can be reached."""
        found = await self._gather(call, servers, lambda server: self._opened(server, call, session))
        return [
            (server, one) for server, one in zip(servers, found, strict=True) if not isinstance(one, Absent)
        ]

    # -- those that come later ----------------------------------------------------------------------------

    def expect(
        self,
        who: Audience,
        call: Call,
        names: Iterable[str],
        session: McpSession | None = None,
        attend: Callable[[list[tuple[Server, Link]]], Awaitable[None]] | None = None,
    ) -> None:
        """Tell ``who`` when one of these servers can be reached; ``attend`` gets its Link before that."""
        names = tuple(names)
        if not names:
            return

        async def look(missing: frozenset[str]) -> frozenset[str]:
            tables = self._shelf.current
            view = tables.view(call.server)
            wanted = () if view is None else tables.behind(view, who.access)
            servers = [server for server in wanted if server.name in missing]
            found = await self.links(replace(call, access=who.access), servers, session)
            if found and attend is not None:
                await attend(found)
            return missing - {server.name for server in servers} | {server.name for server, _ in found}

        self._late.watch(who, names, look)

    def forget(self, who: Audience) -> None:
        self._late.forget(who)

    def close(self) -> None:
        self._late.close()

    async def _opened(self, server: Server, call: Call, session: McpSession | None) -> Link:
        link = await self._catalog.link(server, call, session)
        self._remember(server, link)
        return link

    def _remember(self, server: Server, link: Link) -> None:
        self._known[server.name] = (server.fingerprint(), link.capabilities)

    def _last_seen(self, server: Server) -> dict[str, Any]:
        recipe, capabilities = self._known.get(server.name, ("", {}))
        # A server that was never seen has tools, most likely; its client would not list them otherwise.
        return capabilities if recipe == server.fingerprint() else {"tools": {}}

    # -- side by side -------------------------------------------------------------------------------------

    async def _gather(
        self, call: Call, servers: Sequence[Server], ask: Callable[[Server], Awaitable[T]]
    ) -> list[T | Absent]:
        """``ask`` every server at once; those that fail or take too long are Absent."""
        patience = self._shelf.current.merging.patience

        async def one(server: Server) -> T | Absent:
            try:
                async with asyncio.timeout(patience):
                    answer = await ask(server)
            except TimeoutError:
                late = LinkTimeout(f"it did not answer within {patience:g} s; it may still be starting")
                return self._absent(call, server, late)
            except LinkError as error:
                return self._absent(call, server, error)
            self._outages.ended(call, server.name)
            return answer

        if len(servers) == 1:
            return [await one(servers[0])]
        return list(await asyncio.gather(*(one(server) for server in servers)))

    def _absent(self, call: Call, server: Server, error: LinkError) -> Absent:
        self._outages.begun(call, server.name, error.detail)
        return Absent(server.name, error.public, getattr(error, "retry_after", 0.0))


def _fill(shown: list[Item], walk: Walk, size: int) -> Mark | None:
    """Put items of one server on the page until it is full; where the next page begins, if it is."""
    before: tuple[str | None, int] | None = None
    for item, theirs, number in walk.items:
        # One thing under two names has one place, so it stays on one page.
        if len(shown) >= size and (theirs, number) != before:
            return Mark(walk.server, theirs, number)
        before = (theirs, number)
        shown.append(item)
    return walk.more


def _told_missing(server: Server, unseen: set[str]) -> frozenset[str]:
    return frozenset(f"{server.name}/{name}" for name in unseen)


def _unite(capabilities: dict[str, Any], more: dict[str, Any]) -> None:
    for name in _MERGED:
        offered = more.get(name)
        if not isinstance(offered, dict):
            continue
        united = capabilities.setdefault(name, {})
        for key in ("subscribe",):
            if offered.get(key):
                united[key] = True
        if name in _CHANGING:
            # Whatever the servers do, the list changes when the caller's rights or the servers themselves do.
            united["listChanged"] = True


def _instructions(
    view: View, servers: Sequence[Server], said: Sequence[tuple[str, str]], absent: Sequence[Absent]
) -> str | None:
    parts: list[str] = []
    if view.instructions:
        parts.append(view.instructions)
    else:
        if not view.name and servers:
            names = ", ".join(server.name for server in servers)
            parts.append(f"Tools of several servers, named server__tool: {names}.")
        parts += [f"## {server}\n\n{text}" for server, text in said]
    if absent:
        gone = "; ".join(f"{one.server} ({one.reason})" for one in absent)
        parts.append(f"Not available at the moment, so their tools may be missing: {gone}.")
    return "\n\n".join(parts) or None
