"""Who stands behind an admin key at this moment, and what they may do.

A key is a name and a bound, and no power of its own: at every request its owner is looked at anew, with the
same function that judges every other credential, and with the role that they have now.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

from msgspec import Struct

from gatekit.admin.admin_keys import ADMIN_KEY_PREFIX, SCOPES
from gatekit.admin.desk import Actor, Roles
from gatekit.identity.standing import Standings
from gatekit.model.access import Inactive
from gatekit.model.admin_keys import AdminKey
from gatekit.model.ports import Clock
from gatekit.platform.vault import token_hash
from gatekit.store.api_ports import AdminKeys

NOTED_EVERY = 60
"""Seconds between two notes of when a key was used."""


class Admitted(Struct, frozen=True):
    key: AdminKey
    actor: Actor
    token: str


class Turned(Struct, frozen=True):
    """``reason`` goes to the audit: whoever tries keys learns nothing from it."""

    reason: str
    user_id: str = ""
    username: str = ""
    key_id: str = ""


class Entry:
    """Judges what a program presents."""

    def __init__(
        self,
        keys: AdminKeys,
        standings: Standings,
        roles: Roles,
        clock: Clock,
    ) -> None:
        """``roles``: what somebody is now, by their row or by the file."""
        self._keys = keys
        self._standings = standings
        self._roles = roles
        self._clock = clock

    async def judge(self, token: str, address: str, request_id: str = "") -> Admitted | Turned:
        """Raises ``StoreError``."""
        if not token.startswith(ADMIN_KEY_PREFIX):
            return Turned("not an admin key")
        key = await self._keys.by_hash(token_hash(token))
        if key is None:
            return Turned("the admin key is unknown")
        now = self._clock.now()
        if reason := _refusal(key, address, now):
            return Turned(reason, key.user_id, key_id=key.id)
        found = await self._standings.person(key.user_id, now)
        if isinstance(found, Inactive):
            return Turned(found.reason, key.user_id, found.username, key.id)
        if key.last_used_at is None or now - key.last_used_at >= NOTED_EVERY:
            await self._keys.used(key.id, int(now))
        # A scope that this version does not know any more opens nothing.
        scopes = frozenset(scope for scope in SCOPES if scope in key.scopes)
        role = await self._roles.of(found.user)
        actor = Actor(
            found.user.username,
            "api",
            found.user.id,
            role,
            scopes,
            request_id=request_id,
            address=address,
            credential_id=key.id,
        )
        return Admitted(key, actor, token)


def _refusal(key: AdminKey, address: str, now: float) -> str:
    if key.revoked_at is not None:
        return "the admin key was revoked"
    if key.expires_at <= now:
        return "the admin key has expired"
    if key.addresses and not _within(address, key.addresses):
        return "the admin key is not for this address"
    return ""


def _within(address: str, networks: tuple[str, ...]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in ip_network(network) for network in networks)
