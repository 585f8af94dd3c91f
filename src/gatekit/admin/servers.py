"""Who may use a server, asked of the rules that are in force."""

from __future__ import annotations

from collections.abc import Callable, Collection

from msgspec import Struct

from gatekit.admin.desk import Actor, Audit, Desk, Roles
from gatekit.identity.standing import Standings
from gatekit.model.access import Inactive
from gatekit.model.people import PeopleQuery, Principal
from gatekit.model.ports import Clock, Entropy
from gatekit.store.ports import Store

MAX_LOOKED_AT = 500
"""People that one question looks at: each costs a look at their groups."""


class Found(Struct, frozen=True):
    """``after``: the username to go on after; empty when everybody was looked at."""

    usernames: tuple[str, ...]
    after: str


class ServerUsers(Desk):
    def __init__(
        self,
        store: Store,
        audit: Audit,
        clock: Clock,
        entropy: Entropy,
        roles: Roles,
        *,
        standings: Standings,
        opens: Callable[[Principal], Collection[str]],
    ) -> None:
        """``opens``: names of what somebody may use."""
        super().__init__(store, audit, clock, entropy, roles)
        self._standings = standings
        self._opens = opens

    async def of(self, actor: Actor, server: str, after: str, limit: int) -> Found:
        """Up to ``limit`` people who could use ``server`` now, by username; fewer do not mean that there are
        no more. Raises ``Forbidden``, ``StoreError``."""
        self._may(actor, "servers:read")
        found: list[str] = []
        query = PeopleQuery(after=after, limit=MAX_LOOKED_AT, disabled=False)
        people = await self._store.users.page(query)
        for user in people:
            judged = await self._standings.person(user.id, self._clock.now())
            after = user.username
            if not isinstance(judged, Inactive) and server in self._opens(judged.principal):
                found.append(user.username)
                if len(found) == limit:
                    return Found(tuple(found), after)
        return Found(tuple(found), after if len(people) == MAX_LOOKED_AT else "")
