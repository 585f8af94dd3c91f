"""Second factors: authenticator applications and recovery codes."""

from __future__ import annotations

from collections.abc import Sequence

from gatekit.errors import Conflict, NotFound
from gatekit.model.factors import Totp
from gatekit.store.sql.engine import Database, Work
from gatekit.store.sql.rows import decode, encode, insert

_INSERT = insert("totp", Totp)


class SqlFactors:
    """Implements ``store.factor_ports.Factors``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, totp: Totp, codes: Sequence[str]) -> None:
        async with self._database.transaction() as work:
            try:
                await work.run(_INSERT, encode(totp))
            except Conflict:
                raise Conflict("there is a second factor already") from None
            await _set_codes(work, totp.user_id, codes)

    async def get(self, user_id: str) -> Totp | None:
        row = await self._database.one("SELECT * FROM totp WHERE user_id = :user", user=user_id)
        return decode(Totp, row) if row else None

    async def used(self, user_id: str, step: int, now: int) -> bool:
        async with self._database.transaction() as work:
            rows = await work.all(
                "UPDATE totp SET last_step = :step, last_used_at = :now "
                "WHERE user_id = :user AND last_step < :step RETURNING user_id",
                user=user_id,
                step=step,
                now=now,
            )
            return bool(rows)

    async def remove(self, user_id: str) -> bool:
        async with self._database.transaction() as work:
            await work.all("DELETE FROM recovery_codes WHERE user_id = :user", user=user_id)
            return bool(
                await work.all("DELETE FROM totp WHERE user_id = :user RETURNING user_id", user=user_id)
            )

    async def set_codes(self, user_id: str, codes: Sequence[str]) -> None:
        async with self._database.transaction() as work:
            if not await work.all("SELECT user_id FROM totp WHERE user_id = :user", user=user_id):
                raise NotFound("there is no second factor")
            await _set_codes(work, user_id, codes)

    async def codes_left(self, user_id: str) -> int:
        row = await self._database.one(
            "SELECT COUNT(*) AS number FROM recovery_codes WHERE user_id = :user", user=user_id
        )
        return int(row["number"]) if row else 0

    async def spend(self, user_id: str, code: str) -> bool:
        async with self._database.transaction() as work:
            rows = await work.all(
                "DELETE FROM recovery_codes WHERE user_id = :user AND digest = :digest RETURNING user_id",
                user=user_id,
                digest=code,
            )
            return bool(rows)


async def _set_codes(work: Work, user_id: str, codes: Sequence[str]) -> None:
    await work.all("DELETE FROM recovery_codes WHERE user_id = :user", user=user_id)
    for code in codes:
        await work.all(
            "INSERT INTO recovery_codes (user_id, digest) VALUES (:user, :digest)", user=user_id, digest=code
        )
