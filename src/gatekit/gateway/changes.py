"""When what a caller may use changes by no doing of a server: other rules or servers in the file, and servers
that were missing and are back. Sessions and streams are told that their lists have changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Protocol

from gatekit.gateway.published import Published
from gatekit.model.access import Access
from gatekit.policy.engine import Kind

_KINDS: dict[str, Kind] = {"tools": "tool", "prompts": "prompt", "resources": "resource"}
Look = Callable[[frozenset[str]], Awaitable[frozenset[str]]]
"""Try to reach servers; which of them need no longer be looked for, because they are there or not wanted."""

_PAUSES = (1.0, 1.0, 2.0, 4.0, 8.0, 15.0, *(30.0,) * 24)
"""Seconds between looks for a server that is missing. After the last one, only a new list looks for it."""


class Audience(Protocol):
    """A session or a stream: somebody who can be told that lists have changed."""

    @property
    def access(self) -> Access: ...

    @property
    def endpoint(self) -> str:
        """Name of the server, virtual or not; ``""`` for ``/mcp``."""
        ...

    @property
    def ended(self) -> bool: ...

    def lists_changed(self, capabilities: Collection[str]) -> None:
        """Tell of those kinds of lists (``tools`` and so on), as far as this one hears of them."""
        ...


class Comparison:
    """What looks different from one table to the next. Thousands of streams may be one person's at one
    endpoint, so an answer is kept for the next of the kind."""

    def __init__(self, old: Published, new: Published) -> None:
        self._old = old
        self._new = new
        self._known: dict[object, list[str]] = {}

    def changed(self, who: Audience) -> list[str]:
        """The kinds of lists (``tools`` and so on) that are other ones for this person at the endpoint."""
        access, endpoint = who.access, who.endpoint
        at = (access.principal.id, access.credential, access.servers, access.aggregate, endpoint)
        found = self._known.get(at)
        if found is None:
            found = self._known[at] = [
                capability
                for capability, kind in _KINDS.items()
                if self._old.outline(access, endpoint, kind) != self._new.outline(access, endpoint, kind)
            ]
        return found


class Latecomers:
    """Looks again for servers that were missing when somebody asked who would want to hear of them."""

    def __init__(self) -> None:
        self._missing: dict[Audience, set[str]] = {}
        self._jobs: dict[Audience, asyncio.Task[None]] = {}

    def watch(self, who: Audience, names: Iterable[str], look: Look) -> None:
        """Tell ``who`` when one of the servers ``names`` is back."""
        self._missing.setdefault(who, set()).update(names)
        if who not in self._jobs:
            job = self._jobs[who] = asyncio.ensure_future(self._watch(who, look))
            job.add_done_callback(lambda _: self.forget(who))

    async def _watch(self, who: Audience, look: Look) -> None:
        missing = self._missing[who]
        for pause in _PAUSES:
            await asyncio.sleep(pause)
            if who.ended or not missing:
                return
            found = await look(frozenset(missing))
            missing -= found
            if found and not who.ended:
                who.lists_changed(_KINDS)

    def forget(self, who: Audience) -> None:
        """Nobody is to be told any more."""
        self._missing.pop(who, None)
        job = self._jobs.pop(who, None)
        if job is not None and not job.done():
            job.cancel()

    def close(self) -> None:
        for who in list(self._jobs):
            self.forget(who)
