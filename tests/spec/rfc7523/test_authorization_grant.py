"""RFC 7523 §2.1 and §3: JWTs as authorization grants, here always of the ID-JAG profile."""

from __future__ import annotations

import pytest
from joserfc.jwk import ECKey

from gatekit.model.oauth import JWT_BEARER
from tests.attack.asserting import assertion, bring, claims, idp, world
from tests.attack.world import START, World
from tests.emulators.issuer import EmulatedIssuer

__all__ = ["idp", "world"]


async def error_of(world: World, written: str) -> tuple[int, str]:
    answer = await bring(world, written)
    return answer.status_code, str(answer.json().get("error"))


INVALID = (400, "invalid_grant")


async def test_2_1_the_grant_type(world: World, idp: EmulatedIssuer) -> None:
    """§2.1: 'The value of the "grant_type" is "urn:ietf:params:oauth:grant-type:jwt-bearer".'"""
    assert JWT_BEARER == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert (await bring(world, assertion(idp))).status_code == 200


async def test_2_1_a_single_jwt(world: World, idp: EmulatedIssuer) -> None:
    """§2.1: 'The value of the "assertion" parameter MUST contain a single JWT.'"""
    one = assertion(idp)
    assert await error_of(world, f"{one} {one}") == INVALID
    assert await error_of(world, f"{one},{one}") == INVALID


async def test_3_1_iss(world: World, idp: EmulatedIssuer) -> None:
    """§3 (1): 'The JWT MUST contain an "iss" (issuer) claim'."""
    assert await error_of(world, assertion(idp, iss=None)) == INVALID


async def test_3_2_sub(world: World, idp: EmulatedIssuer) -> None:
    """§3 (2): 'The JWT MUST contain a "sub" (subject) claim identifying the principal'."""
    assert await error_of(world, assertion(idp, sub=None)) == INVALID


async def test_3_3_aud(world: World, idp: EmulatedIssuer) -> None:
    """§3 (3): 'The authorization server MUST reject any JWT that does not contain its own identity as the
    intended audience.'"""
    assert await error_of(world, assertion(idp, aud="https://elsewhere.example")) == INVALID
    assert await error_of(world, assertion(idp, aud=None)) == INVALID


async def test_3_4_exp(world: World, idp: EmulatedIssuer) -> None:
    """§3 (4): 'The authorization server MUST reject any JWT with an expiration time that has passed, subject
    to allowable clock skew between systems.'"""
    assert await error_of(world, assertion(idp, exp=None)) == INVALID
    assert await error_of(world, assertion(idp, exp=START - 31)) == INVALID
    assert (await bring(world, assertion(idp, exp=START - 29))).status_code == 200


async def test_3_5_nbf(world: World, idp: EmulatedIssuer) -> None:
    """§3 (5): 'the time before which the token MUST NOT be accepted for processing'."""
    assert await error_of(world, assertion(idp, nbf=START + 31)) == INVALID


async def test_3_9_signature(world: World, idp: EmulatedIssuer) -> None:
    """§3 (9): 'The authorization server MUST reject JWTs with an invalid signature or MAC.'"""
    stranger = ECKey.generate_key("P-256", {"kid": "first"})
    assert await error_of(world, idp.sign(claims(), {"typ": "oauth-id-jag+jwt"}, stranger)) == INVALID


@pytest.mark.parametrize("written", ["", "x.y", "e30.e30.", "e30..AA"])
async def test_3_10_not_a_jwt(world: World, written: str) -> None:
    """§3 (10): 'MUST reject a JWT that is not valid in all other respects'; §3.1: 'The value of the "error"
    parameter MUST be the "invalid_grant" error code.'"""
    assert await error_of(world, written) == (INVALID if written else (400, "invalid_request"))
