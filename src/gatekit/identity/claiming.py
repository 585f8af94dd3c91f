"""The first sign-in of somebody whom their provider has provisioned before (SCIM).

Until then nobody has signed in as that person, so nothing is known of them but what the directory wrote. At
the first sign-in over the same connection one person is looked for, by what the operator trusts: the claim
that the file names (``provisioning: {match: oid}``), and then nothing else; or, if it names none, the subject
as ``externalId``, and after that the login or the verified address as ``userName``. Exactly one must be
found, and it is found once: from then on only that (connection, issuer, subject) is the person
(checklist F1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gatekit.identity.scim.records import folded
from gatekit.model.connections import Provisioning
from gatekit.model.people import ExternalIdentity, Identity, User
from gatekit.model.ports import Clock
from gatekit.model.provisioning import Provisioned
from gatekit.store.people_ports import Users
from gatekit.store.scim_ports import Accounts


class Claims:
    """Implements ``identity.mapping.Provisioned``."""

    def __init__(
        self,
        users: Users,
        accounts: Accounts,
        clock: Clock,
        provisioning: Callable[[str], Provisioning | None],
    ) -> None:
        """``provisioning``: what is said of a connection now; None: its people are not provisioned."""
        self._users = users
        self._accounts = accounts
        self._clock = clock
        self._provisioning = provisioning

    async def claim(self, identity: ExternalIdentity) -> User | None:
        """The provisioned person whose first sign-in this is; None if there is none, or more than one.

        Raises ``StoreError``.
        """
        rules = self._provisioning(identity.connection)
        if rules is None:
            return None
        found = await self._find(identity, rules)
        if len(found) != 1:
            return None
        user, now = found[0].user, int(self._clock.now())
        claimed = Identity(
            user_id=user.id,
            connection=identity.connection,
            issuer=identity.issuer,
            subject=identity.subject,
            login=identity.login,
            email=identity.email,
            email_verified=identity.email is not None and identity.email_verified,
            created_at=now,
        )
        if not await self._accounts.claim(claimed, now):
            return None
        return await self._users.get(user.id)

    async def _find(self, identity: ExternalIdentity, rules: Provisioning) -> Sequence[Provisioned]:
        if rules.match:
            values = identity.attributes.get(rules.match, ())
            return await self._external(identity.connection, values[0]) if len(values) == 1 else []
        if found := await self._external(identity.connection, identity.subject):
            return found
        names = [identity.login]
        if identity.email and identity.email_verified:
            names.append(identity.email)
        keys = {folded(name) for name in names if name.strip()}
        return await self._accounts.unclaimed(identity.connection, "", keys)

    async def _external(self, connection: str, value: str) -> Sequence[Provisioned]:
        return await self._accounts.unclaimed(connection, value, ())
