"""Admin keys, and answers that may be asked for again."""

from __future__ import annotations

from gatekit.errors import NotFound
from gatekit.model.admin_keys import AdminKey, ApiReply
from gatekit.store.sql.engine import Database, Row
from gatekit.store.sql.rows import decode, encode, insert

_INSERT = insert("admin_keys", AdminKey)
_BEGIN = (
    insert("api_replies", ApiReply)
    + " ON CONFLICT (key_id, name_hash) DO UPDATE SET request_hash = excluded.request_hash, "
    "expires_at = excluded.expires_at, sealed = NULL WHERE api_replies.expires_at <= :now RETURNING key_id"
)


class SqlAdminKeys:
    """Implements ``store.api_ports.AdminKeys``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: AdminKey) -> None:
        async with self._database.transaction() as work:
            try:
                await work.run(_INSERT, encode(key))
            except NotFound:
                raise NotFound("the owner of the key does not exist") from None

    async def by_hash(self, token_hash: str) -> AdminKey | None:
        return _key(
            await self._database.one("SELECT * FROM admin_keys WHERE token_hash = :hash", hash=token_hash)
        )

    async def get(self, key_id: str) -> AdminKey | None:
        return _key(await self._database.one("SELECT * FROM admin_keys WHERE id = :id", id=key_id))

    async def list(self, user_id: str | None = None) -> list[AdminKey]:
        rows = await self._database.all(
            "SELECT * FROM admin_keys WHERE :any OR user_id = :user ORDER BY created_at, id",
            any=user_id is None,
            user=user_id or "",
        )
        return [decode(AdminKey, row) for row in rows]

    async def revoke(self, key_id: str, now: int) -> bool:
        async with self._database.transaction() as work:
            done = await work.all(
                "UPDATE admin_keys SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL RETURNING id",
                now=now,
                id=key_id,
            )
            if done:
                await work.changed("key", key_id)
            return bool(done)

    async def used(self, key_id: str, now: int) -> None:
        async with self._database.transaction() as work:
            await work.all("UPDATE admin_keys SET last_used_at = :now WHERE id = :id", now=now, id=key_id)


class SqlApiReplies:
    """Implements ``store.api_ports.ApiReplies``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, reply: ApiReply, now: int) -> ApiReply | None:
        async with self._database.transaction() as work:
            if await work.run(_BEGIN, encode(reply) | {"now": now}):
                return None
            row = await work.one(
                "SELECT * FROM api_replies WHERE key_id = :key AND name_hash = :name",
                key=reply.key_id,
                name=reply.name_hash,
            )
            return decode(ApiReply, row) if row else None

    async def finish(self, key_id: str, name_hash: str, sealed: str) -> None:
        async with self._database.transaction() as work:
            await work.all(
                "UPDATE api_replies SET sealed = :sealed WHERE key_id = :key AND name_hash = :name",
                sealed=sealed,
                key=key_id,
                name=name_hash,
            )

    async def abandon(self, key_id: str, name_hash: str) -> None:
        async with self._database.transaction() as work:
            await work.all(
                "DELETE FROM api_replies WHERE key_id = :key AND name_hash = :name AND sealed IS NULL",
                key=key_id,
                name=name_hash,
            )

    async def purge(self, now: int) -> None:
        async with self._database.transaction() as work:
            await work.all("DELETE FROM api_replies WHERE expires_at <= :now", now=now)


def _key(row: Row | None) -> AdminKey | None:
    return decode(AdminKey, row) if row else None
