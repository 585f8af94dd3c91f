"""Opaque access tokens: a hash, what it stands for, and when that ends."""

from __future__ import annotations

from gatekit.model.oauth import AccessToken
from gatekit.store.sql.engine import Database
from gatekit.store.sql.rows import built, columns, encode, insert

_INSERT = insert("access_tokens", AccessToken)
_BY_HASH = f"SELECT {columns(AccessToken, 't')} FROM access_tokens AS t WHERE token_hash = :hash"  # noqa: S608


class SqlAccessTokens:
    """Implements ``store.ports.AccessTokens``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, token: AccessToken) -> None:
        async with self._database.transaction() as work:
            await work.run(_INSERT, encode(token))

    async def by_hash(self, token_hash: str) -> AccessToken | None:
        row = await self._database.glance(_BY_HASH, hash=token_hash)
        return built(AccessToken, row) if row else None

    async def purge(self, now: int) -> None:
        async with self._database.transaction() as work:
            await work.all("DELETE FROM access_tokens WHERE expires_at <= :now", now=now)
