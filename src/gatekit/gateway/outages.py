"""Which servers cannot be reached at the moment, and for whom: recorded when it begins and when it ends, not
once for each list that lacks them.
"""

from __future__ import annotations

import logging
from typing import Literal

from gatekit.gateway.ports import Trail
from gatekit.model.audit import ServerEvent
from gatekit.model.call import Call
from gatekit.model.ports import Clock

_log = logging.getLogger("gatekit.gateway")

_MAX_KNOWN = 10_000
"""Outages kept at once; beyond that the oldest is forgotten and recorded anew when it is met again."""


class Outages:
    """Remembers outages. A server may be down for one person only, whose instance does not start."""

    def __init__(self, trail: Trail, clock: Clock) -> None:
        self._trail = trail
        self._clock = clock
        self._down: dict[tuple[str, str], None] = {}

    def begun(self, call: Call, server: str, reason: str) -> None:
        """``server`` could not be reached for ``call``; ``reason`` is for log and record."""
        at = (server, call.access.principal.id)
        if at in self._down:
            return
        if len(self._down) >= _MAX_KNOWN:
            del self._down[next(iter(self._down))]
        self._down[at] = None
        _log.warning("server left out of what several servers offer server=%s reason=%s", server, reason)
        self._note(call, server, "unavailable", reason)

    def ended(self, call: Call, server: str) -> bool:
        """``server`` was reached; whether that ends an outage."""
        if not self._down:
            return False
        at = (server, call.access.principal.id)
        if at not in self._down:
            return False
        del self._down[at]
        self._note(call, server, "available", "")
        return True

    def _note(
        self, call: Call, server: str, action: Literal["unavailable", "available"], reason: str
    ) -> None:
        access = call.access
        self._trail.record(
            ServerEvent(
                at=self._clock.now(),
                request_id=call.request_id,
                principal_id=access.principal.id,
                principal=access.principal.username,
                client_id=access.client_id,
                client=access.client_name,
                address=call.address,
                action=action,
                server=server,
                reason=reason,
            )
        ).add_done_callback(lambda future: None if future.cancelled() else future.exception())
