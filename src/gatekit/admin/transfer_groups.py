"""Many groups at once, like ``transfer`` with people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from gatekit.admin.desk import Actor, Desk, words
from gatekit.admin.groups import check_depth, check_name, checked_rule
from gatekit.admin.sheets import GroupRow, raise_all
from gatekit.errors import AdminError, InvalidInput, NotFound
from gatekit.identity.names import canonical_username
from gatekit.model.people import LOCAL, Group, GroupWrite


class PlannedGroup(Struct, frozen=True):
    line: int
    name: str
    write: GroupWrite | None
    """None: it is so already."""
    words_before: str
    words_after: str

    @property
    def action(self) -> str:
        """``create``, ``update`` or ``nothing``."""
        return "nothing" if self.write is None else "create" if self.write.new else "update"


class GroupTransfer(Desk):
    """Every method that changes something raises ``AdminError``, ``StoreError`` or ``AuditUnavailable``."""

    async def export(self, actor: Actor) -> Sequence[GroupRow]:
        """Every local group, by name."""
        self._may(actor, "groups:read")
        return list((await self._rows()).values())

    async def plan(self, actor: Actor, rows: Sequence[tuple[int, GroupRow]]) -> Sequence[PlannedGroup]:
        """What would happen. Raises ``InvalidInput`` with the fault of every line that has one."""
        self._may(actor, "groups:write")
        now = await self._rows()
        after = dict(now)
        faults: list[str] = []
        seen: dict[str, int] = {}
        for line, row in rows:
            if row.name in seen:
                faults.append(f"line {line}: {row.name} stands in line {seen[row.name]} already")
            seen.setdefault(row.name, line)
            after[row.name] = _merged(now.get(row.name), row)
        planned: list[PlannedGroup] = []
        for line, row in rows:
            try:
                planned.append(await self._planned(actor, line, now.get(row.name), after[row.name], after))
            except AdminError as error:
                faults.append(f"line {line}: {error}")
        raise_all(faults)
        return planned

    async def carry_out(self, actor: Actor, plan: Sequence[PlannedGroup]) -> None:
        """All of it or nothing. Make the plan just before."""
        self._may(actor, "groups:write")
        changes = [(one, one.write) for one in plan if one.write is not None]
        await self._store.groups.write([write for _, write in changes], self._now())
        for one, _ in changes:
            await self._record(actor, f"group.{one.action}", one.name, one.words_before, one.words_after)

    async def _rows(self) -> dict[str, GroupRow]:
        nesting = await self._store.groups.nesting()
        rules = {rule.group: rule.selectors for rule in await self._store.groups.rules()}
        found = {}
        for group in await self._store.groups.list(LOCAL):
            members = [row.user_id for row in await self._store.groups.members(group.name, LOCAL)]
            names = await self._store.users.named(members)
            found[group.name] = GroupRow(
                name=group.name,
                title=group.title,
                members=tuple(sorted(names.values())),
                children=tuple(child for parent, child in nesting if parent == group.name),
                rule=rules.get(group.name, ()),
            )
        return found

    async def _planned(
        self, actor: Actor, line: int, before: GroupRow | None, row: GroupRow, after: Mapping[str, GroupRow]
    ) -> PlannedGroup:
        check_name(row.name, row.title or "")
        if before == row:
            return PlannedGroup(line, row.name, None, _said(row), _said(row))
        self._gives_group(actor, row.name)
        rule = checked_rule(row.name, row.rule or ())
        _check_children(row, after)
        members = []
        for username in row.members or ():
            user = await self._store.users.by_username(canonical_username(username))
            if user is None:
                raise NotFound(f"there is no person called {username}")
            members.append(user.id)
        stored = await self._store.groups.get(row.name)
        now = self._now()
        new = Group(id=self._entropy.ident("grp_"), name=row.name, created_at=now, updated_at=now)
        write = GroupWrite(
            group=replace(stored or new, title=row.title or "", updated_at=now),
            new=stored is None,
            members=tuple(members),
            children=row.children or (),
            rule=rule,
        )
        return PlannedGroup(line, row.name, write, _said(before) if before else "", _said(row))


def _check_children(row: GroupRow, after: Mapping[str, GroupRow]) -> None:
    """They exist, and nothing goes round in a circle."""
    ties = [(one.name, child) for one in after.values() for child in one.children or ()]
    for child in row.children or ():
        if child not in after:
            raise NotFound(f"there is no group {child}")
        check_depth(ties, row.name, child)
    below: set[str] = set()
    waiting = set(row.children or ())
    while waiting:
        below |= waiting
        waiting = {child for parent, child in ties if parent in waiting} - below
    if row.name in below:
        raise InvalidInput(f"{row.name} would hold itself")


def _merged(before: GroupRow | None, row: GroupRow) -> GroupRow:
    """The group as it would be: what the file does not say stays."""
    old = before or GroupRow(name=row.name, title="", members=(), children=(), rule=())
    return GroupRow(
        name=row.name,
        title=old.title if row.title is None else row.title,
        members=old.members
        if row.members is None
        else tuple(sorted(set(map(canonical_username, row.members)))),
        children=old.children if row.children is None else tuple(sorted(set(row.children))),
        rule=old.rule if row.rule is None else tuple(dict.fromkeys(each.strip() for each in row.rule)),
    )


def _said(row: GroupRow) -> str:
    return words(
        title=row.title,
        members=",".join(row.members or ()),
        children=",".join(row.children or ()),
        rule=",".join(row.rule or ()),
    )
