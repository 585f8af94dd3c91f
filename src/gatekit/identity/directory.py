"""User rows and memberships as Principals, kept in memory.

The bearer check and every policy decision start from a Principal, so it must not cost two queries each time.
Whoever changes a person says so (the store's change feed, the mapping at sign-in) and the entry is forgotten.
"""

from __future__ import annotations

from collections import OrderedDict

from gatekit.model.people import LOCAL, Membership, Principal, User
from gatekit.store.ports import Groups, Users

MAX_KEPT = 10_000


class Directory:
    """Principals by user id. Not for use across threads."""

    def __init__(self, users: Users, groups: Groups, max_kept: int = MAX_KEPT) -> None:
        self._users = users
        self._groups = groups
        self._max_kept = max_kept
        self._kept: OrderedDict[str, Principal] = OrderedDict()
        self._forgotten = 0
        """Counts calls of ``forget``: what was read before one of them must not be kept after it."""

    async def principal(self, user_id: str) -> Principal | None:
        """The person as the policy sees them; None for an unknown or disabled one. Raises ``StoreError``."""
        if kept := self._kept.get(user_id):
            self._kept.move_to_end(user_id)
            return kept
        forgotten = self._forgotten
        user = await self._users.get(user_id)
        if user is None or user.disabled:
            return None
        principal = as_principal(user, await self._groups.of_user(user_id))
        if forgotten == self._forgotten:
            self._keep(principal)
        return principal

    def forget(self, user_id: str | None = None) -> None:
        """Read this person (or, with None, everybody) anew the next time."""
        self._forgotten += 1
        if user_id is None:
            self._kept.clear()
        else:
            self._kept.pop(user_id, None)

    def _keep(self, principal: Principal) -> None:
        self._kept[principal.id] = principal
        while len(self._kept) > self._max_kept:
            self._kept.popitem(last=False)


def as_principal(user: User, memberships: list[Membership]) -> Principal:
    """A row and its memberships. Only the person's own connection may assert provider groups about them."""
    return Principal(
        id=user.id,
        username=user.username,
        connection=user.connection,
        login=user.login,
        email=user.email,
        email_verified=user.email_verified,
        display_name=user.display_name,
        subject=user.subject,
        groups=frozenset(m.group for m in memberships if m.source == LOCAL),
        provider_groups=frozenset(
            m.group for m in memberships if m.source == user.connection and m.source != LOCAL
        ),
    )
