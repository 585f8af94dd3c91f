"""API keys, for clients that cannot do OAuth."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from msgspec import Struct

from gatekit.admin.desk import Actor, Desk
from gatekit.errors import Conflict, InvalidInput, NotFound
from gatekit.model.audit import KeyEvent
from gatekit.model.oauth import ApiKey, KeyQuery
from gatekit.model.people import SERVICE
from gatekit.platform.vault import token_hash

KEY_PREFIX = "gk_key_"
DEFAULT_SECONDS = 90 * 86400
MAX_SECONDS = 366 * 86400
MAX_NAME = 100


class IssuedKey(Struct, frozen=True):
    """``token`` is shown this once and cannot be had again."""

    token: str
    key: ApiKey
    owner: str


class KeyView(Struct, frozen=True):
    key: ApiKey
    owner: str
    """Username."""
    state: Literal["active", "expired", "revoked"]


class Keys(Desk):
    """Every method that changes something raises ``AdminError``, ``StoreError`` or ``AuditUnavailable``."""

    async def create(
        self,
        actor: Actor,
        username: str,
        *,
        name: str,
        servers: Sequence[str] = (),
        valid_for: int = DEFAULT_SECONDS,
        read_only: bool = False,
        known_servers: Collection[str] | None = None,
    ) -> IssuedKey:
        """Make a key that opens ``servers`` (none named: every server its owner may use, now and later).

        A key that is ``read_only`` calls nothing. ``valid_for`` is in seconds, at most 366 days. If
        ``known_servers`` is given, ``servers`` must be among them: a key for a server with a slip of the
        pen in its name would be a riddle later.
        """
        owner = await self._whom(actor, "keys:write", username, own=True)
        if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
            raise InvalidInput(f"a key needs a name of 1 to {MAX_NAME} printable characters")
        if not 0 < valid_for <= MAX_SECONDS:
            raise InvalidInput("a key is good for at most a year (366d)")
        unknown = [server for server in servers if known_servers is not None and server not in known_servers]
        if unknown:
            there = ", ".join(sorted(known_servers or ())) or "none"
            raise NotFound(f"there is no server {unknown[0]} (there are: {there})")
        if owner.disabled:
            raise Conflict(f"{owner.username} is disabled; `gatekit users enable {owner.username}` first")
        if owner.connection == SERVICE:
            raise InvalidInput(f"{owner.username} is a client and has credentials of its own")
        token, now = self._entropy.token(KEY_PREFIX), self._now()
        key = ApiKey(
            id=self._entropy.ident("key_"),
            token_hash=token_hash(token),
            user_id=owner.id,
            name=name.strip(),
            servers=tuple(dict.fromkeys(servers)),
            hint=token[-4:],
            created_at=now,
            expires_at=now + valid_for,
            read_only=read_only,
        )
        await self._store.api_keys.add(key)
        await self._note(actor, "created", key, owner.username)
        return IssuedKey(token, key, owner.username)

    async def list(self, actor: Actor, username: str | None = None) -> Sequence[KeyView]:
        """Of everybody, or of one person; oldest first."""
        owner = None
        if username is not None:
            owner = await self._whom(actor, "keys:read", username, own=True)
        else:
            self._may(actor, "keys:read")
        keys = await self._store.api_keys.list(owner.id if owner else None)
        owners = {key.user_id for key in keys}
        names = {owner.id: owner.username} if owner else await self._store.users.named(owners)
        return [KeyView(key, names.get(key.user_id, key.user_id), self._state(key)) for key in keys]

    async def page(
        self,
        actor: Actor,
        username: str | None = None,
        *,
        state: Literal["", "active", "expired", "revoked"] = "",
        after: str = "",
        limit: int = 100,
    ) -> Sequence[KeyView]:
        """Up to ``limit`` by id, those after the id ``after``."""
        owner = None
        if username is not None:
            owner = await self._whom(actor, "keys:read", username, own=True)
        else:
            self._may(actor, "keys:read")
        query = KeyQuery(after=after, limit=limit, user_id=owner.id if owner else "", state=state)
        keys = await self._store.api_keys.page(query, self._now())
        names = await self._store.users.named({key.user_id for key in keys})
        return [KeyView(key, names.get(key.user_id, key.user_id), self._state(key)) for key in keys]

    async def show(self, actor: Actor, key_id: str) -> KeyView:
        self._may(actor, "keys:read")
        key = await self._store.api_keys.get(key_id)
        owner = await self._store.users.get(key.user_id) if key is not None else None
        if key is None or owner is None:
            raise NotFound(f"there is no key {key_id}; `gatekit keys list` shows which there are")
        return KeyView(key, owner.username, self._state(key))

    async def revoke(self, actor: Actor, key_id: str) -> ApiKey:
        """End a key at once and for good."""
        key = await self._store.api_keys.get(key_id)
        own = key is not None and key.user_id == actor.id and actor.scopes is None
        if not own:
            self._may(actor, "keys:write")
        owner = await self._store.users.get(key.user_id) if key is not None else None
        if key is None or owner is None:
            raise NotFound(f"there is no key {key_id}; `gatekit keys list` shows which there are")
        if not own:
            await self._outranks(actor, "keys:write", owner)
        if not await self._store.api_keys.revoke(key_id, self._now()):
            raise Conflict(f"the key {key_id} was revoked already")
        await self._note(actor, "revoked", key, owner.username)
        return key

    def _state(self, key: ApiKey) -> Literal["active", "expired", "revoked"]:
        if key.revoked_at is not None:
            return "revoked"
        return "expired" if key.expires_at <= self._now() else "active"

    async def _note(
        self, actor: Actor, action: Literal["created", "revoked"], key: ApiKey, owner: str
    ) -> None:
        await self._audit.write(
            KeyEvent(
                at=self._clock.now(),
                principal_id=actor.id,
                principal=actor.name,
                action=action,
                key_id=key.id,
                name=key.name,
                owner=owner,
                servers=key.servers,
                expires_at=key.expires_at,
                read_only=key.read_only,
                request_id=actor.request_id,
                address=actor.address,
                credential_id=actor.credential_id,
            )
        )
