"""The future of one call on a Link."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from gatekit.model.call import Fault, Result
from gatekit.upstream.link import NoticeSink


class Abandons(Protocol):
    """Whoever has to know that nobody waits any more."""

    def abandon(self, reply: Reply, reason: str) -> None: ...


class Reply(asyncio.Future[Result | Fault]):
    """Cancelling it tells the upstream at once, without a done-callback for each call."""

    link: Abandons
    id: int
    method: str
    seen: float
    """Coarse time of the call or of its latest progress."""
    token: str | int | None = None
    """The caller's progress token; our own is ``id``."""
    on_notice: NoticeSink | None = None

    def cancel(self, msg: Any | None = None) -> bool:
        if not super().cancel(msg):
            return False
        self.link.abandon(self, "the caller gave up")
        return True
