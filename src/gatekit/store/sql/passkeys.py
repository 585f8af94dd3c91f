"""Passkeys."""

from __future__ import annotations

from collections.abc import Sequence

from gatekit.errors import Conflict, NotFound
from gatekit.model.passkeys import Passkey
from gatekit.store.sql.engine import Database
from gatekit.store.sql.rows import decode, encode, insert

_INSERT = insert("passkeys", Passkey)


class SqlPasskeys:
    """Implements ``store.passkey_ports.Passkeys``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, passkey: Passkey) -> None:
        async with self._database.transaction() as work:
            try:
                await work.run(_INSERT, encode(passkey))
            except Conflict:
                raise Conflict("this passkey is known already") from None

    async def get(self, ident: str) -> Passkey | None:
        row = await self._database.one("SELECT * FROM passkeys WHERE id = :id", id=ident)
        return decode(Passkey, row) if row else None

    async def of_user(self, user_id: str) -> Sequence[Passkey]:
        rows = await self._database.all(
            "SELECT * FROM passkeys WHERE user_id = :user ORDER BY created_at, id", user=user_id
        )
        return [decode(Passkey, row) for row in rows]

    async def used(self, ident: str, sign_count: int, now: int) -> bool:
        async with self._database.transaction() as work:
            rows = await work.all(
                "UPDATE passkeys SET sign_count = :count, last_used_at = :now WHERE id = :id "
                "AND (sign_count < :count OR (sign_count = 0 AND :count = 0)) RETURNING id",
                id=ident,
                count=sign_count,
                now=now,
            )
            return bool(rows)

    async def remove(self, user_id: str, ident: str) -> None:
        async with self._database.transaction() as work:
            if not await work.all(
                "DELETE FROM passkeys WHERE id = :id AND user_id = :user RETURNING id", id=ident, user=user_id
            ):
                raise NotFound("there is no such passkey")
