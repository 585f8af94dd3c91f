"""Attacks on signing in with Gatekit: tokens in the wrong place, sessions that stay, the wrong person."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.attack import relying
from tests.attack.world import World, returned


async def test_an_id_token_opens_nothing(world: World) -> None:
    """R4, T2: an id_token is no access token, no refresh token and no code."""
    client = await relying.enter(world)
    found = await relying.tokens(world, world.browser(), scope="openid mcp", resource=world.files)
    id_token = found["id_token"]
    assert not await world.alive(id_token)
    async with world.http() as http:
        refused = await http.get("/userinfo", headers={"authorization": f"Bearer {id_token}"})
    assert refused.status_code == 401
    assert (await world.refresh(client, id_token)).status_code == 400
    assert (await world.redeem(client, id_token)).status_code == 400
    # … and an access token is no id_token.
    answer = returned(await world.browser().visit(relying.url(world, id_token_hint=found["access_token"])))
    assert answer["error"] == "invalid_request"


async def test_a_sign_in_alone_opens_no_server(world: World) -> None:
    """T3: an access token of a relying party that asked who somebody is reaches no MCP endpoint."""
    await relying.enter(world)
    found = await relying.tokens(world, world.browser())
    for server in ("files", "clock", ""):
        assert (await world.use(found["access_token"], server)).status_code in (401, 403)
    wider = await world.refresh(relying.WIKI, found["refresh_token"], scope="openid mcp")
    assert wider.status_code == 400
    wider = await world.refresh(relying.WIKI, found["refresh_token"], resource=world.files)
    assert wider.status_code == 400


async def test_a_person_who_was_disabled_is_nobody_to_a_relying_party(world: World) -> None:
    """R6: no id_token for a code, no claims for a token."""
    await relying.enter(world)
    browser = world.browser()
    found = await relying.tokens(world, browser)
    late = await relying.code(world, browser)
    user = world.people["alice"]
    await world.store.users.update(msgspec.structs.replace(user, disabled=True))
    world.directory_of_people.forget()
    world.server.bearer.forget()
    assert (await world.redeem(relying.WIKI, late)).json()["error"] == "invalid_grant"
    async with world.http() as http:
        headers = {"authorization": f"Bearer {found['access_token']}"}
        assert (await http.get("/userinfo", headers=headers)).status_code == 401
    answer = returned(await browser.visit(relying.url(world, prompt="none")))
    assert answer["error"] == "login_required"


async def test_prompt_none_never_shows_a_page(world: World) -> None:
    """B8: whatever stands in the way, a client that asked for silence gets an error and no page."""
    await relying.enter(world)
    browser = world.browser()
    requests: tuple[dict[str, Any], ...] = (
        {},
        {"max_age": "0"},
        {"scope": "openid mcp", "resource": world.files},
    )
    for asked in requests:
        answer = returned(await browser.visit(relying.url(world, prompt="none", **asked)))
        assert answer["error"] in ("login_required", "consent_required"), asked
    await world.sign_in(browser, "/login", "bob")
    vault = f"{world.issuer}/s/vault/mcp"
    answer = returned(
        await browser.visit(relying.url(world, prompt="none", scope="openid mcp", resource=vault))
    )
    assert answer["error"] == "access_denied"


async def test_max_age_and_login_cannot_be_met_by_an_old_session(world: World) -> None:
    """B8: going back to the run without signing in leads to the sign-in page again."""
    await relying.enter(world)
    browser = world.browser()
    await relying.tokens(world, browser)
    world.clock.advance(100)
    page = await browser.visit(relying.url(world, max_age="10"))
    run = page.text.partition('name="txn" value="')[2].partition('"')[0]
    assert run
    again = await browser.visit(f"/continue?txn={run}")
    assert 'name="password"' in again.text
    assert not again.is_redirect


async def test_an_account_switch_in_another_tab_refuses_the_consent(world: World) -> None:
    """B8: what alice was shown, bob does not approve."""
    await relying.enter(world)
    browser = world.browser()
    page = await world.sign_in(browser, relying.url(world))
    assert "alice" in page.text
    await world.sign_in(browser, "/login", "bob")
    refused = await world.approve(browser, page)
    assert refused.status_code == 403


async def test_the_claims_of_one_client_do_not_name_the_browser_to_another(world: World) -> None:
    """Two relying parties cannot tell by ``sid`` that they share a browser."""
    first, second = await relying.enter(world), await relying.enter(world, "board")
    browser = world.browser()
    sids = [
        (await relying.claims(world, (await relying.tokens(world, browser, client))["id_token"]))["sid"]
        for client in (first, second)
    ]
    again = await relying.claims(world, (await relying.tokens(world, browser, first))["id_token"])
    assert sids[0] != sids[1]
    assert again["sid"] == sids[0]
