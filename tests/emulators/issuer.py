"""Somebody else's issuer, in this process: metadata, keys, introspection, and tokens of any shape.

What the certified provider cannot be made to do (wrong types, foreign keys, broken answers) is done here.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry

from gatekit.errors import OutboundRefused
from gatekit.platform.outbound import Answer

ISSUER = "https://idp.example/realms/acme"


def segment(data: bytes | Mapping[str, Any]) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class EmulatedIssuer:
    """Implements ``oauth.ports.Exchange``. Everything it serves may be changed by the test."""

    def __init__(self, issuer: str = ISSUER) -> None:
        self.issuer = issuer
        self.key = ECKey.generate_key("P-256", {"kid": "first"})
        self.published: list[ECKey] = [self.key]
        self.active: dict[str, dict[str, Any]] = {}
        """What introspection says of which token."""
        self.introspection_status = 200
        self.down = False
        self.asked: list[str] = []
        self.metadata: dict[str, Any] = {
            "issuer": issuer,
            "jwks_uri": f"{issuer}/jwks",
            "introspection_endpoint": f"{issuer}/introspect",
        }

    def sign(
        self,
        claims: Mapping[str, Any],
        header: Mapping[str, Any] | None = None,
        key: ECKey | None = None,
    ) -> str:
        signer = key or self.key
        full = {"alg": "ES256", "kid": signer.kid, "typ": "at+jwt", **(header or {})}
        full = {name: value for name, value in full.items() if value is not None}
        signed = f"{segment(full)}.{segment(claims)}"
        return f"{signed}.{segment(JWSRegistry.algorithms['ES256'].sign(signed.encode(), signer))}"

    def asked_for(self, what: str) -> int:
        """How often a URL that ends like this was fetched."""
        return sum(url.endswith(what) for url in self.asked)

    async def exchange(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None = None,
        max_bytes: int,
        timeout: float,
    ) -> Answer:
        self.asked.append(url)
        if self.down:
            raise OutboundRefused("idp.example: cannot connect")
        if url == f"{self.issuer}/.well-known/openid-configuration":
            return self._json(self.metadata)
        if url == f"{self.issuer}/jwks":
            return self._json({"keys": [key.as_dict(private=False) for key in self.published]})
        if url == f"{self.issuer}/introspect" and form is not None:
            if self.introspection_status != 200:
                return Answer(self.introspection_status, {}, b"")
            pair = base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode()
            name, _, secret = pair.partition(":")
            assert (unquote_plus(name), unquote_plus(secret)) == ("gate:kit", "s&cret")
            return self._json(self.active.get(form["token"], {"active": False}))
        return Answer(404, {}, b"")

    @staticmethod
    def _json(content: Mapping[str, Any]) -> Answer:
        return Answer(200, {"content-type": "application/json"}, json.dumps(content).encode())
