"""Calls that wait for an approval. See ``store.approval_ports``."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from gatekit.model.approvals import Approval, Verdict
from gatekit.store.sql.engine import Database, Row
from gatekit.store.sql.rows import as_list, decode, encode, insert

_INSERT = insert("approvals", Approval)
_AMONG = "id IN (SELECT value FROM json_each(:ids))"


class SqlApprovals:
    """Implements ``store.approval_ports.Approvals``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, approval: Approval) -> None:
        async with self._database.transaction() as work:
            await work.run(_INSERT, encode(approval))

    async def get(self, approval_id: str) -> Approval | None:
        row = await self._database.one("SELECT * FROM approvals WHERE id = :id", id=approval_id)
        return decode(Approval, row) if row else None

    async def some(self, ids: Collection[str]) -> list[Approval]:
        return _all(
            await self._database.all(
                f"SELECT * FROM approvals WHERE {_AMONG}",  # noqa: S608 - a constant
                ids=as_list(tuple(ids)),
            )
        )

    async def standing(self, now: int) -> list[Approval]:
        return _all(
            await self._database.all(
                "SELECT * FROM approvals WHERE state = 'allowed' AND until > :now", now=now
            )
        )

    async def decide(self, approval_id: str, verdict: Verdict) -> Approval | None:
        return await self._changed(
            "UPDATE approvals SET state = :state, decided_at = :at, decided_by_id = :by_id, "
            "decided_by = :by, until = :until, whatever = :whatever, arguments = '' "
            "WHERE id = :id AND state = 'waiting' AND expires_at > :at RETURNING *",
            approval_id,
            **encode(verdict),
        )

    async def end(
        self, approval_id: str, state: Literal["expired", "cancelled", "ended"], now: int
    ) -> Approval | None:
        return await self._changed(
            "UPDATE approvals SET state = :state, decided_at = :now, arguments = '' WHERE id = :id "
            "AND (state = 'waiting' OR (:state <> 'expired' AND state = 'allowed' "
            "AND taken_at IS NULL AND until = 0)) RETURNING *",
            approval_id,
            state=state,
            now=now,
        )

    async def take(self, approval_id: str, now: int) -> bool:
        async with self._database.transaction() as work:
            return bool(
                await work.all(
                    "UPDATE approvals SET taken_at = :now "
                    "WHERE id = :id AND state = 'allowed' AND taken_at IS NULL RETURNING id",
                    id=approval_id,
                    now=now,
                )
            )

    async def take_back(self, approval_id: str, by: str, now: int) -> Approval | None:
        return await self._changed(
            "UPDATE approvals SET state = 'ended', decided_at = :now, decided_by = :by "
            "WHERE id = :id AND state = 'allowed' AND until > :now RETURNING *",
            approval_id,
            by=by,
            now=now,
        )

    async def orphaned(self, gateway: str, now: int) -> list[Approval]:
        async with self._database.transaction() as work:
            return _all(
                await work.all(
                    "UPDATE approvals SET state = 'ended', decided_at = :now, arguments = '' "
                    "WHERE gateway = :gateway AND (state = 'waiting' "
                    "OR (state = 'allowed' AND taken_at IS NULL AND until = 0)) RETURNING *",
                    gateway=gateway,
                    now=now,
                )
            )

    async def trim(self, before: int) -> None:
        async with self._database.transaction() as work:
            await work.all(
                "DELETE FROM approvals WHERE asked_at < :before AND state <> 'waiting' AND until < :before",
                before=before,
            )

    async def _changed(self, sql: str, approval_id: str, **params: object) -> Approval | None:
        async with self._database.transaction() as work:
            rows = await work.run(sql, {"id": approval_id, **params})
            if not rows:
                return None
            await work.changed("approval", approval_id)
            return decode(Approval, rows[0])

    async def list(self, *, waiting: bool = False, limit: int = 500) -> list[Approval]:
        return _all(
            await self._database.all(
                "SELECT * FROM approvals WHERE (:waiting = 0 OR state = 'waiting') "
                "ORDER BY asked_at DESC, id DESC LIMIT :limit",
                waiting=int(waiting),
                limit=limit,
            )
        )


def _all(rows: list[Row]) -> list[Approval]:
    return [decode(Approval, row) for row in rows]
