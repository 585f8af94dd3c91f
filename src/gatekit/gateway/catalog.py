"""Links, and lists: what a server offers, less what this person may not use. (Several servers' lists are
merged by ``aggregate``.)

A list shows exactly what a call would be allowed to use, because both ask the same ``Rights``.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import msgspec

from gatekit.errors import LinkError, MethodNotFound
from gatekit.gateway import router
from gatekit.gateway.faces import as_object
from gatekit.gateway.feeds import LIST_CHANGES, UPDATED, Feed, Feeds, Listener
from gatekit.gateway.judging import about
from gatekit.gateway.overheard import Overheard, Owner, chain_of, listed, subject_of
from gatekit.gateway.pins import Pins
from gatekit.gateway.ports import Surroundings
from gatekit.gateway.published import Shelf
from gatekit.gateway.router import Target
from gatekit.gateway.sessions import McpSession
from gatekit.gateway.slots import Slot, Slots
from gatekit.gateway.tasks import Tasks
from gatekit.gateway.toolbook import Toolbook
from gatekit.gateway.views import LISTED
from gatekit.model.access import Access
from gatekit.model.call import Call, Notice, Outcome, Result
from gatekit.model.server import Server
from gatekit.plugin import Block
from gatekit.protocol.era import bridge
from gatekit.protocol.methods import MethodSpec
from gatekit.upstream.link import Hello, Link, UpstreamKey

_MAX_MARKS = 256
_MAX_SAID = 1024
"""Bytes of capabilities that are remembered with their mark; strangers choose them."""
_encode = msgspec.json.Encoder().encode


class Catalog:
    """Finds the Link for a call, and puts lists together."""

    def __init__(self, around: Surroundings, shelf: Shelf, feeds: Feeds) -> None:
        self._around = around
        self._shelf = shelf
        self.feeds = feeds
        self.slots = Slots(around.pool, feeds)
        self.books = Toolbook(around.clock)
        self.tasks = Tasks(around.clock)
        self.pins = Pins(around.clock, around.trail)
        self._marks: dict[bytes, str] = {}
        self._stateless: set[str] = set()
        """Servers that were found to be of the stateless era: one instance serves all capabilities there."""

    def key(self, server: Server, call: Call) -> UpstreamKey:
        """Which instance serves ``call``. What a stateless client declared counts only where it has to be
        fixed when the instance is opened, and where the instance is one person's."""
        client = call.client
        if client.capabilities and client.era == "stateless" and server.instances != "shared":
            mark = "" if server.name in self._stateless else self._mark(client.capabilities)
            if mark:
                return router.marked(router.upstream_key(server, call), mark)
        return router.upstream_key(server, call)

    def _mark(self, capabilities: dict[str, Any]) -> str:
        """``bridge.fingerprint``, remembered: a client says the same with every call."""
        said = _encode(capabilities)
        mark = self._marks.get(said)
        if mark is None:
            mark = bridge.fingerprint(capabilities)
            if len(said) <= _MAX_SAID:
                if len(self._marks) >= _MAX_MARKS:
                    self._marks.clear()
                self._marks[said] = mark
        return mark

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
        found = self.slots.at_once(key)
        if found is None:
            found = await self.slots.take(key, server, _hello(key, server, call, None))
        slot, link = found
        if link.era == "handshake":
            return slot, link
        slot.free()
        link.listen(self.feeds.of(self._found_stateless(server, call, key)).on_signal)
        return None, link

    def _found_stateless(self, server: Server, call: Call, key: UpstreamKey) -> UpstreamKey:
        """Capabilities are said anew with each call there, so one instance serves clients of all kinds, also
        the one that was opened for a single kind before this was known. Its key from here on."""
        self._stateless.add(server.name)
        known = self.key(server, call)
        if known != key:
            self._around.pool.rename(key, known)
        return known

    async def link(self, server: Server, call: Call, session: McpSession | None) -> Link:
        """The live Link that serves ``call`` on ``server``, started if need be. Raises LinkError."""
        key = self.key(server, call)
        own = session is not None and server.instances == "session"
        if session is not None and own:
            session.keys.add(key)  # before it runs: nobody may wait for the end of its start
        link = await self._around.pool.acquire(key, server, _hello(key, server, call, session))
        if link.era == "handshake":
            if server.name in self._stateless:  # it was replaced by an older one
                self._stateless.discard(server.name)
                if self.key(server, call) != key:
                    return await self.link(server, call, session)
        else:
            key = self._found_stateless(server, call, key)
        feed = self.feeds.of(key)
        if session is not None:
            if own:
                session.keys.add(key)
                _tell_level(session, key, link)
                feed.owner = Owner(self._shelf, server.name, session)
            self.follow(session, server, feed)
        link.listen(self.slots.first(key).on_signal if "#" in key.scope else feed.on_signal)
        return link

    # -- what belongs to no call --------------------------------------------------------------------------

    def follow(self, session: McpSession, server: Server, feed: Feed) -> Listener:
        """Let a session hear of an instance, its own or one that it shares with others."""
        known = session.ears.get(feed.key)
        if known is not None:
            return known[1]

        passed = Overheard(self._shelf, server.name, lambda: session.access, session.on_signal)

        def send(notice: Notice) -> None:
            seen = self.shown(session.access, session.server, server.name, notice)
            if seen is not None:
                passed(seen)

        owns = partial(self.tasks.owned, session.access, session.server, server.name)
        listener = Listener(LIST_CHANGES, send, feed.owner is not None, owns)
        session.ears[feed.key] = feed, listener
        feed.join(listener)
        return listener

    def unfollow(self, session: McpSession) -> None:
        for key, (feed, listener) in session.ears.items():
            if listener.uris:
                self._around.pool.unhold(key)
            feed.leave(listener)
        session.ears.clear()

    def shown(self, access: Access, endpoint: str, server: str, notice: Notice) -> Notice | None:
        """A list change or update of ``server`` as this person sees it at ``endpoint``; None: not at all."""
        tables = self._shelf.current
        rights = tables.rights(access.principal)
        known = about(rights, access, self._around.clock)
        if notice.method != UPDATED:
            return notice if rights.visible(server, "server", about=known) else None
        uri = str(notice.params["uri"])
        if not rights.visible(server, "resource", uri, known):
            return None
        view = None if endpoint == server else tables.view(endpoint)
        if view is None:
            return notice
        named = view.uri(server, uri)
        if view.find("resource", named, (server,)) is None:
            return None
        if view.name and not rights.visible(view.name, "resource", named, known):
            return None
        return Notice(UPDATED, {**notice.params, "uri": named})

    async def subscribed(self, call: Call, target: Target, link: Link, session: McpSession) -> Outcome:
        """``resources/subscribe`` and ``resources/unsubscribe`` of a session. Raises LinkError."""
        key, uri = self.key(target.server, call), target.name
        feed = self.feeds.of(key)
        listener = self.follow(session, target.server, feed)
        before = bool(listener.uris)
        if call.method == "resources/unsubscribe":
            feed.unsubscribe(listener, uri)
            if before and not listener.uris:
                self._around.pool.unhold(key)
            return Result({})
        offered = link.capabilities.get("resources")
        if not isinstance(offered, dict) or not offered.get("subscribe"):
            if link.era == "stateless" or feed.owner is None:
                raise MethodNotFound(f"Method not found: {call.method}")
            return await link.call(call.method, target.params)
        if uri in listener.uris:
            return Result({})
        taken = await feed.subscribe(listener, (uri,))
        if not before and listener.uris:
            self._around.pool.hold(key)  # it was promised to tell of changes
        return Result({}) if taken else feed.refusal(uri)

    def filtered(self, call: Call, spec: MethodSpec, server: str, result: Result) -> Result:
        """The result of a list method without what this person may not use; raw if nothing was removed."""
        listed = LISTED.get(spec.list_key)
        if listed is None:
            return result
        kind, key = listed
        rights = self._shelf.current.rights(call.access.principal)
        if not rights.narrows(server, kind):
            return result  # reading a long list costs more than all the rest of the call
        body = as_object(result.body)
        items = body.get(spec.list_key)
        if not isinstance(items, list):
            return result
        items = [item for item in items if isinstance(item, dict)]
        known = about(rights, call.access, self._around.clock, call.address)
        chosen = rights.selected(server, kind, [str(item.get(key, "")) for item in items], known)
        kept = [item for item, shown in zip(items, chosen, strict=True) if shown]
        if len(kept) == len(body[spec.list_key]):
            return result
        return Result({**body, spec.list_key: kept})

    async def inspected(
        self, call: Call, spec: MethodSpec, server: Server, result: Result, link: Link
    ) -> dict[str, Any]:
        """One server's page of a merged list without what is withheld, as its plugins leave it. Raises
        LinkError if they refuse it."""
        body = as_object(self.pins.sifted(call, server, spec.list_key, result, link).body)
        tables = self._shelf.current
        chain = chain_of(tables, server.name)
        if chain is None or not chain.lists:
            return body
        # Under the server's own names first: plugins may give others, which are judged as well.
        body = as_object(self.filtered(call, spec, server.name, Result(body)).body)
        subject = subject_of(call.access, server.name, tables, call.session, call.request_id, call.address)
        found = await listed(chain, subject, call.method, body, call.verdicts)
        if isinstance(found, Block):
            raise LinkError(found.public, found.reason)
        return {**body, spec.list_key: found}


def _tell_level(session: McpSession, key: UpstreamKey, link: Link) -> None:
    """An instance that was started after ``logging/setLevel`` of its session."""
    level = session.client.log_level
    if not level or link.era != "handshake" or session.levelled.get(key) is link:
        return
    if "logging" in link.capabilities:
        session.levelled[key] = link
        link.call("logging/setLevel", {"level": level}).add_done_callback(_unheard)


def _unheard(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()


def _hello(key: UpstreamKey, server: Server, call: Call, session: McpSession | None) -> Hello:
    """What a new instance is told of the client: its capabilities, if it is for such clients only."""
    client = call.client
    if session is not None and server.instances == "session":
        capabilities = client.capabilities
    else:
        capabilities = bridge.declared(client.capabilities) if "#" in key.scope else {}
    person = call.access.principal if server.instances != "shared" else None
    return Hello(era=client.era, version=client.version, capabilities=capabilities, person=person)
