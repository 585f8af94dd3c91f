"""RFC 7523 §2.2 and §3 with RFC 7521 §4.2: authorization servers and clients that sign."""

from __future__ import annotations

from typing import Any

import pytest

from tests.attack.signing import TYPE, Signer
from tests.attack.world import World


@pytest.fixture
async def signer() -> Signer:
    return Signer()


@pytest.fixture
async def client(world: World, signer: Signer) -> dict[str, Any]:
    return await world.register(token_endpoint_auth_method="private_key_jwt", jwks=signer.jwks)


async def answer(world: World, fields: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    async with world.http() as http:
        found = await http.post(
            "/token", data={"grant_type": "refresh_token", "refresh_token": "gk_rt_x", **fields}
        )
    return found.status_code, found.json()


async def refused(world: World, fields: dict[str, Any]) -> None:
    """§3.2: 'If the client JWT is not valid, the authorization server constructs an error response … The
    value of the "error" parameter MUST be the "invalid_client" error code'."""
    status, body = await answer(world, fields)
    assert (status, body["error"]) == (401, "invalid_client")


async def test_2_2_the_assertion_type(world: World, signer: Signer, client: dict[str, Any]) -> None:
    """§2.2: 'The value of the "client_assertion_type" is
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"'."""
    fields = signer.fields(world, client["client_id"])
    assert (await answer(world, fields))[1]["error"] == "invalid_grant"
    await refused(world, {**signer.fields(world, client["client_id"]), "client_assertion_type": "jwt"})


async def test_7521_4_2_the_client_id_is_optional_and_must_agree(
    world: World, signer: Signer, client: dict[str, Any]
) -> None:
    """RFC 7521 §4.2: '"client_id" OPTIONAL … the value of this parameter MUST identify the same client as is
    identified by the client assertion'."""
    ident = client["client_id"]
    agreed = {**signer.fields(world, ident), "client_id": ident}
    assert (await answer(world, agreed))[1]["error"] == "invalid_grant"
    await refused(world, {**signer.fields(world, ident), "client_id": "gkc_other"})


async def test_7521_4_2_one_method_only(world: World, signer: Signer, client: dict[str, Any]) -> None:
    """RFC 7521 §4.2: '[the client] MUST NOT use more than one authentication method'."""
    fields = {**signer.fields(world, client["client_id"]), "client_secret": "x"}
    status, body = await answer(world, fields)
    assert (status, body["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": None},  # 1. 'The JWT MUST contain an "iss" (issuer) claim'
        {"iss": "other"},  # … compared as strings; for client authentication it is the client_id
        {"sub": None},  # 2. 'The JWT MUST contain a "sub" (subject) claim'
        {"sub": "other"},  # 2.B 'the subject MUST be the "client_id" of the OAuth client'
        {"aud": None},  # 3. 'The JWT MUST contain an "aud" (audience) claim'
        {"aud": "https://other.example"},  # 3. 'MUST reject any JWT that does not contain its own identity'
        {"exp": None},  # 4. 'The JWT MUST contain an "exp" (expiration time) claim'
        {"exp": 1_789_999_000},  # 4. 'MUST reject any JWT with an expiration time that has passed'
        {"nbf": 1_790_001_000},  # 5. 'the time before which the token MUST NOT be accepted'
    ],
    ids=str,
)
async def test_3_the_claims(
    world: World, signer: Signer, client: dict[str, Any], changes: dict[str, Any]
) -> None:
    await refused(world, signer.fields(world, client["client_id"], **changes))


async def test_3_4_unreasonably_far_in_the_future(
    world: World, signer: Signer, client: dict[str, Any]
) -> None:
    """§3.4: 'the authorization server may reject JWTs with an "exp" claim value that is unreasonably far in
    the future'."""
    far = int(world.clock.now()) + 3600
    await refused(world, signer.fields(world, client["client_id"], exp=far))


async def test_3_7_the_id_counts_once(world: World, signer: Signer, client: dict[str, Any]) -> None:
    """§3.7: 'The authorization server MAY ensure that JWTs are not replayed by maintaining the set of used
    "jti" values for the length of time for which the JWT would be considered valid'."""
    fields = signer.fields(world, client["client_id"])
    await answer(world, fields)
    await refused(world, fields)


async def test_3_9_signed(world: World, signer: Signer, client: dict[str, Any]) -> None:
    """§3.9: 'The JWT MUST be digitally signed or have a Message Authentication Code (MAC) applied by the
    issuer'; §3.10: 'MUST reject a JWT that is not valid in all other respects'."""
    ident = client["client_id"]
    await refused(world, signer.fields(world, ident, header={"alg": "none"}))
    await refused(world, Signer().fields(world, ident))
    whole = signer.assertion(world, ident)
    broken = whole[:-4] + ("AAAA" if not whole.endswith("AAAA") else "BBBB")
    await refused(world, {"client_assertion_type": TYPE, "client_assertion": broken})


async def test_5_interoperability_the_metadata_says_how(world: World) -> None:
    """§5: identities, endpoints and keys are agreed beforehand; RFC 8414 §2 says how."""
    async with world.http() as http:
        document = (await http.get("/.well-known/oauth-authorization-server")).json()
    for endpoint in ("token_endpoint", "revocation_endpoint"):
        assert "private_key_jwt" in document[f"{endpoint}_auth_methods_supported"]
        assert "ES256" in document[f"{endpoint}_auth_signing_alg_values_supported"]
