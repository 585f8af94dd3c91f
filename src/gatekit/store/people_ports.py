"""People, the ways they sign in, their groups, and the links they are invited with.

Conventions as in ``ports``.
"""

from __future__ import annotations

import builtins
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from gatekit.model.people import (
    LOCAL,
    Group,
    GroupLine,
    GroupQuery,
    GroupRule,
    GroupWrite,
    Identity,
    Invite,
    Membership,
    PeopleQuery,
    PersonWrite,
    Pseudonym,
    User,
)


class Users(Protocol):
    """People. Writing methods record a change ``user:<id>``."""

    async def add(self, user: User, password_hash: str | None = None) -> None:
        """Adds the home identity as well. Raise ``Conflict`` if it or the username exists."""
        ...

    async def get(self, user_id: str) -> User | None: ...

    async def by_username(self, username: str) -> User | None: ...

    async def by_identity(self, connection: str, issuer: str, subject: str) -> User | None:
        """Whoever signs in that way, at home or linked."""
        ...

    async def by_email(self, email: str, limit: int) -> Sequence[User]:
        """Whose home address it is, A–Z as a–z, verified or not; at most ``limit``, by id."""
        ...

    async def list(self) -> list[User]:
        """All, by username. With many people: ``page``."""
        ...

    async def page(self, query: PeopleQuery) -> Sequence[User]:
        """Up to ``query.limit`` people, by username."""
        ...

    async def count(self, query: PeopleQuery) -> int:
        """How many there are on all pages together."""
        ...

    async def named(self, user_ids: Collection[str]) -> Mapping[str, str]:
        """Usernames by id; ids that are unknown are missing."""
        ...

    async def update(self, user: User) -> None:
        """Replace the row of ``user.id``. Raise ``NotFound``; raise ``Conflict`` if the username is taken, or
        if it is the last owner who can still come in and would be that no more."""
        ...

    async def write(self, batch: Sequence[PersonWrite]) -> None:
        """All of it or nothing: add those that are new, replace the others, set local groups.

        Raises what ``add`` and ``update`` do; ``NotFound`` for a group.
        """
        ...

    async def refresh(self, user: User) -> None:
        """Write what a provider says of somebody (login, address, name) and nothing else: whoever was
        disabled since ``user`` was read stays so. Raise ``NotFound``."""
        ...

    async def password_hash(self, user_id: str) -> str | None: ...

    async def set_password(self, user_id: str, password_hash: str, now: int) -> None: ...

    async def seen(self, user_id: str, now: int) -> None:
        """Note the time of a sign-in. Records no change."""
        ...

    async def delete(self, user_id: str) -> None:
        """Remove the row and everything that hangs on it (identities, memberships, invites, sessions, grants,
        keys). What relying parties are owed becomes due, and stays until they have been told.

        Raise ``NotFound``; raise ``Conflict`` for the last owner who can still come in.
        """
        ...


class Identities(Protocol):
    """Ways of signing in. Writing methods record a change ``user:<id>``, except ``seen``."""

    async def of_user(self, user_id: str) -> list[Identity]:
        """Oldest first."""
        ...

    async def find(self, connection: str, issuer: str, subject: str) -> Identity | None: ...

    async def add(self, identity: Identity) -> None:
        """Raise ``Conflict`` if it is somebody's already; ``NotFound`` if the person is gone."""
        ...

    async def update(self, identity: Identity) -> None:
        """Replace what the provider says, and ``upstream_sealed``. Whose it is does not change.

        Raise ``NotFound``.
        """
        ...

    async def seen(self, connection: str, issuer: str, subject: str, now: int) -> None:
        """Note the time of a sign-in. Records no change."""
        ...

    async def remove(self, identity: Identity) -> None:
        """Raise ``NotFound``; raise ``Conflict`` if it is the home identity of its person."""
        ...

    async def settle(self, identity: Identity) -> None:
        """Make it the home identity of its person: row and identity agree again.

        Raise ``NotFound`` if it is not an identity of that person.
        """
        ...


