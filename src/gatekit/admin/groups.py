"""Groups of our own, and who is in them. Groups in the file are not here."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from gatekit.admin.desk import Actor, Desk, words
from gatekit.errors import InvalidInput, NotFound
from gatekit.model.people import LOCAL, Group, Membership

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class GroupView(Struct, frozen=True):
    name: str
    members: tuple[str, ...]
    """Usernames, sorted."""


class Groups(Desk):
    """Every method that changes something raises ``AdminError``, ``StoreError`` or ``AuditUnavailable``."""

    async def create(self, actor: Actor, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise InvalidInput(f"{name!r} cannot be a group: letters, digits and . _ -, at most 64")
        now = self._now()
        await self._store.groups.create(
            Group(id=self._entropy.ident("grp_"), name=name, created_at=now, updated_at=now)
        )
        await self._record(actor, "group.create", name)

    async def delete(self, actor: Actor, name: str) -> GroupView:
        """Its members stay, but are no longer in it."""
        view = GroupView(name, await self._members(name, await self._usernames()))
        await self._store.groups.delete(name)
        await self._record(actor, "group.delete", name, before=words(members=",".join(view.members)))
        return view

    async def add(self, actor: Actor, name: str, usernames: Sequence[str]) -> None:
        """Put people into a group. Nothing happens if one of them does not exist."""
        for membership, username in await self._memberships(name, usernames):
            if membership in await self._store.groups.of_user(membership.user_id):
                continue
            await self._store.groups.add(membership)
            await self._record(actor, "group.add", name, after=username)

    async def remove(self, actor: Actor, name: str, usernames: Sequence[str]) -> None:
        """Take people out of a group. Nothing happens if one of them does not exist or is not in it."""
        memberships = await self._memberships(name, usernames)
        for membership, username in memberships:
            if membership not in await self._store.groups.of_user(membership.user_id):
                raise NotFound(f"{username} is not in {name}")
        for membership, username in memberships:
            if await self._store.groups.remove(membership):
                await self._record(actor, "group.remove", name, before=username)

    async def list(self) -> Sequence[GroupView]:
        usernames = await self._usernames()
        names = await self._store.groups.names()
        return [GroupView(name, await self._members(name, usernames)) for name in names]

    async def _memberships(self, name: str, usernames: Sequence[str]) -> Sequence[tuple[Membership, str]]:
        if name not in await self._store.groups.names():
            raise NotFound(f"there is no group {name}; `gatekit groups list` shows which there are")
        users = [await self._person(username) for username in usernames]
        return [(Membership(user_id=user.id, group=name), user.username) for user in users]

    async def _usernames(self) -> dict[str, str]:
        return {user.id: user.username for user in await self._store.users.list()}

    async def _members(self, name: str, usernames: dict[str, str]) -> tuple[str, ...]:
        members = await self._store.groups.members(name)
        return tuple(sorted(usernames.get(m.user_id, m.user_id) for m in members if m.source == LOCAL))
