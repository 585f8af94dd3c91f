"""What servers say of their tools: looked at, approved, rejected."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from gatekit.admin.desk import Actor, Desk
from gatekit.errors import Conflict, InvalidInput, NotFound
from gatekit.model.pins import GOOD, Pin, PinState, difference, readable

SHORTEST = 6
"""Digits of an id that may stand for it."""


class PinView(Struct, frozen=True, kw_only=True):
    """One definition, beside what was agreed to before it."""

    pin: Pin
    before: Pin | None
    """None: nothing of this name was trusted or approved before."""
    lines: Sequence[str]
    """The difference, or the whole definition where there is nothing before it."""


class Pins(Desk):
    """Every method that changes something raises ``AdminError``, ``StoreError`` or ``AuditUnavailable``."""

    async def list(self, actor: Actor, server: str = "", *, waiting: bool = False) -> Sequence[Pin]:
        """``waiting``: only what somebody has to look at."""
        self._may(actor, "pins:read")
        found = await self._store.pins.list(server)
        return [pin for pin in found if pin.state == "waiting"] if waiting else found

    async def show(self, actor: Actor, ident: str) -> PinView:
        """``ident``: an id, or enough of its beginning. Raises ``NotFound``, ``InvalidInput``."""
        self._may(actor, "pins:read")
        pin = await self._named(ident)
        same = [
            other
            for other in await self._store.pins.list(pin.server)
            if (other.kind, other.name) == (pin.kind, pin.name) and other.id != pin.id and other.state in GOOD
        ]
        before = max(same, key=lambda other: other.decided_at or other.seen_at, default=None)
        if before is None:
            return PinView(pin=pin, before=None, lines=readable(pin.definition))
        lines = difference(before.definition, pin.definition)
        return PinView(pin=pin, before=before, lines=lines or readable(pin.definition))

    async def approve(self, actor: Actor, ident: str) -> Pin:
        """This definition is good from now on, beside those that were approved before."""
        return await self._decide(actor, ident, "approved", "pin.approve")

    async def reject(self, actor: Actor, ident: str) -> Pin:
        """This definition is withheld from now on, whatever the server's ``pins`` says but ``off``."""
        return await self._decide(actor, ident, "rejected", "pin.reject")

    async def _decide(self, actor: Actor, ident: str, state: PinState, action: str) -> Pin:
        self._may(actor, "pins:write")
        pin = await self._named(ident)
        before = await self._store.pins.decide(pin.id, state, actor.name, self._now())
        target = f"{pin.server}/{pin.kind}/{pin.name}"
        await self._record(actor, action, target, before=before.state, after=f"{state} {pin.digest}")
        return pin

    async def _named(self, ident: str) -> Pin:
        wanted = ident.strip().lower()
        if len(wanted) < SHORTEST:
            raise InvalidInput(f"{ident!r} is too short: at least {SHORTEST} digits of the id are needed")
        found = [pin for pin in await self._store.pins.list() if pin.id.startswith(wanted)]
        if not found:
            raise NotFound(f"there is no definition {ident}; `gatekit pins list` shows them")
        if len(found) > 1:
            raise Conflict(f"{ident} begins the id of {len(found)} definitions; write more of it")
        return found[0]
