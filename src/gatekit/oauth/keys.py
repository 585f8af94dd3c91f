"""Signing keys: made at the first start, private parts sealed, published before use, kept after use.

The newest key that has been public for ``PUBLISH_AHEAD`` seconds signs; every key that is not retired
verifies. Retiring is the end of a key: at once in the compromised-key drill, otherwise when the last token it
can have signed has expired (checklist T6). Other processes hear of both by the feed of changes.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from gatekit.errors import StoreError, TokenInvalid, VaultError
from gatekit.model.oauth import SigningKey
from gatekit.model.ports import Clock
from gatekit.oauth import jws, rs256
from gatekit.oauth.claims import AccessClaims
from gatekit.oauth.jws import header_of, thumbprint
from gatekit.oauth.ports import Vault
from gatekit.store.ports import SigningKeys

log = logging.getLogger("gatekit.oauth")

PURPOSE = "access-token"
TYP = "at+jwt"  # RFC 9068 §2.1
SEAL = "signing-key"
PUBLISH_AHEAD = 600
"""Seconds between publishing a key and signing with it: longer than anybody caches our JWKS."""
RELOAD_PAUSE = 5.0
"""An unknown header looks for new keys at most this often (kid flood)."""


RSA_SUFFIX = "-rs256"
"""How the purposes end whose keys are RSA keys: a key is of one purpose, and so of one algorithm."""


class Signer(Protocol):
    """A private key that is ready to sign."""

    @property
    def header(self) -> str: ...
    @property
    def public(self) -> Any: ...
    def sign(self, payload: bytes) -> str: ...


class Algorithm(Struct, frozen=True):
    """One way to sign: how its keys are made, opened and used."""

    name: str
    """RFC 7518 §3.1."""
    fresh: Callable[[], tuple[str, dict[str, str]]]
    opened: Callable[[str, str], Signer]
    verify: Callable[[str, Mapping[str, Any]], bytes]


_ES256 = Algorithm(jws.ALGORITHM, jws.fresh, jws.opened, jws.verify)
_RS256 = Algorithm(rs256.ALGORITHM, rs256.fresh, rs256.opened, rs256.verify)


def algorithm_of(purpose: str) -> Algorithm:
    """What the keys of ``purpose`` sign with."""
    return _RS256 if purpose.endswith(RSA_SUFFIX) else _ES256


class KeyRing:
    """Signs and verifies what has one purpose, with keys that no other purpose uses: access tokens, unless
    ``purpose`` and ``typ`` say otherwise. ``load`` before use."""

    def __init__(
        self,
        store: SigningKeys,
        vault: Vault,
        clock: Clock,
        token_lifetime: int,
        purpose: str = PURPOSE,
        typ: str = TYP,
        rotate_every: int = 0,
    ) -> None:
        """``token_lifetime``: the longest that anything signed is good for, in seconds. ``rotate_every``:
        seconds, 0 for never."""
        self._store = store
        self._purpose = purpose
        self._algorithm = algorithm_of(purpose)
        self._verify = self._algorithm.verify
        self._typ = typ
        self._vault = vault
        self._clock = clock
        self._token_lifetime = token_lifetime
        self._rotate_every = rotate_every
        self._rows: Sequence[SigningKey] = ()
        self._signers: dict[str, Signer] = {}
        self._verifying: dict[str, Any] = {}
        self._decoder = msgspec.json.Decoder(AccessClaims)
        self._encoder = msgspec.json.Encoder()
        self._reloaded_at = clock.monotonic()
        self._unreadable: set[str] = set()
        """Kids of keys that were complained of."""

    async def load(self) -> None:
        """Read the keys; make the first one if there is none.

        Raises ``StoreError``; ``VaultError`` if there are keys and none of them can be opened.
        """
        found = await self._read()
        if not found:
            await self._store.succeed(await self._new(), None)
            await self._read()
        elif not self._rows:
            raise VaultError("no signing key can be opened: was the master key of this data_dir replaced?")

    async def read(self) -> None:
        """Read the keys there are; make none."""
        await self._read()

    async def tidy(self) -> None:
        """Publish the next key when it is time for one; retire keys whose last token has expired."""
        await self._read()
        now = self._clock.now()
        if self._rotate_every and self._rows and self._rows[0].created_at + self._rotate_every <= now:
            # Every process comes to this conclusion; one key is made.
            await self._store.succeed(await self._new(), self._rows[0].kid)
        for older, newer in zip(self._rows[1:], self._rows, strict=False):
            if newer.created_at + PUBLISH_AHEAD + self._token_lifetime < now:
                await self._store.retire(older.kid, int(now))
        await self._read()

    def sign(self, claims: AccessClaims) -> str:
        """A compact JWT of type ``at+jwt``."""
        return self.sign_payload(self._encoder.encode(claims))

    def sign_payload(self, payload: bytes) -> str:
        """A compact JWT of this ring's type."""
        return self._current().sign(payload)

    def payload(self, token: str) -> bytes:
        """The payload of a token that one of our keys signed for this purpose. Raises ``TokenInvalid``."""
        return self._verify(token, self._verifying)

    def verify(self, token: str) -> AccessClaims:
        """The claims of a token that one of our keys signed. Issuer and times are the caller's to check.

        Raises ``TokenInvalid``.
        """
        payload = self.payload(token)
        try:
            return self._decoder.decode(payload)
        except msgspec.MsgspecError as bad:
            raise TokenInvalid("the access token is not one of ours", str(bad)) from bad

    async def verify_fresh(self, token: str) -> AccessClaims:
        """``verify``, after looking for keys that another process may have published."""
        await self.look_for(token)
        return self.verify(token)

    async def look_for(self, token: str) -> None:
        """See whether another process has published the key of a token that we do not know."""
        if not self.knows(token):
            await self.peek()

    def knows(self, token: str) -> bool:
        """Whether a token has the header of one of our keys. Raises ``TokenInvalid``."""
        return header_of(token) in self._verifying

    async def peek(self) -> None:
        """Read the keys there are, if that was not just done; make none."""
        if self._clock.monotonic() - self._reloaded_at >= RELOAD_PAUSE:
            await self._read()

    @property
    def empty(self) -> bool:
        """Whether no key is known yet."""
        return not self._rows

    def public_keys(self) -> list[dict[str, str]]:
        """Our members of the JWK set, next and old keys included (RFC 7517 §5)."""
        return [
            {**json.loads(row.public_jwk), "kid": row.kid, "use": "sig", "alg": row.algorithm}
            for row in self._rows
        ]

    def _current(self) -> Signer:
        kid = signs(self._rows, self._clock.now())
        if kid is None:  # ``load`` made one, so somebody has retired everything behind our back
            raise StoreError("there is no signing key")
        return self._signers[kid]

    async def _new(self) -> SigningKey:
        # In a thread: an RSA key takes long enough to be noticed by everybody else.
        return await asyncio.to_thread(new_key, self._vault, self._purpose, int(self._clock.now()))

    async def _read(self) -> int:
        """How many keys there are, those that cannot be opened included; they are logged, once each.

        What is not there any more counts for nothing from now on, whatever else there is: a key that was
        retired must not live on because the next one cannot be read. Raises ``StoreError``.
        """
        self._reloaded_at = self._clock.monotonic()
        rows = [row for row in await self._store.list(self._purpose) if row.retired_at is None]
        signers: dict[str, Signer] = {}
        for row in rows:
            try:
                signers[row.kid] = self._signers.get(row.kid) or self._opened(row)
            except VaultError as bad:
                # Sealed with another master key, by a program that was started with the wrong one: that is
                # for an operator to mend, and no reason to sign nobody in.
                if row.kid not in self._unreadable:
                    self._unreadable.add(row.kid)
                    log.error("a signing key cannot be opened kid=%s error=%s", row.kid, bad)
        self._rows = [row for row in rows if row.kid in signers]
        self._signers = signers
        self._verifying = {key.header: key.public for key in signers.values()}
        return len(rows)

    def _opened(self, row: SigningKey) -> Signer:
        return self._algorithm.opened(self._vault.open(row.private_sealed, SEAL), self._typ)


def new_key(vault: Vault, purpose: str, now: int) -> SigningKey:
    """A fresh key, its private half sealed. Nothing is stored."""
    algorithm = algorithm_of(purpose)
    private, public = algorithm.fresh()
    return SigningKey(
        kid=thumbprint(public),
        purpose=purpose,
        algorithm=algorithm.name,
        public_jwk=json.dumps(public, sort_keys=True),
        private_sealed=vault.seal(private, SEAL),
        created_at=now,
    )


def signs(rows: Sequence[SigningKey], now: float) -> str | None:
    """The kid of the key that signs now, of the keys of one purpose, newest first.

    The newest that has been public long enough; if none has, the oldest there is: somebody has to.
    """
    living = [row for row in rows if row.retired_at is None]
    ripe = [row for row in living if row.created_at <= now - PUBLISH_AHEAD]
    return ripe[0].kid if ripe else living[-1].kid if living else None
