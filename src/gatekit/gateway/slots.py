"""Instances of handshake-era servers that may ask stateless clients something: one call at a time each.

A question of such a server says nothing about the call that it came up in, so it can be put to the right
request only if there is just one (architecture §5.5). A *slot* is an instance that serves one call at a time
among those that may ask; a person's further calls get further slots. Lists and the like may share a slot with
the call in it: they are not asked about.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from gatekit.errors import LinkBusy, PoolFull
from gatekit.gateway.feeds import LIST_CHANGES, UPDATED, Feeds
from gatekit.gateway.ports import LinkPool
from gatekit.model.call import Notice, Question, Signal
from gatekit.model.server import Server
from gatekit.protocol.era import bridge
from gatekit.protocol.methods import spec
from gatekit.upstream.link import Hello, Link, UpstreamKey

BRIEFLY = 0.1
"""Seconds that a call waits for a slot in use before another instance is started for it."""
IN_LINE = 2.0
"""Seconds that a call waits where no further instance may be started."""

_CANCELLED = "notifications/cancelled"
_LOG = "notifications/message"
_FANNED = LIST_CHANGES | {UPDATED}


class Occupant(Protocol):
    """The call in a slot."""

    @property
    def parked(self) -> bool:
        """It waits for its client, perhaps for long."""
        ...

    def on_question(self, question: Question) -> None: ...

    def on_withdrawn(self, ref: Any) -> None: ...

    def on_notice(self, notice: Notice) -> None: ...


class Slot:
    """One instance, its occupant, and the Link's sink."""

    __slots__ = ("_feeds", "_row", "key", "level", "occupant", "taken")

    def __init__(self, key: UpstreamKey, row: Row, feeds: Feeds) -> None:
        self.key = key
        self.taken = False
        self.occupant: Occupant | None = None
        self.level = ""
        """Log level that the instance was last told."""
        self._row = row
        self._feeds = feeds

    def on_signal(self, signal: Signal) -> None:
        """What the instance says outside the answers to calls."""
        occupant = self.occupant
        if isinstance(signal, Question):
            if occupant is None:
                signal.answer(bridge.unattended(signal.method))
            else:
                occupant.on_question(signal)
        elif signal.method == _CANCELLED:
            if occupant is not None:
                occupant.on_withdrawn(signal.params.get("requestId"))
        elif signal.method in _FANNED:
            self._feeds.of(self._row.base).on_signal(signal)
        elif occupant is not None and (signal.method == _LOG or not spec(signal.method).known):
            occupant.on_notice(signal)

    def free(self) -> None:
        """The call has ended. Idempotent."""
        self.occupant = None
        if self.taken:
            self.taken = False
            self._row.on_free()


class Row:
    """The slots of one person, client and set of capabilities on one server."""

    __slots__ = ("_waiters", "base", "slots")

    def __init__(self, base: UpstreamKey) -> None:
        self.base = base
        self.slots: list[Slot] = []
        self._waiters: deque[asyncio.Future[None]] = deque()

    def on_free(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    @property
    def moving(self) -> bool:
        """Whether some slot may be free soon."""
        return any(slot.taken and not (slot.occupant and slot.occupant.parked) for slot in self.slots)

    @property
    def used(self) -> bool:
        return bool(self._waiters) or any(slot.taken for slot in self.slots)

    async def freed(self, patience: float) -> None:
        """Wait until a slot became free, at most ``patience`` seconds."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await asyncio.wait((waiter,), timeout=patience)
        finally:
            if not waiter.done():
                waiter.cancel()
                self._waiters.remove(waiter)


class Slots:
    """All slots of the process."""

    def __init__(self, pool: LinkPool, feeds: Feeds) -> None:
        self._pool = pool
        self._feeds = feeds
        self._rows: dict[UpstreamKey, Row] = {}

    def __len__(self) -> int:
        return sum(len(row.slots) for row in self._rows.values())

    def first(self, base: UpstreamKey) -> Slot:
        """The slot that is also used for what cannot be asked about; its key is the row's."""
        return self._slot(self._rows.get(base) or self._new(base), 0)

    def at_once(self, base: UpstreamKey) -> tuple[Slot, Link] | None:
        """A free slot whose instance runs, taken, and its Link; None if there is none."""
        row = self._rows.get(base)
        for slot in row.slots if row is not None else ():
            if not slot.taken:
                link = self._pool.get(slot.key)
                if link is not None:
                    slot.taken = True
                    link.listen(slot.on_signal)
                    return slot, link
        return None

    async def take(self, base: UpstreamKey, server: Server, hello: Hello) -> tuple[Slot, Link]:
        """A free slot and its Link, started if need be. Raises LinkError (LinkBusy: all are in use)."""
        row = self._rows.get(base) or self._new(base)
        slot = self._running(row) or await self._another(row, server.max_instances_per_user)
        try:
            return slot, await self._opened(slot, server, hello)
        except PoolFull:
            other = self._running(row)
            if other is None:
                raise
            return other, await self._opened(other, server, hello)

    def sweep(self) -> None:
        """Forget rows whose instances have ended."""
        for base, row in list(self._rows.items()):
            if not row.used and all(self._pool.get(slot.key) is None for slot in row.slots):
                del self._rows[base]

    def _new(self, base: UpstreamKey) -> Row:
        row = self._rows[base] = Row(base)
        return row

    def _slot(self, row: Row, number: int) -> Slot:
        while len(row.slots) <= number:
            base, count = row.base, len(row.slots)
            scope = f"{base.scope}/{count}" if count else base.scope
            row.slots.append(Slot(UpstreamKey(base.server, scope, base.principal_id), row, self._feeds))
        return row.slots[number]

    def _running(self, row: Row) -> Slot | None:
        """A free slot whose instance runs; it is taken."""
        return _taken(row, lambda slot: self._pool.get(slot.key) is not None)

    async def _another(self, row: Row, limit: int) -> Slot:
        if row.moving:
            # An instance costs half a second and many megabytes; most calls are over long before.
            await row.freed(BRIEFLY)
            slot = self._running(row)
            if slot is not None:
                return slot
        slot = _taken(row, lambda _: True)
        if slot is None and len(row.slots) < limit:
            slot = self._slot(row, len(row.slots))
            slot.taken = True
        if slot is None:
            await row.freed(IN_LINE)
            slot = _taken(row, lambda _: True)
        if slot is None:
            raise LinkBusy(f"{limit} calls of this person are waiting for input or running; try again later")
        return slot

    async def _opened(self, slot: Slot, server: Server, hello: Hello) -> Link:
        link = self._pool.get(slot.key)
        if link is None:
            try:
                link = await self._pool.acquire(slot.key, server, hello)
            finally:
                if link is None:
                    slot.free()
            slot.level = ""
        link.listen(slot.on_signal)
        return link


def _taken(row: Row, wanted: Callable[[Slot], bool]) -> Slot | None:
    for slot in row.slots:
        if not slot.taken and wanted(slot):
            slot.taken = True
            return slot
    return None
