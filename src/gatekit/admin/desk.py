"""What every use case needs: who acts, where it is recorded, and how names are looked up."""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Struct

from gatekit.admin.permissions import Permission, permissions_of, permitted, rank
from gatekit.errors import Forbidden, NotFound
from gatekit.identity.names import canonical_username
from gatekit.model.audit import AdminEvent, AuditEvent
from gatekit.model.people import Role, User
from gatekit.model.ports import Clock, Entropy
from gatekit.store.ports import Store

Door = Literal["cli", "file", "api", "page", "scim", "provider"]
"""``scim``: a directory provisions; ``provider``: an identity provider says that somebody is out."""


class Actor(Struct, frozen=True):
    """Who asks, and through which door."""

    name: str
    door: Door
    id: str = ""
    """Empty for an operator at the command line, and for a directory."""
    role: Role = "member"
    scopes: frozenset[Permission] | None = None
    """What the key they came with is good for; None: for all that the role may."""
    request_id: str = ""
    address: str = ""
    """Of the request and its network peer; empty at the command line."""
    credential_id: str = ""
    """The admin key, if they came with one."""


def operator(name: str) -> Actor:
    """Whoever can write the data directory at the command line: nothing could be kept from them."""
    return Actor(name, "cli", role="owner")


class Roles(Protocol):
    """``admin.roles.EffectiveRoles``."""

    async def of(self, user: User) -> Role:
        """The higher of the role in the row and the one in the file; also of who is not stored yet."""
        ...

    def of_group(self, group: str) -> Role:
        """What the file makes of the members of a local group."""
        ...


class _RowRoles:
    async def of(self, user: User) -> Role:
        return user.role

    def of_group(self, group: str) -> Role:  # noqa: ARG002
        return "member"


class Audit(Protocol):
    """``audit.recorder.Recorder``."""

    async def write(self, event: AuditEvent) -> None:
        """Return when the record is safe; raise ``AuditUnavailable`` if it cannot be made so."""
        ...


class Desk:
    """Base of the use cases."""

    def __init__(
        self, store: Store, audit: Audit, clock: Clock, entropy: Entropy, roles: Roles | None = None
    ) -> None:
        """``roles``: whoever knows what the file says. Doors at which others than the operator stand need it,
        to know whom those may not touch."""
        self._roles: Roles = roles or _RowRoles()
        self._store = store
        self._audit = audit
        self._clock = clock
        self._entropy = entropy

    def _now(self) -> int:
        return int(self._clock.now())

    def _may(self, actor: Actor, permission: Permission) -> None:
        """The first line of every use case. Raises ``Forbidden``."""
        if not permitted(actor.role, permission):
            raise Forbidden(f"{actor.name} may not do this: it needs the permission {permission}")
        if actor.scopes is not None and permission not in actor.scopes:
            raise Forbidden(f"this key is not good for {permission}")

    async def _whom(self, actor: Actor, permission: Permission, username: str, *, own: bool = False) -> User:
        """The same for one person, who is returned. Nobody changes anything of somebody of a higher role.

        With ``own``, everybody may do it to themselves; but not with a key that was made for other things.
        Raises ``Forbidden``, and only to who may ask ``NotFound``.
        """
        if own and actor.id and actor.scopes is None:
            user = await self._store.users.get(actor.id)
            if user is not None and user.username == canonical_username(username):
                return user
        self._may(actor, permission)
        user = await self._person(username)
        await self._outranks(actor, permission, user)
        return user

    async def _outranks(self, actor: Actor, permission: Permission, user: User) -> None:
        if permission.endswith(":write") and rank(await self._roles.of(user)) > rank(actor.role):
            raise Forbidden(f"{user.username} has a higher role than {actor.name}")

    async def _gives(self, actor: Actor, user: User) -> None:
        """Before somebody is made or changed: their name or address must not make them more than the actor
        may make anybody (the file gives roles by name, by address and by group)."""
        self._grants(actor, await self._roles.of(user), user.username)

    async def _opens_for(self, actor: Actor, user: User) -> None:
        """Before somebody gets another way in: whoever makes it could go in by it themselves, and a key that
        is good for less than that person may do would become more than its scopes (checklist I24)."""
        if actor.scopes is None:
            return
        if not permissions_of(await self._roles.of(user)) <= actor.scopes:
            raise Forbidden(f"{user.username} may do more than this key, and it would be a way to be them")

    def _gives_group(self, actor: Actor, group: str) -> None:
        """Before who is in a group changes."""
        self._grants(actor, self._roles.of_group(group), f"who is in {group}")

    def _grants(self, actor: Actor, role: Role, what: str) -> None:
        if actor.role != "owner" and rank(role) > rank("auditor"):
            raise Forbidden(f"{what} has the role {role}, and only an owner may give or take that")
        if actor.scopes is not None and "roles:write" not in actor.scopes and role != "member":
            raise Forbidden(f"{what} has the role {role}, and this key is not good for roles:write")

    async def _person(self, username: str) -> User:
        user = await self._store.users.by_username(canonical_username(username))
        if user is None:
            raise NotFound(f"there is no person called {username}; `gatekit users list` shows who there is")
        return user

    async def _record(
        self, actor: Actor, action: str, target: str, before: str = "", after: str = ""
    ) -> None:
        await self._audit.write(
            AdminEvent(
                at=self._clock.now(),
                principal_id=actor.id,
                principal=actor.name,
                action=action,
                target=target,
                before=before,
                after=after,
                door=actor.door,
                request_id=actor.request_id,
                address=actor.address,
                credential_id=actor.credential_id,
            )
        )


def words(**facts: object) -> str:
    """``groups=dev,sre email=a@example.com`` for a record; facts that say nothing are left out."""
    return " ".join(f"{name}={value}" for name, value in facts.items() if value not in ("", None))
