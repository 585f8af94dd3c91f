"""Definitions that servers gave, and what was decided about them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from gatekit.errors import NotFound
from gatekit.model.pins import Brief, Pin, PinState
from gatekit.store.pin_ports import Sought
from gatekit.store.sql.engine import Database, Work
from gatekit.store.sql.rows import decode, encode, insert

_INSERT = insert("pins", Pin)
_NOTHING = ", '' AS definition"


class SqlPins:
    """Implements ``store.pin_ports.Pins``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def brief(self) -> list[Brief]:
        rows = await self._database.all(
            "SELECT server, kind, name, digest, state, LENGTH(definition) AS size FROM pins"
        )
        return [decode(Brief, row) for row in rows]

    async def sight(self, pins: Sequence[Pin]) -> list[PinState]:
        async with self._database.transaction() as work:
            return [await _sighted(work, pin) for pin in pins]

    async def decide(self, pin_id: str, state: PinState, by: str, now: int) -> Pin:
        async with self._database.transaction() as work:
            rows = await work.all("SELECT * FROM pins WHERE id = :id", id=pin_id)
            if not rows:
                raise NotFound(f"there is no definition {pin_id}")
            before = decode(Pin, rows[0])
            await work.all(
                "UPDATE pins SET state = :state, decided_at = :now, decided_by = :by WHERE id = :id",
                state=state,
                now=now,
                by=by,
                id=pin_id,
            )
            await work.changed("pin", before.server)
            return before

    async def list(self, server: str = "") -> Sequence[Pin]:
        return await self.find(Sought(server=server))

    async def find(self, sought: Sought, *, whole: bool = True) -> Sequence[Pin]:
        columns = ", ".join(name for name in Pin.__struct_fields__ if whole or name != "definition")
        rows = await self._database.all(
            # The digits of an id are hex, so "g" comes after all that begin alike.
            f"SELECT {columns}{'' if whole else _NOTHING} FROM pins "  # noqa: S608 - names of our own
            "WHERE (:server = '' OR server = :server) AND (:kind = '' OR kind = :kind) "
            "AND (:name = '' OR name = :name) AND (:state = '' OR state = :state) "
            "AND id >= :low AND id < :high ORDER BY server, kind, name, seen_at, id",
            server=sought.server,
            kind=sought.kind,
            name=sought.name,
            state=sought.state,
            low=sought.beginning,
            high=sought.beginning + "g",
        )
        return [decode(Pin, row) for row in rows]


async def _sighted(work: Work, pin: Pin) -> PinState:
    known = await work.all(
        "SELECT id, state FROM pins WHERE server = :server AND kind = :kind AND name = :name",
        server=pin.server,
        kind=pin.kind,
        name=pin.name,
    )
    for row in known:
        if row["id"] == pin.id:
            state: PinState = row["state"]
            return state
    if known and pin.state == "trusted":
        pin = replace(pin, state="waiting")
    await work.run(_INSERT, encode(pin))
    return pin.state
