"""Two people who are one."""

from __future__ import annotations

from collections.abc import Sequence

from gatekit.errors import Conflict, NotFound
from gatekit.model.people import Alias
from gatekit.store.merge_ports import Moved
from gatekit.store.sql.engine import Database, Work
from gatekit.store.sql.people import delete_user
from gatekit.store.sql.rows import decode, encode, insert

_INSERT = insert("aliases", Alias)


class SqlMerging:
    """Implements ``store.merge_ports.Merging``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def merge(self, source: str, into: str, now: int) -> Moved:
        async with self._database.transaction() as work:
            gone = await work.one("SELECT username FROM users WHERE id = :id", id=source)
            if (
                gone is None
                or source == into
                or not await work.all("SELECT 1 FROM users WHERE id = :id", id=into)
            ):
                raise NotFound("there are no such two people")
            await _one_each(work, source, into)
            ids = {"source": source, "into": into}
            moved = Moved(
                identities=len(await work.run(_MOVE.format("identities", "subject"), ids)),
                groups=await _memberships(work, source, into),
                grants=await _tell(work, "grant", await work.run(_MOVE.format("grants", "id"), ids)),
                keys=await _tell(work, "key", await work.run(_MOVE.format("api_keys", "id"), ids))
                + len(await work.run(_MOVE.format("admin_keys", "id"), ids)),
            )
            await work.run("UPDATE aliases SET user_id = :into WHERE user_id = :source", ids)
            alias = Alias(old_id=source, username=gone["username"], user_id=into, merged_at=now)
            await work.run(_INSERT, encode(alias))
            await delete_user(work, source)
            await work.changed("user", into)
            return moved

    async def aliases(self, user_id: str) -> Sequence[Alias]:
        rows = await self._database.all(
            "SELECT * FROM aliases WHERE user_id = :user ORDER BY merged_at, old_id", user=user_id
        )
        return [decode(Alias, row) for row in rows]


_MOVE = "UPDATE {} SET user_id = :into WHERE user_id = :source RETURNING {}"


async def _one_each(work: Work, source: str, into: str) -> None:
    """With two identities at one connection, nobody could say which of them left."""
    both = await work.one(
        "SELECT a.connection FROM identities a JOIN identities b ON a.connection = b.connection "
        "WHERE a.user_id = :source AND b.user_id = :into LIMIT 1",
        source=source,
        into=into,
    )
    if both is not None:
        raise Conflict(f"both have an identity at {both['connection']}; unlink one of them first")


async def _memberships(work: Work, source: str, into: str) -> int:
    rows = await work.all(
        "INSERT INTO memberships (user_id, group_name, source) "
        "SELECT :into, group_name, source FROM memberships WHERE user_id = :source "
        "ON CONFLICT DO NOTHING RETURNING group_name",
        source=source,
        into=into,
    )
    return len(rows)


async def _tell(work: Work, noun: str, rows: list[dict[str, object]]) -> int:
    """Running gateways hold these in caches of their own."""
    for row in rows:
        await work.changed(noun, str(row["id"]))
    return len(rows)
