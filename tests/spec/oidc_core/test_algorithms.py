"""OpenID Connect Core 1.0 §15.1 and §10.1: what id_tokens are signed with."""

from __future__ import annotations

import base64
import json

import pytest

from tests.attack import relying
from tests.attack.world import World, returned

BYE = "https://wiki.example/bye"


def header(token: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(base64.urlsafe_b64decode(token.partition(".")[0] + "=="))
    return found


async def published(world: World) -> list[dict[str, str]]:
    async with world.http() as http:
        found: list[dict[str, str]] = (await http.get("/jwks")).json()["keys"]
    return found


async def test_15_1_rs256_is_there_for_who_asks_for_it(world: World) -> None:
    """ "OPs MUST support signing ID Tokens with the RSA SHA-256 algorithm (an alg value of RS256)"."""
    async with world.http() as http:
        document = (await http.get("/.well-known/openid-configuration")).json()
    assert "RS256" in document["id_token_signing_alg_values_supported"]
    await relying.enter(world, id_token_signed_response_alg="RS256")
    found = await relying.tokens(world, world.browser())
    assert header(found["id_token"])["alg"] == "RS256"
    claims = await relying.claims(world, found["id_token"], "RS256")
    assert (claims["iss"], claims["aud"]) == (world.issuer, "wiki")
    # Access tokens are for servers: nothing is different about them.
    assert header(found["access_token"])["alg"] == "ES256"


async def test_10_1_the_key_is_published_with_its_algorithm_and_nothing_secret(world: World) -> None:
    """ "the public keys are published in the JWK Set"; RFC 7517 §9.2."""
    assert [key["kty"] for key in await published(world)] == ["EC"], "none that nobody needs"
    await relying.enter(world, id_token_signed_response_alg="RS256")
    found = await relying.tokens(world, world.browser())
    [key] = [key for key in await published(world) if key["kty"] == "RSA"]
    assert key.keys() == {"kty", "n", "e", "kid", "use", "alg"}
    assert (key["alg"], key["use"], key["kid"]) == ("RS256", "sig", header(found["id_token"])["kid"])
    assert len(base64.urlsafe_b64decode(key["n"] + "==")) * 8 == 2048


@pytest.mark.parametrize("metadata", [{}, {"id_token_signed_response_alg": "ES256"}])
async def test_who_says_nothing_gets_what_it_got(world: World, metadata: dict[str, str]) -> None:
    """OpenID Connect Registration §2: "The value none MUST NOT be used"; ours is ES256."""
    await relying.enter(world, **metadata)
    found = await relying.tokens(world, world.browser())
    assert header(found["id_token"])["alg"] == "ES256"


async def test_3_1_2_1_a_hint_is_read_whatever_it_was_signed_with(world: World) -> None:
    """ "ID Token previously issued by the Authorization Server being passed as a hint"; also after the
    operator has chosen another algorithm."""
    await relying.enter(world, id_token_signed_response_alg="RS256")
    alices = world.browser()
    hint = (await relying.tokens(world, alices))["id_token"]
    assert returned(await alices.visit(relying.url(world, prompt="none", id_token_hint=hint)))["code"]
    bobs = world.browser()
    await relying.tokens(world, bobs, username="bob")
    answer = returned(await bobs.visit(relying.url(world, prompt="none", id_token_hint=hint)))
    assert answer["error"] == "login_required"
    head, payload, signature = hint.split(".")
    forged = f"{head}.{payload}.{signature[:-4]}{'AAAA' if signature[-4:] != 'AAAA' else 'BBBB'}"
    answer = returned(await alices.visit(relying.url(world, prompt="none", id_token_hint=forged)))
    assert answer["error"] == "invalid_request"


async def test_back_channel_2_6_the_logout_token_is_signed_with_the_same(world: World) -> None:
    """Back-Channel Logout §2.6: "the alg Header Parameter ... SHOULD be the default of RS256 or the algorithm
    sent by the Client in the id_token_signed_response_alg parameter"."""
    told = await relying.listening(world)
    hear = "https://wiki.example/backchannel"
    await relying.enter(world, backchannel_logout_uri=hear, id_token_signed_response_alg="RS256")
    browser = world.browser()
    await relying.tokens(world, browser)
    await browser.submit(await browser.get("/"))
    assert await world.server.notices.deliver() == 1
    ((_, token),) = told.heard
    assert (header(token)["typ"], header(token)["alg"]) == ("logout+jwt", "RS256")
    assert (await relying.claims(world, token, "RS256"))["events"]


async def test_keys_rotate_and_old_id_tokens_stay_readable(world: World) -> None:
    """§10.1.1: "signing keys are rolled over"; a relying party that cached the key set has time to look."""
    await relying.enter(world, id_token_signed_response_alg="RS256")
    browser = world.browser()
    hint = (await relying.tokens(world, browser))["id_token"]
    world.clock.advance(91 * 86_400)
    await world.server.tidy()
    assert len([key for key in await published(world) if key["kty"] == "RSA"]) == 2
    again = (await relying.tokens(world, world.browser()))["id_token"]
    assert header(again)["kid"] == header(hint)["kid"], "published first, used later"
    world.clock.advance(600)
    third = (await relying.tokens(world, world.browser()))["id_token"]
    assert header(third)["kid"] != header(hint)["kid"]
    assert (await relying.claims(world, again, "RS256"))["aud"] == "wiki"
