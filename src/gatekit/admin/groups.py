"""Groups of our own: who is in them, what is nested in them, which rules fill them; and which groups
providers know. Groups in the file are not here."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from gatekit.admin.desk import Actor, Desk, words
from gatekit.errors import InvalidInput, NotFound
from gatekit.model.people import LOCAL, Group, GroupLine, GroupQuery, GroupRule, Membership
from gatekit.model.rules import ByGroup
from gatekit.policy.selectors import parse_selector

MAX_SELECTORS = 200
MAX_DEPTH = 20
"""Groups within groups within groups …: more of it is a mistake, and nobody could follow it."""

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class GroupView(Struct, frozen=True, kw_only=True):
    name: str
    source: str = LOCAL
    """``local``, or the connection whose group it is."""
    title: str = ""
    size: int = 0
    """Direct members."""
    members: tuple[str, ...] = ()
    """Their usernames, sorted; in a list of groups only when they were asked for."""
    children: tuple[str, ...] = ()
    """Groups whose members count as members of this one, direct ones."""
    parents: tuple[str, ...] = ()
    selectors: tuple[str, ...] = ()
    """Whoever they name is in it too."""
    id: str = ""
    """Empty in a list, and of a group that a provider only names."""


class Groups(Desk):
    """Every method that changes something raises ``AdminError``, ``StoreError`` or ``AuditUnavailable``."""

    async def create(self, actor: Actor, name: str, title: str = "") -> None:
        self._may(actor, "groups:write")
        check_name(name, title)
        now = self._now()
        await self._store.groups.create(
            Group(id=self._entropy.ident("grp_"), name=name, title=title, created_at=now, updated_at=now)
        )
        await self._record(actor, "group.create", name, after=words(title=title))

    async def retitle(self, actor: Actor, name: str, title: str) -> None:
        """Another title, for people to read; the name stays, because lists mean the group by it."""
        await self._ours(actor, name)
        check_name(name, title)
        row = await self._store.groups.get(name)
        if row is None or row.title == title:
            return
        await self._store.groups.update(replace(row, title=title, updated_at=self._now()))
        await self._record(
            actor, "group.title", name, before=words(title=row.title), after=words(title=title)
        )

    async def delete(self, actor: Actor, name: str) -> GroupView:
        """Its members stay, but are no longer in it."""
        await self._ours(actor, name)
        view = await self._view(name, LOCAL)
        await self._store.groups.delete(name)
        before = words(
            members=",".join(view.members), children=",".join(view.children), rule=",".join(view.selectors)
        )
        await self._record(actor, "group.delete", name, before=before)
        return view

    async def add(self, actor: Actor, name: str, usernames: Sequence[str]) -> None:
        """Put people into a group. Nothing happens if one of them does not exist."""
        await self._ours(actor, name)
        for membership, username in await self._memberships(name, usernames):
            if membership in await self._store.groups.of_user(membership.user_id):
                continue
            await self._store.groups.add(membership)
            await self._record(actor, "group.add", name, after=username)

    async def remove(self, actor: Actor, name: str, usernames: Sequence[str]) -> None:
        """Take people out of a group. Nothing happens if one of them does not exist or is not in it."""
        await self._ours(actor, name)
        memberships = await self._memberships(name, usernames)
        for membership, username in memberships:
            if membership not in await self._store.groups.of_user(membership.user_id):
                raise NotFound(f"{username} is not in {name}")
        for membership, username in memberships:
            if await self._store.groups.remove(membership):
                await self._record(actor, "group.remove", name, before=username)

    async def nest(self, actor: Actor, parent: str, child: str) -> None:
        """Members of ``child`` count as members of ``parent`` from now on."""
        await self._ours(actor, parent)
        check_depth([*await self._store.groups.nesting(), (parent, child)], parent, child)
        if await self._store.groups.nest(parent, child, self._now()):
            await self._record(actor, "group.nest", parent, after=child)

    async def unnest(self, actor: Actor, parent: str, child: str) -> None:
        await self._ours(actor, parent)
        if not await self._store.groups.unnest(parent, child):
            raise NotFound(f"{child} is not nested in {parent}")
        await self._record(actor, "group.unnest", parent, before=child)

    async def rule(self, actor: Actor, name: str, selectors: Sequence[str]) -> GroupRule:
        """Whoever one of these names is in the group, besides its members; none: only its members are.

        ``policy.selectors.parse_selector`` says how a selector is written.
        """
        await self._ours(actor, name)
        written = checked_rule(name, selectors)
        before = next((rule for rule in await self._store.groups.rules() if rule.group == name), None)
        rule = GroupRule(group=name, selectors=written)
        await self._store.groups.set_rule(rule, self._now())
        old = ",".join(before.selectors) if before else ""
        await self._record(actor, "group.rule", name, before=old, after=",".join(written))
        return rule

    async def show(self, actor: Actor, name: str, source: str = LOCAL) -> GroupView:
        """One group with its members, of our own or of a provider."""
        self._may(actor, "groups:read")
        return await self._view(name, source)

    async def head(self, actor: Actor, name: str, source: str = LOCAL) -> GroupView:
        """The same without the members: there may be more of them than a page or a memory holds."""
        self._may(actor, "groups:read")
        row, size = await self._store.groups.get(name, source), await self._store.groups.size(name, source)
        return await self._around(name, source, row, size, ())

    async def page(self, actor: Actor, query: GroupQuery) -> Sequence[GroupLine]:
        """Up to ``query.limit``: our own first, then those that providers have named or provisioned."""
        self._may(actor, "groups:read")
        return await self._store.groups.page(query)

    async def list(self, actor: Actor, *, members: bool = False) -> Sequence[GroupView]:
        """Our own first, then every group that a provider has named or provisioned; with ``members`` whoever
        is in those of our own."""
        self._may(actor, "groups:read")
        views = await self._all()
        if not members:
            return views
        return [await self._view(view.name, LOCAL) if view.source == LOCAL else view for view in views]

    async def _all(self) -> Sequence[GroupView]:
        rows = {(row.source, row.name): row for row in await self._store.groups.list()}
        sizes = await self._store.groups.sizes()
        nesting = await self._store.groups.nesting()
        rules = {rule.group: rule.selectors for rule in await self._store.groups.rules()}
        known = sorted({*rows, *sizes}, key=lambda key: (key[0] != LOCAL, *key))
        return [
            GroupView(
                name=name,
                source=source,
                title=rows[(source, name)].title if (source, name) in rows else "",
                size=sizes.get((source, name), 0),
                children=_beside(nesting, parent=name) if source == LOCAL else (),
                parents=_beside(nesting, child=name) if source == LOCAL else (),
                selectors=rules.get(name, ()) if source == LOCAL else (),
            )
            for source, name in known
        ]

    async def _ours(self, actor: Actor, name: str) -> None:
        """A local group that exists, and that this actor may change."""
        self._may(actor, "groups:write")
        self._gives_group(actor, name)
        if await self._store.groups.get(name) is None:
            raise NotFound(f"there is no group {name}; `gatekit groups list` shows which there are")

    async def _view(self, name: str, source: str) -> GroupView:
        row = await self._store.groups.get(name, source)
        members = await self._store.groups.members(name, source)
        names = await self._store.users.named([member.user_id for member in members])
        called = tuple(sorted(names.get(member.user_id, member.user_id) for member in members))
        return await self._around(name, source, row, len(members), called)

    async def _around(
        self, name: str, source: str, row: Group | None, size: int, members: tuple[str, ...]
    ) -> GroupView:
        if row is None and not size:
            raise NotFound(f"there is no group {name}; `gatekit groups list` shows which there are")
        nesting = await self._store.groups.nesting() if source == LOCAL else ()
        rules = await self._store.groups.rules() if source == LOCAL else ()
        return GroupView(
            name=name,
            source=source,
            id=row.id if row else "",
            title=row.title if row else "",
            size=size,
            members=members,
            children=_beside(nesting, parent=name),
            parents=_beside(nesting, child=name),
            selectors=next((rule.selectors for rule in rules if rule.group == name), ()),
        )

    async def _memberships(self, name: str, usernames: Sequence[str]) -> Sequence[tuple[Membership, str]]:
        users = [await self._person(username) for username in usernames]
        return [(Membership(user_id=user.id, group=name), user.username) for user in users]


def check_name(name: str, title: str) -> None:
    """Raise ``InvalidInput``."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"{name!r} cannot be a group: letters, digits and . _ -, at most 64")
    if len(title) > 200 or not title.isprintable():
        raise InvalidInput("a title is at most 200 printable characters")


