"""RFC 9068: JWT access tokens."""

from __future__ import annotations

import base64
import json

from tests.attack.test_tokens import claims_of
from tests.attack.world import World


async def test_2_header_and_claims(world: World) -> None:
    client = await world.register()
    tokens = await world.tokens(client)
    head = json.loads(base64.urlsafe_b64decode(tokens["access_token"].split(".")[0] + "=="))
    assert head["typ"] == "at+jwt"
    assert head["alg"] == "ES256"
    claims = claims_of(tokens["access_token"])
    now = int(world.clock.now())
    assert claims["iss"] == world.issuer
    assert claims["sub"] == world.people["alice"].id
    assert claims["aud"] == [world.files]
    assert claims["client_id"] == client["client_id"]
    assert (claims["iat"], claims["exp"], claims["auth_time"]) == (now, now + 3600, now)
    assert claims["scope"] == "mcp"
    other = claims_of((await world.tokens(client))["access_token"])
    assert other["jti"] != claims["jti"]


async def test_the_key_is_published(world: World) -> None:
    client = await world.register()
    head = json.loads(
        base64.urlsafe_b64decode((await world.tokens(client))["access_token"].split(".")[0] + "==")
    )
    async with world.http() as http:
        response = await http.get("/jwks")
    [key] = response.json()["keys"]
    assert key["kid"] == head["kid"]
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-256", "ES256", "sig")
    assert "d" not in key
