"""Two rows that are one person: somebody came in by another connection before anybody said that it is them.

Nobody becomes more than they were by it: the roles must be the same, and so must be whether they may come in.
Undone by ``Identities.unlink``: whoever has that identity is somebody new at their next sign-in.
"""

from __future__ import annotations

from collections.abc import Sequence

from gatekit.admin.desk import Actor, Desk, words
from gatekit.errors import Conflict, Forbidden, InvalidInput
from gatekit.model.people import LOCAL, SERVICE, SERVICE_ACCOUNT, User
from gatekit.store.merge_ports import Moved


class Merging(Desk):
    """Raises ``AdminError``, ``StoreError`` or ``AuditUnavailable``."""

    async def merge(self, actor: Actor, source: str, into: str) -> Moved:
        """``source`` (a username) becomes part of ``into``: ways of signing in, groups, grants, keys.

        ``source`` is signed out everywhere. Its records stay under its old id, which is found with ``into``.
        """
        one = await self._whom(actor, "people:write", source)
        other = await self._whom(actor, "people:write", into)
        for user in (one, other):
            await self._gives(actor, user)
            await self._opens_for(actor, user)
        if actor.id in (one.id, other.id):
            raise Forbidden("nobody merges themselves with somebody; somebody else has to")
        await self._fitting(one, other)
        identities = await self._store.identities.of_user(one.id)
        before = words(
            id=one.id,
            into=other.id,
            identities=",".join(f"{row.connection}:{row.login or row.subject}" for row in identities),
        )
        # First of all the record: what cannot be recorded does not happen, and this cannot be taken back.
        await self._record(actor, "user.merge", one.username, before=before, after=words(into=other.username))
        moved = await self._store.merging.merge(one.id, other.id, self._now())
        after = words(
            merged=one.id,
            identities=moved.identities,
            groups=moved.groups,
            grants=moved.grants,
            keys=moved.keys,
        )
        await self._record(actor, "user.merged", other.username, after=after)
        return moved

    async def known_as(self, actor: Actor, user: str) -> Sequence[str]:
        """Ids under which records of ``user`` (a username or an id) stand besides their own."""
        self._may(actor, "audit:read")
        found = await self._store.users.get(user) or await self._store.users.by_username(user)
        return [alias.old_id for alias in await self._store.merging.aliases(found.id)] if found else []

    async def _fitting(self, one: User, other: User) -> None:
        if one.id == other.id:
            raise InvalidInput(f"{one.username} is one person already")
        if {one.connection, other.connection} & {SERVICE, SERVICE_ACCOUNT}:
            raise InvalidInput("programs are not merged; delete the one that is not needed")
        if await self._roles.of(one) != await self._roles.of(other):
            raise Conflict(
                f"{one.username} and {other.username} have different roles; make them the same first"
            )
        if one.disabled or other.disabled:
            raise Conflict(
                "somebody who is disabled would come in again by the other; enable or delete them first"
            )
        rows = await self._store.identities.of_user(one.id)
        if any(row.connection == LOCAL for row in rows):
            raise Conflict(
                f"{one.username} has a password here, which cannot move; merge the other way round"
            )
        if await self._store.accounts.get(one.connection, one.id) is not None:
            raise Conflict(f"{one.connection} keeps {one.username} here by SCIM; merge the other way round")
