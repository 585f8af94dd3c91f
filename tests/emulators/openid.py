"""An OpenID provider in this process that says whatever a test wants it to say.

What the published providers cannot be made to do (wrong nonce, foreign keys, other algorithms, 500s) is done
here; what honest ones do is tried with them.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlsplit

from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry

from gatekit.errors import OutboundRefused
from gatekit.identity.oidc.provider import OidcProvider
from gatekit.model.connections import OidcConnection
from gatekit.model.people import ExternalIdentity
from gatekit.model.ports import Clock
from gatekit.platform.clock import SystemEntropy
from gatekit.platform.outbound import Answer
from tests.emulators.issuer import segment

ISSUER = "https://idp.example/realms/acme"
CALLBACK = "https://gatekit.example/callback/acme"
EVENT = "http://schemas.openid.net/event/backchannel-logout"


class OpenIdEmulator:
    """Implements ``platform.fetching.Exchange``."""

    def __init__(self, clock: Clock, **connection: Any) -> None:
        self.clock = clock
        self.key = ECKey.generate_key("P-256", {"kid": "first"})
        self.metadata: dict[str, Any] = {
            "issuer": ISSUER,
            **{
                name: f"{ISSUER}/{path}"
                for name, path in {
                    "authorization_endpoint": "auth",
                    "token_endpoint": "token",
                    "userinfo_endpoint": "userinfo",
                    "jwks_uri": "jwks",
                    "end_session_endpoint": "logout",
                }.items()
            },
        }
        self.claims: dict[str, Any] = {}
        """Instead of what an honest id_token says; a value of ... leaves the claim out."""
        self.header: dict[str, Any] = {}
        self.signer: ECKey | None = None
        self.userinfo: dict[str, Any] = {"sub": "ada", "email": "ada@example.com", "email_verified": True}
        self.token: dict[str, Any] = {}
        """Added to the token endpoint's answer."""
        self.token_status = 200
        self.raw: bytes | None = None
        """Instead of that answer."""
        self.down = False
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.nonce = ""
        wanted = {"name": "acme", "issuer": ISSUER, "client_id": "gate kit", "client_secret": "s&cret"}
        self.connection = OidcConnection(**{"title": "Acme", **wanted, **connection})
        self.provider = OidcProvider(self.connection, self.exchange, clock, SystemEntropy())

    def sign(self, claims: Mapping[str, Any], **header: Any) -> str:
        signer = self.signer or self.key
        full = {"alg": "ES256", "kid": signer.kid, "typ": "JWT", **self.header, **header}
        kept = {name: value for name, value in claims.items() if value is not ...}
        signed = f"{segment({k: v for k, v in full.items() if v is not ...})}.{segment(kept)}"
        return f"{signed}.{segment(JWSRegistry.algorithms['ES256'].sign(signed.encode(), signer))}"

    def id_token(self) -> str:
        now = int(self.clock.now())
        honest = {
            "iss": self.connection.issuer,
            "sub": "ada",
            "aud": "gate kit",
            "iat": now,
            "exp": now + 300,
        }
        return self.sign({**honest, "nonce": self.nonce or ..., **self.claims})

    def logout_token(self, **claims: Any) -> str:
        now = int(self.clock.now())
        honest = {"iss": ISSUER, "aud": "gate kit", "iat": now, "exp": now + 120, "jti": "one", "sub": "ada"}
        return self.sign({**honest, "events": {EVENT: {}}, **claims}, typ="logout+jwt")

    async def sign_in(self, **params: str) -> ExternalIdentity:
        """There and back; ``params`` instead of what an honest provider sends with the browser."""
        leg = await self.provider.begin(CALLBACK)
        sent = {name: values[0] for name, values in parse_qs(urlsplit(leg.url).query).items()}
        self.nonce = sent["nonce"]
        back = {"code": "code", "state": sent["state"], **params}
        return await self.provider.complete(
            {name: value for name, value in back.items() if value}, leg.secret, CALLBACK
        )

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
        self.asked.append((url, dict(form or {})))
        if self.down:
            raise OutboundRefused("idp.example: cannot connect")
        if url.endswith("/.well-known/openid-configuration"):
            return _json(self.metadata)
        if url == f"{ISSUER}/jwks":
            return _json({"keys": [self.key.as_dict(private=False)]})
        if url == f"{ISSUER}/userinfo":
            return _json(self.userinfo)
        if url == f"{ISSUER}/token":
            return self._token(headers)
        return Answer(404, {}, b"")

    def _token(self, headers: Mapping[str, str]) -> Answer:
        if self.raw is not None or self.token_status != 200:
            return Answer(self.token_status, {}, self.raw or b"")
        if authorization := headers.get("authorization"):
            pair = b64decode(authorization.removeprefix("Basic ")).decode()
            assert [unquote_plus(part) for part in pair.split(":")] == ["gate kit", "s&cret"]
        answer = {"access_token": "at", "token_type": "Bearer", "id_token": self.id_token(), **self.token}
        return _json({name: value for name, value in answer.items() if value is not ...})


def _json(content: Mapping[str, Any]) -> Answer:
    return Answer(200, {"content-type": "application/json"}, json.dumps(content).encode())
