"""RFC 7636 and OAuth 2.1 §4.1.1: PKCE."""

from __future__ import annotations

import pytest

from tests.attack.world import World, s256


async def test_appendix_b(world: World) -> None:
    verifier, challenge = (
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    )
    assert s256(verifier) == challenge
    client = await world.register()
    code = await world.code(client, code_challenge=challenge)
    assert (await world.redeem(client, code, code_verifier=verifier)).status_code == 200


@pytest.mark.parametrize("verifier", ["a" * 43, "z" * 128, "-._~" * 11, "0123456789" * 5])
async def test_4_1_every_unreserved_character_and_both_lengths(world: World, verifier: str) -> None:
    client = await world.register()
    code = await world.code(client, code_challenge=s256(verifier))
    assert (await world.redeem(client, code, code_verifier=verifier)).status_code == 200


async def test_4_6_a_verifier_of_another_request(world: World) -> None:
    """ "If the values are not equal, an error response indicating "invalid_grant" … MUST be returned." """
    client = await world.register()
    code = await world.code(client)
    refused = await world.redeem(client, code, code_verifier="b" * 43)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
