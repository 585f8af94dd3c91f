"""C1–C8: authorization codes and PKCE."""

from __future__ import annotations

import asyncio

import pytest

from gatekit.errors import StoreFull
from gatekit.model.audit import TokenEvent
from tests.attack.world import (
    BOTH_FORMATS,
    LOOPBACK,
    USED_LOOPBACK,
    VERIFIER,
    World,
    provider_link,
    returned,
    s256,
)


@BOTH_FORMATS
async def test_C1_code_replay_fells_every_token_of_the_grant(world: World) -> None:
    client = await world.register()
    code = await world.code(client)
    first = (await world.redeem(client, code)).json()
    assert await world.alive(first["access_token"])
    replay = await world.redeem(client, code)
    assert (replay.status_code, replay.json()["error"]) == (400, "invalid_grant")
    assert not await world.alive(first["access_token"])
    assert (await world.refresh(client, first["refresh_token"])).json()["error"] == "invalid_grant"
    assert world.trail.named(TokenEvent, action="reused", grant_type="authorization_code")


@BOTH_FORMATS
async def test_C1_replay_after_the_code_expired_still_fells_the_grant(world: World) -> None:
    client = await world.register()
    code = await world.code(client)
    first = (await world.redeem(client, code)).json()
    world.clock.advance(61)
    assert (await world.redeem(client, code)).status_code == 400
    assert not await world.alive(first["access_token"])


@BOTH_FORMATS
async def test_C2_parallel_redemption_yields_at_most_one_family(world: World) -> None:
    client = await world.register()
    code = await world.code(client)
    answers = await asyncio.gather(*(world.redeem(client, code) for _ in range(20)))
    good = [answer.json() for answer in answers if answer.status_code == 200]
    assert len(good) <= 1
    assert {answer.json().get("error") for answer in answers if answer.status_code != 200} == {
        "invalid_grant"
    }
    # A replay that raced is a replay: the family is gone.
    for tokens in good:
        assert not await world.alive(tokens["access_token"])
        assert (await world.refresh(client, tokens["refresh_token"])).status_code == 400


async def test_C3_strangers_do_not_burn_the_code(world: World) -> None:
    client, stranger = await world.register(), await world.register()
    code = await world.code(client)
    assert (await world.redeem(stranger, code)).json()["error"] == "invalid_grant"
    for other in (LOOPBACK, "http://127.0.0.1:1/callback", USED_LOOPBACK + "/", "https://evil.example/cb"):
        refused = await world.redeem(client, code, redirect_uri=other)
        assert refused.json()["error"] == "invalid_grant"
    assert (await world.redeem(client, code)).status_code == 200


async def test_C3_a_strangers_replay_does_not_revoke(world: World) -> None:
    client, stranger = await world.register(), await world.register()
    code = await world.code(client)
    tokens = (await world.redeem(client, code)).json()
    assert (await world.redeem(stranger, code)).status_code == 400
    assert (await world.redeem(client, code, code_verifier="w" * 43)).status_code == 400
    assert await world.alive(tokens["access_token"])


async def test_C3_codes_die_after_sixty_seconds(world: World) -> None:
    client = await world.register()
    code = await world.code(client)
    world.clock.advance(60)
    assert (await world.redeem(client, code)).json()["error"] == "invalid_grant"


async def test_C4_a_refused_request_does_not_consume_the_code(world: World) -> None:
    client = await world.register(token_endpoint_auth_method="client_secret_post")
    code = await world.code(client)
    wrong = await world.redeem(client, code, client_secret="guess")
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    assert (await world.redeem(client, code)).status_code == 401
    secret = client["client_secret"]
    for resource in ("https://elsewhere.example/mcp", f"{world.issuer}/s/clock/mcp", "x"):
        refused = await world.redeem(client, code, client_secret=secret, resource=resource)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_target")
    assert (await world.redeem(client, code, client_secret=secret)).status_code == 200


