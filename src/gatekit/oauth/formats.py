"""The two forms of an access token: signed, or opaque.

A signed one (RFC 9068) carries its claims and costs no row; anybody with our public keys can read it. An
opaque one is a random string whose claims lie in the store under its hash; nobody learns anything from it.
Which one is issued is the operator's choice, and both are always accepted: a changed choice ends no token.
What else ends a token (deny list, grant, person, client) is the same for both, so it is asked elsewhere.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from gatekit.errors import TokenInvalid
from gatekit.model.oauth import AccessToken
from gatekit.model.ports import Entropy
from gatekit.oauth.claims import AccessClaims
from gatekit.oauth.keys import KeyRing
from gatekit.platform.vault import token_hash
from gatekit.store import ports

TokenFormat = Literal["jwt", "opaque"]

ACCESS_PREFIX = "gk_at_"

_OPAQUE = re.compile(rf"{ACCESS_PREFIX}[A-Za-z0-9_-]{{43}}\Z")
"""Everything we ever issued looks like this, so that nothing else costs a look into the store."""


class AccessTokens:
    """Makes access tokens of the chosen form, and reads both."""

    def __init__(
        self, keys: KeyRing, rows: ports.AccessTokens, entropy: Entropy, chosen: TokenFormat
    ) -> None:
        self._keys = keys
        self._rows = rows
        self._entropy = entropy
        self._chosen = chosen
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder(AccessClaims)

    async def mint(self, claims: AccessClaims) -> str:
        """The token for ``claims``. Raises ``StoreError``."""
        if self._chosen == "jwt":
            return self._keys.sign(claims)
        token = self._entropy.token(ACCESS_PREFIX)
        row = AccessToken(
            token_hash=token_hash(token),
            claims=self._encoder.encode(claims).decode(),
            expires_at=claims.exp,
        )
        await self._rows.add(row)
        return token

    async def read(self, token: str) -> AccessClaims:
        """What an authentic token says. Issuer, times, deny list and standing are the caller's to check.

        Raises ``TokenInvalid``, ``StoreError``.
        """
        if not token.startswith(ACCESS_PREFIX):
            return await self._keys.verify_fresh(token)
        row = await self._rows.by_hash(token_hash(token)) if _OPAQUE.match(token) else None
        if row is None:
            raise TokenInvalid("the access token is not one of ours", "unknown opaque token")
        try:
            return self._decoder.decode(row.claims)
        except msgspec.MsgspecError as bad:
            raise TokenInvalid("the access token is not one of ours", str(bad)) from bad