class Pseudonyms(Protocol):
    """What the audit shows instead of people who asked to be forgotten."""

    async def add(self, pseudonym: Pseudonym) -> None:
        """Replaces an earlier one of the same person."""
        ...

    async def list(self) -> list[Pseudonym]: ...


class Groups(Protocol):
    """Groups and memberships.

    Writing methods record a change ``user:<id>`` for each person whose memberships changed, and
    ``group:<name>`` when nesting, a rule or a group itself did.
    """

    async def names(self) -> list[str]:
        """Of local groups."""
        ...

    async def list(self, source: str | None = None) -> list[Group]:
        """By source and name."""
        ...

    async def page(self, query: GroupQuery) -> Sequence[GroupLine]:
        """Up to ``query.limit``, of every group that has a row or members."""
        ...

    async def get(self, name: str, source: str = LOCAL) -> Group | None: ...

    async def by_id(self, group_id: str) -> Group | None: ...

    async def create(self, group: Group) -> None:
        """Raise ``Conflict`` if its source has one of that name."""
        ...

    async def update(self, group: Group) -> None:
        """Replace the row of ``group.id``; under another name, its members are in that.

        Raise ``NotFound``, ``Conflict``; ``InvalidInput`` for another source, or another name of a local
        group: rules and the file mean it by its name.
        """
        ...

    async def delete(self, name: str, source: str = LOCAL) -> None:
        """With its memberships, its rule, and where it is nested. Raise ``NotFound``."""
        ...

    async def add(self, membership: Membership) -> None:
        """Idempotent. Raise ``NotFound`` for an unknown group of source ``local``."""
        ...

    async def remove(self, membership: Membership) -> bool: ...

    async def of_user(self, user_id: str) -> builtins.list[Membership]:
        """Direct ones."""
        ...

    async def members(self, name: str, source: str | None = None) -> builtins.list[Membership]:
        """Direct ones, of one source or of all that have a group of that name."""
        ...

    async def size(self, name: str, source: str) -> int:
        """How many direct members."""
        ...

    async def set_members(self, name: str, source: str, user_ids: Collection[str]) -> None:
        """Make these people its only direct members. Raise ``NotFound`` if one of them is unknown."""
        ...

    async def sizes(self) -> Mapping[tuple[str, str], int]:
        """(source, name) → how many direct members; of every group that has any, with a row or without."""
        ...

    async def replace_provider_groups(self, user_id: str, source: str, groups: Sequence[str]) -> None:
        """Set what one connection asserts about a person at a sign-in; other sources stay.

        Groups of that connection that have a row stay as well: the provider keeps their members itself.
        """
        ...

    async def nest(self, parent: str, child: str, now: int) -> bool:
        """Members of ``child`` count as members of ``parent``; both are local. False: so it was already.

        Raise ``NotFound``; raise ``Conflict`` if ``child`` holds ``parent``, directly or not.
        """
        ...

    async def unnest(self, parent: str, child: str) -> bool: ...

    async def nesting(self) -> Sequence[tuple[str, str]]:
        """Every (parent, child), sorted."""
        ...

    async def write(self, batch: Sequence[GroupWrite], now: int) -> None:
        """All of it or nothing. Raises what ``create``, ``update``, ``set_members`` and ``nest`` do."""
        ...

    async def rules(self) -> Sequence[GroupRule]:
        """By group."""
        ...

    async def set_rule(self, rule: GroupRule, now: int) -> None:
        """Replace the rule of a local group; without selectors it ends. Raise ``NotFound``."""
        ...


class Invites(Protocol):
    async def add(self, invite: Invite) -> None:
        """Earlier unused invites of the same person end."""
        ...

    async def get(self, token_hash: str, now: int) -> Invite | None:
        """The invite if it is unused and not expired."""
        ...

    async def consume(self, token_hash: str, now: int) -> Invite | None: ...
