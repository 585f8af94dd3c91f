"""What was refused goes on record within a budget, so that nobody fills our disk by being refused.

Anybody can be refused as often as they like: a wrong password, a made-up code, one registration too many.
What happened is always recorded, and waited for; of refusals, what is above the budget is counted and the
count is told by the next record. The same rule as at the door of the MCP endpoints.
"""

from __future__ import annotations

from msgspec.structs import replace

from gatekit.identity.backoff import network_of
from gatekit.model.audit import AuditEvent, ClientEvent, DoorRefused, SignIn, TokenEvent
from gatekit.model.ports import Clock
from gatekit.oauth.ports import Audit
from gatekit.platform.limits import KeyedBuckets, Rate, TokenBucket

PER_PLACE = Rate(60, 60)
EVERYBODY = Rate(600, 600)

Refusal = SignIn | TokenEvent | ClientEvent | DoorRefused


class Refusals:
    """An ``Audit`` before the true one."""

    def __init__(self, audit: Audit, clock: Clock) -> None:
        self._audit = audit
        self._places = KeyedBuckets(PER_PLACE, clock)
        self._everybody = TokenBucket(EVERYBODY, clock)
        self._unrecorded = 0

    def unrecorded(self, place: str) -> bool:
        """Whether a refusal of somebody at ``place`` (``network_of``) is one too many to be recorded now. If
        so, it is counted."""
        if not self._places.wait(place) and not self._everybody.wait():
            return False
        self._unrecorded += 1
        return True

    async def write(self, event: AuditEvent) -> None:
        """Return when the record is safe, or when it is a refusal above the budget.

        Raises ``AuditUnavailable``.
        """
        refusal = _refusal(event)
        if refusal is None:
            await self._audit.write(event)
            return
        if self._places.take(network_of(refusal.address)) or self._everybody.take():
            self._unrecorded += 1
            return
        more, self._unrecorded = self._unrecorded, 0
        if more:
            refusal = replace(refusal, reason=f"{refusal.reason} (and {more} more, not recorded)")
        try:
            await self._audit.write(refusal)
        except BaseException:
            self._unrecorded += more + 1
            raise


def _refusal(event: AuditEvent) -> Refusal | None:
    """The event, if it says that somebody got nothing."""
    match event:
        case SignIn(outcome="refused") | TokenEvent(action="refused") | ClientEvent(action="refused"):
            return event
        case DoorRefused():
            return event
        case _:
            return None
