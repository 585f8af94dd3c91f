"""Bounds and failures around a login: budgets, providers that refuse, streams that end with their token."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from gatekit.model.access import Access
from gatekit.model.audit import SignIn
from gatekit.platform.limits import Rate
from tests.attack.test_tokens import add_key
from tests.attack.world import World, form_of, provider_link, returned, world_in


async def test_authorize_has_a_budget_per_address(tmp_path: Path) -> None:
    """K1: Authorize has a budget per address."""
    async with world_in(tmp_path, authorize_per_address=Rate(3, 1)) as world:
        client = await world.register()
        async with world.browser() as browser:
            codes = [(await browser.get(world.authorize_url(client))).status_code for _ in range(5)]
        assert codes == [200, 200, 200, 429, 429]
        async with world.browser("203.0.113.5") as browser:
            assert (await browser.get(world.authorize_url(client))).status_code == 200


async def test_pending_runs_are_removed(world: World) -> None:
    client = await world.register()
    async with world.browser() as browser:
        page = await browser.get(world.authorize_url(client))
        world.clock.advance(601)
        await world.server.tidy()
        assert (await browser.submit(page, username="alice", password="alice-password")).status_code == 400


async def test_authorize_by_post_takes_forms_only(world: World) -> None:
    """D7: Authorize by post takes forms only."""
    async with world.browser() as browser:
        answer = await browser.post("/authorize", json={"client_id": "x"})
        assert answer.status_code == 400
        assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    "changes", [{"response_mode": "fragment"}, {"max_age": "-1"}, {"state": "x" * 5000}], ids=str
)
async def test_odd_requests_are_invalid(world: World, changes: dict[str, str]) -> None:
    client = await world.register()
    async with world.browser() as browser:
        answer = returned(await browser.get(world.authorize_url(client, **changes)))
    assert answer["error"] == "invalid_request"


async def test_a_provider_that_refuses_leads_back_to_the_sign_in_page(world: World) -> None:
    client = await world.register()
    clock = f"{world.issuer}/s/clock/mcp"
    async with world.browser() as browser:
        page = await browser.get(world.authorize_url(client, resource=clock))
        leg = await browser.get(provider_link(page.text, "github"))
        state = leg.headers["location"].split("state=")[1].split("&")[0]
        refused = await browser.get(f"/callback/github?error=access_denied&state={state}")
        assert refused.status_code == 403
        assert "The provider refused." in refused.text
        [event] = world.trail.named(SignIn)
        assert isinstance(event, SignIn)
        assert (event.outcome, event.connection) == ("refused", "github")
        # The run goes on: another try may succeed.
        leg = await browser.get(provider_link(refused.text, "github"))
        state = leg.headers["location"].split("state=")[1].split("&")[0]
        twice = await browser.get(f"/callback/github?code=good-carol&code=good-mallory&state={state}")
        assert twice.status_code == 400
        consent = await browser.visit(f"/callback/github?code=good-carol&state={state}")
        assert "carol" in consent.text
        assert "code" in returned(await world.approve(browser, consent))


async def test_a_consent_after_signing_out_asks_who_it_is(world: World) -> None:
    client = await world.register()
    async with world.browser() as browser:
        page = await world.sign_in(browser, world.authorize_url(client))
        await browser.submit(await browser.get("/"))
        action, fields = form_of(page.text, "/consent")
        answer = await browser.post(action, data={**fields, "decision": "approve"})
        assert answer.headers["location"].startswith("/continue?")
        assert 'name="password"' in (await browser.visit(answer.headers["location"])).text


async def _access(world: World, secret: str) -> Access:
    return await world.server.bearer.check([f"Bearer {secret}".encode()])


async def test_T11_a_stream_ends_with_its_token(world: World) -> None:
    client = await world.register()
    tokens = await world.tokens(client)
    access = await _access(world, tokens["access_token"])
    assert await world.server.is_active(access)
    other = await _access(world, (await world.tokens(client))["access_token"])
    async with world.http() as http:
        await http.post("/revoke", data={"client_id": client["client_id"], "token": tokens["access_token"]})
    assert not await world.server.is_active(access)
    assert await world.server.is_active(other)
    world.clock.advance(3600)
    assert not await world.server.is_active(other)


async def test_T11_a_stream_ends_with_its_grant_person_or_key(world: World) -> None:
    client = await world.register()
    by_token = await _access(world, (await world.tokens(client))["access_token"])
    by_key = await _access(world, await add_key(world, "alice"))
    assert await world.server.is_active(by_token)
    assert await world.server.is_active(by_key)
    for grant in await world.store.grants.list():
        await world.store.grants.revoke(grant.id, int(world.clock.now()), "test")
    assert not await world.server.is_active(by_token)
    await world.store.users.update(replace(world.people["alice"], disabled=True))
    assert not await world.server.is_active(by_key)
    await world.store.users.update(world.people["alice"])
    assert await world.server.is_active(by_key)
    await world.store.api_keys.revoke(by_key.credential_id, int(world.clock.now()))
    assert not await world.server.is_active(by_key)


@pytest.mark.parametrize("path", ["/login", "/device"])
async def test_sign_in_pages_have_a_budget_because_each_writes_a_row(world: World, path: str) -> None:
    """K1: Sign in pages have a budget because each writes a row."""
    async with world.http() as http:
        answers = [(await http.get(path)).status_code for _ in range(130)]
    assert answers[:120] == [200] * 120
    assert answers[121:] == [429] * 9
