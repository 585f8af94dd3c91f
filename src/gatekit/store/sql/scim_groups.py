"""Groups that providers provision, with versions; and the tokens that providers present."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Mapping, Sequence

from msgspec.structs import replace

from gatekit.errors import Conflict, NotFound, Outpaced
from gatekit.model.people import Group, Membership
from gatekit.model.provisioning import ProvisionedGroup, SavedGroup, ScimToken
from gatekit.store.sql.engine import Database, Row, Work
from gatekit.store.sql.groups import INSERT_GROUP, join_group, part_group, remove_group, replace_group
from gatekit.store.sql.rows import columns, decode, encode, insert

_INSERT_TOKEN = insert("scim_tokens", ScimToken)
_GROUP = (
    f"SELECT {columns(Group, 'g')}, s.version "  # noqa: S608 - names of ours
    "FROM scim_groups s JOIN groups g ON g.id = s.group_id WHERE g.source = :connection"
)
_CHANGED = "it was changed meanwhile"
_AT_ONCE = 500


class SqlScimGroups:
    """Implements ``store.scim_ports.ScimGroups``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, group: Group, members: Collection[str]) -> None:
        async with self._database.transaction() as work:
            try:
                await work.run(INSERT_GROUP, encode(group))
            except Conflict:
                raise Conflict(f"{group.source} has provisioned a group {group.name} already") from None
            await work.all("INSERT INTO scim_groups (group_id, version) VALUES (:id, 1)", id=group.id)
            await _forget_named(work, group)
            await _members(work, group, members, ())
            await work.changed("group", group.name)

    async def save(
        self,
        group: Group,
        version: int | None,
        *,
        join: Collection[str] = (),
        leave: Collection[str] = (),
    ) -> SavedGroup:
        async with self._database.transaction() as work:
            before = await _at(work, group.source, group.id, version)
            # When it was changed is said only if anything else is.
            named = replace(group, updated_at=before.group.updated_at) != before.group
            if before.group.name != group.name:
                await _forget_named(work, group)
            if named:
                await replace_group(work, group)
            joined, left = await _members(work, group, join, leave)
            if not (named or joined or left):
                return SavedGroup(before.version)
            await work.all(
                "UPDATE groups SET updated_at = :now WHERE id = :id", now=group.updated_at, id=group.id
            )
            await work.all("UPDATE scim_groups SET version = version + 1 WHERE group_id = :id", id=group.id)
            return SavedGroup(before.version + 1, joined, left)

    async def delete(self, connection: str, group_id: str, version: int | None) -> None:
        async with self._database.transaction() as work:
            before = await _at(work, connection, group_id, version)
            await remove_group(work, before.group.name, connection)

    async def get(self, connection: str, group_id: str) -> ProvisionedGroup | None:
        return _first(
            await self._database.all(f"{_GROUP} AND g.id = :id", connection=connection, id=group_id)
        )

    async def by_name(self, connection: str, name: str) -> ProvisionedGroup | None:
        return _first(
            await self._database.all(f"{_GROUP} AND g.name = :name", connection=connection, name=name)
        )

    async def by_external_id(self, connection: str, external_id: str) -> Sequence[ProvisionedGroup]:
        return _all(
            await self._database.all(
                f"{_GROUP} AND g.external_id = :external ORDER BY g.id LIMIT 1000",
                connection=connection,
                external=external_id,
            )
        )

    async def page(self, connection: str, after: str, skip: int, limit: int) -> Sequence[ProvisionedGroup]:
        return _all(
            await self._database.all(
                f"{_GROUP} AND g.id > :after ORDER BY g.id LIMIT :limit OFFSET :skip",
                connection=connection,
                after=after,
                limit=limit,
                skip=skip,
            )
        )

    async def count(self, connection: str) -> int:
        row = await self._database.one(
            "SELECT count(*) AS found FROM scim_groups s JOIN groups g ON g.id = s.group_id "
            "WHERE g.source = :connection",
            connection=connection,
        )
        return int(row["found"]) if row else 0

    async def members(self, connection: str, name: str) -> Sequence[str]:
        rows = await self._database.all(
            "SELECT m.user_id FROM memberships m JOIN users u ON u.id = m.user_id "
            "WHERE m.group_name = :name AND m.source = :connection AND u.connection = :connection "
            "ORDER BY m.user_id",
            name=name,
            connection=connection,
        )
        return [row["user_id"] for row in rows]

    async def of_users(self, connection: str, user_ids: Collection[str]) -> Mapping[str, Sequence[Group]]:
        found: dict[str, list[Group]] = {}
        wanted = sorted(set(user_ids))
        for start in range(0, len(wanted), _AT_ONCE):
            params = {f"p{number}": ident for number, ident in enumerate(wanted[start : start + _AT_ONCE])}
            places = ", ".join(f":{name}" for name in params)
            rows = await self._database.all(
                f"SELECT m.user_id, {columns(Group, 'g')} FROM memberships m "  # noqa: S608 - names of ours
                "JOIN groups g ON g.source = m.source AND g.name = m.group_name "
                f"WHERE m.source = :connection AND m.user_id IN ({places}) ORDER BY g.id",
                connection=connection,
                **params,
            )
            for row in rows:
                found.setdefault(row["user_id"], []).append(decode(Group, row, "g_"))
        return found


