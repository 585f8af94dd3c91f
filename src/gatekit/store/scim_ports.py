"""What providers keep here by SCIM: accounts of people, groups with versions, and their tokens.

Conventions as in ``ports``. Every method takes the connection that asks, and knows nothing of another's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from gatekit.model.people import Group, Identity, User
from gatekit.model.provisioning import Account, Provisioned, ProvisionedGroup, SavedGroup, ScimToken


class Accounts(Protocol):
    """People whose home is a connection. Writing methods record a change ``user:<id>``."""

    async def add(self, user: User, account: Account) -> None:
        """A person with their home identity. Raise ``Conflict`` if a name is taken: ``by_user_key`` says
        whether it is the one at the provider."""
        ...

    async def adopt(self, account: Account) -> bool:
        """An account for somebody who is a person of the connection already. False: there is one, or its
        name is taken."""
        ...

    async def save(self, before: Provisioned, user: User, account: Account) -> None:
        """Compare-and-swap: replace both if neither has changed since ``before``: what an administrator did
        to the person meanwhile must not be undone.

        Raise ``NotFound``; ``Outpaced``; ``Conflict`` if a name is taken or the last owner would go.
        """
        ...

    async def delete(self, connection: str, user_id: str, version: int | None) -> None:
        """Remove the person and everything that hangs on them, if ``version`` is theirs or None.

        Raise ``NotFound``, ``Outpaced``, ``Conflict`` as ``save`` does.
        """
        ...

    async def get(self, connection: str, user_id: str) -> Provisioned | None: ...

    async def by_user_key(self, connection: str, user_key: str) -> Provisioned | None: ...

    async def by_external_id(self, connection: str, external_id: str) -> Sequence[Provisioned]: ...

    async def page(self, connection: str, after: str, skip: int, limit: int) -> Sequence[Provisioned]:
        """By id, those after ``after``."""
        ...

    async def count(self, connection: str) -> int: ...

    async def without(
        self, connection: str, limit: int, *, user_id: str = "", login: str = ""
    ) -> Sequence[User]:
        """People of the connection that have no account yet: all, that one, or those of that login."""
        ...

    async def unclaimed(
        self, connection: str, external_id: str, keys: Collection[str]
    ) -> Sequence[Provisioned]:
        """Who has not signed in yet, and has that ``external_id`` (not empty) or one of those keys."""
        ...

    async def claim(self, identity: Identity, now: int) -> bool:
        """Compare-and-swap: make ``identity`` the home identity of its person, who had none but the
        provisioned one. True for exactly one caller."""
        ...


class ScimGroups(Protocol):
    """Groups of a connection that have a row. Writing methods record ``group:<name>`` and ``user:<id>``."""

    async def add(self, group: Group, members: Collection[str]) -> None:
        """Raise ``Conflict`` if the connection has one of that name; ``NotFound`` for somebody who is not a
        person of the connection."""
        ...

    async def save(
        self,
        group: Group,
        version: int | None,
        *,
        join: Collection[str] = (),
        leave: Collection[str] = (),
    ) -> SavedGroup:
        """Compare-and-swap as ``Accounts.save``; ``version`` None: whatever it is.

        Who joins and is in it already, or leaves and is not, does not matter, and if nothing else changes the
        version stays. Raise ``NotFound`` as ``add`` does.
        """
        ...

    async def delete(self, connection: str, group_id: str, version: int | None) -> None: ...

    async def get(self, connection: str, group_id: str) -> ProvisionedGroup | None: ...

    async def by_name(self, connection: str, name: str) -> ProvisionedGroup | None: ...

    async def by_external_id(self, connection: str, external_id: str) -> Sequence[ProvisionedGroup]: ...

    async def page(
        self, connection: str, after: str, skip: int, limit: int
    ) -> Sequence[ProvisionedGroup]: ...

    async def count(self, connection: str) -> int: ...

    async def members(self, connection: str, name: str) -> Sequence[str]:
        """Ids, in their order."""
        ...

    async def of_users(self, connection: str, user_ids: Collection[str]) -> Mapping[str, Sequence[Group]]:
        """Provisioned groups by member; who is in none is missing."""
        ...


class ScimTokens(Protocol):
    """``revoke`` takes effect with the next request: nothing keeps tokens in memory."""

    async def add(self, token: ScimToken) -> None: ...

    async def by_hash(self, token_hash: str) -> ScimToken | None: ...

    async def list(self, connection: str = "") -> Sequence[ScimToken]:
        """Oldest first; of every connection if none is named."""
        ...

    async def revoke(self, token_id: str, now: int) -> bool: ...

    async def used(self, token_id: str, now: int) -> None: ...
