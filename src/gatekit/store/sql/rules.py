"""Rules that administrators made."""

from __future__ import annotations

from gatekit.errors import Conflict, NotFound
from gatekit.model.rules import StoredRule
from gatekit.store.sql.engine import Database, Work
from gatekit.store.sql.rows import decode, encode, insert

_INSERT = insert("rules", StoredRule)


class SqlRules:
    """Implements ``store.rule_ports.StoredRules``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, rule: StoredRule) -> None:
        async with self._database.transaction() as work:
            try:
                await work.run(_INSERT, encode(rule))
            except Conflict:
                raise Conflict(f"there is a rule called {rule.name} already") from None
            await work.changed("rule", rule.name)

    async def get(self, name: str) -> StoredRule | None:
        row = await self._database.one("SELECT * FROM rules WHERE name = :name", name=name)
        return decode(StoredRule, row) if row else None

    async def list(self) -> list[StoredRule]:
        rows = await self._database.all("SELECT * FROM rules ORDER BY name")
        return [decode(StoredRule, row) for row in rows]

    async def replace(self, rule: StoredRule) -> StoredRule:
        async with self._database.transaction() as work:
            before = await _there(work, rule.name)
            await work.all(
                "UPDATE rules SET body = :body, enabled = :enabled, expires_at = :expires_at,"
                " updated_at = :updated_at, updated_by = :updated_by WHERE name = :name",
                name=rule.name,
                body=rule.body,
                enabled=rule.enabled,
                expires_at=rule.expires_at,
                updated_at=rule.updated_at,
                updated_by=rule.updated_by,
            )
            await work.changed("rule", rule.name)
            return before

    async def remove(self, name: str) -> StoredRule:
        async with self._database.transaction() as work:
            before = await _there(work, name)
            await work.all("DELETE FROM rules WHERE name = :name", name=name)
            await work.changed("rule", name)
            return before


async def _there(work: Work, name: str) -> StoredRule:
    rows = await work.all("SELECT * FROM rules WHERE name = :name", name=name)
    if not rows:
        raise NotFound(f"there is no rule called {name}; `gatekit rules list` shows which there are")
    return decode(StoredRule, rows[0])
