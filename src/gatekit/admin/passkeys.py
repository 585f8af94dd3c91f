"""Passkeys of people: their own to add, theirs and an administrator's to remove."""

from __future__ import annotations

from collections.abc import Sequence

from gatekit.admin.desk import Actor, Desk, words
from gatekit.errors import Forbidden, InvalidInput
from gatekit.identity.passkeys import Made
from gatekit.model.passkeys import Passkey
from gatekit.model.people import LOCAL

MAX_PASSKEYS = 20
MAX_NAME = 60


class Passkeys(Desk):
    """Every method that changes something raises ``AdminError``, ``StoreError`` or ``AuditUnavailable``."""

    async def list(self, actor: Actor, username: str) -> Sequence[Passkey]:
        """Oldest first."""
        user = await self._whom(actor, "keys:read", username, own=True)
        return await self._store.passkeys.of_user(user.id)

    async def add(self, actor: Actor, username: str, made: Made, name: str) -> Passkey:
        """Nobody adds one to somebody else: whoever holds it is that person."""
        user = await self._whom(actor, "keys:write", username, own=True)
        if user.id != actor.id or user.connection != LOCAL:
            raise Forbidden("a passkey is for one's own account, and only for accounts of this gateway")
        name = " ".join(name.split())
        if not name or len(name) > MAX_NAME or not name.isprintable():
            raise InvalidInput(f"a passkey needs a name of at most {MAX_NAME} characters")
        if len(await self._store.passkeys.of_user(user.id)) >= MAX_PASSKEYS:
            raise InvalidInput(f"there are {MAX_PASSKEYS} passkeys; remove one first")
        passkey = Passkey(
            id=made.id,
            user_id=user.id,
            name=name,
            public_key=made.public_key,
            sign_count=made.sign_count,
            created_at=self._now(),
        )
        await self._store.passkeys.add(passkey)
        await self._record(actor, "passkey.add", user.username, after=words(name=name, id=made.id[:16]))
        return passkey

    async def not_made(self, actor: Actor, username: str, reason: str) -> None:
        """One was refused. Whoever has somebody's session may have tried."""
        await self._record(actor, "passkey.refuse", username, after=words(reason=reason))

    async def remove(self, actor: Actor, username: str, ident: str) -> None:
        """It opens nothing from now on; sessions that it began go on."""
        user = await self._whom(actor, "keys:write", username, own=True)
        await self._store.passkeys.remove(user.id, ident)
        await self._record(actor, "passkey.remove", user.username, before=words(id=ident[:16]))

    async def remove_all(self, actor: Actor, username: str) -> int:
        """For whoever lost theirs, or had one slipped in. How many there were."""
        user = await self._whom(actor, "keys:write", username)
        found = await self._store.passkeys.of_user(user.id)
        for passkey in found:
            await self._store.passkeys.remove(user.id, passkey.id)
        await self._record(actor, "passkey.remove-all", user.username, before=words(count=str(len(found))))
        return len(found)
