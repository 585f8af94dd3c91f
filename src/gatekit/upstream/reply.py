"""The future of one call on a Link."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from msgspec import Raw

from gatekit.errors import ParseFault
from gatekit.model.call import Fault, Result
from gatekit.protocol import jsonrpc
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


def fault_of(raw: Raw) -> Fault:
    """Tolerant: an error is passed on even where its members have the wrong types."""
    try:
        error = jsonrpc.decode_object(raw)
    except ParseFault:
        return Fault(-32603, "the server reported an unreadable error")
    code, message = error.get("code"), error.get("message")
    return Fault(
        code if type(code) is int else -32603,
        message if isinstance(message, str) else "unknown error",
        error.get("data"),
    )
