"""Groups: who is in them, what is nested in them, and which rules fill them."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Mapping, Sequence

from gatekit.errors import Conflict, InvalidInput, NotFound
from gatekit.model.people import LOCAL, Group, GroupLine, GroupQuery, GroupRule, GroupWrite, Membership
from gatekit.store.sql.engine import Database, Row, Work
from gatekit.store.sql.rows import as_list, decode, encode, insert, update

INSERT_GROUP = insert("groups", Group)
_UPDATE_GROUP = update("groups", Group, "id")


class SqlGroups:
    """Implements ``store.people_ports.Groups``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def names(self) -> builtins.list[str]:
        rows = await self._database.all(
            "SELECT name FROM groups WHERE source = :source ORDER BY name", source=LOCAL
        )
        return [row["name"] for row in rows]

    async def list(self, source: str | None = None) -> builtins.list[Group]:
        if source is None:
            rows = await self._database.all("SELECT * FROM groups ORDER BY source, name")
        else:
            rows = await self._database.all(
                "SELECT * FROM groups WHERE source = :source ORDER BY name", source=source
            )
        return [decode(Group, row) for row in rows]

    async def page(self, query: GroupQuery) -> Sequence[GroupLine]:
        source, name = query.after
        escaped = query.text.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
        params: dict[str, object] = {"local": LOCAL, "text": f"%{escaped}%"}
        rows: builtins.list[Row] = []
        if source in ("", LOCAL):
            rows += await self._database.all(_OURS, **params, name=name, limit=query.limit)
            source, name = "", ""
        if (
            len(rows) < query.limit
        ):  # what providers name is looked for in all memberships, so only if need be
            left = query.limit - len(rows)
            rows += await self._database.all(_THEIRS, **params, source=source, name=name, limit=left)
        return [decode(GroupLine, row) for row in rows]

    async def size(self, name: str, source: str) -> int:
        row = await self._database.one(
            "SELECT count(*) AS found FROM memberships WHERE group_name = :name AND source = :source",
            name=name,
            source=source,
        )
        return int(row["found"]) if row else 0

    async def get(self, name: str, source: str = LOCAL) -> Group | None:
        return _group(
            await self._database.one(
                "SELECT * FROM groups WHERE source = :source AND name = :name", source=source, name=name
            )
        )

    async def by_id(self, group_id: str) -> Group | None:
        return _group(await self._database.one("SELECT * FROM groups WHERE id = :id", id=group_id))

    async def create(self, group: Group) -> None:
        async with self._database.transaction() as work:
            await _create(work, group)

    async def update(self, group: Group) -> None:
        async with self._database.transaction() as work:
            await replace_group(work, group)

    async def delete(self, name: str, source: str = LOCAL) -> None:
        async with self._database.transaction() as work:
            await remove_group(work, name, source)

    async def add(self, membership: Membership) -> None:
        async with self._database.transaction() as work:
            if membership.source == LOCAL:
                await _exists(work, membership.group)
            if await join_group(work, membership):
                await work.changed("user", membership.user_id)

    async def remove(self, membership: Membership) -> bool:
        async with self._database.transaction() as work:
            gone = await part_group(work, membership)
            if gone:
                await work.changed("user", membership.user_id)
            return gone

    async def of_user(self, user_id: str) -> builtins.list[Membership]:
        return _memberships(
            await self._database.all(
                "SELECT * FROM memberships WHERE user_id = :user ORDER BY group_name, source", user=user_id
            )
        )

    async def members(self, name: str, source: str | None = None) -> builtins.list[Membership]:
        if source is None:
            rows = await self._database.all(
                "SELECT * FROM memberships WHERE group_name = :name ORDER BY user_id, source", name=name
            )
        else:
            rows = await self._database.all(
                "SELECT * FROM memberships WHERE group_name = :name AND source = :source ORDER BY user_id",
                name=name,
                source=source,
            )
        return _memberships(rows)

    async def set_members(self, name: str, source: str, user_ids: Collection[str]) -> None:
        async with self._database.transaction() as work:
            if source == LOCAL:
                await _exists(work, name)
            await _set_members(work, name, source, user_ids)

    async def sizes(self) -> Mapping[tuple[str, str], int]:
        rows = await self._database.all(
            "SELECT source, group_name, count(*) AS members FROM memberships GROUP BY source, group_name"
        )
        return {(row["source"], row["group_name"]): row["members"] for row in rows}

    async def replace_provider_groups(self, user_id: str, source: str, groups: Sequence[str]) -> None:
        async with self._database.transaction() as work:
            before = await work.all(
                "SELECT group_name FROM memberships m WHERE user_id = :user AND source = :source "
                "AND NOT EXISTS (SELECT 1 FROM groups g WHERE g.source = m.source AND g.name = m.group_name)",
                user=user_id,
                source=source,
            )
            had = {row["group_name"] for row in before}
            wanted = {group for group in groups if not await _provisioned(work, group, source)}
            if had == wanted:
                return
            for group in sorted(had - wanted):
                await part_group(work, Membership(user_id=user_id, group=group, source=source))
            for group in sorted(wanted - had):
                await join_group(work, Membership(user_id=user_id, group=group, source=source))
            await work.changed("user", user_id)

    async def nest(self, parent: str, child: str, now: int) -> bool:
        async with self._database.transaction() as work:
            return await _nest(work, parent, child, now)

    async def unnest(self, parent: str, child: str) -> bool:
        async with self._database.transaction() as work:
            gone = await work.all(
                "DELETE FROM group_nesting WHERE parent = :parent AND child = :child RETURNING child",
                parent=parent,
                child=child,
            )
            if gone:
                await work.changed("group", parent)
            return bool(gone)

    async def nesting(self) -> Sequence[tuple[str, str]]:
        rows = await self._database.all("SELECT parent, child FROM group_nesting ORDER BY parent, child")
        return [(row["parent"], row["child"]) for row in rows]

    async def rules(self) -> Sequence[GroupRule]:
        rows = await self._database.all(
            'SELECT group_name AS "group", selectors FROM group_rules ORDER BY group_name'
        )
        return [decode(GroupRule, row) for row in rows]

    async def set_rule(self, rule: GroupRule, now: int) -> None:
        async with self._database.transaction() as work:
            await _exists(work, rule.group)
            await _set_rule(work, rule, now)

    async def write(self, batch: Sequence[GroupWrite], now: int) -> None:
        async with self._database.transaction() as work:
            for one in batch:
                if one.new:
                    await _create(work, one.group)
                else:
                    await replace_group(work, one.group)
            # All old ties first: two groups may change places.
            for one in batch:
                if one.children is not None:
                    await work.all("DELETE FROM group_nesting WHERE parent = :name", name=one.group.name)
            for one in batch:
                for child in one.children or ():
                    await _nest(work, one.group.name, child, now)
                if one.members is not None:
                    await _set_members(work, one.group.name, LOCAL, one.members)
                if one.rule is not None:
                    await _set_rule(work, GroupRule(group=one.group.name, selectors=one.rule), now)


