"""Pushed authorization requests (RFC 9126)."""

from __future__ import annotations

from gatekit.model.oauth import PushedRequest
from gatekit.store.sql.engine import Database
from gatekit.store.sql.rows import decode, encode, insert

_INSERT = insert("pushed_requests", PushedRequest)


class SqlPushedRequests:
    """Implements ``store.ports.PushedRequests``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, pushed: PushedRequest) -> None:
        async with self._database.transaction() as work:
            await work.run(_INSERT, encode(pushed))

    async def get(self, uri_hash: str, now: int) -> PushedRequest | None:
        row = await self._database.one(
            "SELECT * FROM pushed_requests WHERE uri_hash = :hash AND used_at IS NULL AND expires_at > :now",
            hash=uri_hash,
            now=now,
        )
        return decode(PushedRequest, row) if row else None

    async def use(self, uri_hash: str, now: int) -> bool:
        async with self._database.transaction() as work:
            won = await work.one(
                "UPDATE pushed_requests SET used_at = :now WHERE uri_hash = :hash AND used_at IS NULL "
                "RETURNING uri_hash",
                hash=uri_hash,
                now=now,
            )
            return won is not None

    async def purge(self, expired_before: int) -> None:
        async with self._database.transaction() as work:
            await work.all("DELETE FROM pushed_requests WHERE expires_at <= :before", before=expired_before)