@pytest.mark.parametrize("method", ["none", "client_secret_basic"])
@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None},
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge": ""},
        {"code_challenge_method": "plain", "code_challenge": VERIFIER},
        {"code_challenge_method": None},
        {"code_challenge_method": "s256"},
        {"code_challenge_method": "S512"},
    ],
    ids=str,
)
async def test_C5_no_request_without_S256(world: World, method: str, changes: dict[str, str | None]) -> None:
    client = await world.register(token_endpoint_auth_method=method)
    async with world.browser() as browser:
        answer = returned(await browser.get(world.authorize_url(client, **changes)))
    assert answer["error"] == "invalid_request"
    assert answer["iss"] == world.issuer
    assert answer["state"] == "s%41 +&=?"


@pytest.mark.parametrize("verifier", [None, ""])
async def test_C6_verifier_cannot_be_left_out(world: World, verifier: str | None) -> None:
    client = await world.register()
    code = await world.code(client)
    assert (await world.redeem(client, code, code_verifier=verifier)).json()["error"] == "invalid_grant"
    assert (await world.redeem(client, code)).status_code == 200


@pytest.mark.parametrize(
    "verifier",
    [
        "a" * 42,
        "a" * 129,
        "a" * 42 + "+",
        "a" * 42 + "/",
        "a" * 43 + "=",
        "a" * 42 + "ü",
        "a" * 42 + " ",
        "a" * 43 + "\n",
    ],
    ids=repr,
)
async def test_C7_verifiers_outside_the_grammar(world: World, verifier: str) -> None:
    client = await world.register()
    code = await world.code(client, code_challenge=s256(verifier))
    refused = await world.redeem(client, code, code_verifier=verifier)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize("verifier", ["a" * 43, "a" * 128, "-._~" * 11])
async def test_C7_verifiers_inside_the_grammar(world: World, verifier: str) -> None:
    client = await world.register()
    code = await world.code(client, code_challenge=s256(verifier))
    assert (await world.redeem(client, code, code_verifier=verifier)).status_code == 200


@pytest.mark.parametrize(
    "challenge", ["a" * 42, "a" * 44, "a" * 42 + "=", "a" * 42 + "+", "a" * 42 + "/", "ü" * 43]
)
async def test_C7_challenges_outside_the_grammar(world: World, challenge: str) -> None:
    client = await world.register()
    async with world.browser() as browser:
        answer = returned(await browser.get(world.authorize_url(client, code_challenge=challenge)))
    assert answer["error"] == "invalid_request"


async def test_C7_a_wrong_verifier_burns_the_code(world: World) -> None:
    client = await world.register()
    code = await world.code(client)
    assert (await world.redeem(client, code, code_verifier="w" * 43)).json()["error"] == "invalid_grant"
    assert (await world.redeem(client, code)).json()["error"] == "invalid_grant"


async def test_C8_a_victims_code_is_useless_to_another_session(world: World) -> None:
    """The attacker injects the victim's code into a login of their own at the same client."""
    client = await world.register()
    victims = await world.code(client, username="alice")
    attackers_verifier = "m" * 43
    await world.code(
        client,
        username="bob",
        code_challenge=s256(attackers_verifier),
        resource=f"{world.issuer}/s/clock/mcp",
    )
    assert (await world.redeem(client, victims, code_verifier=attackers_verifier)).status_code == 400


async def test_C8_an_attackers_provider_answer_is_useless_in_the_victims_browser(world: World) -> None:
    client = await world.register()
    async with world.browser() as attacker, world.browser() as victim:
        page = await attacker.get(world.authorize_url(client))
        leg = await attacker.get(provider_link(page.text, "github"))
        state = leg.headers["location"].split("state=")[1].split("&")[0]
        await victim.get(world.authorize_url(client))
        injected = await victim.get(f"/callback/github?code=good-mallory&state={state}")
        assert injected.status_code == 403
        assert "gk_session" not in str(victim.cookies)
    assert world.providers["github"].completed == []


@BOTH_FORMATS
async def test_C4_a_store_that_fails_leaves_the_code_usable(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await world.register()
    code = await world.code(client)

    async def full(*_: object) -> None:
        raise StoreFull("no room")

    with monkeypatch.context() as patch:
        patch.setattr(world.store.grants, "redeem", full)
        failed = await world.redeem(client, code)
        assert failed.status_code == 503
    assert (await world.redeem(client, code)).status_code == 200
