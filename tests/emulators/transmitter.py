"""A transmitter of security events (RFC 8935, Shared Signals Framework). PyJWT signs: not our code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from gatekit.model.ports import Clock

TRANSMITTER = "https://signals.idp.example"
AUDIENCE = "https://gatekit.example/ssf/acme"
JWKS_URI = f"{TRANSMITTER}/jwks"


class Transmitter:
    def __init__(
        self, clock: Clock, algorithm: str = "ES256", issuer: str = TRANSMITTER, audience: str = AUDIENCE
    ) -> None:
        self._clock = clock
        self._algorithm = algorithm
        self.issuer, self.audience = issuer, audience
        self._key: Any
        self._writer: Any
        if algorithm == "ES256":
            self._key, self._writer = ec.generate_private_key(ec.SECP256R1()), ECAlgorithm
        elif algorithm == "EdDSA":
            self._key, self._writer = ed25519.Ed25519PrivateKey.generate(), OKPAlgorithm
        else:
            self._key, self._writer = rsa.generate_private_key(65537, 2048), RSAAlgorithm

    def jwks(self) -> dict[str, Any]:
        """What is published."""
        public = json.loads(self._writer.to_jwk(self._key.public_key()))
        return {"keys": [{**public, "kid": "signals", "use": "sig"}]}

    def claims(self, events: Mapping[str, Any], /, **changes: Any) -> dict[str, Any]:
        """Of an honest event about ada; a value of ... leaves a claim out."""
        honest = {
            "iss": self.issuer,
            "aud": self.audience,
            "iat": int(self._clock.now()),
            "jti": "one",
            "sub_id": {"format": "iss_sub", "iss": "https://idp.example/realms/acme", "sub": "ada"},
            "events": dict(events),
            **changes,
        }
        return {name: value for name, value in honest.items() if value is not ...}

    def sign(self, claims: Mapping[str, Any], *, typ: str | None = "secevent+jwt", **header: Any) -> str:
        headers = {"kid": "signals", "typ": typ, **header}
        return jwt.encode(dict(claims), self._key, self._algorithm, headers)

    def unsigned(self, claims: Mapping[str, Any]) -> str:
        return jwt.encode(dict(claims), "", "none", {"kid": "signals", "typ": "secevent+jwt"})

    def symmetric(self, claims: Mapping[str, Any]) -> str:
        """Signed with the public key as the secret."""
        secret = str(self.jwks()["keys"][0].get("x")).encode()
        return jwt.encode(dict(claims), secret, "HS256", {"kid": "signals", "typ": "secevent+jwt"})
