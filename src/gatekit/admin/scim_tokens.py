"""The tokens with which providers provision, and whom one of them opens.

A token belongs to one connection and reaches its people and groups, nothing else. Several may be good at
once, so that a provider can be given the next one before the last one ends.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from gatekit.admin.desk import Actor, Desk, words
from gatekit.errors import InvalidInput, NotFound
from gatekit.model.connections import Provisioning
from gatekit.model.ports import Clock
from gatekit.model.provisioning import ScimToken, is_live
from gatekit.platform.vault import token_hash
from gatekit.store.scim_ports import ScimTokens as Tokens

TOKEN_PREFIX = "gk_scim_"
MAX_SECONDS = 3 * 366 * 86400
MAX_TOKENS = 10
"""Good at once for one connection: what piles up is forgotten, and what is forgotten leaks."""
NOTE_EVERY = 300
"""Seconds between two notes that a token was used."""


class IssuedToken(Struct, frozen=True):
    """``text`` is shown this once and cannot be had again."""

    text: str
    token: ScimToken


class ScimTokens(Desk):
    """Every method that changes something raises ``AdminError``, ``StoreError`` or ``AuditUnavailable``."""

    async def create(self, actor: Actor, connection: str, valid_for: int = 0) -> IssuedToken:
        """``valid_for`` is in seconds; 0: until it is revoked."""
        self._may(actor, "connections:write")
        if not 0 <= valid_for <= MAX_SECONDS:
            raise InvalidInput(f"a token is good for at most {MAX_SECONDS // 86400} days, or without end")
        now = self._now()
        live = [token for token in await self._store.scim_tokens.list(connection) if is_live(token, now)]
        if len(live) >= MAX_TOKENS:
            raise InvalidInput(f"{connection} has {len(live)} tokens; revoke those that are not in use")
        text = self._entropy.token(TOKEN_PREFIX)
        token = ScimToken(
            id=self._entropy.ident("sct_"),
            connection=connection,
            token_hash=token_hash(text),
            hint=text[-4:],
            created_at=now,
            expires_at=now + valid_for if valid_for else 0,
        )
        await self._store.scim_tokens.add(token)
        after = words(id=token.id, expires_at=token.expires_at or "")
        await self._record(actor, "connection.scim_token", connection, after=after)
        return IssuedToken(text, token)

    async def list(self, actor: Actor, connection: str = "") -> Sequence[ScimToken]:
        self._may(actor, "connections:read")
        return await self._store.scim_tokens.list(connection)

    async def revoke(self, actor: Actor, token_id: str) -> ScimToken:
        self._may(actor, "connections:write")
        found = next((each for each in await self._store.scim_tokens.list() if each.id == token_id), None)
        if found is None:
            raise NotFound(f"there is no token {token_id}; `gatekit connections scim-token list` shows them")
        if await self._store.scim_tokens.revoke(token_id, self._now()):
            await self._record(actor, "connection.scim_token_revoke", found.connection, before=token_id)
        return found


class ScimBearer:
    """Which connection a presented token speaks for."""

    def __init__(
        self, tokens: Tokens, clock: Clock, connections: Callable[[], Mapping[str, Provisioning]]
    ) -> None:
        """``connections``: those over which people may be provisioned now."""
        self._tokens = tokens
        self._clock = clock
        self._connections = connections
        self._noted: dict[str, float] = {}

    async def connection_of(self, text: str) -> str | None:
        """None: it opens nothing. Raises ``StoreError``."""
        hashed, open_ones = token_hash(text), self._connections()
        # All are compared, each in constant time. A token that two have is nobody's.
        named = [
            name
            for name, provisioning in open_ones.items()
            if hmac.compare_digest(token_hash(provisioning.token), hashed) and provisioning.token
        ]
        if named:
            return named[0] if len(named) == 1 else None
        token = await self._tokens.by_hash(hashed)
        if token is None or not is_live(token, self._clock.now()) or token.connection not in open_ones:
            return None
        await self._note(token)
        return token.connection

    async def _note(self, token: ScimToken) -> None:
        now = self._clock.monotonic()
        if now - self._noted.get(token.id, -NOTE_EVERY) >= NOTE_EVERY:
            self._noted[token.id] = now
            await self._tokens.used(token.id, int(self._clock.now()))
