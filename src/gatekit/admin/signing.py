"""The keys that sign tokens: look at them, publish the next, end one that leaked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gatekit.admin.desk import Actor, Audit, Desk, words
from gatekit.errors import Conflict, NotFound
from gatekit.model.oauth import SigningKey
from gatekit.model.ports import Clock, Entropy
from gatekit.store.ports import Store

ACCESS_TOKENS = "access-token"
"""The purpose that every gateway has a key for."""


class SigningKeys(Desk):
    """Every method that changes something raises ``AdminError``, ``StoreError`` or ``AuditUnavailable``.

    Running gateways follow within a second: they read their keys anew when one was added or ended.
    """

    def __init__(
        self,
        store: Store,
        audit: Audit,
        clock: Clock,
        entropy: Entropy,
        make: Callable[[str, int], SigningKey],
    ) -> None:
        """``make``: a fresh key for a purpose, made at a time."""
        super().__init__(store, audit, clock, entropy)
        self._make = make

    async def list(self, actor: Actor) -> Sequence[SigningKey]:
        """Of every purpose; newest first, retired ones included."""
        self._may(actor, "signing_keys:read")
        return sorted(await self._store.signing_keys.list(), key=lambda key: key.purpose)

    async def rotate(self, actor: Actor) -> Sequence[SigningKey]:
        """Publish the next key of every purpose that has one. The old ones stay for as long as needed."""
        self._may(actor, "signing_keys:write")
        living = [key for key in await self._store.signing_keys.list() if key.retired_at is None]
        purposes = dict.fromkeys([ACCESS_TOKENS, *(key.purpose for key in living if _is_ours(key))])
        return [await self._publish(actor, purpose) for purpose in purposes]

    async def succeed(self, actor: Actor, made: Sequence[SigningKey]) -> None:
        """Publish the next keys of SAML, which the caller made: they carry certificates. One waits at most:
        it signs when the old one is retired, and both read until then."""
        self._may(actor, "signing_keys:write")
        for key in made:
            others = await self._store.signing_keys.list(key.purpose)
            living = [other for other in others if other.retired_at is None]
            if len(living) > 1:
                ending = f"`gatekit signing-keys retire {living[-1].kid[:12]}` ends the old one"
                raise Conflict(
                    f"a key of {key.purpose} waits already; {ending}, once every provider has both"
                )
        for key in made:
            await self._store.signing_keys.add(key)
            await self._record(actor, "signing_key.publish", key.kid, after=words(purpose=key.purpose))

    async def retire(self, actor: Actor, kid: str) -> SigningKey | None:
        """End a key at once: nothing it signed counts any more. Return its successor, if one had to be made.

        ``kid`` may be cut to any beginning that is unique.
        """
        self._may(actor, "signing_keys:write")
        key = await self._find(kid)
        if key.retired_at is not None:
            raise Conflict(f"the key {key.kid} is retired already")
        others = await self._store.signing_keys.list(key.purpose)
        left = [other for other in others if other.retired_at is None and other.kid != key.kid]
        # First the successor: there is no moment without a key to sign with.
        successor = None if left or not _is_ours(key) else await self._publish(actor, key.purpose)
        await self._store.signing_keys.retire(key.kid, self._now())
        await self._record(actor, "signing_key.retire", key.kid, before=words(purpose=key.purpose))
        return successor

    async def _find(self, kid: str) -> SigningKey:
        found = [key for key in await self._store.signing_keys.list() if key.kid.startswith(kid)]
        exact = [key for key in found if key.kid == kid]
        if len(found) > 1 and not exact:
            raise Conflict(f"{len(found)} keys begin with {kid}; write more of it")
        if not found or not kid:
            raise NotFound(f"there is no key {kid}; `gatekit signing-keys list` shows which there are")
        return (exact or found)[0]

    async def _publish(self, actor: Actor, purpose: str) -> SigningKey:
        key = self._make(purpose, self._now())
        await self._store.signing_keys.add(key)
        await self._record(actor, "signing_key.publish", key.kid, after=words(purpose=purpose))
        return key


def _is_ours(key: SigningKey) -> bool:
    """Whether it is one that we publish at /jwks. Those of SAML stand in metadata that others have imported,
    with a certificate each: ``identity.saml.keys`` makes them."""
    return not key.purpose.startswith("saml-")
