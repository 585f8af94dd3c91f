"""Keys for programs of administrators: they open ``/api/v1`` and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network
from typing import Literal

from msgspec import Struct

from gatekit.admin.desk import Actor, Desk, words
from gatekit.admin.permissions import PERMISSIONS, Permission, permitted
from gatekit.errors import Conflict, Forbidden, InvalidInput, NotFound
from gatekit.model.admin_keys import AdminKey
from gatekit.model.people import SERVICE, SERVICE_ACCOUNT, User
from gatekit.platform.vault import token_hash

ADMIN_KEY_PREFIX = "gk_adm_"
DEFAULT_SECONDS = 90 * 86400
MAX_SECONDS = 366 * 86400
MAX_NAME = 100
MAX_ADDRESSES = 20
SCOPES: tuple[Permission, ...] = PERMISSIONS
READING: tuple[Permission, ...] = tuple(scope for scope in SCOPES if scope.endswith(":read"))


class IssuedAdminKey(Struct, frozen=True):
    """``token`` is shown this once and cannot be had again."""

    token: str
    key: AdminKey
    owner: User


class AdminKeyView(Struct, frozen=True):
    key: AdminKey
    owner: str
    """Username."""
    state: Literal["active", "expired", "revoked"]


class AdminKeys(Desk):
    """Every method that changes something raises ``AdminError``, ``StoreError`` or ``AuditUnavailable``."""

    async def create(
        self,
        actor: Actor,
        username: str,
        *,
        name: str,
        scopes: Sequence[str],
        valid_for: int = DEFAULT_SECONDS,
        addresses: Sequence[str] = (),
    ) -> IssuedAdminKey:
        """Make a key for somebody's programs. ``valid_for`` is in seconds, at most 366 days.

        A key never gives more than whoever makes it has, and is made for oneself or for a service account:
        what it does is recorded under its owner's name. The operator at the command line may make any.
        """
        owner = await self._whom(actor, "admin_keys:write", username, own=True)
        _check_name(name)
        if not 0 < valid_for <= MAX_SECONDS:
            raise InvalidInput("an admin key is good for at most a year (366d)")
        chosen, networks = _scopes(actor, scopes), _networks(addresses)
        if owner.disabled:
            raise Conflict(f"{owner.username} is disabled; `gatekit users enable {owner.username}` first")
        if owner.connection == SERVICE:
            raise InvalidInput(f"{owner.username} is a client and administrates nothing")
        if actor.id and actor.id != owner.id and owner.connection != SERVICE_ACCOUNT:
            raise Forbidden("an admin key is made by whoever it belongs to, or by the operator")
        token, now = self._entropy.token(ADMIN_KEY_PREFIX), self._now()
        key = AdminKey(
            id=self._entropy.ident("adm_"),
            token_hash=token_hash(token),
            user_id=owner.id,
            name=name.strip(),
            scopes=chosen,
            addresses=networks,
            hint=token[-4:],
            created_at=now,
            expires_at=now + valid_for,
        )
        await self._store.admin_keys.add(key)
        await self._record(actor, "admin_key.create", key.id, after=_facts(key, owner.username))
        return IssuedAdminKey(token, key, owner)

    async def list(self, actor: Actor, username: str | None = None) -> Sequence[AdminKeyView]:
        """Of everybody, or of one person; oldest first."""
        owner = None
        if username is not None:
            owner = await self._whom(actor, "admin_keys:read", username, own=True)
        else:
            self._may(actor, "admin_keys:read")
        keys = await self._store.admin_keys.list(owner.id if owner else None)
        names = await self._store.users.named({key.user_id for key in keys})
        return [AdminKeyView(key, names.get(key.user_id, key.user_id), self._state(key)) for key in keys]

    async def show(self, actor: Actor, key_id: str) -> AdminKeyView:
        self._may(actor, "admin_keys:read")
        key, owner = await self._key(key_id)
        return AdminKeyView(key, owner.username, self._state(key))

    async def revoke(self, actor: Actor, key_id: str) -> AdminKeyView:
        """End a key at once and for good. Its owner may always do that on their own page."""
        found = await self._store.admin_keys.get(key_id)
        own = found is not None and found.user_id == actor.id and actor.scopes is None
        if not own:
            self._may(actor, "admin_keys:write")
        key, owner = await self._key(key_id)
        if not own:
            await self._outranks(actor, "admin_keys:write", owner)
        if not await self._store.admin_keys.revoke(key_id, self._now()):
            raise Conflict(f"the admin key {key_id} was revoked already")
        before = _facts(key, owner.username)
        await self._record(actor, "admin_key.revoke", key_id, before=before, after="revoked")
        return AdminKeyView(key, owner.username, "revoked")

    async def _key(self, key_id: str) -> tuple[AdminKey, User]:
        key = await self._store.admin_keys.get(key_id)
        owner = await self._store.users.get(key.user_id) if key is not None else None
        if key is None or owner is None:
            raise NotFound(f"there is no admin key {key_id}; `gatekit admin-keys list` shows which there are")
        return key, owner

    def _state(self, key: AdminKey) -> Literal["active", "expired", "revoked"]:
        if key.revoked_at is not None:
            return "revoked"
        return "expired" if key.expires_at <= self._now() else "active"


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise InvalidInput(f"an admin key needs a name of 1 to {MAX_NAME} printable characters")


def _scopes(actor: Actor, wanted: Sequence[str]) -> tuple[str, ...]:
    """In the order of the list; all of them exist, and whoever makes the key has them."""
    if not wanted:
        raise InvalidInput("an admin key needs at least one scope")
    for name in wanted:
        if name not in SCOPES:
            raise InvalidInput(f"there is no scope {name} (there are: {', '.join(SCOPES)})")
    chosen = [scope for scope in SCOPES if scope in wanted]
    for scope in chosen:
        if not permitted(actor.role, scope) or (actor.scopes is not None and scope not in actor.scopes):
            raise Forbidden(f"nobody gives what they do not have: {scope}")
    return tuple(chosen)


def _networks(addresses: Sequence[str]) -> tuple[str, ...]:
    if len(addresses) > MAX_ADDRESSES:
        raise InvalidInput(f"an admin key may name at most {MAX_ADDRESSES} networks")
    try:
        return tuple(str(ip_network(text)) for text in addresses)
    except ValueError as error:
        raise InvalidInput(f"expected a network like 192.0.2.0/24: {error}") from None


def _facts(key: AdminKey, owner: str) -> str:
    return words(
        owner=owner,
        name=key.name,
        scopes=",".join(key.scopes),
        addresses=",".join(key.addresses),
        expires_at=key.expires_at,
    )