_LINE = """
SELECT known.source, known.name, COALESCE(g.title, '') AS title,
    (SELECT count(*) FROM memberships m WHERE m.group_name = known.name AND m.source = known.source) AS size
FROM {known} known LEFT JOIN groups g ON g.source = known.source AND g.name = known.name
WHERE {after}
    AND (lower(known.name) LIKE :text ESCAPE '!' OR lower(COALESCE(g.title, '')) LIKE :text ESCAPE '!')
ORDER BY known.source, known.name
LIMIT :limit
"""
"""Sizes are counted of what is shown only."""

_OURS = _LINE.format(known="groups", after="known.source = :local AND known.name > :name")
"""Nobody is in a group of our own that has no row."""

_THEIRS = _LINE.format(
    known="""(
    SELECT source, name FROM groups WHERE source <> :local
    UNION SELECT source, group_name AS name FROM memberships WHERE source <> :local
)""",
    after="(known.source, known.name) > (:source, :name)",
)

_BELOW = (
    "WITH RECURSIVE below (name) AS ("
    "SELECT :start UNION SELECT child FROM group_nesting JOIN below ON parent = below.name) "
    "SELECT name FROM below WHERE name = :end"
)
"""Whether a group, or anything that is nested in it, is ``end``."""


async def _exists(work: Work, name: str) -> None:
    if not await work.all(
        "SELECT 1 AS found FROM groups WHERE source = :source AND name = :name", source=LOCAL, name=name
    ):
        raise NotFound(f"there is no group {name}")


async def _create(work: Work, group: Group) -> None:
    try:
        await work.run(INSERT_GROUP, encode(group))
    except Conflict:
        raise Conflict(f"there is a group {group.name} already") from None
    await work.changed("group", group.name)


async def _set_members(work: Work, name: str, source: str, user_ids: Collection[str]) -> None:
    rows = await work.all(
        "SELECT user_id FROM memberships WHERE group_name = :name AND source = :source",
        name=name,
        source=source,
    )
    had, wanted = {row["user_id"] for row in rows}, set(user_ids)
    for user_id in sorted(had - wanted):
        await part_group(work, Membership(user_id=user_id, group=name, source=source))
    for user_id in sorted(wanted - had):
        await join_group(work, Membership(user_id=user_id, group=name, source=source))
    for user_id in sorted(had ^ wanted):
        await work.changed("user", user_id)


