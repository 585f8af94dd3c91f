"""A server's tools as it lists them, for plugins that must know what a tool says of itself.

Read when somebody first asks, once per Link, and kept until the server says that its tools have changed, or
for some minutes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from msgspec import Struct

from gatekit.errors import LinkError
from gatekit.gateway.catalog import Catalog
from gatekit.gateway.faces import as_object
from gatekit.gateway.router import Target
from gatekit.gateway.sessions import McpSession
from gatekit.model.call import Call, Fault
from gatekit.model.ports import Clock
from gatekit.upstream.link import Link

KEPT = 300.0
"""Seconds after which the list is read again."""
_MAX_PAGES = 100
_MAX_TOOLS = 5000

Tool = Mapping[str, Any]


class _Read(Struct, frozen=True):
    tools: Mapping[str, Tool]
    at: float
    changes: int


class Descriptions:
    """What the tools of all Links that live say of themselves."""

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock
        self._of: WeakKeyDictionary[Link, _Read] = WeakKeyDictionary()
        self._reading: WeakKeyDictionary[Link, asyncio.Task[_Read]] = WeakKeyDictionary()

    def tool(
        self, call: Call, target: Target, session: McpSession | None, name: str
    ) -> Tool | Awaitable[Tool | None] | None:
        """One tool of the server that ``call`` goes to; None if it does not list it, or cannot be asked. To
        be waited for if the list must be read first."""
        link = self._catalog.running(target.server, call)
        read = None if link is None else self._known(link)
        return self._asked(call, target, session, name) if read is None else read.tools.get(name)

    def _known(self, link: Link) -> _Read | None:
        read = self._of.get(link)
        if read is None or read.changes != link.tools_changed or self._clock.monotonic() - read.at >= KEPT:
            return None
        return read

    async def _asked(self, call: Call, target: Target, session: McpSession | None, name: str) -> Tool | None:
        try:
            link = self._catalog.running(target.server, call)
            if link is None:
                link = await self._catalog.link(target.server, call, session)
            return (self._known(link) or await self._read(link)).tools.get(name)
        except LinkError:
            return None  # the call itself will say why

    async def _read(self, link: Link) -> _Read:
        task = self._reading.get(link)
        if task is None:
            task = self._reading[link] = asyncio.ensure_future(self._listed(link))
            task.add_done_callback(lambda done: self._over(link, done))
        return await asyncio.shield(task)  # others may wait for it when this caller gives up

    def _over(self, link: Link, task: asyncio.Task[_Read]) -> None:
        self._reading.pop(link, None)
        if not task.cancelled():
            task.exception()

    async def _listed(self, link: Link) -> _Read:
        changes = link.tools_changed
        found: dict[str, Tool] = {}
        params: dict[str, Any] = {}
        for _ in range(_MAX_PAGES if "tools" in link.capabilities else 0):
            outcome = await link.call("tools/list", params)
            if isinstance(outcome, Fault):
                break
            body = as_object(outcome.body)
            tools = body.get("tools")
            for tool in tools if isinstance(tools, list) else ():
                if isinstance(tool, dict) and isinstance(tool.get("name"), str) and len(found) < _MAX_TOOLS:
                    found[tool["name"]] = tool
            cursor = body.get("nextCursor")
            if not isinstance(cursor, str):
                break
            params = {"cursor": cursor}
        read = self._of[link] = _Read(found, self._clock.monotonic(), changes)
        return read
