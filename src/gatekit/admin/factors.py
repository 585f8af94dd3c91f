"""Second factors of people: their own to set up, theirs and an administrator's to take away."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from gatekit.admin.desk import Actor, Audit, Desk, Roles, words
from gatekit.errors import Forbidden
from gatekit.identity.second_factor import SecondFactors, Setup
from gatekit.model.factors import Totp
from gatekit.model.passkeys import Passkey
from gatekit.model.people import LOCAL, User
from gatekit.model.ports import Clock, Entropy
from gatekit.store.ports import Store


class FactorsView(Struct, frozen=True, kw_only=True):
    totp: Totp | None
    codes_left: int
    passkeys: Sequence[Passkey]


class Factors(Desk):
    """Every method that changes something raises ``AdminError``, ``StoreError`` or ``AuditUnavailable``."""

    async def show(self, actor: Actor, username: str) -> FactorsView:
        """What there is, and no secret."""
        user = await self._whom(actor, "keys:read", username, own=True)
        return FactorsView(
            totp=await self._store.factors.get(user.id),
            codes_left=await self._store.factors.codes_left(user.id),
            passkeys=await self._store.passkeys.of_user(user.id),
        )

    async def reset(self, actor: Actor, username: str) -> FactorsView:
        """Take everything away but the password: for whoever lost it, or had one slipped in. What there was.

        Sessions that were begun with it go on.
        """
        user = await self._whom(actor, "keys:write", username)
        await self._opens_for(actor, user)  # who knows the password is in with nothing else now
        before = await self.show(actor, username)
        for passkey in before.passkeys:
            await self._store.passkeys.remove(user.id, passkey.id)
        had = await self._store.factors.remove(user.id)
        told = words(passkeys=len(before.passkeys), second_factor="totp" if had else "none")
        await self._record(actor, "factors.reset", user.username, before=told)
        return before


class OwnFactor(Desk):
    """One's own second factor."""

    def __init__(
        self,
        store: Store,
        audit: Audit,
        clock: Clock,
        entropy: Entropy,
        roles: Roles | None = None,
        *,
        second: SecondFactors,
    ) -> None:
        super().__init__(store, audit, clock, entropy, roles)
        self._second = second

    async def enrol(self, actor: Actor, username: str, setup: Setup, code: str) -> tuple[str, ...]:
        """The recovery codes. Raises ``SignInRefused`` too, ``Conflict`` if there is one already."""
        user = await self._own(actor, username)
        codes = await self._second.enrol(user, setup, code)
        await self._record(actor, "second-factor.add", user.username)
        return codes

    async def renew_codes(self, actor: Actor, username: str) -> tuple[str, ...]:
        """New recovery codes. Raises ``NotFound`` without a second factor."""
        user = await self._own(actor, username)
        codes = await self._second.renew_codes(user)
        await self._record(actor, "second-factor.codes", user.username, after=words(count=len(codes)))
        return codes

    async def remove(self, actor: Actor, username: str) -> None:
        """The password alone is enough from now on, or another one must be set up."""
        user = await self._own(actor, username)
        if await self._store.factors.remove(user.id):
            await self._record(actor, "second-factor.remove", user.username)

    async def _own(self, actor: Actor, username: str) -> User:
        user = await self._whom(actor, "keys:write", username, own=True)
        if user.id != actor.id or user.connection != LOCAL:
            raise Forbidden("a second factor is for one's own account, and only for accounts of this gateway")
        return user
