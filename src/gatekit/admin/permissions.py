"""Who may do what to others. One table; every use case asks it through ``Desk``.

Three rules stand beside it: nobody acts on somebody of a higher role, nobody changes their own role, and the
last owner stays (the store sees to that one, because two owners could remove each other at one moment).
"""

from __future__ import annotations

from typing import Literal, get_args

from gatekit.model.people import ROLES, Role

Permission = Literal[
    "people:read",
    "people:write",
    "roles:write",
    "groups:read",
    "groups:write",
    "keys:read",
    "keys:write",
    "clients:read",
    "clients:write",
    "grants:read",
    "grants:write",
    "sessions:read",
    "sessions:write",
    "connections:read",
    "connections:write",
    "admin_keys:read",
    "admin_keys:write",
    "signing_keys:read",
    "signing_keys:write",
    "servers:read",
    "pins:read",
    "pins:write",
    "rules:read",
    "rules:write",
    "approvals:read",
    "approvals:write",
    "requests:read",
    "requests:write",
    "audit:read",
]

PERMISSIONS: tuple[Permission, ...] = get_args(Permission)

_READ: frozenset[Permission] = frozenset(name for name in PERMISSIONS if name.endswith(":read"))
_OWNERS: frozenset[Permission] = frozenset({"signing_keys:write", "connections:write"})
"""What ends or forges everybody's tokens, and what says who anybody is: whoever adds a provider of their own
can be every address that a list or a role names."""

_TABLE: dict[Role, frozenset[Permission]] = {
    "member": frozenset(),
    "auditor": _READ,
    # `roles:write` of an admin reaches up to auditors only, see ``admin.roles``.
    "admin": frozenset(PERMISSIONS) - _OWNERS,
    "owner": frozenset(PERMISSIONS),
}


def permitted(role: Role, permission: Permission) -> bool:
    """Whether somebody of this role may do it at all."""
    return permission in _TABLE[role]


def permissions_of(role: Role) -> frozenset[Permission]:
    """Everything that a role may do."""
    return _TABLE[role]


def rank(role: Role) -> int:
    """0 for a member; the higher, the more."""
    return ROLES.index(role)


def higher(one: Role, other: Role) -> Role:
    """Whichever of two roles may do more."""
    return max(one, other, key=rank)
