"""Where browser sessions signed people in (OpenID Connect), and whom to tell when they end."""

from __future__ import annotations

from gatekit.model.oauth import RelyingSession
from gatekit.store.sql.engine import Database
from gatekit.store.sql.rows import decode, encode, insert

_INSERT = insert("relying_sessions", RelyingSession)


class SqlRelyingSessions:
    """Implements ``store.ports.RelyingSessions``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, session: RelyingSession) -> None:
        async with self._database.transaction() as work:
            await work.run(_INSERT, encode(session))
            # It may have ended a moment ago: then nobody else will say so.
            await work.all(
                "UPDATE relying_sessions SET due_at = created_at WHERE grant_id = :id AND EXISTS (SELECT 1 "
                "FROM browser_sessions WHERE token_hash = session_hash AND ended_at IS NOT NULL)",
                id=session.grant_id,
            )

    async def of_grant(self, grant_id: str) -> RelyingSession | None:
        row = await self._database.one("SELECT * FROM relying_sessions WHERE grant_id = :id", id=grant_id)
        return decode(RelyingSession, row) if row else None

    async def of_person(self, user_id: str, client_id: str) -> list[RelyingSession]:
        rows = await self._database.all(
            "SELECT * FROM relying_sessions WHERE client_id = :client AND user_id = :user "
            "ORDER BY created_at DESC",
            client=client_id,
            user=user_id,
        )
        return [decode(RelyingSession, row) for row in rows]

    async def move(self, session_hash: str, successor: str) -> None:
        async with self._database.transaction() as work:
            await work.all(
                "UPDATE relying_sessions SET session_hash = :successor "
                "WHERE session_hash = :hash AND due_at IS NULL",
                successor=successor,
                hash=session_hash,
            )

    async def due(self, now: int, again_at: int, limit: int) -> list[RelyingSession]:
        # Looked at without the writer's lock first: this is asked every few seconds, and mostly for nothing.
        if not await self._database.one("SELECT 1 FROM relying_sessions WHERE due_at <= :now", now=now):
            return []
        async with self._database.transaction() as work:
            rows = await work.all(
                "UPDATE relying_sessions SET due_at = :again, attempts = attempts + 1 WHERE grant_id IN "
                "(SELECT grant_id FROM relying_sessions WHERE due_at <= :now ORDER BY due_at LIMIT :limit) "
                "RETURNING *",
                now=now,
                again=again_at,
                limit=limit,
            )
            return [decode(RelyingSession, row) for row in rows]

    async def told(self, grant_id: str) -> None:
        async with self._database.transaction() as work:
            await work.all("UPDATE relying_sessions SET due_at = NULL WHERE grant_id = :id", id=grant_id)
            # Of a person who was deleted nothing stays but this.
            await work.all(
                "DELETE FROM relying_sessions WHERE grant_id = :id "
                "AND NOT EXISTS (SELECT 1 FROM users WHERE users.id = relying_sessions.user_id)",
                id=grant_id,
            )

    async def purge(self, created_before: int) -> None:
        async with self._database.transaction() as work:
            await work.all(
                "DELETE FROM relying_sessions WHERE created_at <= :before AND due_at IS NULL",
                before=created_before,
            )
