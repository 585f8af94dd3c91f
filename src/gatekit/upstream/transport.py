"""What the pool needs of a way to reach upstreams, whichever it is: pipes of a child, or HTTP.

A ``Transport`` makes a ``Carrier`` (a running process, a connection to a remote server) with a Link on it,
and opens that Link: it finds out the era and makes the first exchange. The owner task of the Link holds the
Carrier from its first moment to its end, and the callers hold the Link.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from msgspec import Struct

from gatekit.errors import LinkError
from gatekit.model.call import EraName
from gatekit.model.server import Server
from gatekit.upstream.link import Hello, Link, SignalSink


class Ending(Struct, frozen=True):
    """How much time each step of an end gets, in seconds. Where nothing runs here, only ``calls`` matters."""

    calls: float
    """For calls that wait for an answer."""
    stdin: float
    """Between closing stdin and SIGTERM (MCP, stdio shutdown)."""
    term: float
    """Between SIGTERM and SIGKILL."""


GENTLE = Ending(10.0, 1.0, 2.0)
PROMPT = Ending(0.0, 1.0, 2.0)
AT_ONCE = Ending(0.0, 0.1, 0.2)
CLOSING = Ending(1.0, 1.0, 1.0)


class OwnedLink(Link, Protocol):
    """A Link as its owner, the pool and ``negotiate`` see it. ``fail`` is idempotent; nothing here blocks."""

    server: Server
    era: EraName
    version: str
    server_info: dict[str, Any]
    capabilities: dict[str, Any]
    instructions: str | None
    alive: bool
    meta: dict[str, Any]
    """Stateless era: ``_meta`` of every request, below what the caller puts there."""
    calls: int
    """Requests sent so far."""
    stray_lines: int
    """Messages of the upstream that were none."""

    @property
    def pending(self) -> int:
        """Calls that wait for an answer."""
        ...

    @property
    def working(self) -> int:
        """The same without open subscriptions, which end only when somebody ends them."""
        ...

    @property
    def sink(self) -> SignalSink | None: ...

    def ready(self, now: float) -> None:
        """The opening is over."""
        ...

    def sweep(self, now: float) -> None:
        """Called about once a second: inactivity timeouts and the like."""
        ...

    def drain(self) -> None:
        """No new calls from here on; those that wait may still end."""
        ...

    def fail(self, error: LinkError) -> None:
        """End the Link for its callers: every call that waits raises ``error``."""
        ...


class Carrier(Protocol):
    """What carries one Link and ends with it."""

    @property
    def link(self) -> OwnedLink: ...

    @property
    def pid(self) -> int:
        """Of the child; 0 where there is none."""
        ...

    @property
    def over(self) -> asyncio.Future[str]:
        """Ends with the reason when the upstream is gone by itself; the Link has failed by then."""
        ...

    def detail(self, reason: str) -> str:
        """``reason`` with what else is known, for log and audit."""
        ...

    async def end(self, ending: Ending, reason: str) -> None:
        """Take it down in order; returns when nothing is left of it."""
        ...


Spawn = Callable[[], Awaitable[OwnedLink]]
Discard = Callable[[], Awaitable[None]]


class Transport(Protocol):
    """One way to reach upstreams."""

    async def spawn(self, server: Server) -> Carrier:
        """A new Carrier, its Link not opened yet. Raise ``SpawnFailed``."""
        ...

    async def open(self, server: Server, hello: Hello, spawn: Spawn, discard: Discard) -> OwnedLink:
        """Get a Link from ``spawn`` and open it. Raise ``LinkError``.

        ``discard`` ends the Carrier of the latest ``spawn``, if that is of no use, before the next one.
        """
        ...

    async def close(self) -> None: ...
