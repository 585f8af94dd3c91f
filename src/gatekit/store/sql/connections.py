"""Connections that were added at run time."""

from __future__ import annotations

from gatekit.errors import Conflict, NotFound
from gatekit.model.connections import StoredConnection
from gatekit.store.sql.engine import Database
from gatekit.store.sql.rows import decode, encode, insert

_INSERT = insert("connections", StoredConnection)


class SqlConnections:
    """Implements ``store.connection_ports.StoredConnections``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, connection: StoredConnection) -> None:
        async with self._database.transaction() as work:
            try:
                await work.run(_INSERT, encode(connection))
            except Conflict:
                raise Conflict(f"there is a connection called {connection.name} already") from None
            await work.changed("connection", connection.name)

    async def get(self, name: str) -> StoredConnection | None:
        row = await self._database.one("SELECT * FROM connections WHERE name = :name", name=name)
        return decode(StoredConnection, row) if row else None

    async def list(self) -> list[StoredConnection]:
        rows = await self._database.all("SELECT * FROM connections ORDER BY name")
        return [decode(StoredConnection, row) for row in rows]

    async def set_enabled(self, name: str, enabled: bool, now: int) -> bool:
        async with self._database.transaction() as work:
            there = await work.all("SELECT enabled FROM connections WHERE name = :name", name=name)
            if not there:
                raise NotFound(f"there is no connection called {name} that was added at run time")
            if bool(there[0]["enabled"]) == enabled:
                return False
            await work.all(
                "UPDATE connections SET enabled = :enabled, updated_at = :now WHERE name = :name",
                name=name,
                enabled=enabled,
                now=now,
            )
            await work.changed("connection", name)
            return True

    async def replace(self, connection: StoredConnection) -> None:
        async with self._database.transaction() as work:
            if not await work.all(
                "UPDATE connections SET document_sealed = :document, updated_at = :now"
                " WHERE name = :name AND kind = :kind RETURNING name",
                document=connection.document_sealed,
                now=connection.updated_at,
                name=connection.name,
                kind=connection.kind,
            ):
                raise NotFound(f"there is no connection called {connection.name} that was added at run time")
            await work.changed("connection", connection.name)

    async def remove(self, name: str) -> None:
        async with self._database.transaction() as work:
            if not await work.all("DELETE FROM connections WHERE name = :name RETURNING name", name=name):
                raise NotFound(f"there is no connection called {name} that was added at run time")
            await work.changed("connection", name)
