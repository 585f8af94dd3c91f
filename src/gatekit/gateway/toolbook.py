"""What the gateway itself has to know of a server's tools: which arguments are mirrored in headers, which
tools run as tasks only, and which user interface a tool has.

Read from ``tools/list`` when it is first needed, once per Link, and kept until the server says that its tools
have changed, or for some minutes. Only tools that have something to say are kept: for most servers that is
none, and then a look costs one dictionary entry.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from msgspec import Struct

from gatekit.errors import LinkError
from gatekit.gateway.faces import as_object
from gatekit.model.call import Fault
from gatekit.model.ports import Clock
from gatekit.protocol.headers import Declared, param_annotations
from gatekit.upstream.link import Link

KEPT = 300.0
"""Seconds after which the list is read again. Stateless servers announce changes only to who listens."""
AGAIN = 1.0
"""Seconds before a list that does not seem to fit any more is read again."""
PATIENCE = 5.0
"""Seconds that a call waits for the list. Then it goes on as if nothing were known."""
_MAX_PAGES = 100
_UI_FLAT = "ui/resourceUri"
"""Where MCP Apps once had it (before 2026-01-26); still sent."""


class Known(Struct, frozen=True):
    """One tool, as far as the gateway has to know it."""

    mirrored: tuple[Declared, ...] = ()
    task_only: bool = False
    """2025-11-25: ``execution.taskSupport`` is ``required``."""
    interface: frozenset[str] = frozenset()
    """``ui://`` resources that the tool refers to (MCP Apps)."""


_NOTHING = Known()


class Book(Struct, frozen=True):
    """The tools of one Link that have something to say, by name."""

    tools: Mapping[str, Known]
    at: float
    """``Clock.monotonic()`` of the list."""
    changes: int
    """``Link.tools_changed`` at that time."""


class Toolbook:
    """The books of all Links that live."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._books: WeakKeyDictionary[Link, Book] = WeakKeyDictionary()
        self._reading: WeakKeyDictionary[Link, asyncio.Task[Book]] = WeakKeyDictionary()

    def known(self, link: Link) -> Book | None:
        """The book of a Link, if it need not be read."""
        book = self._books.get(link)
        if book is None or book.changes != link.tools_changed or self._clock.monotonic() - book.at > KEPT:
            return None
        return book

    async def of(self, link: Link) -> Book:
        """The book of a Link, read if need be."""
        return self.known(link) or await self._read_once(link)

    async def newer(self, link: Link, book: Book) -> Book:
        """A book that was read after ``book``, unless that is quite new."""
        if self._clock.monotonic() - book.at < AGAIN:
            return book
        return await self._read_once(link)

    async def _read_once(self, link: Link) -> Book:
        task = self._reading.get(link)
        if task is None:
            task = self._reading[link] = asyncio.ensure_future(self._read(link))
            task.add_done_callback(lambda _: self._reading.pop(link, None))
        # Shielded: others may wait for it when this caller gives up.
        await asyncio.wait({task}, timeout=PATIENCE)
        if task.done():
            return task.result()
        # The list still comes, perhaps; until then nobody else waits for it.
        book = self._books[link] = Book({}, self._clock.monotonic(), link.tools_changed)
        return book

    async def _read(self, link: Link) -> Book:
        changes = link.tools_changed
        try:
            tools = await _tools(link) if "tools" in link.capabilities else {}
        except LinkError:
            tools = {}
        book = self._books[link] = Book(tools, self._clock.monotonic(), changes)
        return book


async def _tools(link: Link) -> dict[str, Known]:
    found: dict[str, Known] = {}
    params: dict[str, Any] = {}
    for _ in range(_MAX_PAGES):
        outcome = await link.call("tools/list", params)
        if isinstance(outcome, Fault):
            break
        body = as_object(outcome.body)
        tools = body.get("tools")
        for tool in tools if isinstance(tools, list) else ():
            known = _known(tool)
            if known != _NOTHING and isinstance(tool.get("name"), str):
                found[tool["name"]] = known
        cursor = body.get("nextCursor")
        if not isinstance(cursor, str):
            break
        params = {"cursor": cursor}
    return found


def _known(tool: Any) -> Known:
    if not isinstance(tool, dict):
        return _NOTHING
    execution = tool.get("execution")
    return Known(
        param_annotations(tool.get("inputSchema")).declared,
        isinstance(execution, dict) and execution.get("taskSupport") == "required",
        interface_of(tool),
    )


def interface_of(tool: Mapping[str, Any]) -> frozenset[str]:
    """The ``ui://`` resources that a tool's ``_meta`` names (MCP Apps 2026-01-26, and the older flat key)."""
    meta = tool.get("_meta")
    if not isinstance(meta, dict):
        return frozenset()
    ui = meta.get("ui")
    named = (meta.get(_UI_FLAT), ui.get("resourceUri") if isinstance(ui, dict) else None)
    return frozenset(uri for uri in named if isinstance(uri, str) and uri.startswith("ui://"))
