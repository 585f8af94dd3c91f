"""Requests for access. See ``store.request_ports``."""

from __future__ import annotations

from gatekit.errors import Conflict
from gatekit.model.requests import AccessRequest
from gatekit.store.sql.engine import Database
from gatekit.store.sql.rows import decode, encode, insert

_INSERT = insert("access_requests", AccessRequest)


class SqlAccessRequests:
    """Implements ``store.request_ports.AccessRequests``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, request: AccessRequest, most: int, most_of_one: int) -> None:
        async with self._database.transaction() as work:
            waiting = await work.all(
                "SELECT principal_id, server, tool FROM access_requests WHERE state = 'waiting'"
            )
            mine = [row for row in waiting if row["principal_id"] == request.principal_id]
            if any((row["server"], row["tool"]) == (request.server, request.tool) for row in mine):
                raise Conflict("this was asked for already, and nobody has decided yet")
            if len(mine) >= most_of_one:
                raise Conflict(f"{most_of_one} requests wait already")
            if len(waiting) >= most:
                raise Conflict("too many requests wait; ask again later")
            await work.run(_INSERT, encode(request))

    async def get(self, request_id: str) -> AccessRequest | None:
        row = await self._database.one("SELECT * FROM access_requests WHERE id = :id", id=request_id)
        return decode(AccessRequest, row) if row else None

    async def decide(self, decided: AccessRequest) -> bool:
        async with self._database.transaction() as work:
            return bool(
                await work.run(
                    "UPDATE access_requests SET state = :state, decided_at = :decided_at, rule = :rule, "
                    "decided_by = :decided_by, expires_at = :expires_at "
                    "WHERE id = :id AND state = 'waiting' RETURNING id",
                    encode(decided),
                )
            )

    async def reopen(self, request_id: str) -> None:
        async with self._database.transaction() as work:
            await work.all(
                "UPDATE access_requests SET state = 'waiting', decided_at = NULL, decided_by = '', "
                "rule = '', expires_at = NULL WHERE id = :id",
                id=request_id,
            )

    async def list(
        self, *, waiting: bool = False, user_id: str = "", limit: int = 500
    ) -> list[AccessRequest]:
        rows = await self._database.all(
            "SELECT * FROM access_requests WHERE (:waiting = 0 OR state = 'waiting') "
            "AND (:user_id = '' OR principal_id = :user_id) ORDER BY asked_at DESC, id DESC LIMIT :limit",
            waiting=int(waiting),
            user_id=user_id,
            limit=limit,
        )
        return [decode(AccessRequest, row) for row in rows]
