"""User rows and memberships as Principals, kept in memory.

The bearer check and every policy decision start from a Principal, so it must not cost two queries each time.
Whoever changes a person says so (the store's change feed, the mapping at sign-in) and the entry is forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from gatekit.identity.rules import local_groups
from gatekit.model.connections import ConnectionRules
from gatekit.model.people import LOCAL, Identity, Membership, Principal, User
from gatekit.store.people_ports import Groups, Identities, Users

MAX_KEPT = 10_000


class Directory:
    """Principals by user id. Not for use across threads."""

    def __init__(
        self,
        users: Users,
        groups: Groups,
        identities: Identities,
        max_kept: int = MAX_KEPT,
        rules: Callable[[str], ConnectionRules] = lambda _: ConnectionRules(),
    ) -> None:
        """``rules``: of a connection, by its name, now."""
        self._rules = rules
        self._users = users
        self._identities = identities
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
        identities = await self._identities.of_user(user_id)
        memberships = await self._groups.of_user(user_id)
        principal = as_principal(user, memberships, identities, self._rules)
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


def as_principal(
    user: User,
    memberships: Sequence[Membership],
    identities: Sequence[Identity] = (),
    rules: Callable[[str], ConnectionRules] = lambda _: ConnectionRules(),
) -> Principal:
    """A row, its memberships and the ways in which the person signs in.

    Only connections at which the person has an identity may assert groups about them, and each of them only
    its own. ``identities`` may leave out the home identity: the row says what that provider says.
    What ``rules`` say is looked up here, at each reading: one that is taken back counts no more, and neither
    does a linked connection that is switched off (checklist F2). Whether the home is, ``standing`` asks.
    """
    home = user.connection
    identities = [one for one in identities if one.connection == home or rules(one.connection).enabled]
    linked = {identity.connection for identity in identities} - {home, LOCAL}
    asserted = {source: [m.group for m in memberships if m.source == source] for source in (home, *linked)}
    asserted.pop(LOCAL, None)
    mapped = {
        name for source, names in asserted.items() for name in local_groups(rules(source).groups, names)
    }
    kept = {source: names for source, names in asserted.items() if rules(source).groups.keep}
    logins = {
        # At the embedded connection the username is the login.
        (identity.connection, user.username if identity.connection == LOCAL else identity.login)
        for identity in identities
        if identity.connection != home
    }
    return Principal(
        id=user.id,
        username=user.username,
        connection=home,
        login=user.login,
        email=user.email,
        email_verified=user.email_verified,
        display_name=user.display_name,
        subject=user.subject,
        groups=frozenset(m.group for m in memberships if m.source == LOCAL) | mapped,
        provider_groups=frozenset(kept.get(home, ())),
        logins=frozenset(logins | {(home, user.username if home == LOCAL else user.login)}),
        linked_groups=frozenset((source, name) for source in linked for name in kept.get(source, ())),
        role=user.role,
    )
