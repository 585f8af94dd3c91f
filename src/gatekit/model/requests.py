"""Somebody asks for a server that they may not use."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

RequestState = Literal["waiting", "granted", "refused", "withdrawn"]

SHORTEST, LONGEST = 3600, 90 * 86400
"""Seconds for which somebody may ask."""
MAX_REASON = 500
MAX_OF_ONE = 5
"""Requests of one person that may wait."""
MAX_WAITING = 1000


class AccessRequest(Struct, frozen=True, kw_only=True):
    """One request. Times are seconds since the epoch."""

    id: str
    principal_id: str
    principal: str
    """Username."""
    server: str
    tool: str
    """Empty: all of the server."""
    reason: str
    """In the person's own words."""
    seconds: int
    """For how long."""
    asked_at: int
    state: RequestState = "waiting"
    decided_at: int | None = None
    decided_by: str = ""
    rule: str = ""
    """Name of the stored rule that grants it."""
    expires_at: int | None = None
    """When what was granted ends."""
