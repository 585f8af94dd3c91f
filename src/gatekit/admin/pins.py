"""What servers say of their tools: looked at, approved, rejected."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from gatekit.admin.desk import Actor, Desk
from gatekit.errors import Conflict, InvalidInput, NotFound
from gatekit.model.pins import GOOD, Pin, PinState, difference, readable
from gatekit.store.pin_ports import Sought

_DIGITS = re.compile("[0-9a-f]{1,32}")
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
        return await self._store.pins.find(Sought(server=server, state="waiting" if waiting else ""))

    async def glance(self, actor: Actor, server: str = "", state: str = "") -> Sequence[Pin]:
        """The same without the definitions themselves, for lists of them."""
        self._may(actor, "pins:read")
        return await self._store.pins.find(Sought(server=server, state=state), whole=False)

    async def show(self, actor: Actor, ident: str) -> PinView:
        """``ident``: an id, or enough of its beginning. Raises ``NotFound``, ``InvalidInput``."""
        self._may(actor, "pins:read")
        pin = await self._named(ident)
        alike = await self._store.pins.find(Sought(server=pin.server, kind=pin.kind, name=pin.name))
        # An empty name says nothing to the store, so it is compared once more.
        same = [each for each in alike if each.id != pin.id and each.name == pin.name and each.state in GOOD]
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
        if not _DIGITS.fullmatch(wanted):
            raise NotFound(f"there is no definition {ident}; `gatekit pins list` shows them")
        found = await self._store.pins.find(Sought(beginning=wanted))
        if not found:
            raise NotFound(f"there is no definition {ident}; `gatekit pins list` shows them")
        if len(found) > 1:
            raise Conflict(f"{ident} begins the id of {len(found)} definitions; write more of it")
        return found[0]
