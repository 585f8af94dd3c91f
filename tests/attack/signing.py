"""A client that proves itself with a key (``private_key_jwt``), and what a forger would send instead."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from hmac import digest
from typing import Any
from uuid import uuid4

from joserfc.jwk import ECKey, Key, RSAKey
from joserfc.jws import JWSRegistry

from tests.attack.world import World

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def segment(data: bytes | Mapping[str, Any]) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def sign(key: Key | bytes, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """A compact JWS with exactly this header; ``alg`` none is not signed."""
    signed = f"{segment(header)}.{segment(claims)}"
    if header["alg"] == "none":
        return f"{signed}."
    if isinstance(key, bytes):
        return f"{signed}.{segment(digest(key, signed.encode(), 'sha256'))}"
    return f"{signed}.{segment(JWSRegistry.algorithms[header['alg']].sign(signed.encode(), key))}"


class Signer:
    """One key of a client."""

    def __init__(self, alg: str = "ES256", kid: str = "k1") -> None:
        self.alg = alg
        self.kid = kid
        parameters: Any = {"kid": kid}
        self.key: ECKey | RSAKey = (
            RSAKey.generate_key(2048, parameters)
            if alg[0] in "RP"
            else ECKey.generate_key("P-256", parameters)
        )

    @property
    def jwks(self) -> dict[str, Any]:
        return {"keys": [dict(self.key.as_dict(private=False))]}

    @property
    def private_jwks(self) -> dict[str, Any]:
        return {"keys": [dict(self.key.as_dict(private=True))]}

    def claims(self, world: World, client_id: str, **changes: Any) -> dict[str, Any]:
        """Correct ones; a claim set to None is left out."""
        now = int(world.clock.now())
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": world.issuer,
            "jti": uuid4().hex,
            "iat": now,
            "exp": now + 60,
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def assertion(
        self, world: World, client_id: str, header: Mapping[str, Any] | None = None, **changes: Any
    ) -> str:
        whole = {"alg": self.alg, "kid": self.kid, "typ": "JWT", **(header or {})}
        return sign(self.key, whole, self.claims(world, client_id, **changes))

    def fields(self, world: World, client_id: str, **changes: Any) -> dict[str, Any]:
        """The parameters that authenticate the client."""
        return {
            "client_assertion_type": TYPE,
            "client_assertion": self.assertion(world, client_id, **changes),
        }
