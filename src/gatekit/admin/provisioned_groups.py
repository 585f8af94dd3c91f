"""Groups as a provider provisions them (SCIM), and who is in them.

A rule means such a group as ``group:CONNECTION/NAME``. It is never one of our own groups, whatever it is
called, and its members are people of that connection only.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from msgspec.structs import replace

from gatekit.admin.desk import Desk, words
from gatekit.admin.provisioning import TRIES, Provider
from gatekit.admin.scim_search import Found, Question, search
from gatekit.errors import (
    Conflict,
    NotFound,
    Outpaced,
    ScimStale,
    ScimTaken,
    ScimTooMany,
    ScimUnknown,
    ScimValue,
)
from gatekit.identity.scim.patch import Operation, joining, patched
from gatekit.identity.scim.read import check
from gatekit.identity.scim.records import group_of, group_resource, member_idents
from gatekit.identity.scim.schema import GROUPS, Kind
from gatekit.model.people import Group
from gatekit.model.provisioning import ProvisionedGroup, SavedGroup

Resource = dict[str, Any]

MAX_LISTED = 50_000
"""Members in one answer about several groups."""


class ProvisionedGroups(Desk):
    """Raises ``ScimError``, ``Forbidden``, ``StoreError`` or ``AuditUnavailable``."""

    async def create(self, provider: Provider, resource: Resource) -> Resource:
        self._may(provider.actor, "groups:write")
        now = self._now()
        empty = Group(
            id=self._entropy.ident("grp_"),
            name="",
            source=provider.connection,
            created_at=now,
            updated_at=now,
        )
        group, members = group_of(resource, empty), member_idents(resource)
        try:
            await self._store.scim_groups.add(group, members)
        except Conflict:
            raise ScimTaken("there is a group of that name") from None
        except NotFound as error:
            raise ScimValue(str(error)) from None
        after = words(id=group.id, externalId=group.external_id, members=_listed(members))
        await self._record(provider.actor, "group.create", _target(group), after=after)
        return await self._shown(provider, ProvisionedGroup(group, 1), True)

    async def get(self, provider: Provider, ident: str, *, whole: bool = True) -> Resource:
        self._may(provider.actor, "groups:read")
        return await self._shown(provider, await self._one(provider, ident), whole)

    async def replace(
        self, provider: Provider, ident: str, resource: Resource, version: int | None
    ) -> Resource:
        wanted = member_idents(resource)
        for _ in range(TRIES):
            found = await self._at(provider, ident, version)
            had = await self._idents(found)
            group = group_of(resource, found.group)
            saved = await self._saved(provider, found, group, set(wanted) - had, had - set(wanted))
            if saved is not None:
                return await self._shown(provider, saved, True)
        raise ScimStale("it is being changed by others; try again")

    async def patch(
        self, provider: Provider, ident: str, operations: Sequence[Operation], version: int | None
    ) -> None:
        """Who joins and who leaves is not looked up among thousands where the operations say it."""
        split = joining(operations)
        for _ in range(TRIES):
            found = await self._at(provider, ident, version)
            resource = group_resource(found, (), provider.base)
            if split is not None:
                changed = patched(GROUPS, resource, split.rest)
                join, leave = set(split.join), set(split.leave)
            else:
                had = await self._idents(found)
                resource["members"] = [{"value": each} for each in sorted(had)]
                changed = patched(GROUPS, resource, operations)
                wanted = set(member_idents(changed))
                join, leave = wanted - had, had - wanted
            check(GROUPS, changed)
            if await self._saved(provider, found, group_of(changed, found.group), join, leave) is not None:
                return
        raise ScimStale("it is being changed by others; try again")

    async def delete(self, provider: Provider, ident: str, version: int | None) -> None:
        found = await self._at(provider, ident, version)
        members = await self._idents(found)
        try:
            await self._store.scim_groups.delete(provider.connection, ident, version)
        except NotFound:
            raise _unknown() from None
        except Outpaced:
            raise ScimStale("it is not what If-Match says any more") from None
        before = words(id=ident, externalId=found.group.external_id, members=_listed(members))
        await self._record(provider.actor, "group.delete", _target(found.group), before=before)

    async def search(self, provider: Provider, question: Question, *, whole: bool = True) -> Found:
        """``whole``: whether members are shown."""
        self._may(provider.actor, "groups:read")
        asks = "members" in f"{question.filter} {question.sort_by}".lower()
        return await search(_Groups(self, provider, asks, whole), question)

    # -- one group -------------------------------------------------------------------------------------

    async def _saved(
        self,
        provider: Provider,
        found: ProvisionedGroup,
        group: Group,
        join: Collection[str],
        leave: Collection[str],
    ) -> ProvisionedGroup | None:
        """None: somebody else was faster."""
        if group == found.group and not join and not leave:
            return found
        group = replace(group, updated_at=self._now())
        try:
            saved = await self._store.scim_groups.save(group, found.version, join=join, leave=leave)
        except NotFound as error:
            await self._one(provider, group.id)
            raise ScimValue(str(error)) from None
        except Outpaced:
            return None
        except Conflict:
            raise ScimTaken("there is a group of that name") from None
        await self._told(provider, found.group, group, saved)
        return ProvisionedGroup(group, saved.version)

    async def _told(self, provider: Provider, before: Group, after: Group, saved: SavedGroup) -> None:
        facts = [words(name=each.name, externalId=each.external_id) for each in (before, after)]
        if facts[0] != facts[1]:
            await self._record(provider.actor, "group.update", _target(after), facts[0], facts[1])
        if saved.joined:
            await self._record(provider.actor, "group.add", _target(after), after=_listed(saved.joined))
        if saved.left:
            await self._record(provider.actor, "group.remove", _target(after), before=_listed(saved.left))

    async def _at(self, provider: Provider, ident: str, version: int | None) -> ProvisionedGroup:
        self._may(provider.actor, "groups:write")
        found = await self._one(provider, ident)
        if version is not None and version != found.version:
            raise ScimStale("it is not what If-Match says any more")
        return found

    async def _one(self, provider: Provider, ident: str) -> ProvisionedGroup:
        found = await self._store.scim_groups.get(provider.connection, ident)
        if found is None:
            raise _unknown()
        return found

    async def _idents(self, found: ProvisionedGroup) -> set[str]:
        return set(await self._store.scim_groups.members(found.group.source, found.group.name))

    async def _shown(self, provider: Provider, found: ProvisionedGroup, members: bool) -> Resource:
        known: Sequence[str] = ()
        if members:
            known = await self._store.scim_groups.members(provider.connection, found.group.name)
        return group_resource(found, known, provider.base)

    # -- all of them -----------------------------------------------------------------------------------

    async def again(self, provider: Provider, idents: Sequence[str]) -> Sequence[ProvisionedGroup]:
        """Those that are still there."""
        found = [await self._store.scim_groups.get(provider.connection, ident) for ident in idents]
        return [each for each in found if each is not None]

    async def listed(
        self, provider: Provider, found: Sequence[ProvisionedGroup], members: bool
    ) -> list[Resource]:
        shown, total = [], 0
        for each in found:
            shown.append(await self._shown(provider, each, members))
            total += len(shown[-1].get("members", ()))
            if total > MAX_LISTED and len(shown) > 1:
                raise ScimTooMany("these groups have too many members; leave out `members`, or ask for fewer")
        return shown

    async def named(self, connection: str, attribute: str, value: str) -> Sequence[ProvisionedGroup] | None:
        groups = self._store.scim_groups
        if attribute == "externalId":
            return await groups.by_external_id(connection, value)
        if attribute == "members":
            known = await groups.of_users(connection, [value])
            found = [await groups.get(connection, each.id) for each in known.get(value, ())]
            return [each for each in found if each is not None]
        if attribute not in ("displayName", "id"):
            return None
        by = groups.by_name if attribute == "displayName" else groups.get
        one = await by(connection, value)
        return [one] if one is not None else []

    async def page(self, connection: str, after: str, skip: int, limit: int) -> Sequence[ProvisionedGroup]:
        return await self._store.scim_groups.page(connection, after, skip, limit)

    async def count(self, connection: str) -> int:
        return await self._store.scim_groups.count(connection)


class _Groups:
    """``admin.scim_search.Source``."""

    kind: Kind = GROUPS
    chunk = 10
    """Few at once: each may bring thousands of members."""

    def __init__(self, groups: ProvisionedGroups, provider: Provider, asks: bool, shows: bool) -> None:
        """``asks``: the question is about members, so they are needed to answer it."""
        self._groups = groups
        self._provider = provider
        self._asks = asks
        self._shows = shows

    async def named(self, attribute: str, value: str) -> Sequence[Resource] | None:
        found = await self._groups.named(self._provider.connection, attribute, value)
        return None if found is None else await self._groups.listed(self._provider, found, self._asks)

    async def page(self, after: str, skip: int, limit: int) -> Sequence[Resource]:
        found = await self._groups.page(self._provider.connection, after, skip, limit)
        return await self._groups.listed(self._provider, found, self._asks)

    async def count(self) -> int:
        return await self._groups.count(self._provider.connection)

    async def completed(self, resources: Sequence[Resource]) -> Sequence[Resource]:
        if self._asks or not self._shows:
            return resources
        found = await self._groups.again(self._provider, [str(each["id"]) for each in resources])
        return await self._groups.listed(self._provider, found, True)


def _target(group: Group) -> str:
    """As rules name it."""
    return f"{group.source}/{group.name}"


def _listed(idents: Collection[str]) -> str:
    """At most a hundred: the store knows the rest, and a record is read by people."""
    known = sorted(idents)
    more = f",… ({len(known)})" if len(known) > 100 else ""
    return ",".join(known[:100]) + more


def _unknown() -> ScimUnknown:
    return ScimUnknown("there is no such group")
