"""What we sign for others to read: who signed in (id_token), who signed out (logout token), who sends a
request through a proxy (identity).

Each kind has keys and a ``typ`` of its own, so that none of them is ever taken for an access token or for
another kind (RFC 8725 §3.11, §3.12; checklist R4, T2). The keys are made when a kind is first used: a gateway
that only serves MCP has none of them. All public keys are in the one JWK set.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from gatekit.errors import StoreError, TokenInvalid, VaultError
from gatekit.model.ports import Clock
from gatekit.oauth.keys import RSA_SUFFIX, KeyRing
from gatekit.oauth.ports import Vault
from gatekit.store.ports import SigningKeys

Kind = Literal["id-token", "logout-token", "identity"]

_TYPES: Mapping[Kind, str] = {
    "id-token": "JWT",  # OpenID Connect Core has no type of its own; relying parties expect this one
    "logout-token": "logout+jwt",  # OpenID Connect Back-Channel Logout §2.4
    "identity": "gatekit-identity+jwt",
}
_ALSO_RS256: Sequence[Kind] = ("id-token", "logout-token")
"""What relying parties read (OpenID Connect Core §15.1, Back-Channel Logout §2.6)."""
Algorithm = Literal["ES256", "RS256"]
LIFETIME = 3600
"""Seconds that any of them is good for, at most; a key stays published that much longer than it signs."""


class Statements:
    """Signs and reads back statements. ``load`` before use."""

    def __init__(self, store: SigningKeys, vault: Vault, clock: Clock, rotate_every: int = 0) -> None:
        def ring(kind: Kind, suffix: str = "") -> KeyRing:
            return KeyRing(store, vault, clock, LIFETIME, f"{kind}{suffix}", _TYPES[kind], rotate_every)

        self._rings: Mapping[tuple[Kind, Algorithm], KeyRing] = {
            **{(kind, "ES256"): ring(kind) for kind in get_args(Kind)},
            **{(kind, "RS256"): ring(kind, RSA_SUFFIX) for kind in _ALSO_RS256},
        }

    async def load(self) -> None:
        """Read the keys there are."""
        for ring in self._rings.values():
            await ring.read()

    async def tidy(self) -> None:
        """Retire keys whose last statement has expired, and publish the next ones where it is time."""
        for ring in self._rings.values():
            await ring.tidy()

    async def public_keys(self) -> list[dict[str, str]]:
        """Their members of the JWK set; those that other processes have made, too."""
        for ring in self._rings.values():
            await ring.peek()
        return [key for ring in self._rings.values() for key in ring.public_keys()]

    async def sign(self, kind: Kind, claims: Mapping[str, Any], algorithm: Algorithm = "ES256") -> str:
        """A compact JWT of the type of ``kind``.

        Raises ``StoreError`` if the first key cannot be made, or none can be opened.
        """
        ring = self._rings[kind, algorithm]
        if ring.empty:
            try:
                await ring.load()
            except VaultError as bad:  # whoever asked can do nothing about it but come again
                raise StoreError(str(bad)) from bad
        return ring.sign_payload(json.dumps(claims, separators=(",", ":")).encode())

    async def read(self, kind: Kind, token: str) -> dict[str, Any]:
        """The claims of a statement that we signed, whatever it was signed with; its times are the caller's
        to check.

        Raises ``TokenInvalid``.
        """
        claims = json.loads(await self._payload(kind, token))
        if not isinstance(claims, dict):
            raise TokenInvalid("not one of ours", "the payload is no object")
        return claims

    async def _payload(self, kind: Kind, token: str) -> bytes:
        rings = [ring for (other, _), ring in self._rings.items() if other == kind]
        for ring in rings:
            await ring.look_for(token)
        for ring in rings:
            if ring.knows(token):
                return ring.payload(token)
        raise TokenInvalid("not one of ours", "no key has this header")