def checked_rule(name: str, selectors: Sequence[str]) -> tuple[str, ...]:
    """As they are stored. Raise ``InvalidInput``."""
    if len(selectors) > MAX_SELECTORS:
        raise InvalidInput(f"a rule has at most {MAX_SELECTORS} selectors")
    written = tuple(dict.fromkeys(selector.strip() for selector in selectors))
    if ByGroup(name) in list(map(parse_selector, written)):
        raise InvalidInput(f"{name} cannot be filled with itself")
    return written


def check_depth(nesting: Sequence[tuple[str, str]], parent: str, child: str) -> None:
    """Raise ``InvalidInput`` if groups are too deep around one tie."""
    if _depth(child, nesting, down=True) + _depth(parent, nesting, down=False) > MAX_DEPTH:
        raise InvalidInput(f"groups are nested at most {MAX_DEPTH} deep")


def _beside(nesting: Sequence[tuple[str, str]], *, parent: str = "", child: str = "") -> tuple[str, ...]:
    """Direct children of ``parent``, or direct parents of ``child``."""
    return tuple(
        pair[1] if parent else pair[0] for pair in nesting if parent in pair[:1] or child in pair[1:]
    )


def _depth(name: str, nesting: Sequence[tuple[str, str]], *, down: bool) -> int:
    """How many levels hang below a group (or stand above it), itself counted."""
    beside: dict[str, set[str]] = {}
    for parent, child in nesting:
        beside.setdefault(parent if down else child, set()).add(child if down else parent)
    level, seen, depth = {name}, {name}, 0
    while level:
        depth += 1
        level = {other for one in level for other in beside.get(one, ())} - seen
        seen |= level
    return depth