async def _nest(work: Work, parent: str, child: str, now: int) -> bool:
    for name in (parent, child):
        await _exists(work, name)
    if await work.all(_BELOW, start=child, end=parent):
        raise Conflict(f"{child} holds {parent} already, so {parent} cannot hold {child}")
    nested = await work.all(
        "INSERT INTO group_nesting (parent, child, created_at) VALUES (:parent, :child, :now) "
        "ON CONFLICT (parent, child) DO NOTHING RETURNING child",
        parent=parent,
        child=child,
        now=now,
    )
    if nested:
        await work.changed("group", parent)
    return bool(nested)


async def _set_rule(work: Work, rule: GroupRule, now: int) -> None:
    await work.all("DELETE FROM group_rules WHERE group_name = :name", name=rule.group)
    if rule.selectors:
        await work.all(
            "INSERT INTO group_rules (group_name, selectors, updated_at) VALUES (:name, :selectors, :now)",
            name=rule.group,
            selectors=as_list(rule.selectors),
            now=now,
        )
    await work.changed("group", rule.group)


async def _provisioned(work: Work, name: str, source: str) -> bool:
    return bool(
        await work.all(
            "SELECT 1 AS found FROM groups WHERE source = :source AND name = :name", source=source, name=name
        )
    )


async def _leave(work: Work, name: str, source: str) -> builtins.list[str]:
    """Everybody leaves; return who it was."""
    gone = await work.all(
        "DELETE FROM memberships WHERE group_name = :name AND source = :source RETURNING user_id",
        name=name,
        source=source,
    )
    return [row["user_id"] for row in gone]


async def replace_group(work: Work, group: Group) -> None:
    """As ``SqlGroups.update``."""
    row = await work.one("SELECT * FROM groups WHERE id = :id", id=group.id)
    if row is None:
        raise NotFound(f"there is no group {group.name}")
    before = decode(Group, row)
    if before.source != group.source or (before.source == LOCAL and before.name != group.name):
        raise InvalidInput(f"{before.name} cannot become {group.name} of {group.source}")
    try:
        await work.run(_UPDATE_GROUP, encode(group))
    except Conflict:
        raise Conflict(f"there is a group {group.name} already") from None
    if before.name != group.name:
        members = await _leave(work, before.name, before.source)
        for user_id in members:
            await join_group(work, Membership(user_id=user_id, group=group.name, source=group.source))
            await work.changed("user", user_id)
    await work.changed("group", group.name)


async def remove_group(work: Work, name: str, source: str) -> None:
    """As ``SqlGroups.delete``."""
    if not await work.all(
        "DELETE FROM groups WHERE source = :source AND name = :name RETURNING id",
        source=source,
        name=name,
    ):
        raise NotFound(f"there is no group {name}")
    for user_id in await _leave(work, name, source):
        await work.changed("user", user_id)
    if source == LOCAL:
        await work.all("DELETE FROM group_nesting WHERE parent = :name OR child = :name", name=name)
        await work.all("DELETE FROM group_rules WHERE group_name = :name", name=name)
    await work.changed("group", name)


async def part_group(work: Work, membership: Membership) -> bool:
    gone = await work.all(
        "DELETE FROM memberships WHERE user_id = :user AND group_name = :name AND source = :source "
        "RETURNING user_id",
        user=membership.user_id,
        name=membership.group,
        source=membership.source,
    )
    return bool(gone)


async def join_group(work: Work, membership: Membership) -> bool:
    """False: it was so already."""
    joined = await work.all(
        "INSERT INTO memberships (user_id, group_name, source) VALUES (:user, :name, :source) "
        "ON CONFLICT (user_id, group_name, source) DO NOTHING RETURNING user_id",
        user=membership.user_id,
        name=membership.group,
        source=membership.source,
    )
    return bool(joined)


async def set_local_groups(work: Work, user_id: str, groups: Collection[str]) -> None:
    """These, and no other groups of our own. Raise ``NotFound``."""
    rows = await work.all(
        "SELECT group_name FROM memberships WHERE user_id = :user AND source = :source",
        user=user_id,
        source=LOCAL,
    )
    had, wanted = {row["group_name"] for row in rows}, set(groups)
    for group in sorted(wanted - had):
        await _exists(work, group)
        await join_group(work, Membership(user_id=user_id, group=group))
    for group in sorted(had - wanted):
        await part_group(work, Membership(user_id=user_id, group=group))
    if had != wanted:
        await work.changed("user", user_id)


def _group(row: Row | None) -> Group | None:
    return decode(Group, row) if row else None


def _memberships(rows: builtins.list[Row]) -> builtins.list[Membership]:
    return [Membership(user_id=row["user_id"], group=row["group_name"], source=row["source"]) for row in rows]