class SqlScimTokens:
    """Implements ``store.scim_ports.ScimTokens``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, token: ScimToken) -> None:
        async with self._database.transaction() as work:
            await work.run(_INSERT_TOKEN, encode(token))

    async def by_hash(self, token_hash: str) -> ScimToken | None:
        row = await self._database.one("SELECT * FROM scim_tokens WHERE token_hash = :hash", hash=token_hash)
        return decode(ScimToken, row) if row else None

    async def list(self, connection: str = "") -> builtins.list[ScimToken]:
        rows = await self._database.all(
            "SELECT * FROM scim_tokens WHERE :connection = '' OR connection = :connection ORDER BY id",
            connection=connection,
        )
        return [decode(ScimToken, row) for row in rows]

    async def revoke(self, token_id: str, now: int) -> bool:
        async with self._database.transaction() as work:
            return bool(
                await work.all(
                    "UPDATE scim_tokens SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL "
                    "RETURNING id",
                    now=now,
                    id=token_id,
                )
            )

    async def used(self, token_id: str, now: int) -> None:
        async with self._database.transaction() as work:
            await work.all("UPDATE scim_tokens SET last_used_at = :now WHERE id = :id", now=now, id=token_id)


async def _at(work: Work, connection: str, group_id: str, version: int | None) -> ProvisionedGroup:
    """The group as it is. Raise ``NotFound``, or ``Conflict`` if that is not its version."""
    rows = await work.all(f"{_GROUP} AND g.id = :id", connection=connection, id=group_id)
    if not rows:
        raise NotFound("there is no such group")
    found = _all(rows)[0]
    if version is not None and found.version != version:
        raise Outpaced(_CHANGED)
    return found


async def _forget_named(work: Work, group: Group) -> None:
    """Whom the provider named in it at a sign-in is in it from now on only if it is provisioned so."""
    named = await work.all(
        "DELETE FROM memberships WHERE group_name = :name AND source = :source RETURNING user_id",
        name=group.name,
        source=group.source,
    )
    for row in named:
        await work.changed("user", row["user_id"])


async def _members(
    work: Work, group: Group, join: Collection[str], leave: Collection[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Who really joined, and who left."""
    joined, left = [], []
    for user_id in sorted(set(join)):
        # A connection speaks of its own people only, and of nobody else's.
        if not await work.all(
            "SELECT 1 AS found FROM users WHERE id = :id AND connection = :connection",
            id=user_id,
            connection=group.source,
        ):
            raise NotFound(f"{group.source} has no user {user_id[:100]}")
        if await join_group(work, Membership(user_id=user_id, group=group.name, source=group.source)):
            joined.append(user_id)
    for user_id in sorted(set(leave)):
        if await part_group(work, Membership(user_id=user_id, group=group.name, source=group.source)):
            left.append(user_id)
    for user_id in (*joined, *left):
        await work.changed("user", user_id)
    return tuple(joined), tuple(left)


def _all(rows: Sequence[Row]) -> Sequence[ProvisionedGroup]:
    return [ProvisionedGroup(decode(Group, row, "g_"), row["version"]) for row in rows]


def _first(rows: Sequence[Row]) -> ProvisionedGroup | None:
    return _all(rows)[0] if rows else None
