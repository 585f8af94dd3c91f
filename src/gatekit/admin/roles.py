"""What somebody may do to others: the role in their row, and the one that the file gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec.structs import replace

from gatekit.admin.desk import Actor, Desk
from gatekit.admin.permissions import higher, rank
from gatekit.errors import Forbidden, InvalidInput
from gatekit.identity.directory import as_principal
from gatekit.model.connections import ConnectionRules
from gatekit.model.people import SERVICE, SERVICE_ACCOUNT, Principal, Role, User
from gatekit.store.ports import Store


class RolePolicy(Protocol):
    """``policy.engine.Policy``."""

    def role(self, principal: Principal) -> Role: ...

    def role_of_group(self, group: str) -> Role: ...


class EffectiveRoles:
    """Implements ``admin.desk.Roles``."""

    def __init__(
        self,
        store: Store,
        policy: Callable[[], RolePolicy],
        rules: Callable[[str], ConnectionRules] = lambda _: ConnectionRules(),
    ) -> None:
        """``rules``: of a connection, by its name, now."""
        self._rules = rules
        self._store = store
        self._policy = policy

    async def of(self, user: User) -> Role:
        # From the store and not from the directory: it knows nobody who is disabled or not stored yet.
        memberships = await self._store.groups.of_user(user.id)
        identities = await self._store.identities.of_user(user.id)
        principal = as_principal(user, memberships, identities, self._rules)
        return higher(user.role, self._policy().role(principal))

    def of_group(self, group: str) -> Role:
        return self._policy().role_of_group(group)


class RoleDesk(Desk):
    """Every method that changes something raises ``AdminError``, ``StoreError`` or ``AuditUnavailable``."""

    async def set(self, actor: Actor, username: str, role: Role) -> User:
        """Give somebody another role.

        Nobody changes their own. An admin makes auditors of members and the reverse; everything above that
        is an owner's. The last owner stays one (``Conflict``).
        """
        user = await self._whom(actor, "roles:write", username)
        check_role(actor, user, await self._roles.of(user), role)
        if user.role == role:
            return user
        changed = replace(user, role=role, updated_at=self._now())
        await self._store.users.update(changed)
        await self._record(actor, "user.role", user.username, before=user.role, after=role)
        return changed


def check_role(actor: Actor, user: User, now: Role, role: Role) -> None:
    """Whether ``actor``, who may give roles at all, may give this one. ``now`` is what the person is."""
    if actor.id == user.id:
        raise Forbidden("nobody changes their own role")
    if actor.role != "owner" and rank(higher(role, now)) > rank("auditor"):
        raise Forbidden("only an owner makes admins and owners, and unmakes them")
    if user.connection == SERVICE or (user.connection == SERVICE_ACCOUNT and role == "owner"):
        raise InvalidInput(f"{user.username} is no person and cannot be {role}")
